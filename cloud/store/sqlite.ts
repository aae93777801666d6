/**
 * The store in a SQLite file.
 *
 * Owns      the file: one connection that writes, one that only reads.
 * Promises  `write` resolves when its transaction is on disk (WAL, `synchronous=FULL`, read back at start: the package's
 *           default loses acknowledged commits at a power cut). Writers that arrive together share one commit; each has
 *           its own savepoint, so one that fails takes nothing of the others with it.
 * Bounded   by `maxGroup` writers a commit and `maxWaiting` writers in line.
 * Crash     whatever was not committed was never answered; what was committed is there.
 */
import SQLite from "better-sqlite3";
import { Kysely, Migrator, SqliteDialect, type Migration, type SqliteDatabase } from "kysely";
import { migrations } from "./migrations.js";
import { StoreBusy, StoreFailed, type Store, type Tx } from "./store.js";
import type { Tables } from "./tables.js";

export type SqliteOptions = {
  readonly path: string;
  readonly maxGroup: number;
  readonly maxWaiting: number;
};
type Job = {
  readonly run: (tx: Tx) => Promise<unknown>;
  readonly done: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
};

/** Opens (and, when new, makes) the database and brings it to the newest migration. */
export async function openSqlite({ path, maxGroup, maxWaiting }: SqliteOptions): Promise<Store> {
  const raw = new SQLite(path);
  raw.pragma("journal_mode = WAL");
  raw.pragma("synchronous = FULL");
  raw.pragma("foreign_keys = ON");
  raw.pragma("wal_autocheckpoint = 10000");
  const synchronous: unknown = raw.pragma("synchronous", { simple: true });
  if (
    raw.pragma("journal_mode", { simple: true }) !== "wal" ||
    typeof synchronous !== "number" ||
    synchronous < 2
  ) {
    raw.close();
    throw new StoreFailed(`${path} does not keep what it is told: WAL with synchronous=FULL is needed`);
  }
  const tx = new Kysely<Tables>({ dialect: new SqliteDialect({ database: cached(raw) }) });
  await migrate(raw, tx);
  const rawReader = new SQLite(path, { readonly: true });
  const read = new Kysely<Tables>({ dialect: new SqliteDialect({ database: cached(rawReader) }) });
  const group = new GroupCommit(raw, tx, maxGroup, maxWaiting);
  return {
    read,
    write: (work) => group.write(work), // all of them in the order they came
    async close() {
      await group.idle();
      await read.destroy();
      await tx.destroy();
    },
  };
}

/** All or none: Kysely itself opens no transaction for SQLite's schema changes, and a crash would leave half the tables. */
async function migrate(raw: SQLite.Database, db: Kysely<Tables>): Promise<void> {
  const provider = { getMigrations: (): Promise<Record<string, Migration>> => Promise.resolve(migrations) };
  raw.exec("begin immediate");
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  raw.exec(error === undefined ? "commit" : "rollback");
  if (error !== undefined) throw new StoreFailed("a migration failed", { cause: error });
}

/** Writers in line, committed together: all that wait when a turn of the event loop ends share one fsync. */
class GroupCommit {
  readonly #raw: SQLite.Database;
  readonly #tx: Tx;
  readonly #maxGroup: number;
  readonly #maxWaiting: number;
  #waiting: Job[] = [];
  #draining: Promise<void> | undefined;

  constructor(raw: SQLite.Database, tx: Tx, maxGroup: number, maxWaiting: number) {
    this.#raw = raw;
    this.#tx = tx;
    this.#maxGroup = maxGroup;
    this.#maxWaiting = maxWaiting;
  }

  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#waiting.length >= this.#maxWaiting)
      return Promise.reject(new StoreBusy("too many writers are waiting"));
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run: work, done: (value) => resolve(value as T), failed: reject }); // `run` made the value
      this.#draining ??= this.#drain();
    });
  }

  async idle(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await new Promise((resolve) => setImmediate(resolve)); // let the requests of this turn arrive
      await this.#commit(this.#waiting.splice(0, this.#maxGroup));
    }
    this.#draining = undefined; // in the same breath as the last look: no writer can come between
  }

  /** One transaction, a savepoint a job. A job's answer leaves only after the commit. */
  async #commit(jobs: readonly Job[]): Promise<void> {
    const answers: (() => void)[] = [];
    try {
      this.#raw.exec("begin immediate");
      for (const job of jobs) answers.push(await this.#run(job));
      this.#raw.exec("commit");
    } catch (cause) {
      if (this.#raw.inTransaction) this.#raw.exec("rollback");
      const error = new StoreFailed("the database did not take the commit", { cause });
      for (const job of jobs) job.failed(error);
      return;
    }
    for (const answer of answers) answer();
  }

  async #run(job: Job): Promise<() => void> {
    this.#raw.exec("savepoint job");
    try {
      const value = await job.run(this.#tx);
      this.#raw.exec("release job");
      return () => job.done(value);
    } catch (error) {
      if (!this.#raw.inTransaction) throw error; // a full disk rolls everything back by itself
      this.#raw.exec("rollback to job");
      this.#raw.exec("release job");
      return () => job.failed(error);
    }
  }
}

/** The statements of a service are few and said again and again: each is prepared once. Bounded, oldest out first. */
function cached(raw: SQLite.Database): SqliteDatabase {
  const statements = new Map<string, SQLite.Statement>();
  return {
    close: () => void raw.close(),
    prepare(text) {
      const known = statements.get(text);
      if (known !== undefined) return known;
      const made = raw.prepare(text);
      if (statements.size >= 500)
        for (const oldest of statements.keys()) if (statements.delete(oldest)) break;
      statements.set(text, made);
      return made;
    },
  };
}
