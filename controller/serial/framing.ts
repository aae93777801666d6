/** Where one line of an adapter ends and the next begins: text in the middle of the controller, bytes on the wire. */
const [STX, ETX, NEWLINE] = [0x02, 0x03, 0x0a];

export interface Framing {
  readonly end: number; // the byte that ends a line from the adapter
  /** A carriage return ends a line as well. */
  readonly carriageReturnEnds?: boolean;
  /** What stood before one end, as a line. */
  read(bytes: Buffer): string;
  write(text: string): Uint8Array;
}

/** Text lines, either way. */
export const lines: Framing = {
  end: NEWLINE,
  read: (bytes) => bytes.toString("latin1").trim(),
  write: (text) => Buffer.from(`${text}\n`, "latin1"),
};

/** The same to an adapter that takes a carriage return for the end of a command. */
export const carriageReturns: Framing = { ...lines, write: (text) => Buffer.from(`${text}\r`, "latin1") };

/** The same from a device that ends its lines as it likes: with CR, LF or both. */
export const anyLines: Framing = { ...lines, carriageReturnEnds: true };

/** Lines in; what is written goes out byte for byte. */
export const bytesOut: Framing = { ...anyLines, write: (text) => Buffer.from(text, "latin1") };

/** Hex in, between STX and ETX; the bytes themselves out (reference/mdb.md, 2.2: WAFER). */
export const stxEtx: Framing = {
  end: ETX,
  read: (bytes) => bytes.toString("latin1", bytes.lastIndexOf(STX) + 1).trim(),
  write: (text) => Buffer.from(text, "hex"),
};
