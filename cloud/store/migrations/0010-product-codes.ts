/** Tokens that are spent by a code, and what a machine's products are known by. */
import { sql, type Kysely, type Migration } from "kysely";

export const productCodes: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable("token").addColumn("code_hash", "text").execute();
    await db.schema
      .createIndex("token_code")
      .unique()
      .on("token")
      .column("code_hash")
      .where(sql.ref("code_hash"), "is not", null)
      .execute();
    await db.schema.alterTable("machine_item").addColumn("sku", "text").execute();
  },
};
