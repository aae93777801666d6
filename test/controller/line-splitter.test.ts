/** The lines in what a wire delivers, however its bytes are cut. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyLines, lines, stxEtx, type Framing } from "../../controller/serial/framing.js";
import { LineSplitter } from "../../controller/serial/line-splitter.js";

const MAX = 8;
function split(framing: Framing, ...chunks: readonly string[]): readonly string[] {
  const splitter = new LineSplitter(framing, MAX);
  return chunks.flatMap((chunk) =>
    splitter.push(Buffer.from(chunk, "latin1")).map((line) => line.toString("latin1")),
  );
}

// prettier-ignore
const table: readonly [name: string, framing: Framing, chunks: readonly string[], found: readonly string[]][] = [
  ["one line",                                        lines,    ["c,1\n"],              ["c,1"]],
  ["two lines in one breath",                         lines,    ["c,1\nv\n"],           ["c,1", "v"]],
  ["a line in pieces",                                lines,    ["c", "", ",", "1\nv"], ["c,1"]],
  ["a carriage return is a line's own",               lines,    ["c,1\r\n"],            ["c,1\r"]],
  ["unless it ends one, too",                         anyLines, ["a\rb\nc\r", "\nd\r"], ["a", "b", "c", "d"]],
  ["empty lines",                                     lines,    ["\n\nv\n\n"],          ["v"]],
  ["another end",                                     stxEtx,   ["\x0212\x03\x0234\x03"], ["\x0212", "\x0234"]],
  ["as long as it may be",                            lines,    ["12345678\n"],         ["12345678"]],
  ["the beginning of one that is too long",           lines,    ["123456789\nv\n"],     ["12345678", "v"]],
  ["the same in pieces",                              lines,    ["1234567", "89", "0\nv\n"], ["12345678", "v"]],
];
for (const [name, framing, chunks, found] of table)
  test(`${name}: ${JSON.stringify(chunks)}`, () => expect(split(framing, ...chunks)).toEqual(found));

test("it does not matter how the bytes are cut", () => {
  const byte = fc.constantFrom("a", "b", "\r", "\n");
  fc.assert(
    fc.property(fc.array(fc.string({ unit: byte, maxLength: 12 })), (chunks) => {
      for (const framing of [lines, anyLines])
        expect(split(framing, ...chunks)).toEqual(split(framing, chunks.join("")));
    }),
  );
});

test("what is kept of a chunk does not change with the memory that it came in", () => {
  const splitter = new LineSplitter(lines, MAX);
  const bytes = Buffer.from("ab");
  expect(splitter.push(bytes)).toEqual([]);
  bytes.fill("x");
  expect(splitter.push(Buffer.from("c\n")).map(String)).toEqual(["abc"]);
});
