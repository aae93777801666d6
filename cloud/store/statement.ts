/**
 * Statements that are said with every payment: written once with Kysely, put into SQL once, and from then on only given
 * their values. (Building one anew costs more than SQLite takes to do it.)
 *
 *     const findName = rowsOf((db, { id }: { id: string }) => db.selectFrom("account").select("name").where("id", "=", id));
 *     const [row] = await findName(tx, { id: "…" });
 *
 * Promises  the values given are the values bound, never part of the text. A builder is run once for each database, with
 *           a place for each value: it may put a value where SQL takes one, and may not look at it.
 */
import type { Compilable, CompiledQuery, Insertable } from "kysely";
import { isSqlite } from "./dialect.js";
import type { Reader, Tx } from "./store.js";
import type { Tables } from "./tables.js";

/** Where a value will be. */
class Place {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}
const places = new Proxy({}, { get: (_target, name) => new Place(String(name)) });

/** `id`: of this text in this process, for whoever keeps something by it. */
type Built = { readonly id: number; readonly text: string; readonly parameters: readonly unknown[] };
type Build<V, O> = (db: Tx, values: V) => Compilable<O>;

/** A statement with the values in the order of its places. `isCounted`: somebody asks how many rows it changed. */
export type Bound = {
  readonly id: number;
  readonly text: string;
  readonly values: readonly unknown[];
  readonly isCounted: boolean;
  /** The ledger account it changes. */
  readonly holds: string | undefined;
};
/** What says statements to a database, without Kysely between. */
export type Direct = {
  readonly rows: (text: string, values: readonly unknown[]) => unknown[] | Promise<unknown[]>;
  /** All of them, in this order. Answers how many rows each changed, where that is counted. */
  readonly write: (all: readonly Bound[]) => readonly number[] | Promise<readonly number[]>;
};
const directs = new WeakMap<object, Direct>();
/** Statements given `db` go this way. Whoever opens a database says which. */
export const saidDirectly = (db: object, direct: Direct): void => void directs.set(db, direct);

function directTo(db: object): Direct {
  const direct = directs.get(db);
  if (direct === undefined) throw new Error("this is no store's database, nor a transaction of one");
  return direct;
}

/** A query. Answers its rows. */
export function rowsOf<V extends object, O>(build: Build<V, O>): (db: Reader, values: V) => Promise<O[]> {
  const builtFor = once(build);
  return async (db, values) => {
    const direct = directTo(db);
    const built = builtFor(db);
    const rows = direct.rows(built.text, bind(built, values));
    return (rows instanceof Promise ? await rows : rows) as O[]; // what the query selects
  };
}

/** Something to be written: a statement and its values, and what to make of how many rows it changed. */
export type Write = {
  readonly builtFor: (db: Reader) => Built;
  readonly values: object;
  /** Raises what is wrong with that. */
  readonly check: ((changed: number) => void) | undefined;
  /** The ledger account it changes: several transfers at once take theirs in one order (locks.ts). */
  readonly holds?: string;
};

/** An insert, an update or a delete. */
export function writeOf<V extends object>(
  build: Build<V, unknown>,
): (values: V, check?: (changed: number) => void) => Write {
  const builtFor = once(build);
  return (values, check) => ({ builtFor, values, check });
}

/** One new row. Columns that are not named get the table's own defaults. */
export const insertOf = <T extends keyof Tables, C extends keyof Insertable<Tables[T]> & string>(
  table: T,
  columns: readonly C[],
): ((row: Pick<Insertable<Tables[T]>, C>) => Write) => {
  const build: Build<Pick<Insertable<Tables[T]>, C>, unknown> = (tx, row) => {
    const values = Object.fromEntries(columns.map((column) => [column, row[column]]));
    return tx.insertInto(table).values(values as unknown as Insertable<Tables[T]>); // the places of its columns' values
  };
  const write = writeOf(build);
  return (row) => write(row);
};

/**
 * Writes them all, in one breath: none sees what another wrote, and no two may write the same row. Raises what the first
 * check that failed raised; the transaction must then be given up.
 */
export async function writeAll(tx: Tx, writes: readonly Write[]): Promise<void> {
  if (writes.length === 0) return;
  const bound = writes.map(({ builtFor, values, check, holds }): Bound => {
    const built = builtFor(tx);
    const { id, text } = built;
    return { id, text, values: bind(built, values), isCounted: check !== undefined, holds };
  });
  const changed = await directTo(tx).write(bound);
  writes.forEach(({ check }, index) => check?.(changed[index] ?? 0));
}

function once<V>(build: Build<V, unknown>): (db: Reader) => Built {
  const known: { sqlite?: Built; postgres?: Built } = {};
  return (db) => {
    const tx = db as Tx; // to build with only: what it is said to is the caller's
    return (known[isSqlite(tx) ? "sqlite" : "postgres"] ??= compile(build(tx, places as V).compile()));
  };
}

let ids = 0;
const compile = ({ sql, parameters }: CompiledQuery): Built => ({ id: (ids += 1), text: sql, parameters });

const bind = ({ parameters }: Built, values: object): unknown[] =>
  parameters.map((parameter) =>
    parameter instanceof Place ? (values as Readonly<Record<string, unknown>>)[parameter.name] : parameter,
  );

/**
 * Waits for all of them, and then raises what the first to fail raised: nothing goes on in a transaction that is over.
 * On PostgreSQL those that wait for nothing go to the server in one breath, in this order.
 */
export async function together<T extends readonly unknown[]>(
  promises: readonly [...{ [I in keyof T]: Promise<T[I]> }],
): Promise<T> {
  const failures: unknown[] = [];
  const values = await Promise.all(
    promises.map((promise) => promise.catch((error: unknown) => void failures.push(error))),
  );
  if (failures.length > 0) throw failures[0];
  return values as unknown as T; // none failed: each is its promise's value
}
