/** Codes that are typed: whose wrong ones are counted against whom, and what is answered whatever was typed since. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";

const TYPE = "voucher.nzd.test";
const WRONG = "1111 1111 1111 1111 1117";
let platform: Platform;
let configId: string;
beforeAll(async () => {
  platform = await openPlatform();
  configId = await platform.newConfig([
    { type: TYPE, walletId: platform.merchant.walletId },
    { type: "centrapay.nzd.test", walletId: platform.merchant.walletId },
  ]);
});
afterAll(() => platform.close());

let keys = 0;
const redeem = (
  id: string,
  authorization: string,
  key = platform.merchant.terminalKey,
  idempotencyKey = `key-${(keys += 1)}`,
): Promise<Answer> =>
  platform.post(key, `/api/payment-requests/${id}/pay`, { assetType: TYPE, authorization, idempotencyKey });
const request = (terminalId: string): Promise<string> => platform.request("100", { configId, terminalId });
const issue = async (): Promise<string> => {
  const value = { amount: "100", currency: CURRENCY };
  const form = { accountId: platform.merchant.ownerAccountId, type: TYPE, value };
  return String((await platform.post(platform.merchant.ownerKey, "/api/vouchers", form)).body["code"]);
};

test("a stranger's wrong codes make the stranger wait, and no terminal of the merchant's", async () => {
  const stranger = await platform.newWallet(0);
  const id = await request("T-1");
  for (let wrong = 0; wrong < 5; wrong += 1)
    expect(await redeem(id, WRONG, stranger.apiKey)).toMatchObject({
      body: { message: "ASSET_REDEMPTION_DENIED" },
    });
  const code = await issue();
  expect((await redeem(id, code, stranger.apiKey)).status).toBe(429);
  expect((await redeem(id, code)).status).toBe(200);
});

test("a code for a request that is paid is not looked at", async () => {
  const id = await request("T-2");
  expect((await platform.pay(id)).status).toBe(200);
  for (let wrong = 0; wrong < 5; wrong += 1)
    expect(await redeem(id, WRONG)).toMatchObject({ body: { message: "REQUEST_PAID" } });
  expect((await redeem(await request("T-2"), await issue())).status).toBe(200);
});

test("a key is answered as the first time while its terminal waits", async () => {
  const { terminalKey } = platform.merchant;
  const [id, code] = [await request("T-3"), await issue()];
  const first = await redeem(id, code, terminalKey, "same");
  const next = await request("T-3");
  for (let wrong = 0; wrong < 5; wrong += 1) await redeem(next, WRONG);
  expect((await redeem(next, await issue())).status).toBe(429);
  expect(await redeem(id, code, terminalKey, "same")).toMatchObject({ status: 200, body: first.body });
});
