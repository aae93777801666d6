/** What an owner sees of their machines: how each is, what is in doubt, what was sold; and that nobody else sees it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Body, JournalLine } from "../../broker/protocol/messages.js";
import { provisionMerchant } from "../../cloud/payments/provision.js";
import { clock, Cloud, Machine, MACHINE, OTHER, random } from "./cloud.js";

const CODE = MACHINE.toUpperCase();
const URL = "/api/vending/machines";
let cloud: Cloud;
let machine: Machine;
/** Another merchant's owner. */
let stranger: string;
beforeAll(async () => {
  cloud = await Cloud.start({ webhooks: true });
  machine = await Machine.connect(cloud);
  const merchant = {
    name: "s",
    merchantName: "s",
    country: "NZ",
    currency: "NZD",
    allowedRedirectUrls: [],
  };
  ({ ownerKey: stranger } = await cloud.store.write((tx) =>
    provisionMerchant(tx, { clock, random }, merchant),
  ));
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
});

const get = (path: string, key = cloud.merchant.ownerKey): ReturnType<Cloud["call"]> =>
  cloud.call("GET", path, undefined, key);
const state = async (): Promise<Record<string, unknown>> => (await get(`${URL}/${CODE}/state`)).body;
const telemetry: NonNullable<Body["status"]["telemetry"]> = {
  uptimeSeconds: 7_200,
  boxUptimeSeconds: 90_000,
  residentMb: 80,
  freeDiskMb: 12_000,
  temperatureC: 48,
  commits: 40,
  serialLosses: 1,
  mdbResets: 2,
  vends: { succeeded: 9, failed: 1, unknown: 0 },
};
const status = (more: Partial<Body["status"]> = {}): Promise<unknown> =>
  machine.say("status", {
    online: true,
    bootId: "b",
    version: "1.2.3",
    mdb: "enabled",
    canSell: true,
    reason: "",
    ...more,
  });
/** One paid sale, as far as these lines tell it. */
async function sold(
  key: string,
  journal: string,
  lines: (grantId: string) => readonly JournalLine[],
): Promise<string> {
  const { id, paymentRequestId } = await machine.sale(key);
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  const all: readonly JournalLine[] = [{ kind: "accepted", grantId }, ...lines(grantId)];
  for (const [index, line] of all.entries()) await machine.report(journal, index + 1, line);
  await machine.heard(journal, all.length);
  return id;
}

test("a machine that was never heard is offline, and nothing is known of it", async () => {
  expect(await state()).toEqual({
    code: CODE,
    name: MACHINE,
    place: "here",
    currency: "NZD",
    state: "offline",
    configuration: { applied: 0 },
    doubtful: 0,
    doubts: [],
  });
});

test("what it says of itself is there: that it sells, why it does not, and how its box is", async () => {
  await status({ telemetry });
  await expect.poll(state).toMatchObject({ state: "ready", version: "1.2.3", mdb: "enabled", telemetry });
  await status({ canSell: false, reason: "journalFull", telemetry });
  await expect.poll(state).toMatchObject({ state: "outOfService", reason: "journalFull" });
  await status({ mdb: "session", telemetry });
  await expect.poll(state).toMatchObject({ state: "busy" });
});

test("when its line dies the last of its telemetry stays, and it says since when", async () => {
  const before = Date.parse(String((await state())["heardAt"]));
  await status({ online: false, mdb: "lost", canSell: false, reason: "offline" });
  await expect.poll(state).toMatchObject({ state: "offline", telemetry });
  const gone = await state();
  expect(gone).not.toHaveProperty("mdb");
  expect(gone).not.toHaveProperty("reason");
  expect(Date.parse(String(gone["heardAt"]))).toBeGreaterThanOrEqual(before);
});

test("sales are there newest first, a page at a time, and the one nobody can vouch for is a doubt", async () => {
  await machine.online();
  const vend = (grantId: string) => ({ grantId, vend: 1, item: 11, priceMinor: 250 });
  const first = await sold("first", "j1", (grantId) => [
    { kind: "opened", grantId },
    { kind: "approved", ...vend(grantId) },
    { kind: "succeeded", ...vend(grantId), assumed: false, late: false },
    { kind: "closed", grantId, reason: "done" },
  ]);
  await cloud.reaches(first, "settled");
  const second = await sold("second", "j2", (grantId) => [
    { kind: "opened", grantId },
    { kind: "approved", ...vend(grantId) },
    { kind: "unknown", ...vend(grantId), reason: "serial" },
    { kind: "closed", grantId, reason: "unknown" },
  ]);
  const [newest, oldest] = [
    { id: second, state: "unknown", vended: [] },
    {
      id: first,
      state: "settled",
      credit: { amount: "400", currency: "NZD" },
      paymentRequestId: expect.any(String) as unknown,
      vended: [{ item: 11, name: "Crisps", price: { amount: "250", currency: "NZD" } }],
      refunded: { amount: "150", currency: "NZD" },
      flags: [],
    },
  ];
  expect((await get(`${URL}/${CODE}/sales`)).body).toMatchObject({ items: [newest, oldest] });
  const page = (await get(`${URL}/${CODE}/sales?paginationLimit=1`)).body;
  expect(page).toMatchObject({ items: [newest], nextPageKey: second });
  const next = (await get(`${URL}/${CODE}/sales?paginationLimit=1&pageKey=${second}`)).body;
  expect(next).toMatchObject({ items: [oldest] });
  expect(next).not.toHaveProperty("nextPageKey");
  expect(await state()).toMatchObject({ doubts: [newest] });
});

test("what a vend cost goes back by its owner's word, once, and by nobody else's", async () => {
  const { items } = (await get(`${URL}/${CODE}/sales`)).body as { readonly items: { readonly id: string }[] };
  const [doubt, sale] = items.map(({ id }) => id);
  const give = (id: string | undefined, vend = 1, key = cloud.merchant.ownerKey) =>
    cloud.call("POST", `${URL}/${CODE}/sales/${id ?? ""}/refund`, { vend }, key);
  for (const key of [stranger, cloud.wallet.apiKey]) expect((await give(sale, 1, key)).status).toBe(403);
  const notCharged = { status: 403, body: { message: "NOT_CHARGED" } };
  expect(await give(sale, 2)).toMatchObject(notCharged);
  expect(await give("none")).toMatchObject({ status: 403, body: { message: "Forbidden" } });
  const elsewhere = `${URL}/MACHINE-2/sales/${sale ?? ""}/refund`;
  expect(await cloud.call("POST", elsewhere, { vend: 1 }, cloud.merchant.ownerKey)).toMatchObject({
    status: 403,
    body: { message: "Forbidden" },
  });

  const all = { amount: "400", currency: "NZD" };
  const before = await cloud.balance();
  for (const id of [sale, doubt]) {
    const asked = await Promise.all([give(id), give(id)]);
    for (const answer of asked)
      expect(answer).toMatchObject({ status: 200, body: { id, vended: [], flags: ["givenBack"] } });
    await cloud.reaches(id ?? "", "settled");
    expect(await give(id)).toMatchObject({
      status: 200,
      body: { state: "settled", refunded: all, returnable: [] },
    });
  }
  expect(await state()).toMatchObject({ doubtful: 0, doubts: [] });
  expect(await cloud.balance()).toBe(before + 250 + 400);
});

test("what nobody paid is not said to be paid, and what was paid and given back is", async () => {
  const sales = async (): Promise<unknown> =>
    (await get(`${URL}/${CODE}/sales?paginationLimit=1`)).body["items"];
  const { id } = await machine.sale("unpaid");
  expect(await sales()).toMatchObject([{ id, state: "awaitingPayment", paid: false }]);
  await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  expect(await sales()).toMatchObject([{ id, state: "cancelled", paid: false }]);
  const all = (await get(`${URL}/${CODE}/sales`)).body;
  expect(all).toMatchObject({ items: [{ paid: false }, { paid: true }, { paid: true }] });
});

test("an attempt that came to nothing before there was anything to pay is no sale", async () => {
  const asked = cloud.ask("refused");
  const { reservationId } = await machine.next("reserve");
  await machine.say("reserved", { reservationId, ok: false, reason: "busy" });
  expect((await asked).status).toBe(403);
  expect((await get(`${URL}/${CODE}/sales`)).body["items"]).toHaveLength(3);
});

test("the list has every machine of the caller's, a page at a time", async () => {
  const all = (await get(URL)).body;
  expect(all).toMatchObject({
    items: [
      { code: CODE, state: "ready" },
      { code: "MACHINE-2", state: "offline" },
    ],
  });
  const page = (await get(`${URL}?paginationLimit=1`)).body;
  expect(page).toMatchObject({ items: [{ code: CODE }], nextPageKey: CODE });
  expect((await get(`${URL}?paginationLimit=1&pageKey=${CODE}`)).body).toMatchObject({
    items: [{ code: "MACHINE-2" }],
  });
  const { config_id: configId } = await cloud.store.read
    .selectFrom("machine")
    .select("config_id")
    .where("id", "=", OTHER)
    .executeTakeFirstOrThrow();
  expect((await get(`${URL}?configId=${configId}`)).body["items"]).toHaveLength(2);
});

const PATHS = [URL, `${URL}?configId=mc_none`, `${URL}/${CODE}/state`, `${URL}/${CODE}/sales`];
test.each(PATHS)("nobody else sees %s", async (path) => {
  for (const key of ["", "no", "no.key", `${cloud.merchant.ownerKey}x`])
    expect((await get(path, key)).status).toBe(401);
  expect((await cloud.call("GET", path)).status).toBe(401);
  for (const key of [stranger, cloud.wallet.apiKey]) expect((await get(path, key)).status).toBe(403);
});

test("a machine that is not there is no other answer than somebody else's", async () => {
  for (const path of [`${URL}/NOWHERE/state`, `${URL}/NOWHERE/sales`])
    expect(await get(path)).toMatchObject({ status: 403, body: { message: "Forbidden" } });
});

test("while the platform cannot be asked whose key it is, nothing is shown", async () => {
  cloud.relay = () => "down";
  const unsure = await Promise.all(PATHS.map((path) => get(path)));
  cloud.relay = () => "pass";
  for (const answer of unsure)
    expect(answer).toMatchObject({ status: 503, body: { message: "PAYMENTS_UNAVAILABLE" } });
});

test("an owner's key of a merchant with machines among many merchants is asked to name a config", async () => {
  await cloud.store.write(async (tx) => {
    for (let n = 0; n < 20; n += 1)
      await tx
        .insertInto("machine")
        .values({
          id: `more-${n}`,
          code: `MORE${n}`,
          name: "m",
          place: "p",
          currency: "NZD",
          decimals: 2,
          config_id: `mc_${n}`,
          suggested_credit: "[]",
          min_credit_minor: 1,
          max_credit_minor: 1,
          max_vends: 1,
          status: null,
          status_n: 0,
          status_at_ms: 0,
          created_ms: 0,
        })
        .execute();
  });
  expect(await get(URL)).toMatchObject({ status: 400 });
});
