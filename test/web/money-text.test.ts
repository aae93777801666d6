/** Money as a person reads it: exact for every currency's own number of decimals, and for amounts no float can hold. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { isNothing, moneyText } from "../../cloud/web/money-text.js";

// prettier-ignore
const table: readonly [amount: string, currency: string, locale: string, text: string][] = [
  ["350",                "NZD", "en-NZ", "$3.50"],
  ["5",                  "NZD", "en-NZ", "$0.05"],
  ["0",                  "NZD", "en-NZ", "$0.00"],
  ["-600",               "NZD", "en-NZ", "-$6.00"],
  ["-5",                 "NZD", "en-NZ", "-$0.05"],
  ["123456",             "NZD", "en-NZ", "$1,234.56"],
  ["350",                "NZD", "en-US", "NZ$3.50"],
  ["350",                "JPY", "en-US", "¥350"],
  ["1500",               "BHD", "en-US", "BHD\u00a01.500"],
  ["350",                "EUR", "de-DE", "3,50\u00a0€"],
  ["900719925474099312", "USD", "en-US", "$9,007,199,254,740,993.12"],
];

for (const [amount, currency, locale, text] of table) {
  test(`${amount} ${currency} reads ${text} in ${locale}`, () =>
    expect(moneyText({ amount, currency }, locale)).toBe(text));
}

test("the digits of an amount are the digits on the page, whatever the amount", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 999_999_999_999_999_999n }), (minor) => {
      const text = moneyText({ amount: String(minor), currency: "NZD" }, "en-NZ");
      expect(BigInt(text.replaceAll(/[^0-9]/g, ""))).toBe(minor);
    }),
  );
});

test("nothing is nothing in every form", () => {
  expect(isNothing(undefined)).toBe(true);
  expect(isNothing({ amount: "0", currency: "NZD" })).toBe(true);
  expect(isNothing({ amount: "1", currency: "NZD" })).toBe(false);
});
