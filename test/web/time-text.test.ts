/** A moment as a person reads it: nobody takes a movement of last week for one of this morning. */
import { expect, test } from "vitest";
import { makeTimeText } from "../../cloud/web/time-text.js";

const NOW = Date.parse("2026-11-28T02:00:00Z"); // 15:00 on the 28th in Auckland, 21:00 on the 27th in New York

// prettier-ignore
const table: readonly [at: string, timeZone: string, text: RegExp][] = [
  ["2026-11-28T01:58:30Z", "Pacific/Auckland", /^2:58:30\spm$/],
  ["2026-11-27T11:00:00Z", "Pacific/Auckland", /^12:00:00\sam$/],
  ["2026-11-27T10:59:59Z", "Pacific/Auckland", /^27 Nov 2026, 11:59\spm$/],
  ["2026-11-27T10:59:59Z", "America/New_York", /^5:59:59\sam$/],
  ["2025-11-28T02:00:00Z", "Pacific/Auckland", /^28 Nov 2025, 3:00\spm$/],
  ["2026-11-28T11:00:00Z", "Pacific/Auckland", /^29 Nov 2026, 12:00\sam$/],
];

test.each(table)("%s in %s", (at, timeZone, text) =>
  expect(makeTimeText("en-NZ", timeZone).time(at, NOW)).toMatch(text),
);
