/** The cloud's side of the handshake over a real broker: what is believed, what is committed, what is answered. */
import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JournalLine } from "../../broker/protocol/messages.js";
import { keepStatus } from "../../cloud/vending/machines.js";
import { replaceKeys, revokeKeys } from "../../cloud/vending/provision.js";
import { Cloud, Machine, MACHINE, OTHER, SELLS } from "./cloud.js";

let cloud: Cloud;
let machine: Machine;
const errors: string[] = [];
beforeAll(async () => {
  cloud = await Cloud.start({ webhooks: true, log: errors });
  machine = await Machine.connect(cloud);
  await machine.online();
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
});
let journals = 0;
const newJournal = (): string => `journal-${(journals += 1)}`;
const committed = async (journal: string): Promise<number> =>
  (
    await cloud.store.read
      .selectFrom("machine_report")
      .select("entry")
      .where("journal", "=", journal)
      .execute()
  ).length;

test("one sale, said line by line: granted, accepted, go, vended, refunded, and every line heard", async () => {
  const journal = newJournal();
  const before = await cloud.balance();
  const { id, paymentRequestId } = await machine.sale("whole");
  await cloud.pay(paymentRequestId);
  const { grantId, amountMinor, currency, maxVends } = await machine.grant(id);
  expect({ amountMinor, currency, maxVends }).toEqual({ amountMinor: 400, currency: "NZD", maxVends: 1 });
  await machine.report(journal, 1, { kind: "accepted", grantId });
  expect(await machine.next("go")).toEqual({ grantId, journal, entry: 1 });
  const vend = { grantId, vend: 1, item: 11, priceMinor: 250 };
  const lines: readonly JournalLine[] = [
    { kind: "opened", grantId },
    { kind: "approved", ...vend },
    { kind: "succeeded", ...vend, assumed: false, late: false },
    { kind: "closed", grantId, reason: "done" },
  ];
  for (const [index, line] of lines.entries()) await machine.report(journal, index + 2, line);
  expect(await cloud.reaches(id, "settled")).toMatchObject({
    refunded: { amount: "150" },
    vended: [{ item: 11, name: "Crisps" }],
  });
  expect(JSON.stringify((await cloud.sale(id))["timeline"])).toContain("NZD 1.50 is back in your wallet.");
  expect(before - (await cloud.balance())).toBe(250);
  await machine.heard(journal, 5);
  expect(await committed(journal)).toBe(5);
});

test("a gap, a repetition and a line out of order are answered with how far the journal has been heard, and change nothing", async () => {
  const journal = newJournal();
  const alarm: JournalLine = { kind: "alarm", code: "c", detail: "" };
  await machine.report(journal, 2, alarm);
  expect(await machine.upTo(journal)).toBe(0);
  await machine.report(journal, 1, alarm);
  expect(await machine.upTo(journal)).toBe(1);
  await machine.report(journal, 1, alarm);
  expect(await machine.upTo(journal)).toBe(1);
  expect(await committed(journal)).toBe(1);
});

test("a sale for cash is kept and heard, and is nobody's", async () => {
  const journal = newJournal();
  const { id } = await machine.sale("beside-cash");
  const before = await cloud.sale(id);
  await machine.report(journal, 1, { kind: "cashSale", item: 11, priceMinor: 250 });
  await machine.heard(journal, 1);
  expect(await committed(journal)).toBe(1);
  expect((await cloud.sale(id))["vended"]).toEqual(before["vended"]);
  await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  await cloud.reaches(id, "cancelled");
});

test("an accepted for a sale that was refunded meanwhile is answered with void", async () => {
  const journal = newJournal();
  const { id, paymentRequestId } = await machine.sale("too-late");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  await cloud.reaches(id, "settled");
  await machine.report(journal, 1, { kind: "accepted", grantId });
  expect(await machine.next("void")).toEqual({ grantId, journal, entry: 1 });
  await machine.report(journal, 2, { kind: "lapsed", grantId, reason: "void" });
  expect(await cloud.sale(id)).toMatchObject({ state: "settled", refunded: { amount: "400" } });
});

test("a grant is said again until the machine has answered it", async () => {
  const journal = newJournal();
  const { id, paymentRequestId } = await machine.sale("again");
  await cloud.pay(paymentRequestId);
  const first = await machine.grant(id);
  expect(await machine.grant(id)).toEqual(first);
  await machine.report(journal, 1, { kind: "refused", grantId: first.grantId, reason: "outOfService" });
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" }, vended: [] });
});

test("a machine that says it vended for more than its grant is heard to the end, and nothing goes back", async () => {
  const journal = newJournal();
  const { id, paymentRequestId } = await machine.sale("over");
  await cloud.pay(paymentRequestId);
  const { grantId } = await machine.grant(id);
  const vend = { grantId, vend: 1, item: 11, priceMinor: 401 };
  const lines: readonly JournalLine[] = [
    { kind: "accepted", grantId },
    { kind: "approved", ...vend },
    { kind: "succeeded", ...vend, assumed: false, late: false },
    { kind: "closed", grantId, reason: "done" },
  ];
  for (const [index, line] of lines.entries()) await machine.report(journal, index + 1, line);
  await machine.heard(journal, lines.length);
  expect(await cloud.sale(id)).toMatchObject({ state: "settled", refunded: { amount: "0" } });
});

// prettier-ignore
const forged: readonly [name: string, payload: (journal: string, line: JournalLine) => string | Buffer][] = [
  ["that is no JWS",               () => "hello"],
  ["that is plain JSON",           (journal, line) => JSON.stringify({ journal, entry: 1, line })],
  ["of random bytes",              () => Buffer.from([0, 1, 2, 250, 251])],
  ["signed by a key nobody knows", (journal, line) => machine.payload("report", { journal, entry: 1, line }, { kid: "kid-nobody" })],
  ["signed by the wrong key",      (journal, line) => machine.payload("report", { journal, entry: 1, line }, { key: generateKeyPairSync("ed25519").privateKey })],
  ["signed by another machine",    (journal, line) => machine.payload("report", { journal, entry: 1, line }, { kid: `kid-${OTHER}`, ...(cloud.keys[OTHER] === undefined ? {} : { key: cloud.keys[OTHER] }) })],
  ["made for another topic",       (journal, line) => machine.payload("report", { journal, entry: 1, line }, { machine: OTHER })],
];
for (const [name, payload] of forged)
  test(`a report ${name} changes nothing, and the next honest one is heard`, async () => {
    const journal = newJournal();
    const line: JournalLine = { kind: "alarm", code: "forged", detail: "" };
    await machine.raw("report", payload(journal, line));
    await machine.report(journal, 1, { kind: "alarm", code: "honest", detail: "" });
    expect(await machine.upTo(journal)).toBe(1);
    const rows = await cloud.store.read
      .selectFrom("machine_report")
      .select("line")
      .where("journal", "=", journal)
      .execute();
    expect(rows.map((row) => (JSON.parse(row.line) as { code: string }).code)).toEqual(["honest"]);
  });

test("the very same bytes a second time are a replay: a status from before cannot bring an offline machine back", async () => {
  const online = machine.payload("status", SELLS);
  await machine.raw("status", online);
  await machine.say("status", { ...SELLS, online: false });
  const state = async () =>
    (await cloud.call("GET", `/api/vending/machines/${MACHINE.toUpperCase()}`)).body["state"];
  while ((await state()) !== "offline") await new Promise((again) => setTimeout(again, 10));
  await machine.raw("status", online);
  const journal = newJournal();
  await machine.report(journal, 1, { kind: "alarm", code: "after", detail: "" }); // in order: when this is heard, that was looked at
  await machine.upTo(journal);
  expect(await state()).toBe("offline");
  await machine.online();
});

test("a machine cannot answer a reservation, or report a grant, that is another machine's", async () => {
  await using other = await Machine.connect(cloud, OTHER);
  const journal = newJournal();
  const asked = cloud.ask("not-yours");
  const { reservationId } = await machine.next("reserve");
  await other.say("reserved", { reservationId, ok: false, reason: "busy" });
  await other.report(journal, 1, { kind: "alarm", code: "after", detail: "" });
  await other.upTo(journal);
  await machine.say("reserved", { reservationId, ok: true });
  const { body } = await asked;
  const { id } = body as { id: string };
  await cloud.pay((body["paymentRequest"] as { id: string }).id);
  const { grantId } = await machine.grant(id);
  await other.report(journal, 2, { kind: "refused", grantId, reason: "busy" });
  await other.upTo(journal);
  expect((await cloud.sale(id))["state"]).toBe("paid");
  await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  await cloud.reaches(id, "settled");
});

test("a machine that says busy, or out of service, is not charged for", async () => {
  for (const [reason, message] of [
    ["busy", "MACHINE_BUSY"],
    ["outOfService", "MACHINE_OUT_OF_SERVICE"],
  ] as const) {
    const asked = cloud.ask(`no-${reason}`);
    const { reservationId } = await machine.next("reserve");
    await machine.say("reserved", { reservationId, ok: false, reason });
    expect(await asked).toMatchObject({ status: 403, body: { message } });
  }
});

test("a machine that does not answer is offline after its patience, whatever its last status said", async () => {
  await using impatient = await Cloud.start({ webhooks: false, terms: { reserveMs: 500 } });
  await using silent = await Machine.connect(impatient);
  await silent.online();
  expect(await impatient.ask("silent")).toMatchObject({
    status: 403,
    body: { message: "MACHINE_OFFLINE" },
  });
});

test("an item that fails three times in a row is not offered until it has come out once", async () => {
  const journal = newJournal();
  const available = async () =>
    (
      (await cloud.call("GET", `/api/vending/machines/${MACHINE.toUpperCase()}`)).body["items"] as {
        available: boolean;
      }[]
    )[0]?.available;
  const vend = { grantId: "none", vend: 1, item: 11, priceMinor: 250 };
  for (let n = 1; n <= 3; n += 1) await machine.report(journal, n, { kind: "failed", ...vend, late: false });
  await machine.heard(journal, 3);
  expect(await available()).toBe(false);
  await machine.report(journal, 4, { kind: "succeeded", ...vend, assumed: false, late: false });
  await machine.heard(journal, 4);
  expect(await available()).toBe(true);
});

test("a machine of which everything has an old number is an error in the log that says what to do; one message twice is none", async () => {
  const [online, journal] = [{ ...SELLS, bootId: "o" } as const, newJournal()];
  const alarm = { journal, entry: 1, line: { kind: "alarm", code: "c", detail: "" } } as const;
  const said = (): unknown[] =>
    errors.filter((line) => line.includes("has an old number")).map((line) => JSON.parse(line) as unknown);
  await using other = await Machine.connect(cloud, OTHER);
  // A cloud that has started again knows the number of the last status alone.
  await cloud.store.write((tx) => keepStatus(tx, OTHER, SELLS, { kid: `kid-${OTHER}`, n: 2 ** 51 }, 1_000));
  const older = (n: number) => other.raw("status", other.payload("status", online, { n }));
  for (let n = 2 ** 40; n < 2 ** 40 + 15; n += 1) await older(n);
  await other.raw("report", other.payload("report", alarm, { n: 2 ** 40 + 15 }));
  await other.upTo(journal);
  expect(said()).toEqual([]);
  await older(2 ** 40 + 16);
  await expect.poll(said).toMatchObject([{ machine: OTHER, count: 16 }]);
  errors.length = 0;
  // Somebody had the key once: a number that the machine itself never comes to.
  await other.raw("report", other.payload("report", alarm, { n: 2 ** 52 }));
  await other.raw("status", other.payload("status", online, { n: 2 ** 52 + 1 }));
  await other.upTo(journal);
  for (let n = 1; n < 16; n += 1) await other.raw("report", other.payload("report", alarm, { n }));
  await other.raw("report", other.payload("report", alarm, { n: 2 ** 52 + 2 }));
  await other.upTo(journal);
  for (let n = 17; n < 32; n += 1) await other.raw("report", other.payload("report", alarm, { n }));
  expect(said()).toEqual([]);
  await other.raw("report", other.payload("report", alarm, { n: 32 }));
  await expect.poll(said).toMatchObject([{ machine: OTHER, n: 32, count: 16 }]);
  expect(JSON.stringify(said())).toContain("Give it a new key (docs/running.md");
});

test("a key that takes another's place begins at any number, and what the revoked one still says counts for nothing", async () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const keep = (kid: string, n: number) =>
    cloud.store.write((tx) => keepStatus(tx, OTHER, SELLS, { kid, n }, 1_000));
  await keep(`kid-${OTHER}`, 2 ** 52 + 10);
  expect(await keep(`kid-${OTHER}`, 2 ** 52 + 10)).toBe("ignored");
  expect(await keep(`kid-${OTHER}`, 7)).toBe("older");
  const key = { kid: "kid-anew", publicKey: publicKey.export({ format: "jwk" }) };
  await cloud.store.write((tx) => replaceKeys(tx, OTHER, key, 2_000));
  expect(await keep(`kid-${OTHER}`, 2 ** 52 + 11)).toBe("ignored");
  expect(await cloud.call("GET", `/api/vending/machines/${OTHER.toUpperCase()}`)).toMatchObject({
    body: { state: "offline" },
  });
  expect(await keep("kid-anew", 0)).toEqual({ hasRestarted: true });
  expect(await cloud.store.write((tx) => revokeKeys(tx, OTHER, 3_000))).toBe(1);
  expect(await keep("kid-anew", 1)).toBe("ignored");
});
