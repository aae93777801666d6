/** The simulated receipt printer: what comes out for bytes worked from the ESC/POS command reference, in whatever pieces. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { escpos } from "../../controller/terminal/escpos.js";
import { newPrinter, step, type Slip } from "../../simulator/machine/escpos.js";

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
function printed(...pieces: readonly Uint8Array[]): {
  readonly slips: readonly Slip[];
  readonly unknown: number;
} {
  let printer = newPrinter;
  const slips: Slip[] = [];
  for (const piece of pieces) {
    const [next, out] = step(printer, piece);
    printer = next;
    slips.push(...out);
  }
  return { slips, unknown: printer.unknown };
}

const HI = "1b 40 48 69 0a"; // ESC @, "Hi"
const CODE = "1d 28 6b 04 00 31 50 30 41"; // GS ( k, function 180: store "A"
const SHOW = "1d 28 6b 03 00 31 51 30"; // function 181: print
const FEED = "1b 64 04";
// prettier-ignore
const golden: readonly [name: string, hex: string, slips: readonly Slip[]][] = [
  ["a text, fed to the edge",              `${HI} ${FEED}`,                        [{ text: "Hi", qr: null }]],
  ["a text that is not fed is not torn off", HI,                                   []],
  ["a cut",                                `${HI} 1d 56 00`,                       [{ text: "Hi", qr: null }]],
  ["a cut after a feed",                   `${HI} 1d 56 42 10`,                    [{ text: "Hi", qr: null }]],
  ["nothing on the paper is no slip",      `${FEED} ${FEED} 1d 56 00`,             []],
  ["a euro in WPC1252",                    `1b 74 10 1b 61 01 35 80 0a ${FEED}`,   [{ text: "5€", qr: null }]],
  ["two lines",                            `48 0a 69 0a ${FEED}`,                  [{ text: "H\ni", qr: null }]],
  ["a symbol",                             `${CODE} ${SHOW} 0a ${FEED}`,           [{ text: "", qr: "A" }]],
  ["a symbol that was not stored",         `${SHOW} ${HI} ${FEED}`,                [{ text: "Hi", qr: null }]],
  ["a symbol that is stored and not printed", `${CODE} ${HI} ${FEED}`,             [{ text: "Hi", qr: null }]],
  ["ESC @ forgets what was stored",        `${CODE} 1b 40 ${SHOW} 48 ${FEED}`,     [{ text: "H", qr: null }]],
  ["model, size and correction are taken", `1d 28 6b 04 00 31 41 32 00 1d 28 6b 03 00 31 43 04 1d 28 6b 03 00 31 45 31 ${CODE} ${SHOW} ${FEED}`, [{ text: "", qr: "A" }]],
];
test.each(golden)("%s", (_name, hex, slips) => expect(printed(bytesOf(hex))).toEqual({ slips, unknown: 0 }));

test("a command it does not know is passed over whole, and counted", () => {
  const bold = "1b 45"; // takes a parameter that this printer does not know of: it prints as nothing
  const pdf417 = "1d 28 6b 04 00 30 50 30 41";
  expect(printed(bytesOf(`${bold} 01 ${pdf417} ${HI} ${FEED}`))).toEqual({
    slips: [{ text: "Hi", qr: null }],
    unknown: 2,
  });
});

test("what the controller sends comes out as it was meant, however the bytes are cut into pieces", () => {
  const text = fc.string({
    unit: fc.constantFrom(...Array.from("abc xyz0129,.€é")),
    minLength: 1,
    maxLength: 64,
  });
  const qr = fc.option(fc.webUrl({ size: "small" }), { nil: undefined });
  fc.assert(
    fc.property(
      text,
      qr,
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }),
      (said, code, sizes) => {
        const words = said.split(/\s+/).filter((part) => part !== "");
        fc.pre(words.length > 0 && words.every((part) => part.length <= 32));
        const bytes = escpos({ text: said, qr: code }, 32);
        const pieces: Uint8Array[] = [];
        let from = 0;
        for (const size of sizes) pieces.push(bytes.slice(from, (from += size)));
        const { slips, unknown } = printed(...pieces, bytes.slice(from));
        expect(unknown).toBe(0);
        expect(slips.map((slip) => ({ ...slip, text: slip.text.replaceAll("\n", " ") }))).toEqual([
          { text: words.join(" "), qr: code ?? null },
        ]);
      },
    ),
  );
});

test("no bytes break it, and nothing grows without a bound", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 }), (pieces) => {
      for (const { text, qr } of printed(...pieces, bytesOf(FEED)).slips) {
        expect(text.length).toBeLessThanOrEqual(2_048);
        expect((qr ?? "").length).toBeLessThanOrEqual(7_089);
      }
    }),
  );
});
