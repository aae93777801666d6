/** The static-QR sale as a customer and an operator meet it: real processes, HTTP from the outside. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { call, Rig, until, type SaleView } from "./rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());
beforeEach(async () => {
  await rig.heal(); // a test that failed must not fail the next one
  await rig.ready();
});

/** What this sale did to both balances, beside what it says of itself. */
async function books(before: { payer: number; merchant: number }, sale: SaleView) {
  const after = await rig.balances();
  const vended = sale.vended.reduce((sum, { price }) => sum + Number(price.amount), 0);
  return {
    state: sale.state,
    vended,
    refunded: Number(sale.refunded.amount),
    payerLost: before.payer - after.payer,
    merchantGained: after.merchant - before.merchant,
  };
}

test("scan, pay, pick, and the difference comes back: every figure agrees to the cent", async () => {
  const before = { ...(await rig.balances()), fallen: await rig.fallen() };
  const asked = await rig.begin("400");
  expect(asked).toMatchObject({
    state: "awaitingPayment",
    credit: { amount: "400", currency: "NZD" },
    paymentRequest: { status: "new" },
  });
  expect(await rig.machineState()).toBe("busy");
  expect((await rig.pay(asked)).body).toMatchObject({
    type: "payment",
    value: { amount: "400", currency: "NZD" },
  });
  await rig.select(11);
  const sale = await rig.reaches(asked.id, "settled");
  expect(sale.vended).toEqual([
    { item: 11, name: "Salted crisps", price: { amount: "250", currency: "NZD" } },
  ]);
  expect(await books(before, sale)).toEqual({
    state: "settled",
    vended: 250,
    refunded: 150,
    payerLost: 250,
    merchantGained: 250,
  });
  expect(await rig.fallen()).toBe(before.fallen + 1);
  expect(sale.timeline.map(({ text }) => text).at(-1)).toBe("All settled.");
});

test("an item at exactly the credit leaves nothing to refund", async () => {
  const before = await rig.balances();
  const { id } = await rig.begun("250");
  await rig.select(11);
  expect(await books(before, await rig.reaches(id, "settled"))).toMatchObject({
    vended: 250,
    refunded: 0,
    payerLost: 250,
    merchantGained: 250,
  });
});

test("a jam is refunded whole", async () => {
  const before = { ...(await rig.balances()), fallen: await rig.fallen() };
  await rig.faults({ jam: true });
  const { id } = await rig.begun("400");
  await rig.select(12);
  const sale = await rig.reaches(id, "settled");
  expect(await books(before, sale)).toEqual({
    state: "settled",
    vended: 0,
    refunded: 400,
    payerLost: 0,
    merchantGained: 0,
  });
  expect(await rig.fallen()).toBe(before.fallen);
});

test("nothing picked before the session ends is refunded whole", async () => {
  const before = await rig.balances();
  const { id } = await rig.begun("400");
  await rig.vmc("session");
  await rig.sim("POST", "/cancel");
  expect(await books(before, await rig.reaches(id, "settled"))).toMatchObject({
    vended: 0,
    refunded: 400,
    payerLost: 0,
  });
});

test("an item above the credit is denied, the session stays open, and another can be picked", async () => {
  const before = await rig.balances();
  const { id } = await rig.begun("300");
  await rig.select(31);
  await rig.vmc("session");
  expect((await rig.sale(id)).state).toBe("open");
  await rig.select(21);
  const sale = await rig.reaches(id, "settled");
  expect(await books(before, sale)).toMatchObject({
    vended: 200,
    refunded: 100,
    payerLost: 200,
    merchantGained: 200,
  });
  expect(sale.timeline.some(({ text }) => text.includes("more than the credit"))).toBe(true);
});

test("a second customer is told that the machine is busy, and no payment request exists for them", async () => {
  const first = await rig.begin("400");
  expect(await rig.ask("400", "second")).toMatchObject({
    status: 403,
    body: { statusCode: 403, error: "Forbidden", message: "MACHINE_BUSY" },
  });
  expect((await rig.api("POST", `/api/vending/sales/${first.id}/cancel`)).body).toMatchObject({
    state: "cancelled",
    refunded: { amount: "0" },
  });
});

test("paying twice is refused, and paying again under the same key is the same answer", async () => {
  const before = await rig.balances();
  const sale = await rig.begin("400");
  const paid = await rig.pay(sale);
  expect(paid.status).toBe(200);
  expect(await rig.pay(sale)).toEqual(paid);
  expect(await rig.pay(sale, rig.wallet(), "another-key")).toMatchObject({
    status: 403,
    body: { message: "REQUEST_PAID" },
  });
  expect(await rig.pay(sale, rig.wallet(1), "somebody-else")).toMatchObject({
    status: 403,
    body: { message: "REQUEST_PAID" },
  });
  await rig.select(11);
  expect(await books(before, await rig.reaches(sale.id, "settled"))).toMatchObject({
    payerLost: 250,
    merchantGained: 250,
  });
});

test("the same idempotencyKey is the same sale, even at once; with another credit it is refused", async () => {
  const answers = await Promise.all([1, 2, 3].map(() => rig.ask("400", "once")));
  const ids = answers.map(({ status, body }) => `${status} ${(body as SaleView).id}`);
  expect(new Set(ids).size).toBe(1);
  expect(await rig.ask("500", "once")).toMatchObject({
    status: 403,
    body: { message: "IDEMPOTENT_OPERATION_FAILED" },
  });
  const { id } = answers[0]?.body as SaleView;
  expect((await rig.api("POST", `/api/vending/sales/${id}/cancel`)).body).toMatchObject({
    state: "cancelled",
  });
  expect((await rig.ask("400", "once")).body).toMatchObject({ id, state: "cancelled" });
});

test("a cancel after payment gives everything back", async () => {
  const before = await rig.balances();
  const { id } = await rig.begun("400");
  await rig.vmc("session");
  await rig.api("POST", `/api/vending/sales/${id}/cancel`);
  expect(await books(before, await rig.reaches(id, "settled"))).toMatchObject({
    vended: 0,
    refunded: 400,
    payerLost: 0,
  });
  await rig.vmc("enabled");
});

test("a duplicate result from the machine is one sale", async () => {
  const before = await rig.balances();
  await rig.faults({ duplicateReport: true });
  const { id } = await rig.begun("400");
  await rig.select(11);
  const sale = await rig.reaches(id, "settled");
  expect(await books(before, sale)).toMatchObject({ vended: 250, refunded: 150, payerLost: 250 });
});

test("a reset of the machine in mid-vend counts as sold, as the standard says", async () => {
  const before = await rig.balances();
  await rig.faults({ slowCoilMs: 4_000 });
  const { id } = await rig.begun("400");
  await rig.select(11);
  await rig.reaches(id, "vending");
  await rig.faults({ vmcReset: true });
  await rig.faults({ vmcReset: false, slowCoilMs: 0 });
  const sale = await rig.reaches(id, "settled");
  expect(await books(before, sale)).toMatchObject({ vended: 250, refunded: 150, payerLost: 250 });
  expect(sale.timeline.some(({ text }) => text.includes("marked for a check"))).toBe(true);
});

test("a lossy, doubling, slow network changes how long it takes and nothing else", async () => {
  const before = await rig.balances();
  await rig.faults({ networkDrop: 0.3, networkDuplicate: 0.5, networkDelayMs: 40 });
  // The machine is asked for three seconds, then the customer is told that it is not there: so they ask again.
  let tries = 0;
  let answer = await rig.ask("400", "lossy-0");
  await until("a sale", async () => {
    if (answer.status !== 200) answer = await rig.ask("400", `lossy-${(tries += 1)}`);
    return answer.status === 200;
  });
  const asked = answer.body as SaleView;
  expect((await rig.pay(asked)).status).toBe(200);
  await until("an item picked, or everything given back", async () => {
    const { state } = await rig.sale(asked.id);
    return state === "settled" || (await rig.press(11)) === undefined;
  });
  const sale = await rig.reaches(asked.id, "settled");
  const { payerLost, merchantGained, vended, refunded } = await books(before, sale);
  expect({ payerLost, merchantGained }).toEqual({ payerLost: vended, merchantGained: vended });
  expect(vended + refunded).toBe(400);
}, 150_000);

test("the customer's page and the QR code of the sticker are there", async () => {
  const page = await call("GET", rig.file.machines[0]?.url ?? "");
  expect(page.status).toBe(200);
  expect(String(page.body)).toContain("<!doctype html>");
  expect(String((await call("GET", `${rig.file.machines[0]?.url ?? ""}/qr.svg`)).body)).toContain("<svg");
});

test("a watched sale tells its every state, ending with what came of it", async () => {
  await rig.faults({ slowCoilMs: 3_000 }); // long enough to be seen by a slow reader
  const sale = await rig.begin("400");
  const stream = await fetch(`${rig.file.cloudUrl}/api/vending/sales/${sale.id}/events`, {
    headers: { accept: "text/event-stream" },
  });
  const states: string[] = [];
  const watching = (async () => {
    let text = "";
    for await (const chunk of stream.body ?? []) {
      text += Buffer.from(chunk as Uint8Array).toString();
      for (const [, data] of text.matchAll(/^data: (.+)\n\n/gm)) {
        const { state } = JSON.parse(data ?? "{}") as Partial<SaleView>;
        if (state !== undefined && states.at(-1) !== state) states.push(state); // a beat has none
      }
      text = text.slice(text.lastIndexOf("\n\n") + 2);
      if (states.at(-1) === "settled") return;
    }
  })();
  await rig.pay(sale);
  await rig.select(11);
  await watching;
  expect(states[0]).toBe("awaitingPayment");
  expect(states).toContain("vending");
  expect(states.at(-1)).toBe("settled");
});

const HUGE = "9".repeat(30);
// prettier-ignore
const badSales: readonly [name: string, body: unknown, status: number, names: string][] = [
  ["no body",                      undefined,                                                             400, "body"],
  ["not JSON",                     "{credit",                                                             400, "body"],
  ["a list",                       [],                                                                    400, "body"],
  ["no credit",                    { idempotencyKey: "k" },                                               400, "credit"],
  ["no idempotencyKey",            { credit: { amount: "400", currency: "NZD" } },                        400, "idempotencyKey"],
  ["a number for the amount",      { credit: { amount: 400, currency: "NZD" }, idempotencyKey: "k" },     400, "credit"],
  ["true for the amount",          { credit: { amount: true, currency: "NZD" }, idempotencyKey: "k" },    400, "credit"],
  ["a negative amount",            { credit: { amount: "-400", currency: "NZD" }, idempotencyKey: "k" },  400, "credit"],
  ["a fraction",                   { credit: { amount: "4.5", currency: "NZD" }, idempotencyKey: "k" },   400, "credit"],
  ["an enormous amount",           { credit: { amount: HUGE, currency: "NZD" }, idempotencyKey: "k" },    400, "credit"],
  ["another currency",             { credit: { amount: "400", currency: "AUD" }, idempotencyKey: "k" },   400, "credit.currency"],
  ["a field nobody knows",         { credit: { amount: "400", currency: "NZD" }, idempotencyKey: "k", price: 1 }, 400, "price"],
  ["too much credit",              { credit: { amount: "200001", currency: "NZD" }, idempotencyKey: "k" },  403, "CREDIT_OUT_OF_RANGE"],
  ["too little credit",            { credit: { amount: "1", currency: "NZD" }, idempotencyKey: "k" },     403, "CREDIT_OUT_OF_RANGE"],
];
for (const [name, body, status, names] of badSales)
  test(`a sale with ${name} is refused and starts nothing`, async () => {
    const answer = await rig.api("POST", `/api/vending/machines/${rig.code}/sales`, body);
    expect(answer).toMatchObject({ status, body: { statusCode: status } });
    expect((answer.body as { message: string }).message).toContain(names);
    expect(await rig.machineState()).toBe("ready");
  });

test("what is not there and what is not yours are one answer; what is no route is another", async () => {
  const forbidden = { status: 403, body: { statusCode: 403, error: "Forbidden", message: "Forbidden" } };
  expect(await rig.api("GET", "/api/vending/machines/NOWHERE")).toMatchObject(forbidden);
  expect(await rig.api("GET", "/api/vending/sales/nothing")).toMatchObject(forbidden);
  expect(await rig.api("POST", "/api/vending/sales/nothing/cancel")).toMatchObject(forbidden);
  expect(
    await rig.api("GET", `/api/assets/${rig.wallet(1).assetId}`, undefined, rig.wallet(0).apiKey),
  ).toMatchObject(forbidden);
  expect(await rig.api("GET", "/api/nothing")).toMatchObject({ status: 404, body: { message: "Not Found" } });
});

test("a webhook nobody signed is refused and pays nothing", async () => {
  const sale = await rig.begin("400");
  const forged = {
    id: "n",
    type: "payment-request:paid",
    data: { paymentRequestId: sale.paymentRequest.id, value: { amount: "400", currency: "NZD" } },
  };
  expect((await rig.api("POST", "/api/vending/webhooks/payments", forged)).status).toBe(401);
  expect((await rig.api("POST", "/api/vending/webhooks/payments", "no JSON")).status).toBe(401);
  expect((await rig.sale(sale.id)).state).toBe("awaitingPayment");
  await rig.api("POST", `/api/vending/sales/${sale.id}/cancel`);
});

test("a machine that is off is refused before any payment exists", async () => {
  const activities = async (): Promise<unknown> => {
    const { body } = await rig.api(
      "GET",
      `/api/payment-requests/${paid.paymentRequest.id}`,
      undefined,
      rig.file.keys.owner,
    );
    const { merchantId } = body as { readonly merchantId: string };
    return (
      await rig.api("GET", `/api/payment-activities?merchantId=${merchantId}`, undefined, rig.file.keys.owner)
    ).body;
  };
  const paid = await rig.begin("400");
  await rig.api("POST", `/api/vending/sales/${paid.id}/cancel`);
  await rig.power(false);
  const before = await activities();
  expect(await rig.ask("400", "off")).toMatchObject({ status: 403, body: { message: "MACHINE_OFFLINE" } });
  expect(await activities()).toEqual(before);
  await rig.power(true);
  await rig.ready();
  expect((await rig.ask("400", "off")).status).toBe(200);
});
