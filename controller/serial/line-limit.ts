/** Keeps a line from growing without end: a stream in which no more than `maxBytes` pass between two newlines. */
import { Transform, type TransformCallback } from "node:stream";

const NEWLINE = 0x0a;

export class LineLimit extends Transform {
  readonly #maxBytes: number;
  #length = 0;

  constructor(maxBytes: number) {
    super();
    this.#maxBytes = maxBytes;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const kept = chunk.filter((byte) => {
      this.#length = byte === NEWLINE ? 0 : this.#length + 1;
      return this.#length <= this.#maxBytes;
    });
    done(null, Buffer.from(kept.buffer, kept.byteOffset, kept.length));
  }
}
