/** How often an account may ask: over all its keys, by its own number, and how it is told to wait. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { openPlatform, type Answer, type Platform } from "./platform.js";

let platform: Platform;
beforeEach(async () => {
  platform = await openPlatform({
    requestsPerMinute: 5,
    openRequestsPerMinute: 4,
    trustedProxies: ["127.0.0.1"],
  });
  platform.clock.advance(60_000); // it was asked for its document
});
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

const search = "/api/merchants/search";
const from = async (address: string): Promise<number> =>
  (await fetch(platform.url + search, { headers: { "x-forwarded-for": address } })).status;

test("what needs no key is counted by address, all of it together, and apart from what needs one", async () => {
  const { key } = await account();
  const summary = `/api/payment-requests/${await platform.request()}/summary`;
  expect(await statuses("nonsense", 6)).toEqual([401, 401, 401, 401, 401, 429]);
  for (const at of [search, summary, "/api/.well-known/jwks.json", search])
    expect((await platform.get("", at)).status, at).toBe(200);
  platform.clock.advance(14_500);
  for (const [at, with_] of [
    [summary, ""],
    [search, key],
    ["/api/.well-known/jwks.json", ""],
  ] as const) {
    const { status, body, headers } = await platform.get(with_, at);
    expect([status, body, headers.get("retry-after")], at).toEqual([429, tooMany, "46"]);
  }
  expect((await ask(key)).status).toBe(403);
  platform.clock.advance(45_500);
  expect((await platform.get("", summary)).status).toBe(200);
});

test("behind a proxy each client has its own address, an IPv6 network is one, and nobody makes one up", async () => {
  for (let n = 0; n < 4; n += 1) expect(await from("192.0.2.1")).toBe(200);
  expect(await from("192.0.2.1")).toBe(429);
  expect(await from("192.0.2.2")).toBe(200);
  expect(await from("198.51.100.9, 192.0.2.1"), "only the proxy's own word counts").toBe(429);
  for (let n = 0; n < 4; n += 1) expect(await from(`2001:db8:0:1::${n}`)).toBe(200);
  expect(await from("2001:db8:0:1:ffff::1")).toBe(429);
  expect(await from("2001:db8:0:2::1")).toBe(200);
});

test("without a proxy that is trusted, what a client says of its address is nothing", async () => {
  const open = await openPlatform({ openRequestsPerMinute: 1 });
  open.clock.advance(60_000);
  try {
    const ask = async (address: string): Promise<number> =>
      (await fetch(open.url + search, { headers: { "x-forwarded-for": address } })).status;
    expect([await ask("192.0.2.1"), await ask("192.0.2.2")]).toEqual([200, 429]);
  } finally {
    await open.close();
  }
});
