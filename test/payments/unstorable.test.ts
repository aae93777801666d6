/** Text that a database cannot keep is refused at the border, on either store, and is nobody's 500. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ASSET_TYPE, CURRENCY, openPlatform, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const value = { amount: "100", currency: CURRENCY };

test("in a body, with the field named", async () => {
  const { merchant, wallet } = platform;
  const made = await platform.post(merchant.terminalKey, "/api/payment-requests", {
    configId: merchant.configId,
    value,
    externalRef: "a\u0000b",
  });
  expect(made).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining("externalRef:") as string },
  });
  const paid = await platform.post(wallet.apiKey, `/api/payment-requests/${await platform.request()}/pay`, {
    assetType: ASSET_TYPE,
    assetId: wallet.assetId,
    idempotencyKey: "\u0000",
  });
  expect(paid).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining("idempotencyKey:") as string },
  });
});

test.each(["/api/payment-requests/%00", "/api/payment-requests/x%00y/activities", "/api/assets/%00"])(
  "in an address: %s",
  async (path) => {
    const { status, body } = await platform.get(platform.merchant.ownerKey, path);
    expect({ status, body }).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining("id:") as string },
    });
  },
);

test.each(["half \ud800", "\udc00 half", "\udc00\ud800"])(
  "nor half of a surrogate pair: %j",
  async (half) => {
    const { merchant } = platform;
    const line = { name: half, qty: "1", price: "100" };
    for (const [field, more] of [
      ["externalRef", { externalRef: half }],
      ["lineItems", { lineItems: [line] }],
    ] as const) {
      const form = { configId: merchant.configId, value, ...more };
      expect(await platform.post(merchant.terminalKey, "/api/payment-requests", form)).toMatchObject({
        status: 400,
        body: { message: `${field}: must not hold half of a surrogate pair` },
      });
    }
  },
);

test("both halves are one character, and come back as they came", async () => {
  const { merchant } = platform;
  const form = { configId: merchant.configId, value, externalRef: "both \ud83d\ude00" };
  const { status, body } = await platform.post(merchant.terminalKey, "/api/payment-requests", form);
  expect(status).toBe(200);
  expect(body["externalRef"]).toBe(form.externalRef);
});
