/** A whole sale on machines that are wired with other adapters: real processes and a real serial line between them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Rig } from "./rig.js";

describe.each(["mdb-hex", "wafer", "matedealer"])("%s", (driver) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.start({ driver });
  });
  afterAll(() => rig[Symbol.asyncDispose]());
  beforeEach(async () => {
    await rig.heal();
    await rig.ready();
  });

  test("scan, pay, pick, and the difference comes back", async () => {
    const before = { ...(await rig.balances()), fallen: await rig.fallen() };
    const { id } = await rig.begun("400");
    await rig.select(11);
    const sale = await rig.reaches(id, "settled");
    expect([sale.vended.length, sale.refunded.amount]).toEqual([1, "150"]);
    const after = await rig.balances();
    expect([before.payer - after.payer, after.merchant - before.merchant]).toEqual([250, 250]);
    expect(await rig.fallen()).toBe(before.fallen + 1);
  });

  test("an item above the credit is denied, another one jams, and everything comes back", async () => {
    const before = { ...(await rig.balances()), fallen: await rig.fallen() };
    await rig.faults({ jam: true });
    const { id } = await rig.begun("300");
    await rig.select(31);
    await rig.vmc("session");
    await rig.select(21);
    const sale = await rig.reaches(id, "settled");
    expect([sale.vended.length, sale.refunded.amount]).toEqual([0, "300"]);
    expect((await rig.balances()).payer).toBe(before.payer);
    expect(await rig.fallen()).toBe(before.fallen);
  });

  test("a bad bus and a power cut between two sales change nothing but the time", async () => {
    await rig.power(false);
    const sinceMs = Date.now();
    await rig.power(true);
    await rig.faults({ busErrors: 0.2 });
    await rig.sellsSince(sinceMs);
    await rig.ready();
    const { id } = await rig.begun("250");
    await rig.select(11);
    const sale = await rig.reaches(id, "settled");
    expect([sale.vended.length, sale.refunded.amount]).toEqual([1, "0"]);
  });
});
