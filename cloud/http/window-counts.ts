/**
 * How often each of many has come within a window of time.
 *
 * Bounded   by COUNTED of them, the one that came longest ago forgotten first.
 */
import { putLast } from "./latest.js";

type Clock = { readonly monoMs: () => number };

const COUNTED = 10_000;

export class WindowCounts {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #counts = new Map<string, { count: number; readonly sinceMs: number }>();

  constructor(clock: Clock, windowMs: number) {
    this.#clock = clock;
    this.#windowMs = windowMs;
  }

  /** Counts one more, and answers how many there were in its window, and how long that still lasts. */
  add(name: string): { readonly count: number; readonly leftMs: number } {
    const nowMs = this.#clock.monoMs();
    const known = this.#counts.get(name);
    const isOver = known === undefined || known.sinceMs + this.#windowMs <= nowMs;
    const counted = isOver ? { count: 0, sinceMs: nowMs } : known;
    counted.count += 1;
    putLast(this.#counts, name, counted, COUNTED);
    return { count: counted.count, leftMs: counted.sinceMs + this.#windowMs - nowMs };
  }
}
