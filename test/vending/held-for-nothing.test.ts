/** Who holds a machine and does not pay: others have it before long, and whoever does it again and again waits. */
import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { clock, Cloud, Machine, MACHINE, OTHER, type Relay } from "./cloud.js";

const CODE = MACHINE.toUpperCase();
const MINUTE_MS = 60_000;
let cloud: Cloud;
let machine: Machine;
let other: Machine;
beforeEach(async () => {
  cloud = await Cloud.start({ webhooks: true, unpaidHolds: 3 });
  machine = await Machine.connect(cloud);
  other = await Machine.connect(cloud, OTHER);
  await Promise.all([machine.online(), other.online()]);
});
afterEach(async () => {
  await machine[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
});

/** Has what a sale came to happen so long ago. */
async function age(id: string, ms: number): Promise<void> {
  await cloud.store.write(async (tx) => {
    const { doc } = await tx.selectFrom("sale").select("doc").where("id", "=", id).executeTakeFirstOrThrow();
    const old = { ...(JSON.parse(doc) as object), sinceMs: clock.nowMs() - ms }; // sales.ts wrote an object
    await tx
      .updateTable("sale")
      .set({ doc: JSON.stringify(old) })
      .where("id", "=", id)
      .execute();
  });
}
const stateOf = async (): Promise<unknown> =>
  (await cloud.call("GET", `/api/vending/machines/${CODE}`)).body["state"];
/** A sale of a machine's that nobody pays. */
async function heldForNothing(key: string, at = machine): Promise<string> {
  const { id } = await at.sale(key);
  await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  await cloud.reaches(id, "cancelled");
  return id;
}
/** What a phone at this address is told that asks for a sale. */
const askFrom = (
  address: string,
  key: string,
): Promise<{ readonly status: number; readonly retryAfter: number; readonly body: unknown }> =>
  new Promise((resolve, reject) => {
    const asking = request(
      `${cloud.url}/api/vending/machines/${CODE}/sales`,
      { method: "POST", localAddress: address, headers: { "content-type": "application/json" } },
      (answer) => {
        let text = "";
        answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
        answer.on("end", () => {
          const { statusCode: status = 0, headers } = answer;
          resolve({ status, retryAfter: Number(headers["retry-after"]), body: JSON.parse(text) });
        });
      },
    );
    asking.on("error", reject);
    asking.end(JSON.stringify({ credit: "400", idempotencyKey: key }));
  });
const busy = { status: 403, body: { message: "MACHINE_BUSY" } };
const mustWait = { status: 429, body: { message: "RATE_LIMIT_EXCEEDED" } };

test("a sale that nobody has paid for long enough makes room for whoever asks next, and its customer reads why", async () => {
  const { id, paymentRequestId } = await machine.sale("goes away");
  expect(await stateOf()).toBe("busy");
  expect(await cloud.ask("too early")).toMatchObject(busy);
  await age(id, 10 * MINUTE_MS);
  expect(await stateOf()).toBe("ready");
  const next = await machine.sale("stands there");
  const before = await cloud.reaches(id, "cancelled");
  expect(before).toMatchObject({ takenOver: true, refunded: { amount: "0" } });
  expect(JSON.stringify(before["timeline"])).toContain(
    "somebody else who asked for the machine was let go first",
  );
  expect((await cloud.pay(paymentRequestId)).body).toMatchObject({ message: "REQUEST_CANCELLED" });
  await cloud.pay(next.paymentRequestId);
  await machine.grant(next.id);
  expect(await cloud.sale(next.id)).toMatchObject({ state: "paid", takenOver: false });
});

test("of many who ask for it at once one has it", async () => {
  const { id } = await machine.sale("goes away");
  await age(id, 10 * MINUTE_MS);
  const asked = ["a", "b", "c", "d", "e", "f"].map((key) => cloud.ask(key));
  await machine.saysYes();
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses.sort()).toEqual([200, 403, 403, 403, 403, 403]);
});

test("what is paid while somebody else asks stays the payer's: the sale goes on, or all of it comes back", async () => {
  const before = await cloud.balance();
  const { id, paymentRequestId } = await machine.sale("slow payer");
  await age(id, 10 * MINUTE_MS);
  cloud.relay = async ({ path }): Promise<Relay> => {
    // The payment comes after the machine was given to another, and before the request is voided.
    if (path.endsWith("/void") && (await cloud.balance()) === before) await cloud.pay(paymentRequestId);
    return "pass";
  };
  const next = await machine.sale("stands there");
  const sale = await cloud.reaches(id, "cancelled");
  expect(sale).toMatchObject({ takenOver: true, refunded: { amount: "400" }, vended: [] });
  expect(await cloud.balance()).toBe(before);
  await cloud.pay(next.paymentRequestId);
  await machine.grant(next.id);
  await age(next.id, 10 * MINUTE_MS);
  expect(await cloud.ask("a third")).toMatchObject(busy);
  expect(await cloud.sale(next.id)).toMatchObject({ state: "paid" });
});

test("what was begun at the machine itself is not taken over by a phone, and may take a phone's over", async () => {
  const { id } = await machine.sale("goes away");
  await age(id, 10 * MINUTE_MS);
  await machine.say("request", {
    requestId: "chosen",
    kind: "selection",
    item: 11,
    priceMinor: 250,
    forMs: 45_000,
  });
  const chosen = await machine.saysYes();
  expect((await machine.next("answer")).qr).toBeDefined();
  await cloud.reaches(id, "cancelled");
  await age(chosen, 10 * MINUTE_MS);
  expect(await stateOf()).toBe("busy");
  expect(await cloud.ask("a phone")).toMatchObject(busy);
});

test("an address that lets a machine be held for nothing again and again waits, each time longer", async () => {
  let last = "";
  for (const key of ["1", "2", "3", "4"]) last = await heldForNothing(key);
  // prettier-ignore
  const waits: readonly [key: string, seconds: number][] = [["5", 30], ["6", 60], ["7", 120], ["8", 240], ["9", 480], ["10", 600], ["11", 600]];
  for (const [key, seconds] of waits) {
    const told = await askFrom("127.0.0.1", key);
    expect(told, key).toMatchObject(mustWait);
    expect(told.body, "for people").toHaveProperty("reason");
    expect(told.retryAfter).toBeLessThanOrEqual(seconds);
    expect(told.retryAfter, "and of the wait only a moment is over").toBeGreaterThan(seconds / 2);
    await age(last, seconds * 1_000);
    last = await heldForNothing(key);
  }
  expect(await cloud.ask("12")).toMatchObject(mustWait);
  await age(last, 60 * MINUTE_MS);
  await machine.sale("an hour later");
});

test("that is of one address and one machine: others there, and the same elsewhere, buy", async () => {
  for (const key of ["1", "2", "3", "4"]) await heldForNothing(key);
  expect(await cloud.ask("5")).toMatchObject(mustWait);
  await heldForNothing("1", other);
  const elsewhere = askFrom("127.0.0.2", "another address");
  await machine.saysYes();
  expect(await elsewhere).toMatchObject({ status: 200 });
  expect(await cloud.ask("6"), "while somebody else has it, it is busy").toMatchObject(busy);
});

test("one that was paid ends the row, whatever came of it", async () => {
  for (const key of ["1", "2", "3"]) await heldForNothing(key);
  const { id, paymentRequestId } = await machine.sale("4");
  await cloud.pay(paymentRequestId);
  await machine.grant(id);
  await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  await cloud.reaches(id, "settled");
  for (const key of ["5", "6", "7", "8"]) await heldForNothing(key);
  expect(await cloud.ask("9")).toMatchObject(mustWait);
});

test("whoever asks again under the same key is told of the sale it made, and is not counted twice", async () => {
  const { id } = await machine.sale("again");
  for (let n = 0; n < 6; n += 1)
    expect(await cloud.ask("again")).toMatchObject({ status: 200, body: { id } });
  await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  await cloud.reaches(id, "cancelled");
  await machine.sale("the second");
});
