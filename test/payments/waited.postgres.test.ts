/** Whoever had to wait for a row decides by what is there after the wait, not by what was there before it. */
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Tables } from "../../cloud/store/tables.js";
import { newDatabase, type TestDatabase } from "../store/database.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";
import { openReceiver } from "./receiver.js";

const VOUCHER = "voucher.nzd.test";
let database: TestDatabase;
let platform: Platform;
let holder: Client;
let watcher: Client;
let configId: string;
beforeAll(async () => {
  database = await newDatabase();
  platform = await openPlatform({ kept: database });
  holder = new Client({ connectionString: database.url });
  watcher = new Client({ connectionString: database.url });
  await holder.connect();
  await watcher.connect();
  const { walletId } = platform.merchant;
  configId = await platform.newConfig([ASSET_TYPE, VOUCHER].map((type) => ({ type, walletId })));
});
afterAll(async () => {
  await holder.end();
  await watcher.end();
  await platform.close();
  await database.drop();
});

/** How many statements wait for a row. */
const waiting = async (): Promise<number> => {
  const { rows } = await watcher.query<{ pid: number }>(
    "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return rows.length;
};
/** Asks while the row is held, each once those before it wait. Then lets go, and answers what they were answered. `meanwhile`: once all wait. */
async function inLine(
  table: keyof Tables,
  id: string,
  asks: readonly (() => Promise<Answer>)[],
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<readonly Answer[]> {
  const answers: Promise<Answer>[] = [];
  await holder.query("begin");
  await holder.query(`select 1 from ${table} where id = $1 for no key update`, [id]);
  for (const ask of asks) {
    answers.push(ask());
    await expect.poll(waiting, { timeout: 20_000, interval: 5 }).toBe(answers.length);
  }
  await meanwhile();
  await holder.query("commit");
  return Promise.all(answers);
}

const issue = async (
  minor: number,
  more: object = {},
): Promise<{ readonly id: string; readonly code: string }> => {
  const { body } = await issuing(minor, more);
  return { id: String(body["id"]), code: String(body["code"]) };
};
const issuing = (minor: number, more: object): Promise<Answer> =>
  platform.post(platform.merchant.ownerKey, "/api/vouchers", {
    accountId: platform.merchant.ownerAccountId,
    type: VOUCHER,
    value: { amount: String(minor), currency: CURRENCY },
    ...more,
  });
const redeem = async (authorization: string): Promise<() => Promise<Answer>> => {
  const id = await platform.request("100", { configId });
  return () =>
    platform.post(platform.merchant.terminalKey, `/api/payment-requests/${id}/pay`, {
      assetType: VOUCHER,
      authorization,
      idempotencyKey: "once",
    });
};
const cancel = (id: string) => () => platform.post(platform.merchant.ownerKey, `/api/vouchers/${id}/cancel`);
const outcome = ({ status, body }: Answer): unknown => (status === 200 ? 200 : body["message"]);

test("a voucher that is cancelled right after it paid gives its issuer the change", async () => {
  const { id, code } = await issue(150);
  const [paid, cancelled] = await inLine("voucher", id, [await redeem(code), cancel(id)]);
  expect(paid?.status).toBe(200);
  expect(cancelled).toMatchObject({ status: 200, body: { status: "spent", balance: "0" } });
});

test("a voucher that is to pay right after it was cancelled does not", async () => {
  const { id, code } = await issue(150);
  const answers = await inLine("voucher", id, [cancel(id), await redeem(code)]);
  expect(answers.map(outcome)).toEqual([200, "INACTIVE_ASSET"]);
});

test("a voucher that pays twice at once pays once", async () => {
  const { id, code } = await issue(150);
  const answers = await inLine("voucher", id, [await redeem(code), await redeem(code)]);
  expect(answers.map(outcome)).toEqual([200, "INACTIVE_ASSET"]);
});

test("a wallet that was filled is not archived", async () => {
  const { apiKey, assetId } = await platform.newWallet(0);
  const at = (verb: string): string => `/api/assets/${assetId}/${verb}`;
  const value = { amount: "100", currency: CURRENCY };
  const answers = await inLine("asset", assetId, [
    () => platform.post(apiKey, at("top-up"), { value, idempotencyKey: "once" }),
    () => platform.post(apiKey, at("archive")),
  ]);
  expect(answers.map(outcome)).toEqual([200, "UNSUPPORTED_ASSET_TYPE"]);
});

test("a wallet into which a refund went is not archived", async () => {
  const wallet = await platform.newWallet(100);
  const id = await platform.request("100");
  await platform.pay(id, wallet);
  const value = { amount: "100", currency: CURRENCY };
  const answers = await inLine("ledger_account", wallet.assetId, [
    () =>
      platform.post(platform.merchant.terminalKey, `/api/payment-requests/${id}/refund`, {
        value,
        externalRef: "not vended",
      }),
    () => platform.post(wallet.apiKey, `/api/assets/${wallet.assetId}/archive`),
  ]);
  expect(answers.map(outcome)).toEqual([200, "UNSUPPORTED_ASSET_TYPE"]);
});

test("of more vouchers than a wallet can fill, those that it cannot are told so", async () => {
  const { ownerKey, walletId } = platform.merchant;
  const value = { amount: "200", currency: CURRENCY };
  await platform.post(ownerKey, `/api/assets/${walletId}/top-up`, { value, idempotencyKey: "for vouchers" });
  const each = Math.ceil(((await platform.balance(walletId)) + 1) / 3); // two fit, and three do not
  const ask = (): Promise<Answer> => issuing(each, { walletId });
  const answers = await inLine("ledger_account", walletId, [ask, ask, ask]);
  expect(answers.map(outcome)).toEqual([200, 200, "INSUFFICIENT_ASSET_VALUE"]);
});

test("what a payment owes a subscription that was deleted meanwhile is abandoned, and never sent", async () => {
  const { ownerKey, ownerAccountId: accountId, walletId } = platform.merchant;
  const receiver = await openReceiver();
  const form = { accountId, url: receiver.url, types: ["payment-request:paid"] };
  const { body } = await platform.post(ownerKey, "/api/webhook-subscriptions", form);
  const id = await platform.request("100");
  const answers = await inLine("ledger_account", walletId, [() => platform.pay(id)], async () => {
    expect((await platform.del(ownerKey, `/api/webhook-subscriptions/${String(body["id"])}`)).status).toBe(
      200,
    );
  });
  expect(answers.map(outcome)).toEqual([200]);
  const owed = platform.store.read.selectFrom("delivery").select(["state", "attempts"]);
  await expect
    .poll(() => owed.where("subscription_id", "=", String(body["id"])).execute(), { interval: 5 })
    .toEqual([{ state: "abandoned", attempts: 0 }]);
  expect(receiver.received).toEqual([]);
  await receiver.close();
});
