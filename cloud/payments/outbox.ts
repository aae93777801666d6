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
import { insertOf, rowsOf, type Write } from "../store/statement.js";
import type { NotificationType } from "./request.js";
import { timestamp } from "./wire.js";

export type Notice = {
  readonly accountId: string;
  readonly test: boolean;
  readonly types: readonly NotificationType[];
  readonly data: object;
};

/** The account's subscriptions, of whatever types. */
export const findSubscriptions = rowsOf((db, { accountId }: { readonly accountId: string }) =>
  db
    .selectFrom("webhook_subscription")
    .select(["id", "types"])
    .where("account_id", "=", accountId)
    .where("enabled", "=", sql.lit(1)),
);
export type Subscriptions = readonly { readonly id: string; readonly types: string }[];

/** One notification for every type, and one delivery of it for every subscription of the account that wants it. */
export function noticeWrites(
  random: Random,
  nowMs: number,
  { accountId, test, types, data }: Notice,
  subscriptions: Subscriptions,
): readonly Write[] {
  return types.flatMap((type) => {
    const id = newId(nowMs, random);
    const wanting = subscriptions.filter(({ types: wanted }) => wanted.split(" ").includes(type));
    return [
      insertNotification({
        id,
        account_id: accountId,
        type,
        test: test ? 1 : 0,
        body: JSON.stringify({ id, type, data, accountId, test, createdAt: timestamp(nowMs) }),
        created_ms: nowMs,
      }),
      ...wanting.map((subscription) =>
        insertDelivery({
          id: newId(nowMs, random),
          notification_id: id,
          subscription_id: subscription.id,
          state: "due",
          due_ms: nowMs,
          attempts: 0,
          round: 1,
          begun_ms: nowMs,
          tries: 0,
          created_ms: nowMs,
          settled_ms: null,
          last_error: null,
        }),
      ),
    ];
  });
}

const insertNotification = insertOf("notification", [
  "id",
  "account_id",
  "type",
  "test",
  "body",
  "created_ms",
]);
const insertDelivery = insertOf("delivery", [
  "id",
  "notification_id",
  "subscription_id",
  "state",
  "due_ms",
  "attempts",
  "round",
  "begun_ms",
  "tries",
  "created_ms",
  "settled_ms",
  "last_error",
]);
