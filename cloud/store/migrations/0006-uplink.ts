/** Calls to a provider elsewhere that keeps the money: what was asked, and what is owed, until its word is known. */
import { sql, type Kysely, type Migration } from "kysely";
import { int64, oneOf, strict } from "../dialect.js";

export const uplink: Migration = {
  async up(db: Kysely<unknown>) {
    const int = int64(db);
    const create = db.schema;
    const made = strict(db);

    await create
      .alterTable("payment_request")
      .addColumn("pending_minor", int, (c) =>
        c
          .notNull()
          .defaultTo(0)
          .check(sql`pending_minor between 0 and 99999999`),
      )
      .execute();

    await made(
      create
        .createTable("uplink_call")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("payment_request_id", "text", (c) => c.notNull().references("payment_request.id"))
        .addColumn("payment_id", "text", (c) => c.notNull())
        .addColumn("refund_id", "text")
        .addColumn("amount_minor", int, (c) => c.notNull().check(sql`amount_minor between 1 and 99999999`))
        .addColumn("currency", "text", (c) => c.notNull())
        .addColumn("state", "text", (c) =>
          c
            .notNull()
            .check(
              oneOf("state", [
                "paying",
                "cancelling",
                "refunding",
                "paid",
                "declined",
                "cancelled",
                "refunded",
              ]),
            ),
        )
        .addColumn("asked", "text") // JSON
        .addColumn("due_ms", int, (c) => c.notNull())
        .addColumn("attempts", int, (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull())
        .addColumn("settled_ms", int)
        .addColumn("last_error", "text")
        .addCheckConstraint(
          "uplink_call_settled",
          sql`(settled_ms is null) = ${oneOf("state", ["paying", "cancelling", "refunding"])}`,
        ),
    ).execute();
    await create
      .createIndex("uplink_call_due")
      .on("uplink_call")
      .column("due_ms")
      .where(sql.ref("settled_ms"), "is", null)
      .execute();
    await create
      .createIndex("uplink_call_of_request")
      .on("uplink_call")
      .column("payment_request_id")
      .execute();
  },
};
