/** Paying by a provider elsewhere: whatever it does, and whenever we stop, no money is kept and none is made. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Secret } from "../../broker/protocol/configuration.js";
import { LEASE_MS } from "../../cloud/payments/uplink-rows.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";
import {
  bare,
  closesAfter,
  closesBefore,
  openUplinkServer,
  says,
  silentAfter,
  silentBefore,
  works,
  type Manner,
  type UplinkServer,
} from "./uplink-server.js";

const KEY = "a-key-of-the-uplink-provider";
const TYPE = "uplinkapi.test";
const TIMEOUT_MS = 10_000;
let uplink: UplinkServer;
let platform: Platform;
let configId: string;
const settings = () => ({ url: uplink.url, key: new Secret(KEY), timeoutMs: TIMEOUT_MS });
beforeEach(async () => {
  uplink = await openUplinkServer(KEY);
  platform = await openPlatform({ uplink: settings() });
  configId = await platform.newConfig([
    { type: TYPE, externalMerchantId: "shop-7" },
    { type: ASSET_TYPE, walletId: platform.merchant.walletId },
  ]);
});
afterEach(async () => {
  await platform.close();
  await uplink.close();
});

const at = (id: string, verb = ""): string => `/api/payment-requests/${id}${verb}`;
const request = (value = "100", more = {}) => platform.request(value, { configId, ...more });
const pay = (id: string, more = {}, on = platform): Promise<Answer> =>
  on.post(on.wallet.apiKey, at(id, "/pay"), {
    assetType: TYPE,
    authorization: "payer-says-yes",
    idempotencyKey: "k1",
    ...more,
  });
const payByWallet = (id: string, more = {}): Promise<Answer> =>
  platform.post(platform.wallet.apiKey, at(id, "/pay"), {
    assetType: ASSET_TYPE,
    assetId: platform.wallet.assetId,
    idempotencyKey: "wallet",
    ...more,
  });
const terminal = (verb: string, id: string, body?: object): Promise<Answer> =>
  platform.post(platform.merchant.terminalKey, at(id, verb), body);
const refund = (id: string, amount: string, externalRef: string): Promise<Answer> =>
  terminal("/refund", id, { value: { amount, currency: CURRENCY }, externalRef });
const read = async (id: string, on = platform) => (await on.get(platform.merchant.terminalKey, at(id))).body;
const calls = (on = platform) => on.store.read.selectFrom("uplink_call").selectAll().orderBy("id").execute();
const states = async (on = platform): Promise<readonly string[]> =>
  (await calls(on)).map(({ state }) => state);
const soon = (what: () => Promise<unknown>) => expect.poll(what, { timeout: 45_000, interval: 5 });
/** Lets time go on until every call is settled: the back-off and the leases are over then. */
const settle = async (on = platform): Promise<void> => {
  await soon(async () => {
    on.clock.advance(LEASE_MS);
    return (await calls(on)).every(({ settled_ms }) => settled_ms !== null);
  }).toBe(true);
};
const asked = (count: number) => soon(() => Promise.resolve(uplink.calls.length)).toBe(count);
/** Lets time go on until the provider was asked so often. */
const askedAgain = (count: number) =>
  soon(() => {
    platform.clock.advance(LEASE_MS);
    return Promise.resolve(uplink.calls.length);
  }).toBeGreaterThanOrEqual(count);
const notified = async (id: string): Promise<readonly string[]> => {
  const rows = await platform.store.read.selectFrom("notification").selectAll().orderBy("id").execute();
  const types = rows.filter((row) => row.payment_request_id === id).map(({ type }) => type);
  return types.map((type) => type.replace("payment-request:", "")).sort(); // ids of one millisecond have no order
};
const unconfirmed = { status: 403, body: { message: "PAYMENT_UNCONFIRMED" } };
const declined = { status: 403, body: { message: "PAYMENT_DECLINED" } };

describe("a payment", () => {
  test("is taken there, and booked here between what the provider owes and what the merchant is owed", async () => {
    const id = await request();
    const first = await pay(id);
    expect(first).toMatchObject({
      status: 200,
      body: { type: "payment", assetType: TYPE, idempotencyKey: "k1" },
    });
    const [call] = await calls();
    expect(uplink.calls).toEqual([
      {
        method: "POST",
        path: "/payments",
        authorization: `Bearer ${KEY}`,
        body: {
          id: call?.id,
          idempotencyKey: call?.id,
          merchant: "shop-7",
          value: { amount: "100", currency: CURRENCY },
          authorization: "payer-says-yes",
          paymentRequestId: id,
        },
      },
    ]);
    expect(await read(id)).toMatchObject({ status: "paid", remainingAmount: "0" });
    expect(await platform.balance("uplink.nzd")).toBe(-100);
    expect(await platform.balance(`uplink.${platform.merchant.ownerAccountId}.nzd`)).toBe(100);
    expect(await notified(id)).toEqual(["paid"]);
    expect(await pay(id)).toMatchObject({ status: 200, body: first.body });
    expect(uplink.calls).toHaveLength(1);
    expect(JSON.stringify(await calls())).not.toContain("payer-says-yes");
  });

  test("that is declined leaves the request to be paid otherwise, and stays declined under its key", async () => {
    uplink.isPoor = true;
    const id = await request();
    expect(await pay(id)).toMatchObject(declined);
    expect(await read(id)).toMatchObject({ status: "new", remainingAmount: "100" });
    expect(await pay(id)).toMatchObject(declined);
    uplink.isPoor = false;
    expect(await pay(id, { idempotencyKey: "k2" })).toMatchObject({ status: 200 });
  });

  test("is offered only where a provider is configured, and never to hold money", async () => {
    const without = await openPlatform();
    const options = [{ type: TYPE, externalMerchantId: "shop-7" }];
    const form = { configId: await without.newConfig(options), value: { amount: "1", currency: CURRENCY } };
    const { merchant } = without;
    expect(await without.post(merchant.terminalKey, "/api/payment-requests", form)).toMatchObject({
      body: { message: "NO_AVAILABLE_PAYMENT_OPTIONS" },
    });
    await without.close();
    const held = await read(await request("100", { preAuth: true }));
    expect(held["paymentOptions"]).toEqual([{ assetType: ASSET_TYPE, amount: "100" }]);
  });

  test("needs the payer's authorization, and its config what the provider knows the merchant by", async () => {
    const id = await request();
    expect(await pay(id, { authorization: undefined, assetId: "x" })).toMatchObject({ status: 400 });
    const { merchantId, ownerKey } = platform.merchant;
    const config = { paymentOptions: [{ type: TYPE }] };
    expect(await platform.post(ownerKey, `/api/merchants/${merchantId}/configs`, config)).toMatchObject({
      status: 400,
      body: { message: "paymentOptions.0.externalMerchantId: is needed for this type" },
    });
    expect(uplink.calls).toEqual([]);
  });
});

describe("an option that pays into a wallet", () => {
  const TYPE_ONLY = { type: TYPE, externalMerchantId: "shop-7" };

  test("is offered for what that wallet keeps, and pays into it", async () => {
    const { walletId, terminalKey } = platform.merchant;
    const config = await platform.newConfig([{ ...TYPE_ONLY, walletId }]);
    const form = { configId: config, value: { amount: "100", currency: "AUD" } };
    expect(await platform.post(terminalKey, "/api/payment-requests", form)).toMatchObject({
      body: { message: "NO_AVAILABLE_PAYMENT_OPTIONS" },
    });
    expect((await pay(await request("100", { configId: config }))).status).toBe(200);
    expect(await platform.balance(walletId)).toBe(100);
  });

  test("and cannot, gives back there what was taken", async () => {
    const { walletId, terminalKey } = platform.merchant;
    const config = await platform.newConfig([TYPE_ONLY]);
    const value = { amount: "100", currency: "AUD" };
    const form = { configId: config, value, expirySeconds: 86_400 };
    const id = String((await platform.post(terminalKey, "/api/payment-requests", form)).body["id"]);
    // As requests were kept before their wallet was looked at.
    const options = JSON.stringify([
      { assetType: TYPE, amountMinor: 100, walletId, externalMerchantId: "shop-7" },
    ]);
    await platform.store.write((tx) =>
      tx.updateTable("payment_request").set({ payment_options: options }).where("id", "=", id).execute(),
    );
    expect(await pay(id)).toMatchObject(declined);
    expect(await pay(id)).toMatchObject(declined);
    await settle();
    expect(await states()).toEqual(["cancelled"]);
    expect(uplink.kept()).toBe(0);
    expect(await read(id)).toMatchObject({ status: "new", remainingAmount: "100" });
    expect(await platform.balance(walletId)).toBe(0);
  });
});

describe("an answer that is no word", () => {
  // prettier-ignore
  test.each<[what: string, comes: "paid" | "cancelled", manner: Manner]>([
    ["an error, before it was taken",        "cancelled", bare(500, "oops")],
    ["an error, after it was taken",         "paid",      bare(500, "oops", true)],
    ["a page",                               "paid",      bare(200, "<html>", true)],
    ["JSON of another kind",                 "paid",      bare(200, "[]", true)],
    ["a redirect",                           "cancelled", bare(302, "", false)],
    ["a refusal of the call itself",         "cancelled", bare(403, '{"status":"declined"}')],
    ["ten megabytes",                        "paid",      bare(200, " ".repeat(10_000_000), true)],
    ["a word about another payment",         "paid",      says({ id: "other" })],
    ["a word about another amount",          "paid",      says({ value: { amount: "1", currency: CURRENCY } })],
    ["a payment that is still being made",   "paid",      says({ status: "pending" })],
    ["a closed socket, before it was taken", "cancelled", closesBefore],
    ["a closed socket, after it was taken",  "paid",      closesAfter],
  ])("%s: unconfirmed, then %s", async (_what, comes, manner) => {
    uplink.manner = manner;
    const id = await request();
    expect(await pay(id)).toMatchObject(unconfirmed);
    expect(await states()).toEqual(["paying"]);
    expect(await read(id)).toMatchObject({ status: "new", remainingAmount: "0" });
    expect(await pay(id)).toMatchObject(unconfirmed);
    expect(uplink.calls).toHaveLength(1);
    uplink.manner = works;
    await settle();
    expect(await states()).toEqual([comes]);
    expect(uplink.kept()).toBe(comes === "paid" ? 100 : 0);
    expect(await pay(id)).toMatchObject(comes === "paid" ? { status: 200, body: { type: "payment" } } : declined);
    expect(await notified(id)).toEqual(comes === "paid" ? ["paid"] : []);
  });

  test.each<[string, Manner, "paid" | "cancelled"]>([
    ["before", silentBefore, "cancelled"],
    ["after", silentAfter, "paid"],
  ])("silence %s it was taken is waited out, then asked about", async (_what, manner, comes) => {
    uplink.manner = manner;
    const id = await request();
    const answer = pay(id);
    await asked(1);
    platform.clock.advance(TIMEOUT_MS);
    expect(await answer).toMatchObject(unconfirmed);
    uplink.manner = works;
    await settle();
    expect(await states()).toEqual([comes]);
  });

  test("is asked about again and again while it stays none", async () => {
    uplink.manner = bare(500, "oops", true);
    const id = await request();
    await pay(id);
    await askedAgain(6);
    expect(await read(id)).toMatchObject({ status: "new" });
    uplink.manner = works;
    await settle();
    expect(await read(id)).toMatchObject({ status: "paid" });
  });
});

describe("while a payment is pending", () => {
  const pending = async (value = "100", more = {}, paying = {}): Promise<string> => {
    const id = await request(value, more);
    uplink.manner = closesAfter;
    expect(await pay(id, paying)).toMatchObject(unconfirmed);
    uplink.manner = works;
    return id;
  };

  test("nobody else pays what it would take", async () => {
    const id = await pending();
    expect(await payByWallet(id)).toMatchObject({ body: { message: "REMAINING_AMOUNT_EXCEEDED" } });
    expect(await pay(id, { idempotencyKey: "k2" })).toMatchObject({
      body: { message: "REMAINING_AMOUNT_EXCEEDED" },
    });
    expect(uplink.calls).toHaveLength(1);
    await settle();
    expect(await read(id)).toMatchObject({ status: "paid" });
  });

  test("the rest is paid by others, and the request is paid when it is taken", async () => {
    const multi = { mode: "multi-asset-payment" };
    const id = await pending("100", {}, { ...multi, amount: "60" });
    expect(await payByWallet(id, { ...multi, amount: "41" })).toMatchObject({ status: 403 });
    expect(await payByWallet(id, multi)).toMatchObject({ status: 200, body: { value: { amount: "40" } } });
    expect(await read(id)).toMatchObject({ status: "new", remainingAmount: "0" });
    await settle();
    expect(await read(id)).toMatchObject({ status: "paid" });
    expect(await notified(id)).toEqual(["paid"]);
  });

  test("the request does not run out; it does when the provider never took it", async () => {
    const id = await request();
    uplink.manner = closesBefore;
    await pay(id);
    uplink.manner = bare(500, "oops");
    platform.clock.advance(200_000);
    expect(await read(id)).toMatchObject({ status: "new" });
    uplink.manner = works;
    await settle();
    await soon(async () => (await read(id))["status"]).toBe("expired");
  });

  test("its activity stands where it was taken, not where it was asked for", async () => {
    const id = await pending();
    uplink.manner = bare(500, "oops"); // whatever is asked of it meanwhile
    platform.clock.advance(1_000);
    const later = await request("7");
    expect((await payByWallet(later)).status).toBe(200);
    uplink.manner = works;
    await settle();
    const { body } = await platform.get(
      platform.merchant.terminalKey,
      `/api/payment-activities?merchantId=${platform.merchant.merchantId}&paginationLimit=3`,
    );
    const items = body["items"] as { readonly paymentRequestId: string; readonly createdAt: string }[];
    expect(items.map(({ paymentRequestId }) => paymentRequestId)).toEqual([id, later, later]);
    expect(items.map(({ createdAt }) => createdAt)).toEqual(
      items.map(({ createdAt }) => createdAt).toSorted((a, b) => b.localeCompare(a)),
    );
    expect(await pay(id)).toMatchObject({ status: 200, body: items[0] });
  });

  test("it is taken when it was, even past the request's time", async () => {
    const id = await pending();
    platform.clock.advance(200_000);
    await settle();
    expect(await read(id)).toMatchObject({ status: "paid" });
  });

  test("a void cancels the request at once, and the payment there until it is", async () => {
    const id = await pending();
    uplink.manner = bare(500, "oops");
    expect(await terminal("/void", id)).toMatchObject({ status: 200, body: { type: "cancellation" } });
    expect(await read(id)).toMatchObject({ status: "cancelled" });
    expect(await pay(id)).toMatchObject(declined);
    await asked(2); // at once
    expect(uplink.kept()).toBe(100);
    uplink.manner = works;
    await settle();
    expect(await states()).toEqual(["cancelled"]);
    expect(uplink.kept()).toBe(0);
    expect(await notified(id)).toEqual([]);
  });

  test("a word that comes after the void takes nothing", async () => {
    let answer = (): void => undefined;
    uplink.manner = (response, work, call) => {
      if (call.path === "/payments") answer = () => works(response, work, call);
      else works(response, work, call);
    };
    const id = await request();
    const paying = pay(id);
    await asked(1);
    await terminal("/void", id);
    await soon(states).toEqual(["cancelled"]);
    answer(); // the payment reaches the provider last of all
    expect(await paying).toMatchObject(declined);
    expect(uplink.kept()).toBe(0);
    expect(await read(id)).toMatchObject({ status: "cancelled" });
  });

  test("a part payment that ends the request calls it off", async () => {
    const more = { partialAllowed: true, basketAmount: "100" };
    const id = await pending("100", more, { mode: "multi-asset-payment", amount: "60" });
    expect(await payByWallet(id, { mode: "partial-payment", amount: "30" })).toMatchObject({ status: 200 });
    await settle();
    expect(await states()).toEqual(["cancelled"]);
    expect(uplink.kept()).toBe(0);
    expect(await read(id)).toMatchObject({ status: "paid", remainingAmount: "70" });
  });
});

describe("a refund", () => {
  test("is begun here and completed there, once", async () => {
    const id = await request();
    await pay(id);
    uplink.manner = closesAfter;
    const first = await refund(id, "30", "r1");
    expect(first).toMatchObject({ status: 200, body: { type: "refund" } });
    expect((await refund(id, "30", "r1")).body).toEqual(first.body);
    expect(await notified(id)).toEqual(["paid", "refund-initiated"]);
    await asked(2);
    uplink.manner = works;
    await settle();
    expect(uplink.kept()).toBe(70);
    expect(await notified(id)).toEqual(["paid", "refund-completed", "refund-initiated"]);
    expect(await platform.balance("uplink.nzd")).toBe(-70);
    expect(await refund(id, "71", "r2")).toMatchObject({ body: { message: "INVALID_AMOUNT" } });
    await terminal("/void", id);
    await settle();
    expect(uplink.kept()).toBe(0);
  });

  test("that the provider declines stays owed until it gives in", async () => {
    const id = await request();
    await pay(id);
    uplink.isStubborn = true;
    await refund(id, "100", "r1");
    await asked(2);
    await askedAgain(4);
    expect(await states()).toContain("refunding");
    expect(await notified(id)).toEqual(["paid", "refund-initiated"]);
    uplink.isStubborn = false;
    await settle();
    expect(uplink.kept()).toBe(0);
    expect(await notified(id)).toEqual(["paid", "refund-completed", "refund-initiated"]);
  });

  test("of a part that ended with its request is owed too", async () => {
    const id = await request();
    await pay(id, { mode: "multi-asset-payment", amount: "60" });
    await terminal("/void", id);
    await settle();
    expect(uplink.kept()).toBe(0);
    expect(await notified(id)).toEqual(["refund-completed", "refund-initiated"]);
  });
});

describe("a platform that stops in the middle", () => {
  test.each<[string, boolean, "paid" | "cancelled"]>([
    ["before the provider has heard of it", false, "cancelled"],
    ["after the provider has taken it", true, "paid"],
  ])("%s: the next one finds out", async (_what, isTaken, comes) => {
    let answer = (): void => undefined;
    uplink.manner = (response, work, call) => {
      if (isTaken) work();
      answer = () => bare(500, "oops")(response, work, call);
    };
    const id = await request("100", { expirySeconds: 86_400 });
    const paying = pay(id);
    await asked(1);
    const kept = await platform.database.copy(); // as a power cut leaves it, the provider holding its answer
    uplink.manner = works;
    const next = await openPlatform({ kept, uplink: settings() });
    expect(await states(next)).toEqual(["paying"]);
    expect(await pay(id, {}, { ...next, wallet: platform.wallet })).toMatchObject(unconfirmed);
    await settle(next);
    expect(await states(next)).toEqual([comes]);
    expect(uplink.kept()).toBe(comes === "paid" ? 100 : 0);
    expect(await read(id, next)).toMatchObject({ status: comes === "paid" ? "paid" : "new" });
    await next.close();
    await kept.drop();
    answer();
    await paying;
  });

  test("and several that go on ask once between them", async () => {
    uplink.manner = closesAfter;
    const id = await request();
    await pay(id);
    uplink.manner = works;
    const other = await openPlatform({ kept: platform.database, uplink: settings() });
    platform.clock.advance(LEASE_MS);
    other.clock.advance(LEASE_MS);
    await soon(states).toEqual(["paid"]);
    expect(uplink.calls).toHaveLength(2);
    await other.close();
    expect(await read(id)).toMatchObject({ status: "paid" });
  });
});
