/**
 * The outbox: what is owed to webhooks, written in the transaction of what it speaks of. Only webhooks.ts sends it.
 *
 * Owns      the table notification and, with webhooks.ts, delivery.
 * Promises  a notification has one id and one text for all its receivers, for ever: they deduplicate by the id. It is kept
 *           whether or not anyone is subscribed, for whoever asks later.
 */
import { sql } from "kysely";
import type { Random } from "../../broker/protocol/clock.js";
import { newId } from "../../broker/protocol/id.js";
import { insertOf, rowsOf, together } from "../store/statement.js";
import type { Tx } from "../store/store.js";
import type { NotificationType } from "./request.js";
import { timestamp } from "./wire.js";

export type Notice = {
  readonly accountId: string;
  readonly test: boolean;
  readonly types: readonly NotificationType[];
  readonly data: object;
};

/** One notification for every type, and one delivery of it for every subscription of the account that wants it. */
export async function enqueue(
  tx: Tx,
  random: Random,
  nowMs: number,
  { accountId, test, types, data }: Notice,
): Promise<void> {
  if (types.length === 0) return;
  const notifications = types.map((type) => {
    const id = newId(nowMs, random);
    return {
      id,
      account_id: accountId,
      type,
      test: test ? 1 : 0,
      body: JSON.stringify({ id, type, data, accountId, test, createdAt: timestamp(nowMs) }),
      created_ms: nowMs,
    };
  });
  const [subscriptions] = await together([
    findSubscriptions(tx, { accountId }),
    ...notifications.map((notification) => insertNotification(tx, notification)),
  ]);
  const deliveries = notifications.flatMap((notification) =>
    subscriptions
      .filter(({ types: wanted }) => wanted.split(" ").includes(notification.type))
      .map((subscription) => ({
        id: newId(nowMs, random),
        notification_id: notification.id,
        subscription_id: subscription.id,
        state: "due" as const,
        due_ms: nowMs,
        attempts: 0,
        round: 1,
        begun_ms: nowMs,
        tries: 0,
        created_ms: nowMs,
        settled_ms: null,
        last_error: null,
      })),
  );
  if (deliveries.length > 0) await tx.insertInto("delivery").values(deliveries).execute();
}

const findSubscriptions = rowsOf((db, { accountId }: { readonly accountId: string }) =>
  db
    .selectFrom("webhook_subscription")
    .select(["id", "types"])
    .where("account_id", "=", accountId)
    .where("enabled", "=", sql.lit(1)),
);
const insertNotification = insertOf("notification", [
  "id",
  "account_id",
  "type",
  "test",
  "body",
  "created_ms",
]);
