/** The digits of a patron code, against numbers worked by hand. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Random } from "../../broker/protocol/clock.js";
import { Fault } from "../../cloud/http/fault.js";
import {
  checkBarcode,
  conditionOf,
  isBarcode,
  isChecked,
  newBarcode,
} from "../../cloud/payments/patron-code.js";

const random: Random = { bytes: (count) => randomBytes(count), fraction: () => 0 };

// prettier-ignore
test.each<[barcode: string, isChecked: boolean, isBarcode: boolean]>([
  ["9990001234567890",  true,  true],
  ["9990001234567895",  false, false], // a published example whose last digit is not Luhn's
  ["1219210000000000",  true,  true],
  ["4242424242424242",  true,  false], // a card's number: right, and not one of ours
  ["9990002134567890",  false, false], // two digits changed places
  ["999000123456789",   false, false],
  ["99900012345678900", false, false],
  ["999000123456789O",  false, false],
  ["９９９０００１２３４５６７８９０",  false, false],
  ["",                  false, false],
])("%s", (barcode, checked, ours) => {
  expect(isChecked(barcode)).toBe(checked);
  expect(isBarcode(barcode)).toBe(ours);
});

test("every barcode made is one, whatever chance says", () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat(255)), (stream) => {
      const bytes = (count: number): Uint8Array => Uint8Array.from(stream.take(count));
      expect(isBarcode(newBarcode({ ...random, bytes }))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("one wrong digit is always found", () => {
  fc.assert(
    fc.property(fc.nat(15), fc.integer({ min: 1, max: 9 }), (at, by) => {
      const barcode = newBarcode(random);
      const wrong = String((Number(barcode.charAt(at)) + by) % 10);
      expect(isChecked(barcode.slice(0, at) + wrong + barcode.slice(at + 1))).toBe(false);
    }),
  );
});

test("every prefix is used, and every digit is as likely as another", () => {
  const all = Array.from({ length: 4_000 }, () => newBarcode(random));
  expect(new Set(all.map((barcode) => barcode.slice(0, 6))).size).toBe(16);
  const counts = new Map<string, number>();
  for (const digit of all.flatMap((barcode) => Array.from(barcode.slice(6, 15))))
    counts.set(digit, (counts.get(digit) ?? 0) + 1);
  for (const count of counts.values()) expect(Math.abs(count / 3_600 - 1)).toBeLessThan(0.15);
});

test.each([
  ["9990001234567890", undefined],
  ["4242424242424242", undefined], // it may be unknown, which is another question
  ["424242424", "PATRON_CODE_INVALID"], // another platform's static card
  ["9990001234567895", "CHECKSUM_FAILED"],
  ["42424242", "CHECKSUM_FAILED"],
  ["4242424242", "CHECKSUM_FAILED"],
  ["", "CHECKSUM_FAILED"],
])("%j is refused with %s", (barcode, code) => {
  const refusal = (): unknown => {
    try {
      checkBarcode(barcode);
      return undefined;
    } catch (error) {
      return error instanceof Fault ? error.code : error;
    }
  };
  expect(refusal()).toBe(code);
});

test.each([
  ["force-condition-check-photo-id", ["centrapay.nzd.test"], "photo-id-check"],
  ["force-condition-check-photo-id", ["external.test", "centrapay.nzd.test"], "photo-id-check"],
  ["force-condition-check-photo-id", ["centrapay.nzd.main"], undefined],
  ["force-condition-check-photo-id", ["centrapay.aud.test"], undefined],
  ["constructor", ["centrapay.nzd.test"], undefined],
  [undefined, ["centrapay.nzd.test"], undefined],
])("the scenario %s of a request for %j: %s", (testScenarioName, types, name) => {
  const code = testScenarioName === undefined ? {} : { testScenarioName };
  expect(
    conditionOf(
      code,
      types.map((assetType) => ({ assetType })),
    )?.name,
  ).toBe(name);
});
