/** A test account that has moved its own time: its merchants' payment requests are there too, and nobody else's. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ProvisionedMerchant } from "../../cloud/payments/provision.js";
import { HOLD_MS } from "../../cloud/payments/request.js";
import { CURRENCY, openPlatform, type Answer, type Body, type Platform } from "./platform.js";
import { openReceiver } from "./receiver.js";

let platform: Platform;
let merchant: ProvisionedMerchant; // who moves
let other: ProvisionedMerchant; // who does not
beforeAll(async () => (platform = await openPlatform({ requestsPerMinute: 10_000 })));
afterAll(() => platform.close());
beforeEach(async () => {
  merchant = await platform.newMerchant();
  other = await platform.newMerchant();
});

const DAY_SECONDS = 86_400;
const nzd = (amount: string) => ({ amount, currency: CURRENCY });
const at = (id: string, verb = ""): string => `/api/payment-requests/${id}${verb}`;
const advance = async (seconds: number, { ownerKey } = merchant): Promise<void> =>
  expect((await platform.post(ownerKey, "/api/test/clock/advance", { seconds })).status).toBe(200);
const create = async (more: object = {}, { terminalKey, configId } = merchant): Promise<Body> => {
  const asked = { configId, value: nzd("350"), ...more };
  const { status, body } = await platform.post(terminalKey, "/api/payment-requests", asked);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
};
const request = async (more: object = {}, of = merchant): Promise<string> =>
  String((await create(more, of))["id"]);
const read = async (id: string, { terminalKey } = merchant): Promise<Body> =>
  (await platform.get(terminalKey, at(id))).body;
const post = (id: string, verb: string, body?: object): Promise<Answer> =>
  platform.post(merchant.terminalKey, at(id, verb), body);
const itemsOf = ({ body }: Answer): readonly Body[] => body["items"] as readonly Body[]; // published as a list
const activities = async (id: string): Promise<readonly Body[]> =>
  itemsOf(await platform.get(merchant.terminalKey, at(id, "/activities")));
const iso = (seconds = 0): string => new Date(platform.clock.nowMs() + seconds * 1000).toISOString();
/** Looks again, the sweep's second later, until `look` sees it. */
const swept = (look: () => Promise<unknown>) =>
  expect.poll(() => {
    platform.clock.advance(1_000);
    return look();
  });

test("a request is made, changed and paid at its merchant's time", async () => {
  await advance(90);
  expect(await create()).toMatchObject({ createdAt: iso(90), updatedAt: iso(90), expiresAt: iso(210) });
  expect(await create({}, other)).toMatchObject({ createdAt: iso(), expiresAt: iso(120) });
  const id = await request();
  await advance(30);
  expect((await platform.pay(id)).body).toMatchObject({
    createdAt: iso(120),
    paidBy: { assetTotals: [{ settlementDate: iso(120) }] },
  });
  expect(await read(id)).toMatchObject({
    createdAt: iso(90),
    updatedAt: iso(120),
    paidBy: { assetTotals: [{ settlementDate: iso(120) }] },
  });
  expect((await activities(id)).map(({ createdAt }) => createdAt)).toEqual([iso(120), iso(90)]);
});

test("the ledger keeps to the real time", async () => {
  await advance(90);
  const wallet = await platform.newWallet(350);
  await platform.pay(await request(), wallet);
  const path = `/api/assets/${wallet.assetId}/transactions`;
  expect(itemsOf(await platform.get(wallet.apiKey, path))[0]).toMatchObject({ createdAt: iso() });
});

describe("a new request", () => {
  test("is expired from the moment its merchant's time is past its end, for whoever looks or pays", async () => {
    const body = await create({ externalRef: "r" });
    const id = String(body["id"]);
    const theirs = await request({}, other);
    await advance(119);
    expect(await read(id)).toMatchObject({ status: "new" });
    expect((await platform.get("", at(id, "/summary"))).status).toBe(200);
    await advance(1);
    const { ownerAccountId, terminalKey } = merchant;
    const list = `/external-ref/r?merchantAccountId=${ownerAccountId}`;
    expect(itemsOf(await platform.get(terminalKey, `/api/payment-requests${list}`))).toMatchObject([
      { id, status: "expired" },
    ]);
    const byCode = at(`short-code/${String(body["shortCode"])}`);
    expect((await platform.get(terminalKey, byCode)).body).toMatchObject({ id, status: "expired" });
    expect(await read(id)).toMatchObject({ status: "expired" });
    expect((await platform.get("", at(id, "/summary"))).status).toBe(403);
    for (const answer of [await platform.pay(id), await post(id, "/void")])
      expect(answer).toMatchObject({ status: 403, body: { message: "REQUEST_EXPIRED" } });
    expect(await read(theirs, other)).toMatchObject({ status: "new" });
    expect((await platform.get("", at(theirs, "/summary"))).status).toBe(200);
    expect((await platform.pay(theirs)).status).toBe(200);
  });

  test("has its expiry written down by the sweep, and one that has not moved has not", async () => {
    const { expiresAt, ...body } = await create({ expirySeconds: DAY_SECONDS });
    const id = String(body["id"]);
    const theirs = await request({ expirySeconds: DAY_SECONDS }, other);
    await advance(DAY_SECONDS);
    await swept(async () => (await activities(id)).map(({ type }) => type)).toEqual(["expiry", "request"]);
    const [expiry] = await activities(id);
    expect(Date.parse(String(expiry?.["createdAt"]))).toBeGreaterThanOrEqual(Date.parse(String(expiresAt)));
    expect(expiry).toMatchObject({ createdBy: "crn::service:payments-api" });
    const rows = platform.store.read.selectFrom("payment_request").select("status");
    expect(await rows.where("id", "=", id).executeTakeFirst()).toEqual({ status: "expired" });
    expect(await rows.where("id", "=", theirs).executeTakeFirst()).toEqual({ status: "new" });
  });

  test("that was paid in part gives it back as the sweep ends it, and the webhooks say so", async () => {
    const receiver = await openReceiver();
    const { ownerAccountId: accountId, ownerKey } = merchant;
    const types = ["payment-request:refund-initiated", "payment-request:refund-completed"];
    await platform.post(ownerKey, "/api/webhook-subscriptions", { accountId, url: receiver.url, types });
    const id = await request({ expirySeconds: DAY_SECONDS });
    const wallet = await platform.newWallet(200);
    const paid = await platform.post(wallet.apiKey, at(id, "/pay"), {
      assetType: "centrapay.nzd.test",
      assetId: wallet.assetId,
      mode: "multi-asset-payment",
      idempotencyKey: "k",
    });
    expect([paid.status, await platform.balance(wallet.assetId)]).toEqual([200, 0]);
    await advance(DAY_SECONDS);
    await swept(() =>
      Promise.resolve(receiver.received.map(({ notification: { type } }) => type).sort()),
    ).toEqual([...types].sort());
    expect(await platform.balance(wallet.assetId)).toBe(200);
    expect(receiver.received[0]?.notification.data).toMatchObject({ type: "refund", paymentRequestId: id });
    await receiver.close();
  });

  test("of those that moved, many are ended as well as one", async () => {
    const ids = await Promise.all(Array.from({ length: 120 }, () => request({ expirySeconds: DAY_SECONDS })));
    await advance(DAY_SECONDS);
    const left = async (): Promise<number> => {
      const rows = platform.store.read.selectFrom("payment_request").select("id");
      return (await rows.where("id", "in", ids).where("status", "=", "new").execute()).length;
    };
    await swept(left).toBe(0);
  });
});

test("a paid request can be voided for a day of its merchant's time", async () => {
  const [first, second] = [await request(), await request()];
  const theirs = await request({}, other);
  for (const id of [first, second, theirs]) expect((await platform.pay(id)).status).toBe(200);
  await advance(DAY_SECONDS);
  expect((await post(first, "/void")).body).toMatchObject({ type: "refund" });
  await advance(1);
  expect(await post(second, "/void")).toMatchObject({
    status: 403,
    body: { message: "VOID_WINDOW_EXCEEDED" },
  });
  expect((await post(second, "/refund", { value: nzd("350"), externalRef: "r" })).status).toBe(200);
  expect((await platform.post(other.terminalKey, at(theirs, "/void"))).status).toBe(200);
});

test("what is held is not confirmed past its end by its merchant's time, and is told to be released", async () => {
  const id = await request({ preAuth: true });
  await platform.pay(id);
  await advance(HOLD_MS / 1000);
  expect(await read(id)).toMatchObject({ preAuthStatus: "released" });
  const lineItems = [{ name: "Item", qty: "1", price: "350" }];
  const confirm = await post(id, "/confirm", { idempotencyKey: "c", invoiceRef: "i", lineItems });
  expect(confirm).toMatchObject({ status: 403, body: { message: "PRE_AUTH_RELEASED" } });
});

test("what is held goes back by itself when its merchant's time is past its end, and what others hold stays", async () => {
  const [wallet, theirWallet] = [await platform.newWallet(350), await platform.newWallet(350)];
  const id = await request({ preAuth: true });
  const theirs = await request({ preAuth: true }, other);
  await platform.pay(id, wallet);
  await platform.pay(theirs, theirWallet);
  expect(await read(id)).toMatchObject({ preAuthExpiresAt: iso(HOLD_MS / 1000) });
  await advance(HOLD_MS / 1000);
  await swept(() => platform.balance(wallet.assetId)).toBe(350);
  expect(await read(id)).toMatchObject({ preAuthStatus: "released" });
  expect((await activities(id))[0]).toMatchObject({ type: "release" });
  expect(await platform.balance(theirWallet.assetId)).toBe(0);
  expect(await read(theirs, other)).toMatchObject({ preAuthStatus: "authorized" });
});

test("a patron code lives in its wallet's time, the request that it was scanned for in the merchant's", async () => {
  const patron = await platform.newWallet(350);
  const mine = async (): Promise<Body> =>
    (await platform.get(patron.apiKey, "/api/me/patron-code-payment-request")).body;
  const code = (await platform.post(patron.apiKey, "/api/patron-codes")).body;
  await advance(DAY_SECONDS);
  const { barcode } = code;
  const id = await request({ barcode });
  expect(await mine()).toMatchObject({ id, createdAt: iso(DAY_SECONDS), status: "new" });
  await advance(120);
  expect(await mine()).toEqual({});
  await platform.post(patron.apiKey, "/api/test/clock/advance", { seconds: 300 });
  expect(
    await platform.post(other.terminalKey, "/api/payment-requests", {
      configId: other.configId,
      value: nzd("350"),
      barcode,
    }),
  ).toMatchObject({ status: 403, body: { message: "PATRON_CODE_INVALID" } });
});

test("a condition is raised at the merchant's time", async () => {
  await advance(90);
  const scenario = { testScenarioName: "force-condition-check-photo-id" };
  const { barcode } = (await platform.post(platform.wallet.apiKey, "/api/patron-codes", scenario)).body;
  const id = String((await create({ barcode }))["id"]);
  expect(await read(id)).toMatchObject({ status: "cancelled", updatedAt: iso(90) });
  expect((await activities(id)).map(({ createdAt }) => createdAt)).toEqual([iso(90), iso(90)]);
});

describe("what is given out with an end", () => {
  let configId: string;
  let collectionId: string;
  const owner = () => platform.merchant;
  const made = async (path: string, body: object): Promise<Body> => {
    const answer = await platform.post(owner().ownerKey, path, body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body;
  };
  const redeem = (id: string, how: object): Promise<Answer> =>
    platform.post(platform.wallet.apiKey, at(id, "/pay"), { idempotencyKey: "k", ...how });
  beforeAll(async () => {
    const { ownerAccountId: accountId, merchantId, walletId } = owner();
    const tokenExpiresAfter = { period: "hour", duration: 1 };
    const collection = { name: "Coffee", accountId, type: "product", tokenExpiresAfter };
    collectionId = String((await made("/api/collections", collection))["id"]);
    await made(`/api/collections/${collectionId}/redemption-conditions`, {
      merchantId,
      allowedProducts: [{ sku: "coffee", name: "Coffee", maxValue: nzd("350") }],
    });
    configId = await platform.newConfig([
      { type: "voucher.nzd.test", walletId },
      { type: "centrapay.token.test", collectionIds: [collectionId] },
    ]);
  });
  const lineItems = [{ name: "Coffee", sku: "coffee", qty: "1", price: "350" }];
  const basket = (): Promise<string> => platform.request("350", { configId, lineItems });

  test("a token begins at its issuer's time and ends at the merchant's", async () => {
    let keys = 0;
    const mint = async (): Promise<string> => {
      const { accountId } = platform.wallet;
      const idempotencyKey = `mint-${(keys += 1)}`;
      return String((await made("/api/tokens", { collectionId, accountId, idempotencyKey }))["id"]);
    };
    const spend = async (assetId: string): Promise<Answer> =>
      redeem(await basket(), { assetType: "centrapay.token.test", assetId });
    const early = await mint();
    await advance(3_600, owner());
    expect((await spend(early)).body).toMatchObject({ message: "INACTIVE_ASSET" });
    const late = await mint();
    await advance(3_599, owner());
    expect((await spend(late)).status).toBe(200);
  });

  test("a voucher ends at its issuer's and the merchant's time; whoever typed wrong codes waits in the real one", async () => {
    const { ownerAccountId: accountId, ownerKey } = owner();
    const type = "voucher.nzd.test";
    const issue = async (more: object = {}): Promise<{ readonly id: string; readonly code: string }> => {
      const { id, code } = await made("/api/vouchers", { accountId, type, value: nzd("350"), ...more });
      return { id: String(id), code: String(code) };
    };
    const spend = async (code: string): Promise<Answer> =>
      redeem(await basket(), { assetType: type, authorization: code });
    const seconds = 2 * DAY_SECONDS;
    const ending = await issue({ expiresAt: iso(seconds) });
    const status = async (): Promise<unknown> =>
      (await platform.get(ownerKey, `/api/vouchers/${ending.id}`)).body["status"];
    expect(await status()).toBe("active");
    await advance(seconds, owner());
    expect(await status()).toBe("expired");
    const list = itemsOf(await platform.get(ownerKey, `/api/accounts/${accountId}/vouchers`));
    expect(list).toMatchObject([{ id: ending.id, status: "expired" }]);
    expect((await spend(ending.code)).body).toMatchObject({ message: "INACTIVE_ASSET" });

    const { code } = await issue();
    for (let wrong = 0; wrong < 5; wrong += 1)
      expect((await spend("1111 1111 1111 1111 1117")).body).toMatchObject({
        message: "ASSET_REDEMPTION_DENIED",
      });
    await advance(3_600, owner());
    expect((await spend(code)).status).toBe(429);
    platform.clock.advance(30_000);
    expect((await spend(code)).status).toBe(200);
  });

  test("what comes back to a voucher after its end can be spent for thirty days of the merchant's time", async () => {
    const { ownerAccountId: accountId, ownerKey, terminalKey } = owner();
    const accountNow = async (): Promise<number> =>
      Date.parse(String((await platform.get(ownerKey, "/api/test/clock")).body["now"]));
    const type = "voucher.nzd.test";
    const expiresAt = new Date((await accountNow()) + 1_000).toISOString();
    const { id, code } = await made("/api/vouchers", { accountId, type, value: nzd("350"), expiresAt });
    const paid = await basket();
    expect((await redeem(paid, { assetType: type, authorization: code })).status).toBe(200);
    await advance(3_600, owner());
    const back = { value: nzd("350"), externalRef: "not vended" };
    expect((await platform.post(terminalKey, at(paid, "/refund"), back)).status).toBe(200);
    expect((await platform.get(ownerKey, `/api/vouchers/${String(id)}`)).body).toMatchObject({
      status: "active",
      expiresAt: new Date((await accountNow()) + 30 * DAY_SECONDS * 1000).toISOString(),
    });
  });
});
