/**
 * The store in a SQLite file.
 *
 * Owns      the file: one connection that writes, one that only reads.
 * Promises  `write` resolves when its transaction is on disk (WAL, `synchronous=FULL`, read back at start: the package's
 *           default loses acknowledged commits at a power cut). Writers that arrive together share one commit; one that
 *           fails takes nothing of the others with it.
 * Bounded   by `maxGroup` writers a commit and `maxWaiting` writers in line.
 * Crash     whatever was not committed was never answered; what was committed is there.
 */
import { closeSync, openSync } from "node:fs";
import SQLite from "better-sqlite3";
import { Kysely, Migrator, SqliteDialect, type Migration, type SqliteDatabase } from "kysely";
import { gathering } from "./gathering.js";
import { migrations } from "./migrations.js";
import { saidDirectly } from "./statement.js";
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
type Answer = { readonly isFailed: boolean; readonly tell: () => void };

/** What both connections remember of the file, at most: an index that is not remembered is read again with every payment. */
const CACHE_KIB = 64 * 1024;

/** Opens (and, when new, makes) the database and brings it to the newest migration. Private keys are in it: a new one is its owner's alone. */
export async function openSqlite({ path, maxGroup, maxWaiting }: SqliteOptions): Promise<Store> {
  if (path !== ":memory:") makePrivately(path); // SQLite's own name for no file at all
  const raw = new SQLite(path);
  raw.pragma("journal_mode = WAL");
  raw.pragma("synchronous = FULL");
  raw.pragma("foreign_keys = ON");
  raw.pragma("wal_autocheckpoint = 10000");
  raw.pragma(`cache_size = -${CACHE_KIB}`);
  const synchronous: unknown = raw.pragma("synchronous", { simple: true });
  if (
    raw.pragma("journal_mode", { simple: true }) !== "wal" ||
    typeof synchronous !== "number" ||
    synchronous < 2
  ) {
    raw.close();
    throw new StoreFailed(`${path} does not keep what it is told: WAL with synchronous=FULL is needed`);
  }
  const { db: tx, prepare } = open(raw);
  await migrate(raw, tx);
  const { db: read, refresh } = openReader(new SQLite(path, { readonly: true }));
  const group = new GroupCommit({ raw, prepare, tx, maxGroup, maxWaiting, changed: refresh });
  return {
    read,
    write: (work) => group.write(work), // all of them in the order they came
    writeAbout: (_subject, work) => group.write(work),
    async close() {
      await group.idle();
      await read.destroy();
      await tx.destroy();
    },
  };
}

/** What is there keeps its mode. SQLite gives its log and its shared memory the same. */
function makePrivately(path: string): void {
  try {
    closeSync(openSync(path, "a", 0o600));
  } catch (cause) {
    throw new StoreFailed(`${path} cannot be opened`, { cause });
  }
}

type Prepare = (text: string) => SQLite.Statement;

function open(raw: SQLite.Database): { readonly db: Kysely<Tables>; readonly prepare: Prepare } {
  const prepare = prepared(raw);
  return { db: kyselyOn(raw, prepare), prepare };
}

/**
 * Whoever reads in the same turn of the event loop reads one snapshot: after every commit SQLite forgets the pages it has
 * read, and looking at them anew for each reader costs more than reading. `refresh` ends the snapshot at once.
 */
function openReader(raw: SQLite.Database): { readonly db: Kysely<Tables>; readonly refresh: () => void } {
  const prepare = prepared(raw);
  const refresh = (): void => {
    if (raw.open && raw.inTransaction) prepare("commit").run();
  };
  const read: Prepare = (text) => {
    if (!raw.inTransaction) {
      prepare("begin").run();
      setImmediate(refresh);
    }
    return prepare(text);
  };
  return { db: kyselyOn(raw, read), refresh };
}

function kyselyOn(raw: SQLite.Database, prepare: Prepare): Kysely<Tables> {
  const database: SqliteDatabase = { prepare, close: () => void raw.close() };
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
  saidDirectly(db, {
    rows: (text, values) => prepare(text).all(values),
    write: (all) => all.map(({ text, values }) => prepare(text).run(values).changes),
  });
  return db;
}

/** All or none: Kysely itself opens no transaction for SQLite's schema changes, and a crash would leave half the tables. */
async function migrate(raw: SQLite.Database, db: Kysely<Tables>): Promise<void> {
  const provider = { getMigrations: (): Promise<Record<string, Migration>> => Promise.resolve(migrations) };
  raw.exec("begin immediate");
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  raw.exec(error === undefined ? "commit" : "rollback");
  if (error !== undefined) throw new StoreFailed("a migration failed", { cause: error });
}

type GroupCommitParts = {
  readonly raw: SQLite.Database;
  readonly prepare: Prepare;
  readonly tx: Tx;
  readonly maxGroup: number;
  readonly maxWaiting: number;
  /** Called after each transaction, before anyone is told of it. */
  readonly changed: () => void;
};

/** Writers in line, committed together: all that wait when a turn of the event loop ends share one fsync. */
class GroupCommit {
  readonly #raw: SQLite.Database;
  readonly #prepare: Prepare;
  readonly #tx: Tx;
  readonly #maxGroup: number;
  readonly #maxWaiting: number;
  readonly #changed: () => void;
  #waiting: Job[] = [];
  #draining: Promise<void> | undefined;

  constructor({ raw, prepare, tx, maxGroup, maxWaiting, changed }: GroupCommitParts) {
    this.#raw = raw;
    this.#prepare = prepare;
    this.#tx = tx;
    this.#maxGroup = maxGroup;
    this.#maxWaiting = maxWaiting;
    this.#changed = changed;
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
      await gathering(() => this.#waiting.length, this.#maxGroup);
      await this.#commit(this.#waiting.splice(0, this.#maxGroup));
    }
    this.#draining = undefined; // in the same breath as the last look: no writer can come between
  }

  /** A job's answer leaves only after the commit. */
  async #commit(jobs: readonly Job[]): Promise<void> {
    let answers: readonly Answer[];
    try {
      answers = (await this.#runTogether(jobs)) ?? (await this.#runApart(jobs));
      this.#say("commit");
    } catch (cause) {
      if (this.#raw.inTransaction) this.#say("rollback");
      const error = new StoreFailed("the database did not take the commit", { cause });
      for (const job of jobs) job.failed(error);
      return;
    } finally {
      this.#changed();
    }
    for (const { tell } of answers) tell();
  }

  /**
   * All of them with nothing between, as nearly always does: a savepoint has SQLite copy every page the job changes. Answers
   * `undefined`, and nothing is left of any, when one failed that had already written.
   */
  async #runTogether(jobs: readonly Job[]): Promise<readonly Answer[] | undefined> {
    this.#say("begin immediate");
    const answers: Answer[] = [];
    for (const job of jobs) {
      const before = this.#changes();
      const answer = await this.#run(job);
      answers.push(answer);
      if (answer.isFailed && this.#changes() !== before) {
        this.#say("rollback");
        return undefined;
      }
    }
    return answers;
  }

  /** Each with a savepoint of its own. */
  async #runApart(jobs: readonly Job[]): Promise<readonly Answer[]> {
    this.#say("begin immediate");
    const answers: Answer[] = [];
    for (const job of jobs) {
      this.#say("savepoint job");
      const answer = await this.#run(job);
      if (answer.isFailed) this.#say("rollback to job");
      this.#say("release job");
      answers.push(answer);
    }
    return answers;
  }

  async #run(job: Job): Promise<Answer> {
    try {
      const value = await job.run(this.#tx);
      return { isFailed: false, tell: () => job.done(value) };
    } catch (error) {
      if (!this.#raw.inTransaction) throw error; // a full disk rolls everything back by itself
      return { isFailed: true, tell: () => job.failed(error) };
    }
  }

  /** How many rows this connection has ever changed. */
  #changes(): unknown {
    return this.#prepare("select total_changes()").pluck().get();
  }

  #say(text: string): void {
    this.#prepare(text).run();
  }
}

/** The statements of a service are few and said again and again: each is prepared once. Bounded, oldest out first. */
function prepared(raw: SQLite.Database): Prepare {
  const statements = new Map<string, SQLite.Statement>();
  return (text) => {
    const known = statements.get(text);
    if (known !== undefined) return known;
    const made = raw.prepare(text);
    if (statements.size >= 500) for (const oldest of statements.keys()) if (statements.delete(oldest)) break;
    statements.set(text, made);
    return made;
  };
}
