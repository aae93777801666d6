/** An item that fails again and again is not offered, and is offered again: when the machine would give it, too. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { SUSPENDED_MS } from "../../broker/protocol/machine-configuration.js";
import type { Body } from "../../broker/protocol/messages.js";
import { clock, Cloud, Machine, MACHINE } from "./cloud.js";

let cloud: Cloud;
let machine: Machine;
let aheadMs: number;
beforeEach(async () => {
  aheadMs = 0;
  cloud = await Cloud.start({ webhooks: false, clock: { ...clock, nowMs: () => clock.nowMs() + aheadMs } });
  machine = await Machine.connect(cloud);
  await says({});
  await expect.poll(isOffered).toBe(true);
});
afterEach(async () => {
  await machine[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
});

const says = (more: Partial<Body["status"]>): Promise<unknown> =>
  machine.say("status", {
    online: true,
    bootId: "boot-1",
    version: "test",
    mdb: "enabled",
    canSell: true,
    reason: "",
    ...more,
  });
const isOffered = async (): Promise<unknown> => {
  const { items } = (await cloud.call("GET", `/api/vending/machines/${MACHINE.toUpperCase()}`)).body;
  return (items as readonly { readonly available: boolean }[])[0]?.available;
};
/** The item jams once more, as this entry of the journal says. */
const jams = (entry: number, journal = "j"): Promise<unknown> =>
  machine.report(journal, entry, {
    kind: "failed",
    grantId: "g",
    vend: 1,
    item: 11,
    priceMinor: 250,
    late: false,
  });
const jamsThreeTimes = async (): Promise<void> => {
  for (const entry of [1, 2, 3]) await jams(entry);
  await machine.heard("j", 3);
  expect(await isOffered()).toBe(false);
};
/** Resolves when the cloud has taken in a status of the machine that says that it has applied this. */
const applies = async (applied: number, more: Partial<Body["status"]> = {}): Promise<void> => {
  await says({ ...more, config: { applied } });
  const isApplied = async (): Promise<unknown> =>
    (
      await cloud.call(
        "GET",
        `/api/vending/machines/${MACHINE.toUpperCase()}/config`,
        undefined,
        cloud.merchant.ownerKey,
      )
    ).body["applied"];
  await expect.poll(isApplied).toBe(applied);
};

test("an item that jammed three times is offered again when the machine would give it again, and one more jam is enough", async () => {
  await jamsThreeTimes();
  aheadMs = SUSPENDED_MS - 60_000;
  const at = (): Promise<unknown> =>
    cloud.store.read.selectFrom("machine").select("status_at_ms").where("id", "=", MACHINE).execute();
  const before = await at();
  await says({});
  await expect.poll(at).not.toEqual(before);
  expect(await isOffered()).toBe(false);
  aheadMs = SUSPENDED_MS + 1;
  await says({});
  await expect.poll(isOffered).toBe(true);
  await jams(4);
  await machine.heard("j", 4);
  expect(await isOffered()).toBe(false);
});

test("a machine that has started again is offered whole", async () => {
  await jamsThreeTimes();
  await says({ bootId: "boot-2" });
  await expect.poll(isOffered).toBe(true);
  await jams(4);
  await machine.heard("j", 4);
  expect(await isOffered(), "its count began anew").toBe(true);
});

test("a machine whose journal is new is offered whole", async () => {
  await jamsThreeTimes();
  await machine.report("k", 1, { kind: "alarm", code: "journalDamaged", detail: "" });
  await machine.heard("k", 1);
  expect(await isOffered()).toBe(true);
});

test("a configuration that is applied offers all of its items", async () => {
  const items = [{ item: 11, name: "Nuts", price: "300" }];
  const at = `/api/vending/machines/${MACHINE.toUpperCase()}/config`;
  expect(await cloud.call("PUT", at, { items }, cloud.merchant.ownerKey)).toMatchObject({ status: 200 });
  await jamsThreeTimes();
  await applies(1);
  expect(await isOffered()).toBe(true);
});
