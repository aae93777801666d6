/** Keeps a line from growing without end: a stream in which no more than `maxBytes` pass between two of its ends. */
import { Transform, type TransformCallback } from "node:stream";

export class LineLimit extends Transform {
  readonly #maxBytes: number;
  readonly #end: number;
  #length = 0;

  constructor(maxBytes: number, end: number) {
    super();
    this.#maxBytes = maxBytes;
    this.#end = end;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const kept = chunk.filter((byte) => {
      this.#length = byte === this.#end ? 0 : this.#length + 1;
      return this.#length <= this.#maxBytes;
    });
    done(null, Buffer.from(kept.buffer, kept.byteOffset, kept.length));
  }
}
