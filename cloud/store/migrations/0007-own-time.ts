/** Accounts that moved their own time are found without looking at the others, and so is what they hold. */
import { sql, type Kysely, type Migration } from "kysely";

export const ownTime: Migration = {
  async up(db: Kysely<unknown>) {
    // Both are of test accounts and pre-authorisations alone: a sale writes to neither.
    await db.schema
      .createIndex("account_moved")
      .on("account")
      .column("clock_offset_ms")
      .where(sql.ref("clock_offset_ms"), ">", sql.lit(0))
      .execute();
    await db.schema
      .createIndex("payment_request_holding")
      .on("payment_request")
      .columns(["merchant_account_id", "pre_auth_expires_ms"])
      .where(sql.ref("pre_auth_status"), "=", sql.lit("authorized"))
      .execute();
  },
};
