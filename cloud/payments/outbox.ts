/**
 * The outbox: what is owed to webhooks, written in the transaction of what it speaks of. Only webhooks.ts sends it.
 *
 * Owns      the table notification and, with webhooks.ts, delivery.
 * Promises  a notification has one id and one text for all its receivers, for ever: they deduplicate by the id. The text is
 *           that of its activity, which never changes, and is made when it is asked for. It is kept whether or not anyone is
 *           subscribed, for whoever asks later.
 */
import { sql } from "kysely";
import type { Random } from "../../broker/protocol/clock.js";
import { newId } from "../../broker/protocol/id.js";
import { insertOf, rowsOf, type Write } from "../store/statement.js";
import type { Reader } from "../store/store.js";
import { renderSelected, selectActivities } from "./activity-rows.js";
import type { NotificationType } from "./request.js";
import { timestamp, type ActivityRow } from "./wire.js";

export type Notice = {
  readonly accountId: string;
  readonly test: boolean;
  readonly types: readonly NotificationType[];
  /** What it tells of; its row is written with it. */
  readonly activity: Pick<ActivityRow, "payment_request_id" | "number">;
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
  { accountId, test, types, activity }: Notice,
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
        payment_request_id: activity.payment_request_id,
        number: activity.number,
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
  "payment_request_id",
  "number",
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

/** The exact text of each, by its id. */
export async function textsOf(
  db: Reader,
  notificationIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(notificationIds)];
  if (ids.length === 0) return new Map();
  const rows = await selectActivities(db)
    .innerJoin("notification", (join) =>
      join
        .onRef("notification.payment_request_id", "=", "activity.payment_request_id")
        .onRef("notification.number", "=", "activity.number"),
    )
    .select(["notification.id as notification_id", "notification.type as notification_type"])
    .select(["notification.account_id", "notification.test", "notification.created_ms as notified_ms"])
    .where("notification.id", "in", ids)
    .execute();
  const told = rows.map((row): readonly [string, string] => [
    row.notification_id,
    JSON.stringify({
      id: row.notification_id,
      type: row.notification_type,
      data: renderSelected(row),
      accountId: row.account_id,
      test: row.test === 1,
      createdAt: timestamp(row.notified_ms),
    }),
  ]);
  return new Map([...told, ...(told.length < ids.length ? await writtenDown(db, ids) : [])]);
}

/** Those made before a notification said which activity it tells of. */
async function writtenDown(
  db: Reader,
  ids: readonly string[],
): Promise<readonly (readonly [string, string])[]> {
  const rows = await db.selectFrom("notification").select(["id", "body"]).where("id", "in", ids).execute();
  return rows.flatMap(({ id, body }) => (body === null ? [] : [[id, body] as const]));
}
