/**
 * The numbers a machine signs its messages with: they only rise, across restarts and without a write a message. Pure.
 *
 * Each MQTT connection gets a block of its own from a durable counter. The block's last number is the last will's: it is
 * signed before anything else, and must still be the newest when the broker publishes it.
 */
export const BLOCK = 2 ** 20;

export class Numbers {
  readonly #end: number;
  #next: number;

  /** `connection` must be one that no earlier connection of this machine had. */
  constructor(connection: number) {
    this.#next = connection * BLOCK;
    this.#end = this.#next + BLOCK - 1;
  }

  get will(): number {
    return this.#end;
  }

  /** `undefined` when the block is used up: it takes a new connection to go on. */
  next(): number | undefined {
    if (this.#next >= this.#end) return undefined;
    this.#next += 1;
    return this.#next - 1;
  }
}
