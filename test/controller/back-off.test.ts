/** How long is waited before the next try: longer each time, up to a bound, and never two machines alike. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { waitMs } from "../../controller/back-off.js";

const backOff = { firstMs: 250, maxMs: 30_000 };

test("the wait doubles up to its bound, and a first failure waits the least again", () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000, 1].map((failures) => waitMs(backOff, failures, 0));
  expect(waits).toEqual([125, 250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 125]);
});

test("chance spreads each wait over its upper half, and no further", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, fraction) => {
        const ms = waitMs(backOff, failures, fraction);
        const least = waitMs(backOff, failures, 0);
        expect(ms).toBeGreaterThanOrEqual(least);
        expect(ms).toBeLessThanOrEqual(Math.min(2 * least, backOff.maxMs));
      },
    ),
  );
  const spread = new Set(Array.from({ length: 100 }, (_, n) => waitMs(backOff, 9, n / 100)));
  expect(spread.size).toBe(100); // a fleet does not come back as one
});
