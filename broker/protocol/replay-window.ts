/**
 * Which numbers of one sender have been heard: each is let through once.
 *
 * A sender's numbers only rise, but two of its connections (or two cloud processes) may overtake each other on the way,
 * so the last `WIDTH` numbers are remembered one by one and everything below them is old (the anti-replay window of
 * RFC 4303, 3.4.3). Bounded by `WIDTH`. A restart keeps the highest number and forgets which below it were heard: within the
 * window each is let through once more, because the honest ones of another process are among them. What may hear an old
 * message again must know it by what it says (docs/decisions/0002).
 */
const WIDTH = 65_536;

export class ReplayWindow {
  #highest: number;
  #floor: number;
  readonly #seen = new Set<number>();

  /** `highest`: the highest number heard before a restart. */
  constructor(highest = -1) {
    this.#highest = highest;
    this.#floor = Math.max(-1, highest - WIDTH);
    this.#seen.add(highest);
  }

  /** The highest number let through so far, before a restart too. */
  get highest(): number {
    return this.#highest;
  }

  /** True the first time a number is shown, false for a replay and for anything older than the window. */
  admit(n: number): boolean {
    if (n <= this.#floor || this.#seen.has(n)) return false;
    this.#seen.add(n);
    if (n > this.#highest) this.#highest = n;
    if (this.#highest - this.#floor > 2 * WIDTH) this.#slide();
    return true;
  }

  #slide(): void {
    this.#floor = Math.max(this.#floor, this.#highest - WIDTH);
    for (const n of this.#seen) if (n <= this.#floor) this.#seen.delete(n);
  }
}
