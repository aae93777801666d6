/** The queries of the hot path are answered from an index, in its order: a machine's thousandth sale costs what its first did. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { Kysely, SqliteDialect } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSqlite } from "../../cloud/store/sqlite.js";
import type { Reader } from "../../cloud/store/store.js";
import type { Tables } from "../../cloud/store/tables.js";
import { machinesOf } from "../../cloud/vending/machines.js";
import {
  doubtfulOf,
  doubtsOf,
  dueSales,
  isHeld,
  saleByKey,
  salesOf,
  unknownRefunds,
} from "../../cloud/vending/sales.js";

const dir = mkdtempSync(join(tmpdir(), "scanvend-plans-"));
const asked: string[] = [];
let raw: SQLite.Database;
let db: Kysely<Tables>;
beforeAll(async () => {
  const path = join(dir, "cloud.db");
  await (await openSqlite({ path, maxGroup: 1, maxWaiting: 1 })).close();
  raw = new SQLite(path, { readonly: true });
  db = new Kysely<Tables>({
    dialect: new SqliteDialect({ database: raw }),
    log: ({ query }) => void asked.push(query.sql),
  });
});
afterAll(async () => {
  await db.destroy();
  rmSync(dir, { recursive: true, force: true });
});

// prettier-ignore
const queries: readonly [name: string, ask: (db: Reader) => Promise<unknown>, index: string][] = [
  ["what is due",                     (from) => dueSales(from, { nowMs: 1 }, 10),        "sale_due"],
  ["what is owed to one machine",     (from) => dueSales(from, { machineId: "m" }, 10),  "sale_owing"],
  ["who holds a machine",             (from) => isHeld(from, "m"),                       "sale_holder"],
  ["a sale by its key",               (from) => saleByKey(from, "m", "k"),               "sale_key"],
  ["how often a payer was refunded",  (from) => unknownRefunds(from, "p", 0),            "sale_unknown"],
  ["a machine's sales, newest first", (from) => salesOf(from, "m", { pageKey: "s" }),    "sale_of_machine"],
  ["a machine's doubts",              (from) => doubtsOf(from, "m", 10),                 "sale_owing"],
  ["how many doubts machines have",   (from) => doubtfulOf(from, ["m", "n"]),            "sale_owing"],
  ["an owner's machines",             (from) => machinesOf(from, ["c"], { after: "S", limit: 10 }), "machine_config_of"],
];
for (const [name, ask, index] of queries)
  test(`${name} is found by ${index}, without a sort`, async () => {
    asked.length = 0;
    await ask(db);
    const [text = ""] = asked;
    const values = [...text.matchAll(/\?/g)].map(() => 1);
    const plan = raw
      .prepare(`explain query plan ${text}`)
      .all(...values)
      .map((row) => (row as { readonly detail: string }).detail); // SQLite's own form of a plan
    expect(plan).toEqual([expect.stringContaining(index) as string]);
  });
