/**
 * What a receipt printer is sent so that a customer reads it: ESC/POS, text and QR code. Pure.
 *
 * Promises  a text can command nothing: only letters of the code page leave (code-page.ts).
 *
 * The commands are those of Epson's ESC/POS command reference, which other makers follow.
 */
import { onPage } from "./code-page.js";
import type { Shown } from "./terminal.js";

/** A code of 200 characters at this many dots a module is still narrower than 58 mm paper. */
const QR_DOTS = 4;
const LINES_TO_THE_EDGE = 4;

const INITIALIZE = [0x1b, 0x40]; // ESC @
const PAGE_WPC1252 = [0x1b, 0x74, 16]; // ESC t
const CENTRED = [0x1b, 0x61, 1]; // ESC a
const FEED = [0x1b, 0x64, LINES_TO_THE_EDGE]; // ESC d
const LINE_FEED = 0x0a;
const QR = 0x31; // cn of every GS ( k for a QR code

/** The bytes for this text and code, on paper of so many columns. */
export function escpos({ text, qr }: Shown, columns: number): Uint8Array {
  const lines = wrapped(text, columns).flatMap((line) => [...onPage(line), LINE_FEED]);
  const code = qr === undefined ? [] : [...qrCode(qr), LINE_FEED];
  return Uint8Array.from([...INITIALIZE, ...PAGE_WPC1252, ...CENTRED, ...lines, ...code, ...FEED]);
}

function qrCode(holds: string): readonly number[] {
  return [
    ...symbol(0x41, 50, 0), // model 2
    ...symbol(0x43, QR_DOTS),
    ...symbol(0x45, 49), // error correction M
    ...symbol(0x50, 48, ...new TextEncoder().encode(holds)), // store
    ...symbol(0x51, 48), // print
  ];
}

/** GS ( k pL pH cn fn … */
function symbol(fn: number, ...parameters: readonly number[]): readonly number[] {
  const length = parameters.length + 2;
  return [0x1d, 0x28, 0x6b, length & 0xff, length >> 8, QR, fn, ...parameters];
}

/** Lines no longer than that, broken between words; a word that is longer is broken inside. */
export function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    const joined = line === "" ? word : `${line} ${word}`;
    if (joined.length <= columns) {
      line = joined;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
    for (; line.length > columns; line = line.slice(columns)) lines.push(line.slice(0, columns));
  }
  return line === "" ? lines : [...lines, line];
}
