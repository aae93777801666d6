/**
 * The cloud's database, as the rest of the cloud sees it: the one door through which every write goes.
 *
 * Promises  `write` resolves when its transaction is on disk, whichever database that is. `read` sees committed rows only.
 * Never     answers a write before its commit.
 * Bounded   both in how many may be in line: past that they reject with StoreBusy, because a queue that only grows answers
 *           nobody.
 * Crash     whatever was not committed was never answered; what was committed is there.
 *
 * Two databases keep it: sqlite.ts and postgres.ts. On PostgreSQL several processes share one, so whoever reads a row in
 * order to decide about it locks that row (locks.ts).
 */
import type { Kysely } from "kysely";
import type { Tables } from "./tables.js";

/** An open transaction. Repositories take one, so nothing can be written outside `write`. */
export type Tx = Omit<Kysely<Tables>, "transaction" | "startTransaction" | "connection" | "destroy">;
/** What readers get: committed rows. */
export type Reader = Pick<Kysely<Tables>, "selectFrom" | "with" | "fn">;

export interface Store {
  readonly read: Reader;
  /**
   * Runs `work` in a transaction. It may await its own queries and nothing else: no network, no timer. It may be run
   * again from its beginning, after everything it did in `tx` was taken back (PostgreSQL ends one of two transactions
   * that wait for each other): so it touches nothing but `tx`, and what it says to the world, its caller says afterwards.
   * It does not catch what a query throws: on PostgreSQL the transaction is over then.
   * Rejects with what `work` threw (and then none of its rows are there), or with StoreBusy or StoreFailed.
   *
   * Writers may overtake each other, except that those of one `queue` are run in the order they came to this process.
   */
  write<T>(work: (tx: Tx) => Promise<T>, queue?: string): Promise<T>;
  /**
   * The same for work that many do at once and that is about one `subject` (none: about what it makes anew). It decides by
   * the row it locks by that id, by rows that stay as they are, and by counts of what it changed; then work about other
   * subjects may share its transaction. Work that turns out to do more is run again by itself.
   */
  writeAbout<T>(subject: string | undefined, work: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Too much at once. Nothing was written; the caller may try again. */
export class StoreBusy extends Error {
  override readonly name: string = "StoreBusy";
}
/** The disk or the database refused. Nothing was written. */
export class StoreFailed extends Error {
  override readonly name: string = "StoreFailed";
}
/** The database was lost in the middle of a commit: whether it was written is not known. Asked again under its key, it will be. */
export class StoreUncertain extends StoreFailed {
  override readonly name = "StoreUncertain";
}
