/** The attendant: what is owed stays owed, on time, whatever else happens to a sale meanwhile. */
import { expect, test } from "vitest";
import { clock, Cloud, Machine, MACHINE } from "./cloud.js";

test("a cancel asked for again and again does not put off what the first one owes", async () => {
  await using cloud = await Cloud.start({ webhooks: true, terms: { againMs: 60_000 } });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const { id, paymentRequestId } = await machine.sale("impatient");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  await machine.report("j", 1, { kind: "accepted", grantId });
  await cloud.reaches(id, "open");
  const cancel = async (): Promise<number | null> => {
    expect((await cloud.call("POST", `/api/vending/sales/${id}/cancel`)).status).toBe(200);
    const sale = cloud.store.read.selectFrom("sale").select("next_at_ms").where("id", "=", id);
    return (await sale.executeTakeFirstOrThrow()).next_at_ms;
  };
  const first = await cancel();
  const laterMs = clock.nowMs() + 5;
  await expect.poll(() => clock.nowMs(), { interval: 1 }).toBeGreaterThan(laterMs);
  expect(await cancel()).toBe(first);
});

test("while the machine has the credit, the sale says until when at the latest, and whether a stop was asked for", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const { id, paymentRequestId } = await machine.sale("network goes");
  const before = await cloud.sale(id);
  expect(before).not.toHaveProperty("session");
  await cloud.pay(paymentRequestId);
  const { grantId, sessionMs, goMs } = await machine.grant(id);
  const fromMs = clock.nowMs();
  await machine.report("j", 1, { kind: "accepted", grantId });
  const open = await cloud.reaches(id, "open");
  expect(open).toMatchObject({ session: { stopAsked: false } });
  const { overBy, givenUpBy } = open["session"] as { overBy: string; givenUpBy: string }; // as published
  expect(Date.parse(overBy)).toBeGreaterThan(fromMs + goMs + sessionMs);
  expect(Date.parse(overBy)).toBeLessThan(clock.nowMs() + goMs + sessionMs + 60_000);
  expect(Date.parse(givenUpBy)).toBeGreaterThanOrEqual(fromMs + 86_400_000);
  const { body } = await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  expect(body).toMatchObject({ state: "open", session: { overBy, stopAsked: true } });
  await machine.report("j", 2, { kind: "closed", grantId, reason: "void" });
  expect(await cloud.reaches(id, "settled")).not.toHaveProperty("session");
});

test("one wallet's cap holds when several of its unknown vends fall due together", async () => {
  await using cloud = await Cloud.start({ webhooks: true, terms: { unknownRefundCap: 1 } });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const ids: string[] = [];
  for (const key of ["a", "b", "c"]) {
    const { id, paymentRequestId } = await machine.sale(key);
    ids.push(id);
    await cloud.pay(paymentRequestId);
    const { grantId } = await machine.grant(id);
    const vend = { grantId, vend: 1, item: 11, priceMinor: 250 };
    await machine.report(key, 1, { kind: "accepted", grantId });
    await machine.report(key, 2, { kind: "approved", ...vend });
    await machine.report(key, 3, { kind: "closed", grantId, reason: "boot" });
    await cloud.reaches(id, "unknown");
  }
  // A cloud that was away for a while finds all of them due.
  await cloud.store.write(async (tx) => {
    for (const { id, doc } of await tx.selectFrom("sale").select(["id", "doc"]).execute()) {
      const long = JSON.stringify({ ...(JSON.parse(doc) as object), sinceMs: 1 }); // sales.ts wrote an object
      await tx.updateTable("sale").set({ doc: long, next_at_ms: 1 }).where("id", "=", id).execute();
    }
  });
  const sales = await Promise.all(ids.map((id) => cloud.reaches(id, "settled")));
  const back = sales.map(({ refunded }) => (refunded as { readonly amount: string }).amount); // money, as all sales say it
  expect(back.sort()).toEqual(["150", "150", "400"]);
});

test("what is counted as given out though nobody saw it is in doubt, for its customer and its owner", async () => {
  await using cloud = await Cloud.start({
    webhooks: true,
    terms: { unknownRefundCap: 0, unknownAfterMs: 100 },
  });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const sold = async (key: string, ...ends: readonly ("assumed" | "seen")[]): Promise<unknown> => {
    const { id, paymentRequestId } = await machine.sale(key);
    await cloud.pay(paymentRequestId);
    const { grantId } = await machine.grant(id);
    const vend = { grantId, vend: 1, item: 11, priceMinor: 250 };
    const results = ends.map((end) => {
      const assumed = end === "assumed";
      return { kind: "succeeded", ...vend, assumed, late: false } as const;
    });
    const lines = [
      { kind: "accepted", grantId },
      { kind: "approved", ...vend },
      ...results,
      { kind: "closed", grantId, reason: "boot" },
    ] as const;
    for (const [index, line] of lines.entries()) await machine.report(key, index + 1, line);
    return (await cloud.reaches(id, "settled"))["vended"];
  };
  expect(await sold("seen", "seen")).toMatchObject([{ item: 11, inDoubt: false }]);
  expect(await sold("assumed", "assumed")).toMatchObject([{ item: 11, inDoubt: true }]);
  expect(await sold("presumed")).toMatchObject([{ item: 11, inDoubt: true }]);
  const url = `/api/vending/machines/${MACHINE.toUpperCase()}/sales`;
  const { body } = await cloud.call("GET", url, undefined, cloud.merchant.ownerKey);
  const doubts = [true, true, false].map((inDoubt) => ({ vended: [{ inDoubt }] }));
  expect(body["items"]).toMatchObject(doubts);
});

test("watching a sale is for GET alone: a HEAD of an endless stream would never be answered", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const { id } = await machine.sale("head");
  const signal = AbortSignal.timeout(5_000);
  const { status } = await fetch(`${cloud.url}/api/vending/sales/${id}/events`, { method: "HEAD", signal });
  expect(status).toBe(404);
});
