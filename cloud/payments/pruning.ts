/**
 * The outbox's end: what was delivered long ago leaves it.
 *
 * Owns      the end of rows in notification, delivery and delivery_attempt.
 * Promises  a delivery goes KEPT_MS after it was delivered, with its attempts; a notification once it is as old and no
 *           delivery of it is left. One that is due or was abandoned stays, with its notification: somebody may still want it.
 * Never     touches a row about money.
 * Bounded   by `limit` notifications a transaction. A walk over all that are old enough begins every EVERY_MS.
 * Crash     costs nothing: the next walk begins at the oldest.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import { firstIdAt } from "../../broker/protocol/id.js";
import { forUpdateSkipLocked, lockName } from "../store/locks.js";
import type { Store, Tx } from "../store/store.js";

export const KEPT_MS = 30 * 86_400_000;
const EVERY_MS = 60 * 60 * 1000;

export class Pruning {
  readonly #parts: { readonly store: Store; readonly clock: Clock };
  /** How far this walk has come. */
  #after = "";
  #nextMs = 0;

  constructor(parts: { readonly store: Store; readonly clock: Clock }) {
    this.#parts = parts;
  }

  /** The next step of a walk, if one is due. Answers whether there are more. */
  async step(limit: number): Promise<boolean> {
    const { store, clock } = this.#parts;
    const nowMs = clock.nowMs();
    if (nowMs < this.#nextMs) return false;
    const beforeMs = nowMs - KEPT_MS;
    const old = await store.read
      .selectFrom("notification")
      .select("id")
      .where("id", ">", this.#after)
      .where("id", "<", firstIdAt(beforeMs))
      .orderBy("id")
      .limit(limit)
      .execute();
    const ids = old.map(({ id }) => id);
    if (ids.length > 0) await store.write((tx) => remove(tx, ids, beforeMs));
    const hasMore = ids.length === limit;
    this.#after = hasMore ? (ids.at(-1) ?? "") : "";
    if (!hasMore) this.#nextMs = nowMs + EVERY_MS;
    return hasMore;
  }
}

async function remove(tx: Tx, notificationIds: readonly string[], beforeMs: number): Promise<void> {
  await lockName(tx, "pruning"); // several processes walk: each sees what the one before it left
  const delivered = await tx
    .selectFrom("delivery")
    .select("id")
    .where("notification_id", "in", notificationIds)
    .where("state", "=", "delivered")
    .where("settled_ms", "<", beforeMs)
    .$call(forUpdateSkipLocked(tx))
    .execute();
  const ids = delivered.map(({ id }) => id);
  if (ids.length > 0) {
    await tx.deleteFrom("delivery_attempt").where("delivery_id", "in", ids).execute();
    await tx.deleteFrom("delivery").where("id", "in", ids).execute();
  }
  await tx
    .deleteFrom("notification")
    .where("id", "in", notificationIds)
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom("delivery")
            .select("delivery.id")
            .whereRef("delivery.notification_id", "=", "notification.id"),
        ),
      ),
    )
    .execute();
}
