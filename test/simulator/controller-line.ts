/** A controller's end of the serial line, scripted by a test over real TCP. */
import { connect, type Socket } from "node:net";
import { until } from "./until.js";

export class ControllerLine implements Disposable {
  readonly heard: string[] = [];
  readonly #socket: Socket;
  #raw = "";
  #closed = false;

  constructor(port: number) {
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.#socket.on("data", (bytes) => {
      this.#raw += bytes.toString("latin1");
      const lines = this.#raw.split("\r\n");
      this.#raw = lines.pop() ?? "";
      this.heard.push(...lines);
    });
    this.#socket.on("error", () => undefined);
    this.#socket.once("close", () => (this.#closed = true));
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  /** Waits until this line was heard since the last call, and forgets everything up to it. */
  async hears(line: string): Promise<void> {
    const at = await until(`the line ${line} (heard ${JSON.stringify(this.heard)})`, () => {
      const index = this.heard.indexOf(line);
      return index < 0 ? undefined : index + 1;
    });
    this.heard.splice(0, at);
  }

  async closes(): Promise<void> {
    await until("the line to close", () => this.#closed);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
