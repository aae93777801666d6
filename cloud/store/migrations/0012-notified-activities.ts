/**
 * A notification says which activity it tells of, and not once more what the activity says. Those of before keep their text.
 */
import { sql, type Kysely, type Migration } from "kysely";
import { int64, isSqlite } from "../dialect.js";

export const notifiedActivities: Migration = {
  async up(db: Kysely<unknown>) {
    const notification = db.schema.alterTable("notification");
    await notification
      .addColumn("payment_request_id", "text", (c) => c.references("payment_request.id"))
      .execute();
    if (isSqlite(db)) await mayBeEmpty(db);
    else await sql`alter table notification alter body drop not null`.execute(db);
    await notification
      .addColumn("number", int64(db), (c) => c.check(sql`(body is null) = (number is not null)`))
      .execute();
  },
};

/** SQLite lets no column be empty afterwards: the texts move to one that may. */
async function mayBeEmpty(db: Kysely<unknown>): Promise<void> {
  const notification = db.schema.alterTable("notification");
  await sql`drop trigger notification_no_update`.execute(db);
  await notification.renameColumn("body", "kept").execute();
  await notification.addColumn("body", "text").execute();
  await sql`update notification set body = kept`.execute(db);
  await notification.dropColumn("kept").execute();
  await sql`create trigger notification_no_update before update on notification
    begin select raise(abort, 'notification is append-only'); end`.execute(db);
}
