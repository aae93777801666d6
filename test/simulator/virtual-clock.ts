/** A clock that stands still until a test moves it. */
import type { Clock } from "../../broker/protocol/clock.js";

export class VirtualClock implements Clock {
  #ms = 0;
  #timers: { readonly dueMs: number; readonly act: () => void }[] = [];

  nowMs(): number {
    return Date.UTC(2026, 0, 1) + this.#ms;
  }

  monoMs(): number {
    return this.#ms;
  }

  after(ms: number, act: () => void): () => void {
    const timer = { dueMs: this.#ms + ms, act };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** How many timers are set. */
  get waiting(): number {
    return this.#timers.length;
  }

  advance(ms: number): void {
    const endMs = this.#ms + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#ms = next.dueMs;
      next.act();
    }
    this.#ms = endMs;
  }
}
