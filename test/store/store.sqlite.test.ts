/** What only the SQLite store promises: writers share commits and nothing else, and what is answered is in the file. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqlite } from "../../cloud/store/sqlite.js";
import { StoreBusy, StoreFailed, type Store, type Tx } from "../../cloud/store/store.js";

let dir: string;
let path: string;
let store: Store;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "store-"));
  path = join(dir, "cloud.db");
  store = await openSqlite({ path, maxGroup: 100, maxWaiting: 1_000 });
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

const insert =
  (id: string, name = id) =>
  (tx: Tx) =>
    tx
      .insertInto("account")
      .values({ id, type: "org", name, test: 1, created_ms: 0 })
      .execute()
      .then(() => id);
const ids = async (): Promise<readonly string[]> =>
  (await store.read.selectFrom("account").select("id").orderBy("id").execute()).map(({ id }) => id);
const numbered = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `a${String(n).padStart(4, "0")}`);

/** Commits in the write-ahead log: frames that carry the database's size (SQLite file format, section 4.1). */
function commits(): number {
  const log = readFileSync(`${path}-wal`);
  const frameBytes = 24 + log.readUInt32BE(8);
  const salt = log.subarray(16, 24);
  let count = 0;
  for (let at = 32; at + frameBytes <= log.length; at += frameBytes)
    if (log.subarray(at + 8, at + 16).equals(salt) && log.readUInt32BE(at + 4) > 0) count += 1;
  return count;
}

test("writers that come together share one commit, and each has its own answer", async () => {
  const before = commits();
  const wanted = numbered(50);
  expect(await Promise.all(wanted.map((id) => store.write(insert(id))))).toEqual(wanted);
  expect(commits() - before).toBe(1);
  expect(await ids()).toEqual(wanted);
});

test("a commit takes no more writers than its bound", async () => {
  const before = commits();
  await Promise.all(numbered(250).map((id) => store.write(insert(id))));
  expect(commits() - before).toBe(3);
});

test("what was answered is in the file for another process to see", async () => {
  await store.write(insert("seen"));
  const other = new SQLite(path, { readonly: true });
  expect(other.prepare("select id from account").all()).toEqual([{ id: "seen" }]);
  other.close();
});

test("a writer that fails takes none of the others with it, and leaves nothing of its own", async () => {
  const results = await Promise.allSettled([
    store.write(insert("one")),
    store.write(async (tx) => {
      await insert("two")(tx);
      throw new RangeError("changed its mind");
    }),
    store.write(insert("one")), // the same key again: the database refuses it
    store.write(insert("three")),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  expect(results[1]).toMatchObject({ reason: expect.any(RangeError) as unknown });
  expect(await ids()).toEqual(["one", "three"]);
});

test("a writer sees what those before it in the same commit wrote", async () => {
  const [, seen] = await Promise.all([
    store.write(insert("first")),
    store.write((tx) => tx.selectFrom("account").select("id").execute()),
  ]);
  expect(seen).toEqual([{ id: "first" }]);
});

test("past the bound a writer is turned away at once, and those in line are served", async () => {
  await store.close();
  store = await openSqlite({ path, maxGroup: 2, maxWaiting: 5 });
  const results = await Promise.allSettled(numbered(7).map((id) => store.write(insert(id))));
  expect(results.map(({ status }) => status)).toEqual([
    ...Array<string>(5).fill("fulfilled"),
    "rejected",
    "rejected",
  ]);
  expect(results[6]).toMatchObject({ reason: expect.any(StoreBusy) as unknown });
  expect(await ids()).toEqual(numbered(5));
  await store.write(insert("later"));
});

test("a full disk fails the writers it hits, with nothing of theirs kept, and those after it are served", async () => {
  const { rows } = await store.write((tx) =>
    sql<{ readonly page_count: number }>`pragma page_count`.execute(tx),
  );
  const pages = rows[0]?.page_count ?? 0;
  const limit = (count: number) =>
    store.write((tx) => sql.raw(`pragma max_page_count = ${count}`).execute(tx));
  await limit(pages);
  const large = "x".repeat(100_000);
  const results = await Promise.allSettled([
    store.write(insert("small")),
    store.write(insert("large", large)),
    store.write(insert("larger", large)),
  ]);
  for (const result of results.slice(1)) expect(result.status).toBe("rejected");
  const kept = results[0].status === "fulfilled" ? ["small"] : [];
  expect(await ids()).toEqual(kept);
  await limit(1_000_000);
  await store.write(insert("after"));
  expect(await ids()).toEqual(["after", ...kept]);
});

test("a commit the database refuses is refused to every writer of the group", async () => {
  const blocker = new SQLite(path, { timeout: 0 });
  await store.write((tx) => sql`pragma busy_timeout = 0`.execute(tx));
  blocker.exec("begin immediate");
  const results = await Promise.allSettled(numbered(3).map((id) => store.write(insert(id))));
  for (const result of results)
    expect(result).toMatchObject({ status: "rejected", reason: expect.any(StoreFailed) as unknown });
  blocker.exec("rollback");
  blocker.close();
  await store.write(insert("after"));
  expect(await ids()).toEqual(["after"]);
});

test("every commit reaches the disk: WAL with synchronous=FULL, and foreign keys are kept", async () => {
  const pragma = (name: string) =>
    store.write(async (tx) => (await sql.raw<Record<string, unknown>>(`pragma ${name}`).execute(tx)).rows[0]);
  expect(await pragma("journal_mode")).toEqual({ journal_mode: "wal" });
  expect(await pragma("synchronous")).toEqual({ synchronous: 2 });
  expect(await pragma("foreign_keys")).toEqual({ foreign_keys: 1 });
});

test("a new database is its owner's alone, and one that cannot be made is said to be", async () => {
  for (const suffix of ["", "-wal", "-shm"]) expect(statSync(`${path}${suffix}`).mode & 0o777).toBe(0o600);
  const nowhere = openSqlite({ path: join(path, "x", "cloud.db"), maxGroup: 1, maxWaiting: 1 });
  await expect(nowhere).rejects.toThrow("cannot be opened");
});

test("a database that cannot keep its word is refused at the start", async () => {
  const opened = openSqlite({ path: ":memory:", maxGroup: 1, maxWaiting: 1 });
  await expect(opened).rejects.toBeInstanceOf(StoreFailed);
});
