/** How an adapter's lines are told apart on its wire, seen from the adapter. Pure. */
import { LineSplitter } from "./line-splitter.js";

const LINE_LIMIT = 256;

export type LineFraming = {
  /** What stands around a line to the controller. */
  readonly before: string;
  readonly after: string;
  /** Told a connection's bytes, it gives the lines they complete. */
  readonly splitter: () => { push(bytes: Uint8Array): readonly string[] };
};

export const inLines: LineFraming = {
  before: "",
  after: "\r\n",
  splitter: () => new LineSplitter(LINE_LIMIT),
};

/** A block comes as its bytes, all at once; a line goes out between STX and ETX. */
export const stxEtx: LineFraming = {
  before: "\u0002",
  after: "\u0003",
  splitter: () => ({ push: (bytes) => [Buffer.from(bytes).toString("hex").toUpperCase()] }),
};
