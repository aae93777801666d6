/** A database of a test's own: a SQLite file, or one on the run's PostgreSQL server, whichever the test is run on. */
import { randomBytes } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseError } from "pg";
import { inject } from "vitest";
import { openStore, type StoreOptions } from "../../cloud/store/open-store.js";
import type { Store } from "../../cloud/store/store.js";
import { databaseAt, tell } from "./local-postgres.js";

export type TestDatabase = {
  readonly url: string;
  /** The database as a power cut would leave it now. */
  copy(): Promise<TestDatabase>;
  drop(): Promise<void>;
};

export const isOnPostgres = inject("store") === "postgres";
const COPY_WITHIN_MS = 10_000;

export const newDatabase = (): Promise<TestDatabase> =>
  isOnPostgres ? copyOnServer(inject("postgresTemplate")) : Promise.resolve(newFile());

/** The store of a test: bounds that no test reaches by accident. */
export const openTestStore = (databaseUrl: string, bounds: Partial<StoreOptions> = {}): Promise<Store> =>
  openStore({ databaseUrl, maxWaiting: 10_000, maxGroup: 200, maxConnections: 8, ...bounds });

function newFile(): TestDatabase {
  const dir = mkdtempSync(join(tmpdir(), "scanvend-store-"));
  const path = join(dir, "cloud.db");
  return {
    url: `file:${path}`,
    copy() {
      const copy = newFile();
      const to = copy.url.slice("file:".length);
      copyFileSync(path, to);
      if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${to}-wal`);
      return Promise.resolve(copy);
    },
    drop() {
      rmSync(dir, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

/** What is copied may have no connections: they are cut, as a power cut would. Their owners open others. */
async function copyOnServer(from: string): Promise<TestDatabase> {
  const server = inject("postgresUrl");
  const name = `scanvend_test_${randomBytes(6).toString("hex")}`;
  const untilMs = performance.now() + COPY_WITHIN_MS;
  for (;;) {
    try {
      await tell(server, `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${from}'`);
      await tell(server, `create database ${name} template ${from}`);
      break;
    } catch (error) {
      const isInUse = error instanceof DatabaseError && error.code === "55006";
      if (!isInUse || performance.now() > untilMs) throw error;
    }
  }
  return {
    url: databaseAt(server, name),
    copy: () => copyOnServer(name),
    drop: () => tell(server, `drop database ${name} with (force)`),
  };
}
