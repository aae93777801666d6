/** What an owner sets in a machine: versions, whose word counts, what the machine is told, what the customer's page follows. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Body } from "../../broker/protocol/messages.js";
import { machineConfiguration } from "../../broker/protocol/machine-configuration.js";
import { machineBy } from "../../cloud/vending/machines.js";
import { Cloud, Machine, MACHINE, OTHER, SELLS } from "./cloud.js";

let cloud: Cloud;
let machine: Machine;
beforeAll(async () => {
  cloud = await Cloud.start({ webhooks: false });
  machine = await Machine.connect(cloud);
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
});

const at = (id = MACHINE): string => `/api/vending/machines/${id.toUpperCase()}/config`;
const put = (body: object, key = cloud.merchant.ownerKey, id = MACHINE): ReturnType<Cloud["call"]> =>
  cloud.call("PUT", at(id), body, key);
const get = async (more = ""): Promise<Record<string, unknown>> =>
  (await cloud.call("GET", `${at()}${more}`, undefined, cloud.merchant.ownerKey)).body;
const CRISPS = { item: 11, name: "Salt & vinegar", price: "275" };
const says = (config: NonNullable<Body["status"]["config"]>): Promise<unknown> =>
  machine.say("status", { ...SELLS, config });
/** The next configuration the machine hears, as it checks it. */
const told = async (version: number): Promise<void> => {
  const body = await machine.next("config", (one) => one.version >= version);
  expect(machineConfiguration.parse(body).version).toBe(version);
};
const namesOnPage = async (): Promise<unknown> => {
  const { items } = (await cloud.call("GET", `/api/vending/machines/${MACHINE.toUpperCase()}`)).body;
  return (items as readonly { readonly item: number; readonly name: string }[]).map(
    ({ item, name }) => `${item} ${name}`,
  );
};

test("before the first one it is what the machine was set up with", async () => {
  expect(await get()).toMatchObject({
    code: "MACHINE-1",
    version: 0,
    applied: 0,
    items: [{ item: 11, name: "Crisps", price: { amount: "250", currency: "NZD" }, sku: "crisps" }],
    texts: {},
    limits: {},
  });
});

test("a version is told to the machine, and the page follows what the machine has applied", async () => {
  const made = await put({ items: [CRISPS, { ...CRISPS, item: 12 }], texts: { idle: "Kia ora" } });
  expect(made).toMatchObject({ status: 200, body: { version: 1, applied: 0, texts: { idle: "Kia ora" } } });
  await told(1);
  expect(await namesOnPage()).toEqual(["11 Crisps"]);
  await says({ applied: 0, trying: 1 });
  await expect.poll(() => get()).toMatchObject({ version: 1, applied: 0, trying: 1 });
  expect(await namesOnPage()).toEqual(["11 Crisps"]);
  await says({ applied: 1 });
  await expect.poll(() => get()).toMatchObject({ version: 1, applied: 1 });
  expect(await namesOnPage()).toEqual(["11 Salt & vinegar", "12 Salt & vinegar"]);

  const more = { limits: { maxVends: 3, selectionMs: 60_000 }, reader: { responseSeconds: 90 } };
  expect(await put({ items: [CRISPS], ...more, after: 1 })).toMatchObject({ status: 200, body: more });
  await told(2);
  await says({ applied: 2 });
  await expect.poll(namesOnPage).toEqual(["11 Salt & vinegar"]);
  expect((await machineBy(cloud.store.read, "id", MACHINE))?.maxVends).toBe(3);
  expect(await get("?version=1")).toMatchObject({ version: 1, texts: { idle: "Kia ora" } });
});

test("one the machine took back stays with the cloud, and the page stays with the machine", async () => {
  await put({ items: [{ ...CRISPS, name: "Broken" }], adapterSettings: { "mdb-addr": "0x60" } });
  await told(3);
  const refused = { version: 3, at: "the machine did not become ready" };
  await says({ applied: 2, refused });
  await expect.poll(() => get()).toMatchObject({ version: 3, applied: 2, refused });
  expect(await namesOnPage()).toEqual(["11 Salt & vinegar"]);
});

test("what a machine has not decided about it is told again at its next word; what it has, is not", async () => {
  await put({ items: [CRISPS] });
  await told(4);
  await says({ applied: 2, refused: { version: 3, at: "x" } }); // the broker was emptied, and it has heard nothing
  await told(4);
  await says({ applied: 0 }); // a new card
  await told(4);
  await says({ applied: 4 });
  await expect.poll(() => get()).toMatchObject({ applied: 4 });
  expect((await machineBy(cloud.store.read, "id", MACHINE))?.maxVends).toBe(1); // which version 4 leaves as it was set up
  await put({ items: [CRISPS] });
  await told(5); // and not 4 once more
});

test("versions given at once come one after the other, and every one stays", async () => {
  const many = await Promise.all(Array.from({ length: 5 }, () => put({ items: [CRISPS] })));
  expect(many.map(({ body }) => Number(body["version"])).sort((a, b) => a - b)).toEqual([6, 7, 8, 9, 10]);
  const late = await put({ items: [CRISPS], after: 9 });
  expect(late).toMatchObject({ status: 412, body: { message: "PRECONDITION_FAILED" } });
  const rows = cloud.store.read.selectFrom("machine_config").select("version").execute();
  expect((await rows).length).toBe(10);
  await expect(
    cloud.store.write((tx) => tx.updateTable("machine_config").set({ document: "{}" }).execute()),
  ).rejects.toThrow(/append-only/);
});

test("a machine that has decided about higher versions than the cloud has is not left behind", async () => {
  await says({ applied: 40, refused: { version: 41, at: "x" } });
  await expect.poll(() => get()).toMatchObject({ applied: 40 });
  expect(await put({ items: [CRISPS] })).toMatchObject({ body: { version: 42 } });
});

test("only the machine's owner may look and set", async () => {
  const { ownerKey } = cloud.merchant;
  for (const key of [undefined, "no", `${ownerKey}x`])
    expect((await cloud.call("PUT", at(), { items: [] }, key)).status).toBe(401);
  expect((await put({ items: [] }, cloud.wallet.apiKey)).status).toBe(403);
  expect((await cloud.call("GET", at(), undefined, cloud.wallet.apiKey)).status).toBe(403);
  expect((await cloud.call("PUT", at("nowhere"), { items: [] }, ownerKey)).status).toBe(403);
  expect((await put({ items: [] }, ownerKey, OTHER)).status).toBe(200);
  cloud.relay = () => "down";
  const unsure = await put({ items: [] });
  cloud.relay = () => "pass";
  expect(unsure).toMatchObject({ status: 503, body: { message: "PAYMENTS_UNAVAILABLE" } });
});

test.each([
  [{}, "items: "],
  [{ items: [{ ...CRISPS, price: "2.75" }] }, "items.0.price: must be a whole number of minor units"],
  [
    { items: [{ ...CRISPS, price: { amount: "275", currency: "AUD" } }] },
    "items.price: this machine sells in NZD",
  ],
  [{ items: [{ ...CRISPS, name: "two\nlines" }] }, "items.0.name: must be 1 to 64 characters"],
  [{ items: [CRISPS, CRISPS] }, "items: must not hold an item twice"],
  [{ items: [], texts: { idle: "x".repeat(65) } }, "texts.idle: must be 1 to 64 characters"],
  [{ items: [], texts: { hello: "x" } }, "texts: "],
  [{ items: [], limits: { vendResultMs: 1 } }, "limits.vendResultMs: "],
  [{ items: [], reader: { responseSeconds: 0 } }, "reader.responseSeconds: "],
  [{ items: [], reader: { scale: 10 } }, "reader: "],
  [
    { items: [], adapterSettings: { "mdb-scale-factor": "10" } },
    "adapterSettings.mdb-scale-factor: must be set in ",
  ],
  [{ items: [], mqttUrl: "mqtt://elsewhere" }, "body: "],
])("%j is refused: %s", async (body, message) => {
  const refused = await put(body);
  expect(refused.status).toBe(400);
  expect(String(refused.body["message"])).toContain(message);
});
