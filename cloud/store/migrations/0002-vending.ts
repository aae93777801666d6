/** The merchant backend's first tables. */
import { sql, type Kysely, type Migration } from "kysely";
import { appendOnly, int64, strict } from "../dialect.js";

export const vending: Migration = {
  async up(db: Kysely<unknown>) {
    const int = int64(db);
    const create = db.schema;
    const made = strict(db);

    await made(
      create
        .createTable("machine")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("code", "text", (c) => c.notNull().unique())
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("place", "text", (c) => c.notNull())
        .addColumn("currency", "text", (c) => c.notNull())
        .addColumn("decimals", int, (c) => c.notNull())
        .addColumn("config_id", "text", (c) => c.notNull())
        .addColumn("suggested_credit", "text", (c) => c.notNull())
        .addColumn("min_credit_minor", int, (c) => c.notNull())
        .addColumn("max_credit_minor", int, (c) => c.notNull())
        .addColumn("max_vends", int, (c) => c.notNull())
        .addColumn("status", "text")
        .addColumn("status_n", int, (c) => c.notNull())
        .addColumn("status_at_ms", int, (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull()),
    ).execute();

    await made(
      create
        .createTable("machine_key")
        .addColumn("kid", "text", (c) => c.primaryKey())
        .addColumn("machine_id", "text", (c) => c.notNull().references("machine.id"))
        .addColumn("public_key", "text", (c) => c.notNull())
        .addColumn("revoked_ms", int),
    ).execute();

    await made(
      create
        .createTable("machine_item")
        .addColumn("machine_id", "text", (c) => c.notNull().references("machine.id"))
        .addColumn("item", int, (c) => c.notNull())
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("price_minor", int, (c) => c.notNull().check(sql`price_minor between 0 and 99999999`))
        .addColumn("failures", int, (c) => c.notNull())
        .addPrimaryKeyConstraint("machine_item_pk", ["machine_id", "item"]),
    ).execute();

    await made(
      create
        .createTable("machine_journal")
        .addColumn("machine_id", "text", (c) => c.notNull().references("machine.id"))
        .addColumn("journal", "text", (c) => c.notNull())
        .addColumn("up_to", int, (c) => c.notNull())
        .addPrimaryKeyConstraint("machine_journal_pk", ["machine_id", "journal"]),
    ).execute();

    await made(
      create
        .createTable("machine_report")
        .addColumn("machine_id", "text", (c) => c.notNull().references("machine.id"))
        .addColumn("journal", "text", (c) => c.notNull())
        .addColumn("entry", int, (c) => c.notNull())
        .addColumn("at_ms", int, (c) => c.notNull())
        .addColumn("line", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("machine_report_pk", ["machine_id", "journal", "entry"]),
    ).execute();
    await appendOnly(db, "machine_report");

    await made(
      create
        .createTable("sale")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("machine_id", "text", (c) => c.notNull().references("machine.id"))
        .addColumn("idempotency_key", "text")
        .addColumn("grant_id", "text", (c) => c.notNull().unique())
        .addColumn("payment_request_id", "text", (c) => c.unique())
        .addColumn("payment_request", "text")
        .addColumn("payer", "text")
        .addColumn("state", "text", (c) => c.notNull())
        .addColumn("holds_machine", int, (c) => c.notNull().check(sql`holds_machine in (0, 1)`))
        .addColumn("credit_minor", int, (c) => c.notNull().check(sql`credit_minor between 1 and 99999999`))
        .addColumn("refunded_minor", int, (c) => c.notNull())
        .addColumn("unknown_refunded", int, (c) => c.notNull())
        .addColumn("doc", "text", (c) => c.notNull())
        .addColumn("version", int, (c) => c.notNull())
        .addColumn("next_at_ms", int)
        .addColumn("created_ms", int, (c) => c.notNull())
        .addCheckConstraint("sale_refund_within_credit", sql`refunded_minor between 0 and credit_minor`),
    ).execute();
    // One customer at a time, and one sale a key, by the database's word and not by a check before an insert.
    await sql`create unique index sale_holder on sale (machine_id) where holds_machine = 1`.execute(db);
    await sql`create unique index sale_key on sale (machine_id, idempotency_key) where idempotency_key is not null`.execute(
      db,
    );
    await sql`create index sale_due on sale (next_at_ms) where next_at_ms is not null`.execute(db);
    await sql`create index sale_owing on sale (machine_id, next_at_ms) where next_at_ms is not null`.execute(
      db,
    );
    await sql`create index sale_unknown on sale (payer, created_ms) where unknown_refunded = 1`.execute(db);

    await made(
      create
        .createTable("sale_note")
        .addColumn("sale_id", "text", (c) => c.notNull().references("sale.id"))
        .addColumn("seq", int, (c) => c.notNull())
        .addColumn("at_ms", int, (c) => c.notNull())
        .addColumn("code", "text", (c) => c.notNull())
        .addColumn("item", int)
        .addColumn("minor", int)
        .addPrimaryKeyConstraint("sale_note_pk", ["sale_id", "seq"]),
    ).execute();
    await appendOnly(db, "sale_note");

    await made(
      create
        .createTable("webhook_seen")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("at_ms", int, (c) => c.notNull()),
    ).execute();

    await made(
      create
        .createTable("bus_key")
        .addColumn("kid", "text", (c) => c.primaryKey())
        .addColumn("private_key", "text", (c) => c.notNull())
        .addColumn("public_key", "text", (c) => c.notNull())
        .addColumn("created_ms", int, (c) => c.notNull())
        .addColumn("retired_ms", int),
    ).execute();

    await made(
      create
        .createTable("bus_number")
        .addColumn("id", int, (c) => c.primaryKey())
        .addColumn("next", int, (c) => c.notNull()),
    ).execute();
    await sql`insert into bus_number (id, next) values (1, 1)`.execute(db);
  },
};
