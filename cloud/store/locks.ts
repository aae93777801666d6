/**
 * Row locks, for what is read in a transaction in order to decide.
 *
 * On SQLite one transaction writes at a time, so nothing is added there. On PostgreSQL the transactions of several
 * processes run side by side, and each statement sees what was committed before it began: a row that is locked as it is
 * read stays as it was read until the transaction ends.
 *
 * The lock is `for no key update`, what an UPDATE itself takes: it shuts out other writers of the row, but not the look a
 * foreign key has at it. The order, so that two seldom wait for each other: the subject first (a payment request, a sale,
 * a journal, an asset), then names, then ledger accounts by id.
 */
import { sql, type PostgresPoolClient, type SelectQueryBuilder } from "kysely";
import { isSqlite } from "./dialect.js";
import type { Tx } from "./store.js";
import type { Tables } from "./tables.js";

const LOCK = "for no key update";

type Locking = <DB, TB extends keyof DB & string, O>(
  query: SelectQueryBuilder<DB, TB, O>,
) => SelectQueryBuilder<DB, TB, O>;

/**
 * Waits for whoever holds a row, then reads it as they left it and holds it. For `$call`, in a query of one table: what is
 * joined to a row that had to be waited for stays as it was before the wait (see `lockRow`).
 */
export const forUpdate =
  (tx: Tx): Locking =>
  (query) =>
    isSqlite(tx) ? query : query.forNoKeyUpdate();

/** Waits for whoever holds a row, and holds it. What is read after that, of whatever table, is what they left. */
export async function lockRow(tx: Tx, table: keyof Tables, column: string, value: string): Promise<void> {
  if (isSqlite(tx)) return;
  await sql`select 1 from ${sql.table(table)} where ${sql.ref(column)} = ${value} ${sql.raw(LOCK)}`.execute(
    tx,
  );
}

/** Passes over rows that somebody holds: they are being seen to. For `$call`, in queues that several processes empty. */
export const forUpdateSkipLocked =
  (tx: Tx): Locking =>
  (query) =>
    isSqlite(tx) ? query : query.forNoKeyUpdate().skipLocked();

/** Holds a name until the transaction ends: for what is decided by rows that are not there yet, or by a count of rows. */
export async function lockName(tx: Tx, name: string): Promise<void> {
  if (!isSqlite(tx)) await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(tx);
}

/** Whether a statement of PostgreSQL's locks what it reads. */
export const isLock = (text: string): boolean => text.includes(LOCK);

/** Holds several ledger accounts, for whoever has several transfers to write. PostgreSQL's alone. */
export const holdAccounts = (connection: PostgresPoolClient, ids: readonly string[]): Promise<unknown> =>
  connection.query(`select 1 from ledger_account where id = any($1::text[]) order by id ${LOCK}`, [
    `{${ids.map((id) => JSON.stringify(id)).join()}}`, // an array's text quotes as JSON does
  ]);
