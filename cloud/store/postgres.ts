/**
 * The store in a PostgreSQL database, which several processes may share.
 *
 * Owns      two pools of connections, one that writes and one that only reads: a writer that reads cannot wait for itself.
 * Promises  `write` is one transaction, and resolves when it is on disk: `fsync`, `synchronous_commit` and
 *           `full_page_writes` are looked up at start, and a server without them is refused. A transaction the server ended
 *           to undo a deadlock or a conflict is run again, up to RUNS times.
 *           A 64-bit number that JavaScript cannot hold exactly is an error, never a rounded amount.
 * Never     holds a lock in this process: rows are locked in the database (locks.ts).
 * Bounded   by `maxConnections` a pool and `maxWaiting` in line for it; by STATEMENT_MS a statement and LOCK_MS a wait for a
 *           lock (then StoreBusy); by CONNECT_MS for a connection and SILENCE_MS for an answer (then StoreFailed).
 * Crash     the server takes back what was not committed. A connection lost in the middle of a commit is StoreUncertain.
 *
 * Why READ COMMITTED with row locks, and not SERIALIZABLE: payments to one merchant all change that merchant's balance, so
 * under SERIALIZABLE they would end each other instead of standing in line.
 */
import { Kysely, Migrator, PostgresDialect, sql, type Migration, type PostgresPool } from "kysely";
import { DatabaseError, Pool } from "pg";
import { BytewiseText } from "./bytewise-text.js";
import { InOrder } from "./in-order.js";
import { migrations } from "./migrations.js";
import { StalePlan, type Connection, PoolLine } from "./pool-line.js";
import { exactNumbers } from "./postgres-number.js";
import { SharedReads } from "./shared-reads.js";
import { SharedTransactions, writeAsOne } from "./shared-transactions.js";
import { saidDirectly } from "./statement.js";
import { StoreBusy, StoreFailed, StoreUncertain, type Store, type Tx } from "./store.js";
import type { Tables } from "./tables.js";

export type PostgresOptions = {
  readonly databaseUrl: string;
  readonly maxConnections: number;
  readonly maxWaiting: number;
  readonly maxGroup: number;
};

const RUNS = 5;
const CONNECT_MS = 5_000;
const STATEMENT_MS = 10_000;
const LOCK_MS = 5_000;
/** Longer than the server lets a statement take: who says nothing by then is not there. */
const SILENCE_MS = 15_000;
/** Another process may be at the same migration first. */
const MIGRATION_LOCK_MS = 60_000;
const IDLE_MS = 30_000;

export async function openPostgres(options: PostgresOptions): Promise<Store> {
  await prepare(options.databaseUrl);
  const timeouts = {
    statement_timeout: STATEMENT_MS,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: STATEMENT_MS,
    query_timeout: SILENCE_MS,
  };
  const queues = new InOrder(options.maxWaiting);
  const writers = makeLine(options, timeouts);
  const readers = makeLine(options, timeouts);
  const { maxGroup, maxWaiting } = options;
  const alone = (work: (tx: Tx) => Promise<unknown>): Promise<unknown> => write(writers, work);
  const shared = new SharedTransactions({ line: writers, maxGroup, maxWaiting, alone });
  const reads = new SharedReads(readers, maxWaiting);
  const read = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: readers }) });
  saidDirectly(read, {
    rows: (text, values) => reads.rows(text, values),
    write: () => Promise.reject(new TypeError("a reader does not write")),
  });
  return {
    read,
    write: (work, queue) =>
      queue === undefined ? write(writers, work) : queues.run(queue, () => write(writers, work)),
    writeAbout: (subject, work) => shared.write(subject, work),
    async close() {
      await queues.idle();
      await shared.idle();
      await writers.idle();
      await readers.idle();
      await read.destroy();
      await writers.end();
    },
  };
}

type Timeouts = Partial<
  Record<
    "statement_timeout" | "lock_timeout" | "idle_in_transaction_session_timeout" | "query_timeout",
    number
  >
>;

function makeLine(
  { databaseUrl, maxConnections, maxWaiting }: Omit<PostgresOptions, "maxGroup">,
  timeouts: Timeouts,
): PoolLine {
  const pool = new Pool({
    connectionString: databaseUrl,
    max: maxConnections,
    connectionTimeoutMillis: CONNECT_MS,
    idleTimeoutMillis: IDLE_MS,
    keepAlive: true,
    application_name: "scanvend",
    types: exactNumbers,
    pipeline: true,
    ...timeouts,
  });
  return new PoolLine(pool, maxConnections, maxWaiting);
}

/** Kysely on one connection: what is said at once goes to the server at once. */
const transactions = new WeakMap<Connection, Tx>();
function txOn(connection: Connection): Tx {
  const known = transactions.get(connection);
  if (known !== undefined) return known;
  const query = connection.query.bind(connection);
  const pool: PostgresPool = {
    connect: () => Promise.resolve({ query, release: () => undefined }),
    end: () => Promise.resolve(),
  };
  const tx = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  saidDirectly(tx, {
    rows: async (text, values) => (await connection.query<unknown>(text, values)).rows,
    write: (all) => writeAsOne(connection, all),
  });
  transactions.set(connection, tx);
  return tx;
}

/** One transaction. Each statement sees what others committed before it; what is decided upon is locked (locks.ts). */
async function write<T>(line: PoolLine, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let run = 1; ; run += 1) {
    const progress = { isWorked: false };
    try {
      return await transact(line, work, progress);
    } catch (error) {
      if (progress.isWorked && error instanceof StoreFailed)
        throw new StoreUncertain("the database was lost in the middle of a commit", { cause: error });
      if (!isTakenBack(error)) throw error;
      if (run === RUNS) throw new StoreBusy(`others were in the way ${RUNS} times`, { cause: error });
    }
  }
}

async function transact<T>(
  line: PoolLine,
  work: (tx: Tx) => Promise<T>,
  progress: { isWorked: boolean },
): Promise<T> {
  const connection = await line.connect();
  try {
    connection.begin();
    const value = await work(txOn(connection));
    progress.isWorked = true;
    await connection.query("commit", []);
    return value;
  } catch (error) {
    await connection.query("rollback", []).catch(() => undefined); // one that cannot is broken, and not used again
    throw error;
  } finally {
    connection.release();
  }
}

/** The server ended the transaction because of another one, and says that it may be run again. */
const isTakenBack = (error: unknown): boolean =>
  error instanceof StalePlan ||
  (error instanceof DatabaseError && (error.code === "40001" || error.code === "40P01")); // serialization, deadlock

/** The migrations run on a connection of their own, without a limit on how long a statement takes. */
async function prepare(databaseUrl: string): Promise<void> {
  const line = makeLine(
    { databaseUrl, maxConnections: 1, maxWaiting: 1 },
    { lock_timeout: MIGRATION_LOCK_MS },
  );
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: line }) });
  try {
    await refuseForgetful(db);
    await migrate(db.withPlugin(new BytewiseText()));
  } finally {
    await db.destroy();
  }
}

/** Under Kysely's own lock in the database: of several processes that start at once one migrates, and the others wait. */
async function migrate(db: Kysely<Tables>): Promise<void> {
  const provider = { getMigrations: (): Promise<Record<string, Migration>> => Promise.resolve(migrations) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error !== undefined) throw new StoreFailed("a migration failed", { cause: error });
}

/** A server that may forget what it has acknowledged must not keep money. */
async function refuseForgetful(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ readonly name: string; readonly value: string | null }>`
    select name, current_setting(name, true) as value
      from unnest(array['fsync', 'synchronous_commit', 'full_page_writes', 'server_encoding']) as name`.execute(
    db,
  );
  const settings = new Map(rows.map(({ name, value }) => [name, value]));
  const problems = (["fsync", "synchronous_commit", "full_page_writes"] as const).flatMap((name) => {
    const value = settings.get(name) ?? "unknown";
    const isKept = value === "on" || (name === "synchronous_commit" && value === "remote_apply"); // which is more than on
    return isKept ? [] : [`${name} is ${value}, and must be on, or a power cut takes back paid sales`];
  });
  const encoding = settings.get("server_encoding") ?? "unknown";
  if (encoding !== "UTF8") problems.push(`its encoding is ${encoding}, and must be UTF8`);
  if (problems.length > 0)
    throw new StoreFailed(`the PostgreSQL server cannot keep money: ${problems.join("; ")}`);
}
