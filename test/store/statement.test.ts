/** Statements that are built once: what is bound, what is counted, and that several writes are one. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { insertOf, rowsOf, together, writeAll, writeOf } from "../../cloud/store/statement.js";
import type { Store } from "../../cloud/store/store.js";
import { newDatabase, openTestStore, type TestDatabase } from "./database.js";

let database: TestDatabase;
let store: Store;
beforeEach(async () => {
  database = await newDatabase();
  store = await openTestStore(database.url);
});
afterEach(async () => {
  await store.close();
  await database.drop();
});

type Name = { readonly id: string; readonly name: string };
let built = 0;
const nameOf = rowsOf((db, { id }: { readonly id: string }) => {
  built += 1;
  return db.selectFrom("account").select(["id", "name"]).where("id", "=", id);
});
const insertAccount = insertOf("account", ["id", "type", "name", "test", "created_ms"]);
const account = (id: string) => insertAccount({ id, type: "org", name: id, test: 1, created_ms: 0 });
const rename = writeOf((tx, { id, name }: Name) =>
  tx.updateTable("account").set({ name }).where("id", "=", id),
);
const names = async (...ids: readonly string[]): Promise<readonly (string | undefined)[]> =>
  Promise.all(ids.map(async (id) => (await nameOf(store.read, { id }))[0]?.name));

test("a statement is built once and bound anew each time, whatever the values hold", async () => {
  const odd = ["a'b", "$1", "?", ":id", 'a"b', "a;b -- c", "ü"];
  await store.write((tx) => writeAll(tx, odd.map(account)));
  const before = built;
  expect(await names(...odd)).toEqual(odd);
  expect(built - before).toBeLessThanOrEqual(1);
});

test("columns that are not named get the table's own defaults", async () => {
  await store.write((tx) => writeAll(tx, [account("a")]));
  const row = await store.read
    .selectFrom("account")
    .select(["clock_offset_ms", "region"])
    .where("id", "=", "a")
    .executeTakeFirstOrThrow();
  expect(row).toEqual({ clock_offset_ms: 0, region: null });
});

test("each write is told how many rows it changed, whatever was written with it", async () => {
  await store.write((tx) => writeAll(tx, [account("a"), account("b")]));
  const counts = new Map<string, number>();
  const counted = (id: string, name: string) =>
    rename({ id, name }, (changed) => void counts.set(id, changed));
  await store.write((tx) =>
    writeAll(tx, [counted("a", "A"), account("c"), counted("nobody", "N"), rename({ id: "b", name: "B" })]),
  );
  expect(counts).toEqual(new Map([["a", 1], ["nobody", 0]])); // prettier-ignore
  expect(await names("a", "b", "c")).toEqual(["A", "B", "c"]);
});

test("a check that fails fails the writer, and nothing of it is kept", async () => {
  const failing = store.write((tx) =>
    writeAll(tx, [
      account("a"),
      rename({ id: "nobody", name: "N" }, (changed) => {
        if (changed !== 1) throw new RangeError("nobody is there");
      }),
    ]),
  );
  await expect(failing).rejects.toThrow("nobody is there");
  expect(await names("a")).toEqual([undefined]);
});

test("a writer that is refused by the database after it wrote leaves the others of its commit alone", async () => {
  await store.write((tx) => writeAll(tx, [account("there")]));
  const all = await Promise.allSettled([
    store.write((tx) => writeAll(tx, [account("one")])),
    store.write((tx) => writeAll(tx, [account("two"), account("there")])),
    store.write((tx) => writeAll(tx, [account("three")])),
  ]);
  expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(await names("one", "two", "three")).toEqual(["one", undefined, "three"]);
});

test("no writes at all are nothing", async () => {
  await store.write((tx) => writeAll(tx, []));
});

test("what was opened elsewhere is refused by name", async () => {
  await expect(nameOf({} as Store["read"], { id: "a" })).rejects.toThrow(/no store/);
});

test("together waits for all, and raises what failed first", async () => {
  const order: string[] = [];
  const after = async (turns: number, what: string, fails: boolean): Promise<string> => {
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    order.push(what);
    if (fails) throw new Error(what);
    return what;
  };
  await expect(
    together([after(9, "late", true), after(2, "early", true), after(20, "last", false)]),
  ).rejects.toThrow("early");
  expect(order).toEqual(["early", "late", "last"]);
  expect(await together([after(3, "a", false), Promise.resolve(7)])).toEqual(["a", 7]);
});
