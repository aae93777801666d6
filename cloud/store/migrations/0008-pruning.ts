/**
 * What was delivered long ago may go: a notification that no delivery refers to, and the attempts of what was delivered. No row
 * of theirs ever changes, as before, and the attempts of what was not delivered stay.
 */
import { sql, type Kysely, type Migration } from "kysely";
import { isSqlite } from "../dialect.js";

export const pruning: Migration = {
  async up(db: Kysely<unknown>) {
    await (isSqlite(db) ? onSqlite(db) : onPostgres(db));
    await db.schema
      .createIndex("delivery_of_notification")
      .on("delivery")
      .column("notification_id")
      .execute();
    await db.schema.createIndex("webhook_seen_at").on("webhook_seen").column("at_ms").execute();
  },
};

async function onSqlite(db: Kysely<unknown>): Promise<void> {
  await sql`drop trigger notification_no_delete`.execute(db);
  await sql`drop trigger delivery_attempt_no_delete`.execute(db);
  await sql`create trigger delivery_attempt_no_delete before delete on delivery_attempt
    when (select state from delivery where id = old.delivery_id) <> 'delivered'
    begin select raise(abort, 'delivery_attempt is append-only'); end`.execute(db);
}

async function onPostgres(db: Kysely<unknown>): Promise<void> {
  for (const table of ["notification", "delivery_attempt"]) {
    await sql`drop trigger ${sql.id(`${table}_append_only`)} on ${sql.id(table)}`.execute(db);
    await sql`create trigger ${sql.id(`${table}_no_update`)} before update on ${sql.id(table)}
      for each row execute function refuse_change()`.execute(db);
  }
  await sql`create function refuse_undelivered() returns trigger language plpgsql as
    $$ begin
      if (select state from delivery where id = old.delivery_id) <> 'delivered' then
        raise exception '% is append-only', tg_table_name;
      end if;
      return old;
    end $$`.execute(db);
  await sql`create trigger delivery_attempt_no_delete before delete on delivery_attempt
    for each row execute function refuse_undelivered()`.execute(db);
}
