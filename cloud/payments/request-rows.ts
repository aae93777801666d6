/**
 * Payment requests as rows: read into the state `step` understands, and its effects written back.
 *
 * Owns      the tables payment_request, payment and activity.
 * Promises  everything one step does (state, money, activity, the key it was asked under, what the outbox owes) is in the
 *           one transaction it is given.
 * Never     decides anything about money: that is request.ts.
 */
import type { Selectable } from "kysely";
import { z } from "zod";
import type { Random } from "../../broker/protocol/clock.js";
import { Fault, type FaultCode } from "../http/fault.js";
import { forUpdate, forUpdateSkipLocked } from "../store/locks.js";
import type { Reader, Tx } from "../store/store.js";
import type { Tables } from "../store/tables.js";
import { openAccount, Overdrawn, post, type Entry, type Transfer } from "./ledger.js";
import { insertOperation, type Operation } from "./operation.js";
import { enqueue } from "./outbox.js";
import { providerOf, type AssetProvider } from "./provider.js";
import type { Details } from "./request-form.js";
import {
  cancellationReasons,
  conditionStatuses,
  type ActivityFacts,
  type Condition,
  type Effect,
  type Hold,
  type Option,
  type Payment,
  type Request,
} from "./request.js";
import {
  livenessOf,
  renderActivity,
  renderPaidBy,
  type ActivityRow,
  type PaymentRow,
  type RequestRow,
} from "./wire.js";

const storedOptions = z.array(
  z.object({
    assetType: z.string(),
    amountMinor: z.int().positive(),
    walletId: z.string().optional(),
    acceptedCollections: z
      .array(
        z.object({
          id: z.string(),
          lines: z.array(
            z.object({ line: z.record(z.string(), z.unknown()), amountMinor: z.int().positive() }),
          ),
        }),
      )
      .optional(),
  }),
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

export type HoldRow = Readonly<Selectable<Tables["hold"]>>;
/** A request's row with the money that belongs to it. */
export type StoredRequest = {
  readonly row: RequestRow;
  readonly payments: readonly PaymentRow[]; // in the order they were paid
  readonly hold: HoldRow | undefined;
};

/** A request that has seen nothing but its own making has no money yet, and is not asked about. */
export async function withMoney(db: Reader, row: RequestRow): Promise<StoredRequest> {
  if (row.activities === 1) return { row, payments: [], hold: undefined };
  const payments = await db
    .selectFrom("payment")
    .selectAll()
    .where("payment_request_id", "=", row.id)
    .orderBy("number")
    .execute();
  const hold =
    row.pre_auth_expires_ms === null
      ? undefined
      : await db.selectFrom("hold").selectAll().where("payment_request_id", "=", row.id).executeTakeFirst();
  return { row, payments, hold };
}

export const findActivity = (db: Reader, id: string): Promise<ActivityRow> =>
  db.selectFrom("activity").selectAll().where("id", "=", id).executeTakeFirstOrThrow();

const storedConditions = z.array(
  z.object({
    id: z.string(),
    name: z.string(),
    message: z.string(),
    status: z.enum(conditionStatuses),
  }),
);
export const readConditions = (row: RequestRow): readonly Condition[] =>
  row.conditions === "[]" ? [] : storedConditions.parse(JSON.parse(row.conditions));
const storedReason = z.enum(cancellationReasons);
const storedLines = z.array(z.record(z.string(), z.unknown()));

export function toState({ row, payments, hold }: StoredRequest): Request {
  const { preAuth = false, partialAllowed = false } = JSON.parse(row.details) as Details; // written by create alone
  const terms = {
    valueMinor: row.value_minor,
    currency: row.currency,
    options: readOptions(row),
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    preAuth,
    partialAllowed,
  };
  const known = { terms, conditions: readConditions(row) };
  switch (row.status) {
    case "new":
      return { ...known, kind: "new", payments: payments.map(toPayment) };
    case "expired":
      return { ...known, kind: "expired" };
    case "cancelled":
      return { ...known, kind: "cancelled", reason: storedReason.parse(row.cancellation_reason) };
    case "paid": {
      const paid = payments.map(toPayment);
      if (row.pre_auth_status === null) return { ...known, kind: "paid", payments: paid };
      if (hold === undefined) throw new Error(`${row.id} is pre-authorised and holds nothing`);
      return { ...known, kind: row.pre_auth_status, hold: toHold(hold), payments: paid };
    }
  }
}

const toPayment = (row: PaymentRow): Payment => ({
  id: row.id,
  assetType: row.asset_type,
  assetId: row.asset_id,
  payerAccountId: row.payer_account_id,
  sourceId: row.source_id,
  walletId: row.wallet_id,
  amountMinor: row.amount_minor,
  refundedMinor: row.refunded_minor,
  lines: row.lines === null ? null : storedLines.parse(JSON.parse(row.lines)),
  confirmationKey: row.confirmation_key,
});
const toHold = (row: HoldRow): Hold => ({
  id: row.id,
  assetType: row.asset_type,
  assetId: row.asset_id,
  payerAccountId: row.payer_account_id,
  sourceId: row.source_id,
  walletId: row.wallet_id,
  amountMinor: row.amount_minor,
  expiresMs: row.expires_ms,
});

export type Doing = {
  readonly tx: Tx;
  readonly random: Random;
  readonly providers: readonly AssetProvider[];
  readonly row: RequestRow;
  readonly next: Request;
  readonly nowMs: number;
  readonly by: string; // crn
  /** The key it was asked under, with what was asked; absent when nobody asked. */
  readonly operation: (Operation & { readonly asked: string }) | undefined;
  /** The activity that answers what was asked. What follows from it has others. */
  readonly activityId: string;
  /** What that activity says beside its facts, as the client sent it. */
  readonly said: object;
};

/** Does what a step decided and answers the activity that came of it, if any. Raises the code of a refusal. */
export async function perform(effects: readonly Effect[], doing: Doing): Promise<object | undefined> {
  let answer: object | undefined;
  let number = doing.row.activities;
  for (const effect of effects) {
    switch (effect.kind) {
      case "take":
        await take(effect.payment, number + 1, doing);
        break;
      case "hold":
        await hold(effect.hold, doing);
        break;
      case "capture":
        await move(doing, effect.payment.id, "confirmation", [
          [holdAccount(doing.row), -effect.payment.amountMinor],
          [effect.payment.walletId, effect.payment.amountMinor],
        ]);
        await insertPayment(effect.payment, number + 1, doing);
        break;
      case "letGo":
        await move(doing, effect.transferId, "release", [
          [holdAccount(doing.row), -effect.amountMinor],
          [effect.hold.sourceId, effect.amountMinor],
        ]);
        break;
      case "giveBack":
        await giveBack(effect, doing);
        break;
      case "record": {
        number += 1;
        const recorded = await record(effect, number, doing);
        if (effect.activityId === doing.activityId) answer = recorded;
        break;
      }
      case "answerAgain":
        return renderActivity(await findActivity(doing.tx, effect.activityId), doing.row);
      case "refuse":
        throw new Fault(effect.code, effect.reason);
      case "ignored":
        return undefined;
    }
  }
  await keep(number, doing);
  return answer;
}

/** The state's own columns, once for all that the step recorded. */
async function keep(
  activities: number,
  { tx, row, next, nowMs, operation, activityId }: Doing,
): Promise<void> {
  const isPreAuth = next.kind === "authorized" || next.kind === "released";
  await tx
    .updateTable("payment_request")
    .set({
      status: isPreAuth ? "paid" : next.kind,
      cancellation_reason: next.kind === "cancelled" ? next.reason : row.cancellation_reason,
      ...(isPreAuth ? { pre_auth_status: next.kind, pre_auth_expires_ms: next.hold.expiresMs } : {}),
      ...(next.kind === "cancelled" && row.pre_auth_status !== null ? { pre_auth_status: "released" } : {}),
      ...(next.conditions.length === 0 ? {} : { conditions: JSON.stringify(next.conditions) }),
      activities,
      updated_ms: nowMs,
    })
    .where("id", "=", row.id)
    .execute();
  if (row.pre_auth_status === "authorized" && next.kind !== "authorized")
    await tx.updateTable("hold").set({ is_held: 0 }).where("payment_request_id", "=", row.id).execute();
  if (operation !== undefined) await insertOperation(tx, operation, operation.asked, activityId);
}

/** A refusal for a source or a wallet that turns out to have too little: somebody else was first. */
async function orRefuse(moving: Promise<void>, code: FaultCode, reason: string): Promise<void> {
  try {
    await moving;
  } catch (error) {
    if (!(error instanceof Overdrawn)) throw error;
    throw new Fault(code, reason, { cause: error });
  }
}
const SPENT = "the asset no longer holds the amount";

async function take(payment: Payment, number: number, doing: Doing): Promise<void> {
  const moving = move(doing, payment.id, "payment", [
    [payment.sourceId, -payment.amountMinor],
    [payment.walletId, payment.amountMinor],
  ]);
  await orRefuse(moving, "INSUFFICIENT_ASSET_VALUE", SPENT);
  await insertPayment(payment, number, doing);
  await providerOf(doing.providers, payment.assetType)?.taken?.(doing.tx, payment, doing.nowMs);
}

const holdAccount = (row: RequestRow): string => `hold.${row.id}`;

/** One transfer; what several moves do to one account is one entry. */
async function move(
  { tx, row, nowMs }: Doing,
  id: string,
  kind: Transfer["kind"],
  moves: readonly (readonly [accountId: string, amountMinor: number])[],
): Promise<void> {
  const sums = new Map<string, number>();
  for (const [accountId, amountMinor] of moves) sums.set(accountId, (sums.get(accountId) ?? 0) + amountMinor);
  const entries = Array.from(sums, ([accountId, amountMinor]): Entry => ({
    accountId,
    currency: row.currency,
    amountMinor,
  }));
  await post(tx, { id, kind, ref: row.id, createdMs: nowMs, entries });
}

async function hold(held: Hold, doing: Doing): Promise<void> {
  const { tx, row, nowMs } = doing;
  const account = await openAccount(tx, "hold", holdAccount(row), row.currency);
  const moving = move(doing, held.id, "authorization", [
    [held.sourceId, -held.amountMinor],
    [account, held.amountMinor],
  ]);
  await orRefuse(moving, "INSUFFICIENT_ASSET_VALUE", SPENT);
  await tx
    .insertInto("hold")
    .values({
      id: held.id,
      payment_request_id: row.id,
      asset_type: held.assetType,
      asset_id: held.assetId,
      payer_account_id: held.payerAccountId,
      source_id: held.sourceId,
      wallet_id: held.walletId,
      amount_minor: held.amountMinor,
      expires_ms: held.expiresMs,
      is_held: 1,
      created_ms: nowMs,
    })
    .execute();
}

/** `number`: of the activity that is recorded next, which is this payment's. */
async function insertPayment(payment: Payment, number: number, { tx, row, nowMs }: Doing): Promise<void> {
  await tx
    .insertInto("payment")
    .values({
      id: payment.id,
      payment_request_id: row.id,
      number,
      asset_type: payment.assetType,
      asset_id: payment.assetId,
      payer_account_id: payment.payerAccountId,
      source_id: payment.sourceId,
      wallet_id: payment.walletId,
      amount_minor: payment.amountMinor,
      refunded_minor: 0,
      lines: payment.lines === null ? null : JSON.stringify(payment.lines),
      confirmation_key: payment.confirmationKey,
      created_ms: nowMs,
    })
    .execute();
}

async function giveBack(
  { transferId, returns }: Extract<Effect, { kind: "giveBack" }>,
  doing: Doing,
): Promise<void> {
  const { tx, providers, nowMs } = doing;
  const moving = move(
    doing,
    transferId,
    "refund",
    returns.flatMap(({ payment, amountMinor }) => [
      [payment.walletId, -amountMinor] as const,
      [payment.sourceId, amountMinor] as const,
    ]),
  );
  await orRefuse(moving, "REFUND_DECLINED", "the merchant's wallet does not hold the amount");
  for (const { payment, amountMinor } of returns) {
    await tx
      .updateTable("payment")
      .set((e) => ({ refunded_minor: e("refunded_minor", "+", amountMinor) }))
      .where("id", "=", payment.id)
      .execute();
    await providerOf(providers, payment.assetType)?.returned?.(tx, payment, amountMinor, nowMs);
  }
}

async function record(
  effect: Extract<Effect, { kind: "record" }>,
  number: number,
  doing: Doing,
): Promise<object> {
  const { tx, row, nowMs } = doing;
  const said = effect.activityId === doing.activityId ? doing.said : {};
  const activity: ActivityRow = {
    id: effect.activityId,
    payment_request_id: row.id,
    merchant_id: row.merchant_id,
    number,
    type: effect.facts.type,
    amount_minor: effect.amountMinor,
    created_by: doing.by,
    created_ms: nowMs,
    details: JSON.stringify({ ...said, ...toDetails(effect.facts, row.currency, nowMs) }),
  };
  await tx.insertInto("activity").values(activity).execute();
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
  const paid = (payments: readonly (Payment | Hold)[]): object =>
    renderPaidBy(
      payments.map((payment) => ({
        asset_type: payment.assetType,
        payer_account_id: payment.payerAccountId,
        amount_minor: payment.amountMinor,
        lines: "lines" in payment && payment.lines !== null ? JSON.stringify(payment.lines) : null,
        created_ms: nowMs,
      })),
      currency,
    );
  switch (facts.type) {
    case "payment":
      return { assetType: facts.payment.assetType, paidBy: paid([facts.payment]) };
    case "paid":
      return { paidBy: paid(facts.payments) };
    case "authorization":
      return { assetType: facts.hold.assetType, preAuth: true, paidBy: paid([facts.hold]) };
    case "confirmation":
      return {
        assetType: facts.payment.assetType,
        preAuth: true,
        confirmationIdempotencyKey: facts.key,
        paidBy: paid([facts.payment]),
      };
    case "release":
      return { preAuth: true, releasedAmount: String(facts.amountMinor) };
    case "refund":
      return {
        assetType: facts.returns[0]?.payment.assetType,
        ...(facts.confirmationKey === undefined
          ? {}
          : { confirmationIdempotencyKey: facts.confirmationKey, preAuth: true }),
        strategy: {
          refunds: facts.returns.map(({ payment, amountMinor }) => ({
            ...(payment.assetId === null ? {} : { assetId: payment.assetId }),
            assetType: payment.assetType,
            completedPaymentId: payment.id,
            amount: String(amountMinor),
          })),
        },
      };
    case "cancellation":
      return { cancellationReason: facts.cancellationReason };
    case "accept-condition":
    case "decline-condition":
      return { conditionId: facts.conditionId };
    case "expiry":
      return {};
  }
}
