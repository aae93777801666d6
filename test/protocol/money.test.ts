/** Money on the wire and at the adapter: what is taken, what is refused, and nothing is ever rounded. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { amount, decimalToMinor, minorToDecimal, money } from "../../broker/protocol/money.js";

// prettier-ignore
const prices: readonly [text: string, decimals: number, minor: number | undefined][] = [
  ["15.19", 2, 1519], ["1.00", 2, 100], ["99.20", 2, 9920], ["1", 2, 100], ["10", 2, 1000], ["0.25", 2, 25],
  ["1.5", 2, 150], ["7", 0, 7], ["1.250", 3, 1250], ["1.250", 2, 125], ["0", 2, 0], ["999999.99", 2, 99_999_999],
  ["1.255", 2, undefined], ["", 2, undefined], [".5", 2, undefined], ["1.", 2, undefined], ["-1", 2, undefined],
  ["+1", 2, undefined], ["1e2", 2, undefined], ["1,50", 2, undefined], [" 1", 2, undefined], ["１", 2, undefined],
  ["1000000.00", 2, undefined], ["9999999999", 2, undefined],
];
for (const [text, decimals, minor] of prices)
  test(`a price printed "${text}" with ${decimals} decimals is ${String(minor)}`, () =>
    expect(decimalToMinor(text, decimals)).toBe(minor));

test("a price printed for the adapter reads back as itself", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 99_999_999 }),
      fc.integer({ min: 0, max: 3 }),
      (minor, decimals) => {
        expect(decimalToMinor(minorToDecimal(minor, decimals), decimals)).toBe(minor);
      },
    ),
  );
});

for (const bad of [
  "0",
  "-1",
  "+1",
  "1.0",
  "1e2",
  " 1",
  "01",
  "100000000",
  "１２",
  "",
  1,
  true,
  null,
  [1],
  0.1,
  1e21,
])
  test(`an amount of ${JSON.stringify(bad)} is refused`, () =>
    expect(amount.safeParse(bad).success).toBe(false));
for (const good of ["1", "350", "99999999"])
  test(`an amount of ${good} is taken`, () => expect(amount.parse(good)).toBe(good));
for (const bad of ["nzd", "NZ", "NZDD", "N1D", ""])
  test(`a currency of "${bad}" is refused`, () =>
    expect(money.safeParse({ amount: "1", currency: bad }).success).toBe(false));
