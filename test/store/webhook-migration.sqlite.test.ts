/** What was in the outbox before webhooks became part of the API is still there after, with its ids and its exact text. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { Kysely, Migrator, SqliteDialect } from "kysely";
import { expect, test } from "vitest";
import { textsOf } from "../../cloud/payments/outbox.js";
import { migrations } from "../../cloud/store/migrations.js";
import { openStore } from "../../cloud/store/open-store.js";

test("an outbox of before is carried over", async () => {
  const dir = mkdtempSync(join(tmpdir(), "store-"));
  const path = join(dir, "cloud.db");
  const raw = new SQLite(path);
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: raw }) });
  const before = Object.fromEntries(Object.entries(migrations).filter(([name]) => name < "0003"));
  const { error } = await new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve(before) },
  }).migrateToLatest();
  expect(error).toBeUndefined();
  const createdAt = "2026-11-23T00:00:00.000Z";
  const bodyOf = (id: string): string =>
    `{"id":"${id}","type":"payment-request:paid","data":{ "x":1.0 },"accountId":"acc","test":true,"createdAt":"${createdAt}"}`;
  raw.exec("insert into account (id, type, name, test, created_ms) values ('acc', 'org', 'Snacks', 1, 1)");
  raw.exec(`insert into webhook_subscription (id, account_id, url, types, created_ms) values
    ('s1', 'acc', 'https://a.example/', 'payment-request:paid', 7), ('s2', 'acc', 'https://b.example/', 'payment-request:paid', 8)`);
  const insert = raw.prepare(
    `insert into delivery (id, notification_id, subscription_id, body, state, due_ms, attempts, created_ms, settled_ms, last_error)
      values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (let n = 0; n < 1_200; n += 1) {
    const id = `n${String(n >> 1).padStart(4, "0")}`; // two deliveries each
    const delivered = n % 3 === 0;
    const rest = delivered ? ["delivered", 5, 1, 5, 9, null] : ["due", 5, 2, 5, null, "status 500"];
    insert.run(`d${String(n).padStart(4, "0")}`, id, n % 2 === 0 ? "s1" : "s2", bodyOf(id), ...rest);
  }
  raw.close();

  const store = await openStore({
    databaseUrl: `file:${path}`,
    maxGroup: 1,
    maxWaiting: 10,
    maxConnections: 1,
  });
  const { read } = store;
  const notifications = await read.selectFrom("notification").selectAll().orderBy("id").execute();
  expect(notifications).toHaveLength(600);
  for (const row of notifications)
    expect(row).toEqual({
      id: row.id,
      account_id: "acc",
      type: "payment-request:paid",
      test: 1,
      payment_request_id: null,
      number: null,
      body: bodyOf(row.id),
      created_ms: Date.parse(createdAt),
    });
  const texts = await textsOf(read, ["n0007", "n0599", "n0007"]);
  expect([...texts]).toEqual(["n0007", "n0599"].map((id) => [id, bodyOf(id)]));
  const deliveries = await read.selectFrom("delivery").selectAll().orderBy("id").execute();
  expect(deliveries).toHaveLength(1_200);
  const common = { due_ms: 5, round: 1, begun_ms: 5, created_ms: 5 };
  expect(deliveries.slice(0, 2)).toEqual([
    {
      id: "d0000",
      notification_id: "n0000",
      subscription_id: "s1",
      ...common,
      state: "delivered",
      attempts: 1,
      tries: 1,
      settled_ms: 9,
      last_error: null,
    },
    {
      id: "d0001",
      notification_id: "n0000",
      subscription_id: "s2",
      ...common,
      state: "due",
      attempts: 2,
      tries: 2,
      settled_ms: null,
      last_error: "status 500",
    },
  ]);
  expect(await read.selectFrom("webhook_subscription").selectAll().orderBy("id").execute()).toEqual(
    ["a", "b"].map((host, index) => ({
      id: `s${index + 1}`,
      account_id: "acc",
      url: `https://${host}.example/`,
      types: "payment-request:paid",
      description: null,
      enabled: 1,
      created_ms: 7 + index,
      created_by: "crn::service:provision",
      modified_ms: 7 + index,
      modified_by: "crn::service:provision",
      version: 1,
      deleted_ms: null,
    })),
  );
  const orphan = {
    ...common,
    id: "x",
    notification_id: "nowhere",
    subscription_id: "s1",
    state: "due" as const,
    attempts: 0,
    tries: 0,
    settled_ms: null,
    last_error: null,
  };
  await expect(store.write((tx) => tx.insertInto("delivery").values(orphan).execute())).rejects.toThrow(
    /FOREIGN KEY/,
  );
  await store.close();
  rmSync(dir, { recursive: true });
});
