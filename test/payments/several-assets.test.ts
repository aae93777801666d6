/** One payment request paid by several assets, or in part; and tenders that are taken elsewhere. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ProvisionedWallet } from "../../cloud/payments/provision.js";
import { findRequest, withMoney } from "../../cloud/payments/request-rows.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const at = (id: string, verb = ""): string => `/api/payment-requests/${id}${verb}`;
const read = async (id: string) => (await platform.get(platform.merchant.terminalKey, at(id))).body;
let keys = 0;
const pay = (id: string, wallet: ProvisionedWallet, more: object): Promise<Answer> =>
  platform.post(wallet.apiKey, at(id, "/pay"), {
    assetType: ASSET_TYPE,
    assetId: wallet.assetId,
    idempotencyKey: `key-${(keys += 1)}`,
    ...more,
  });
const refund = (id: string, minor: number, externalRef: string): Promise<Answer> =>
  platform.post(platform.merchant.terminalKey, at(id, "/refund"), {
    value: { amount: String(minor), currency: CURRENCY },
    externalRef,
  });
const MULTI = { mode: "multi-asset-payment" };

describe("several assets", () => {
  test("pay one request together, and what comes back comes to each, the last first", async () => {
    const [first, second] = [await platform.newWallet(60), await platform.newWallet(500)];
    const id = await platform.request("100");
    expect((await pay(id, first, MULTI)).body).toMatchObject({ type: "payment", value: { amount: "60" } });
    expect(await read(id)).toMatchObject({ status: "new", remainingAmount: "40" });
    expect((await pay(id, second, MULTI)).body).toMatchObject({ type: "payment", value: { amount: "40" } });
    expect(await read(id)).toMatchObject({
      status: "paid",
      remainingAmount: "0",
      paidBy: { assetTotals: [{ total: { amount: "60" } }, { total: { amount: "40" } }] },
    });
    const { body } = await platform.get(platform.merchant.ownerKey, at(id, "/activities"));
    expect(
      (body["items"] as { type: string; value: { amount: string } }[]).map((one) => [
        one.type,
        one.value.amount,
      ]),
    ).toEqual([
      ["paid", "100"],
      ["payment", "40"],
      ["payment", "60"],
      ["request", "100"],
    ]);
    expect((await refund(id, 70, "r1")).body).toMatchObject({
      strategy: {
        refunds: [
          { assetId: second.assetId, amount: "40" },
          { assetId: first.assetId, amount: "30" },
        ],
      },
    });
    expect(await platform.balance(first.assetId)).toBe(30);
    expect(await platform.balance(second.assetId)).toBe(500);
  });

  test("and who reads it while the next one pays sees what was paid when they began", async () => {
    const { read: db } = platform.store;
    const id = await platform.request("100");
    expect((await pay(id, await platform.newWallet(60), MULTI)).status).toBe(200);
    const row = await findRequest(db, id);
    expect((await pay(id, await platform.newWallet(40), MULTI)).status).toBe(200);
    if (row === undefined) throw new Error("the request is gone");
    expect((await withMoney(db, row)).payments.map((one) => one.amount_minor)).toEqual([60]);
  });

  test.each([
    [
      "is voided",
      async (id: string) => {
        await platform.post(platform.merchant.terminalKey, at(id, "/void"));
      },
      "cancelled",
    ],
    [
      "runs out",
      () => {
        platform.clock.advance(121_000);
        return Promise.resolve();
      },
      "expired",
    ],
  ] as const)("get their parts back when the request %s", async (_what, end, status) => {
    const wallet = await platform.newWallet(60);
    const id = await platform.request("100");
    await pay(id, wallet, MULTI);
    expect(await platform.balance(wallet.assetId)).toBe(0);
    await end(id);
    await expect.poll(() => platform.balance(wallet.assetId)).toBe(60);
    expect(await read(id)).toMatchObject({ status, remainingAmount: "100" });
  });

  test("do not together pay more than is due, however many come at once", async () => {
    const wallets = await Promise.all([1, 2, 3, 4, 5].map(() => platform.newWallet(40)));
    const id = await platform.request("100");
    const answers = await Promise.all(wallets.map((wallet) => pay(id, wallet, MULTI)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    const left = await Promise.all(wallets.map(({ assetId }) => platform.balance(assetId)));
    expect(left.reduce((sum, minor) => sum + minor, 0)).toBe(100);
  });
});

describe("a part payment", () => {
  test("is taken where it is allowed, and the rest is the merchant's to collect", async () => {
    const id = await platform.request("100", { partialAllowed: true, basketAmount: "100" });
    expect((await pay(id, platform.wallet, { mode: "partial-payment", amount: "30" })).status).toBe(200);
    expect(await read(id)).toMatchObject({ status: "paid", remainingAmount: "70" });
    expect((await refund(id, 31, "r2")).body).toMatchObject({ message: "INVALID_AMOUNT" });
    expect((await refund(id, 30, "r3")).status).toBe(200);
  });
  test("is refused elsewhere", async () => {
    const id = await platform.request("100");
    expect((await pay(id, platform.wallet, { mode: "partial-payment", amount: "30" })).body).toMatchObject({
      message: "INVALID_PAYMENT_REQUEST_TYPE",
    });
    expect((await pay(id, platform.wallet, { amount: "101" })).body).toMatchObject({
      message: "REMAINING_AMOUNT_EXCEEDED",
    });
  });
});

describe("a tender taken elsewhere", () => {
  test("is the merchant's word, moves no wallet, and can be given back", async () => {
    const { merchant, wallet } = platform;
    const configId = await platform.newConfig([
      { type: "external.test" },
      { type: ASSET_TYPE, walletId: merchant.walletId },
    ]);
    const id = await platform.request("100", { configId });
    const cash = { assetType: "external.test", transactionId: "till-1", externalPaymentRef: "drawer 2" };
    const form = { ...cash, idempotencyKey: "cash" };
    expect((await platform.post(wallet.apiKey, at(id, "/pay"), form)).body).toMatchObject({
      message: "Forbidden",
    });
    const before = await platform.balance(merchant.walletId);
    expect((await platform.post(merchant.terminalKey, at(id, "/pay"), form)).body).toMatchObject({
      type: "payment",
      external: "till-1",
      externalPaymentRef: "drawer 2",
    });
    expect(await read(id)).toMatchObject({
      status: "paid",
      paidBy: { assetTotals: [{ type: "external.test" }] },
    });
    expect((await refund(id, 100, "cash back")).status).toBe(200);
    expect(await platform.balance(merchant.walletId)).toBe(before);
  });

  test("fills no wallet, whatever wallet its option was kept with", async () => {
    const { terminalKey, walletId } = await platform.newMerchant();
    const { merchant } = platform;
    const configId = await platform.newConfig([{ type: "external.test", walletId }]);
    const id = await platform.request("99999999", { configId });
    const form = { assetType: "external.test", transactionId: "cash, honestly", idempotencyKey: "k" };
    expect((await platform.post(terminalKey, at(id, "/pay"), form)).status).toBe(403);
    expect((await platform.post(merchant.terminalKey, at(id, "/pay"), form)).status).toBe(200);
    expect(await platform.balance(walletId)).toBe(0);
    expect(await platform.balance(`till.${merchant.ownerAccountId}.nzd`)).toBeGreaterThanOrEqual(99_999_999);
  });
});

test("a request is found by its short code, and a mistyped one is told apart", async () => {
  const id = await platform.request("100");
  const shortCode = String((await read(id))["shortCode"]);
  const by = (code: string) =>
    platform.get(platform.merchant.terminalKey, `/api/payment-requests/short-code/${code}`);
  expect((await by(shortCode)).body).toMatchObject({ id });
  expect((await by(shortCode.toLowerCase())).body).toMatchObject({ id });
  const wrong = shortCode.slice(0, -1) + (shortCode.endsWith("0") ? "1" : "0");
  expect(await by(wrong)).toMatchObject({ status: 400, body: { message: "CHECKSUM_FAILED" } });
  expect((await by("CP-000-000")).status).toBe(403);

  platform.clock.advance(1);
  const other = await platform.newMerchant();
  const theirs = await platform.post(other.ownerKey, "/api/payment-requests", {
    configId: other.configId,
    value: { amount: "1", currency: "NZD" },
  });
  await platform.store.write((tx) =>
    tx
      .updateTable("payment_request")
      .set({ short_code: shortCode })
      .where("id", "=", String(theirs.body["id"]))
      .execute(),
  );
  expect((await by(shortCode)).body, "what another merchant has under the same code").toMatchObject({ id });
});
