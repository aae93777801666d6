/**
 * Writers that came one after the other and must be served so: one of a name at a time, in the order they came.
 *
 * Bounded   by `maxWaiting` over all names; the next is turned away with StoreBusy.
 * Never     keeps other processes from anything: this is order, and not safety.
 */
import { StoreBusy } from "./store.js";

export class InOrder {
  readonly #maxWaiting: number;
  readonly #last = new Map<string, Promise<void>>();
  #waiting = 0;

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  async run<T>(name: string, act: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#maxWaiting) throw new StoreBusy("too many writers are waiting");
    this.#waiting += 1;
    let leave: () => void = () => undefined;
    const mine = new Promise<void>((resolve) => (leave = resolve));
    const before = this.#last.get(name);
    this.#last.set(name, mine);
    try {
      await before;
      return await act();
    } finally {
      this.#waiting -= 1;
      if (this.#last.get(name) === mine) this.#last.delete(name);
      leave();
    }
  }

  /** Resolves when nobody waits. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}
