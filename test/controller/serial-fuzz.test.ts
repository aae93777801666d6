/** Twenty thousand lines a driver, true and damaged, through the driver and the sale: nothing crashes, nothing is sold or kept wrongly. */
import { expect, test } from "vitest";
import { fuzz, KINDS } from "../../bench/serial-fuzz.js";
import { chance } from "../chance.js";

test.each(KINDS)("%s: whatever comes in, each approval had its go and has one result", (kind) => {
  const figures = fuzz(kind, 20_000, chance(7));
  // A walk that meets no sale would prove nothing.
  expect(Math.min(figures.approved, figures.succeeded, figures.failed, figures.unknown)).toBeGreaterThan(5);
  expect(figures.approved).toBe(figures.succeeded + figures.failed + figures.unknown);
});
