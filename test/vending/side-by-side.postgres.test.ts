/** Several vending processes on one database: a machine serves one customer, and a journal's line counts once, whoever hears it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JournalLine } from "../../broker/protocol/messages.js";
import { Secret } from "../../broker/protocol/configuration.js";
import { newId } from "../../broker/protocol/id.js";
import type { Store } from "../../cloud/store/store.js";
import { Attendant } from "../../cloud/vending/attendant.js";
import type { Bus } from "../../cloud/vending/bus.js";
import { Journals } from "../../cloud/vending/journals.js";
import { MachineConfigs } from "../../cloud/vending/machine-configs.js";
import { makePaymentsClient } from "../../cloud/vending/payments-client.js";
import { ReportLimits } from "../../cloud/vending/report-limits.js";
import { begin, type Sale } from "../../cloud/vending/sale.js";
import { insertSale, lockUnknownRefunds, saleByKey } from "../../cloud/vending/sales.js";
import { openTestStore } from "../store/database.js";
import { clock, Cloud, MACHINE, OTHER, random } from "./cloud.js";

const policy = {
  againMs: 100,
  reserveMs: 1_000,
  requestMs: 5_000,
  heldUnpaidMs: 45_000,
  grantMs: 20_000,
  darkAfterMs: 86_400_000,
  unknownAfterMs: 900_000,
  unknownRefundCap: 3,
};
let cloud: Cloud;
let stores: readonly [Store, Store];
beforeAll(async () => {
  cloud = await Cloud.start({ webhooks: false });
  stores = await Promise.all([openTestStore(cloud.databaseUrl), openTestStore(cloud.databaseUrl)]);
});
afterAll(async () => {
  for (const store of stores) await store.close();
  await cloud[Symbol.asyncDispose]();
});

const fresh = (machineId: string): Sale =>
  begin(
    {
      id: newId(clock.nowMs(), random),
      grantId: newId(clock.nowMs(), random),
      machineId,
      creditMinor: 400,
      currency: "NZD",
    },
    clock.nowMs(),
  );
const claim = (store: Store, machineId: string, key: string): Promise<boolean> =>
  store.write((tx) => insertSale(tx, fresh(machineId), key, clock.nowMs(), policy));

test("one of many customers who come at once has the machine, and the others are told no", async () => {
  const claims = Array.from({ length: 16 }, (_, n) =>
    claim(stores[n % 2 === 0 ? 0 : 1], MACHINE, `key-${n}`),
  );
  expect((await Promise.all(claims)).filter((isMine) => isMine)).toHaveLength(1);
  const refused = await cloud.call("POST", `/api/vending/machines/${MACHINE.toUpperCase()}/sales`, {
    credit: { amount: "400", currency: "NZD" },
    idempotencyKey: "late",
  });
  expect(refused).toMatchObject({ status: 403 });
});

test("one key asked for at once makes one sale, which all of them find", async () => {
  const made = await Promise.all(
    Array.from({ length: 16 }, (_, n) =>
      stores[n % 2 === 0 ? 0 : 1].write(async (tx) => {
        const mine = fresh(OTHER);
        const isMine = await insertSale(tx, mine, "the key", clock.nowMs(), policy);
        return isMine ? mine.id : (await saleByKey(tx, OTHER, "the key"))?.sale.id;
      }),
    ),
  );
  expect(new Set(made).size).toBe(1);
  expect(made[0]).toBeTypeOf("string");
});

test("what is counted for a decision is counted by one at a time", async () => {
  let inside = 0;
  let most = 0;
  const count = (store: Store): Promise<void> =>
    store.write(async (tx) => {
      await lockUnknownRefunds(tx, "a payer", 0);
      inside += 1;
      most = Math.max(most, inside);
      await tx.selectFrom("sale").select("id").execute();
      inside -= 1;
    });
  await Promise.all(Array.from({ length: 12 }, (_, n) => count(stores[n % 2 === 0 ? 0 : 1])));
  expect(most).toBe(1);
});

test("a journal that two processes hear is committed line by line, each once, and both say how far", async () => {
  const LINES = 40;
  const line = (entry: number): JournalLine => ({ kind: "alarm", code: "test", detail: String(entry) });
  const heard = [0, 0];
  const journals = stores.map((store, n) => {
    const log = { info: quiet, warn: quiet, error: quiet };
    const bus: Bus = {
      up: true,
      say: (_machine, leaf, body) => {
        if (leaf === "heard" && "upTo" in body) heard[n] = Math.max(heard[n] ?? 0, Number(body.upTo));
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
    const payments = makePaymentsClient("http://127.0.0.1:1", new Secret("none"), fetch);
    const terms = { policy, sessionMs: 1, goMs: 1, expirySeconds: 1 };
    const attendant = new Attendant({ store, clock, payments, bus: () => bus, terms, log });
    const configs = new MachineConfigs({ store, clock, bus: () => bus, log });
    const limits = new ReportLimits({ perMinute: 10_000, journalsPerDay: 10 }, clock, log);
    return new Journals({ store, clock, attendant, configs, bus: () => bus, limits, log });
  });
  // A machine says again what was not heard, and both hear all of it.
  let n = 0;
  await expect
    .poll(
      () => {
        for (let entry = Math.min(...heard) + 1; entry <= LINES; entry += 1)
          for (const one of journals)
            one.hear({
              kid: "kid",
              n: (n += 1),
              message: {
                machine: MACHINE,
                leaf: "report",
                body: { journal: "shared", entry, line: line(entry) },
              },
            });
        return heard;
      },
      { timeout: 15_000, interval: 100 },
    )
    .toEqual([LINES, LINES]);
  const reports = await cloud.store.read
    .selectFrom("machine_report")
    .select(["entry", "line"])
    .where("journal", "=", "shared")
    .orderBy("entry")
    .execute();
  expect(reports.map(({ entry }) => entry)).toEqual(Array.from({ length: LINES }, (_, index) => index + 1));
});

const quiet = (): void => undefined;
