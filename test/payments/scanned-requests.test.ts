/** Payment requests that find their payer by a scanned patron code, and what such a code may put on them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ProvisionedWallet } from "../../cloud/payments/provision.js";
import { CURRENCY, openPlatform, type Answer, type Body, type Platform } from "./platform.js";

let platform: Platform;
let patron: ProvisionedWallet;
beforeAll(async () => (platform = await openPlatform({ requestsPerMinute: 10_000 })));
afterAll(() => platform.close());
beforeEach(async () => {
  platform.clock.advance(1); // ids of one millisecond have no order
  patron = await platform.newWallet(1_000);
});

type Code = { readonly id: string; readonly barcode: string };
const code = async (body: object = {}, { apiKey } = patron): Promise<Code> => {
  platform.clock.advance(1);
  const made = (await platform.post(apiKey, "/api/patron-codes", body)).body;
  return { id: String(made["id"]), barcode: String(made["barcode"]) };
};
const create = (more: object): Promise<Answer> =>
  platform.post(platform.merchant.terminalKey, "/api/payment-requests", {
    configId: platform.merchant.configId,
    value: { amount: "350", currency: CURRENCY },
    ...more,
  });
const created = async (more: object): Promise<string> => {
  platform.clock.advance(1);
  return platform.request("350", more);
};
const at = (id: string, verb = ""): string => `/api/payment-requests/${id}${verb}`;
const read = async (id: string, key = platform.merchant.terminalKey): Promise<Body> =>
  (await platform.get(key, at(id))).body;
const settle = (id: string, verdict: string, key = platform.merchant.terminalKey): Promise<Answer> =>
  platform.post(key, at(id, `/conditions/1/${verdict}`));
const mine = async ({ apiKey } = patron): Promise<Body> =>
  (await platform.get(apiKey, "/api/me/patron-code-payment-request")).body;
const refused = (statusCode: number, message: string) => ({
  status: statusCode,
  body: { statusCode, message },
});

describe("a payment request made with a patron code", () => {
  test("says which code, is found by the wallet that showed it, and is paid from there", async () => {
    const { id: patronCodeId, barcode } = await code();
    expect(await mine()).toEqual({});
    const { status, body } = await create({ barcode });
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { status: "new", barcode, patronCodeId, merchantConditions: [] },
    });
    const id = String(body["id"]);
    expect(await read(id)).toEqual(body);
    expect(await mine()).toEqual(body);
    expect(await read(id, patron.apiKey)).toEqual(body);
    expect((await platform.pay(id, patron)).status).toBe(200);
    expect(await platform.balance(patron.assetId)).toBe(650);
    expect(await mine()).toEqual({});
    expect(await read(id)).toMatchObject({ status: "paid", patronCodeId });
  });

  test("is refused for a code that cannot be one, is unknown, or is dead; and then nothing is made", async () => {
    const count = async (): Promise<number> =>
      (await platform.store.read.selectFrom("payment_request").select("id").execute()).length;
    const { barcode: dead } = await code();
    platform.clock.advance(300_000);
    const before = await count();
    for (const barcode of ["9990001234567895", "1234", "hello"])
      expect(await create({ barcode }), barcode).toMatchObject(refused(400, "CHECKSUM_FAILED"));
    for (const barcode of [dead, "9990001234567890", "4242424242424242", "424242424"])
      expect(await create({ barcode }), barcode).toMatchObject(refused(403, "PATRON_CODE_INVALID"));
    expect(await count()).toBe(before);
  });

  test("of another system's barcode keeps it, and leads to nobody", async () => {
    const { barcode } = await code();
    const id = await created({ barcode, barcodeType: "ticketek" });
    const body = await read(id);
    expect(body).toMatchObject({ barcode, barcodeType: "ticketek" });
    expect(body).not.toHaveProperty("patronCodeId");
    expect(await mine()).toEqual({});
  });

  test("is one of as many as are asked for: the wallet is shown the newest that waits", async () => {
    const { barcode } = await code();
    const first = await created({ barcode });
    const second = await created({ barcode });
    expect(await mine()).toMatchObject({ id: second });
    await platform.post(platform.merchant.terminalKey, at(second, "/void"));
    expect(await mine()).toMatchObject({ id: first });
    await platform.pay(first, patron);
    const third = await created({ barcode });
    expect(await mine()).toMatchObject({ id: third });
  });

  test("is found by any living code of the wallet, while it waits and the code lives", async () => {
    const older = await code();
    const request = await created({ barcode: older.barcode, expirySeconds: 3_600 });
    const newer = await code();
    expect(await mine()).toMatchObject({ id: request });
    const short = await created({ barcode: newer.barcode, expirySeconds: 60 });
    expect(await mine()).toMatchObject({ id: short });
    expect(await mine(await platform.newWallet(0))).toEqual({});
    platform.clock.advance(60_000);
    expect(await mine()).toMatchObject({ id: request });
    platform.clock.advance(240_000);
    expect(await mine()).toEqual({});
    expect(await read(request)).toMatchObject({ status: "new" }); // whoever has its address can still pay
  });
});

describe("a code whose test scenario asks for a photo id", () => {
  const scenario = { testScenarioName: "force-condition-check-photo-id" };
  const condition = (status: string) => ({
    id: "1",
    name: "photo-id-check",
    message: "Please check ID",
    status,
  });
  const conditional = async (): Promise<string> =>
    created({ barcode: (await code(scenario)).barcode, conditionsEnabled: true });
  const story = async (id: string): Promise<unknown> =>
    (await platform.get(platform.merchant.terminalKey, at(id, "/activities"))).body["items"];

  test("makes the request wait for the merchant, and be paid when the merchant has accepted", async () => {
    const id = await conditional();
    expect(await read(id)).toMatchObject({
      status: "new",
      merchantConditions: [condition("awaiting-merchant")],
    });
    expect(await platform.pay(id, patron)).toMatchObject(refused(403, "PAYMENT_DECLINED"));
    expect(await settle(id, "accept", patron.apiKey)).toMatchObject(refused(403, "PATRON_NOT_AUTHORIZED"));
    expect((await settle(id, "accept")).body).toMatchObject({ type: "accept-condition", conditionId: "1" });
    expect(await read(id)).toMatchObject({ status: "new", merchantConditions: [condition("accepted")] });
    expect(await settle(id, "decline")).toMatchObject(refused(403, "CONDITION_ALREADY_SET"));
    expect((await platform.pay(id, patron)).status).toBe(200);
    expect(await read(id)).toMatchObject({ status: "paid", merchantConditions: [condition("accepted")] });
  });

  test("ends the request when the merchant declines", async () => {
    const id = await conditional();
    expect((await settle(id, "decline")).body).toMatchObject({ type: "decline-condition" });
    expect(await read(id)).toMatchObject({
      status: "cancelled",
      cancellationReason: "DECLINED_BY_MERCHANT",
      merchantConditions: [condition("declined")],
    });
    expect(await platform.pay(id, patron)).toMatchObject(refused(403, "REQUEST_CANCELLED"));
    expect(await mine()).toEqual({});
  });

  test.each([{}, { conditionsEnabled: false }])(
    "cancels the request at once for a merchant that settles no conditions: %j",
    async (more) => {
      const { id: patronCodeId, barcode } = await code(scenario);
      const { status, body } = await create({ barcode, ...more });
      expect({ status, body }).toMatchObject({
        status: 200,
        body: {
          status: "cancelled",
          cancellationReason: "PAYMENT_FAILED",
          merchantConditions: [condition("void")],
          patronCodeId,
        },
      });
      const id = String(body["id"]);
      expect(await read(id)).toEqual(body);
      expect(await story(id)).toMatchObject([
        { type: "cancellation", cancellationReason: "PAYMENT_FAILED", activityNumber: "2" },
        { type: "request", activityNumber: "1" },
      ]);
      expect(await platform.pay(id, patron)).toMatchObject(refused(403, "REQUEST_CANCELLED"));
    },
  );

  test("asks nothing of a request that such test money cannot pay", async () => {
    const { barcode } = await code(scenario);
    const configId = await platform.newConfig([{ type: "external.test" }]);
    expect((await create({ barcode, configId })).body).toMatchObject({
      status: "new",
      merchantConditions: [],
    });
  });
});
