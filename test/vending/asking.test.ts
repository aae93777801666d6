/** What customers' pages cost the payment platform: whoever reads a sale, and however often, the merchant's own calls go on. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Cloud, Machine } from "./cloud.js";

let cloud: Cloud;
let machine: Machine;
beforeEach(async () => {
  cloud = await Cloud.start({ webhooks: true, terms: { againMs: 60_000 } }); // the attendant does not ask of itself
  machine = await Machine.connect(cloud);
  await machine.online();
});
afterEach(async () => {
  await machine[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
});
const looks = (): number =>
  cloud.calls.filter((call) => /^GET \/api\/payment-requests\/[^/]+$/.test(call)).length;
/** A sale that is paid, and has gone to its machine. */
const paid = async (key: string) => {
  const sale = await machine.sale(key);
  await cloud.pay(sale.paymentRequestId);
  return { ...sale, grantId: (await machine.grant(sale.id)).grantId };
};

test("a sale that is over costs no call, so that nobody's reading keeps others from paying", async () => {
  await cloud.store.write((tx) =>
    // as an account has it that nobody gave another number: 200 a minute
    tx
      .updateTable("account")
      .set({ requests_per_minute: null })
      .where("id", "=", cloud.merchant.ownerAccountId)
      .execute(),
  );
  const { id, grantId } = await paid("read-again-and-again");
  await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
  const settled = await cloud.reaches(id, "settled");
  for (let n = 0; n < 220; n += 1) expect(await cloud.sale(id)).toEqual(settled);
  expect(looks()).toBeLessThanOrEqual(1);
  await machine.sale("the-next-customer");
});

test("while a sale waits for its payment, reading it costs no call", async () => {
  const { id } = await machine.sale("waiting");
  for (let n = 0; n < 20; n += 1)
    expect(await cloud.sale(id)).toMatchObject({ paymentRequest: { status: "new" } });
  expect(looks()).toBe(0);
});

test("whoever reads a paid sale at the same moment shares one call, and sees how it was paid", async () => {
  const { id } = await paid("shared");
  const read = await Promise.all(Array.from({ length: 20 }, () => cloud.sale(id)));
  for (const sale of read) expect(sale).toMatchObject({ paymentRequest: { status: "paid" } });
  expect(looks()).toBe(1);
});

test("a platform that does not answer is asked about a sale once a second, however often that is read", async () => {
  const { id } = await paid("unanswered");
  cloud.relay = () => "down";
  const sinceMs = performance.now();
  for (let n = 0; n < 40; n += 1) expect(await cloud.sale(id)).toMatchObject({ state: "paid" });
  expect(looks()).toBeGreaterThan(0);
  expect(looks()).toBeLessThanOrEqual(1 + Math.floor((performance.now() - sinceMs) / 1_000));
});
