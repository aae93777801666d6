/**
 * How often each kind of thing has gone wrong, and when to say so: the first time, and then at every power of two, so that a flood
 * cannot fill a log. Pure.
 *
 * Bounded by how many kinds there are: they must not be a stranger's to choose.
 */
export class Tally {
  readonly #counts = new Map<string, number>();

  /** Counts one more. Answers how many there were if that is to be said aloud. */
  count(kind: string): number | undefined {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return isPowerOfTwo(count) ? count : undefined;
  }

  /** It goes well again. */
  clear(kind: string): void {
    this.#counts.delete(kind);
  }
}

/** When what comes again and again is said: the first time, and then ever more seldom. */
export const isPowerOfTwo = (count: number): boolean => (count & (count - 1)) === 0;
