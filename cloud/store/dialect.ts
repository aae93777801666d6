/** The few words in which SQLite and PostgreSQL differ: everything else is one text for both. */
import { SqliteAdapter, sql, type CreateTableBuilder, type Kysely, type RawBuilder } from "kysely";

export const isSqlite = (db: Pick<Kysely<unknown>, "getExecutor">): boolean =>
  db.getExecutor().adapter instanceof SqliteAdapter;

/** A whole number of 64 bits. (SQLite's STRICT tables know it as INTEGER, PostgreSQL as bigint.) */
export const int64 = (db: Kysely<unknown>): "integer" | "bigint" => (isSqlite(db) ? "integer" : "bigint");

/** Makes a SQLite table refuse what is not of its column's type, as PostgreSQL always does. */
export const strict =
  (db: Kysely<unknown>) =>
  <T extends string, C extends string>(table: CreateTableBuilder<T, C>): CreateTableBuilder<T, C> =>
    isSqlite(db) ? table.modifyEnd(sql`strict`) : table;

/**
 * The same for a table of narrow rows that are found by their key alone: SQLite then keeps the rows in the key's own tree,
 * and not in a second one beside it. (PostgreSQL knows no such difference.)
 */
export const strictByKey =
  (db: Kysely<unknown>) =>
  <T extends string, C extends string>(table: CreateTableBuilder<T, C>): CreateTableBuilder<T, C> =>
    isSqlite(db) ? table.modifyEnd(sql`strict, without rowid`) : table;

/**
 * A check that a column holds one of these words. Said with `or`: of an `in` with more than two values SQLite makes a table,
 * anew for every row it checks, and that takes longer than writing the row.
 */
export const oneOf = (column: string, words: readonly string[]): RawBuilder<boolean> =>
  sql`(${sql.join(
    words.map((word) => sql`${sql.ref(column)} = ${sql.lit(word)}`),
    sql` or `,
  )})`;

/** Forbids changing or deleting the rows of a table: what was written stays. */
export async function appendOnly(db: Kysely<unknown>, table: string): Promise<void> {
  if (isSqlite(db)) {
    for (const verb of ["update", "delete"] as const)
      await sql`create trigger ${sql.id(`${table}_no_${verb}`)} before ${sql.raw(verb)} on ${sql.id(table)}
        begin select raise(abort, ${sql.lit(`${table} is append-only`)}); end`.execute(db);
    return;
  }
  await sql`create or replace function refuse_change() returns trigger language plpgsql as
    $$ begin raise exception '% is append-only', tg_table_name; end $$`.execute(db);
  await sql`create trigger ${sql.id(`${table}_append_only`)} before update or delete on ${sql.id(table)}
    for each row execute function refuse_change()`.execute(db);
  await sql`create trigger ${sql.id(`${table}_no_truncate`)} before truncate on ${sql.id(table)}
    for each statement execute function refuse_change()`.execute(db);
}
