/** How long a webhook that was not heard waits: doubling, at most an hour, never all at one moment. */
import { expect, test } from "vitest";
import { retryDelayMs } from "../../cloud/payments/webhooks.js";

test.each([
  [1, 0, 500],
  [1, 1, 1_000],
  [2, 0.5, 1_500],
  [5, 1, 16_000],
  [13, 1, 3_600_000],
  [400, 0, 1_800_000],
])("waits, after %i attempts and with chance %f, %i ms", (attempts, fraction, ms) =>
  expect(retryDelayMs(attempts, fraction)).toBe(ms),
);
