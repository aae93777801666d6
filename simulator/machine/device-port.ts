/**
 * The other end of a serial line that something is wired to: a barcode scanner that says what it reads, a display that shows
 * what it is told, and a line that is an address as a QR code. One controller at a time; the newest connection wins.
 *
 * Bounded   what is shown by `SHOWN` characters.
 */
import type { Duplex } from "node:stream";

const SHOWN = 512;
const ADDRESS = /^https?:\/\/\S+$/;
/** What clears a customer display; what comes after it is the new text. */
const CLEAR = "\f";

export class DevicePort {
  #socket: Duplex | undefined;
  #shown = "";

  /** What it shows in words, where it is a display. */
  get shown(): string {
    return this.#lines((line) => !ADDRESS.test(line)).join("\n");
  }

  /** What its QR code leads to. */
  get qr(): string | null {
    return this.#lines((line) => ADDRESS.test(line)).at(-1) ?? null;
  }

  #lines(which: (line: string) => boolean): readonly string[] {
    return this.#shown.split(/\r?\n/).filter((line) => line.trim() !== "" && which(line));
  }

  accept(socket: Duplex): void {
    socket.on("error", () => undefined); // `close` follows, and says all that matters
    this.#socket?.destroy();
    this.#socket = socket;
    socket.on("data", (bytes: Uint8Array) => {
      const text = this.#shown + Buffer.from(bytes).toString("latin1");
      this.#shown = text.slice(text.lastIndexOf(CLEAR) + 1).slice(-SHOWN);
    });
    socket.once("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#shown = "";
    });
  }

  say(line: string): void {
    this.#socket?.write(Buffer.from(`${line}\r\n`, "latin1"));
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy();
  }
}
