/** What a merchant sets in a machine: every version of it stays. */
import { sql, type Kysely, type Migration } from "kysely";
import { appendOnly, int64, strict } from "../dialect.js";

export const machineConfigs: Migration = {
  async up(db: Kysely<unknown>) {
    const int = int64(db);
    await strict(db)(
      db.schema
        .createTable("machine_config")
        .addColumn("machine_id", "text", (c) => c.notNull().references("machine.id"))
        .addColumn("version", int, (c) => c.notNull().check(sql`version > 0`))
        .addColumn("document", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull())
        .addPrimaryKeyConstraint("machine_config_pk", ["machine_id", "version"]),
    ).execute();
    await appendOnly(db, "machine_config");
    await db.schema
      .alterTable("machine")
      .addColumn("config_applied", int, (c) => c.notNull().defaultTo(0))
      .execute();
    await db.schema.alterTable("machine").addColumn("config_max_vends", int).execute();
  },
};
