/** Bytes to lines: however they are cut, whatever ends them, and never more than the bound. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { LineSplitter } from "../../simulator/machine/line-splitter.js";

const bytes = (text: string): Uint8Array => Buffer.from(text);

for (const end of ["\n", "\r", "\r\n"]) {
  test(`a line may end with ${JSON.stringify(end)}`, () => {
    const lines = new LineSplitter(16).push(bytes(`C,0${end}C,1${end}C,ST`));
    expect(lines.filter((line) => line !== "")).toEqual(["C,0", "C,1"]);
  });
}

test("an overlong line is dropped whole, and the next one is read", () => {
  const splitter = new LineSplitter(8);
  expect(splitter.push(bytes("123456789"))).toEqual([]);
  expect(splitter.push(bytes("abc\nC,1\n1234"))).toEqual(["C,1"]);
  expect(splitter.push(bytes("56789\nC,0\n"))).toEqual(["C,0"]);
});

test("how the bytes are cut changes nothing", () => {
  const line = fc.stringMatching(/^[A-Za-z0-9,. é]{1,12}$/);
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(line), sizes, (lines, cuts) => {
      const all = bytes(lines.map((one) => `${one}\n`).join(""));
      const splitter = new LineSplitter(16);
      const read: string[] = [];
      for (let at = 0, turn = 0; at < all.length; turn += 1) {
        const size = cuts[turn % cuts.length] ?? 1;
        read.push(...splitter.push(all.subarray(at, at + size)));
        at += size;
      }
      expect(read).toEqual(lines);
    }),
  );
});
