/** A receipt printer: bytes worked from the ESC/POS command reference. */
import { expect, test } from "vitest";
import { escpos, wrapped } from "../../controller/terminal/escpos.js";
import type { Shown } from "../../controller/terminal/terminal.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").replaceAll(/../g, "$& ").trim();
const text = (letters: string): string => hex(Buffer.from(letters, "latin1"));

/** ESC @, ESC t 16 (WPC1252), ESC a 1 (centred); and ESC d 4. Never regenerate these from our own encoder. */
const BEGIN = "1b 40 1b 74 10 1b 61 01";
const END = "1b 64 04";
// prettier-ignore
const golden: readonly [name: string, shown: Shown, bytes: string][] = [
  ["a text",                   { text: "Hi" },             `${BEGIN} 48 69 0a ${END}`],
  ["a euro and an accent",     { text: "5 € café" },       `${BEGIN} 35 20 80 20 63 61 66 e9 0a ${END}`],
  ["no letter of the page",    { text: "a\u001b☃" },       `${BEGIN} 61 3f 3f 0a ${END}`],
  ["a letter without its mark", { text: "Čě" },            `${BEGIN} 43 65 0a ${END}`],
  ["two lines",                { text: "Choose at the machine" }, `${BEGIN} ${text("Choose at the")} 0a ${text("machine")} 0a ${END}`],
  ["a QR code", { text: "Pay", qr: "https://a.nz/1" }, [
    BEGIN, "50 61 79 0a",
    "1d 28 6b 04 00 31 41 32 00",                                  // function 165: model 2
    "1d 28 6b 03 00 31 43 04",                                     // function 167: four dots a module
    "1d 28 6b 03 00 31 45 31",                                     // function 169: error correction M
    "1d 28 6b 11 00 31 50 30 68 74 74 70 73 3a 2f 2f 61 2e 6e 7a 2f 31", // function 180: 14 bytes and 3
    "1d 28 6b 03 00 31 51 30",                                     // function 181: print
    "0a", END].join(" ")],
];
test.each(golden)("%s", (_name, shown, bytes) => expect(hex(escpos(shown, 16))).toBe(bytes));

test("a code of more than 255 bytes has both bytes of its length", () => {
  const bytes = hex(escpos({ text: "Pay", qr: "a".repeat(256) }, 32));
  expect(bytes).toContain("1d 28 6b 03 01 31 50 30 61"); // 256 + 3
});

test.each([
  ["", 16, []],
  ["aaaa bbbb", 9, ["aaaa bbbb"]],
  ["aaaa bbbb", 8, ["aaaa", "bbbb"]],
  ["a  b\nc", 16, ["a b c"]],
  ["x aaaaaaaaaab y", 5, ["x", "aaaaa", "aaaaa", "b y"]],
])("%j in %i columns", (long, columns, lines) => expect(wrapped(long, columns)).toEqual(lines));
