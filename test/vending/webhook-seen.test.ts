/** A notification counts once, and is remembered for as long as it may come again. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Store } from "../../cloud/store/store.js";
import { forgetSeen, isFirst, KEPT_MS } from "../../cloud/vending/webhook-seen.js";
import { newDatabase, openTestStore, type TestDatabase } from "../store/database.js";

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await newDatabase();
  store = await openTestStore(database.url);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const see = (id: string, nowMs: number): Promise<boolean> => store.write((tx) => isFirst(tx, id, nowMs));
const seen = async (): Promise<number> =>
  (await store.read.selectFrom("webhook_seen").select("id").execute()).length;

test("it is forgotten when it is old enough and no moment sooner, a batch at a time", async () => {
  for (let n = 0; n < 150; n += 1) expect(await see(`old-${n}`, n)).toBe(true);
  expect(await see("young", 1_000)).toBe(true);
  expect(await see("old-0", 1_000)).toBe(false);

  expect(await forgetSeen(store, KEPT_MS)).toBe(false);
  expect(await seen()).toBe(151);
  expect(await forgetSeen(store, KEPT_MS + 150)).toBe(true);
  expect(await seen()).toBe(51);
  expect(await forgetSeen(store, KEPT_MS + 150)).toBe(false);
  expect(await seen()).toBe(1);
  expect([await see("old-0", KEPT_MS), await see("young", KEPT_MS)]).toEqual([true, false]);
});
