/**
 * The soak: customers buy while everything breaks. `SECONDS=600 SEED=7 DRIVER=mdb-hex DEX=1 npm run soak`
 *
 * Real processes on one rig. Two wallets buy, cancel, walk away; meanwhile processes are killed, power is pulled and the
 * simulator's faults come and go, drawn from a seed. Then everything is healed, every sale must end, and the books are
 * read: what the payers lost is what the merchant got is what was vended, to the cent, and no more was vended than fell.
 *
 * With DEX the machine's own counters are read while nobody buys, which is every now and then, and settle what they can of the
 * vends in doubt. Then, item by item, what is known to have fallen has fallen, and what fell is known or still in doubt.
 *
 * The seed fixes what is drawn, not when: these are real processes on a real clock. It says what was tried, no more.
 */
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { z } from "zod";
import { journalLine } from "../../broker/protocol/messages.js";
import { isInDoubt, sale as saleDocument, type Sale } from "../../cloud/vending/sale.js";
import { chance } from "../chance.js";
import { Rig, until, type Answer, type SaleView } from "../rig/rig.js";

const SECONDS = Number(process.env["SECONDS"] ?? 300);
const SEED = Number(process.env["SEED"] ?? 1);
const DRIVER = process.env["DRIVER"] ?? "qibixx";
const DEX = !["", "0"].includes(process.env["DEX"] ?? "");
const drawn = chance(SEED);
let untilMs = 0;
/** How long a vend may take, with DEX: its counters are not read until so long after one. */
const VEND_MS = 6_000;
const BUYING_MS = 15_000;
const RESTING_MS = 12_000;
/** Nobody buys, and little breaks: there is time to read the counters. */
const resting = (): boolean =>
  DEX && running() && (untilMs - performance.now()) % (BUYING_MS + RESTING_MS) < RESTING_MS;
const counts = new Map<string, number>();
const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const running = (): boolean => performance.now() < untilMs;

const CREDIT = 400;
const ITEMS = [11, 12, 13, 21, 22, 23, 31, 32]; // 31 costs more than the credit
const FINAL = ["settled", "cancelled", "expired"];
const FAULTS: readonly Readonly<Record<string, boolean | number>>[] = [
  { jam: true },
  { noReport: true },
  { duplicateReport: true },
  { slowCoilMs: 1_500 },
  { vmcReset: true },
  { vmcSilent: true },
  { serialNoise: true },
  { serialUnplugged: true },
  { busErrors: 0.2 },
  { networkDown: true },
  { networkDelayMs: 300 },
  { networkDrop: 0.4 },
  { networkDuplicate: 0.6 },
];
const ended = (faults: Readonly<Record<string, boolean | number>>): Record<string, boolean | number> =>
  Object.fromEntries(
    Object.entries(faults).map(([name, value]) => [name, typeof value === "boolean" ? false : 0]),
  );

/** A question that may find nobody there: that is what the soak is about. */
async function ask<T>(question: () => Promise<T>): Promise<T | undefined> {
  try {
    return await question();
  } catch (error) {
    count(
      error instanceof TypeError
        ? "not reached"
        : `error: ${error instanceof Error ? error.message.slice(0, 60) : "?"}`,
    );
    return undefined;
  }
}

async function customer(rig: Rig, n: number, sales: string[]): Promise<void> {
  while (running()) {
    if (resting()) {
      await pause(200);
      continue;
    }
    const asked: Answer | undefined = await ask(() =>
      rig.ask(String(CREDIT), `soak-${n}-${sales.length}-${performance.now()}`),
    );
    if (asked?.status !== 200) {
      await pause(150);
      continue;
    }
    const sale = asked.body as SaleView; // status 200: a sale
    sales.push(sale.id);
    const cancel = (): Promise<unknown> => ask(() => rig.api("POST", `/api/vending/sales/${sale.id}/cancel`));
    if (drawn() < 0.05) continue; // walks away
    if (drawn() < 0.1) {
      await cancel();
      continue;
    }
    await ask(() => rig.pay(sale, rig.wallet(n)));
    await ask(() => until("a session", async () => (await rig.vending()).vmc === "session", 4_000)); // or not, today
    const item = ITEMS[Math.floor(drawn() * ITEMS.length)];
    await ask(() => (drawn() < 0.1 ? rig.sim("POST", "/cancel") : rig.sim("POST", "/select", { item })));
    if (drawn() < 0.1) await cancel();
    for (let looks = 0; looks < 40 && running(); looks += 1) {
      const now = await ask(() => rig.sale(sale.id));
      if (now !== undefined && FINAL.includes(now.state)) break;
      await pause(100);
    }
  }
}

/** The power goes while a motor turns, of which nobody will hear: what the machine's counters are for. */
async function cutInMidVend(rig: Rig): Promise<void> {
  const faults = { slowCoilMs: 1_500, jam: drawn() < 0.5 };
  const upMs = drawn() * 500;
  await ask(() => rig.faults(faults));
  const isCut = await ask(async () => {
    await until("a vend", async () => (await rig.vending()).vmc === "vend", 6_000);
    await rig.power(false);
    return true;
  });
  if (isCut === true) count("power cut in mid-vend");
  await pause(1_500 + upMs);
  await ask(() => rig.power(true));
  await ask(() => rig.faults(ended(faults)));
}

async function trouble(rig: Rig): Promise<void> {
  while (running()) {
    await pause(200 + drawn() * 1_500);
    if (resting() && drawn() < 0.8) continue;
    if (DEX && drawn() < 0.4) {
      await cutInMidVend(rig);
      continue;
    }
    const x = drawn();
    if (x < 0.25) {
      const service = x < 0.12 ? "cloud" : "broker";
      count(`${service} killed`);
      await ask(() => rig.kill(service));
    } else if (x < 0.42) {
      count("power cut");
      await ask(() => rig.power(false));
      await pause(drawn() * 1_000);
      await ask(() => rig.power(true));
    } else {
      const fault = FAULTS[Math.floor(drawn() * FAULTS.length)] ?? {};
      count(Object.keys(fault).join());
      await ask(() => rig.faults(fault));
      await pause(drawn() * 2_500);
      await ask(() => rig.faults(ended(fault)));
    }
  }
}

/** Heals everything, waits for every sale's end, and answers what is wrong with the books. */
async function audit(
  rig: Rig,
  sales: readonly string[],
  before: readonly [payers: number, merchant: number],
): Promise<readonly string[]> {
  await rig.serving();
  await rig.heal();
  await rig.power(true);
  await rig.ready();
  const wrong: string[] = [];
  const end = async (id: string): Promise<SaleView> => {
    let sale = await rig.sale(id);
    await until(
      `sale ${id} ended`,
      async () => FINAL.includes((sale = await rig.sale(id)).state),
      120_000,
    ).catch((error: unknown) => wrong.push(String(error)));
    return sale;
  };
  if (DEX) {
    for (const id of sales) await end(id);
    await until(
      "the counters read",
      () => Promise.resolve(Books.of(rig).unread().length === 0),
      180_000,
    ).catch((error: unknown) => wrong.push(`${String(error)}: ${Books.of(rig).unread().join()}`));
  }
  let charged = 0;
  let vends = 0;
  for (const id of sales) {
    const sale = await end(id);
    const vended = sale.vended.reduce((sum, { price }) => sum + Number(price.amount), 0);
    if (sale.state === "settled" && vended + Number(sale.refunded.amount) !== CREDIT)
      wrong.push(`not the credit: ${JSON.stringify(sale)}`);
    for (const { text } of sale.timeline)
      if (text.includes("own count")) count(text.replace(/^.*?own count/, "own count"));
    charged += vended;
    vends += sale.vended.length;
    count(sale.state);
  }
  const [payers, merchant] = await money(rig);
  const fallen = await rig.fallen();
  if (before[0] - payers !== charged)
    wrong.push(`the payers lost ${before[0] - payers} and ${charged} was vended`);
  if (merchant - before[1] !== charged)
    wrong.push(`the merchant got ${merchant - before[1]} and ${charged} was vended`);
  if (vends > fallen) wrong.push(`${vends} products were charged for and ${fallen} fell`);
  if (DEX) wrong.push(...Books.of(rig).against((await rig.vending()).coils));
  console.log(
    JSON.stringify(
      {
        seconds: SECONDS,
        seed: SEED,
        driver: DRIVER,
        dex: DEX,
        sales: sales.length,
        vends,
        fallen,
        charged,
        ...Object.fromEntries([...counts].sort()),
      },
      null,
      2,
    ),
  );
  return wrong;
}

/** What the cloud has written of the vends, as it is at one moment. */
class Books {
  readonly #sales: readonly Sale[];
  readonly #lines: readonly { readonly journal: string; readonly entry: number; readonly line: string }[];

  private constructor(database: Database.Database) {
    const rows = z.array(z.object({ doc: z.string() })).parse(database.prepare("select doc from sale").all());
    this.#sales = rows.map(({ doc }) => saleDocument.parse(JSON.parse(doc)));
    this.#lines = z
      .array(z.object({ journal: z.string(), entry: z.int(), line: z.string() }))
      .parse(database.prepare("select journal, entry, line from machine_report order by entry").all());
  }

  static of(rig: Rig): Books {
    const database = new Database(join(rig.dir, "data", "cloud.db"), { readonly: true });
    try {
      return new Books(database);
    } finally {
      database.close();
    }
  }

  /** Vends in doubt that no reading is about yet, as `grant/vend`. */
  unread(): readonly string[] {
    const lines = this.#lines.map(({ line, ...at }) => ({
      ...at,
      line: journalLine.parse(JSON.parse(line)),
    }));
    const lastAudit = new Map(
      lines.flatMap(({ journal, entry, line }) => (line.kind === "audit" ? [[journal, entry]] : [])),
    );
    const unread = new Set(
      lines.flatMap(({ journal, entry, line }) =>
        line.kind === "approved" && entry > (lastAudit.get(journal) ?? 0)
          ? [`${line.grantId}/${line.vend}`]
          : [],
      ),
    );
    return this.#sales.flatMap((sale) =>
      sale.vends
        .filter((vend) => isInDoubt(sale, vend))
        .map(({ vend }) => `${sale.grantId}/${vend}`)
        .filter((name) => unread.has(name)),
    );
  }

  /** What is wrong, item by item. */
  against(coils: readonly { readonly item: number; readonly fallen: number }[]): readonly string[] {
    const vends = this.#sales.flatMap((sale) =>
      sale.vends.map((vend) => ({ ...vend, doubt: isInDoubt(sale, vend) })),
    );
    for (const { outcome, doubt } of vends) count(`vend ${doubt ? "in doubt, " : ""}${outcome}`);
    return coils.flatMap(({ item, fallen }) => {
      const ofItem = vends.filter((vend) => vend.item === item);
      const fell = ofItem.filter(({ outcome }) => outcome === "succeeded" || outcome === "loss").length;
      const doubts = ofItem.filter(({ doubt }) => doubt).length;
      return fell <= fallen && fallen <= fell + doubts
        ? []
        : [`item ${item}: ${fallen} fell, ${fell} are known to have, and ${doubts} are in doubt`];
    });
  }
}

async function money(rig: Rig): Promise<readonly [payers: number, merchant: number]> {
  const [first, second] = [rig.wallet(0), rig.wallet(1)];
  const payers =
    (await rig.balance(first.assetId, first.apiKey)) + (await rig.balance(second.assetId, second.apiKey));
  return [payers, await rig.balance(rig.file.merchantWalletId, rig.file.keys.owner)];
}

async function setVendMs(rig: Rig): Promise<void> {
  const path = `/api/vending/machines/${rig.code}/config`;
  const set = z.looseObject({ applied: z.int(), items: z.array(z.unknown()) });
  const now = async (): Promise<z.infer<typeof set>> =>
    set.parse((await rig.api("GET", path, undefined, rig.file.keys.owner)).body);
  await rig.ready();
  const { applied, items } = await now();
  const body = { items, limits: { vendResultMs: VEND_MS } };
  expect((await rig.api("PUT", path, body, rig.file.keys.owner)).status).toBe(200);
  await until("the configuration applied", async () => (await now()).applied > applied);
}

test(
  `${SECONDS} seconds of trouble on ${DRIVER}${DEX ? " with DEX" : ""}, seed ${SEED}: every sale ends, and the books are right`,
  { timeout: (SECONDS + 600) * 1000 },
  async () => {
    await using rig = await Rig.start({
      driver: DRIVER,
      dex: DEX,
      cloud: {
        againMs: 300,
        grantMs: 5_000,
        goMs: 4_000,
        unknownAfterMs: DEX ? 90_000 : 2_000, // the counters are asked first
        unknownRefundCap: 1_000_000,
        sessionMs: 6_000,
        expirySeconds: 10,
      },
    });
    if (DEX) await setVendMs(rig);
    const before = await money(rig);
    const sales: string[] = [];
    untilMs = performance.now() + SECONDS * 1000;
    await Promise.all([customer(rig, 0, sales), customer(rig, 1, sales), trouble(rig)]);
    expect(await audit(rig, sales, before)).toEqual([]);
  },
);
