/**
 * Payment requests as rows: read into the state `step` understands, and its effects written back.
 *
 * Owns      the tables payment_request and payment. What a provider elsewhere is asked is in uplink-rows.ts.
 * Promises  everything one step does (state, money, activity, the key it was asked under, what the outbox owes) is in the
 *           one transaction it is given.
 * Never     decides anything about money: that is request.ts.
 */
import type { Selectable } from "kysely";
import { z } from "zod";
import type { Random } from "../../broker/protocol/clock.js";
import { Fault } from "../http/fault.js";
import { insertOf, rowsOf, together, writeAll, writeOf, type Write } from "../store/statement.js";
import { forUpdate, forUpdateSkipLocked } from "../store/locks.js";
import type { Reader, Tx } from "../store/store.js";
import type { Tables } from "../store/tables.js";
import { activityWrite, findActivityOf } from "./activity-rows.js";
import { openAccount, postings, type Entry, type Transfer } from "./ledger.js";
import { operationWrite, type Operation } from "./operation.js";
import { findSubscriptions, noticeWrites, type Subscriptions } from "./outbox.js";
import { providerOf, type AssetProvider } from "./provider.js";
import type { Details } from "./request-form.js";
import {
  cancellationReasons,
  conditionStatuses,
  type ActivityFacts,
  type Condition,
  type Effect,
  type Event,
  type Hold,
  type NotificationType,
  type Option,
  pendingMinor,
  type Payment,
  type Pending,
  type Request,
  step,
} from "./request.js";
import { callOff, findPending, insertPaying, settlePaying } from "./uplink-rows.js";
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
    externalMerchantId: z.string().optional(),
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
/** Read once a row: several ask for them on the way of one payment. */
const optionsOf = new WeakMap<RequestRow, readonly Option[]>();
export function readOptions(row: RequestRow): readonly Option[] {
  const known = optionsOf.get(row) ?? storedOptions.parse(JSON.parse(row.payment_options));
  optionsOf.set(row, known);
  return known;
}

/** A request, and how far its merchant's account has moved its own time, which is the request's. */
export type TimedRow = RequestRow & { readonly clock_offset_ms: number };

/** With the offset as a column and not by a join: whoever locks the request locks no account. */
export const selectRequests = (db: Reader) =>
  db
    .selectFrom("payment_request")
    .selectAll("payment_request")
    .select((e) =>
      e
        .selectFrom("account")
        .select("account.clock_offset_ms")
        .whereRef("account.id", "=", "payment_request.merchant_account_id")
        .$asScalar()
        .$notNull()
        .as("clock_offset_ms"),
    );

type ById = { readonly id: string };
const requestById = (db: Reader, { id }: ById) => selectRequests(db).where("id", "=", id);
const first =
  <O>(rows: (db: Reader, values: ById) => Promise<O[]>) =>
  async (db: Reader, id: string): Promise<O | undefined> =>
    (await rows(db, { id }))[0];

export const findRequest: (db: Reader, id: string) => Promise<TimedRow | undefined> = first(
  rowsOf(requestById),
);
/** Held until the transaction ends: everything about a request is decided and written by whoever holds its row. */
export const lockRequest: (tx: Tx, id: string) => Promise<TimedRow | undefined> = first(
  rowsOf((tx, by: ById) => requestById(tx, by).$call(forUpdate(tx))),
);
/** The same, but nothing when somebody holds it. */
export const lockFreeRequest: (tx: Tx, id: string) => Promise<TimedRow | undefined> = first(
  rowsOf((tx, by: ById) => requestById(tx, by).$call(forUpdateSkipLocked(tx))),
);

export type HoldRow = Readonly<Selectable<Tables["hold"]>>;
/** A request's row with the money that belongs to it. */
export type StoredRequest = {
  readonly row: RequestRow;
  readonly payments: readonly PaymentRow[]; // in the order they were paid
  readonly hold: HoldRow | undefined;
  readonly pending: readonly Pending[];
};

/** A request that has seen nothing but its own making has no money yet, and is not asked about. */
export async function withMoney(db: Reader, row: RequestRow): Promise<StoredRequest> {
  const [pending, payments, [hold]] = await together([
    row.pending_minor === 0 ? Promise.resolve([]) : findPending(db, row.id),
    row.activities === 1 ? Promise.resolve([]) : findPayments(db, row),
    row.pre_auth_expires_ms === null ? Promise.resolve([]) : findHold(db, row),
  ]);
  return { row, payments, hold, pending };
}
/** None that came after the row was read: without a lock the two are read one after the other. */
const findPayments = rowsOf((db, { id, activities }: Pick<RequestRow, "id" | "activities">) =>
  db
    .selectFrom("payment")
    .selectAll()
    .where("payment_request_id", "=", id)
    .where("number", "<=", activities)
    .orderBy("number"),
);
const findHold = rowsOf((db, { id }: ById) =>
  db.selectFrom("hold").selectAll().where("payment_request_id", "=", id),
);

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

function toState({ row, payments, hold, pending }: StoredRequest): Request {
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
      return { ...known, kind: "new", payments: payments.map(toPayment), pending };
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

type Doing = {
  readonly tx: Tx;
  readonly random: Random;
  readonly providers: readonly AssetProvider[];
  readonly row: RequestRow;
  /** Of the merchant's account. */
  readonly subscriptions: Subscriptions;
  readonly next: Request;
  readonly nowMs: number; // the request's time: what its own rows say
  readonly realMs: number; // the platform's: what the ledger and the outbox keep to
  readonly by: string; // crn
  /** The key it was asked under, with what was asked; absent when nobody asked. */
  readonly operation: (Operation & { readonly asked: string }) | undefined;
  /** The activity that answers what was asked. What follows from it has others. */
  readonly activityId: string;
  /** What that activity says beside its facts, as the client sent it. */
  readonly said: object;
};

/** What came of an event: the activity that answers it, if any, and all that it had done. */
export type Proceeded = { readonly answer: object | undefined; readonly effects: readonly Effect[] };
/** Lets an event happen to a request: reads what else belongs to it, decides, does. Raises the code of a refusal. */
export async function proceed(
  event: Promise<Event>,
  doing: Omit<Doing, "next" | "subscriptions">,
): Promise<Proceeded> {
  const { tx, row } = doing;
  const [stored, subscriptions, happened] = await together([
    withMoney(tx, row),
    findSubscriptions(tx, { accountId: row.merchant_account_id }),
    event,
  ]);
  const [next, effects] = step(toState(stored), happened);
  return { answer: await perform(effects, { ...doing, subscriptions, next }), effects };
}

/** Does what a step decided and answers the activity that came of it, if any. Raises the code of a refusal. */
async function perform(effects: readonly Effect[], doing: Doing): Promise<object | undefined> {
  const { tx, row, providers, realMs } = doing;
  const writes: Write[] = [];
  const afterwards: (() => Promise<void> | undefined)[] = [];
  let answer: object | undefined;
  let number = row.activities;
  for (const effect of effects) {
    switch (effect.kind) {
      case "take": {
        const { payment } = effect;
        writes.push(...take(payment, doing), paymentWrite(payment, number + 1, doing));
        afterwards.push(() => providerOf(providers, payment.assetType)?.taken?.(tx, payment, realMs));
        break;
      }
      case "ask":
        await insertPaying(effect.pending, doing);
        break;
      case "settle":
        await settlePaying(tx, effect, realMs);
        break;
      case "callOff":
        await callOff(tx, effect.paymentId, realMs);
        break;
      case "hold":
        await openAccount(tx, "hold", holdAccount(row), row.currency);
        writes.push(...hold(effect.hold, doing));
        break;
      case "capture":
        writes.push(...capture(effect.payment, doing), paymentWrite(effect.payment, number + 1, doing));
        break;
      case "letGo":
        writes.push(...letGo(effect, doing));
        break;
      case "giveBack":
        writes.push(...giveBack(effect, doing));
        for (const { payment, amountMinor } of effect.returns)
          afterwards.push(() =>
            providerOf(providers, payment.assetType)?.returned?.(
              tx,
              { payment, amountMinor, refundId: effect.transferId, request: row, nowMs: doing.nowMs },
              realMs,
            ),
          );
        break;
      case "record": {
        number += 1;
        const details = toDetails(effect, doing);
        const activity = toActivity(effect, number, details, doing);
        if (effect.activityId === doing.activityId) answer = renderActivity(activity, row, details);
        writes.push(activityWrite(activity), ...notices(effect.notify, activity, doing));
        break;
      }
      // These three come alone.
      case "answerAgain":
        return answerAgain(effect.activityId, doing);
      case "refuse":
        throw new Fault(effect.code, effect.reason);
      case "ignored":
        return undefined;
    }
  }
  writes.push(...kept(number, doing));
  await writeAll(tx, writes);
  for (const act of afterwards) await act();
  return answer;
}

/** What came of a question the first time: only a payment that a provider elsewhere did not take made no activity. */
async function answerAgain(id: string, { tx, row }: Doing): Promise<object> {
  const [activity] = await findActivityOf(tx, { requestId: row.id, id });
  if (activity === undefined) throw new Fault("PAYMENT_DECLINED");
  return renderActivity(activity, row);
}

/** The state's own columns, once for all that the step recorded. */
function kept(activities: number, { row, next, nowMs, operation, activityId }: Doing): readonly Write[] {
  const isPreAuth = next.kind === "authorized" || next.kind === "released";
  const isLetGo = next.kind === "cancelled" && row.pre_auth_status !== null;
  return [
    updateRequest({
      id: row.id,
      status: isPreAuth ? "paid" : next.kind,
      cancellation_reason: next.kind === "cancelled" ? next.reason : row.cancellation_reason,
      pre_auth_status: isPreAuth ? next.kind : isLetGo ? "released" : row.pre_auth_status,
      pre_auth_expires_ms: isPreAuth ? next.hold.expiresMs : row.pre_auth_expires_ms,
      pending_minor: next.kind === "new" ? pendingMinor(next.pending) : 0,
      conditions: next.conditions.length === 0 ? row.conditions : JSON.stringify(next.conditions),
      activities,
      updated_ms: nowMs,
    }),
    ...(row.pre_auth_status === "authorized" && next.kind !== "authorized" ? [endHold(row)] : []),
    ...(operation === undefined ? [] : [operationWrite(operation, operation.asked, activityId)]),
  ];
}

type Kept = Pick<
  RequestRow,
  | "id"
  | "status"
  | "cancellation_reason"
  | "pre_auth_status"
  | "pre_auth_expires_ms"
  | "pending_minor"
  | "conditions"
  | "activities"
  | "updated_ms"
>;
const updateRequest = writeOf((tx, kept: Kept) =>
  tx
    .updateTable("payment_request")
    .set({
      status: kept.status,
      cancellation_reason: kept.cancellation_reason,
      pre_auth_status: kept.pre_auth_status,
      pre_auth_expires_ms: kept.pre_auth_expires_ms,
      pending_minor: kept.pending_minor,
      conditions: kept.conditions,
      activities: kept.activities,
      updated_ms: kept.updated_ms,
    })
    .where("id", "=", kept.id),
);
const endHold = writeOf((tx, { id }: ById) =>
  tx.updateTable("hold").set({ is_held: 0 }).where("payment_request_id", "=", id),
);

/** Somebody else was first, and a source or a wallet turns out to have too little. */
const spent = (): Fault => new Fault("INSUFFICIENT_ASSET_VALUE", "the asset no longer holds the amount");
const lacking = (): Fault => new Fault("REFUND_DECLINED", "the merchant's wallet does not hold the amount");

const take = (payment: Payment, doing: Doing): readonly Write[] =>
  transfer(doing, payment.id, "payment", spent, [
    [payment.sourceId, -payment.amountMinor],
    [payment.walletId, payment.amountMinor],
  ]);

const capture = (payment: Payment, doing: Doing): readonly Write[] =>
  transfer(doing, payment.id, "confirmation", undefined, [
    [holdAccount(doing.row), -payment.amountMinor],
    [payment.walletId, payment.amountMinor],
  ]);

const letGo = (
  { hold: held, transferId, amountMinor }: Extract<Effect, { kind: "letGo" }>,
  doing: Doing,
): readonly Write[] =>
  transfer(doing, transferId, "release", undefined, [
    [holdAccount(doing.row), -amountMinor],
    [held.sourceId, amountMinor],
  ]);

const giveBack = (
  { transferId, returns }: Extract<Effect, { kind: "giveBack" }>,
  doing: Doing,
): readonly Write[] => [
  ...transfer(
    doing,
    transferId,
    "refund",
    lacking,
    returns.flatMap(({ payment, amountMinor }) => [
      [payment.walletId, -amountMinor] as const,
      [payment.sourceId, amountMinor] as const,
    ]),
  ),
  ...returns.map(({ payment, amountMinor }) => addRefunded({ id: payment.id, amountMinor })),
];
const addRefunded = writeOf((tx, { id, amountMinor }: ById & { readonly amountMinor: number }) =>
  tx
    .updateTable("payment")
    .set((e) => ({ refunded_minor: e("refunded_minor", "+", amountMinor) }))
    .where("id", "=", id),
);

const holdAccount = (row: RequestRow): string => `hold.${row.id}`;

/** One transfer; what several moves do to one account is one entry. */
function transfer(
  { row, realMs }: Doing,
  id: string,
  kind: Transfer["kind"],
  overdrawn: (() => Fault) | undefined,
  moves: readonly (readonly [accountId: string, amountMinor: number])[],
): readonly Write[] {
  const sums = new Map<string, number>();
  for (const [accountId, amountMinor] of moves) sums.set(accountId, (sums.get(accountId) ?? 0) + amountMinor);
  const entries = Array.from(sums, ([accountId, amountMinor]): Entry => ({
    accountId,
    currency: row.currency,
    amountMinor,
  }));
  return postings({ id, kind, ref: row.id, createdMs: realMs, entries }, overdrawn);
}

const hold = (held: Hold, doing: Doing): readonly Write[] => [
  ...transfer(doing, held.id, "authorization", spent, [
    [held.sourceId, -held.amountMinor],
    [holdAccount(doing.row), held.amountMinor],
  ]),
  insertHold({
    id: held.id,
    payment_request_id: doing.row.id,
    asset_type: held.assetType,
    asset_id: held.assetId,
    payer_account_id: held.payerAccountId,
    source_id: held.sourceId,
    wallet_id: held.walletId,
    amount_minor: held.amountMinor,
    expires_ms: held.expiresMs,
    is_held: 1,
    created_ms: doing.nowMs,
  }),
];
const insertHold = insertOf("hold", [
  "id",
  "payment_request_id",
  "asset_type",
  "asset_id",
  "payer_account_id",
  "source_id",
  "wallet_id",
  "amount_minor",
  "expires_ms",
  "is_held",
  "created_ms",
]);

/** `number`: of the activity that is recorded next, which is this payment's. */
const paymentWrite = (payment: Payment, number: number, { row, nowMs }: Doing): Write =>
  insertPayment({
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
  });
const insertPayment = insertOf("payment", [
  "id",
  "payment_request_id",
  "number",
  "asset_type",
  "asset_id",
  "payer_account_id",
  "source_id",
  "wallet_id",
  "amount_minor",
  "refunded_minor",
  "lines",
  "confirmation_key",
  "created_ms",
]);

type Recorded = Extract<Effect, { kind: "record" }>;
function toActivity(
  effect: Recorded,
  number: number,
  details: object,
  { row, nowMs, by }: Doing,
): ActivityRow {
  return {
    id: effect.activityId,
    payment_request_id: row.id,
    merchant_id: row.merchant_id,
    number,
    type: effect.facts.type,
    amount_minor: effect.amountMinor,
    created_by: by,
    created_ms: nowMs,
    details: JSON.stringify(details),
  };
}
const notices = (
  types: readonly NotificationType[],
  activity: ActivityRow,
  { random, realMs, row, subscriptions }: Doing,
): readonly Write[] => {
  const test = livenessOf(readOptions(row)) === "test";
  return noticeWrites(
    random,
    realMs,
    { accountId: row.merchant_account_id, test, types, activity },
    subscriptions,
  );
};

/** What the activity repeats of what was asked, and what only its type says. */
function toDetails({ activityId, facts }: Recorded, { row, nowMs, said, activityId: asked }: Doing): object {
  const told = detailsOf(facts, row.currency, nowMs);
  return activityId === asked ? { ...said, ...told } : told;
}
function detailsOf(facts: ActivityFacts, currency: string, nowMs: number): object {
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
