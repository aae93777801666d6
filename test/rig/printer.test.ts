/** A receipt printer in the place of the display: real processes, and what comes out of it is what is paid. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { Rig, until } from "./rig.js";

const CRISPS = 11; // 2.50
const slips = z.looseObject({ printed: z.array(z.object({ text: z.string(), qr: z.string().nullable() })) });
let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start({ selectFirst: true, display: "escpos" });
});
afterAll(() => rig[Symbol.asyncDispose]());
const printed = async (): Promise<z.infer<typeof slips>["printed"]> =>
  slips.parse((await rig.sim("GET", "")).body).printed;

test("what is chosen is printed with the payment request's own address as its code, and paid it comes out", async () => {
  await rig.ready();
  await rig.vmc("enabled");
  expect(await printed()).toEqual([]); // at rest it wastes no paper
  const fallen = await rig.fallen();
  await rig.select(CRISPS);
  await until("a slip", async () => (await printed()).length > 0);
  const [slip] = await printed();
  expect(slip?.text).toBe("Scan to pay NZD 2.50");

  const wallet = rig.wallet();
  const id = slip?.qr?.split("/").at(-1) ?? "";
  const { body } = await rig.api("GET", `/api/payment-requests/${id}`, undefined, rig.file.keys.owner);
  expect(body).toMatchObject({ url: slip?.qr, status: "new", value: { amount: "250", currency: "NZD" } });
  const { externalRef } = z.looseObject({ externalRef: z.string() }).parse(body);
  const pay = { assetType: "centrapay.nzd.test", assetId: wallet.assetId, idempotencyKey: id };
  expect((await rig.api("POST", `/api/payment-requests/${id}/pay`, pay, wallet.apiKey)).status).toBe(200);
  const sale = await rig.reaches(externalRef, "settled");
  expect(sale.vended).toMatchObject([{ item: CRISPS, price: { amount: "250" } }]);
  expect(await rig.fallen()).toBe(fallen + 1);
  expect((await printed()).filter(({ qr }) => qr !== null)).toHaveLength(1); // once, though the line was the same all the time
});

test("the slips stay when the controller is gone, and it does not print them again", async () => {
  const before = await printed();
  expect(before.length).toBeGreaterThan(0);
  const sinceMs = Date.now();
  await rig.power(false);
  expect(await printed()).toEqual(before);
  await rig.power(true);
  await rig.sellsSince(sinceMs);
  expect(await printed()).toEqual(before);
});
