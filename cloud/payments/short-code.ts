/**
 * Short codes, for reading aloud and typing: `CP-C7F-ZS5`, and `CP-C7F-ZS5-026` for the request's second activity. Pure.
 *
 * The alphabet is Crockford's: no I, L, O or U, so that nothing is read two ways. The last character is a Luhn mod N check
 * (N = 32): from the right, every second value is doubled and its two base-32 digits added; all values sum to 0 mod 32.
 * It finds every single wrong character. An activity's suffix ends in the plain Luhn digit of its number.
 *
 * A code names a request among recent ones and is not unique for ever; ids are.
 */
import type { Random } from "../../broker/protocol/clock.js";
import { checkCharacter, DECIMAL } from "./luhn.js";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHOSEN = 5;

export function newShortCode(random: Random): string {
  // 256 is a multiple of 32: every character is as likely as another.
  const chosen = Array.from(random.bytes(CHOSEN), (byte) => ALPHABET.charAt(byte % 32)).join("");
  const code = chosen + checkCharacter(chosen, ALPHABET);
  return `CP-${code.slice(0, 3)}-${code.slice(3)}`;
}

/** Whether a request's code is one this platform could have made. */
export function isShortCode(code: string): boolean {
  const match = /^CP-([0-9A-HJKMNP-TV-Z]{3})-([0-9A-HJKMNP-TV-Z]{2})([0-9A-HJKMNP-TV-Z])$/.exec(code);
  if (match === null) return false;
  const [, head = "", tail = "", check] = match;
  return checkCharacter(head + tail, ALPHABET) === check;
}

export function activityShortCode(requestCode: string, number: number): string {
  const digits = String(number).padStart(2, "0");
  return `${requestCode}-${digits}${checkCharacter(digits, DECIMAL)}`;
}
