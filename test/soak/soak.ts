/**
 * The soak: customers buy while everything breaks. `SECONDS=600 SEED=7 DRIVER=mdb-hex npm run soak`
 *
 * Real processes on one rig. Two wallets buy, cancel, walk away; meanwhile processes are killed, power is pulled and the
 * simulator's faults come and go, drawn from a seed. Then everything is healed, every sale must end, and the books are
 * read: what the payers lost is what the merchant got is what was vended, to the cent, and no more was vended than fell.
 *
 * The seed fixes what is drawn, not when: these are real processes on a real clock. It says what was tried, no more.
 */
import { expect, test } from "vitest";
import { chance } from "../chance.js";
import { Rig, until, type Answer, type SaleView } from "../rig/rig.js";

const SECONDS = Number(process.env["SECONDS"] ?? 300);
const SEED = Number(process.env["SEED"] ?? 1);
const DRIVER = process.env["DRIVER"] ?? "qibixx";
const drawn = chance(SEED);
let untilMs = 0;
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

async function trouble(rig: Rig): Promise<void> {
  while (running()) {
    await pause(200 + drawn() * 1_500);
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
  let charged = 0;
  let vends = 0;
  for (const id of sales) {
    let sale = await rig.sale(id);
    await until(
      `sale ${id} ended`,
      async () => FINAL.includes((sale = await rig.sale(id)).state),
      120_000,
    ).catch((error: unknown) => wrong.push(String(error)));
    const vended = sale.vended.reduce((sum, { price }) => sum + Number(price.amount), 0);
    if (sale.state === "settled" && vended + Number(sale.refunded.amount) !== CREDIT)
      wrong.push(`not the credit: ${JSON.stringify(sale)}`);
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
  console.log(
    JSON.stringify(
      {
        seconds: SECONDS,
        seed: SEED,
        driver: DRIVER,
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

async function money(rig: Rig): Promise<readonly [payers: number, merchant: number]> {
  const [first, second] = [rig.wallet(0), rig.wallet(1)];
  const payers =
    (await rig.balance(first.assetId, first.apiKey)) + (await rig.balance(second.assetId, second.apiKey));
  return [payers, await rig.balance(rig.file.merchantWalletId, rig.file.keys.owner)];
}

test(
  `${SECONDS} seconds of trouble on ${DRIVER}, seed ${SEED}: every sale ends, and the books are right`,
  { timeout: (SECONDS + 600) * 1000 },
  async () => {
    await using rig = await Rig.start({
      driver: DRIVER,
      cloud: {
        againMs: 300,
        grantMs: 5_000,
        goMs: 4_000,
        unknownAfterMs: 2_000,
        unknownRefundCap: 1_000_000,
        sessionMs: 6_000,
        expirySeconds: 10,
      },
    });
    const before = await money(rig);
    const sales: string[] = [];
    untilMs = performance.now() + SECONDS * 1000;
    await Promise.all([customer(rig, 0, sales), customer(rig, 1, sales), trouble(rig)]);
    expect(await audit(rig, sales, before)).toEqual([]);
  },
);
