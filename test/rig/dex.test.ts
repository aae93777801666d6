/** Vends that ended in doubt, settled by the machine's own count: real processes, from the coil to the refund. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { Rig, until, type SaleView } from "./rig.js";

/** The machine's motors turn for this long here; a vend may take twice as long. */
const COIL_MS = 5_000;
let rig: Rig;
const configured = z.looseObject({ applied: z.int(), items: z.array(z.unknown()) });
async function configuration(): Promise<z.infer<typeof configured>> {
  const path = `/api/vending/machines/${rig.code}/config`;
  return configured.parse((await rig.api("GET", path, undefined, rig.file.keys.owner)).body);
}

beforeAll(async () => {
  // Nothing is decided by the policy here: its time never comes.
  rig = await Rig.start({
    dex: true,
    cloud: { againMs: 300, unknownAfterMs: 86_400_000, sessionMs: 60_000 },
  });
  await rig.ready();
  const { items } = await configuration();
  const body = { items, limits: { vendResultMs: 2 * COIL_MS } };
  const path = `/api/vending/machines/${rig.code}/config`;
  expect((await rig.api("PUT", path, body, rig.file.keys.owner)).status).toBe(200);
  await until("the configuration applied", async () => (await configuration()).applied === 1);
  const kept = join(rig.dir, "data", "machines", "machine-1", "audit.json");
  await until("a first reading", () => Promise.resolve(existsSync(kept)));
});
afterAll(() => rig[Symbol.asyncDispose]());
let before: { readonly payer: number; readonly merchant: number; readonly fallen: number };
beforeEach(async () => {
  await rig.heal();
  await rig.ready();
  before = { ...(await rig.balances()), fallen: await rig.fallen() };
});

/** A sale of 4.00 in the middle of its vend of 2.50. */
async function midVend(faults: Readonly<Record<string, boolean | number>>): Promise<string> {
  await rig.faults({ slowCoilMs: COIL_MS, ...faults });
  const { id } = await rig.begun("400");
  await rig.select(11);
  await rig.reaches(id, "vending", "unknown", "settled");
  return id;
}
const stopped = (): Promise<void> =>
  until("the coil at its end", async () => !(await rig.vending()).display.includes("VENDING"));
async function settled(id: string): Promise<SaleView & { readonly paid: number; readonly fell: number }> {
  let sale = await rig.reaches(id, "settled");
  await until(
    () => `the count in the story: ${JSON.stringify(sale.timeline)}`,
    async () => {
      sale = await rig.sale(id);
      return sale.state === "settled" && sale.timeline.some(({ text }) => text.includes("own count"));
    },
  );
  const { payer } = await rig.balances();
  return { ...sale, paid: before.payer - payer, fell: (await rig.fallen()) - before.fallen };
}

test("power lost in mid-vend and nothing fell: refunded when the machine's count is read, whatever is bought with coins", async () => {
  const id = await midVend({ jam: true });
  await rig.power(false);
  await stopped();
  await rig.heal();
  await rig.sim("POST", "/coins", { item: 11 });
  await until("bought with coins", async () => (await rig.fallen()) === before.fallen + 1);
  await rig.power(true);
  const sale = await settled(id);
  expect(sale).toMatchObject({ vended: [], refunded: { amount: "400" }, paid: 0, fell: 1 });
  expect(JSON.stringify(sale.timeline)).toContain("own count says that Salted crisps did not come out");
});

test("power lost in mid-vend and back while the coil still turns: it is not read before that has ended, and what fell stays paid", async () => {
  const id = await midVend({});
  await rig.power(false);
  await rig.power(true);
  const sale = await settled(id);
  expect(sale).toMatchObject({ vended: [{ item: 11 }], refunded: { amount: "150" }, paid: 250, fell: 1 });
  expect(JSON.stringify(sale.timeline)).toContain("own count says that Salted crisps (NZD 2.50) came out");
});

test("the line to the machine lost in mid-vend: the count knows", async () => {
  const id = await midVend({ serialUnplugged: false });
  await rig.faults({ serialUnplugged: true });
  await stopped();
  await rig.faults({ serialUnplugged: false });
  expect(await settled(id)).toMatchObject({ vended: [{ item: 11 }], paid: 250, fell: 1 });
});

test("the machine starts again in mid-vend, which counts as sold; nothing fell, and it comes back", async () => {
  const id = await midVend({ jam: true });
  await rig.faults({ vmcReset: true });
  const assumed = await rig.reaches(id, "settled");
  expect(assumed.timeline.some(({ text }) => text.includes("counts as given out"))).toBe(true);
  await rig.faults({ vmcReset: false });
  expect(await settled(id)).toMatchObject({ vended: [], refunded: { amount: "400" }, paid: 0, fell: 0 });
});
