/** The payment platform's first tables. Every amount, balance and state is bounded by the database itself. */
import { sql, type Kysely, type Migration } from "kysely";
import { appendOnly, int64, oneOf, strict, strictByKey } from "../dialect.js";

const amount = sql`amount_minor between 1 and 99999999`;
const flag = (column: string) => sql`${sql.ref(column)} in (0, 1)`;

export const payments: Migration = {
  async up(db: Kysely<unknown>) {
    const int = int64(db);
    const create = db.schema;
    const made = strict(db);
    const madeByKey = strictByKey(db);

    await made(
      create
        .createTable("account")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("type", "text", (c) => c.notNull().check(oneOf("type", ["org", "individual"])))
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("test", int, (c) => c.notNull().check(flag("test")))
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();

    await made(
      create
        .createTable("api_key")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("role", "text", (c) => c.notNull())
        .addColumn("secret_hash", "text", (c) => c.notNull())
        .addColumn("enabled", int, (c) => c.notNull().check(flag("enabled")))
        .addColumn("created_ms", int, (c) => c.notNull())
        .addColumn("created_by", "text", (c) => c.notNull())
        .addColumn("modified_ms", int, (c) => c.notNull())
        .addColumn("modified_by", "text", (c) => c.notNull())
        .addColumn("version", int, (c) => c.notNull())
        .addUniqueConstraint("api_key_name", ["account_id", "name"]),
    ).execute();

    await made(
      create
        .createTable("merchant")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("country", "text", (c) => c.notNull())
        .addColumn("test", int, (c) => c.notNull().check(flag("test")))
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();

    await made(
      create
        .createTable("merchant_config")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("merchant_id", "text", (c) => c.notNull().references("merchant.id"))
        .addColumn("payment_options", "text", (c) => c.notNull())
        .addColumn("allowed_redirect_urls", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();

    await madeByKey(
      create
        .createTable("ledger_account")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("kind", "text", (c) =>
          c.notNull().check(oneOf("kind", ["wallet", "issuance", "hold", "voucher", "clearing"])),
        )
        .addColumn("currency", "text", (c) => c.notNull())
        .addColumn("balance_minor", int, (c) => c.notNull())
        .addCheckConstraint(
          "ledger_account_not_overdrawn",
          sql`kind in ('issuance', 'clearing') or balance_minor >= 0`,
        )
        // Sums stay where a JavaScript number is exact.
        .addCheckConstraint(
          "ledger_account_exact",
          sql`balance_minor between -9007199254740991 and 9007199254740991`,
        ),
    ).execute();

    await madeByKey(
      create
        .createTable("transfer")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("kind", "text", (c) =>
          c
            .notNull()
            .check(
              oneOf("kind", [
                "payment",
                "refund",
                "top-up",
                "issue",
                "authorization",
                "confirmation",
                "release",
              ]),
            ),
        )
        .addColumn("ref", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();
    await appendOnly(db, "transfer");

    await madeByKey(
      create
        .createTable("entry")
        .addColumn("transfer_id", "text", (c) => c.notNull().references("transfer.id"))
        .addColumn("account_id", "text", (c) => c.notNull().references("ledger_account.id"))
        .addColumn("currency", "text", (c) => c.notNull())
        .addColumn("amount_minor", int, (c) =>
          c.notNull().check(sql`amount_minor <> 0 and amount_minor between -99999999 and 99999999`),
        )
        // An account's story is read newest first; transfer ids rise with time.
        .addPrimaryKeyConstraint("entry_pk", ["account_id", "transfer_id"]),
    ).execute();
    await appendOnly(db, "entry");

    await made(
      create
        .createTable("asset")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("type", "text", (c) => c.notNull())
        .addColumn("description", "text", (c) => c.notNull())
        .addColumn("status", "text", (c) => c.notNull().check(oneOf("status", ["active", "archived"])))
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();
    await create.createIndex("asset_of_account").on("asset").columns(["account_id", "id"]).execute();

    await made(
      create
        .createTable("payment_request")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("short_code", "text", (c) => c.notNull())
        .addColumn("config_id", "text", (c) => c.notNull().references("merchant_config.id"))
        .addColumn("merchant_id", "text", (c) => c.notNull().references("merchant.id"))
        .addColumn("merchant_account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("merchant_name", "text", (c) => c.notNull())
        .addColumn("value_minor", int, (c) => c.notNull().check(sql`value_minor between 1 and 99999999`))
        .addColumn("currency", "text", (c) => c.notNull())
        .addColumn("payment_options", "text", (c) => c.notNull())
        .addColumn("status", "text", (c) =>
          c.notNull().check(oneOf("status", ["new", "paid", "cancelled", "expired"])),
        )
        .addColumn("cancellation_reason", "text")
        .addColumn("pre_auth_status", "text", (c) =>
          c.check(oneOf("pre_auth_status", ["authorized", "released"])),
        )
        .addColumn("pre_auth_expires_ms", int)
        .addColumn("conditions", "text", (c) => c.notNull())
        .addColumn("expiry_seconds", int, (c) => c.notNull().check(sql`expiry_seconds between 1 and 86400`))
        .addColumn("expires_ms", int, (c) => c.notNull())
        .addColumn("external_ref", "text")
        .addColumn("details", "text", (c) => c.notNull())
        .addColumn("activities", int, (c) => c.notNull())
        .addColumn("created_by", "text", (c) => c.notNull())
        .addColumn("created_by_account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("created_by_account_name", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull())
        .addColumn("updated_ms", int, (c) => c.notNull()),
    ).execute();
    await create
      .createIndex("payment_request_ref")
      .on("payment_request")
      .columns(["merchant_account_id", "external_ref", "id"])
      .where(sql.ref("external_ref"), "is not", null)
      .execute();
    // The latest of this code is the one that is meant.
    await create
      .createIndex("payment_request_short_code")
      .on("payment_request")
      .columns(["short_code", "id"])
      .execute();
    // Only what is still to be paid can expire: the index stays as small as the queue at the till.
    await create
      .createIndex("payment_request_expiring")
      .on("payment_request")
      .column("expires_ms")
      .where(sql.ref("status"), "=", sql.lit("new"))
      .execute();

    await madeByKey(
      create
        .createTable("payment")
        .addColumn("id", "text", (c) => c.primaryKey().references("transfer.id"))
        .addColumn("payment_request_id", "text", (c) => c.notNull().references("payment_request.id"))
        .addColumn("number", int, (c) => c.notNull())
        .addColumn("asset_type", "text", (c) => c.notNull())
        .addColumn("asset_id", "text")
        .addColumn("payer_account_id", "text", (c) => c.references("account.id"))
        .addColumn("source_id", "text", (c) => c.notNull().references("ledger_account.id"))
        .addColumn("wallet_id", "text", (c) => c.notNull().references("ledger_account.id"))
        .addColumn("amount_minor", int, (c) => c.notNull().check(amount))
        .addColumn("refunded_minor", int, (c) => c.notNull())
        .addColumn("lines", "text")
        .addColumn("confirmation_key", "text")
        .addColumn("created_ms", int, (c) => c.notNull())
        .addCheckConstraint("payment_refund_within", sql`refunded_minor between 0 and amount_minor`),
    ).execute();
    await create
      .createIndex("payment_of_request")
      .on("payment")
      .columns(["payment_request_id", "number"])
      .execute();

    await made(
      create
        .createTable("hold")
        .addColumn("id", "text", (c) => c.primaryKey().references("transfer.id"))
        .addColumn("payment_request_id", "text", (c) => c.notNull().unique().references("payment_request.id"))
        .addColumn("asset_type", "text", (c) => c.notNull())
        .addColumn("asset_id", "text")
        .addColumn("payer_account_id", "text", (c) => c.references("account.id"))
        .addColumn("source_id", "text", (c) => c.notNull().references("ledger_account.id"))
        .addColumn("wallet_id", "text", (c) => c.notNull().references("ledger_account.id"))
        .addColumn("amount_minor", int, (c) => c.notNull().check(amount))
        .addColumn("expires_ms", int, (c) => c.notNull())
        .addColumn("is_held", int, (c) => c.notNull().check(flag("is_held")))
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();
    await create
      .createIndex("hold_expiring")
      .on("hold")
      .column("expires_ms")
      .where(sql.ref("is_held"), "=", sql.lit(1))
      .execute();

    await madeByKey(
      create
        .createTable("activity")
        .addColumn("id", "text", (c) => c.notNull())
        .addColumn("payment_request_id", "text", (c) => c.notNull().references("payment_request.id"))
        .addColumn("merchant_id", "text", (c) => c.notNull().references("merchant.id"))
        .addColumn("number", int, (c) => c.notNull())
        .addColumn("type", "text", (c) => c.notNull())
        .addColumn("amount_minor", int, (c) => c.notNull().check(amount))
        .addColumn("created_by", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull())
        .addColumn("details", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("activity_pk", ["payment_request_id", "number"]),
    ).execute();
    await create.createIndex("activity_of_merchant").on("activity").columns(["merchant_id", "id"]).execute();
    await appendOnly(db, "activity");

    await madeByKey(
      create
        .createTable("operation")
        .addColumn("subject_id", "text", (c) => c.notNull())
        .addColumn("kind", "text", (c) => c.notNull())
        .addColumn("key", "text", (c) => c.notNull())
        .addColumn("asked", "text", (c) => c.notNull())
        .addColumn("result_id", "text", (c) => c.notNull())
        // The subject leads, and its id rises with time, so that clients' random keys do not scatter the writes.
        .addPrimaryKeyConstraint("operation_pk", ["subject_id", "kind", "key"]),
    ).execute();
    await appendOnly(db, "operation");

    await made(
      create
        .createTable("webhook_subscription")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("account_id", "text", (c) => c.notNull().references("account.id"))
        .addColumn("url", "text", (c) => c.notNull())
        .addColumn("types", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();
    await create
      .createIndex("webhook_subscription_of_account")
      .on("webhook_subscription")
      .column("account_id")
      .execute();

    await made(
      create
        .createTable("delivery")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("notification_id", "text", (c) => c.notNull())
        .addColumn("subscription_id", "text", (c) => c.notNull().references("webhook_subscription.id"))
        .addColumn("body", "text", (c) => c.notNull())
        .addColumn("state", "text", (c) =>
          c.notNull().check(oneOf("state", ["due", "delivered", "abandoned"])),
        )
        .addColumn("due_ms", int, (c) => c.notNull())
        .addColumn("attempts", int, (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull())
        .addColumn("settled_ms", int)
        .addColumn("last_error", "text"),
    ).execute();
    // What was delivered leaves the index, so that finding what is due costs the same after a million sales.
    await create
      .createIndex("delivery_due")
      .on("delivery")
      .column("due_ms")
      .where(sql.ref("state"), "=", sql.lit("due"))
      .execute();

    await made(
      create
        .createTable("signing_key")
        .addColumn("kid", "text", (c) => c.primaryKey())
        .addColumn("private_jwk", "text", (c) => c.notNull())
        .addColumn("public_jwk", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();
  },
};
