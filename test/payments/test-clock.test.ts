/** A test account's own time: forward, within a bound, and for nobody else. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { accountNowMs } from "../../cloud/payments/account-rows.js";
import { EXPERIMENTAL_HEADER } from "../../cloud/http/endpoint.js";
import { openPlatform, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const DAY_SECONDS = 86_400;
const advance = (key: string, seconds: unknown) => platform.post(key, "/api/test/clock/advance", { seconds });

test("it moves by what it is told, adds up, and moves nobody else", async () => {
  const { accountId, apiKey } = await platform.newWallet(0);
  const other = await platform.newWallet(0);
  const nowMs = platform.clock.nowMs();
  const clock = (seconds: number) => ({
    accountId,
    now: new Date(nowMs + seconds * 1000).toISOString(),
    advancedSeconds: seconds,
  });
  const first = await advance(apiKey, 90);
  expect(first.body).toEqual(clock(90));
  expect(first.headers.get(EXPERIMENTAL_HEADER)).toBeTruthy();
  expect((await Promise.all([advance(apiKey, 10), advance(apiKey, 20)])).map(({ status }) => status)).toEqual(
    [200, 200],
  );
  expect((await platform.get(apiKey, "/api/test/clock")).body).toEqual(clock(120));
  expect(await accountNowMs(platform.store.read, accountId, nowMs)).toBe(nowMs + 120_000);
  expect((await platform.get(other.apiKey, "/api/test/clock")).body).toMatchObject({ advancedSeconds: 0 });
  expect(await accountNowMs(platform.store.read, other.accountId, nowMs)).toBe(nowMs);
});

test("it moves forward, by whole seconds, four hundred days in all", async () => {
  const { apiKey } = await platform.newWallet(0);
  for (const wrong of [0, -1, 1.5, "60", null, undefined, 400 * DAY_SECONDS + 1])
    expect((await advance(apiKey, wrong)).status, String(wrong)).toBe(400);
  expect((await advance(apiKey, 399 * DAY_SECONDS)).status).toBe(200);
  expect((await advance(apiKey, DAY_SECONDS + 1)).body).toMatchObject({ message: "QUOTA_EXCEEDED" });
  expect((await advance(apiKey, DAY_SECONDS)).body).toMatchObject({ advancedSeconds: 400 * DAY_SECONDS });
  expect((await advance(apiKey, 1)).body).toMatchObject({ message: "QUOTA_EXCEEDED" });
});

test("a terminal has none, and a live account has none", async () => {
  const { terminalKey, ownerKey, ownerAccountId } = await platform.newMerchant();
  expect((await advance(terminalKey, 1)).status).toBe(403);
  await platform.store.write((tx) =>
    tx.updateTable("account").set({ test: 0 }).where("id", "=", ownerAccountId).execute(),
  );
  expect(await advance(ownerKey, 1)).toMatchObject({ status: 403, body: { message: "Forbidden" } });
  expect((await platform.get(ownerKey, "/api/test/clock")).status).toBe(403);
});
