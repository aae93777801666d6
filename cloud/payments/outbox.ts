/**
 * The outbox: what is owed to webhooks, written in the transaction of what it speaks of. Only webhooks.ts sends it.
 *
 * Owns      the tables webhook_subscription and, with webhooks.ts, delivery.
 * Promises  a notification has one id and one text for all its deliveries, for ever: receivers deduplicate by the id.
 */
import type { Random } from "../../broker/protocol/clock.js";
import { newId } from "../../broker/protocol/id.js";
import type { Tx } from "../store/store.js";
import type { NotificationType } from "./request.js";
import { timestamp } from "./wire.js";

export type Notice = {
  readonly accountId: string;
  readonly test: boolean;
  readonly types: readonly NotificationType[];
  readonly data: object;
};

/** One delivery for every type and every subscription of the account that wants it. */
export async function enqueue(
  tx: Tx,
  random: Random,
  nowMs: number,
  { accountId, test, types, data }: Notice,
): Promise<void> {
  if (types.length === 0) return;
  const subscriptions = await tx
    .selectFrom("webhook_subscription")
    .select(["id", "types"])
    .where("account_id", "=", accountId)
    .execute();
  const deliveries = types.flatMap((type) => {
    const id = newId(nowMs, random);
    const body = JSON.stringify({ id, type, data, accountId, test, createdAt: timestamp(nowMs) });
    return subscriptions
      .filter((subscription) => subscription.types.split(" ").includes(type))
      .map((subscription) => ({
        id: newId(nowMs, random),
        notification_id: id,
        subscription_id: subscription.id,
        body,
        state: "due" as const,
        due_ms: nowMs,
        attempts: 0,
        created_ms: nowMs,
        settled_ms: null,
        last_error: null,
      }));
  });
  if (deliveries.length > 0) await tx.insertInto("delivery").values(deliveries).execute();
}
