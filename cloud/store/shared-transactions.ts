/**
 * Writers of one moment in one transaction on PostgreSQL: one begin, one commit, and what they say at once goes as one message.
 *
 * They run beside each other in it, so the row locks that keep transactions apart do not keep them apart. Who shares therefore
 * says which subject it is about and decides by that subject's row, by rows nobody changes, and by counts of what it changed.
 *
 * Promises  two about one subject never share. Whoever locks another row, or says what statement.ts does not, leaves, and is run
 *           again in a transaction of its own. When one fails after it has written, the whole is taken back, and each is run
 *           on its own: nobody is answered by what others did not do.
 *           Rows are locked in the one order of locks.ts: subjects by id, then ledger accounts by id.
 * Bounded   by `maxGroup` a transaction, `maxWaiting` in line and SHARED transactions at once.
 */
import { Kysely, PostgresDialect } from "kysely";
import { asOne } from "./as-one.js";
import { gathering } from "./gathering.js";
import { holdAccounts, isLock } from "./locks.js";
import type { Connection, PoolLine } from "./pool-line.js";
import { saidDirectly, type Bound } from "./statement.js";
import { StoreBusy, StoreFailed, StoreUncertain, type Tx } from "./store.js";
import type { Tables } from "./tables.js";

/** One is at the server while the other gathers. */
const SHARED = 2;

type Work = (tx: Tx) => Promise<unknown>;
type Job = {
  readonly subject: string | undefined;
  readonly work: Work;
  readonly done: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
};
type Outcome =
  | { readonly isFailed: false; readonly value: unknown }
  | { readonly isFailed: true; readonly error: unknown };

type Parts = {
  readonly line: PoolLine;
  readonly maxGroup: number;
  readonly maxWaiting: number;
  /** In a transaction of its own. */
  readonly alone: (work: Work) => Promise<unknown>;
};

export class SharedTransactions {
  readonly #parts: Parts;
  #waiting: Job[] = [];
  readonly #serving = new Set<Promise<void>>();
  readonly #leaving = new Set<Promise<void>>();
  #isGathering = false;
  readonly #seats: Seat[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  write<T>(subject: string | undefined, work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#waiting.length >= this.#parts.maxWaiting)
      return Promise.reject(new StoreBusy("too many writers are waiting"));
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ subject, work, done: (value) => resolve(value as T), failed: reject }); // `work` made the value
      this.#call();
    });
  }

  /** Resolves when nobody waits. */
  async idle(): Promise<void> {
    while (this.#serving.size + this.#leaving.size > 0)
      await Promise.all([...this.#serving, ...this.#leaving]);
  }

  #call(): void {
    if (this.#isGathering || this.#waiting.length === 0 || this.#serving.size >= SHARED) return;
    const served = this.#serve().finally(() => {
      this.#serving.delete(served);
      this.#call();
    });
    this.#serving.add(served);
  }

  async #serve(): Promise<void> {
    this.#isGathering = true;
    await gathering(() => this.#waiting.length, this.#parts.maxGroup);
    this.#isGathering = false;
    const jobs = this.#take();
    this.#call();
    await (jobs.length === 1 ? this.#apart(jobs) : this.#together(jobs));
  }

  /** The first in line, of each subject one, in the order in which their rows are locked. */
  #take(): readonly Job[] {
    const subjects = new Set<string>();
    const taken: Job[] = [];
    this.#waiting = this.#waiting.filter((job) => {
      if (taken.length >= this.#parts.maxGroup || subjects.has(job.subject ?? "")) return true;
      if (job.subject !== undefined) subjects.add(job.subject);
      taken.push(job);
      return false;
    });
    return taken.sort((a, b) => compare(a.subject ?? "", b.subject ?? ""));
  }

  async #apart(jobs: readonly Job[]): Promise<void> {
    await Promise.all(jobs.map((job) => this.#parts.alone(job.work).then(job.done, job.failed)));
  }

  async #together(jobs: readonly Job[]): Promise<void> {
    let outcomes: readonly Outcome[] | undefined;
    try {
      outcomes = await this.#transact(jobs);
    } catch (error) {
      for (const job of jobs) job.failed(error);
      return;
    }
    const leavers = jobs.filter((job, index) => {
      const outcome = outcomes?.[index];
      if (outcomes === undefined) return true; // nothing was kept
      if (outcome?.isFailed === false) job.done(outcome.value);
      else if (outcome?.error instanceof Leaves) return true;
      else job.failed(outcome?.error);
      return false;
    });
    this.#leave(leavers);
  }

  /** By themselves, and in nobody's way: what they wait for may be held for long. */
  #leave(jobs: readonly Job[]): void {
    const left = this.#apart(jobs).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  /** Answers what came of each once it is on disk, or `undefined` when nothing was kept. Rejects when the database is gone. */
  async #transact(jobs: readonly Job[]): Promise<readonly Outcome[] | undefined> {
    const connection = await this.#parts.line.connect();
    const table = new Table(connection, jobs.length);
    let isWorked = false;
    try {
      connection.begin();
      const outcomes = await Promise.all(
        jobs.map(async ({ subject, work }) => {
          const seat = this.#seats.pop() ?? new Seat();
          const outcome = await seat.run(table, subject, work);
          this.#seats.push(seat);
          return outcome;
        }),
      );
      if (table.isSpoiled) throw table.spoiler;
      isWorked = true;
      await connection.query("commit", []);
      return outcomes;
    } catch (error) {
      await connection.query("rollback", []).catch(() => undefined); // one that cannot is broken, and not used again
      if (!(error instanceof StoreFailed)) return undefined;
      throw isWorked
        ? new StoreUncertain("the database was lost in the middle of a commit", { cause: error })
        : error;
    } finally {
      connection.release();
    }
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Not to be done beside others. Nobody sees it: the work is run again. */
class Leaves extends Error {
  override readonly name = "Leaves";
}

type Writing = {
  readonly all: readonly Bound[];
  readonly done: (changed: readonly number[]) => void;
  readonly failed: (error: unknown) => void;
};

/** One transaction, and who is at it. Writes wait until all that are still at it have something to write, or have left. */
class Table {
  readonly connection: Connection;
  isSpoiled = false;
  spoiler: unknown;
  #seated: number;
  #writing: Writing[] = [];

  constructor(connection: Connection, seated: number) {
    this.connection = connection;
    this.#seated = seated;
  }

  /** Nothing of it may be kept. */
  spoil(error: unknown): void {
    if (!this.isSpoiled) this.spoiler = error;
    this.isSpoiled = true;
  }

  leave(): void {
    this.#seated -= 1;
    this.#writeOnceAllWait();
  }

  write(all: readonly Bound[]): Promise<readonly number[]> {
    return new Promise((done, failed) => {
      this.#writing.push({ all, done, failed });
      this.#writeOnceAllWait();
    });
  }

  #writeOnceAllWait(): void {
    if (this.#writing.length < this.#seated) return;
    const writing = this.#writing.splice(0);
    const accounts = new Set(writing.flatMap(({ all }) => all.flatMap(({ holds }) => holds ?? [])));
    if (accounts.size > 0) void holdAccounts(this.connection, [...accounts]).catch(() => undefined); // with the writes, which tell
    for (const { all, done, failed } of writing) writeAsOne(this.connection, all).then(done, failed);
  }
}

/** All of them in one statement. */
export async function writeAsOne(connection: Connection, all: readonly Bound[]): Promise<readonly number[]> {
  const { text, values } = asOne(all);
  const { rows } = await connection.query<Record<string, number>>(text, values);
  return all.map((_one, index) => rows[0]?.[`w${index}`] ?? 0);
}

/** A place at a table: what one work takes for its transaction. */
class Seat {
  readonly #tx: Tx;
  #table: Table | undefined;
  #subject: string | undefined;
  #hasWritten = false;

  constructor() {
    const connect = (): Promise<never> => Promise.reject(new Leaves("is said by Kysely"));
    this.#tx = new Kysely<Tables>({
      dialect: new PostgresDialect({ pool: { connect, end: () => Promise.resolve() } }),
    });
    saidDirectly(this.#tx, {
      rows: (text, values) => this.#rows(text, values),
      write: (all) => this.#write(all),
    });
  }

  async run(table: Table, subject: string | undefined, work: Work): Promise<Outcome> {
    this.#table = table;
    this.#subject = subject;
    try {
      return { isFailed: false, value: await work(this.#tx) };
    } catch (error) {
      if (this.#hasWritten) table.spoil(error);
      return { isFailed: true, error };
    } finally {
      this.#table = undefined;
      this.#hasWritten = false;
      table.leave();
    }
  }

  async #rows(text: string, values: readonly unknown[]): Promise<unknown[]> {
    if (isLock(text) && (this.#subject === undefined || !values.includes(this.#subject)))
      throw new Leaves("locks what others may be at");
    const table = this.#at();
    try {
      return (await table.connection.query<unknown>(text, values)).rows;
    } catch (error) {
      table.spoil(error);
      throw error;
    }
  }

  async #write(all: readonly Bound[]): Promise<readonly number[]> {
    const table = this.#at();
    this.#hasWritten = true;
    try {
      return await table.write(all);
    } catch (error) {
      table.spoil(error);
      throw error;
    }
  }

  #at(): Table {
    if (this.#table === undefined) throw new Error("the transaction is over");
    return this.#table;
  }
}
