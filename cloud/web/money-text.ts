/**
 * Money as a person reads it, from minor units. Pure.
 *
 * Never does arithmetic on a float: the point is put into the string of digits, and Intl is given that string.
 */
import type { Money } from "./wire.js";

/** `{amount: "350", currency: "NZD"}` is "$3.50" in New Zealand and "NZ$3.50" elsewhere; yen have no decimals. */
export function moneyText({ amount, currency }: Money, locale: string | undefined): string {
  const format = new Intl.NumberFormat(locale, { style: "currency", currency });
  return format.format(decimal(amount, format.resolvedOptions().maximumFractionDigits ?? 0));
}

/** Minor units with the point where the currency has it: `("-5", 2)` is "-0.05". */
function decimal(minor: string, exponent: number): Intl.StringNumericLiteral {
  const sign = minor.startsWith("-") ? "-" : "";
  const padded = minor.slice(sign.length).padStart(exponent + 1, "0");
  const whole = padded.slice(0, padded.length - exponent);
  const fraction = padded.slice(padded.length - exponent);
  // The reader `digits` let only an optional sign and ASCII digits through, and a point was put among them.
  return `${sign}${whole}${fraction === "" ? "" : `.${fraction}`}` as Intl.StringNumericLiteral;
}

/** Whether a refund, a balance or a price is anything at all. */
export const isNothing = (money: Money | undefined): boolean =>
  money === undefined || BigInt(money.amount) === 0n;

/** The same amount and currency. */
export const sameMoney = (a: Money, b: Money): boolean => a.amount === b.amount && a.currency === b.currency;
