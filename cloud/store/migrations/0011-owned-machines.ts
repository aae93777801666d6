/** What an owner looks at: a machine's sales, newest first, and its telemetry, which a last will does not carry. */
import { sql, type Kysely, type Migration } from "kysely";
import { int64 } from "../dialect.js";

export const ownedMachines: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable("machine").addColumn("telemetry", "text").execute();
    await db.schema.alterTable("machine").addColumn("telemetry_at_ms", int64(db)).execute();
    await sql`create index machine_config_of on machine (config_id, code)`.execute(db);
    await sql`create index sale_of_machine on sale (machine_id, id) where payment_request_id is not null`.execute(
      db,
    );
  },
};
