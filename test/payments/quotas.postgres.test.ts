/** Two platforms on one database, asked at once for more than there may be: a quota is reached and never passed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { newDatabase, type TestDatabase } from "../store/database.js";
import { ASSET_TYPE, openPlatform, type Answer, type Platform } from "./platform.js";

const AT_ONCE = 36;
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

const owner = () => platforms[0].merchant;
/** Asks the two in turn, all at once; answers how many of each answer came. */
async function atOnce(path: string, body: object): Promise<Readonly<Record<string, number>>> {
  const ask = (n: number): Promise<Answer> =>
    platforms[n % 2 === 0 ? 0 : 1].post(owner().ownerKey, path, body);
  const answers = await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => ask(n)));
  const counts: Record<string, number> = {};
  for (const { status, body: said } of answers) {
    const name = status === 200 ? "made" : String(said["message"]);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

test("of many webhook subscriptions at once twenty are made", async () => {
  const form = {
    accountId: owner().ownerAccountId,
    url: "http://127.0.0.1:9/",
    types: ["payment-request:paid"],
  };
  const counts = await atOnce("/api/webhook-subscriptions", form);
  expect(counts).toEqual({ made: 20, QUOTA_EXCEEDED: AT_ONCE - 20 });
});

test("of many merchant configs at once as many are made as a hundred leaves", async () => {
  const [one] = platforms;
  const paymentOptions = [{ type: ASSET_TYPE, walletId: owner().walletId }];
  for (let there = 1; there < 90; there += 1) await one.newConfig(paymentOptions);
  const counts = await atOnce(`/api/merchants/${owner().merchantId}/configs`, { paymentOptions });
  expect(counts).toEqual({ made: 10, QUOTA_EXCEEDED: AT_ONCE - 10 });
});
