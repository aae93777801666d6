/** What was delivered long ago goes; what was not, and every row about money, stays. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ProvisionedMerchant } from "../../cloud/payments/provision.js";
import { KEPT_MS, Pruning } from "../../cloud/payments/pruning.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Platform } from "./platform.js";
import { ok, openReceiver, status, type Receiver } from "./receiver.js";

let platform: Platform;
let heard: Receiver;
let deaf: Receiver;
beforeEach(async () => {
  [platform, heard, deaf] = await Promise.all([openPlatform(), openReceiver(), openReceiver()]);
  deaf.manner = status(503);
});
afterEach(async () => {
  await platform.close();
  await Promise.all([heard.close(), deaf.close()]);
});

async function subscribe(
  { ownerKey, ownerAccountId }: ProvisionedMerchant,
  { url }: Receiver,
): Promise<string> {
  const types = ["payment-request:paid"];
  const form = { accountId: ownerAccountId, url, types };
  return String((await platform.post(ownerKey, "/api/webhook-subscriptions", form)).body["id"]);
}
async function sell({ terminalKey, configId }: ProvisionedMerchant): Promise<void> {
  const value = { amount: "10", currency: CURRENCY };
  const { body } = await platform.post(terminalKey, "/api/payment-requests", { configId, value });
  const { apiKey, assetId } = platform.wallet;
  const pay = { assetType: ASSET_TYPE, assetId, idempotencyKey: "k" };
  expect((await platform.post(apiKey, `/api/payment-requests/${String(body["id"])}/pay`, pay)).status).toBe(
    200,
  );
}
const deliveries = () =>
  platform.store.read
    .selectFrom("delivery")
    .innerJoin("notification", "notification.id", "delivery.notification_id")
    .select(["delivery.id", "delivery.subscription_id", "delivery.state", "notification.account_id"])
    .execute();
const states = async (): Promise<readonly string[]> => (await deliveries()).map(({ state }) => state).sort();
const become = (expected: readonly string[]) => expect.poll(states, { interval: 5 }).toEqual(expected);
const notified = async (): Promise<readonly string[]> =>
  (await platform.store.read.selectFrom("notification").select("account_id").execute()).map(
    (row) => row.account_id,
  );
const attempts = async (): Promise<number> =>
  (await platform.store.read.selectFrom("delivery_attempt").select("number").execute()).length;
const MONEY = ["entry", "transfer", "payment", "payment_request", "activity", "operation"] as const;
const money = () =>
  Promise.all(MONEY.map((table) => platform.store.read.selectFrom(table).selectAll().execute()));
const walk = async (limit = 2): Promise<void> => {
  const pruning = new Pruning(platform);
  while (await pruning.step(limit));
};

test("what was delivered thirty days ago goes with its attempts, what was not delivered stays", async () => {
  const [both, one, nobody] = [platform.merchant, await platform.newMerchant(), await platform.newMerchant()];
  await subscribe(both, heard);
  const waiting = await subscribe(both, deaf);
  await subscribe(one, heard);
  for (const merchant of [both, one, one, one, nobody]) await sell(merchant);
  await become([...Array.from({ length: 4 }, () => "delivered"), "due"]);
  const before = await money();

  platform.clock.advance(KEPT_MS);
  await become([...Array.from({ length: 3 }, () => "delivered"), "delivered", "abandoned"].sort());
  await walk();
  expect(await notified(), "to the day").toHaveLength(5);
  expect(await attempts()).toBe(6);

  platform.clock.advance(1);
  await walk();
  expect(await notified()).toEqual([both.ownerAccountId]);
  expect(await deliveries()).toMatchObject([{ subscription_id: waiting, state: "abandoned" }]);
  expect(await attempts(), "both attempts of what was not heard").toBe(2);
  expect(await money()).toEqual(before);

  // Asked for once more it is due, however old; heard, it is kept for thirty days again.
  const [left] = await deliveries();
  const redeliver = `/api/webhook-deliveries/${left?.id ?? ""}/redeliver`;
  expect((await platform.post(both.ownerKey, redeliver)).status).toBe(200);
  await expect.poll(attempts, { interval: 5 }).toBe(3);
  await walk();
  expect(await states()).toEqual(["due"]);
  deaf.manner = ok;
  platform.clock.advance(60_000);
  await become(["delivered"]);
  await walk();
  expect(await states()).toEqual(["delivered"]);
  platform.clock.advance(KEPT_MS + 1);
  await walk();
  expect([await states(), await notified(), await attempts()]).toEqual([[], [], 0]);
  expect((await platform.post(both.ownerKey, redeliver)).status).toBe(403);
});

test("the sweep sees to it, more of them than a batch holds", async () => {
  await subscribe(platform.merchant, heard);
  await sell(platform.merchant);
  await become(["delivered"]);
  const createdMs = platform.clock.nowMs();
  await platform.store.write((tx) =>
    tx
      .insertInto("notification")
      .values(
        Array.from({ length: 250 }, (_, n) => ({
          id: `0000000${String(n).padStart(18, "0")}`,
          account_id: platform.merchant.ownerAccountId,
          type: "payment-request:paid",
          test: 1,
          body: "{}",
          created_ms: createdMs,
        })),
      )
      .execute(),
  );
  platform.clock.advance(KEPT_MS + 60_000);
  await expect
    .poll(async () => {
      platform.clock.advance(1_000);
      return [(await notified()).length, (await states()).length, await attempts()];
    })
    .toEqual([0, 0, 0]);
});
