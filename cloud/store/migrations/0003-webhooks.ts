/**
 * Webhooks as part of the API: a notification is kept once, whatever number of receivers it has, and so is every attempt
 * to deliver it. What was in the outbox before keeps its ids and its exact text.
 */
import { sql, type Kysely, type Migration } from "kysely";
import { z } from "zod";
import { appendOnly, int64, oneOf, strict } from "../dialect.js";

/** What this migration reads and writes, as it was when it was written. */
type Before = {
  webhook_subscription: { id: string; account_id: string; created_ms: number; modified_ms: number };
  delivery: { id: string; notification_id: string; subscription_id: string; body: string };
  notification: {
    id: string;
    account_id: string;
    type: string;
    test: number;
    body: string;
    created_ms: number;
  };
};
const sent = z.object({
  type: z.string(),
  test: z.boolean(),
  accountId: z.string(),
  createdAt: z.iso.datetime(),
});
const ROWS_AT_ONCE = 500;
const KEPT = [
  "id",
  "notification_id",
  "subscription_id",
  "state",
  "due_ms",
  "attempts",
  "created_ms",
] as const;

export const webhooks: Migration = {
  async up(db: Kysely<unknown>) {
    const int = int64(db);
    const create = db.schema;
    const made = strict(db);

    await made(
      create
        .createTable("notification")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("type", "text", (c) => c.notNull())
        .addColumn("test", int, (c) => c.notNull().check(sql`test in (0, 1)`))
        .addColumn("body", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();
    await create
      .createIndex("notification_of_account")
      .on("notification")
      .columns(["account_id", "id"])
      .execute();
    await appendOnly(db, "notification");
    await keepNotifications(db.withTables<Before>());

    for (const [column, type, fallback] of [
      ["enabled", int, 1],
      ["version", int, 1],
      ["modified_ms", int, 0],
      ["created_by", "text", "crn::service:provision"],
      ["modified_by", "text", "crn::service:provision"],
    ] as const)
      await create
        .alterTable("webhook_subscription")
        .addColumn(column, type, (c) => c.notNull().defaultTo(fallback))
        .execute();
    await create.alterTable("webhook_subscription").addColumn("description", "text").execute();
    await create.alterTable("webhook_subscription").addColumn("deleted_ms", int).execute();
    await db
      .withTables<Before>()
      .updateTable("webhook_subscription")
      .set((e) => ({ modified_ms: e.ref("created_ms") }))
      .execute();

    // A new table in the old one's place: SQLite cannot make a column refer to something afterwards.
    await made(
      create
        .createTable("delivery_anew")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("notification_id", "text", (c) => c.notNull().references("notification.id"))
        .addColumn("subscription_id", "text", (c) => c.notNull().references("webhook_subscription.id"))
        .addColumn("state", "text", (c) =>
          c.notNull().check(oneOf("state", ["due", "delivered", "abandoned"])),
        )
        .addColumn("due_ms", int, (c) => c.notNull())
        .addColumn("attempts", int, (c) => c.notNull())
        .addColumn("round", int, (c) => c.notNull())
        .addColumn("begun_ms", int, (c) => c.notNull())
        .addColumn("tries", int, (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull())
        .addColumn("settled_ms", int)
        .addColumn("last_error", "text"),
    ).execute();
    const kept = sql.join([...KEPT, "settled_ms", "last_error"].map((column) => sql.ref(column)));
    await sql`insert into delivery_anew (${kept}, round, begun_ms, tries)
      select ${kept}, 1, created_ms, attempts from delivery`.execute(db);
    await create.dropTable("delivery").execute();
    await create.alterTable("delivery_anew").renameTo("delivery").execute();
    // What was delivered leaves these two, so that finding what is due costs the same after a million sales.
    await create
      .createIndex("delivery_due")
      .on("delivery")
      .column("due_ms")
      .where(sql.ref("state"), "=", sql.lit("due"))
      .execute();
    await create
      .createIndex("delivery_waiting")
      .on("delivery")
      .column("subscription_id")
      .where(sql.ref("state"), "=", sql.lit("due"))
      .execute();
    await create
      .createIndex("delivery_of_subscription")
      .on("delivery")
      .columns(["subscription_id", "id"])
      .execute();

    await made(
      create
        .createTable("delivery_attempt")
        .addColumn("delivery_id", "text", (c) => c.notNull().references("delivery.id"))
        .addColumn("number", int, (c) => c.notNull())
        .addColumn("at_ms", int, (c) => c.notNull())
        .addColumn("duration_ms", int, (c) => c.notNull())
        .addColumn("status", int)
        .addColumn("error", "text")
        .addPrimaryKeyConstraint("delivery_attempt_pk", ["delivery_id", "number"])
        .addCheckConstraint("delivery_attempt_ended", sql`(status is null) <> (error is null)`),
    ).execute();
    await appendOnly(db, "delivery_attempt");
  },
};

/** Each text in the outbox once, under the notification's id. */
async function keepNotifications(db: Kysely<Before>): Promise<void> {
  for (let after = ""; ;) {
    const rows = await db
      .selectFrom("delivery")
      .select(["id", "notification_id", "body"])
      .where("id", ">", after)
      .orderBy("id")
      .limit(ROWS_AT_ONCE)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
    const notifications = rows.map(({ notification_id, body }) => {
      const { type, test, accountId, createdAt } = sent.parse(JSON.parse(body));
      return {
        id: notification_id,
        account_id: accountId,
        type,
        test: test ? 1 : 0,
        body,
        created_ms: Date.parse(createdAt),
      };
    });
    await db
      .insertInto("notification")
      .values(notifications)
      .onConflict((conflict) => conflict.column("id").doNothing())
      .execute();
  }
}
