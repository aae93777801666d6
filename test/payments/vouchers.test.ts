/** Vouchers: a code that pays once, and what happens to whoever guesses. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newVoucherCode, readVoucherCode, waitAfter } from "../../cloud/payments/voucher-code.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";

const TYPE = "voucher.nzd.test";
let platform: Platform;
let configId: string;
beforeAll(async () => {
  platform = await openPlatform();
  const { walletId } = platform.merchant;
  configId = await platform.newConfig([
    { type: ASSET_TYPE, walletId },
    { type: TYPE, walletId },
  ]);
});
afterAll(() => platform.close());

const at = (id: string, verb = ""): string => `/api/payment-requests/${id}${verb}`;
const issue = async (
  minor: number,
  more: object = {},
): Promise<{ readonly id: string; readonly code: string }> => {
  const { status, body } = await platform.post(platform.merchant.ownerKey, "/api/vouchers", {
    accountId: platform.merchant.ownerAccountId,
    type: TYPE,
    value: { amount: String(minor), currency: CURRENCY },
    ...more,
  });
  expect(status, JSON.stringify(body)).toBe(200);
  return { id: String(body["id"]), code: String(body["code"]) };
};
const voucher = async (id: string) =>
  (await platform.get(platform.merchant.ownerKey, `/api/vouchers/${id}`)).body;
const cancel = (id: string): Promise<Answer> =>
  platform.post(platform.merchant.ownerKey, `/api/vouchers/${id}/cancel`);
const refund = async (id: string, minor: number, externalRef: string): Promise<void> => {
  const value = { amount: String(minor), currency: CURRENCY };
  const asked = { value, externalRef };
  const { status, body } = await platform.post(platform.merchant.terminalKey, at(id, "/refund"), asked);
  expect(status, JSON.stringify(body)).toBe(200);
};
let keys = 0;
const redeem = (id: string, authorization: string): Promise<Answer> =>
  platform.post(platform.merchant.terminalKey, at(id, "/pay"), {
    assetType: TYPE,
    authorization,
    idempotencyKey: `key-${(keys += 1)}`,
  });
const request = (minor: number, terminalId?: string): Promise<string> =>
  platform.request(String(minor), { configId, ...(terminalId === undefined ? {} : { terminalId }) });

test("a code pays once; the second time it is spent; and its text is nowhere in the database", async () => {
  const { id, code } = await issue(400);
  const paid = await request(400);
  const before = await platform.balance(platform.merchant.walletId);
  expect((await redeem(paid, code)).body).toMatchObject({ type: "payment", assetType: TYPE });
  expect(await platform.balance(platform.merchant.walletId)).toBe(before + 400);
  expect(await voucher(id)).toMatchObject({ status: "spent", balance: "0" });
  expect((await redeem(await request(400), code)).body).toMatchObject({ message: "INACTIVE_ASSET" });
  const digits = code.replaceAll(" ", "");
  const rows = await platform.store.read.selectFrom("operation").selectAll().execute();
  const vouchers = await platform.store.read.selectFrom("voucher").selectAll().execute();
  const activities = await platform.store.read.selectFrom("activity").selectAll().execute();
  expect(JSON.stringify([rows, vouchers, activities])).not.toContain(digits);
  expect(JSON.stringify([rows, activities])).not.toContain(code);
});

test("it is typed with or without its spaces, and pays no change: what is not needed stays with its issuer", async () => {
  const { id, code } = await issue(500);
  expect((await redeem(await request(400), code.replaceAll(" ", "-"))).status).toBe(200);
  expect(await voucher(id)).toMatchObject({ status: "spent", balance: "100" });
  expect((await cancel(id)).body).toMatchObject({ status: "spent", balance: "0" });
});

test("what comes back of its payment can be spent with the same code again", async () => {
  const { id, code } = await issue(400);
  const paid = await request(400);
  await redeem(paid, code);
  await refund(paid, 150, "not vended");
  expect(await voucher(id)).toMatchObject({ status: "active", balance: "150" });
  expect((await redeem(await request(150), code)).status).toBe(200);
});

describe("what comes back can be spent for thirty days at the least:", () => {
  const MINUTE_MS = 60_000;
  const MONTH_MS = 30 * 24 * 60 * MINUTE_MS;
  const iso = (ms: number): string => new Date(platform.clock.nowMs() + ms).toISOString();

  // prettier-ignore
  test.each<[what: string, endsMs: number, leftMs: number]>([
    ["whose time was over by then",  MINUTE_MS,             MONTH_MS],
    ["whose time was nearly over",   3 * MINUTE_MS,         MONTH_MS],
    ["that is good for longer",      MONTH_MS + 3 * MINUTE_MS, MONTH_MS + MINUTE_MS],
  ])("with the code of a voucher %s", async (_what, endsMs, leftMs) => {
    const { id, code } = await issue(400, { expiresAt: iso(endsMs) });
    const paid = await request(400);
    expect((await redeem(paid, code)).status).toBe(200);
    platform.clock.advance(2 * MINUTE_MS);
    await refund(paid, 400, "not vended");
    expect(await voucher(id)).toMatchObject({ status: "active", balance: "400", expiresAt: iso(leftMs) });
    platform.clock.advance(leftMs - 1);
    expect((await redeem(await request(400), code)).status).toBe(200);
  });

  test("a voucher without an end gets none", async () => {
    const { id, code } = await issue(400);
    const paid = await request(400);
    await redeem(paid, code);
    await refund(paid, 400, "not vended");
    expect(await voucher(id)).not.toHaveProperty("expiresAt");
  });
});

describe("what its issuer took back is not what a customer is given back:", () => {
  test("once the change was taken, a refund can be spent with the code", async () => {
    const { id, code } = await issue(500);
    const paid = await request(300);
    await redeem(paid, code);
    await cancel(id);
    await refund(paid, 300, "not vended");
    expect(await voucher(id)).toMatchObject({ status: "active", balance: "300" });
    expect((await redeem(await request(300), code)).status).toBe(200);
  });

  test("once it was cancelled between two refunds, the second can be spent with the code", async () => {
    const { id, code } = await issue(500);
    const paid = await request(300);
    await redeem(paid, code);
    await refund(paid, 100, "one can of three");
    expect((await cancel(id)).body).toMatchObject({ status: "cancelled", balance: "0" });
    expect((await redeem(await request(100), code)).body).toMatchObject({ message: "INACTIVE_ASSET" });
    await refund(paid, 200, "nor the others");
    expect(await voucher(id)).toMatchObject({ status: "active", balance: "200" });
    expect((await redeem(await request(200), code)).status).toBe(200);
  });
});

test("for less than is due it needs a mode, and another asset pays the rest", async () => {
  const { code } = await issue(100);
  const id = await request(400);
  expect((await redeem(id, code)).body).toMatchObject({ message: "INSUFFICIENT_ASSET_VALUE" });
  const form = { assetType: TYPE, authorization: code, idempotencyKey: "part", mode: "multi-asset-payment" };
  expect((await platform.post(platform.merchant.terminalKey, at(id, "/pay"), form)).status).toBe(200);
  expect((await platform.pay(id)).status).toBe(200);
});

test("of many who have the code at once, one is served", async () => {
  const { code } = await issue(400);
  const ids = await Promise.all([1, 2, 3, 4, 5, 6].map(() => request(400)));
  const answers = await Promise.all(ids.map((id) => redeem(id, code)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
});

test("one that has run out is told apart from one that never was", async () => {
  const expiresAt = new Date(platform.clock.nowMs() + 60_000).toISOString();
  const { id, code } = await issue(400, { expiresAt });
  platform.clock.advance(60_000);
  expect(await voucher(id)).toMatchObject({ status: "expired" });
  expect((await redeem(await request(400), code)).body).toMatchObject({ message: "INACTIVE_ASSET" });
});

describe("wrong codes", () => {
  test("are refused alike, and after five in a row the terminal waits, twice as long each time", async () => {
    const { code } = await issue(400);
    const id = await request(400, "T-1");
    for (const wrong of ["", "hello", "1234", "00000000000000000001"].slice(1))
      expect((await redeem(id, wrong)).body).toMatchObject({ message: "ASSET_REDEMPTION_DENIED" });
    expect((await redeem(id, "1111 1111 1111 1111 1117")).body).toMatchObject({
      message: "ASSET_REDEMPTION_DENIED",
    });
    expect((await redeem(id, "1111 1111 1111 1111 1117")).body).toMatchObject({
      message: "ASSET_REDEMPTION_DENIED",
    });
    const slowed = await redeem(id, code);
    expect(slowed).toMatchObject({ status: 429, body: { message: "RATE_LIMIT_EXCEEDED" } });
    expect(slowed.headers.get("retry-after")).toBe("30");
    expect((await redeem(await request(400, "T-2"), (await issue(400)).code)).status).toBe(200); // its neighbour is not
    platform.clock.advance(30_000);
    expect((await redeem(id, code)).status).toBe(200); // and a right one clears it
    const next = await request(400, "T-1");
    expect((await redeem(next, "wrong")).body).toMatchObject({ message: "ASSET_REDEMPTION_DENIED" });
    expect((await redeem(next, (await issue(400)).code)).status).toBe(200);
  });

  test("wait ever longer, an hour at most", () => {
    expect([1, 4, 5, 6, 7, 50].map(waitAfter)).toEqual([0, 0, 30_000, 60_000, 120_000, 3_600_000]);
  });
});

describe("issuing", () => {
  test("takes the money from the issuer's wallet, if one is named, and gives it back when cancelled", async () => {
    const { merchant } = platform;
    const topUp = { value: { amount: "1000", currency: CURRENCY }, idempotencyKey: "fill" };
    await platform.post(merchant.ownerKey, `/api/assets/${merchant.walletId}/top-up`, topUp);
    const before = await platform.balance(merchant.walletId);
    platform.clock.advance(1); // ids of one millisecond have no order
    const { id } = await issue(300, { walletId: merchant.walletId });
    expect(await platform.balance(merchant.walletId)).toBe(before - 300);
    platform.clock.advance(1);
    await platform.post(merchant.ownerKey, `/api/vouchers/${id}/cancel`);
    expect(await platform.balance(merchant.walletId)).toBe(before);
    const asked = { ref: id, refType: "voucher" };
    const latest = `/api/assets/${merchant.walletId}/transactions?paginationLimit=2`;
    expect((await platform.get(merchant.ownerKey, latest)).body["items"]).toMatchObject([
      { kind: "release", ...asked },
      { kind: "issue", ...asked },
    ]);
    expect((await platform.post(merchant.ownerKey, `/api/vouchers/${id}/cancel`)).status).toBe(200);
    expect(await platform.balance(merchant.walletId)).toBe(before);
  });

  test("from an archived wallet is refused, and what a voucher gives back to one opens it again", async () => {
    const { ownerKey, ownerAccountId: accountId } = platform.merchant;
    const made = await platform.post(ownerKey, "/api/wallets", { accountId, currency: CURRENCY });
    const walletId = String(made.body["id"]);
    const asset = `/api/assets/${walletId}`;
    const value = { amount: "300", currency: CURRENCY };
    await platform.post(ownerKey, `${asset}/top-up`, { value, idempotencyKey: "fill" });
    const { id } = await issue(300, { walletId });
    expect((await platform.post(ownerKey, `${asset}/archive`)).body).toMatchObject({ status: "archived" });
    const again = { accountId, type: TYPE, value, walletId };
    expect((await platform.post(ownerKey, "/api/vouchers", again)).body).toMatchObject({
      message: "INACTIVE_ASSET",
    });
    await cancel(id);
    expect((await platform.get(ownerKey, asset)).body).toMatchObject({ status: "active", balance: "300" });
    expect((await platform.post(ownerKey, "/api/vouchers", again)).status).toBe(200);
  });

  // prettier-ignore
  test.each<[what: string, more: object, status: number, message: string]>([
    ["another type",            { type: ASSET_TYPE },                                  403, "INVALID_ASSET_TYPE"],
    ["another currency",        { value: { amount: "1", currency: "AUD" } },           403, "INVALID_AMOUNT"],
    ["main money unfunded",     { type: "voucher.nzd.main" },                          403, "INVALID_WALLET_TYPE"],
    ["somebody else's account", { accountId: "other" },                                403, "Forbidden"],
    ["somebody else's wallet",  { walletId: "other" },                                 403, "Forbidden"],
    ["no amount",               { value: { amount: "0", currency: "NZD" } },           400, "value.amount"],
    ["no time",                 { expiresAt: "tomorrow" },                             400, "expiresAt"],
  ])("with %s is refused", async (_what, more, status, message) => {
    const answer = await platform.post(platform.merchant.ownerKey, "/api/vouchers", {
      accountId: platform.merchant.ownerAccountId,
      type: TYPE,
      value: { amount: "100", currency: CURRENCY },
      ...more,
    });
    expect(answer.status).toBe(status);
    expect(String(answer.body["message"])).toContain(message);
  });

  test("is the account owner's, and read by nobody else", async () => {
    const { id } = await issue(100);
    const { terminalKey, ownerAccountId } = platform.merchant;
    for (const key of [terminalKey, platform.wallet.apiKey]) {
      expect((await platform.get(key, `/api/vouchers/${id}`)).status).toBe(403);
      expect((await platform.get(key, `/api/accounts/${ownerAccountId}/vouchers`)).status).toBe(403);
      expect((await platform.post(key, `/api/vouchers/${id}/cancel`)).status).toBe(403);
    }
    const { body } = await platform.get(
      platform.merchant.ownerKey,
      `/api/accounts/${ownerAccountId}/vouchers?paginationLimit=2`,
    );
    expect(body["items"]).toHaveLength(2);
    expect(body["nextPageKey"]).toBeDefined();
  });
});

test("a code that was made is read, and one wrong digit is found before anything is asked", () => {
  const random = { bytes: (count: number) => randomBytes(count), fraction: () => Math.random() };
  fc.assert(
    fc.property(fc.nat(19), fc.integer({ min: 1, max: 9 }), fc.boolean(), (place, by, isMoney) => {
      const code = newVoucherCode(random, isMoney ? "money" : "product");
      expect(code).toMatch(/^([0-9]{4} ){4}[0-9]{4}$/);
      expect(code.startsWith("9")).toBe(!isMoney);
      const digits = readVoucherCode(code);
      expect(digits).toBe(code.replaceAll(" ", ""));
      if (digits === undefined) return;
      const wrong = (Number(digits.charAt(place)) + by) % 10;
      expect(
        readVoucherCode(digits.slice(0, place) + String(wrong) + digits.slice(place + 1)),
      ).toBeUndefined();
    }),
    { numRuns: 2_000 },
  );
});
