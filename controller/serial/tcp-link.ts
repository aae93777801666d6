/** A serial line behind a serial server: a TCP connection whose bytes are the line's. */
import { Socket } from "node:net";

export const CONNECT_MS = 5_000;

export class TcpLink extends Socket {
  readonly #host: string;
  readonly #port: number;

  constructor(host: string, port: number) {
    super();
    this.#host = host;
    this.#port = port;
  }

  get isOpen(): boolean {
    return this.readyState === "open";
  }

  open(done: (error: Error | null) => void): void {
    const failed = (error: Error): void => {
      done(error);
    };
    this.once("error", failed);
    this.setTimeout(CONNECT_MS, () => this.destroy(new Error("no connection in time")));
    this.connect({ host: this.#host, port: this.#port }, () => {
      this.off("error", failed);
      this.setTimeout(0);
      this.setNoDelay(true); // a command is one small packet, and the VMC is waiting for it
      done(null);
    });
  }

  close(done?: (error: Error | null) => void): void {
    if (done !== undefined) this.once("close", () => done(null));
    this.destroy();
  }
}
