/** How often an account may ask: over all its keys, by its own number, and how it is told to wait. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { openPlatform, type Answer, type Platform } from "./platform.js";

let platform: Platform;
beforeEach(async () => (platform = await openPlatform({ requestsPerMinute: 5 })));
afterEach(() => platform.close());

const tooMany = { statusCode: 429, error: "Too Many Requests", message: "RATE_LIMIT_EXCEEDED" };
/** An account as anyone makes it, with as many requests as any has. */
async function account(): Promise<{ readonly id: string; readonly key: string }> {
  const { ownerKey } = platform.merchant;
  const { body } = await platform.post(ownerKey, "/api/accounts", { name: "Ada", type: "individual" });
  const id = String(body["id"]);
  const made = await platform.post(ownerKey, `/api/accounts/${id}/api-keys`, {
    name: "k",
    role: "account-owner",
  });
  return { id, key: String(made.body["secret"]) };
}
const ask = (key: string): Promise<Answer> => platform.get(key, "/api/payment-requests/x");
const statuses = async (key: string, times: number): Promise<readonly number[]> => {
  const all: number[] = [];
  for (let n = 0; n < times; n += 1) all.push((await ask(key)).status);
  return all;
};

test("past its number within a minute an account is refused, and told how long to wait", async () => {
  const { key } = await account();
  expect(await statuses(key, 5)).toEqual([403, 403, 403, 403, 403]);
  platform.clock.advance(14_500);
  const { status, body, headers } = await ask(key);
  expect({ status, body }).toEqual({ status: 429, body: tooMany });
  expect(headers.get("retry-after")).toBe("46");
  platform.clock.advance(45_499);
  expect((await ask(key)).headers.get("retry-after")).toBe("1");
  platform.clock.advance(1);
  expect(await statuses(key, 6)).toEqual([403, 403, 403, 403, 403, 429]);
});

test("all keys of an account share its number, and other accounts have their own", async () => {
  const { id, key } = await account();
  const { ownerKey } = platform.merchant;
  const form = { name: "second", role: "merchant-terminal" };
  const { body } = await platform.post(ownerKey, `/api/accounts/${id}/api-keys`, form);
  await statuses(key, 3);
  expect(await statuses(String(body["secret"]), 3)).toEqual([403, 403, 429]);
  expect((await ask(key)).status).toBe(429);
  expect((await ask((await account()).key)).status).toBe(403);
});

test("a request that is refused for anything else counts as well, and one that is refused for this is not done", async () => {
  const { id, key } = await account();
  const wallet = { accountId: id, currency: "NZD" };
  for (let n = 0; n < 5; n += 1) expect((await platform.post(key, "/api/wallets", "{")).status).toBe(400);
  expect((await platform.post(key, "/api/wallets", wallet)).body).toEqual(tooMany);
  platform.clock.advance(60_000);
  expect((await platform.get(key, `/api/accounts/${id}/assets`)).body).toEqual({ items: [] });
});

test("an account may have a number of its own", async () => {
  const { id, key } = await account();
  await platform.store.write((tx) =>
    tx.updateTable("account").set({ requests_per_minute: 7 }).where("id", "=", id).execute(),
  );
  expect(await statuses(key, 8)).toEqual([403, 403, 403, 403, 403, 403, 403, 429]);
  const provisioned = await statuses(platform.merchant.terminalKey, 20);
  expect(new Set(provisioned)).toEqual(new Set([403]));
});

test("without a good key requests are counted by address, and a good key from there still works", async () => {
  const { key } = await account();
  expect(await statuses("nonsense", 3)).toEqual([401, 401, 401]);
  expect(await statuses("", 3)).toEqual([401, 401, 429]);
  const { body, headers } = await ask("nonsense");
  expect(body).toEqual(tooMany);
  expect(headers.get("retry-after")).toBe("60");
  expect((await ask(key)).status).toBe(403);
  platform.clock.advance(60_000);
  expect((await ask("nonsense")).status).toBe(401);
});
