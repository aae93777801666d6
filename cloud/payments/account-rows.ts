/**
 * Accounts as rows, and the time each of them lives in.
 *
 * Owns      the table account.
 */
import type { Reader, Tx } from "../store/store.js";
import type { AccountRow } from "./wire.js";

export const findAccount = (db: Reader, id: string): Promise<AccountRow | undefined> =>
  db.selectFrom("account").selectAll().where("id", "=", id).executeTakeFirst();

export async function insertAccount(tx: Tx, row: AccountRow): Promise<void> {
  await tx.insertInto("account").values(row).execute();
}

/** What time it is for an account: a test account may have moved its own forward. */
export async function accountNowMs(db: Reader, accountId: string, nowMs: number): Promise<number> {
  const row = await db
    .selectFrom("account")
    .select("clock_offset_ms")
    .where("id", "=", accountId)
    .executeTakeFirst();
  return nowMs + (row?.clock_offset_ms ?? 0);
}
