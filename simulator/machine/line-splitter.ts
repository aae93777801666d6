/**
 * Bytes to lines, however they are cut: ended by `\n`, `\r` or both. Pure.
 *
 * Bounded   a line longer than `limit` characters is dropped whole, up to its end.
 */
export class LineSplitter {
  readonly #limit: number;
  readonly #decoder = new TextDecoder("utf-8");
  #partial = "";
  #overlong = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines these bytes complete. The empty ones are kept: `\r\n` makes one, and nobody minds. */
  push(bytes: Uint8Array): readonly string[] {
    const [first = "", ...rest] = this.#decoder.decode(bytes, { stream: true }).split(/[\r\n]/);
    const lines: string[] = [];
    this.#partial += first;
    for (const next of rest) {
      if (!this.#overlong && this.#partial.length <= this.#limit) lines.push(this.#partial);
      this.#overlong = false;
      this.#partial = next;
    }
    if (this.#partial.length > this.#limit) {
      this.#overlong = true;
      this.#partial = "";
    }
    return lines;
  }
}
