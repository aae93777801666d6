/** The machine's way to the broker, led through here: it tells when bytes for the machine were handed on. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Tap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next: ((atMs: number) => void) | undefined;

  private constructor(brokerPort: number) {
    this.#server = createServer({ noDelay: true }, (machine) => {
      const broker = connect({ port: brokerPort, host: "127.0.0.1", noDelay: true });
      for (const socket of [machine, broker]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          machine.destroy();
          broker.destroy();
        });
      }
      machine.pipe(broker);
      broker.on("data", (bytes: Buffer) => {
        machine.write(bytes);
        if (bytes.length < LEAST_MESSAGE) return; // an acknowledgement
        this.#next?.(performance.now());
        this.#next = undefined;
      });
    });
  }

  static async open(brokerPort: number): Promise<Tap> {
    const tap = new Tap(brokerPort);
    await new Promise<void>((resolve) => tap.#server.listen(0, "127.0.0.1", resolve));
    return tap;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo; // listening on TCP: never a path
    return `mqtt://127.0.0.1:${port}`;
  }

  /** When the next message for the machine is handed on. */
  message(): Promise<number> {
    return new Promise((done) => {
      this.#next = done;
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

const LEAST_MESSAGE = 64;
