/** What runs out while something of it cannot be written down: nobody else waits for it. */
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ProvisionedMerchant, ProvisionedWallet } from "../../cloud/payments/provision.js";
import { HOLD_MS } from "../../cloud/payments/request.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Platform } from "./platform.js";

let platform: Platform;
let logged: { readonly level: number; readonly request?: string }[];
beforeEach(async () => {
  logged = [];
  const log = pino(
    {},
    { write: (line: string) => void logged.push(JSON.parse(line) as (typeof logged)[number]) },
  );
  platform = await openPlatform({ log, requestsPerMinute: 10_000 });
});
afterEach(() => platform.close());

const at = (id: string, verb = ""): string => `/api/payment-requests/${id}${verb}`;
const request = async (merchant: ProvisionedMerchant, amount: string, more: object = {}): Promise<string> => {
  const form = { configId: merchant.configId, value: { amount, currency: CURRENCY }, ...more };
  return String((await platform.post(merchant.terminalKey, "/api/payment-requests", form)).body["id"]);
};
const payPart = async (id: string, { apiKey, assetId }: ProvisionedWallet, amount: string): Promise<void> => {
  const mode = "multi-asset-payment";
  const form = { assetType: ASSET_TYPE, assetId, idempotencyKey: "part", mode, amount };
  expect((await platform.post(apiKey, at(id, "/pay"), form)).status).toBe(200);
};
/** The merchant's wallet gives all that it has to somebody else. */
const spend = async ({ ownerKey, walletId }: ProvisionedMerchant, to: ProvisionedMerchant): Promise<void> => {
  const id = await request(to, String(await platform.balance(walletId)));
  const form = { assetType: ASSET_TYPE, assetId: walletId, idempotencyKey: "all" };
  expect((await platform.post(ownerKey, at(id, "/pay"), form)).status).toBe(200);
};
/** Looks again, the sweep's second later, until `look` sees it. */
const swept = (look: () => Promise<unknown>) =>
  expect.poll(() => {
    platform.clock.advance(1_000);
    return look();
  });
const stored = async (id: string): Promise<string | undefined> => {
  const rows = platform.store.read.selectFrom("payment_request").select("status").where("id", "=", id);
  return (await rows.executeTakeFirst())?.status;
};

test("a part that its merchant has spent keeps back nobody's expiry and nobody's hold, and goes back once it is there", async () => {
  const { merchant } = platform;
  const [other, payer, holder] = [
    await platform.newMerchant(),
    await platform.newWallet(60),
    await platform.newWallet(500),
  ];
  expect((await platform.pay(await request(other, "500", { preAuth: true }), holder)).status).toBe(200);
  platform.clock.advance(HOLD_MS - 60_000);
  const spent = await request(merchant, "100", { expirySeconds: 30 });
  await payPart(spent, payer, "60");
  await spend(merchant, other);
  const theirs = await request(other, "10", { expirySeconds: 60 });
  platform.clock.advance(60_000);
  await swept(() => platform.balance(holder.assetId)).toBe(500);
  await swept(() => stored(theirs)).toBe("expired");
  expect(await stored(spent)).toBe("new");
  const { body } = await platform.get(merchant.terminalKey, at(spent));
  expect(body).toMatchObject({ status: "expired", remainingAmount: "100" });
  expect(body).not.toHaveProperty("paidBy");
  await expect.poll(() => logged).toContainEqual(expect.objectContaining({ level: 50, request: spent }));

  const topUp = { value: { amount: "60", currency: CURRENCY }, idempotencyKey: "again" };
  await platform.post(merchant.ownerKey, `/api/assets/${merchant.walletId}/top-up`, topUp);
  await swept(() => platform.balance(payer.assetId)).toBe(60);
  expect(await stored(spent)).toBe("expired");
});

test("more of them than a sweep takes do not keep back what ran out after them", async () => {
  const { merchant } = platform;
  const [other, payer] = [await platform.newMerchant(), await platform.newWallet(120)];
  const spent: string[] = [];
  for (let n = 0; n < 120; n += 1) {
    const id = await request(merchant, "100", { expirySeconds: 86_400 });
    await payPart(id, payer, "1");
    spent.push(id);
  }
  await spend(merchant, other);
  platform.clock.advance(60_000);
  const theirs = await request(other, "10", { expirySeconds: 86_400 });
  platform.clock.advance(86_400_000);
  await swept(() => stored(theirs)).toBe("expired");
  expect(await Promise.all(spent.map(stored))).toEqual(spent.map(() => "new"));

  const topUp = { value: { amount: "120", currency: CURRENCY }, idempotencyKey: "again" };
  await platform.post(merchant.ownerKey, `/api/assets/${merchant.walletId}/top-up`, topUp);
  platform.clock.advance(3_600_000);
  await swept(() => platform.balance(payer.assetId)).toBe(120);
});
