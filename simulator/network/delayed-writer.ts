/**
 * One way of a slow connection: what goes in comes out after a while, in the order it went in.
 *
 * Promises  an end that is written comes out after everything before it, as on a real wire.
 * Bounded   `full` once `CAPACITY` chunks wait or the sink does not take more; whoever writes then stops reading.
 */
import type { Writable } from "node:stream";
import type { Clock } from "../../broker/protocol/clock.js";

const CAPACITY = 256;
const END = Symbol("end");

export class DelayedWriter {
  readonly #sink: Writable;
  readonly #clock: Clock;
  readonly #onRoom: () => void;
  #waiting: { readonly chunk: Uint8Array | typeof END; readonly dueMs: number }[] = [];
  #lastDueMs = 0;
  #stopTimer: () => void = () => undefined;

  /** `onRoom` is called when it may no longer be `full`. */
  constructor(sink: Writable, clock: Clock, onRoom: () => void) {
    this.#sink = sink;
    this.#clock = clock;
    this.#onRoom = onRoom;
    sink.on("drain", onRoom);
  }

  get full(): boolean {
    return this.#waiting.length >= CAPACITY || this.#sink.writableNeedDrain;
  }

  write(chunk: Uint8Array, delayMs: number): void {
    this.#push(chunk, delayMs);
  }

  end(delayMs: number): void {
    this.#push(END, delayMs);
  }

  /** Forgets what waits and ends the sink now. */
  cut(): void {
    this.#stopTimer();
    this.#waiting = [];
    this.#sink.destroy();
  }

  #push(chunk: Uint8Array | typeof END, delayMs: number): void {
    if (this.#sink.destroyed) return;
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#clock.monoMs() + delayMs);
    this.#waiting.push({ chunk, dueMs: this.#lastDueMs });
    if (this.#waiting.length === 1) this.#release();
  }

  #release(): void {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      const leftMs = next.dueMs - this.#clock.monoMs();
      if (leftMs > 0) {
        this.#stopTimer = this.#clock.after(leftMs, () => {
          this.#release();
          this.#onRoom();
        });
        return;
      }
      this.#waiting.shift();
      if (next.chunk === END) this.#sink.end();
      else if (this.#sink.writable) this.#sink.write(next.chunk);
    }
  }
}
