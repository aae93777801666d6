/**
 * Payment requests as rows: read into the state `step` understands, and its effects written back.
 *
 * Owns      the tables payment_request, payment and activity.
 * Promises  everything one step does (state, money, activity, the key it was asked under, what the outbox owes) is in the
 *           one transaction it is given.
 * Never     decides anything about money: that is request.ts.
 */
import { z } from "zod";
import type { Random } from "../../broker/protocol/clock.js";
import { Fault } from "../http/fault.js";
import { forUpdate, forUpdateSkipLocked } from "../store/locks.js";
import type { Reader, Tx } from "../store/store.js";
import { Overdrawn, post, type Entry } from "./ledger.js";
import { insertOperation, type Operation } from "./operation.js";
import { enqueue } from "./outbox.js";
import type { ActivityFacts, Effect, Option, Payment, Request } from "./request.js";
import {
  livenessOf,
  renderActivity,
  renderPaidBy,
  type ActivityRow,
  type PaymentRow,
  type RequestRow,
} from "./wire.js";

const storedOptions = z.array(
  z.object({ assetType: z.string(), amountMinor: z.int().positive(), walletId: z.string().optional() }),
);
export const readOptions = (row: RequestRow): readonly Option[] =>
  storedOptions.parse(JSON.parse(row.payment_options));

export const findRequest = (db: Reader, id: string): Promise<RequestRow | undefined> =>
  db.selectFrom("payment_request").selectAll().where("id", "=", id).executeTakeFirst();

/** Held until the transaction ends: everything about a request is decided and written by whoever holds its row. */
export const lockRequest = (tx: Tx, id: string): Promise<RequestRow | undefined> =>
  tx.selectFrom("payment_request").selectAll().where("id", "=", id).$call(forUpdate(tx)).executeTakeFirst();

/** The same, but nothing when somebody holds it. */
export const lockFreeRequest = (tx: Tx, id: string): Promise<RequestRow | undefined> =>
  tx
    .selectFrom("payment_request")
    .selectAll()
    .where("id", "=", id)
    .$call(forUpdateSkipLocked(tx))
    .executeTakeFirst();

/** In the order they were paid. A request that was never paid has none, and is not asked about. */
export async function findPayments(db: Reader, row: RequestRow): Promise<readonly PaymentRow[]> {
  if (row.status !== "paid") return [];
  return db
    .selectFrom("payment")
    .selectAll()
    .where("payment_request_id", "=", row.id)
    .orderBy("id")
    .execute();
}

export const findActivity = (db: Reader, id: string): Promise<ActivityRow> =>
  db.selectFrom("activity").selectAll().where("id", "=", id).executeTakeFirstOrThrow();

export function toState(row: RequestRow, payments: readonly PaymentRow[]): Request {
  const terms = {
    valueMinor: row.value_minor,
    currency: row.currency,
    options: readOptions(row),
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
  };
  switch (row.status) {
    case "new":
    case "expired":
      return { kind: row.status, terms };
    case "cancelled":
      return { kind: row.status, terms, reason: "CANCELLED_BY_MERCHANT" };
    case "paid":
      return { kind: row.status, terms, payments: payments.map(toPayment) };
  }
}

const toPayment = (row: PaymentRow): Payment => ({
  id: row.id,
  assetId: row.asset_id,
  assetType: row.asset_type,
  payerAccountId: row.payer_account_id,
  walletId: row.wallet_id,
  amountMinor: row.amount_minor,
  refundedMinor: row.refunded_minor,
});

export type Doing = {
  readonly tx: Tx;
  readonly random: Random;
  readonly row: RequestRow;
  readonly next: Request;
  readonly nowMs: number;
  readonly by: string; // crn
  /** The key it was asked under, with what was asked; absent when nobody asked. */
  readonly operation: (Operation & { readonly asked: string }) | undefined;
  /** What the activity says beside its facts, as the client sent it. */
  readonly said: object;
};

/** Does what a step decided and answers the activity that came of it, if any. Raises the code of a refusal. */
export async function perform(effects: readonly Effect[], doing: Doing): Promise<object | undefined> {
  let answer: object | undefined;
  for (const effect of effects) {
    switch (effect.kind) {
      case "take":
        await take(effect.payment, doing);
        break;
      case "giveBack":
        await giveBack(effect, doing);
        break;
      case "record":
        answer = await record(effect, doing);
        break;
      case "answerAgain":
        answer = renderActivity(await findActivity(doing.tx, effect.activityId), doing.row);
        break;
      case "refuse":
        throw new Fault(effect.code);
      case "ignored":
        break;
    }
  }
  return answer;
}

async function take(payment: Payment, { tx, row, nowMs }: Doing): Promise<void> {
  const { currency } = row;
  const entries = [
    { accountId: payment.assetId, currency, amountMinor: -payment.amountMinor },
    { accountId: payment.walletId, currency, amountMinor: payment.amountMinor },
  ];
  try {
    await post(tx, { id: payment.id, kind: "payment", ref: row.id, createdMs: nowMs, entries });
  } catch (error) {
    if (!(error instanceof Overdrawn)) throw error;
    // Another payment of the same wallet came between the look at its balance and this.
    throw new Fault("INSUFFICIENT_ASSET_VALUE", undefined, { cause: error });
  }
  await tx
    .insertInto("payment")
    .values({
      id: payment.id,
      payment_request_id: row.id,
      asset_id: payment.assetId,
      asset_type: payment.assetType,
      payer_account_id: payment.payerAccountId,
      wallet_id: payment.walletId,
      amount_minor: payment.amountMinor,
      refunded_minor: 0,
      created_ms: nowMs,
    })
    .execute();
}

async function giveBack(
  { transferId, returns }: Extract<Effect, { kind: "giveBack" }>,
  { tx, row, nowMs }: Doing,
): Promise<void> {
  const moved = new Map<string, number>();
  const move = (accountId: string, amountMinor: number): void =>
    void moved.set(accountId, (moved.get(accountId) ?? 0) + amountMinor);
  for (const { payment, amountMinor } of returns) {
    move(payment.walletId, -amountMinor);
    move(payment.assetId, amountMinor);
  }
  const entries = Array.from(moved, ([accountId, amountMinor]): Entry => ({
    accountId,
    currency: row.currency,
    amountMinor,
  }));
  try {
    await post(tx, { id: transferId, kind: "refund", ref: row.id, createdMs: nowMs, entries });
  } catch (error) {
    if (!(error instanceof Overdrawn)) throw error;
    throw new Fault("REFUND_DECLINED", "the merchant's wallet does not hold the amount", { cause: error });
  }
  for (const { payment, amountMinor } of returns) {
    await tx
      .updateTable("payment")
      .set((e) => ({ refunded_minor: e("refunded_minor", "+", amountMinor) }))
      .where("id", "=", payment.id)
      .execute();
  }
}

async function record(effect: Extract<Effect, { kind: "record" }>, doing: Doing): Promise<object> {
  const { tx, row, next, nowMs, operation } = doing;
  const activity: ActivityRow = {
    id: effect.activityId,
    payment_request_id: row.id,
    merchant_id: row.merchant_id,
    number: row.activities + 1,
    type: effect.facts.type,
    amount_minor: effect.amountMinor,
    created_by: doing.by,
    created_ms: nowMs,
    details: JSON.stringify({ ...doing.said, ...toDetails(effect.facts, row.currency, nowMs) }),
  };
  await tx.insertInto("activity").values(activity).execute();
  await tx
    .updateTable("payment_request")
    .set({
      status: next.kind,
      cancellation_reason: next.kind === "cancelled" ? next.reason : row.cancellation_reason,
      activities: activity.number,
      updated_ms: nowMs,
    })
    .where("id", "=", row.id)
    .execute();
  if (operation !== undefined) await insertOperation(tx, operation, operation.asked, activity.id);
  const data = renderActivity(activity, row);
  const test = livenessOf(readOptions(row)) === "test";
  await enqueue(tx, doing.random, nowMs, {
    accountId: row.merchant_account_id,
    test,
    types: effect.notify,
    data,
  });
  return data;
}

/** What only this type of activity says. */
function toDetails(facts: ActivityFacts, currency: string, nowMs: number): object {
  switch (facts.type) {
    case "payment": {
      const { payment } = facts;
      const paid = {
        asset_type: payment.assetType,
        payer_account_id: payment.payerAccountId,
        amount_minor: payment.amountMinor,
        created_ms: nowMs,
      };
      return { assetType: payment.assetType, paidBy: renderPaidBy([paid], currency) };
    }
    case "refund":
      return {
        assetType: facts.returns[0]?.payment.assetType,
        strategy: {
          refunds: facts.returns.map(({ payment, amountMinor }) => ({
            assetId: payment.assetId,
            assetType: payment.assetType,
            completedPaymentId: payment.id,
            amount: String(amountMinor),
          })),
        },
      };
    case "cancellation":
      return { cancellationReason: facts.cancellationReason };
    case "expiry":
      return {};
  }
}
