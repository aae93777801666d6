/** A configuration on its way from the owner's API to the display beside the machine, and back where it does no good. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { Rig, until } from "./rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
  await rig.ready();
});
afterAll(() => rig[Symbol.asyncDispose]());

const view = z.looseObject({
  version: z.int(),
  applied: z.int(),
  trying: z.int().optional(),
  refused: z.object({ version: z.int(), at: z.string() }).optional(),
  items: z.array(z.object({ item: z.int(), name: z.string(), price: z.unknown() })),
});
const shown = z.looseObject({ shown: z.string() });
const path = (): string => `/api/vending/machines/${rig.code}/config`;
const owner = (): string => rig.file.keys.owner;
async function config(): Promise<z.infer<typeof view>> {
  return view.parse((await rig.api("GET", path(), undefined, owner())).body);
}
async function put(body: object): Promise<number> {
  const answer = await rig.api("PUT", path(), body, owner());
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return view.parse(answer.body).version;
}
async function applies(version: number): Promise<void> {
  let last: unknown;
  await until(
    () => `version ${version} applied: ${JSON.stringify(last)}`,
    async () => (last = await config()).applied === version,
  );
}
async function shows(text: string): Promise<void> {
  let last = "";
  await until(
    () => `the display shows ${text}, not ${last}`,
    async () => (last = shown.parse((await rig.sim("GET", "")).body).shown) === text,
  );
}
const items = async (name: string): Promise<object[]> =>
  (await config()).items.map((one) => (one.item === 11 ? { ...one, name } : one));

test("a text and a name are set at the API, and seen at the machine and on the customer's page", async () => {
  const texts = { idle: "Kia ora", vending: "Here come the {item}" };
  await applies(
    await put({ items: await items("Sea salt crisps"), texts, limits: { vendResultMs: 20_000 } }),
  );
  await shows("Kia ora");
  const { body } = await rig.api("GET", `/api/vending/machines/${rig.code}`);
  expect(JSON.stringify(body)).toContain("Sea salt crisps");
  await rig.faults({ slowCoilMs: 3_000 });
  const sale = await rig.begun("400");
  await rig.vmc("session");
  await rig.select(11);
  await shows("Here come the Sea salt crisps");
  expect(await rig.reaches(sale.id, "settled")).toMatchObject({ vended: [{ name: "Sea salt crisps" }] });
  await rig.heal();
});

test("one under which the machine is not ready is taken back, and the machine sells as before", async () => {
  const before = (await config()).applied;
  const version = await put({
    items: await items("Never seen"),
    texts: { idle: "Never seen for long" },
    adapterSettings: { "mdb-addr": "0x60" },
    readyWithinMs: 5_000,
  });
  await until("taken back", async () => (await config()).refused?.version === version);
  expect((await config()).applied).toBe(before);
  await rig.ready();
  await shows("Kia ora");
  const sale = await rig.begun("400");
  await rig.vmc("session");
  await rig.select(11);
  expect(await rig.reaches(sale.id, "settled")).toMatchObject({ vended: [{ name: "Sea salt crisps" }] });
});

test("one that was set while the machine was off, and the broker has forgotten, is there when it is on again", async () => {
  await rig.power(false);
  const version = await put({ items: await items("Night crisps"), texts: { idle: "Good morning" } });
  await rig.kill("broker");
  await rig.power(true);
  await applies(version);
  await shows("Good morning");
  await rig.power(false); // and it outlives the power
  await rig.power(true);
  await shows("Good morning");
});

test("what our own reader says of itself is set from afar, and the machine sets it up anew; what it must not say is refused", async () => {
  await using wired = await Rig.start({ driver: "mdb-hex" });
  await wired.ready();
  const at = `/api/vending/machines/${wired.code}/config`;
  const key = wired.file.keys.owner;
  const now = async (): Promise<z.infer<typeof view>> =>
    view.parse((await wired.api("GET", at, undefined, key)).body);
  const { items } = await now();
  const told = async (reader: object): Promise<number> =>
    view.parse((await wired.api("PUT", at, { items, reader }, key)).body).version;

  const version = await told({ responseSeconds: 77 });
  await until("applied", async () => (await now()).applied === version);
  const stream = await fetch(`${wired.file.simulatorUrl}/api/machines/${wired.code}/trace`);
  let seen = "";
  for await (const chunk of stream.body ?? []) {
    seen += Buffer.from(chunk as Uint8Array).toString(); // a body's chunks are bytes
    if (/"toMachine","line":"0101155401024D00/.test(seen)) break; // READER CONFIG: 1554 is NZD, and 77 is 4D
  }
  const sale = await wired.begun("400");
  await wired.vmc("session");
  await wired.select(11);
  expect(await wired.reaches(sale.id, "settled")).toMatchObject({ vended: [{ item: 11 }] });

  const wrong = await told({ alwaysIdle: true });
  await until("refused", async () => (await now()).refused?.version === wrong);
  expect((await now()).refused?.at).toBe("reader.level: must be 3 for alwaysIdle");
});
