/** Short codes: they check themselves. */
import { expect, test } from "vitest";
import { activityShortCode, isShortCode, newShortCode } from "../../cloud/payments/short-code.js";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const counting = (start: number) => ({
  bytes: (count: number) => Uint8Array.from({ length: count }, (_, i) => start + i * 41),
  fraction: () => 0,
});

/** Worked by hand: from the right, doubled values 2×(digit), base-32 digits added; the check makes the sum 0 mod 32. */
test.each([
  ["CP-000-000"],
  ["CP-000-01Y"], // 1 doubled is 2; 32 - 2 = 30 is Y
  ["CP-000-0G" + "Z"], // G is 16, doubled 32 = 1·32 + 0, which counts 1; 32 - 1 = 31 is Z
  ["CP-000-10Z"], // not doubled: 1
])("%s is a code", (code) => expect(isShortCode(code)).toBe(true));

test("a new code is one, and every single wrong character shows", () => {
  for (let start = 0; start < 256; start += 17) {
    const code = newShortCode(counting(start));
    expect(isShortCode(code), code).toBe(true);
    for (const at of [3, 4, 5, 7, 8, 9])
      for (const wrong of ALPHABET)
        if (wrong !== code.charAt(at))
          expect(isShortCode(code.slice(0, at) + wrong + code.slice(at + 1)), `${code} ${at} ${wrong}`).toBe(
            false,
          );
  }
});

test.each(["", "CP-C7F-ZS", "CP-C7F-ZS55", "cp-000-000", "CP-OOO-000", "CP-000000", "CP-000-000 "])(
  "%j is no code",
  (code) => expect(isShortCode(code)).toBe(false),
);

test.each([
  [1, "CP-000-000-018"],
  [2, "CP-000-000-026"],
  [10, "CP-000-000-109"],
  [123, "CP-000-000-1230"],
])("activity %i has the code %s", (number, code) =>
  expect(activityShortCode("CP-000-000", number)).toBe(code),
);
