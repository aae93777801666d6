/** What a page makes of the cloud's refusals: which are for good, and how long to leave it alone. */
import { expect, test } from "vitest";
import { refusalOf, type Refusal } from "../../cloud/web/refusal.js";

type Told = readonly [status: number, code: string, retryAfter: string | null];
// prettier-ignore
const refusals: readonly [name: string, told: Told, refusal: Omit<Refusal, "ok" | "code">][] = [
  ["what is not there is not there",                               [403, "Forbidden", null],                               { certain: true }],
  ["too many requests say nothing of what was asked for",          [429, "RATE_LIMIT_EXCEEDED", "46"],                     { certain: false, waitMs: 46_000 }],
  ["nor do they where it is not said how long to wait",            [429, "RATE_LIMIT_EXCEEDED", null],                     { certain: false }],
  ["a cloud that is too busy may answer in half a minute",         [503, "BUSY", "30"],                                    { certain: false, waitMs: 30_000 }],
  ["a date to wait for is passed over",                            [503, "UNAVAILABLE", "Sat, 28 Nov 2026 00:00:00 GMT"],  { certain: false }],
];
for (const [name, [status, message, retryAfter], refusal] of refusals)
  test(name, () => {
    expect(refusalOf(status, retryAfter, { statusCode: status, error: "x", message })).toEqual({
      ok: false,
      code: message,
      ...refusal,
    });
  });
