/** What both stores promise: what is answered is there, a writer that fails leaves nothing, and the line has an end. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { insertOf, writeAll } from "../../cloud/store/statement.js";
import { StoreBusy, type Store, type Tx } from "../../cloud/store/store.js";
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

const insert =
  (id: string) =>
  (tx: Tx): Promise<unknown> =>
    tx.insertInto("account").values({ id, type: "org", name: id, test: 1, created_ms: 0 }).execute();
const ids = async (): Promise<readonly string[]> =>
  (await store.read.selectFrom("account").select("id").orderBy("id").execute()).map(({ id }) => id);
const numbered = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `a${String(n).padStart(4, "0")}`);

test("what was answered is there for another to see", async () => {
  await Promise.all(numbered(50).map((id) => store.write(insert(id))));
  const other = await openTestStore(database.url);
  const seen = await other.read.selectFrom("account").select("id").orderBy("id").execute();
  expect(seen.map(({ id }) => id)).toEqual(numbered(50));
  await other.close();
});

test("a reader sees nothing of a transaction before its commit", async () => {
  await store.write(async (tx) => {
    await insert("inside")(tx);
    expect(await ids()).toEqual([]);
  });
  expect(await ids()).toEqual(["inside"]);
});

test("a writer that fails takes none of the others with it, and leaves nothing of its own", async () => {
  await store.write(insert("one"));
  const results = await Promise.allSettled([
    store.write(async (tx) => {
      await insert("two")(tx);
      throw new RangeError("changed its mind");
    }),
    store.write(async (tx) => {
      await insert("three")(tx);
      await insert("one")(tx); // the same key again: the database refuses it
    }),
    store.write(insert("four")),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
  expect(results[0]).toMatchObject({ reason: expect.any(RangeError) as unknown });
  expect(await ids()).toEqual(["four", "one"]);
});

test("work about several subjects is kept or not, each for itself, and what is answered is there", async () => {
  await store.write(insert("one"));
  const put = insertOf("account", ["id", "type", "name", "test", "created_ms"]);
  const account = (id: string) => put({ id, type: "org", name: id, test: 1, created_ms: 0 });
  const write = (id: string, then: () => void = () => undefined): Promise<void> =>
    store.writeAbout(id, async (tx) => {
      await writeAll(tx, [account(id)]);
      then();
    });
  const refuse = (): never => {
    throw new RangeError("changed its mind");
  };
  const results = await Promise.allSettled([
    write("two", refuse), // after it has written
    write("one"), // the same key again: the database refuses it
    write("three"),
    store.writeAbout("four", () => Promise.resolve().then(refuse)), // before it has written
    store.writeAbout(undefined, insert("five")),
    write("six"),
  ]);
  expect(results.map(({ status }) => status === "fulfilled")).toEqual([
    false,
    false,
    true,
    false,
    true,
    true,
  ]);
  for (const at of [0, 3]) expect(results[at]).toMatchObject({ reason: expect.any(RangeError) as unknown });
  expect(await ids()).toEqual(["five", "one", "six", "three"]);
});

test("past the bound writers are turned away at once, and those in line are served", async () => {
  await store.close();
  store = await openTestStore(database.url, { maxGroup: 2, maxConnections: 1, maxWaiting: 5 });
  const wanted = numbered(20);
  const results = await Promise.allSettled(wanted.map((id) => store.write(insert(id))));
  const written = wanted.filter((_id, n) => results[n]?.status === "fulfilled");
  expect(written.length).toBeGreaterThanOrEqual(5);
  expect(written.length).toBeLessThanOrEqual(6); // five in line, and perhaps one that is being served
  for (const result of results)
    if (result.status === "rejected") expect(result.reason).toBeInstanceOf(StoreBusy);
  expect(await ids()).toEqual(written);
  await store.write(insert("later"));
});

test("the writers of one queue are run in the order they came, and one that fails does not end it", async () => {
  const ran: number[] = [];
  const results = await Promise.allSettled(
    Array.from({ length: 30 }, (_, n) =>
      store.write(async (tx) => {
        await tx.selectFrom("account").select("id").execute();
        ran.push(n);
        if (n === 7) throw new RangeError("changed its mind");
      }, "queue"),
    ),
  );
  expect(ran).toEqual(Array.from({ length: 30 }, (_, n) => n));
  expect(results.flatMap(({ status }, n) => (status === "rejected" ? [n] : []))).toEqual([7]);
});

test("text is in the order of its bytes, so that ids rise with time", async () => {
  for (const id of ["b", "A", "_", "a", "Z", "1", "é"]) await store.write(insert(id));
  expect(await ids()).toEqual(["1", "A", "Z", "_", "a", "b", "é"]);
  const after = await store.read.selectFrom("account").select("id").where("id", ">", "Z").execute();
  expect(after.map(({ id }) => id).sort()).toEqual(["_", "a", "b", "é"]);
});

test("a count and a whole number come as numbers", async () => {
  await store.write((tx) =>
    tx
      .insertInto("account")
      .values({ id: "a", type: "org", name: "a", test: 1, created_ms: Number.MAX_SAFE_INTEGER })
      .execute(),
  );
  const row = await store.read
    .selectFrom("account")
    .select((e) => [
      e.fn.countAll().as("count"),
      e.fn.sum("test").as("sum"),
      e.fn.max("created_ms").as("last"),
    ])
    .executeTakeFirstOrThrow();
  expect(row).toEqual({ count: 1, sum: 1, last: Number.MAX_SAFE_INTEGER });
});

test("opening it again brings back what was there, and migrates nothing twice", async () => {
  await store.write(insert("kept"));
  await store.close();
  store = await openTestStore(database.url);
  expect(await ids()).toEqual(["kept"]);
});

test("closing waits for the writers in line", async () => {
  await store.close();
  store = await openTestStore(database.url, { maxConnections: 1 });
  const written = Promise.all(numbered(10).map((id) => store.write(insert(id), "queue")));
  const last = store.write(insert("last"));
  await store.close();
  await Promise.all([written, last]);
  store = await openTestStore(database.url);
  expect(await ids()).toEqual([...numbered(10), "last"]);
});
