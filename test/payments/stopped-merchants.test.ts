/** A merchant that was deactivated or put on hold is paid nothing, and what it was paid can still go back. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

type Status = "applied" | "provisioning" | "active" | "deactivated" | "on-hold";
const set = (onboarding_status: Status): Promise<unknown> =>
  platform.store.write((tx) =>
    tx
      .updateTable("merchant")
      .set({ onboarding_status })
      .where("id", "=", platform.merchant.merchantId)
      .execute(),
  );
const value = { amount: "100", currency: CURRENCY };
const create = (): Promise<Answer> =>
  platform.post(platform.merchant.terminalKey, "/api/payment-requests", {
    configId: platform.merchant.configId,
    value,
  });
const act = (id: string, verb: string, body?: object): Promise<Answer> =>
  platform.post(platform.merchant.terminalKey, `/api/payment-requests/${id}/${verb}`, body);
const item = { name: "x", qty: "1", price: "100" };
const confirm = (id: string, idempotencyKey: string): Promise<Answer> =>
  act(id, "confirm", { idempotencyKey, invoiceRef: "i", lineItems: [item] });
const refused = (message: string) => ({ message, reason: "the merchant takes no payments" });

test.each(["deactivated", "on-hold"] as const)("%s", async (status) => {
  const held = await platform.request("200", { preAuth: true });
  const [open, paid, toVoid] = [await platform.request(), await platform.request(), await platform.request()];
  for (const id of [held, paid, toVoid]) expect((await platform.pay(id)).status).toBe(200);
  const confirmed = await confirm(held, "before");
  expect(confirmed.status).toBe(200);

  await set(status);
  expect((await create()).body).toMatchObject(refused("NO_AVAILABLE_PAYMENT_OPTIONS"));
  expect((await platform.pay(open)).body).toMatchObject(refused("INVALID_MERCHANT_CONFIG"));
  expect((await confirm(held, "after")).body).toMatchObject(refused("INVALID_MERCHANT_CONFIG"));
  expect((await confirm(held, "before")).body, "what was done is answered again").toEqual(confirmed.body);
  expect((await act(paid, "refund", { value, externalRef: "r" })).status).toBe(200);
  expect((await act(toVoid, "void")).status).toBe(200);
  expect((await act(held, "release")).status).toBe(200);
  expect((await act(await stillOpen(open), "void")).status).toBe(200);

  await set("active");
  const again = await create();
  expect((await platform.pay(String(again.body["id"]))).status).toBe(200);
});

/** A refused payment left it as it was. */
async function stillOpen(id: string): Promise<string> {
  const { body } = await platform.get(platform.merchant.terminalKey, `/api/payment-requests/${id}`);
  expect(body).toMatchObject({ status: "new" });
  return id;
}

test.each(["applied", "provisioning"] as const)("%s stops nothing", async (status) => {
  await set(status);
  expect((await platform.pay(await platform.request())).status).toBe(200);
});
