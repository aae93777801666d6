/**
 * Voucher codes: 20 digits, of chance but for a Luhn digit at the end, for a number pad. Pure.
 *
 * A product's begins with 9 and one for money does not, so that a merchant knows what to ask payment for before it asks.
 * Some 60 bits of chance: guessing one of a million living codes at a terminal that is slowed down takes longer than there has
 * been time, and so does trying them all against a hash. The check digit finds every single wrong digit before anything is asked.
 */
import { createHash } from "node:crypto";
import type { Random } from "../../broker/protocol/clock.js";
import { checkCharacter, DECIMAL } from "./luhn.js";

const CHOSEN = 19;

/** `1234 5678 9012 3456 7890`, as it is printed. */
export function newVoucherCode(random: Random, worth: "money" | "product"): string {
  let digits = worth === "product" ? "9" : "";
  while (digits.length < CHOSEN)
    for (const byte of random.bytes(CHOSEN)) {
      const digit = byte % 10;
      if (byte >= 250 || digits.length === CHOSEN || (digits === "" && digit === 9)) continue; // no digit likelier than another
      digits += String(digit);
    }
  return groups(digits + checkCharacter(digits, DECIMAL));
}

/** The digits of a code as somebody typed it, or `undefined` for what is no code. */
export function readVoucherCode(text: string): string | undefined {
  const digits = text.replaceAll(/[\s-]/g, "");
  if (!/^[0-9]{20}$/.test(digits)) return undefined;
  return checkCharacter(digits.slice(0, CHOSEN), DECIMAL) === digits.charAt(CHOSEN) ? digits : undefined;
}

/** What is kept of a code. */
export const hashOf = (digits: string): string => createHash("sha256").update(digits).digest("hex");

const groups = (digits: string): string => digits.replaceAll(/([0-9]{4})(?=[0-9])/g, "$1 ");

/** Five wrong codes in a row are mistakes; each one after that makes the terminal wait, twice as long every time. */
export const FREE_TRIES = 5;
const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 60 * 60 * 1000;
export const waitAfter = (wrong: number): number =>
  wrong < FREE_TRIES ? 0 : Math.min(FIRST_WAIT_MS * 2 ** Math.min(wrong - FREE_TRIES, 20), LONGEST_WAIT_MS);
