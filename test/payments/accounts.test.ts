/** Who may do what: API keys, roles, other people's things, and the wallets of an account. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CURRENCY, openPlatform, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const nzd = (amount: string) => ({ amount, currency: CURRENCY });
const unauthorized = { statusCode: 401, error: "Unauthorized", message: "Missing authentication" };
const forbidden = { statusCode: 403, error: "Forbidden", message: "Forbidden" };
const newKey = async (name: string, role: string): Promise<string> => {
  const { ownerAccountId, ownerKey } = platform.merchant;
  const { body } = await platform.post(ownerKey, `/api/accounts/${ownerAccountId}/api-keys`, { name, role });
  return String(body["secret"]);
};

describe("an API key", () => {
  test("is shown once, when it is made, and works", async () => {
    const { ownerAccountId, ownerKey } = platform.merchant;
    const keys = `/api/accounts/${ownerAccountId}/api-keys`;
    const { status, body } = await platform.post(ownerKey, keys, {
      name: "till-1",
      role: "merchant-terminal",
    });
    expect(status).toBe(200);
    const { secret, ...shown } = body;
    expect(shown).toEqual({
      accountId: ownerAccountId,
      name: "till-1",
      role: "merchant-terminal",
      enabled: true,
      createdAt: "2026-11-23T00:00:00.000Z",
      createdBy: `crn:${ownerAccountId}:api-key:owner`,
      modifiedAt: "2026-11-23T00:00:00.000Z",
      modifiedBy: `crn:${ownerAccountId}:api-key:owner`,
      version: "1",
    });
    expect((await platform.get(String(secret), "/api/payment-requests/x")).status).toBe(403);
    const listed = await platform.get(ownerKey, keys);
    expect(listed.body).toEqual(expect.arrayContaining([shown]));
    expect(JSON.stringify(listed.body)).not.toMatch(/secret|hash/);
  });

  test("is kept nowhere in the clear", async () => {
    const rows = await platform.store.read.selectFrom("api_key").selectAll().execute();
    const [, secret = ""] = platform.merchant.ownerKey.split(".");
    expect(secret).toHaveLength(43);
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  test("that is missing, wrong, half, or another's secret is 401", async () => {
    const [id = "", secret = ""] = platform.merchant.ownerKey.split(".");
    const [otherId = ""] = platform.wallet.apiKey.split(".");
    const wrong = `${id}.${secret.slice(1)}${secret.startsWith("a") ? "b" : "a"}`;
    for (const key of [
      "",
      "nonsense",
      id,
      `${id}.`,
      `.${secret}`,
      `${id}.${secret}x`,
      wrong,
      `${otherId}.${secret}`,
    ]) {
      const { status, body } = await platform.get(key, "/api/payment-requests/x");
      expect({ status, body }, key).toEqual({ status: 401, body: unauthorized });
    }
  });

  test("is refused while disabled, and works again when enabled", async () => {
    const { ownerAccountId, ownerKey } = platform.merchant;
    const key = await newKey("till-2", "merchant-terminal");
    const at = `/api/accounts/${ownerAccountId}/api-keys/till-2`;
    expect((await platform.put(ownerKey, at, { enabled: false })).body).toMatchObject({
      enabled: false,
      version: "2",
    });
    expect((await platform.get(key, "/api/payment-requests/x")).body).toEqual(unauthorized);
    expect((await platform.put(ownerKey, at, { enabled: true })).body).toMatchObject({
      enabled: true,
      version: "3",
    });
    expect((await platform.get(key, "/api/payment-requests/x")).status).toBe(403);
  });

  test("has a name of its own in the account, and a role there is", async () => {
    const { ownerAccountId, ownerKey } = platform.merchant;
    const keys = `/api/accounts/${ownerAccountId}/api-keys`;
    const taken = await platform.post(ownerKey, keys, { name: "owner", role: "account-owner" });
    expect(taken).toMatchObject({ status: 403, body: { message: "DUPLICATE_API_KEY" } });
    for (const form of [
      { name: "x", role: "admin" },
      { name: "a b", role: "account-owner" },
      { name: "x" },
      {},
    ])
      expect((await platform.post(ownerKey, keys, form)).status).toBe(400);
    expect((await platform.put(ownerKey, `${keys}/owner`, { enabled: "no" })).status).toBe(400);
    expect((await platform.put(ownerKey, `${keys}/nobody`, { enabled: false })).body).toEqual(forbidden);
  });
});

describe("another account's things", () => {
  test("are refused as if they were not there", async () => {
    const { merchant, wallet } = platform;
    const stranger = await platform.newMerchant();
    const id = await platform.request();
    await platform.pay(id);
    const refund = { value: nzd("1"), externalRef: "r" };
    const topUp = { value: nzd("1"), idempotencyKey: "k" };
    const rows: readonly [method: "get" | "post", path: string, body?: object][] = [
      ["post", `/api/payment-requests/${id}/refund`, refund],
      ["post", `/api/payment-requests/${id}/void`],
      ["get", `/api/payment-requests/${id}/activities`],
      ["get", `/api/payment-requests/external-ref/x?merchantAccountId=${merchant.ownerAccountId}`],
      ["get", `/api/payment-activities?merchantId=${merchant.merchantId}`],
      ["get", `/api/payment-activities?merchantId=missing`],
      ["get", `/api/assets/${wallet.assetId}`],
      ["get", `/api/assets/missing`],
      ["get", `/api/assets/${wallet.assetId}/transactions`],
      ["post", `/api/assets/${wallet.assetId}/top-up`, topUp],
      ["get", `/api/accounts/${wallet.accountId}/assets`],
      ["post", `/api/wallets`, { accountId: wallet.accountId, currency: CURRENCY }],
      ["get", `/api/accounts/${merchant.ownerAccountId}/api-keys`],
      ["post", `/api/accounts/${merchant.ownerAccountId}/api-keys`, { name: "mine", role: "account-owner" }],
    ];
    for (const [method, path, body] of rows) {
      const answer =
        method === "get"
          ? await platform.get(stranger.ownerKey, path)
          : await platform.post(stranger.ownerKey, path, body);
      expect({ status: answer.status, body: answer.body }, `${method} ${path}`).toEqual({
        status: 403,
        body: forbidden,
      });
    }
    const at = `/api/accounts/${merchant.ownerAccountId}/api-keys/owner`;
    expect((await platform.put(stranger.ownerKey, at, { enabled: false })).body).toEqual(forbidden);
    expect((await platform.get(merchant.ownerKey, "/api/payment-requests/x")).status).toBe(403);
  });
});

describe("a wallet", () => {
  test("says to anyone what it is, and to nobody else whose it is and what it holds", async () => {
    const { body } = await platform.get("", `/api/assets/${platform.wallet.assetId}/summary`);
    expect(body).toEqual({
      id: platform.wallet.assetId,
      category: "money",
      type: "centrapay.nzd.test",
      liveness: "test",
      description: "NZD (test)",
      status: "active",
      createdAt: expect.any(String) as unknown,
      currency: "NZD",
    });
    expect(await platform.get("", "/api/assets/nobody/summary")).toMatchObject({ status: 403 });
  });

  test("is opened empty, filled with test money once a key, and tells its story", async () => {
    const { apiKey, accountId } = platform.wallet;
    const opened = await platform.post(apiKey, "/api/wallets", { accountId, currency: "AUD" });
    expect(opened.body).toEqual({
      id: expect.any(String) as unknown,
      accountId,
      category: "money",
      type: "centrapay.aud.test",
      liveness: "test",
      description: "AUD (test)",
      status: "active",
      createdAt: "2026-11-23T00:00:00.000Z",
      currency: "AUD",
      balance: "0",
      availableBalance: "0",
    });
    const id = String(opened.body["id"]);
    const topUp = (amount: string, idempotencyKey: string, currency = "AUD") =>
      platform.post(apiKey, `/api/assets/${id}/top-up`, { value: { amount, currency }, idempotencyKey });
    const first = await topUp("500", "a");
    expect(first.body).toEqual({
      id: expect.any(String) as unknown,
      assetId: id,
      type: "increment-balance",
      kind: "top-up",
      value: { amount: "500", currency: "AUD" },
      ref: id,
      refType: "asset",
      createdAt: "2026-11-23T00:00:00.000Z",
    });
    expect((await topUp("500", "a")).body).toEqual(first.body);
    expect((await topUp("501", "a")).body).toMatchObject({ message: "IDEMPOTENT_OPERATION_FAILED" });
    expect((await topUp("1", "b", "NZD")).body).toMatchObject({ message: "INVALID_AMOUNT" });
    expect((await topUp("0", "c")).status).toBe(400);
    expect((await topUp("1", "")).status).toBe(400);
    platform.clock.advance(1);
    await topUp("7", "d");
    expect((await platform.get(apiKey, `/api/assets/${id}`)).body).toMatchObject({
      balance: "507",
      availableBalance: "507",
    });
    const story = await platform.get(apiKey, `/api/assets/${id}/transactions?paginationLimit=1`);
    expect(story.body).toMatchObject({ items: [{ value: { amount: "7" } }] });
    const rest = await platform.get(
      apiKey,
      `/api/assets/${id}/transactions?pageKey=${String(story.body["nextPageKey"])}`,
    );
    expect(rest.body).toEqual({ items: [first.body] });
  });

  test("shows payments and refunds on both sides", async () => {
    const { merchant, wallet } = platform;
    const id = await platform.request("80");
    await platform.pay(id);
    const { body } = await platform.get(wallet.apiKey, `/api/assets/${wallet.assetId}/transactions`);
    expect(body).toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({
          type: "decrement-balance",
          kind: "payment",
          value: nzd("80"),
          ref: id,
          refType: "payment-request",
        }),
      ]) as unknown,
    });
    const assets = await platform.get(merchant.ownerKey, `/api/accounts/${merchant.ownerAccountId}/assets`);
    expect(assets.body).toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({
          id: merchant.walletId,
          balance: String(await platform.balance(merchant.walletId)),
        }),
      ]) as unknown,
    });
  });

  test("lists an account's assets a page at a time", async () => {
    const { apiKey, accountId } = await platform.newWallet(0);
    await platform.post(apiKey, "/api/wallets", { accountId, currency: "AUD" });
    const first = await platform.get(apiKey, `/api/accounts/${accountId}/assets?paginationLimit=1`);
    const key = String(first.body["nextPageKey"]);
    const second = await platform.get(apiKey, `/api/accounts/${accountId}/assets?pageKey=${key}`);
    const types = [first, second].map(({ body }) => (body["items"] as { readonly type: string }[])[0]?.type); // assets
    expect(types.sort()).toEqual(["centrapay.aud.test", "centrapay.nzd.test"]);
    expect(second.body).not.toHaveProperty("nextPageKey");
  });

  test("needs a currency and an account", async () => {
    const { apiKey, accountId } = platform.wallet;
    for (const form of [
      { accountId },
      { accountId, currency: "nzd" },
      { currency: "NZD" },
      { accountId: 1, currency: "NZD" },
    ])
      expect((await platform.post(apiKey, "/api/wallets", form)).status).toBe(400);
  });
});
