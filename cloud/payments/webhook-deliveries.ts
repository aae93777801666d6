/**
 * The delivery log: what was sent where, how each attempt ended, and sending it once more.
 *
 * Promises  what is sent again is the same notification: a receiver that has heard it knows it by its id. It has two weeks
 *           again, and begins with short waits.
 * Bounded   by the latest SHOWN attempts of each delivery; all of them are kept while the delivery is.
 */
import { Fault } from "../http/fault.js";
import type { Reader, Store, Tx } from "../store/store.js";
import type { Clock } from "../../broker/protocol/clock.js";
import type { Caller } from "./api-key.js";
import { newestFirst, pageSize, toPage, type Page, type PageQuery } from "../http/page.js";
import { findSubscription } from "./webhook-subscriptions.js";
import { renderDelivery, type AttemptRow, type DeliveryRow } from "./wire.js";

export type DeliveryParts = {
  readonly store: Store;
  readonly clock: Clock;
  /** Something became due. */
  readonly committed: () => void;
};

const SHOWN = 20;

export class WebhookDeliveries {
  readonly #parts: DeliveryParts;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Newest first. Raises FORBIDDEN. */
  async ofSubscription(caller: Caller, subscriptionId: string, query: PageQuery): Promise<Page<object>> {
    const { read } = this.#parts.store;
    await findSubscription(read, caller, "webhooks:read", subscriptionId);
    const size = pageSize(query);
    const rows = await selectDeliveries(read)
      .where("delivery.subscription_id", "=", subscriptionId)
      .$call(newestFirst("delivery.id", query))
      .execute();
    const attempts = await latestAttempts(read, rows);
    return toPage(
      rows,
      size,
      ({ id }) => id,
      (row) => renderDelivery(row, attempts.get(row.id) ?? []),
    );
  }

  /** Raises FORBIDDEN, SUBSCRIPTION_DISABLED. */
  async redeliver(caller: Caller, id: string): Promise<object> {
    const { store, clock, committed } = this.#parts;
    const delivery = await store.write(async (tx) => {
      const before = await findDelivery(tx, id);
      if (before === undefined) throw new Fault("FORBIDDEN");
      const subscription = await findSubscription(tx, caller, "webhooks:write", before.subscription_id);
      if (subscription.enabled === 0)
        throw new Fault("SUBSCRIPTION_DISABLED", "enable the subscription, then ask again");
      const nowMs = clock.nowMs();
      await tx
        .updateTable("delivery")
        .set((e) => ({
          state: "due",
          due_ms: nowMs,
          round: e("round", "+", 1),
          begun_ms: nowMs,
          tries: 0,
          settled_ms: null,
        }))
        .where("id", "=", id)
        .execute();
      const row = await findDelivery(tx, id);
      if (row === undefined) throw new Fault("FORBIDDEN"); // it was old, and has gone between the two looks at it
      return renderDelivery(row, (await latestAttempts(tx, [row])).get(id) ?? []);
    });
    committed();
    return delivery;
  }
}

const selectDeliveries = (db: Reader) =>
  db
    .selectFrom("delivery")
    .innerJoin("notification", "notification.id", "delivery.notification_id")
    .selectAll("delivery")
    .select("notification.type");

const findDelivery = (tx: Tx, id: string): Promise<DeliveryRow | undefined> =>
  selectDeliveries(tx).where("delivery.id", "=", id).executeTakeFirst();

/** By delivery, the oldest first. Numbers rise by one, so the latest are those within SHOWN of the count. */
async function latestAttempts(
  db: Reader,
  deliveries: readonly { readonly id: string }[],
): Promise<ReadonlyMap<string, readonly AttemptRow[]>> {
  if (deliveries.length === 0) return new Map();
  const rows = await db
    .selectFrom("delivery")
    .innerJoin("delivery_attempt", "delivery_attempt.delivery_id", "delivery.id")
    .selectAll("delivery_attempt")
    .where(
      "delivery.id",
      "in",
      deliveries.map(({ id }) => id),
    )
    .where((e) => e("delivery_attempt.number", ">", e("delivery.attempts", "-", SHOWN)))
    .orderBy("delivery_attempt.number")
    .execute();
  return new Map(deliveries.map(({ id }) => [id, rows.filter(({ delivery_id }) => delivery_id === id)]));
}
