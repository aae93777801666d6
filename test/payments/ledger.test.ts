/** The ledger by itself: what it refuses, and that the database refuses to rewrite it. */
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Overdrawn, post, type Transfer } from "../../cloud/payments/ledger.js";
import type { Tx } from "../../cloud/store/store.js";
import { isOnPostgres } from "../store/database.js";
import { openPlatform, type Platform } from "./platform.js";

let platform: Platform;
let a: string;
let b: string;
beforeAll(async () => {
  platform = await openPlatform();
  a = (await platform.newWallet(100)).assetId;
  b = (await platform.newWallet(0)).assetId;
});
afterAll(() => platform.close());

const move = (id: string, amountMinor: number, more: Partial<Transfer> = {}): Transfer => ({
  id,
  kind: "payment",
  ref: "test",
  createdMs: 0,
  entries: [
    { accountId: a, currency: "NZD", amountMinor: -amountMinor },
    { accountId: b, currency: "NZD", amountMinor },
  ],
  ...more,
});
const balances = async () => [await platform.balance(a), await platform.balance(b)];

test("a transfer is made once: the database refuses a second of its id, and no money moves", async () => {
  await platform.store.write((tx) => post(tx, move("t1", 30)));
  await expect(platform.store.write((tx) => post(tx, move("t1", 30)))).rejects.toThrow(/unique/i);
  expect(await balances()).toEqual([70, 30]);
});

test("refuses to overdraw a wallet, and takes the whole transaction back", async () => {
  const both = platform.store.write(async (tx) => {
    await post(tx, move("t2", 10));
    await post(tx, move("t3", 61));
  });
  await expect(both).rejects.toBeInstanceOf(Overdrawn);
  expect(await balances()).toEqual([70, 30]);
});

test.each<[name: string, entries: Transfer["entries"]]>([
  ["one entry", [{ accountId: "a", currency: "NZD", amountMinor: 1 }]],
  ["no entries", []],
  [
    "entries that do not add up",
    [
      { accountId: "a", currency: "NZD", amountMinor: -2 },
      { accountId: "b", currency: "NZD", amountMinor: 1 },
    ],
  ],
  [
    "entries that add up only across currencies",
    [
      { accountId: "a", currency: "NZD", amountMinor: -1 },
      { accountId: "b", currency: "AUD", amountMinor: 1 },
    ],
  ],
  [
    "a part of a cent",
    [
      { accountId: "a", currency: "NZD", amountMinor: -0.5 },
      { accountId: "b", currency: "NZD", amountMinor: 0.5 },
    ],
  ],
  [
    "nothing at all",
    [
      { accountId: "a", currency: "NZD", amountMinor: 0 },
      { accountId: "b", currency: "NZD", amountMinor: 0 },
    ],
  ],
])("takes %s for a bug", async (_name, entries) => {
  const posted = platform.store.write((tx) => post(tx, move("bad", 1, { entries })));
  await expect(posted).rejects.toBeInstanceOf(RangeError);
});

test("refuses an account of another currency", async () => {
  const aud = (await platform.newWallet(0, "AUD")).assetId;
  const entries = [
    { accountId: a, currency: "NZD", amountMinor: -1 },
    { accountId: aud, currency: "NZD", amountMinor: 1 },
  ];
  await expect(platform.store.write((tx) => post(tx, move("mixed", 1, { entries })))).rejects.toThrow();
  expect(await balances()).toEqual([70, 30]);
});

describe("the database itself", () => {
  test.each(["transfer", "entry", "activity", "operation"])(
    "refuses to change or remove a row of %s",
    async (table) => {
      await platform.pay(await platform.request("1"));
      const column = {
        transfer: "kind",
        entry: "amount_minor",
        activity: "amount_minor",
        operation: "asked",
      }[table];
      const run = (statement: string) => platform.store.write((tx) => sql.raw(statement).execute(tx));
      await expect(run(`update ${table} set ${column ?? ""} = ${column ?? ""}`)).rejects.toThrow(
        "append-only",
      );
      await expect(run(`delete from ${table}`)).rejects.toThrow("append-only");
    },
  );

  test.each([
    ["a negative wallet", "update ledger_account set balance_minor = -1 where kind = 'wallet'"],
    ["a balance past what a number holds", "update ledger_account set balance_minor = 9007199254740992"],
    ["text for a number", "update ledger_account set balance_minor = 'much'"],
    ["more refunded than paid", "update payment set refunded_minor = amount_minor + 1"],
    ["an unknown state", "update payment_request set status = 'maybe'"],
    ["a value past the limit", "update payment_request set value_minor = 100000000"],
  ])("refuses %s", async (_name, statement) => {
    await platform.pay(await platform.request("1"));
    await expect(platform.store.write((tx) => sql.raw(statement).execute(tx))).rejects.toThrow();
  });

  test("refuses a fraction", async () => {
    const half = (tx: Tx) => tx.updateTable("ledger_account").set({ balance_minor: 0.5 }).execute();
    await expect(platform.store.write(half)).rejects.toThrow();
  });

  // SQLite tells its plan before there is anything to plan for; PostgreSQL scans a table that has no rows.
  test.skipIf(isOnPostgres)("has an index for each query that runs as the tables grow", async () => {
    const plan = async (query: string): Promise<string> => {
      const explain = sql.raw<{ readonly detail: string }>(`explain query plan ${query}`);
      const { rows } = await platform.store.write((tx) => explain.execute(tx));
      return rows.map(({ detail }) => detail).join("; ");
    };
    // prettier-ignore
    const queries = [
      "select * from api_key join account on account.id = api_key.account_id where api_key.id = 'x'",
      "select * from api_key where account_id = 'x' order by name",
      "select * from payment_request where merchant_account_id = 'x' and external_ref = 'y' and id < 'z' order by id desc limit 21",
      "select id from payment_request where status = 'new' and expires_ms <= 1 order by expires_ms limit 100",
      "select * from payment where payment_request_id = 'x' order by number",
      "select * from payment_request where short_code = 'x' order by id desc limit 1",
      "select payment_request_id from hold where is_held = 1 and expires_ms <= 1 order by expires_ms limit 100",
      "select * from activity where payment_request_id = 'x' order by number desc",
      "select * from activity join payment_request on payment_request.id = activity.payment_request_id where activity.merchant_id = 'x' and activity.id < 'y' order by activity.id desc limit 21",
      "select * from operation where subject_id = 'x' and kind = 'pay' and key = 'k'",
      "select * from asset join ledger_account on ledger_account.id = asset.id where asset.account_id = 'x' and asset.id < 'y' order by asset.id desc limit 21",
      "select * from entry join transfer on transfer.id = entry.transfer_id where entry.account_id = 'x' and entry.transfer_id < 'y' order by entry.transfer_id desc limit 21",
      "select * from webhook_subscription where account_id = 'x'",
      "select * from delivery join webhook_subscription s on s.id = delivery.subscription_id join notification n on n.id = delivery.notification_id where state = 'due' and due_ms <= 1 order by due_ms limit 32",
      "select * from delivery join notification n on n.id = delivery.notification_id where delivery.subscription_id = 'x' and delivery.id < 'y' order by delivery.id desc limit 21",
      "update delivery set state = 'abandoned' where subscription_id = 'x' and state = 'due'",
      "select a.* from delivery join delivery_attempt a on a.delivery_id = delivery.id where delivery.id in ('x', 'y') and a.number > delivery.attempts - 20",
      "select id, body from notification where account_id = 'x' and id > 'y' order by id limit 20",
    ];
    for (const query of queries) expect(await plan(query), query).not.toMatch(/SCAN|TEMP B-TREE/);
  });
});
