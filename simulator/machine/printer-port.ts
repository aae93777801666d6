/**
 * The other end of a serial line that a receipt printer is wired to: what it printed lies there until newer slips push it out.
 * One controller at a time; the newest connection wins. Paper does not go away with the line.
 *
 * Bounded   `SLIPS` slips.
 */
import type { Duplex } from "node:stream";
import { newPrinter, step, type Printer, type Slip } from "./escpos.js";

const SLIPS = 20;

export class PrinterPort {
  #socket: Duplex | undefined;
  #printer: Printer = newPrinter;
  #slips: readonly Slip[] = [];

  /** The newest first. */
  get printed(): readonly Slip[] {
    return this.#slips;
  }
  /** What somebody reads who looks at it: the newest slip. */
  get shown(): string {
    return this.#slips[0]?.text ?? "";
  }
  get qr(): string | null {
    return this.#slips[0]?.qr ?? null;
  }

  accept(socket: Duplex): void {
    socket.on("error", () => undefined); // `close` follows, and says all that matters
    this.#socket?.destroy();
    this.#socket = socket;
    this.#printer = newPrinter; // a command that was cut off is never ended
    socket.on("data", (bytes: Uint8Array) => {
      if (this.#socket !== socket) return;
      const [next, slips] = step(this.#printer, bytes);
      this.#printer = next;
      this.#slips = [...slips.toReversed(), ...this.#slips].slice(0, SLIPS);
    });
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy();
  }
}
