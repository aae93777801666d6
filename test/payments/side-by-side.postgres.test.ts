/**
 * Two platforms on one database, asked at once: whichever of them is asked, a key has one effect and one answer, and money
 * is spent once.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSigningKey } from "../../cloud/payments/signing-key.js";
import { setWebhookUrl } from "../../cloud/payments/provision.js";
import { newDatabase, openTestStore, type TestDatabase } from "../store/database.js";
import { CURRENCY, openPlatform, random, type Answer, type Platform } from "./platform.js";

const AT_ONCE = 24;
let database: TestDatabase;
let platforms: readonly [Platform, Platform];
beforeAll(async () => {
  database = await newDatabase();
  platforms = await Promise.all([openPlatform({ kept: database }), openPlatform({ kept: database })]);
});
afterAll(async () => {
  for (const platform of platforms) await platform.close();
  await database.drop();
});

/** Asks the two in turn, all at once. */
const atOnce = (ask: (platform: Platform, n: number) => Promise<Answer>): Promise<readonly Answer[]> =>
  Promise.all(Array.from({ length: AT_ONCE }, (_, n) => ask(platforms[n % 2 === 0 ? 0 : 1], n)));
const statuses = (answers: readonly Answer[]): readonly string[] => [
  ...new Set(
    answers.map(({ status, body }) =>
      status === 200 ? "200" : `${status} ${JSON.stringify(body["message"])}`,
    ),
  ),
];
const succeeded = (answers: readonly Answer[]): readonly Answer[] =>
  answers.filter(({ status }) => status === 200);

test("one key pays once, and every answer is the first one", async () => {
  const [one] = platforms;
  const id = await one.request("100");
  const before = await one.balance(one.wallet.assetId);
  const answers = await atOnce((platform) => platform.pay(id, one.wallet, "the key"));
  expect(statuses(answers)).toEqual(["200"]);
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(await one.balance(one.wallet.assetId)).toBe(before - 100);
});

test("of many who pay one request one does, and the others hear that it is paid", async () => {
  const [one] = platforms;
  const id = await one.request("100");
  const wallets = await Promise.all(Array.from({ length: AT_ONCE }, () => one.newWallet(100)));
  const answers = await atOnce((platform, n) => platform.pay(id, wallets[n]));
  expect(succeeded(answers)).toHaveLength(1);
  expect([...statuses(answers)].sort()).toEqual(["200", '403 "REQUEST_PAID"']);
});

test("a wallet that pays many requests at once pays what it holds, and is told of the rest that it is too little", async () => {
  const [one] = platforms;
  const wallet = await one.newWallet(500);
  const ids = await Promise.all(Array.from({ length: AT_ONCE }, () => one.request("100")));
  const answers = await atOnce((platform, n) => platform.pay(ids[n] ?? "", wallet));
  expect(succeeded(answers)).toHaveLength(5);
  expect([...statuses(answers)].sort()).toEqual(["200", '403 "INSUFFICIENT_ASSET_VALUE"']);
  expect(await one.balance(wallet.assetId)).toBe(0);
});

test("refunds at once give back no more than was paid, each reference once", async () => {
  const [one] = platforms;
  const id = await one.request("100");
  await one.pay(id);
  const answers = await atOnce((platform, n) =>
    platform.post(one.merchant.terminalKey, `/api/payment-requests/${id}/refund`, {
      value: { amount: "30", currency: CURRENCY },
      externalRef: `ref-${n % 8}`,
    }),
  );
  const made = new Set(succeeded(answers).map(({ body }) => JSON.stringify(body)));
  expect(made.size).toBe(3);
  for (const { status } of answers) expect([200, 403]).toContain(status);
  const { body } = await one.get(one.merchant.terminalKey, `/api/payment-requests/${id}/activities`);
  expect((body["items"] as readonly unknown[]).length).toBe(2 + 3); // made, paid, three refunds
});

test("a void and a payment at once come to one of the two", async () => {
  const [one] = platforms;
  for (let round = 0; round < 5; round += 1) {
    const id = await one.request("10");
    const before = await one.balance(one.wallet.assetId);
    const answers = await atOnce((platform, n) =>
      n % 3 === 0
        ? platform.post(one.merchant.terminalKey, `/api/payment-requests/${id}/void`)
        : platform.pay(id, one.wallet, "the key"),
    );
    for (const { status } of answers) expect([200, 403]).toContain(status);
    expect(await one.balance(one.wallet.assetId)).toBe(before); // cancelled before it was paid, or paid and given back
  }
});

test("a key tops a wallet up once", async () => {
  const [one] = platforms;
  const wallet = await one.newWallet(0);
  const answers = await atOnce((platform) =>
    platform.post(wallet.apiKey, `/api/assets/${wallet.assetId}/top-up`, {
      value: { amount: "70", currency: CURRENCY },
      idempotencyKey: "the key",
    }),
  );
  expect(statuses(answers)).toEqual(["200"]);
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(await one.balance(wallet.assetId)).toBe(70);
});

test("payments and refunds that go both ways between two accounts all get through", async () => {
  const [one] = platforms;
  const wallet = await one.newWallet(10_000);
  const ids = await Promise.all(Array.from({ length: AT_ONCE }, () => one.request("10")));
  await Promise.all(ids.filter((_id, n) => n % 3 === 0).map((id) => one.pay(id, wallet)));
  const answers = await atOnce((platform, n) =>
    n % 3 === 0
      ? platform.post(one.merchant.terminalKey, `/api/payment-requests/${ids[n] ?? ""}/refund`, {
          value: { amount: "10", currency: CURRENCY },
          externalRef: "back",
        })
      : platform.pay(ids[n] ?? "", wallet),
  );
  expect(statuses(answers)).toEqual(["200"]);
  expect(await one.balance(wallet.assetId)).toBe(
    10_000 - 10 * answers.filter((_answer, n) => n % 3 !== 0).length,
  );
});

test("an expiry is written down once, whoever sweeps", async () => {
  const [one, two] = platforms;
  const ids = await Promise.all(Array.from({ length: 30 }, () => one.request("10", { expirySeconds: 60 })));
  const paid = ids.slice(0, 5);
  await Promise.all(paid.map((id) => one.pay(id)));
  for (const platform of platforms) platform.clock.advance(61_000);
  const statusOf = async (id: string): Promise<unknown> =>
    one.store.read.selectFrom("payment_request").select("status").where("id", "=", id).executeTakeFirst();
  await expect
    .poll(async () => {
      for (const platform of [one, two]) platform.clock.advance(1_000);
      return Promise.all(ids.slice(5).map(statusOf));
    })
    .toEqual(ids.slice(5).map(() => ({ status: "expired" })));
  const expiries = await one.store.read
    .selectFrom("activity")
    .select("payment_request_id")
    .where("type", "=", "expiry")
    .where("payment_request_id", "in", ids)
    .execute();
  expect(expiries.map((row) => row.payment_request_id).sort()).toEqual(ids.slice(5).sort());
});

test("everybody signs with one key, and a webhook is subscribed once, however many start at once", async () => {
  const fresh = await newDatabase();
  const stores = await Promise.all(Array.from({ length: 4 }, () => openTestStore(fresh.url)));
  const keys = await Promise.all(stores.map((store, n) => openSigningKey(store, n)));
  expect(new Set(keys.map(({ kid }) => kid)).size).toBe(1);
  for (const store of stores) await store.close();
  await fresh.drop();

  const [one] = platforms;
  const { ownerAccountId } = await one.newMerchant();
  await Promise.all(
    platforms.flatMap(({ store, clock }) =>
      [1, 2, 3].map(() =>
        store.write((tx) =>
          setWebhookUrl(tx, { clock, random }, ownerAccountId, "https://shop.example/hook", []),
        ),
      ),
    ),
  );
  const subscriptions = one.store.read.selectFrom("webhook_subscription").selectAll();
  expect(await subscriptions.where("account_id", "=", ownerAccountId).execute()).toHaveLength(1);
});
