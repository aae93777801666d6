/**
 * Bytes to lines, however they are cut. Pure.
 *
 * Bounded   of a line that grows without end the first `maxBytes` are kept, and the rest is dropped up to its end.
 *
 * Why not a chain of streams: the machine waits while each hands its line on to the next, and again while they come to rest.
 */
import type { Framing } from "./framing.js";

const CARRIAGE_RETURN = 0x0d;
const NOTHING = Buffer.alloc(0);

export class LineSplitter {
  readonly #end: number;
  readonly #alsoEnd: number;
  readonly #maxBytes: number;
  #begun: Buffer = NOTHING;

  constructor({ end, carriageReturnEnds }: Framing, maxBytes: number) {
    this.#end = end;
    this.#alsoEnd = carriageReturnEnds === true ? CARRIAGE_RETURN : end;
    this.#maxBytes = maxBytes;
  }

  /** The lines these bytes complete, without their ends; the empty ones are left out. */
  push(bytes: Buffer): readonly Buffer[] {
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      if (bytes[at] !== this.#end && bytes[at] !== this.#alsoEnd) continue;
      const line = this.#withBegun(bytes.subarray(from, at));
      if (line.length > 0) lines.push(line);
      this.#begun = NOTHING;
      from = at + 1;
    }
    if (from < bytes.length) this.#begun = this.#withBegun(bytes.subarray(from));
    return lines;
  }

  /** A copy: the bytes themselves belong to the stream that they came from. */
  #withBegun(more: Buffer): Buffer {
    return Buffer.concat([this.#begun, more.subarray(0, this.#maxBytes - this.#begun.length)]);
  }
}
