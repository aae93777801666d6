/** Accounts with a story, merchants and their configs through the API, patron codes, limits and test clocks. */
import { sql, type Kysely, type Migration } from "kysely";
import { int64, oneOf, strict } from "../dialect.js";

/** The rows of before, made by hand, say so. */
const PROVISIONED = "crn::service:provision";
/** 400 days. */
const MOST_OFFSET_MS = 34_560_000_000;

type Before = {
  account: { id: string; created_ms: number; modified_ms: number; region: string | null };
  merchant: {
    account_id: string;
    name: string;
    country: string;
    created_ms: number;
    modified_ms: number;
    search_name: string;
  };
  merchant_config: { created_ms: number; modified_ms: number };
};

export const accounts: Migration = {
  async up(before: Kysely<unknown>) {
    const db = before as Kysely<Before>; // the tables of 0001, with what is added to them here
    const int = int64(before);
    const create = db.schema;
    const made = strict(before);

    for (const table of ["account", "merchant", "merchant_config"] as const) {
      const changed = create.alterTable(table);
      await changed.addColumn("created_by", "text", (c) => c.notNull().defaultTo(PROVISIONED)).execute();
      await changed.addColumn("modified_ms", int, (c) => c.notNull().defaultTo(0)).execute();
      await changed.addColumn("modified_by", "text", (c) => c.notNull().defaultTo(PROVISIONED)).execute();
      await changed.addColumn("version", int, (c) => c.notNull().defaultTo(1)).execute();
      await db
        .updateTable(table)
        .set((e) => ({ modified_ms: e.ref("created_ms") }))
        .execute();
    }

    const account = create.alterTable("account");
    await account.addColumn("region", "text", (c) => c.check(oneOf("region", ["NZ", "AU", "US"]))).execute();
    await account.addColumn("parent_account_id", "text", (c) => c.references("account.id")).execute();
    await account
      .addColumn("requests_per_minute", int, (c) => c.check(sql`requests_per_minute > 0`))
      .execute();
    await account
      .addColumn("clock_offset_ms", int, (c) =>
        c
          .notNull()
          .defaultTo(0)
          .check(sql`clock_offset_ms between 0 and ${sql.lit(MOST_OFFSET_MS)}`),
      )
      .execute();
    await db
      .updateTable("account")
      .set((e) => ({
        region: e
          .selectFrom("merchant")
          .select((m) => m.fn.min("merchant.country").as("country"))
          .whereRef("merchant.account_id", "=", "account.id")
          .where("merchant.country", "in", ["NZ", "AU", "US"]),
      }))
      .execute();

    const merchant = create.alterTable("merchant");
    await merchant
      .addColumn("type", "text", (c) => c.check(oneOf("type", ["physical", "e-commerce"])))
      .execute();
    await merchant.addColumn("location", "text").execute(); // JSON
    await merchant.addColumn("category_code", "text").execute();
    await merchant.addColumn("metadata", "text").execute(); // JSON
    await merchant
      .addColumn("onboarding_status", "text", (c) =>
        c
          .notNull()
          .defaultTo("active")
          .check(oneOf("onboarding_status", ["applied", "provisioning", "active", "deactivated", "on-hold"])),
      )
      .execute();
    await merchant.addColumn("onboarding_status_reason", "text").execute();
    await merchant.addColumn("search_name", "text", (c) => c.notNull().defaultTo("")).execute();
    await db
      .updateTable("merchant")
      .set((e) => ({ search_name: e.fn<string>("lower", ["name"]) }))
      .execute();
    await create.createIndex("merchant_of_account").on("merchant").columns(["account_id", "id"]).execute();
    await create
      .createIndex("merchant_config_of_merchant")
      .on("merchant_config")
      .columns(["merchant_id", "id"])
      .execute();

    await made(
      create
        .createTable("patron_code")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("barcode", "text", (c) => c.notNull())
        .addColumn("asset_id", "text", (c) => c.references("asset.id"))
        .addColumn("test_scenario_name", "text")
        .addColumn("namespace", "text")
        .addColumn("external_id", "text")
        .addColumn("metadata", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull())
        .addColumn("created_by", "text", (c) => c.notNull())
        .addColumn("expires_ms", int, (c) => c.notNull())
        .addCheckConstraint("patron_code_external", sql`(namespace is null) = (external_id is null)`),
    ).execute();
    await create
      .createIndex("patron_code_of_account")
      .on("patron_code")
      .columns(["account_id", "id"])
      .execute();
    await create
      .createIndex("patron_code_external_id")
      .on("patron_code")
      .columns(["namespace", "external_id", "id"])
      .where(sql.ref("external_id"), "is not", null)
      .execute();
    // A barcode is one living code's at a time: whoever takes it over from a dead one changes this row.
    await made(
      create
        .createTable("barcode_claim")
        .addColumn("barcode", "text", (c) => c.primaryKey())
        .addColumn("patron_code_id", "text", (c) => c.notNull().references("patron_code.id")),
    ).execute();

    await create
      .alterTable("payment_request")
      .addColumn("patron_code_id", "text", (c) => c.references("patron_code.id"))
      .execute();
    await create
      .createIndex("payment_request_of_patron_code")
      .on("payment_request")
      .columns(["patron_code_id", "id"])
      .where(sql.ref("patron_code_id"), "is not", null)
      .execute();
  },
};
