/** Money that is held first and taken later: authorise, confirm, release, and what runs out. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOLD_MS } from "../../cloud/payments/request.js";
import { CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const at = (id: string, verb = ""): string => `/api/payment-requests/${id}${verb}`;
const post = (id: string, verb: string, body?: object): Promise<Answer> =>
  platform.post(platform.merchant.terminalKey, at(id, verb), body);
const read = async (id: string) => (await platform.get(platform.merchant.terminalKey, at(id))).body;
const confirm = (id: string, minor: number, key: string): Promise<Answer> =>
  post(id, "/confirm", {
    idempotencyKey: key,
    invoiceRef: `invoice-${key}`,
    lineItems: [{ name: "Item", qty: "1", price: String(minor) }],
  });
const refund = (id: string, minor: number, externalRef: string, key?: string): Promise<Answer> =>
  post(id, "/refund", {
    value: { amount: String(minor), currency: CURRENCY },
    externalRef,
    ...(key === undefined ? {} : { confirmationIdempotencyKey: key }),
  });
const both = async (assetId: string): Promise<readonly [payer: number, merchant: number]> => [
  await platform.balance(assetId),
  await platform.balance(platform.merchant.walletId),
];

test("held, confirmed twice, and the rest let go: every balance agrees at every step", async () => {
  const wallet = await platform.newWallet(500);
  const [, merchant] = await both(wallet.assetId);
  const id = await platform.request("400", { preAuth: true });
  expect(await read(id)).toMatchObject({ status: "new", preAuth: true });
  expect((await confirm(id, 1, "early")).body).toMatchObject({ message: "PRE_AUTH_PENDING" });
  expect((await platform.pay(id, wallet, "hold")).body).toMatchObject({
    type: "authorization",
    preAuth: true,
    value: { amount: "400" },
  });
  expect(await both(wallet.assetId)).toEqual([100, merchant]);
  expect(await read(id)).toMatchObject({ status: "paid", preAuthStatus: "authorized", remainingAmount: "0" });

  const first = await confirm(id, 250, "c1");
  expect(first.body).toMatchObject({ type: "confirmation", confirmationIdempotencyKey: "c1" });
  expect(await confirm(id, 250, "c1")).toMatchObject({ status: 200, body: first.body });
  expect((await confirm(id, 100, "c1")).body).toMatchObject({ message: "IDEMPOTENT_OPERATION_FAILED" });
  expect((await confirm(id, 151, "c2")).body).toMatchObject({ message: "INVALID_AMOUNT" });
  expect((await confirm(id, 50, "c2")).status).toBe(200);
  expect(await both(wallet.assetId)).toEqual([100, merchant + 300]);
  expect((await post(id, "/void")).body).toMatchObject({ message: "PRE_AUTH_ALREADY_CONFIRMED" });

  expect((await post(id, "/release")).body).toMatchObject({ type: "release", releasedAmount: "100" });
  expect(await both(wallet.assetId)).toEqual([200, merchant + 300]);
  expect(await read(id)).toMatchObject({
    status: "paid",
    preAuthStatus: "released",
    remainingAmount: "100",
    paidBy: { assetTotals: [{ total: { amount: "250" } }, { total: { amount: "50" } }] },
  });
  expect((await post(id, "/release")).body).toMatchObject({ message: "PRE_AUTH_RELEASED" });
  expect((await confirm(id, 1, "c3")).body).toMatchObject({ message: "PRE_AUTH_RELEASED" });

  expect((await refund(id, 10, "r0")).body).toMatchObject({ message: "CONFIRMATION_NOT_FOUND" });
  expect((await refund(id, 251, "r1", "c1")).body).toMatchObject({ message: "INVALID_AMOUNT" });
  expect((await refund(id, 250, "r1", "c1")).status).toBe(200);
  expect((await refund(id, 1, "r2", "c1")).body).toMatchObject({ message: "ALREADY_REFUNDED" });
  expect(await both(wallet.assetId)).toEqual([450, merchant + 50]);
});

test("a refund of one confirmation does not answer for another's, under the same reference", async () => {
  const wallet = await platform.newWallet(400);
  const id = await platform.request("400", { preAuth: true });
  await platform.pay(id, wallet);
  await confirm(id, 100, "c1");
  await confirm(id, 100, "c2");
  const first = await refund(id, 100, "r1", "c1");
  expect(first.status).toBe(200);
  expect(await refund(id, 100, "r1", "c1")).toMatchObject({ status: 200, body: first.body });
  for (const key of ["c2", undefined])
    expect((await refund(id, 100, "r1", key)).body).toMatchObject({ message: "REPEAT_REFERENCE" });
  expect(await platform.balance(wallet.assetId)).toBe(100);
  expect((await refund(id, 100, "r2", "c2")).status).toBe(200);
});

test("released with nothing confirmed, nothing was paid", async () => {
  const id = await platform.request("400", { preAuth: true });
  await platform.pay(id, await platform.newWallet(400));
  await post(id, "/release");
  const released = await read(id);
  expect(released).toMatchObject({ status: "paid", preAuthStatus: "released", remainingAmount: "400" });
  expect(released).not.toHaveProperty("paidBy");
});

test("what is refunded to a wallet that was archived meanwhile can be spent", async () => {
  const wallet = await platform.newWallet(500);
  const archive = `/api/assets/${wallet.assetId}/archive`;
  const id = await platform.request("500");
  await platform.pay(id, wallet);
  expect((await platform.post(wallet.apiKey, archive)).body).toMatchObject({ status: "archived" });
  expect((await refund(id, 500, "r1")).status).toBe(200);
  expect((await platform.pay(await platform.request("500"), wallet)).status).toBe(200);
});

test("a wallet whose money is held is not archived before that is let go", async () => {
  const wallet = await platform.newWallet(500);
  const id = await platform.request("500", { preAuth: true });
  await platform.pay(id, wallet);
  const archive = (): Promise<Answer> =>
    platform.post(wallet.apiKey, `/api/assets/${wallet.assetId}/archive`);
  expect((await archive()).body).toMatchObject({ message: "UNSUPPORTED_ASSET_TYPE" });
  await post(id, "/release");
  expect((await platform.pay(await platform.request("500"), wallet)).status).toBe(200);
  expect((await archive()).body).toMatchObject({ status: "archived" });
});

test("a request that was never authorised is cancelled by its release, and a plain one is not released at all", async () => {
  const id = await platform.request("400", { preAuth: true });
  expect((await post(id, "/release")).body).toMatchObject({ type: "cancellation" });
  expect((await confirm(id, 1, "c")).body).toMatchObject({ message: "REQUEST_CANCELLED" });
  const plain = await platform.request("400");
  for (const answer of [await post(plain, "/release"), await confirm(plain, 1, "c")])
    expect(answer.body).toMatchObject({ message: "INVALID_PAYMENT_REQUEST_TYPE" });
});

test("voided before anything was confirmed, all of it comes back", async () => {
  const wallet = await platform.newWallet(400);
  const id = await platform.request("400", { preAuth: true });
  await platform.pay(id, wallet);
  const voided = await post(id, "/void");
  expect(voided.body).toMatchObject({ type: "cancellation", cancellationReason: "CANCELLED_BY_MERCHANT" });
  expect(await post(id, "/void")).toMatchObject({ status: 200, body: voided.body });
  expect(await platform.balance(wallet.assetId)).toBe(400);
  expect(await read(id)).toMatchObject({ status: "cancelled", preAuthStatus: "released" });
  const { body } = await platform.get(platform.merchant.terminalKey, at(id, "/activities"));
  expect(body["items"]).toMatchObject([
    { type: "release", releasedAmount: "400" },
    { type: "cancellation", id: voided.body["id"] },
    { type: "authorization" },
    { type: "preAuthRequest" },
  ]);
});

test("what is held comes back by itself when its time is over", async () => {
  const wallet = await platform.newWallet(400);
  const id = await platform.request("400", { preAuth: true });
  await platform.pay(id, wallet);
  await confirm(id, 150, "c1");
  platform.clock.advance(HOLD_MS);
  await expect.poll(() => platform.balance(wallet.assetId)).toBe(250);
  expect(await read(id)).toMatchObject({ preAuthStatus: "released" });
});

test("of confirmations at once, as many go through as are held", async () => {
  const wallet = await platform.newWallet(400);
  const id = await platform.request("400", { preAuth: true });
  await platform.pay(id, wallet);
  const answers = await Promise.all([1, 2, 3, 4, 5].map((n) => confirm(id, 150, `c${n}`)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 403, 403, 403]);
});

test("a confirmation's lines must add up to it", async () => {
  const id = await platform.request("400", { preAuth: true });
  const form = {
    idempotencyKey: "k",
    invoiceRef: "i",
    value: { amount: "2", currency: CURRENCY },
    lineItems: [{ name: "Item", qty: "1", price: "1" }],
  };
  expect(await post(id, "/confirm", form)).toMatchObject({
    status: 400,
    body: { message: "LINE_ITEMS_SUM_CHECK_FAILED" },
  });
});
