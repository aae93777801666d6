/**
 * As much of tar (POSIX.1-1988 ustar, and the pax header for a long name) as a release needs: plain files, one after another.
 *
 * Promises  what is read is exactly what is there: another kind of entry (a link, a device, a directory), a wrong checksum, a size
 *           that is no number, an end in the middle or anything after the end is refused.
 * Never     touches a file, or keeps more than one block and what a caller has not yet taken of an entry.
 */
import { BadRelease } from "./bad-release.js";

const BLOCK = 512;
const LONGEST_NAME = 100;
const LONGEST_PAX = 8_192;
const MOST_PADDING = 1_048_576; // after the end: tars pad to 10 KB, some to more

/** The blocks before a file's bytes. */
export function headerOf(path: string, size: number): Buffer {
  if (Buffer.byteLength(path) <= LONGEST_NAME) return block(path, size, "0");
  const record = paxRecord(path);
  return Buffer.concat([block("long-name", record.length, "x"), padded(record), block("file", size, "0")]);
}
/** What fills up the last block after a file's bytes. */
export const paddingAfter = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
export const END = Buffer.alloc(2 * BLOCK);

export type Entry = { readonly path: string; readonly size: number; readonly bytes: AsyncIterable<Buffer> };

/** Entry by entry; each one's bytes must have been taken before the next is asked for. */
export async function* entriesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Entry, void> {
  const reader = new Reader(source);
  let longName: string | undefined;
  for (;;) {
    const head = await reader.take(BLOCK);
    if (head.every((byte) => byte === 0)) break;
    const { path, size, type } = readHeader(head);
    if (type === "x") {
      if (size > LONGEST_PAX) throw new BadRelease("a pax header that is too long");
      longName = readPax(await reader.take(size));
      await reader.take(paddingAfter(size).length);
      continue;
    }
    yield { path: longName ?? path, size, bytes: reader.some(size) };
    await reader.take(paddingAfter(size).length);
    longName = undefined;
  }
  await reader.onlyZeros(MOST_PADDING);
}

function block(path: string, size: number, type: "0" | "x"): Buffer {
  const head = Buffer.alloc(BLOCK);
  head.write(path, 0, "utf8");
  head.write("0000644\0", 100);
  head.write("0000000\0", 108);
  head.write("0000000\0", 116);
  head.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  head.write("00000000000\0", 136); // no times: the same files are the same archive
  head.write("        ", 148);
  head.write(type, 156);
  head.write("ustar\0", 257);
  head.write("00", 263);
  head.write(`${sum(head).toString(8).padStart(6, "0")}\0 `, 148);
  return head;
}

function readHeader(head: Buffer): {
  readonly path: string;
  readonly size: number;
  readonly type: "0" | "x";
} {
  const field = (at: number, length: number): string => {
    const end = head.indexOf(0, at);
    return head.toString("utf8", at, end === -1 || end > at + length ? at + length : end);
  };
  const octal = (at: number, length: number, what: string): number => {
    const text = field(at, length).trim();
    if (!/^[0-7]{1,11}$/.test(text)) throw new BadRelease(`${what} of an entry is no number`);
    return parseInt(text, 8);
  };
  const blank = Buffer.from(head).fill(0x20, 148, 156);
  if (field(257, 5) !== "ustar" || octal(148, 8, "the checksum") !== sum(blank))
    throw new BadRelease("not a tar archive, or a damaged one");
  const prefix = field(345, 155);
  const path = prefix === "" ? field(0, 100) : `${prefix}/${field(0, 100)}`;
  const type = field(156, 1) === "" ? "0" : field(156, 1);
  if (type !== "0" && type !== "x")
    throw new BadRelease(`${path}: only plain files belong here, not type ${type}`);
  return { path, size: octal(124, 12, "the size"), type };
}

/** One record, `{length} path={path}\n`, whose length counts itself. */
function paxRecord(path: string): Buffer {
  const bare = Buffer.byteLength(` path=${path}\n`);
  let length = bare;
  while (length !== bare + String(length).length) length = bare + String(length).length;
  return Buffer.from(`${length} path=${path}\n`);
}

function readPax(record: Buffer): string {
  const [, path] = /^[0-9]+ path=([^\n]+)\n$/.exec(record.toString("utf8")) ?? [];
  if (path === undefined) throw new BadRelease("a pax header says something else than a name");
  return path;
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, paddingAfter(bytes.length)]);
const sum = (bytes: Buffer): number => bytes.reduce((total, byte) => total + byte, 0);

class Reader {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly so many bytes. */
  async take(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.some(count)) parts.push(part);
    return Buffer.concat(parts);
  }

  /** The same as they come. */
  async *some(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0;) {
      if (this.#held.length === 0 && !(await this.#more()))
        throw new BadRelease("the archive ends in the middle");
      const part = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async onlyZeros(most: number): Promise<void> {
    let seen = 0;
    do {
      seen += this.#held.length;
      if (seen > most || this.#held.some((byte) => byte !== 0))
        throw new BadRelease("something follows the end of the archive");
      this.#held = Buffer.alloc(0);
    } while (await this.#more());
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    this.#held = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    return true;
  }
}
