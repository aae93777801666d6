/** Vending and the payment platform, when the line between them fails: nothing is paid, refunded or vended twice. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { VOID_WINDOW_MS } from "../../cloud/payments/request.js";
import { clock, Cloud, Machine, MACHINE } from "./cloud.js";

let cloud: Cloud;
let machine: Machine;
const begin = async (webhooks: boolean): Promise<void> => {
  cloud = await Cloud.start({ webhooks });
  machine = await Machine.connect(cloud);
  await machine.online();
};
beforeEach(() => begin(true));
afterEach(async () => {
  await machine[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
});
const end = async (): Promise<void> => {
  await machine[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
};

test("without any webhook the sale is found paid by asking", async () => {
  await end();
  await begin(false);
  const { id, paymentRequestId } = await machine.sale("polled");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
  await cloud.reaches(id, "settled");
});

test("a refund whose answer is lost is asked for again and happens once", async () => {
  const before = await cloud.balance();
  const { id, paymentRequestId } = await machine.sale("lost-answer");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  let lost = 0;
  cloud.relay = ({ path }) => (path.endsWith("/refund") && (lost += 1) <= 2 ? "loseAnswer" : "pass");
  await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" } });
  expect(lost).toBe(3);
  expect(await cloud.balance()).toBe(before);
});

test("while the platform is down a refund waits, and is done when it is back", async () => {
  const before = await cloud.balance();
  const { id, paymentRequestId } = await machine.sale("down");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  let tries = 0;
  cloud.relay = ({ path }) => (path.endsWith("/refund") && (tries += 1) < 3 ? "down" : "pass");
  await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
  await cloud.reaches(id, "settled");
  expect(tries).toBe(3);
  expect(await cloud.balance()).toBe(before);
});

test("a payment request that cannot be made refuses the sale, frees the machine, and leaves nothing to pay", async () => {
  cloud.relay = () => "down";
  const asked = cloud.ask("no-platform");
  const { reservationId } = await machine.next("reserve");
  await machine.say("reserved", { reservationId, ok: true });
  expect(await asked).toMatchObject({ status: 503, body: { message: "PAYMENTS_UNAVAILABLE" } });
  cloud.relay = () => "pass";
  await machine.sale("no-platform"); // the same key: the refusal was not kept
});

test("a cancel that races the payment gives back exactly what was paid", async () => {
  const before = await cloud.balance();
  const { id, paymentRequestId } = await machine.sale("race");
  cloud.relay = ({ path }) => (path.endsWith("/void") ? "down" : "pass"); // the void is late ...
  const cancelled = cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  await cloud.called("/void");
  await cloud.pay(paymentRequestId); // ... and the payment gets in before it
  cloud.relay = () => "pass";
  await cancelled;
  expect(await cloud.reaches(id, "cancelled")).toMatchObject({ refunded: { amount: "400" } });
  expect(await cloud.balance()).toBe(before);
});

test("a payment that raced a cancel and can be voided no more is refunded", async () => {
  const before = await cloud.balance();
  const { id, paymentRequestId } = await machine.sale("void-too-late");
  cloud.relay = ({ path }) => (path.endsWith("/void") ? "down" : "pass");
  const cancelled = cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  await cloud.called("/void");
  await cloud.pay(paymentRequestId);
  await cloud.store.write((tx) =>
    tx
      .updateTable("payment_request")
      .set({ created_ms: clock.nowMs() - VOID_WINDOW_MS - 1 })
      .where("id", "=", paymentRequestId)
      .execute(),
  );
  cloud.relay = () => "pass";
  await cancelled;
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" } });
  expect(await cloud.balance()).toBe(before);
});

test("a payment that the merchant gave back by hand ends its sale", async () => {
  const before = await cloud.balance();
  const { id, paymentRequestId } = await machine.sale("by-hand");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  await cloud.call(
    "POST",
    `/api/payment-requests/${paymentRequestId}/void`,
    undefined,
    cloud.merchant.ownerKey,
  );
  await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
  await cloud.reaches(id, "settled");
  expect(await cloud.balance()).toBe(before);
});

test("of a payment that was given back in part by hand, the rest is refunded and no more", async () => {
  const before = await cloud.balance();
  const { id, paymentRequestId } = await machine.sale("part-by-hand");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  await cloud.call(
    "POST",
    `/api/payment-requests/${paymentRequestId}/refund`,
    { value: { amount: "100", currency: "NZD" }, externalRef: "by hand" },
    cloud.merchant.ownerKey,
  );
  await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" } });
  expect(await cloud.balance()).toBe(before);
});

test("while the platform cannot be asked, a sale shows its payment request as it was last known", async () => {
  const { id, paymentRequestId } = await machine.sale("away");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
  await cloud.reaches(id, "settled");
  cloud.relay = () => "down";
  expect(await cloud.sale(id)).toMatchObject({ state: "settled", paymentRequest: { status: "paid" } });
});

test("a refund that the platform declines is owed, to the customer's face and the owner's, until it is done", async () => {
  const { id, paymentRequestId } = await machine.sale("declined");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  const { ownerAccountId, ownerKey, walletId } = cloud.merchant;
  const value = { amount: "400", currency: "NZD" };
  const emptied = { accountId: ownerAccountId, type: "voucher.nzd.test", value, walletId };
  expect((await cloud.call("POST", "/api/vouchers", emptied, ownerKey)).status).toBe(200);
  await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
  await expect.poll(() => cloud.sale(id)).toMatchObject({ state: "settling", owed: value });
  const machines = "/api/vending/machines";
  const owners = async (path: string): Promise<unknown> =>
    (await cloud.call("GET", `${machines}${path}`, undefined, ownerKey)).body;
  const doubt = { id, state: "settling", flags: ["REFUND_DECLINED"] };
  expect(await owners(`/${MACHINE.toUpperCase()}/state`)).toMatchObject({ doubtful: 1, doubts: [doubt] });
  expect(await owners("")).toMatchObject({ items: [{ doubtful: 1 }, { doubtful: 0 }] });

  const next = await machine.sale("fills the wallet again");
  await cloud.pay(next.paymentRequestId);
  const settled = await cloud.reaches(id, "settled");
  expect(settled).toMatchObject({ refunded: value });
  expect(settled).not.toHaveProperty("owed");
  expect(await owners("")).toMatchObject({ items: [{ doubtful: 0 }, { doubtful: 0 }] });
});
