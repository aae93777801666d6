/**
 * What passes on a DEX/UCS line (ANSI X3.28, as EVA-DTS 6.1.1 uses it): single control characters, the two answers, and
 * blocks. Pure.
 *
 *   ENQ  EOT  NAK  DLE 0  DLE 1        DLE SOH body DLE ETX crc crc        DLE STX body DLE ETB|ETX crc crc
 *
 * The checksum is a CRC-16/ARC over the body and its end, without any DLE and without its beginning, low byte first: so it
 * is in a header that a carrier sends machines in the field. That a DLE in a body is sent twice and counted once is how
 * X3.28 has it; no audit file has one, so it was never seen.
 *
 * Promises  a block is handed on only when its checksum proves it. Decoding never throws, whatever comes.
 * Bounded   a body by `MAX_BODY`.
 */
import { crc16 } from "./crc.js";

const [SOH, STX, ETX, EOT, ENQ, DLE, NAK, ETB] = [0x01, 0x02, 0x03, 0x04, 0x05, 0x10, 0x15, 0x17] as const;
const ACK_0 = 0x30; // after a DLE; of an odd block the digit is 1

export const MAX_BODY = 1_024; // the standard allows 245

export type Parity = 0 | 1;
export type Frame =
  | { readonly kind: "enq" | "eot" | "nak" }
  | { readonly kind: "ack"; readonly parity: Parity }
  | Block
  /** A block that its checksum does not prove, or something that began and never became anything. */
  | { readonly kind: "bad" };
export type Block = {
  readonly kind: "block";
  readonly part: Part;
  readonly body: Uint8Array;
  /** Nothing follows in this transmission. */
  readonly isLast: boolean;
};
export type Part = "header" | "text";

export function encode(frame: Exclude<Frame, { kind: "bad" }>): Uint8Array {
  switch (frame.kind) {
    case "enq":
      return Uint8Array.of(ENQ);
    case "eot":
      return Uint8Array.of(EOT);
    case "nak":
      return Uint8Array.of(NAK);
    case "ack":
      return Uint8Array.of(DLE, ACK_0 + frame.parity);
    case "block": {
      const begin = frame.part === "header" ? SOH : STX;
      const end = frame.isLast ? ETX : ETB;
      const crc = crc16([...frame.body, end]);
      const sent = [...frame.body].flatMap((byte) => (byte === DLE ? [DLE, DLE] : [byte]));
      return Uint8Array.of(DLE, begin, ...sent, DLE, end, crc & 0xff, crc >>> 8);
    }
  }
}

/** What has come and is not yet a whole frame. */
export type Decoder = {
  readonly pending: Uint8Array;
  /** Something came that belongs to no frame: until there is silence only an ENQ or a new block is listened to. */
  readonly isLost: boolean;
};
export const NOTHING_YET: Decoder = { pending: new Uint8Array(), isLost: false };
export const isMidway = ({ pending, isLost }: Decoder): boolean => isLost || pending.length > 0;

export function decode(
  decoder: Decoder,
  bytes: Uint8Array,
): readonly [next: Decoder, frames: readonly Frame[]] {
  const all = Buffer.concat([decoder.pending, bytes]);
  const frames: Frame[] = [];
  let { isLost } = decoder;
  let at = 0;
  for (;;) {
    const read = readFrame(all, at, isLost);
    if (read === "more") return [{ pending: Uint8Array.from(all.subarray(at)), isLost }, frames];
    at = read.next;
    isLost = read.frame === undefined;
    if (read.frame !== undefined) frames.push(read.frame);
  }
}

/** Without a frame: what stood there belongs to none. */
type Read = "more" | { readonly next: number; readonly frame: Frame | undefined };

function readFrame(bytes: Uint8Array, at: number, isLost: boolean): Read {
  const [first, second] = [bytes[at], bytes[at + 1]];
  const one = (frame: Frame): Read => ({ next: at + 1, frame });
  if (first === undefined) return "more";
  if (first === ENQ) return one({ kind: "enq" });
  if (first === EOT && !isLost) return one({ kind: "eot" });
  if (first === NAK && !isLost) return one({ kind: "nak" });
  if (first !== DLE) return { next: at + 1, frame: undefined };
  if (second === undefined) return "more";
  if (second === SOH || second === STX) return readBlock(bytes, at + 2, second === SOH ? "header" : "text");
  if (isLost || (second !== ACK_0 && second !== ACK_0 + 1)) return { next: at + 1, frame: undefined };
  return { next: at + 2, frame: { kind: "ack", parity: second === ACK_0 ? 0 : 1 } };
}

function readBlock(bytes: Uint8Array, from: number, part: Part): Read {
  const body: number[] = [];
  for (let at = from; body.length <= MAX_BODY; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) return "more";
    if (byte !== DLE) {
      body.push(byte);
      continue;
    }
    at += 1;
    const end = bytes[at];
    if (end === undefined) return "more";
    if (end === DLE) {
      body.push(DLE);
      continue;
    }
    if (end !== ETX && end !== ETB) return { next: at, frame: undefined };
    const [low, high] = [bytes[at + 1], bytes[at + 2]];
    if (low === undefined || high === undefined) return "more";
    const isProved = crc16([...body, end]) === low + high * 256;
    const block: Frame = { kind: "block", part, body: Uint8Array.from(body), isLast: end === ETX };
    return { next: at + 3, frame: isProved ? block : { kind: "bad" } };
  }
  return { next: from, frame: undefined };
}
