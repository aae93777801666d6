/**
 * Patron codes' barcodes: 16 digits, of which six are one of the platform's prefixes, nine are chance, and the last is the
 * Luhn digit of the fifteen before it. Pure.
 */
import type { Random } from "../../broker/protocol/clock.js";
import { checkCharacter, DECIMAL } from "./luhn.js";

/** Sixteen, so that a byte chooses one evenly. */
// prettier-ignore
const PREFIXES: readonly string[] = [
  "121921", "123000", "282828", "293000", "321000", "321123", "636863", "713131",
  "765432", "777000", "839234", "848484", "888444", "929394", "987600", "999000",
];
const CHOSEN = 9;

export function newBarcode(random: Random): string {
  const [byte = 0] = random.bytes(1);
  const code = (PREFIXES[byte % PREFIXES.length] ?? "") + chosenDigits(random);
  return code + checkCharacter(code, DECIMAL);
}

/** Sixteen digits and the right last one; whether it is one of ours, and alive, is another question. */
export const isChecked = (barcode: string): boolean =>
  /^[0-9]{16}$/.test(barcode) && checkCharacter(barcode.slice(0, -1), DECIMAL) === barcode.slice(-1);

/** Whether this platform could have made it. */
export const isBarcode = (code: string): boolean => isChecked(code) && PREFIXES.includes(code.slice(0, 6));

function chosenDigits(random: Random): string {
  let digits = "";
  while (digits.length < CHOSEN)
    // 250 is a multiple of 10: every digit is as likely as another.
    for (const byte of random.bytes(CHOSEN))
      if (byte < 250 && digits.length < CHOSEN) digits += String(byte % 10);
  return digits;
}
