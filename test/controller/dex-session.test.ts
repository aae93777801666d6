/** The DEX/UCS line: its frames against a header that a carrier in the field sends, and whole conversations on every kind of line. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checksum, parseAudit } from "../../controller/dex/audit.js";
import { decode, encode, MAX_BODY, NOTHING_YET, type Frame } from "../../controller/dex/frame.js";
import {
  beginListening,
  beginReading,
  dueMs,
  MAX_FILE,
  step,
  type Effect,
  type Session,
  type Why,
} from "../../controller/dex/session.js";
import { chance } from "../chance.js";
import { converse } from "./dex-line.js";

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const text = (value: string): Uint8Array => Buffer.from(value, "latin1");

// Seen in the field; the others worked by hand from the characters.
// prettier-ignore
const golden: readonly [name: string, hex: string, frame: Exclude<Frame, { kind: "bad" }>][] = [
  ["ENQ",      "05",    { kind: "enq" }],
  ["EOT",      "04",    { kind: "eot" }],
  ["NAK",      "15",    { kind: "nak" }],
  ["DLE 0",    "10 30", { kind: "ack", parity: 0 }],
  ["DLE 1",    "10 31", { kind: "ack", parity: 1 }],
  ["a header", "10 01 36 31 35 30 32 31 30 30 30 30 52 52 30 31 4c 30 31 10 03 1a 6d",
    { kind: "block", part: "header", isLast: true, body: text("6150210000RR01L01") }],
];
for (const [name, hex, frame] of golden) {
  test(`encodes ${name}`, () => expect(Buffer.from(encode(frame))).toEqual(bytes(hex)));
  test(`decodes ${name}, and byte by byte`, () => {
    const expected = frame.kind === "block" ? { ...frame, body: Uint8Array.from(frame.body) } : frame;
    expect(decode(NOTHING_YET, bytes(hex))[1]).toEqual([expected]);
    let decoder = NOTHING_YET;
    const frames: Frame[] = [];
    for (const byte of bytes(hex)) {
      const [next, more] = decode(decoder, Uint8Array.of(byte));
      decoder = next;
      frames.push(...more);
    }
    expect(frames).toEqual([expected]);
  });
}

test("any body goes through, a DLE in it too; with any one byte changed it does not", () => {
  const body = fc.uint8Array({ maxLength: 300 });
  const end = fc.boolean();
  fc.assert(
    fc.property(body, end, fc.nat(), fc.integer({ min: 1, max: 255 }), (said, isLast, place, change) => {
      const block = { kind: "block", part: "text", body: said, isLast } as const;
      const sent = encode(block);
      expect(decode(NOTHING_YET, sent)[1]).toEqual([{ ...block, body: Uint8Array.from(said) }]);
      const at = place % sent.length;
      const changed = Uint8Array.from(sent, (byte, index) => (index === at ? byte ^ change : byte));
      for (const frame of decode(NOTHING_YET, changed)[1])
        if (frame.kind === "block") expect({ part: frame.part, at }).toEqual({ part: "header", at: 1 });
    }),
  );
});

test("a body without end is given up, and the next block is read", () => {
  const endless = Buffer.concat([bytes("10 02"), Buffer.alloc(MAX_BODY + 10, "x")]);
  const next = encode({ kind: "block", part: "text", body: text("ID1"), isLast: true });
  const [, frames] = decode(NOTHING_YET, Buffer.concat([endless, next]));
  expect(frames).toEqual([{ kind: "block", part: "text", isLast: true, body: Uint8Array.from(text("ID1")) }]);
});

/** A proper audit of about this length. */
function auditOf(length: number): Uint8Array {
  const lines = ["ST*001*0001", "ID1*123"];
  while (lines.join("\r\n").length < length) lines.push(`PA1*${lines.length}*150*item`, "PA2*3*450*3*450");
  const body = [...lines, `G85*${checksum(lines)}`, `SE*${lines.length + 1}*0001`, "DXE*1*1", ""];
  return text(["DXS*MACHINE001*VA*V1/1*1", ...body].join("\r\n"));
}

for (const name of ["dex-before.txt", "dex-after.txt"])
  test(`${name} is read over a good line, byte for byte`, () => {
    const file = readFileSync(new URL(name, import.meta.url));
    expect(converse(file, (sent) => [sent])).toEqual({ kind: "done", file, tookMs: 0 });
  });

test("an audit of any length is read, however the line cuts it up", () => {
  fc.assert(
    fc.property(fc.nat(5_000), fc.integer({ min: 1, max: 300 }), (length, piece) => {
      const file = Buffer.from(auditOf(length));
      const read = converse(file, (sent) =>
        Array.from({ length: Math.ceil(sent.length / piece) }, (_, at) =>
          sent.subarray(at * piece, (at + 1) * piece),
        ),
      );
      expect(read).toEqual({ kind: "done", file, tookMs: 0 });
    }),
    { numRuns: 50 },
  );
});

test("every one frame lost, either way, is made good", () => {
  const file = Buffer.from(auditOf(1_000));
  let frames = 0;
  converse(file, (sent) => ((frames += 1), [sent]));
  for (let lost = 0; lost < frames; lost += 1) {
    let at = -1;
    const read = converse(file, (sent) => ((at += 1) === lost ? [] : [sent]));
    // The end of the machine's own introduction is all that nobody asks for again: the reading ends, and begins anew another time.
    if (read.kind === "failed") expect(lost, read.why).toBe(9);
    else expect(Buffer.from(read.file)).toEqual(file);
  }
  expect(frames).toBeGreaterThan(15);
});

test("a line that loses, damages, doubles and invents bytes: the very file, or a word for why not", () => {
  let read = 0;
  fc.assert(
    fc.property(
      fc.integer(),
      fc.nat(3_000),
      fc.double({ min: 0, max: 0.02, noNaN: true }),
      (seed, length, rate) => {
        const next = chance(seed);
        const file = auditOf(length);
        const ending = converse(file, (sent) => [
          Uint8Array.from(
            [...sent].flatMap((byte) => {
              if (next() >= rate) return [byte];
              const kind = Math.floor(next() * 4);
              const other = Math.floor(next() * 256);
              return kind === 0 ? [] : kind === 1 ? [other] : kind === 2 ? [byte, byte] : [byte, other];
            }),
          ),
        ]);
        if (ending.kind === "failed") return;
        read += 1;
        // One in 65 536 damaged blocks passes its checksum; the file's own then has to fail as well.
        if (parseAudit(ending.file).ok) expect(Buffer.from(ending.file)).toEqual(Buffer.from(file));
      },
    ),
    { numRuns: 300 },
  );
  expect(read).toBeGreaterThan(30);
});

test("arbitrary bytes at any time end a conversation of either side, and never in a file from nowhere", () => {
  const event = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(...["05", "04", "15", "10 30", "10 31", "10 01", "10 02", "10 03", "10 17"].map(bytes)),
    fc.constant(encode({ kind: "block", part: "header", body: text("00MACHINE001R01L01"), isLast: true })),
    fc.constant(encode({ kind: "block", part: "text", body: text("ST*001*0001\r\n"), isLast: false })),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(event, fc.nat(3_000)), { maxLength: 60 }), (events) => {
      for (const begin of [beginReading, beginListening]) {
        let [session]: readonly [Session, readonly Effect[]] = begin(0);
        const all: Effect[] = [];
        let nowMs = 0;
        const happen = (next: Parameters<typeof step>[1]): void => {
          const [after, effects] = step(session, next);
          session = after;
          all.push(...effects);
        };
        for (const [said, waitMs] of events) {
          nowMs += waitMs;
          happen({ kind: "tick", nowMs });
          happen({ kind: "bytes", bytes: said, nowMs });
        }
        for (let due = dueMs(session); due !== undefined; due = dueMs(session)) {
          expect(due).toBeGreaterThanOrEqual(0);
          nowMs = Math.max(nowMs, due);
          happen({ kind: "tick", nowMs });
        }
        const endings = all.filter(({ kind }) => kind !== "send");
        expect(endings.length).toBeLessThanOrEqual(1);
        if (begin === beginReading) expect(endings.length).toBe(1);
      }
    }),
    { numRuns: 500 },
  );
});

/** What a machine that goes wrong says, answer by answer, to whatever the reader says. */
const ended = (answers: readonly string[], within = 400): Why | "done" => {
  let [session, effects] = beginReading(0);
  let nowMs = 0;
  let at = 0;
  for (let turn = 0; turn < within; turn += 1) {
    const over = effects.find((effect) => effect.kind !== "send");
    if (over !== undefined) return over.kind === "failed" ? over.why : "done";
    const isAsked = effects.length > 0 && at < answers.length;
    nowMs = isAsked ? nowMs : Math.max(nowMs, dueMs(session) ?? nowMs);
    [session, effects] = isAsked
      ? step(session, { kind: "bytes", bytes: bytes(answers[at++] ?? ""), nowMs })
      : step(session, { kind: "tick", nowMs });
  }
  throw new Error("it does not end");
};
const hex = (frame: Exclude<Frame, { kind: "bad" }>): string => Buffer.from(encode(frame)).toString("hex");
const header = (value: string): string =>
  hex({ kind: "block", part: "header", body: text(value), isLast: true });
const damaged = hex({ kind: "block", part: "text", body: text("x"), isLast: true }).replace(/78/, "79");
const introduced = ["10 30", "10 31 05", header("00MACHINE001R01L01"), "04 05"];
// prettier-ignore
const endings: readonly [name: string, answers: readonly string[], why: Why][] = [
  ["nobody is there",                        [],                                               "noAnswer"],
  ["our name is refused again and again",    ["10 30", ...Array.from({ length: 9 }, () => "15")], "notTaken"],
  ["it hangs up on our name",                ["10 30", "04"],                                  "refused"],
  ["it says no",                             ["10 30", "10 31 05", header("01MACHINE001R01L01")], "refused"],
  ["it goes silent after its name",          ["10 30", "10 31 05", header("00MACHINE001R01L01"), "04"], "silent"],
  ["it ends in the middle",                  [...introduced, hex({ kind: "block", part: "text", body: text("ST"), isLast: false }), "04"], "cutShort"],
  ["its blocks are never right",             [...introduced, ...Array.from({ length: 9 }, () => damaged)], "badBlocks"],
  ["it never stops",                         [...introduced, ...Array.from({ length: 300 }, () => hex({ kind: "block", part: "text", body: Buffer.alloc(MAX_FILE / 256, "x"), isLast: false }))], "tooLong"],
];
for (const [name, answers, why] of endings) test(`${name}: ${why}`, () => expect(ended(answers)).toBe(why));
