/** Vouchers and tokens: what is spent by a code, and what is spent whole. */
import { sql, type Kysely, type Migration } from "kysely";
import { int64, oneOf, strict } from "../dialect.js";

export const vouchers: Migration = {
  async up(db: Kysely<unknown>) {
    const int = int64(db);
    const create = db.schema;
    const made = strict(db);

    await made(
      create
        .createTable("voucher")
        .addColumn("id", "text", (c) => c.primaryKey().references("ledger_account.id"))
        .addColumn("account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("type", "text", (c) => c.notNull())
        .addColumn("code_hash", "text", (c) => c.notNull().unique())
        .addColumn("value_minor", int, (c) => c.notNull().check(sql`value_minor between 1 and 99999999`))
        .addColumn("funded_by", "text", (c) => c.notNull().references("ledger_account.id"))
        .addColumn("status", "text", (c) =>
          c.notNull().check(oneOf("status", ["active", "spent", "cancelled"])),
        )
        .addColumn("expires_ms", int)
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();
    await create.createIndex("voucher_of_account").on("voucher").columns(["account_id", "id"]).execute();

    await made(
      create
        .createTable("voucher_try")
        .addColumn("terminal", "text", (c) => c.primaryKey())
        .addColumn("wrong", int, (c) => c.notNull())
        .addColumn("until_ms", int, (c) => c.notNull()),
    ).execute();

    await made(
      create
        .createTable("collection")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("type", "text", (c) => c.notNull().check(oneOf("type", ["product", "discount"])))
        .addColumn("currency", "text")
        .addColumn("max_value_minor", int, (c) => c.check(sql`max_value_minor between 1 and 99999999`))
        .addColumn("token_expires_ms", int)
        .addColumn("token_life", "text") // JSON: {period, duration, ceil?}
        .addColumn("external_id", "text")
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();
    await create
      .createIndex("collection_of_account")
      .on("collection")
      .columns(["account_id", "id"])
      .execute();

    await made(
      create
        .createTable("redemption_condition")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("collection_id", "text", (c) => c.notNull().references("collection.id"))
        .addColumn("merchant_id", "text", (c) => c.notNull().references("merchant.id"))
        .addColumn("allowed_products", "text", (c) => c.notNull()) // JSON: [{sku, name, maxValue}]
        .addColumn("created_ms", int, (c) => c.notNull())
        .addUniqueConstraint("redemption_condition_once", ["collection_id", "merchant_id"]),
    ).execute();

    await made(
      create
        .createTable("token")
        .addColumn("id", "text", (c) => c.primaryKey().references("asset.id"))
        .addColumn("collection_id", "text", (c) => c.notNull().references("collection.id"))
        .addColumn("idempotency_key", "text", (c) => c.notNull())
        .addColumn("external_id", "text")
        .addColumn("expires_ms", int)
        .addColumn("created_by", "text", (c) => c.notNull())
        .addUniqueConstraint("token_key", ["collection_id", "idempotency_key"]),
    ).execute();
    await create
      .createIndex("token_external")
      .on("token")
      .column("external_id")
      .where(sql.ref("external_id"), "is not", null)
      .execute();
  },
};
