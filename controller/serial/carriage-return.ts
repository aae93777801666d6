/** Makes every carriage return a newline, for devices that end their lines with CR, LF or both: an empty line more is nothing. */
import { Transform, type TransformCallback } from "node:stream";

const CARRIAGE_RETURN = 0x0d;
const NEWLINE = 0x0a;

export class CarriageReturn extends Transform {
  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done(null, Buffer.from(chunk.map((byte) => (byte === CARRIAGE_RETURN ? NEWLINE : byte))));
  }
}
