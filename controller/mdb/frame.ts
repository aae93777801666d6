/**
 * The blocks of the MDB bus: address and data bytes, closed by their sum; and the lone bytes that answer them. Pure.
 * MDB/ICP 4.2, sections 2 and 3.
 *
 * Promises  `openBlock` answers with the bytes or with what is wrong with them; it never throws.
 * Never     knows what a block means: that is the codec's.
 */
export const MAX_BLOCK = 36; // with CHK, both directions

export const ACK = 0x00;
export const NAK = 0xff;
export const RET = 0xaa; // "say that again", only from the machine

export type Fault =
  | { readonly kind: "tooShort"; readonly bytes: number }
  | { readonly kind: "tooLong"; readonly bytes: number }
  | { readonly kind: "checksum"; readonly expected: number; readonly got: number }
  | { readonly kind: "unknownAddress"; readonly address: number }
  | {
      readonly kind: "wrongLength";
      readonly message: string;
      readonly expected: readonly number[];
      readonly got: number;
    };
export type Bad = { readonly ok: false; readonly fault: Fault };
export type Opened = { readonly ok: true; readonly body: Uint8Array } | Bad;

/** What a block says, its CHK proved and taken off. */
export function openBlock(block: Uint8Array): Opened {
  if (block.length < 2) return bad({ kind: "tooShort", bytes: block.length });
  if (block.length > MAX_BLOCK) return bad({ kind: "tooLong", bytes: block.length });
  const body = block.subarray(0, -1);
  const expected = sumOf(body);
  const got = block[body.length] ?? 0; // length >= 2: it is there
  return expected === got ? { ok: true, body } : bad({ kind: "checksum", expected, got });
}

/** A body with its CHK. Only our own bug can ask for one that no block holds. */
export function closeBlock(body: Uint8Array): Uint8Array {
  if (body.length === 0 || body.length >= MAX_BLOCK)
    throw new RangeError(`${body.length} bytes make no block: 1 to ${MAX_BLOCK - 1} and CHK`);
  return Uint8Array.from([...body, sumOf(body)]);
}

export const bad = (fault: Fault): Bad => ({ ok: false, fault });

const sumOf = (body: Uint8Array): number => body.reduce((total, byte) => (total + byte) & 0xff, 0);
