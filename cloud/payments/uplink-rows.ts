/**
 * What the uplink provider was asked, and what is owed to it, as rows.
 *
 * Owns      the table uplink_call. A row is one payment or one refund there, for ever; its state says what is wanted of the
 *           provider next, or what came of it.
 * Promises  a row that is not settled is asked about again when it is due, by whichever process comes first: a claim is a
 *           lease. A payment that was called off is never taken, whatever the provider says of it later.
 *
 * The provider knows a payment by the id of the row it was asked with; `payment_id` is what it is called here, once it is one.
 *
 *   paying -> paid | declined | cancelling -> cancelled        refunding -> refunded
 */
import type { Selectable } from "kysely";
import { z } from "zod";
import { forUpdate, forUpdateSkipLocked } from "../store/locks.js";
import type { Reader, Tx } from "../store/store.js";
import type { Tables } from "../store/tables.js";
import type { Returning } from "./provider.js";
import type { Effect, Pending } from "./request.js";
import type { RequestRow } from "./wire.js";

export type CallRow = Readonly<Selectable<Tables["uplink_call"]>>;

const asked = z.object({
  payment: z.object({
    id: z.string(),
    assetType: z.string(),
    assetId: z.null(),
    payerAccountId: z.string().nullable(),
    sourceId: z.string(),
    walletId: z.string(),
    amountMinor: z.int().positive(),
    refundedMinor: z.literal(0),
    lines: z.null(),
    confirmationKey: z.null(),
  }),
  isLast: z.boolean(),
  by: z.string(),
  said: z.record(z.string(), z.unknown()),
});
export type Asked = z.infer<typeof asked>;
export const readAsked = (row: CallRow): Asked => asked.parse(JSON.parse(row.asked ?? "null"));

/** Oldest first. */
export async function findPending(db: Reader, requestId: string): Promise<readonly Pending[]> {
  const rows = await db
    .selectFrom("uplink_call")
    .selectAll()
    .where("payment_request_id", "=", requestId)
    .where("state", "=", "paying")
    .orderBy("id")
    .execute();
  return rows.map((row) => {
    const { payment, isLast } = readAsked(row);
    return { payment, isLast };
  });
}

type Asking = {
  readonly tx: Tx;
  readonly row: RequestRow;
  readonly realMs: number;
  readonly by: string;
  readonly said: object;
};
export async function insertPaying(
  { payment, isLast }: Pending,
  { tx, row, realMs, by, said }: Asking,
): Promise<void> {
  await tx
    .insertInto("uplink_call")
    .values({
      id: payment.id,
      payment_request_id: row.id,
      payment_id: payment.id,
      refund_id: null,
      amount_minor: payment.amountMinor,
      currency: row.currency,
      state: "paying",
      asked: JSON.stringify({ payment, isLast, by, said }),
      due_ms: realMs + LEASE_MS, // whoever pays is about to ask
      attempts: 1,
      created_ms: realMs,
      settled_ms: null,
      last_error: null,
    })
    .execute();
}

export async function insertRefunding(
  tx: Tx,
  { payment, amountMinor, refundId, request }: Returning,
  nowMs: number,
): Promise<void> {
  await tx
    .insertInto("uplink_call")
    .values({
      id: `${refundId}.${payment.id}`,
      payment_request_id: request.id,
      payment_id: payment.id,
      refund_id: refundId,
      amount_minor: amountMinor,
      currency: request.currency,
      state: "refunding",
      asked: null,
      due_ms: nowMs,
      attempts: 0,
      created_ms: nowMs,
      settled_ms: null,
      last_error: null,
    })
    .execute();
}

export async function settlePaying(
  tx: Tx,
  settled: Extract<Effect, { kind: "settle" }>,
  nowMs: number,
): Promise<void> {
  const { paymentId: id, as } = settled;
  await settle(tx, id, "paying", as, nowMs);
  if (as === "paid")
    await tx.updateTable("uplink_call").set({ payment_id: settled.takenAs }).where("id", "=", id).execute();
}

/** From here on it is not taken, and the provider is asked to undo it until it says that it has. */
export async function callOff(tx: Tx, id: string, nowMs: number): Promise<void> {
  await tx
    .updateTable("uplink_call")
    .set({ state: "cancelling", due_ms: nowMs, attempts: 0 })
    .where("id", "=", id)
    .where("state", "=", "paying")
    .execute();
}

export async function settle(
  tx: Tx,
  id: string,
  from: CallRow["state"],
  state: CallRow["state"],
  nowMs: number,
): Promise<void> {
  await tx
    .updateTable("uplink_call")
    .set({ state, settled_ms: nowMs, last_error: null })
    .where("id", "=", id)
    .where("state", "=", from)
    .execute();
}

/** What the provider knows a refund's payment by. */
export async function askedAs(db: Reader, refunding: CallRow): Promise<string> {
  const paid = await db
    .selectFrom("uplink_call")
    .select("id")
    .where("payment_request_id", "=", refunding.payment_request_id)
    .where("payment_id", "=", refunding.payment_id)
    .where("refund_id", "is", null)
    .executeTakeFirstOrThrow();
  return paid.id;
}

/** Longer than any call takes, so that a lease never runs out under a living process. */
export const LEASE_MS = 90_000;

export async function hasDue(db: Reader, nowMs: number): Promise<boolean> {
  const row = await db
    .selectFrom("uplink_call")
    .select("id")
    .where("settled_ms", "is", null)
    .where("due_ms", "<=", nowMs)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Takes up to `limit` due calls for this process. */
export async function claimDue(tx: Tx, limit: number, nowMs: number): Promise<readonly CallRow[]> {
  const rows = await tx
    .selectFrom("uplink_call")
    .selectAll()
    .where("settled_ms", "is", null)
    .where("due_ms", "<=", nowMs)
    .orderBy("due_ms")
    .limit(limit)
    .$call(forUpdateSkipLocked(tx))
    .execute();
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  await tx
    .updateTable("uplink_call")
    .set((e) => ({ due_ms: nowMs + LEASE_MS, attempts: e("attempts", "+", 1) }))
    .where("id", "in", ids)
    .execute();
  return rows.map((row) => ({ ...row, attempts: row.attempts + 1 }));
}

/** Nothing is known yet: asked again then. Nothing changes where somebody has gone on with it. */
export async function putOff(
  tx: Tx,
  { id, state, attempts }: CallRow,
  dueMs: number,
  error: string,
): Promise<void> {
  await tx
    .updateTable("uplink_call")
    .set({ due_ms: dueMs, last_error: error })
    .where("id", "=", id)
    .where("state", "=", state)
    .where("attempts", "=", attempts)
    .execute();
}

export const lockCall = (tx: Tx, id: string): Promise<CallRow> =>
  tx
    .selectFrom("uplink_call")
    .selectAll()
    .where("id", "=", id)
    .$call(forUpdate(tx))
    .executeTakeFirstOrThrow();

/** How many calls of one refund are not settled yet. */
export async function openOf(tx: Tx, refundId: string, requestId: string): Promise<number> {
  const rows = await tx
    .selectFrom("uplink_call")
    .select("id")
    .where("payment_request_id", "=", requestId)
    .where("refund_id", "=", refundId)
    .where("settled_ms", "is", null)
    .execute();
  return rows.length;
}
