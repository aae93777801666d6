/** Opens the database an address names, makes it when it is new, and brings it to the newest migration. */
import { openPostgres } from "./postgres.js";
import { openSqlite } from "./sqlite.js";
import type { Store } from "./store.js";

export type StoreOptions = {
  /** `file:PATH` is SQLite, `postgres://…` or `postgresql://…` is PostgreSQL. */
  readonly databaseUrl: string;
  /** How many may be in line before the next is turned away. */
  readonly maxWaiting: number;
  /** SQLite: how many writers share a commit, at most. */
  readonly maxGroup: number;
  /** PostgreSQL: how many connections write; as many again read. */
  readonly maxConnections: number;
};

export const isPostgres = (databaseUrl: string): boolean => /^postgres(ql)?:\/\//.test(databaseUrl);

/** Rejects with StoreFailed when the database is not there, or does not keep what it is told. */
export function openStore({ databaseUrl, ...bounds }: StoreOptions): Promise<Store> {
  return isPostgres(databaseUrl)
    ? openPostgres({ databaseUrl, ...bounds })
    : openSqlite({ path: databaseUrl.slice("file:".length), ...bounds });
}
