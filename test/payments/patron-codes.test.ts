/** Patron codes through the API: made by a wallet, scanned by a merchant, dead after five minutes of their account's time. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Random } from "../../broker/protocol/clock.js";
import { findLivePatronCode, insertPatronCode } from "../../cloud/payments/patron-code-rows.js";
import { PatronCodes } from "../../cloud/payments/patron-codes.js";
import { openPlatform, random, type Answer, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const url = "/api/patron-codes";
const make = (body?: object, key = platform.wallet.apiKey): Promise<Answer> => platform.post(key, url, body);
const made = async (body?: object): Promise<{ readonly id: string; readonly barcode: string }> => {
  const answer = (await make(body)).body;
  return { id: String(answer["id"]), barcode: String(answer["barcode"]) };
};
const scan = (barcode: string, key = platform.merchant.terminalKey): Promise<Answer> =>
  platform.get(key, `${url}/barcode/${barcode}`);
const forbidden = { status: 403, body: { message: "Forbidden" } };

describe("a patron code", () => {
  test("is made of nothing, and lives five minutes", async () => {
    const { accountId } = platform.wallet;
    const { status, body } = await make();
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        id: expect.any(String) as unknown,
        accountId,
        barcode: expect.stringMatching(/^[0-9]{16}$/) as unknown,
        createdAt: "2026-11-23T00:00:00.000Z",
        expiresAt: "2026-11-23T00:05:00.000Z",
        appName: "centrapay",
        metadata: {},
      },
    });
    expect((await platform.get(platform.wallet.apiKey, `${url}/${String(body["id"])}`)).body).toEqual(body);
    expect((await scan(String(body["barcode"]))).body).toEqual(body);
  });

  test("may name an asset of its maker's, and no one else's", async () => {
    const { assetId } = platform.wallet;
    expect((await make({ assetId, testScenarioName: "force-condition-check-photo-id" })).body).toMatchObject({
      assetId,
      testScenarioName: "force-condition-check-photo-id",
    });
    expect(await make({ assetId: platform.merchant.walletId })).toMatchObject(forbidden);
    expect(await make({ assetId: "missing" })).toMatchObject(forbidden);
  });

  test("is dead to a scan after its five minutes, and can still be looked at", async () => {
    const { id, barcode } = await made();
    platform.clock.advance(299_999);
    expect((await scan(barcode)).status).toBe(200);
    platform.clock.advance(1);
    expect(await scan(barcode)).toMatchObject({ status: 403, body: { message: "PATRON_CODE_INVALID" } });
    expect((await platform.get(platform.wallet.apiKey, `${url}/${id}`)).status).toBe(200);
  });

  test("dies with its own account's time, not with another's", async () => {
    const patron = await platform.newWallet(0);
    const { body } = await make(undefined, patron.apiKey);
    const barcode = String(body["barcode"]);
    const other = await platform.newWallet(0);
    await platform.post(other.apiKey, "/api/test/clock/advance", { seconds: 600 });
    expect((await scan(barcode)).status).toBe(200);
    await platform.post(patron.apiKey, "/api/test/clock/advance", { seconds: 300 });
    expect((await scan(barcode)).body).toMatchObject({ message: "PATRON_CODE_INVALID" });
    const later = (await make(undefined, patron.apiKey)).body;
    expect(Date.parse(String(later["createdAt"]))).toBe(platform.clock.nowMs() + 300_000);
    expect((await scan(String(later["barcode"]))).status).toBe(200);
  });

  test("that cannot be one is told from one that is unknown", async () => {
    for (const barcode of ["9990001234567895", "1234", "x", "99900012345678900"])
      expect((await scan(barcode)).body, barcode).toMatchObject({
        statusCode: 400,
        message: "CHECKSUM_FAILED",
      });
    for (const barcode of ["9990001234567890", "4242424242424242", "424242424"])
      expect((await scan(barcode)).body, barcode).toMatchObject({
        statusCode: 403,
        message: "PATRON_CODE_INVALID",
      });
  });

  test("is not made by a terminal, and not seen by other wallets", async () => {
    const { id, barcode } = await made();
    const stranger = await platform.newWallet(0);
    expect(await make(undefined, platform.merchant.terminalKey)).toMatchObject(forbidden);
    for (const path of [`${url}/${id}`, `${url}/barcode/${barcode}`, `${url}/missing`])
      expect(await platform.get(stranger.apiKey, path), path).toMatchObject(forbidden);
    expect(await platform.post(stranger.apiKey, `${url}/${id}/metadata`, { metadata: {} })).toMatchObject(
      forbidden,
    );
    expect(
      await platform.post(platform.merchant.terminalKey, `${url}/${id}/metadata`, { metadata: {} }),
    ).toMatchObject(forbidden);
  });

  test("is found by its name elsewhere", async () => {
    const { id } = await made({ namespace: "shop", externalId: "a/b 1" });
    const at = `${url}/shop/external-id/${encodeURIComponent("a/b 1")}`;
    expect((await platform.get(platform.wallet.apiKey, at)).body).toMatchObject({
      id,
      namespace: "shop",
      externalId: "a/b 1",
    });
    expect((await platform.get(platform.merchant.terminalKey, at)).body).toMatchObject({ id });
    platform.clock.advance(1);
    const newer = await made({ namespace: "shop", externalId: "a/b 1" });
    expect((await platform.get(platform.wallet.apiKey, at)).body).toMatchObject({ id: newer.id });
    expect(await platform.get(platform.wallet.apiKey, `${url}/other/external-id/a`)).toMatchObject(forbidden);
    expect((await make({ namespace: "shop" })).status).toBe(400);
    expect((await make({ externalId: "x" })).status).toBe(400);
  });

  test("keeps what is said about it: merged, an empty text takes a key away", async () => {
    const { id } = await made();
    const { accountId, apiKey } = platform.wallet;
    const say = (metadata: unknown) => platform.post(apiKey, `${url}/${id}/metadata`, { metadata });
    expect((await say({ a: "1", b: "2" })).body).toEqual({
      patronCodeId: id,
      createdAt: new Date(platform.clock.nowMs()).toISOString(),
      createdBy: `crn:${accountId}:api-key:owner`,
      metadata: { a: "1", b: "2" },
    });
    expect((await say({ a: "", b: "3", c: "4", d: "" })).body["metadata"]).toEqual({ b: "3", c: "4" });
    const all = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`k${n}`, "v".repeat(256)]));
    expect((await say(all)).status).toBe(200);
    expect((await say({ more: "v" })).body["message"]).toBe("metadata: must have at most 10 keys");
    expect((await say({ more: "v", b: "" })).status).toBe(200);
    for (const wrong of [
      undefined,
      [],
      { "": "v" },
      { "a b": "v" },
      { [`k${"x".repeat(64)}`]: "v" },
      { a: "v".repeat(257) },
      { a: 1 },
      { a: "\0" },
    ])
      expect((await say(wrong)).status, JSON.stringify(wrong)).toBe(400);
    const { body } = await platform.get(apiKey, `${url}/${id}`);
    expect(Object.keys(body["metadata"] as object)).toHaveLength(10); // published as an object
  });

  test("loses nothing of two changes at once", async () => {
    const { id } = await made();
    await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        platform.post(platform.wallet.apiKey, `${url}/${id}/metadata`, { metadata: { [`k${n}`]: "v" } }),
      ),
    );
    const { body } = await platform.get(platform.wallet.apiKey, `${url}/${id}`);
    expect(Object.keys(body["metadata"] as object)).toHaveLength(10); // published as an object
  });
});

describe("a barcode", () => {
  let accountId: string;
  beforeAll(async () => ({ accountId } = await platform.newWallet(0)));
  const row = (id: string, barcode: string, atMs: number) => ({
    id,
    account_id: accountId,
    barcode,
    asset_id: null,
    test_scenario_name: null,
    namespace: null,
    external_id: null,
    metadata: "{}",
    created_ms: atMs,
    created_by: "crn::test",
    expires_ms: atMs + 300_000,
  });

  test("is one living code's at a time, and is used again when that one is dead", async () => {
    const { store, clock } = platform;
    const barcode = "9990001234567890";
    const put = (id: string) =>
      store.write((tx) => insertPatronCode(tx, row(id, barcode, clock.nowMs()), clock.nowMs()));
    const live = () => findLivePatronCode(store.read, barcode, clock.nowMs());
    const ids = ["p1", "p2", "p3"];
    const made = await Promise.all(ids.map(put)); // whichever is first
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await live()).toEqual({ id: ids[made.indexOf(true)], accountId });
    clock.advance(300_000);
    expect(await live()).toBeUndefined();
    expect(await put("p4")).toBe(true);
    expect(await live()).toMatchObject({ id: "p4" });
    const rows = await store.read
      .selectFrom("patron_code")
      .select("id")
      .where("barcode", "=", barcode)
      .orderBy("id")
      .execute();
    expect(rows).toEqual([{ id: ids[made.indexOf(true)] }, { id: "p4" }]);
  });

  test("that is taken is not given out: another is tried", async () => {
    const { store, clock } = platform;
    const turns = [0, 0, 0, 1]; // the first code, the same once more, and then another
    let turn = 0;
    const fixed: Random = {
      fraction: () => 0,
      bytes: (count) =>
        count === 1 || count === 9
          ? new Uint8Array(count).fill(turns[Math.floor(turn++ / 2)] ?? 2)
          : random.bytes(count),
    };
    const codes = new PatronCodes({ store, clock, random: fixed });
    const caller = {
      accountId,
      accountName: "Ada",
      role: "account-owner",
      crn: "crn::test",
      requestsPerMinute: undefined,
    } as const;
    expect(await codes.create(caller, {})).toMatchObject({ barcode: "1219210000000000" });
    expect(await codes.create(caller, {})).toMatchObject({
      barcode: expect.stringMatching(/^123000111111111/) as unknown,
    });
  });
});

describe("a scanned code", () => {
  const decode = (code: string, more: object = {}, key = platform.merchant.terminalKey): Promise<Answer> =>
    platform.post(key, "/api/decode", {
      code,
      scannedBy: "merchant",
      merchantConfigId: platform.merchant.configId,
      ...more,
    });

  test("of a wallet is the platform's own", async () => {
    const { barcode } = await made();
    const { configId: merchantConfigId, ownerKey } = platform.merchant;
    const expected = {
      code: barcode,
      scannedBy: "merchant",
      merchantConfigId,
      provider: "centrapay",
      displayName: "Centrapay",
    };
    expect((await decode(barcode)).body).toEqual(expected);
    expect((await decode(barcode, {}, ownerKey)).body).toEqual(expected);
  });

  test("that is nobody's is unknown, and a payment request's address is not for a merchant to scan", async () => {
    const id = await platform.request();
    const { body } = await platform.get(platform.merchant.terminalKey, `/api/payment-requests/${id}`);
    for (const code of [String(body["url"]), "9990001234567895", "4242424242424242", "424242424", "hello"])
      expect(await decode(code), code).toMatchObject({ status: 403, body: { message: "UNKNOWN_CODE" } });
  });

  test("needs a config of the caller's that takes such codes", async () => {
    const { barcode } = await made();
    const other = await platform.newMerchant();
    const at = `/api/merchants/${platform.merchant.merchantId}/configs`;
    const { body } = await platform.post(platform.merchant.ownerKey, at, {
      paymentOptions: [{ type: "external.test" }],
    });
    const takesNone = { merchantConfigId: body["id"] };
    expect((await decode(barcode, takesNone)).body).toMatchObject({ message: "INVALID_MERCHANT_CONFIG" });
    for (const merchantConfigId of ["mc_missing", other.configId])
      expect((await decode(barcode, { merchantConfigId })).body).toMatchObject({
        message: "MERCHANT_CONFIG_NOT_FOUND",
      });
    expect((await decode(barcode, { scannedBy: "patron" })).status).toBe(400);
    expect((await decode("")).status).toBe(400);
  });
});
