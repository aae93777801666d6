/**
 * What one machine was seen to do: its serial lines, its messages on the bus, its journal, its motors, its process.
 *
 * Owns      the numbers: each entry has the next one, so a reader can say how far it has read.
 * Bounded   by `CAPACITY` entries; the oldest go. A follower reads from the same ring, so a slow one costs nothing and
 *           misses what went before it came back.
 */
import type { Clock } from "../../broker/protocol/clock.js";

const CAPACITY = 1_000;

export type Happening =
  | { readonly kind: "serial"; readonly dir: "toMachine" | "toController"; readonly line: string }
  | {
      readonly kind: "mqtt";
      readonly dir: "up" | "down";
      readonly topic: string;
      /** Null when the payload is not the envelope of ours. Nothing here has been verified. */
      readonly n: number | null;
      readonly body: unknown;
      readonly fate: "passed" | "dropped" | "duplicated";
    }
  | { readonly kind: "journal"; readonly entry: unknown }
  | { readonly kind: "machine"; readonly what: string; readonly detail: unknown }
  | { readonly kind: "process"; readonly what: string; readonly detail: unknown };
export type TraceEntry = { readonly seq: number; readonly at: string; readonly machine: string } & Happening;

export class Trace {
  readonly #machine: string;
  readonly #clock: Clock;
  readonly #ring: TraceEntry[] = [];
  #seq = 0;
  #wake: (() => void)[] = [];

  constructor(machine: string, clock: Clock) {
    this.#machine = machine;
    this.#clock = clock;
  }

  add(happening: Happening): void {
    this.#seq += 1;
    const at = new Date(this.#clock.nowMs()).toISOString();
    this.#ring.push({ seq: this.#seq, at, machine: this.#machine, ...happening });
    if (this.#ring.length > CAPACITY) this.#ring.shift();
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  /** Everything kept after entry number `since`, then everything that comes, until the signal. */
  async *follow(since: number, signal: AbortSignal): AsyncGenerator<TraceEntry, void, undefined> {
    let read = since > this.#seq ? 0 : since; // a number from an earlier process means nothing here
    while (!signal.aborted) {
      const next = this.#after(read);
      if (next === undefined) {
        await this.#changed(signal);
      } else {
        read = next.seq;
        yield next;
      }
    }
  }

  #after(seq: number): TraceEntry | undefined {
    const oldest = this.#ring[0];
    return oldest === undefined ? undefined : this.#ring[Math.max(0, seq + 1 - oldest.seq)];
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", forget);
        resolve();
      };
      const forget = (): void => {
        this.#wake = this.#wake.filter((one) => one !== wake);
        resolve();
      };
      signal.addEventListener("abort", forget, { once: true });
      this.#wake.push(wake);
    });
  }
}
