/** Choosing first and paying by the QR code on the machine's display: real processes, HTTP from the outside. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { Rig, until, type Answer } from "./rig.js";

const CRISPS = 11; // 2.50
const IDLE = "Scan the QR code, or show your barcode";
const request = z.object({
  id: z.string(),
  status: z.string(),
  externalRef: z.string(),
  value: z.unknown(),
  lineItems: z.unknown(),
});

describe.each(["qibixx", "mdb-hex"])("%s", (driver) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.start({ driver, selectFirst: true });
  });
  afterAll(() => rig[Symbol.asyncDispose]());
  beforeEach(async () => {
    await rig.heal();
    await rig.ready();
    await rig.vmc("enabled");
  });

  /** Chooses, and answers the payment request that the display's code leads to. */
  async function chosen(): Promise<z.infer<typeof request>> {
    await rig.select(CRISPS);
    const { qr } = await rig.shows("Scan to pay NZD 2.50");
    const id = qr?.startsWith(`${rig.file.cloudUrl}/pay/`) === true ? qr.split("/").at(-1) : "";
    return read(id ?? "");
  }
  const read = async (id: string): Promise<z.infer<typeof request>> =>
    request.parse((await rig.api("GET", `/api/payment-requests/${id}`, undefined, rig.file.keys.owner)).body);
  const pay = (id: string): Promise<Answer> =>
    rig.api(
      "POST",
      `/api/payment-requests/${id}/pay`,
      { assetType: "centrapay.nzd.test", assetId: rig.wallet().assetId, idempotencyKey: id },
      rig.wallet().apiKey,
    );

  test("what is chosen is what the code asks to be paid for, and paid it comes out", async () => {
    const before = { ...(await rig.balances()), fallen: await rig.fallen() };
    const asked = await chosen();
    expect(asked).toMatchObject({
      status: "new",
      value: { amount: "250", currency: "NZD" },
      lineItems: [{ name: "Salted crisps", qty: "1", price: "250" }],
    });
    expect((await pay(asked.id)).status).toBe(200);
    await rig.shows("Salted crisps: one moment ...");
    const sale = await rig.reaches(asked.externalRef, "settled");
    expect(sale.vended).toMatchObject([{ item: CRISPS, price: { amount: "250" } }]);
    expect(sale.refunded.amount).toBe("0");
    const after = await rig.balances();
    expect([before.payer - after.payer, after.merchant - before.merchant]).toEqual([250, 250]);
    expect(await rig.fallen()).toBe(before.fallen + 1);
    expect((await rig.face()).qr).toBeNull();
  });

  test("what does not come out is paid back", async () => {
    const before = { ...(await rig.balances()), fallen: await rig.fallen() };
    await rig.faults({ jam: true });
    const asked = await chosen();
    await pay(asked.id);
    const sale = await rig.reaches(asked.externalRef, "settled");
    expect([sale.vended.length, sale.refunded.amount]).toEqual([0, "250"]);
    expect(await rig.balances()).toMatchObject({ payer: before.payer, merchant: before.merchant });
    expect(await rig.fallen()).toBe(before.fallen);
  });

  test("the lever takes the choice back, and nobody can pay for it any more", async () => {
    const asked = await chosen();
    await rig.sim("POST", "/cancel", {});
    expect((await rig.shows(IDLE)).qr).toBeNull();
    await rig.reaches(asked.externalRef, "cancelled");
    expect((await pay(asked.id)).body).toMatchObject({ message: "REQUEST_CANCELLED" });
    await rig.vmc("enabled");
    await rig.ready();
  });

  test("a payment for a choice that is over goes back whole, and nothing falls", async () => {
    const before = { ...(await rig.balances()), fallen: await rig.fallen() };
    const asked = await chosen();
    const sinceMs = Date.now();
    await rig.power(false); // the choice is forgotten with it
    expect((await pay(asked.id)).status).toBe(200);
    await rig.power(true);
    const sale = await rig.reaches(asked.externalRef, "settled");
    expect([sale.vended.length, sale.refunded.amount]).toEqual([0, "250"]);
    expect((await rig.balances()).payer).toBe(before.payer);
    expect(await rig.fallen()).toBe(before.fallen);
    await rig.sellsSince(sinceMs);
  });

  test("one customer at a time, and the sticker still sells", async () => {
    const asked = await chosen();
    expect((await rig.ask("400", `busy ${asked.id}`)).body).toMatchObject({ message: "MACHINE_BUSY" });
    await rig.sim("POST", "/cancel", {});
    await rig.reaches(asked.externalRef, "cancelled");
    await rig.ready();
    await rig.vmc("enabled");
    const { id } = await rig.begun("400");
    await rig.vmc("session");
    await rig.select(CRISPS);
    const sale = await rig.reaches(id, "settled");
    expect([sale.vended.length, sale.refunded.amount]).toEqual([1, "150"]);
  });

  test("without a network nothing can be paid, and the choice is denied at once", async () => {
    await rig.faults({ networkDown: true });
    await until("the controller has noticed", async () => {
      if ((await rig.vending()).vmc === "enabled") await rig.press(CRISPS);
      return (await rig.face()).shown === "No connection. Try again later";
    });
    await rig.vmc("enabled");
  });
});
