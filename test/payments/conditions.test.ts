/** Whose word a condition waits for, and who is nobody to it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ProvisionedWallet } from "../../cloud/payments/provision.js";
import { openPlatform, type Answer, type Platform } from "./platform.js";

let platform: Platform;
let stranger: ProvisionedWallet;
beforeAll(async () => {
  platform = await openPlatform();
  stranger = await platform.newWallet(1_000);
});
afterAll(() => platform.close());

/** A request with a condition, of a patron who showed a code, or of whoever pays. */
async function awaiting(who: "merchant" | "patron", patron?: ProvisionedWallet): Promise<string> {
  const id = await platform.request("100");
  const status = `awaiting-${who}`;
  const conditions = JSON.stringify([{ id: "1", name: "terms", message: "Please agree", status }]);
  const code = patron && (await platform.post(patron.apiKey, "/api/patron-codes"));
  await platform.store.write((tx) =>
    tx
      .updateTable("payment_request")
      .set({ conditions, patron_code_id: code === undefined ? null : String(code.body["id"]) })
      .where("id", "=", id)
      .execute(),
  );
  return id;
}
const say = (key: string, id: string, verdict: "accept" | "decline"): Promise<Answer> =>
  platform.post(key, `/api/payment-requests/${id}/conditions/1/${verdict}`);
const read = async (id: string): Promise<Answer["body"]> =>
  (await platform.get(platform.merchant.terminalKey, `/api/payment-requests/${id}`)).body;

test("the patron accepts what awaits the patron, and pays", async () => {
  const id = await awaiting("patron", platform.wallet);
  expect((await platform.pay(id)).body).toMatchObject({ message: "PAYMENT_DECLINED" });
  expect((await say(platform.wallet.apiKey, id, "accept")).body).toMatchObject({ type: "accept-condition" });
  expect((await platform.pay(id)).status).toBe(200);
});

test("the patron declines, and the request is cancelled for that", async () => {
  const id = await awaiting("patron", platform.wallet);
  expect((await say(platform.wallet.apiKey, id, "decline")).status).toBe(200);
  expect(await read(id)).toMatchObject({ status: "cancelled", cancellationReason: "DECLINED_BY_PATRON" });
});

test("what still waited when a request ends waits no more", async () => {
  const id = await awaiting("merchant", platform.wallet);
  await platform.post(platform.merchant.terminalKey, `/api/payment-requests/${id}/void`);
  expect(await read(id)).toMatchObject({
    status: "cancelled",
    merchantConditions: [{ id: "1", status: "void" }],
  });
});

test("where a patron code says who the patron is, nobody else is", async () => {
  const id = await awaiting("patron", platform.wallet);
  for (const verdict of ["accept", "decline"] as const)
    expect((await say(stranger.apiKey, id, verdict)).body).toMatchObject({ message: "Forbidden" });
  expect(await read(id)).toMatchObject({ status: "new" });
});

test("without a code it is whoever may pay, which another merchant's terminal may not", async () => {
  const { terminalKey } = await platform.newMerchant();
  const id = await awaiting("patron");
  expect((await say(terminalKey, id, "accept")).body).toMatchObject({ message: "Forbidden" });
  expect((await say(stranger.apiKey, id, "accept")).status).toBe(200);
});

test("neither speaks for the other", async () => {
  const { ownerKey, terminalKey } = platform.merchant;
  const patrons = await awaiting("patron", platform.wallet);
  for (const key of [ownerKey, terminalKey])
    expect((await say(key, patrons, "accept")).body).toMatchObject({ message: "MERCHANT_NOT_AUTHORIZED" });
  const merchants = await awaiting("merchant", platform.wallet);
  expect((await say(platform.wallet.apiKey, merchants, "accept")).body).toMatchObject({
    message: "PATRON_NOT_AUTHORIZED",
  });
  expect((await say(terminalKey, merchants, "accept")).status).toBe(200);
});
