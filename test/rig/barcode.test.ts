/** Paying with a wallet's barcode at the machine's scanner: real processes, HTTP from the outside. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { call, Rig, until } from "./rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());
beforeEach(async () => {
  await rig.heal();
  await rig.ready();
});

const codeView = z.object({ barcode: z.string() });
const found = z.object({ id: z.string(), status: z.string(), externalRef: z.string(), value: z.unknown() });

/** What the wallet shows to be scanned. */
async function newCode(n = 0): Promise<string> {
  const { body } = await rig.api("POST", "/api/patron-codes", {}, rig.wallet(n).apiKey);
  return codeView.parse(body).barcode;
}
const scan = (code: string): Promise<unknown> => rig.sim("POST", "/scan", { code });
/** The request that waits for this wallet, once there is one. */
async function waiting(n = 0): Promise<z.infer<typeof found>> {
  let request: z.infer<typeof found> | undefined;
  await until("a payment request for the wallet", async () => {
    const { body } = await rig.api(
      "GET",
      "/api/me/patron-code-payment-request",
      undefined,
      rig.wallet(n).apiKey,
    );
    request = found.safeParse(body).data;
    return request !== undefined;
  });
  if (request === undefined) throw new Error("found and lost");
  return request;
}

test("a machine at rest says what a customer can do", () =>
  rig.shows("Scan the QR code, or show your barcode"));

test("a barcode finds its wallet, the wallet pays, the credit opens, and the rest comes back", async () => {
  const before = { ...(await rig.balances()), fallen: await rig.fallen() };
  await scan(await newCode());
  await rig.shows("Pay NZD 10.00 in your wallet now");
  const request = await waiting();
  expect(request).toMatchObject({ status: "new", value: { amount: "1000", currency: "NZD" } });
  const { assetId, apiKey } = rig.wallet();
  const paid = await rig.api(
    "POST",
    `/api/payment-requests/${request.id}/pay`,
    { assetType: "centrapay.nzd.test", assetId, idempotencyKey: request.id },
    apiKey,
  );
  expect(paid.status).toBe(200);
  await rig.shows("Paid. Choose at the machine");
  await rig.select(11);
  const sale = await rig.reaches(request.externalRef, "settled");
  expect(sale.vended).toMatchObject([{ item: 11, price: { amount: "250" } }]);
  expect(sale.refunded).toEqual({ amount: "750", currency: "NZD" });
  const after = await rig.balances();
  expect(before.payer - after.payer).toBe(250);
  expect(after.merchant - before.merchant).toBe(250);
  expect(await rig.fallen()).toBe(before.fallen + 1);
});

test.each([
  [
    "a digit read wrongly",
    (code: string) => code.slice(0, -1) + String((Number(code.at(-1)) + 1) % 10),
    "That was not read well. Show it again",
  ],
  ["no code of anybody's", () => "9990001234567890", "That code is unknown or too old"],
  ["something else altogether", () => "5901234123457", "That was not read well. Show it again"],
])("%s is refused in words, and the machine stays free", async (_what, spoil, text) => {
  await scan(spoil(await newCode()));
  await rig.shows(text);
  expect(await rig.machineState()).toBe("ready");
});

test("while somebody is being served the display says so, and nothing is asked of the wallet", async () => {
  const sale = await rig.begin("400");
  await scan(await newCode(1));
  await rig.shows("Somebody is being served. One moment");
  const { body } = await rig.api(
    "GET",
    "/api/me/patron-code-payment-request",
    undefined,
    rig.wallet(1).apiKey,
  );
  expect(body).toEqual({});
  await rig.api("POST", `/api/vending/sales/${sale.id}/cancel`, {});
  await rig.reaches(sale.id, "cancelled");
});

test("without a network the machine says so by itself", async () => {
  await rig.faults({ networkDown: true });
  await until("the controller has noticed", async () => {
    await scan(await newCode(2));
    const { shown: text } = await rig.face();
    return text === "No connection. Try again later";
  });
});

test("a scanner that is held to the same code asks once", async () => {
  const code = await newCode();
  await Promise.all(Array.from({ length: 5 }, () => scan(code)));
  await rig.shows("Pay NZD 10.00 in your wallet now");
  const request = await waiting();
  const cancelled = await call(
    "POST",
    `${rig.file.cloudUrl}/api/vending/sales/${request.externalRef}/cancel`,
    {},
  );
  expect(cancelled.status).toBe(200);
  await rig.reaches(request.externalRef, "cancelled");
});
