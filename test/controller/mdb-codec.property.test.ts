/** Whatever the table can say is read back as it was said; whatever bytes come, a fault is the worst that comes of them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeCommand,
  decodeResponses,
  describeMessages,
  encode,
  type Command,
  type Response,
} from "../../controller/mdb/codec.js";
import { closeBlock, MAX_BLOCK } from "../../controller/mdb/frame.js";
import { hexOf, type Context } from "../../controller/mdb/widths.js";

const contexts: readonly Context[] = [{ level: 1 }, { level: 2 }, { level: 3 }, { level: 3, expanded: true }];
const anyContext = fc.option(fc.constantFrom(...contexts), { nil: undefined });

/** A block of the table's layouts, filled with any bytes: its head, then as many bytes as some context takes. */
const heads = (from: "machine" | "reader"): fc.Arbitrary<Uint8Array> => {
  const bytes = fc.uint8Array({ maxLength: MAX_BLOCK - 1, minLength: 1 });
  const lead =
    from === "machine"
      ? fc.tuple(
          fc.oneof(fc.integer({ min: 0x10, max: 0x17 }), fc.integer({ min: 0x60, max: 0x67 })),
          fc.oneof(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0xfa, max: 0xff })),
        )
      : fc.tuple(fc.oneof(fc.integer({ min: 0, max: 0x1f }), fc.constant(0xff)));
  return fc
    .tuple(lead, bytes)
    .map(([head, tail]) => Uint8Array.from([...head, ...tail].slice(0, MAX_BLOCK - 1)));
};

for (const context of contexts)
  test(`at level ${context.level}${context.expanded === true ? ", expanded" : ""}, encoding undoes decoding`, () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(heads("machine"), (body) => {
        const block = closeBlock(body);
        const decoded = decodeCommand(block, context);
        if (!decoded.ok || !("device" in decoded.command)) return;
        seen.add(decoded.command.kind);
        expect(hexOf(encode(decoded.command, context))).toBe(hexOf(block));
      }),
      { numRuns: 3_000 },
    );
    fc.assert(
      fc.property(heads("reader"), (body) => {
        const block = closeBlock(body);
        const decoded = decodeResponses(block, context);
        if (!decoded.ok) return;
        const bodies = decoded.responses.map((response) => {
          seen.add(response.kind);
          return hexOf(encode(response as Response, context)).slice(0, -2); // a block of two bytes or more is no signal
        });
        expect(bodies.join("")).toBe(hexOf(body));
      }),
      { numRuns: 3_000 },
    );
    expect(seen.size).toBeGreaterThan(15);
  });

/** A value for a field, from what the table says it may be. */
function valueFor(may: string): fc.Arbitrary<number | string | readonly string[]> {
  const most = /^a number, 0 to (\d+)$/.exec(may)?.[1];
  if (most !== undefined)
    return fc.oneof(fc.constantFrom(0, Number(most)), fc.integer({ min: 0, max: Number(most) }));
  const digits = /^(\d+) digits/.exec(may)?.[1];
  if (digits !== undefined)
    return fc.string({
      unit: fc.constantFrom(...Array.from("0123456789ABCDEF")),
      minLength: Number(digits),
      maxLength: Number(digits),
    });
  const latin = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
  const exactly = /^exactly (\d+) characters/.exec(may)?.[1];
  if (exactly !== undefined)
    return fc.string({ unit: latin, minLength: Number(exactly), maxLength: Number(exactly) });
  const upTo = /^up to (\d+) characters/.exec(may)?.[1];
  if (upTo !== undefined) return fc.string({ unit: latin, maxLength: Number(upTo) });
  if (may.includes("bytes in hex")) return fc.uint8Array({ maxLength: 28 }).map(hexOf);
  const names = /^any of (.*), or bit0 to bit(\d+)$/.exec(may);
  if (names?.[1] === undefined) throw new Error(`no value is known for: ${may}`);
  return fc.subarray(names[1].split(", ")); // in the order of their bits
}

/** When a field that is not always there is there, by the words for it. */
const presence: Readonly<Record<string, (context: Context) => fc.Arbitrary<boolean>>> = {
  "": () => fc.constant(true),
  "at level 2 and 3": ({ level }) => fc.constant(level >= 2),
  "at level 3": ({ level }) => fc.constant(level === 3),
  "in expanded mode": ({ expanded }) => fc.constant(expanded === true),
  "now and then": () => fc.boolean(),
};
for (const context of contexts)
  for (const { kind, from, fields } of describeMessages(context))
    test(`any ${kind} at level ${context.level}${context.expanded === true ? ", expanded" : ""} is read as it was said`, () => {
      const entries = fields.map(({ name, when, may }) => {
        const there = presence[when]?.(context);
        if (there === undefined) throw new Error(`when is ${when}?`);
        // An unknown code is one that no other row has.
        const value = name === "code" ? fc.constantFrom(from === "machine" ? 0x16 : 0x14) : valueFor(may);
        return fc.tuple(there, value).map(([isThere, one]) => (isThere ? [[name, one] as const] : []));
      });
      fc.assert(
        fc.property(fc.tuple(...entries), fc.constantFrom(1, 2), (pairs, device) => {
          const message = {
            kind,
            ...(from === "machine" ? { device } : {}),
            ...Object.fromEntries(pairs.flat()),
          };
          const block = encode(message as Command | Response, context); // made as the table describes it
          expect(block.length).toBeLessThanOrEqual(MAX_BLOCK);
          const back = from === "machine" ? decodeCommand(block, context) : decodeResponses(block, context);
          expect(back).toEqual(
            from === "machine" ? { ok: true, command: message } : { ok: true, responses: [message] },
          );
        }),
      );
    });

test("whatever bytes come, there is an answer, and a fault is the worst of it", () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  const blocks = fc.oneof(
    bytes,
    bytes.filter(({ length }) => length > 0 && length < MAX_BLOCK).map(closeBlock),
    heads("machine").map(closeBlock),
    heads("reader").map(closeBlock),
  );
  fc.assert(
    fc.property(blocks, anyContext, (block, context) => {
      for (const decoded of [decodeCommand(block, context), decodeResponses(block, context)])
        if (!decoded.ok) expect(Object.keys(decoded.fault)).toContain("kind");
    }),
    { numRuns: 5_000 },
  );
});
