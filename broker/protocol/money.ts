/**
 * Money as every room writes it: a whole number of the currency's smallest unit.
 *
 * Owns      the wire form `{amount: "350", currency: "NZD"}`, and the only way between a price as an MDB
 *           adapter prints it ("3.50") and minor units (350).
 * Promises  no floating point anywhere; what does not fit is refused, never rounded.
 */
import { z } from "zod";

/** Amounts are positive and below this: 10^8 minor units (payment-request API, `value.amount`). */
export const AMOUNT_LIMIT_MINOR = 100_000_000;

/** A positive amount on the wire: ASCII digits in a string, no sign, no leading zero, below 10^8. */
export const amount = z
  .string("must be a string of digits")
  .regex(
    /^[1-9][0-9]{0,7}$/,
    "must be a whole number of minor units from 1 to 99999999, as a string of digits",
  );

export const currency = z.string().regex(/^[A-Z]{3}$/, "must be a currency code of three capital letters");

export const money = z.object({ amount, currency });
export type Money = { readonly amount: string; readonly currency: string };

/** Minor units on the bus and in the database: a whole number from 0 up, below 10^8. */
export const amountMinor = z.int().nonnegative().lt(AMOUNT_LIMIT_MINOR);

export const toMinor = ({ amount: digits }: Pick<Money, "amount">): number => Number(digits);
export const fromMinor = (minor: number, code: string): Money => ({ amount: String(minor), currency: code });

/**
 * A price as an adapter prints it, in minor units: `("15.19", 2)` is 1519, `("1", 2)` is 100.
 * Answers `undefined` for anything that is not plain digits with at most `decimals` of them after the point,
 * or that is not below 10^8 minor units.
 */
export function decimalToMinor(text: string, decimals: number): number | undefined {
  const match = /^([0-9]{1,9})(?:\.([0-9]{1,6}))?$/.exec(text);
  if (match === null) return undefined;
  const fraction = match[2] ?? "";
  const kept = fraction.slice(0, decimals);
  if (/[1-9]/.test(fraction.slice(decimals))) return undefined; // a part of the smallest unit is nobody's money
  const minor = Number((match[1] ?? "") + kept.padEnd(decimals, "0"));
  return minor < AMOUNT_LIMIT_MINOR ? minor : undefined;
}

/** Minor units as an adapter reads them: `(1519, 2)` is "15.19". The inverse of {@link decimalToMinor}. */
export function minorToDecimal(minor: number, decimals: number): string {
  if (decimals === 0) return String(minor);
  const digits = String(minor).padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}
