/**
 * An adapter's end of the serial line, with a watch: when a line was written here, and when one arrived.
 * It comes up as a real one does and sells whatever it is told to; its times are taken at its own end of the line.
 */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

type Awaited = { readonly begins: string; readonly done: (atMs: number) => void };

export class Adapter {
  readonly #server: Server;
  #socket: Socket | undefined;
  #awaited: Awaited | undefined;

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#socket = socket;
      socket.on("error", () => undefined);
      let rest = "";
      socket.on("data", (bytes: Buffer) => {
        const atMs = performance.now();
        const lines = (rest + bytes.toString()).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#hear(line.trim(), atMs);
      });
    });
  }

  static async listen(): Promise<Adapter> {
    const adapter = new Adapter();
    await new Promise<void>((resolve) => adapter.#server.listen(0, "127.0.0.1", resolve));
    return adapter;
  }

  get place(): string {
    const { port } = this.#server.address() as AddressInfo; // listening on TCP: never a path
    return `tcp://127.0.0.1:${port}`;
  }

  say(...lines: readonly string[]): void {
    this.#socket?.write(lines.map((line) => `${line}\r\n`).join(""));
  }

  /** When the next line that begins so arrives. */
  hears(begins: string): Promise<number> {
    return new Promise((done) => {
      this.#awaited = { begins, done };
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }

  #hear(line: string, atMs: number): void {
    if (line === "V") this.say("v,4.0.2.0,01");
    else if (line === "X,0") this.say("x,ACK");
    else if (line === "C,0") this.say("c,0");
    else if (line.startsWith("C,SETCONF")) this.say("c,SET,OK");
    else if (line === "C,1") this.say("c,1", "c,STATUS,ENABLED");
    else if (line.startsWith("C,START")) this.say(`c,STATUS,IDLE,${line.slice(8)}`);
    else if (line === "C,STOP") this.say("c,STATUS,ENABLED");
    const awaited = this.#awaited;
    if (awaited === undefined || !line.startsWith(awaited.begins)) return;
    this.#awaited = undefined;
    awaited.done(atMs);
  }
}
