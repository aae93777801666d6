/** The sales' rows: the value `step` works on, the columns it is found by, and its story. */
import { sql, type ExpressionBuilder } from "kysely";
import { newestFirst, type PageQuery } from "../http/page.js";
import { forUpdate, forUpdateSkipLocked, lockName } from "../store/locks.js";
import type { Reader, Tx } from "../store/store.js";
import type { Tables } from "../store/tables.js";
import {
  attendAfterMs,
  holdsMachine,
  sale as saleSchema,
  step,
  type Event,
  type Note,
  type Policy,
  type Sale,
} from "./sale.js";

export type StoredSale = {
  readonly sale: Sale;
  readonly version: number;
  /** The payment request as the platform gave it, as JSON text; `null` before there is one. */
  readonly paymentRequest: string | null;
};
type Row = {
  readonly doc: string;
  readonly version: number;
  readonly payment_request: string | null;
};
const COLUMNS = ["doc", "version", "payment_request"] as const;
/** Of a list in a query. */
const AT_ONCE = 500;
/** A note a person can look back on is worth keeping; a machine that repeats itself for ever is not. */
const MAX_NOTES = 500;

const stored = (row: Row): StoredSale => ({
  sale: saleSchema.parse(JSON.parse(row.doc)),
  version: row.version,
  paymentRequest: row.payment_request,
});

export type SaleKey = "id" | "grant_id" | "payment_request_id";

export async function saleBy(db: Reader, by: SaleKey, value: string): Promise<StoredSale | undefined> {
  const row = await db.selectFrom("sale").select(COLUMNS).where(by, "=", value).executeTakeFirst();
  return row === undefined ? undefined : stored(row);
}

/** The sales of these grants, in no order. */
export async function salesOfGrants(db: Reader, grantIds: readonly string[]): Promise<readonly Sale[]> {
  const found: Sale[] = [];
  for (let at = 0; at < grantIds.length; at += AT_ONCE) {
    const some = grantIds.slice(at, at + AT_ONCE);
    const rows = await db.selectFrom("sale").select(COLUMNS).where("grant_id", "in", some).execute();
    found.push(...rows.map((row) => stored(row).sale));
  }
  return found;
}

/** The sale, held until the transaction ends: whoever means to change it. */
export async function lockSale(tx: Tx, by: SaleKey, value: string): Promise<StoredSale | undefined> {
  const row = await tx
    .selectFrom("sale")
    .select(COLUMNS)
    .where(by, "=", value)
    .$call(forUpdate(tx))
    .executeTakeFirst();
  return row === undefined ? undefined : stored(row);
}

/** The same, but nothing when somebody holds it: they are seeing to it. */
export async function lockFreeSale(tx: Tx, id: string): Promise<StoredSale | undefined> {
  const row = await tx
    .selectFrom("sale")
    .select(COLUMNS)
    .where("id", "=", id)
    .$call(forUpdateSkipLocked(tx))
    .executeTakeFirst();
  return row === undefined ? undefined : stored(row);
}

/** The sale that this idempotency key made at this machine. */
export async function saleByKey(db: Reader, machineId: string, key: string): Promise<StoredSale | undefined> {
  const row = await db
    .selectFrom("sale")
    .select(COLUMNS)
    .where("machine_id", "=", machineId)
    .where("idempotency_key", "=", key)
    .executeTakeFirst();
  return row === undefined ? undefined : stored(row);
}

/** The id of the sale that holds this machine, if one does. */
export async function holderOf(db: Reader, machineId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("sale")
    .select("id")
    .where("machine_id", "=", machineId)
    .where("holds_machine", "=", sql.lit(1)) // a literal, or SQLite plans anew each time to take the partial index
    .executeTakeFirst();
  return row?.id;
}
/** The same, whole. */
export async function saleHolding(db: Reader, machineId: string): Promise<Sale | undefined> {
  const row = await db
    .selectFrom("sale")
    .select(COLUMNS)
    .where("machine_id", "=", machineId)
    .where("holds_machine", "=", sql.lit(1))
    .executeTakeFirst();
  return row && stored(row).sale;
}
export const isHeld = async (db: Reader, machineId: string): Promise<boolean> =>
  (await holderOf(db, machineId)) !== undefined;

export type DatedSale = {
  readonly sale: Sale;
  readonly atMs: number;
  readonly paymentRequest: string | null;
};
const DATED = ["doc", "created_ms", "payment_request"] as const;
const dated = (row: Pick<Row, "doc" | "payment_request"> & { readonly created_ms: number }): DatedSale => ({
  sale: saleSchema.parse(JSON.parse(row.doc)),
  atMs: row.created_ms,
  paymentRequest: row.payment_request,
});

/** A machine's own sale. */
export async function datedSale(db: Reader, machineId: string, id: string): Promise<DatedSale | undefined> {
  const row = await db
    .selectFrom("sale")
    .select(DATED)
    .where("id", "=", id)
    .where("machine_id", "=", machineId)
    .executeTakeFirst();
  return row === undefined ? undefined : dated(row);
}

/** A machine's sales, newest first: a page of them, and one more. What was refused before anything was to be paid is none. */
export async function salesOf(
  db: Reader,
  machineId: string,
  query: PageQuery,
): Promise<readonly DatedSale[]> {
  const rows = await db
    .selectFrom("sale")
    .select(DATED)
    .where("machine_id", "=", machineId)
    .where("payment_request_id", "is not", null)
    .$call(newestFirst("id", query))
    .execute();
  return rows.map(dated);
}

/**
 * Nobody knows yet whether the product came out, or the platform refuses the refund. Either is still to be done, and is found by
 * the index of what is owing; the few of those that settle are told apart by their text, where no other text can stand so.
 */
const isDoubtful = (eb: ExpressionBuilder<Tables, "sale">) =>
  eb.and([
    eb("next_at_ms", "is not", null),
    eb.or([
      eb("state", "=", "unknown"),
      eb.and([eb("state", "=", "settling"), eb("doc", "like", '%"refundRefusal":"%')]),
    ]),
  ]);

/** A machine's sales that a person should look at while they last: up to `limit`, the longest overdue first. */
export async function doubtsOf(db: Reader, machineId: string, limit: number): Promise<readonly DatedSale[]> {
  const rows = await db
    .selectFrom("sale")
    .select(DATED)
    .where("machine_id", "=", machineId)
    .where(isDoubtful)
    .orderBy("next_at_ms")
    .limit(limit)
    .execute();
  return rows.map(dated);
}

/** How many of them each of these machines has; one that is not there has none. */
export async function doubtfulOf(
  db: Reader,
  machineIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (machineIds.length === 0) return new Map();
  const rows = await db
    .selectFrom("sale")
    .select((eb) => ["machine_id", eb.fn.countAll<number | string>().as("count")])
    .where("machine_id", "in", machineIds)
    .where(isDoubtful)
    .groupBy("machine_id")
    .execute();
  return new Map(rows.map((row) => [row.machine_id, Number(row.count)]));
}

/** Those of these machines that serve a customer now. */
export async function heldOf(db: Reader, machineIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (machineIds.length === 0) return new Set();
  const rows = await db
    .selectFrom("sale")
    .select("machine_id")
    .where("machine_id", "in", machineIds)
    .where("holds_machine", "=", sql.lit(1))
    .execute();
  return new Set(rows.map((row) => row.machine_id));
}

/** Ids of the sales that must be looked at by now, the longest overdue first; of one machine, all that wait for anything. */
export async function dueSales(
  db: Reader,
  due: { readonly nowMs: number } | { readonly machineId: string },
  limit: number,
): Promise<readonly string[]> {
  const open = db.selectFrom("sale").select("id").where("next_at_ms", "is not", null);
  const chosen =
    "nowMs" in due ? open.where("next_at_ms", "<=", due.nowMs) : open.where("machine_id", "=", due.machineId);
  const rows = await chosen.orderBy("next_at_ms").limit(limit).execute();
  return rows.map(({ id }) => id);
}

/** The same count for a decision: of one payer's sales, one is decided at a time. */
export async function lockUnknownRefunds(tx: Tx, payer: string | null, sinceMs: number): Promise<number> {
  if (payer !== null) await lockName(tx, `unknown refunds of ${payer}`);
  return unknownRefunds(tx, payer, sinceMs);
}

/** How often this payer was refunded for a vend nobody could vouch for, since then. */
export async function unknownRefunds(db: Reader, payer: string | null, sinceMs: number): Promise<number> {
  if (payer === null) return 0;
  const row = await db
    .selectFrom("sale")
    .select((eb) => eb.fn.countAll<number | string>().as("count"))
    .where("payer", "=", payer)
    .where("created_ms", ">=", sinceMs)
    .where("unknown_refunded", "=", sql.lit(1))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

export async function storyOf(
  db: Reader,
  saleId: string,
): Promise<readonly (Note & { readonly atMs: number })[]> {
  const rows = await db
    .selectFrom("sale_note")
    .selectAll()
    .where("sale_id", "=", saleId)
    .orderBy("seq")
    .execute();
  return rows.map((row) => ({
    atMs: row.at_ms,
    code: row.code,
    ...(row.item === null ? {} : { item: row.item }),
    ...(row.minor === null ? {} : { minor: row.minor }),
  }));
}

/** False when the key has made a sale before, or another sale holds the machine: the database's word, and no check before it. */
export async function insertSale(
  tx: Tx,
  fresh: Sale,
  key: string,
  nowMs: number,
  policy: Policy,
): Promise<boolean> {
  const inserted = await tx
    .insertInto("sale")
    .values({
      id: fresh.id,
      machine_id: fresh.machineId,
      grant_id: fresh.grantId,
      idempotency_key: key,
      payment_request: null,
      created_ms: nowMs,
      version: 1,
      ...columns(fresh, nowMs, policy),
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning("id")
    .executeTakeFirst();
  return inserted !== undefined;
}

export type Change = { readonly sale: Sale; readonly changed: boolean };

/** One event, one step, one row: reads the sale, lets `step` decide, writes what came of it and the notes it made. */
export async function changeSale(
  tx: Tx,
  { sale: before, version }: StoredSale,
  event: Event,
  policy: Policy,
  extra: { readonly paymentRequest?: string } = {},
): Promise<Change> {
  const [after, notes] = step(before, event, policy);
  const changed = after !== before || notes.length > 0;
  // What changes nothing is not written: it would put off what is owed, for as long as it is repeated.
  if (!changed && event.kind !== "tick") return { sale: before, changed };
  await tx
    .updateTable("sale")
    .set({
      ...columns(after, event.nowMs, policy),
      ...(changed ? { version: version + 1 } : {}),
      ...(after.state === "refused" ? { idempotency_key: null } : {}),
      ...(extra.paymentRequest === undefined || after === before
        ? {}
        : { payment_request: extra.paymentRequest }),
    })
    .where("id", "=", after.id)
    .execute();
  await tellStory(tx, after.id, notes, event.nowMs);
  return { sale: after, changed };
}

/** The platform's own picture of the payment request, to be shown while it cannot be asked. */
export async function keepPaymentRequest(tx: Tx, saleId: string, json: string): Promise<void> {
  await tx.updateTable("sale").set({ payment_request: json }).where("id", "=", saleId).execute();
}

async function tellStory(tx: Tx, saleId: string, notes: readonly Note[], nowMs: number): Promise<void> {
  if (notes.length === 0) return;
  const last = await tx
    .selectFrom("sale_note")
    .select((eb) => eb.fn.max<number | string>("seq").as("seq"))
    .where("sale_id", "=", saleId)
    .executeTakeFirst();
  const from = Number(last?.seq ?? 0) + 1;
  if (from > MAX_NOTES) return;
  await tx
    .insertInto("sale_note")
    .values(
      notes.map((note, index) => ({
        sale_id: saleId,
        seq: from + index,
        at_ms: nowMs,
        code: note.code,
        item: note.item ?? null,
        minor: note.minor ?? null,
      })),
    )
    .execute();
}

/** What the row says beside the value itself, so that it can be found, held and counted. */
function columns(value: Sale, nowMs: number, policy: Policy) {
  const afterMs = attendAfterMs(value, nowMs, policy);
  return {
    doc: JSON.stringify(value),
    state: value.state,
    holds_machine: holdsMachine(value) ? 1 : 0,
    payment_request_id: value.paymentRequestId,
    payer: value.payer,
    credit_minor: value.creditMinor, // a voucher's is known when it has paid
    refunded_minor: value.refundedMinor,
    unknown_refunded: value.flags.includes("unknownRefunded") ? 1 : 0,
    next_at_ms: afterMs === undefined ? null : nowMs + afterMs,
  };
}
