/** `/api/test/clock`. */
import { z } from "zod";
import type { Endpoints } from "../../http/endpoint.js";
import type { Caller } from "../api-key.js";
import { MOST_SECONDS, type TestClocks } from "../test-clock.js";
import { testClock } from "./answers.js";

const url = "/api/test/clock";
const usual = { tag: "Test clock", answer: testClock, experimental: true } as const;

export function testClockRoutes({ keyed }: Endpoints<Caller>, clocks: TestClocks): void {
  keyed(
    {
      ...usual,
      method: "GET",
      url,
      name: "getTestClock",
      says: "What time it is for the caller's test account.",
    },
    ({ caller }) => clocks.get(caller),
  );
  keyed(
    {
      ...usual,
      method: "POST",
      url: `${url}/advance`,
      name: "advanceTestClock",
      says: "Move the caller's test account forward in time, with the payment requests of its merchants, and nobody else.",
      body: z.object({ seconds: z.int().min(1).max(MOST_SECONDS) }),
      faults: ["QUOTA_EXCEEDED"],
    },
    ({ caller, body }) => clocks.advance(caller, body.seconds),
  );
}
