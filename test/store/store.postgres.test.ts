/** What only the PostgreSQL store has to promise: several processes, and a server that can refuse, wait and be lost. */
import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { forUpdate, lockName } from "../../cloud/store/locks.js";
import { migrations } from "../../cloud/store/migrations.js";
import { insertOf, rowsOf, writeAll, writeOf } from "../../cloud/store/statement.js";
import { StoreBusy, StoreFailed, StoreUncertain, type Store, type Tx } from "../../cloud/store/store.js";
import { newDatabase, openTestStore, type TestDatabase } from "./database.js";
import { databaseAt, startServer, tell } from "./local-postgres.js";

let database: TestDatabase;
let store: Store;
beforeEach(async () => {
  database = await newDatabase();
  store = await openTestStore(database.url);
  for (const id of ["a", "b"])
    await store.write((tx) =>
      tx.insertInto("account").values({ id, type: "org", name: id, test: 1, created_ms: 0 }).execute(),
    );
});
afterEach(async () => {
  await store.close();
  await database.drop();
});

const lock = (tx: Tx, id: string) =>
  tx.selectFrom("account").selectAll().where("id", "=", id).$call(forUpdate(tx)).executeTakeFirstOrThrow();
const rename = (tx: Tx, id: string, name: string) =>
  tx.updateTable("account").set({ name }).where("id", "=", id).execute();
const nameOf = async (id: string): Promise<string> =>
  (await store.read.selectFrom("account").select("name").where("id", "=", id).executeTakeFirstOrThrow()).name;
/** A promise, and what resolves it. */
function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give: () => void = () => undefined;
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give: () => give() };
}

test("several that start at once on an empty database all find every table, each made once", async () => {
  const name = `scanvend_test_${randomBytes(6).toString("hex")}`;
  await tell(inject("postgresUrl"), `create database ${name}`);
  const url = databaseAt(inject("postgresUrl"), name);
  const stores = await Promise.all(Array.from({ length: 4 }, () => openTestStore(url)));
  for (const one of stores) {
    expect(await one.read.selectFrom("payment_request").selectAll().execute()).toEqual([]);
    const { rows } = await one.write((tx) =>
      sql<{ readonly name: string }>`select name from kysely_migration order by name`.execute(tx),
    );
    expect(rows.map((row) => row.name)).toEqual(Object.keys(migrations));
    await one.close();
  }
  await tell(inject("postgresUrl"), `drop database ${name} with (force)`);
});

test("of two that wait for each other one is run again, and both are done", async () => {
  const held = { a: signal(), b: signal() };
  let runs = 0;
  const crosswise = (first: "a" | "b", second: "a" | "b", name: string) =>
    store.write(async (tx) => {
      runs += 1;
      await lock(tx, first);
      held[first].give();
      await held[second].given;
      const { name: before } = await lock(tx, second);
      await rename(tx, second, `${before} ${name}`);
    });
  await Promise.all([crosswise("a", "b", "one"), crosswise("b", "a", "two")]);
  expect(runs).toBe(3);
  expect([await nameOf("a"), await nameOf("b")]).toEqual(["a two", "b one"]);
});

test("a row that is read in order to decide is read by one at a time", async () => {
  const other = await openTestStore(database.url);
  await store.write((tx) => rename(tx, "a", "0"));
  const add = (one: Store) =>
    one.write(async (tx) => rename(tx, "a", String(Number((await lock(tx, "a")).name) + 1)));
  await Promise.all(Array.from({ length: 40 }, (_, n) => add(n % 2 === 0 ? store : other)));
  expect(await nameOf("a")).toBe("40");
  await other.close();
});

test("a name that is held is waited for", async () => {
  const other = await openTestStore(database.url);
  const once = (one: Store) =>
    one.write(async (tx) => {
      await lockName(tx, "the first of them");
      if ((await tx.selectFrom("account").select("id").where("name", "=", "first").execute()).length > 0)
        return;
      const id = randomBytes(6).toString("hex");
      await tx
        .insertInto("account")
        .values({ id, type: "org", name: "first", test: 1, created_ms: 0 })
        .execute();
    });
  await Promise.all(Array.from({ length: 10 }, (_, n) => once(n % 2 === 0 ? store : other)));
  expect(
    await store.read.selectFrom("account").select("id").where("name", "=", "first").execute(),
  ).toHaveLength(1);
  await other.close();
});

test("who waits too long for a row is told that it is busy, and nothing is written", async () => {
  const holding = signal();
  const done = signal();
  const holder = store.write(async (tx) => {
    await lock(tx, "a");
    holding.give();
    await done.given;
  });
  await holding.given;
  const waiter = store.write(async (tx) => {
    await rename(tx, "b", "changed");
    await lock(tx, "a");
  });
  await expect(waiter).rejects.toBeInstanceOf(StoreBusy);
  done.give();
  await holder;
  expect(await nameOf("b")).toBe("b");
});

/** Ends the connection a transaction runs on, and waits until it is gone, as a server that dies would. */
async function lose(tx: Tx): Promise<void> {
  const { rows } = await sql<{ readonly pid: number }>`select pg_backend_pid() as pid`.execute(tx);
  const pid = String(rows[0]?.pid);
  await tell(inject("postgresUrl"), `select pg_terminate_backend(${pid}, 5000)`);
}

test("a database that is lost in a transaction fails it, and the next one finds it again", async () => {
  const lost = store.write(async (tx) => {
    await rename(tx, "a", "changed");
    await lose(tx);
    await rename(tx, "b", "changed");
  });
  await expect(lost).rejects.toBeInstanceOf(StoreFailed);
  await expect(lost).rejects.not.toBeInstanceOf(StoreUncertain);
  expect([await nameOf("a"), await nameOf("b")]).toEqual(["a", "b"]);
  await store.write((tx) => rename(tx, "a", "after"));
  expect(await nameOf("a")).toBe("after");
});

test("a database that is lost at the commit leaves open whether it was written, and says so", async () => {
  const lost = store.write(async (tx) => {
    await rename(tx, "a", "changed");
    await lose(tx);
  });
  await expect(lost).rejects.toBeInstanceOf(StoreUncertain);
});

test("connections that were lost while nobody used them are replaced", async () => {
  await (await database.copy()).drop(); // cuts them
  await store.write((tx) => rename(tx, "a", "after"));
  expect(await nameOf("a")).toBe("after");
});

test("a query that failed is not overlooked: what goes on after it is not kept, and its writer hears so", async () => {
  const written = store.write(async (tx) => {
    await rename(tx, "a", "changed");
    await tx
      .insertInto("account")
      .values({ id: "b", type: "org", name: "b", test: 1, created_ms: 0 })
      .execute()
      .catch(() => undefined);
  });
  await expect(written).rejects.toThrow("nothing of it was kept");
  expect(await nameOf("a")).toBe("a");
});

test("a number that JavaScript cannot hold exactly is an error, not another number", async () => {
  const read = (text: string) => store.write((tx) => sql.raw(`select ${text} as n`).execute(tx));
  expect((await read("9007199254740991::int8")).rows).toEqual([{ n: 9007199254740991 }]);
  expect((await read("(-9007199254740991)::int8")).rows).toEqual([{ n: -9007199254740991 }]);
  await expect(read("9007199254740993::int8")).rejects.toBeInstanceOf(RangeError);
  await expect(read("sum(9007199254740993::int8)")).rejects.toBeInstanceOf(RangeError);
  await expect(read("0.5::numeric")).rejects.toBeInstanceOf(RangeError);
});

test("a table that is only added to cannot be emptied either", async () => {
  await expect(store.write((tx) => sql`truncate operation`.execute(tx))).rejects.toThrow("append-only");
});

test("a server that is not there is said to be out of reach", async () => {
  const opened = openTestStore("postgres://nobody@127.0.0.1:1/nothing");
  await expect(opened).rejects.toThrow("cannot be reached");
  await expect(opened).rejects.toBeInstanceOf(StoreFailed);
});

test("a database that answers before it is on disk is refused at the start", async () => {
  const name = new URL(database.url).pathname.slice(1);
  await tell(inject("postgresUrl"), `alter database ${name} set synchronous_commit = off`);
  const opened = openTestStore(database.url);
  await expect(opened).rejects.toBeInstanceOf(StoreFailed);
  await expect(opened).rejects.toThrow("synchronous_commit is off, and must be on");
});

test("a server that may forget what it was told is refused at the start", async (context) => {
  const forgetful = await startServer(["fsync=off", "full_page_writes=off"]).catch(() => undefined);
  if (forgetful === undefined) return context.skip("a second server could not be started here");
  const opened = openTestStore(forgetful.url);
  await expect(opened).rejects.toBeInstanceOf(StoreFailed);
  await expect(opened).rejects.toThrow(/fsync is off.*full_page_writes is off/);
  await forgetful.stop();
});

test("a table changed under a statement the server knows fails nobody for long", async () => {
  const all = rowsOf((db, { id }: { readonly id: string }) =>
    db.selectFrom("machine").selectAll().where("id", "=", id),
  );
  for (let again = 0; again < 3; again += 1) await store.write((tx) => all(tx, { id: "none" }));
  await tell(database.url, "alter table machine add column looked_at text");
  expect(await store.write((tx) => all(tx, { id: "none" }))).toEqual([]);
});

const transaction = rowsOf((db) =>
  db.selectNoFrom([
    sql<string>`pg_current_xact_id()::text`.as("id"),
    sql<number>`pg_backend_pid()`.as("pid"),
  ]),
);
const transactionOf = async (tx: Tx): Promise<string> => (await transaction(tx, {}))[0]?.id ?? "";
const lockAccount = rowsOf((tx, { id }: { readonly id: string }) =>
  tx.selectFrom("account").select("name").where("id", "=", id).$call(forUpdate(tx)),
);
const putAccount = insertOf("account", ["id", "type", "name", "test", "created_ms"]);
const put = (tx: Tx, id: string) =>
  writeAll(tx, [putAccount({ id, type: "org", name: id, test: 1, created_ms: 0 })]);

test("work about several subjects shares a transaction, and work about one subject never does", async () => {
  const about = (subject: string | undefined) => store.writeAbout(subject, transactionOf);
  const several = await Promise.all(["a", "b", "c", undefined, undefined].map(about));
  expect(new Set(several).size).toBe(1);
  const one = await Promise.all(["a", "a", "a", "b"].map(about));
  expect(new Set(one).size).toBe(3);
});

test("work that locks another row than its subject's, or says what is not written once, is done by itself", async () => {
  let runs = 0;
  const [shared, other, again] = await Promise.all([
    store.writeAbout("a", async (tx) => {
      await lockAccount(tx, { id: "a" });
      return transactionOf(tx);
    }),
    store.writeAbout("b", async (tx) => {
      runs += 1;
      await lockAccount(tx, { id: "a" });
      return transactionOf(tx);
    }),
    store.writeAbout("c", async (tx) => {
      runs += 1;
      await rename(tx, "b", "changed");
      return transactionOf(tx);
    }),
  ]);
  expect(new Set([shared, other, again]).size).toBe(3);
  expect(runs).toBe(4);
  expect(await nameOf("b")).toBe("changed");
});

test("what is counted up by work about several subjects loses nothing, whichever process does it", async () => {
  const other = await openTestStore(database.url);
  const put = writeOf((tx, { id, name }: { readonly id: string; readonly name: string }) =>
    tx.updateTable("account").set({ name }).where("id", "=", id),
  );
  const add = (one: Store, id: string) =>
    one.writeAbout(id, async (tx) => {
      const [row] = await lockAccount(tx, { id });
      await writeAll(tx, [put({ id, name: String(Number(row?.name) + 1) })]);
    });
  for (const id of ["a", "b"]) await store.write((tx) => rename(tx, id, "0"));
  await Promise.all(
    Array.from({ length: 80 }, (_, n) => add(n % 4 < 2 ? store : other, n % 2 === 0 ? "a" : "b")),
  );
  expect([await nameOf("a"), await nameOf("b")]).toEqual(["40", "40"]);
  await other.close();
});

test("a shared transaction that is lost fails all that are in it, and at its commit says that it is not known", async () => {
  const lose = async (tx: Tx): Promise<void> => {
    const [{ pid } = { pid: 0 }] = await transaction(tx, {});
    await tell(inject("postgresUrl"), `select pg_terminate_backend(${pid}, 5000)`);
  };
  const before = await Promise.allSettled([
    store.writeAbout("x", (tx) => put(tx, "x")),
    store.writeAbout("y", async (tx) => {
      await lose(tx);
      await put(tx, "y");
    }),
  ]);
  for (const result of before)
    expect(result).toMatchObject({ status: "rejected", reason: expect.any(StoreFailed) as unknown });
  for (const result of before)
    expect(result).not.toMatchObject({ reason: expect.any(StoreUncertain) as unknown });
  const at = await Promise.allSettled([store.writeAbout("x", transactionOf), store.writeAbout("y", lose)]);
  for (const result of at)
    expect(result).toMatchObject({ status: "rejected", reason: expect.any(StoreUncertain) as unknown });
  expect(await store.writeAbout("x", (tx) => put(tx, "x").then(() => "kept"))).toBe("kept");
});

test("of reads that are asked together one that fails fails no other", async () => {
  const number = rowsOf((db, { text }: { readonly text: string }) =>
    db.selectNoFrom(sql<number>`cast(cast(${text} as text) as bigint)`.as("n")),
  );
  const asked = ["1", "9007199254740993", "none", "2"].map((text) => number(store.read, { text }));
  const [one, inexact, none, two] = await Promise.allSettled(asked);
  expect([one, two]).toEqual([1, 2].map((n) => ({ status: "fulfilled", value: [{ n }] })));
  expect(inexact).toMatchObject({ reason: expect.any(RangeError) as unknown });
  expect(none).toMatchObject({ reason: { code: "22P02" } });
});
