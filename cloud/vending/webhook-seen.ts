/**
 * Which notifications were acted on, so that one that comes again changes nothing.
 *
 * Owns      the table webhook_seen.
 * Promises  a notification is remembered for KEPT_MS, longer than a platform of ours sends it again (it may be asked to for
 *           30 days, and then tries for two weeks). A sale would in any case not be paid twice.
 * Bounded   by BATCH rows a transaction.
 */
import type { Store, Tx } from "../store/store.js";

export const KEPT_MS = 60 * 86_400_000;
const BATCH = 100;

/** Answers whether it is the first time. */
export async function isFirst(tx: Tx, id: string, nowMs: number): Promise<boolean> {
  const fresh = await tx
    .insertInto("webhook_seen")
    .values({ id, at_ms: nowMs })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .returning("id")
    .executeTakeFirst();
  return fresh !== undefined;
}

/** Forgets the oldest of those that are old enough. Answers whether there may be more. */
export async function forgetSeen(store: Store, nowMs: number): Promise<boolean> {
  const old = await store.read
    .selectFrom("webhook_seen")
    .select("id")
    .where("at_ms", "<", nowMs - KEPT_MS)
    .orderBy("at_ms")
    .limit(BATCH)
    .execute();
  const ids = old.map(({ id }) => id);
  if (ids.length > 0)
    await store.write((tx) => tx.deleteFrom("webhook_seen").where("id", "in", ids).execute());
  return ids.length === BATCH;
}
