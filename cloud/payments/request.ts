/**
 * The payment request: every rule about its money, as `step(state, event) -> [state, effects]`. Pure; the shell runs the
 * effects in the transaction that read the state.
 *
 * Owns      when a request may be paid, held, confirmed, released, refunded, voided or expired, and what that moves.
 * Promises  it is paid once (M4); what is taken never exceeds its value, what is confirmed never what is held, what goes back
 *           never what was taken, and it goes to where it came from, the last payment first; the same key with the same
 *           content is answered as the first time, with other content it is refused.
 * Never     reads a clock (time is part of the event), looks at who is asking, or trusts a stored `new` past its expiry.
 *
 * What a provider elsewhere is asked to take is pending until its word is known. It counts as taken; the request does not run
 * out under it; and whatever else ends the request calls it off, so that the provider gives it back should it have taken it.
 *
 * An event carries the ids of what it would make, so that nothing here needs chance, and `earlier`: what was asked before
 * under the same key, if anything.
 */
import type { FaultCode } from "../http/fault.js";
import { isElsewhere } from "./asset-type.js";

export type Option = {
  readonly assetType: string;
  /** The most this option can take. */
  readonly amountMinor: number;
  /** The merchant's own asset that is paid into. A config may lack it: then the option cannot be paid. */
  readonly walletId?: string | undefined;
  /** Which tokens are taken, and for which lines. */
  readonly acceptedCollections?: readonly AcceptedCollection[] | undefined;
  /** What a provider elsewhere knows the merchant by. */
  readonly externalMerchantId?: string | undefined;
};
export type AcceptedCollection = {
  readonly id: string;
  /** Each line with the most that a token is worth to one unit of it. */
  readonly lines: readonly { readonly line: Line; readonly amountMinor: number }[];
};
/** Money taken from one source. A confirmation of held money is a payment too. */
export type Payment = {
  readonly id: string;
  readonly assetType: string;
  /** Whose asset it was, where it is one this platform keeps. */
  readonly assetId: string | null;
  readonly payerAccountId: string | null;
  /** The ledger accounts it came from and went to. */
  readonly sourceId: string;
  readonly walletId: string;
  readonly amountMinor: number;
  readonly refundedMinor: number;
  /** The lines a token paid for, and a discount for none: they must not be sold again. Of money, null. */
  readonly lines: readonly Line[] | null;
  /** Of a pre-authorised request: the key this confirmation was asked under. */
  readonly confirmationKey: string | null;
};
/** A payment that a provider elsewhere was asked for. */
export type Pending = {
  readonly payment: Payment;
  /** Whether it ends the request, however little it is. */
  readonly isLast: boolean;
};
export type Line = Readonly<Record<string, unknown>>;
/** Money set aside for a pre-authorised request. */
export type Hold = {
  readonly id: string;
  readonly assetType: string;
  readonly assetId: string | null;
  readonly payerAccountId: string | null;
  readonly sourceId: string;
  readonly walletId: string;
  readonly amountMinor: number;
  readonly expiresMs: number;
};
/** What a provider says of the asset that is to pay. */
export type Source = {
  readonly id: string; // ledger account
  readonly type: string;
  readonly assetId: string | null;
  readonly accountId: string | null;
  readonly active: boolean;
  /** What it could give to this request. */
  readonly availableMinor: number;
  /** Spent whole or not at all: it gives what it can, whatever amount was asked for. */
  readonly whole: boolean;
  readonly lines: readonly Line[] | null;
  /** Where its money goes, whatever wallet the option names. */
  readonly walletId: string | null;
};
export const conditionStatuses = [
  "awaiting-merchant",
  "awaiting-patron",
  "accepted",
  "declined",
  "void",
] as const;
export type Condition = {
  readonly id: string;
  readonly name: string;
  readonly message: string;
  readonly status: (typeof conditionStatuses)[number];
};
/** A condition before a request has it: what must be seen to, and by whom. */
export type Raised = Pick<Condition, "name" | "message"> & { readonly by: "merchant" | "patron" };
export type Terms = {
  readonly valueMinor: number;
  readonly currency: string;
  readonly options: readonly Option[];
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly preAuth: boolean;
  readonly partialAllowed: boolean;
};
export const cancellationReasons = [
  "CANCELLED_BY_MERCHANT",
  "DECLINED_BY_MERCHANT",
  "DECLINED_BY_PATRON",
  "PAYMENT_FAILED",
] as const;
export type CancellationReason = (typeof cancellationReasons)[number];
export type Request = { readonly terms: Terms; readonly conditions: readonly Condition[] } & (
  | {
      readonly kind: "new";
      readonly payments: readonly Payment[]; // parts of one that several assets pay
      readonly pending: readonly Pending[];
    }
  | { readonly kind: "paid"; readonly payments: readonly Payment[] }
  | { readonly kind: "authorized"; readonly hold: Hold; readonly payments: readonly Payment[] }
  | { readonly kind: "released"; readonly hold: Hold; readonly payments: readonly Payment[] }
  | { readonly kind: "cancelled"; readonly reason: CancellationReason }
  | { readonly kind: "expired" }
);

/** What was asked under a key the first time, in one canonical text, and the activity it made. */
export type Earlier = { readonly asked: string; readonly activityId: string };
type Asking = {
  readonly nowMs: number;
  readonly activityId: string;
  /** For the activity that follows from the first: a cancellation after a refund. */
  readonly nextActivityId: string;
  readonly asked: string;
  readonly earlier: Earlier | undefined;
};
type Verdict = { readonly conditionId: string; readonly by: "merchant" | "patron" };
type Word = { readonly paymentId: string; readonly activityId: string; readonly nextActivityId: string };
export type PayMode = "partial-payment" | "multi-asset-payment";
export type Event =
  | ({
      readonly kind: "pay";
      readonly isStopped: boolean; // the merchant takes no payments
      readonly assetType: string;
      readonly source: Source;
      readonly mode: PayMode | undefined;
      readonly amountMinor: number | undefined;
    } & Asking)
  | ({
      readonly kind: "refund";
      readonly valueMinor: number;
      readonly currency: string;
      readonly confirmationKey: string | undefined;
      /** The products it is for, where that is said. */
      readonly skus: readonly string[];
    } & Asking)
  | ({ readonly kind: "void" } & Asking)
  | ({ readonly kind: "release" } & Asking)
  | ({
      readonly kind: "confirm";
      readonly isStopped: boolean;
      readonly key: string;
      readonly valueMinor: number;
      readonly currency: string;
    } & Asking)
  | ({ readonly kind: "acceptCondition" } & Verdict & Asking)
  | ({ readonly kind: "declineCondition" } & Verdict & Asking)
  /** The word of a provider elsewhere on what it was asked to take: it did, it did not, or it has never heard of it. */
  | ({ readonly kind: "taken" } & Word)
  | ({ readonly kind: "declined" } & Word)
  | ({ readonly kind: "lost" } & Word)
  /** Something must be seen to before it is paid. Only a merchant that said so (`conditionsEnabled`) can. */
  | {
      readonly kind: "raise";
      readonly condition: Raised;
      readonly conditionsEnabled: boolean;
      readonly activityId: string;
      readonly nextActivityId: string;
    }
  /** Its time is over: the request's own, or that of the money set aside for it. */
  | {
      readonly kind: "expire";
      readonly nowMs: number;
      readonly activityId: string;
      readonly nextActivityId: string;
    };

/** Part of a refund: what goes back from the merchant for one payment. */
export type Return = { readonly payment: Payment; readonly amountMinor: number };
export type ActivityFacts =
  | { readonly type: "payment"; readonly payment: Payment }
  | { readonly type: "paid"; readonly payments: readonly Payment[] }
  | { readonly type: "authorization"; readonly hold: Hold }
  | { readonly type: "confirmation"; readonly payment: Payment; readonly key: string }
  | { readonly type: "release"; readonly amountMinor: number }
  | {
      readonly type: "refund";
      readonly returns: readonly Return[];
      readonly confirmationKey: string | undefined;
    }
  | { readonly type: "cancellation"; readonly cancellationReason: CancellationReason }
  | { readonly type: "accept-condition" | "decline-condition"; readonly conditionId: string }
  | { readonly type: "expiry" };
export const notificationTypes = [
  "payment-request:paid",
  "payment-request:refund-initiated",
  "payment-request:refund-completed",
] as const;
export type NotificationType = (typeof notificationTypes)[number];
export type Effect =
  | { readonly kind: "take"; readonly payment: Payment }
  /** To be asked of a provider elsewhere. */
  | { readonly kind: "ask"; readonly pending: Pending }
  /** What was asked is settled, */
  | { readonly kind: "settle"; readonly paymentId: string; readonly as: "paid"; readonly takenAs: string }
  | { readonly kind: "settle"; readonly paymentId: string; readonly as: "declined" }
  /** or is not wanted any more, whatever comes of it. */
  | { readonly kind: "callOff"; readonly paymentId: string }
  | { readonly kind: "hold"; readonly hold: Hold }
  | { readonly kind: "capture"; readonly hold: Hold; readonly payment: Payment }
  | { readonly kind: "letGo"; readonly hold: Hold; readonly transferId: string; readonly amountMinor: number }
  | { readonly kind: "giveBack"; readonly transferId: string; readonly returns: readonly Return[] }
  | {
      readonly kind: "record";
      readonly activityId: string;
      readonly amountMinor: number;
      readonly facts: ActivityFacts;
      readonly notify: readonly NotificationType[];
    }
  | { readonly kind: "answerAgain"; readonly activityId: string }
  | { readonly kind: "refuse"; readonly code: FaultCode; readonly reason?: string }
  | { readonly kind: "ignored" };
export type Step = readonly [next: Request, effects: readonly Effect[]];

/** Why nothing is paid to a merchant that was deactivated or put on hold: which of the two, and why, is not the payer's to know. */
export const MERCHANT_STOPPED = "the merchant takes no payments";
/** A paid request can be voided for a day; after that it is refunded. */
export const VOID_WINDOW_MS = 24 * 60 * 60 * 1000;
/** Parts that leave something due: all of them go back in one step. */
export const MOST_PARTS = 20;
/** What comes back to a voucher or a token can be spent for this long at the least, even if its own time was over by then. */
export const RETURNED_FOR_MS = 30 * 24 * 60 * 60 * 1000;
/** Money set aside and not confirmed goes back by itself after three months. */
export const HOLD_MS = 90 * 24 * 60 * 60 * 1000;

type In<S> = Extract<Request, { kind: S }>;
type On<E> = Extract<Event, { kind: E }>;
type Cell<S, E> = (state: In<S>, event: On<E>) => Step;
type Table = {
  readonly [S in Request["kind"]]: { readonly [E in Event["kind"]]: Cell<S, E> };
};

const notPreAuth = (s: Request): Step => refuse(s, "INVALID_PAYMENT_REQUEST_TYPE");
const cancelled = (s: Request): Step => refuse(s, "REQUEST_CANCELLED");
const expired = (s: Request): Step => refuse(s, "REQUEST_EXPIRED");
const settled = (s: Request): Step => refuse(s, "CONDITION_ALREADY_SET");
/** A provider's word on a request that has ended: nothing is taken any more, and what was is to go back. */
const late = {
  taken: (s: Request, e: { readonly paymentId: string }): Step => [s, [callOff(e.paymentId)]],
  declined: (s: Request, e: { readonly paymentId: string }): Step => [s, [declined(e.paymentId)]],
  lost: (s: Request, e: { readonly paymentId: string }): Step => [s, [callOff(e.paymentId)]],
};

/** Every (state, event) pair. A key that was used before never gets here. */
const table: Table = {
  new: {
    pay,
    refund: (s) => refuse(s, s.terms.preAuth ? "PRE_AUTH_PENDING" : "NOT_PAID"),
    void: (s, e) => (hasRunOut(s, e) ? expired(s) : end(s, e, "CANCELLED_BY_MERCHANT")),
    confirm: (s) => (s.terms.preAuth ? refuse(s, "PRE_AUTH_PENDING") : notPreAuth(s)),
    release: (s, e) => {
      if (!s.terms.preAuth) return notPreAuth(s);
      return isPast(s, e) ? expired(s) : end(s, e, "CANCELLED_BY_MERCHANT");
    },
    acceptCondition: setCondition,
    declineCondition: setCondition,
    raise,
    expire: (s, e) => {
      if (!hasRunOut(s, e)) return ignore(s);
      const next: Request = { kind: "expired", terms: s.terms, conditions: withNoneAwaited(s.conditions) };
      return withParts(s, e, next, { type: "expiry" });
    },
    taken: takePending,
    declined: (s, e) => [withoutPending(s, e.paymentId), [declined(e.paymentId)]],
    lost: (s, e) => [withoutPending(s, e.paymentId), [callOff(e.paymentId)]],
  },
  paid: {
    pay: (s) => refuse(s, "REQUEST_PAID"),
    refund: (s, e) => {
      if (e.confirmationKey !== undefined) return refuse(s, "CONFIRMATION_NOT_FOUND");
      return refund(s, e, s.payments);
    },
    void: (s, e) => {
      const left = leftMinor(s.payments);
      if (left === 0) return refuse(s, "ALREADY_REFUNDED");
      if (e.nowMs - s.terms.createdMs > VOID_WINDOW_MS) return refuse(s, "VOID_WINDOW_EXCEEDED");
      return giveBack(s, e, returnsOf(s.payments, left), left);
    },
    confirm: notPreAuth,
    release: notPreAuth,
    acceptCondition: settled,
    declineCondition: settled,
    raise: ignore,
    expire: ignore,
    ...late,
  },
  authorized: {
    pay: (s) => refuse(s, "REQUEST_PAID"),
    refund: refundConfirmation,
    void: (s, e) => {
      if (s.payments.length > 0) return refuse(s, "PRE_AUTH_ALREADY_CONFIRMED");
      if (e.nowMs - s.terms.createdMs > VOID_WINDOW_MS) return refuse(s, "VOID_WINDOW_EXCEEDED");
      const { terms, conditions, hold } = s;
      const reason = "CANCELLED_BY_MERCHANT";
      return [
        { kind: "cancelled", terms, conditions, reason },
        [
          { kind: "letGo", hold, transferId: e.nextActivityId, amountMinor: hold.amountMinor },
          record(e.activityId, terms.valueMinor, { type: "cancellation", cancellationReason: reason }),
          record(e.nextActivityId, hold.amountMinor, { type: "release", amountMinor: hold.amountMinor }),
        ],
      ];
    },
    confirm,
    release: (s, e) => letGo(s, e.activityId),
    acceptCondition: settled,
    declineCondition: settled,
    raise: ignore,
    expire: (s, e) => (e.nowMs < s.hold.expiresMs ? ignore(s) : letGo(s, e.activityId)),
    ...late,
  },
  released: {
    pay: (s) => refuse(s, "REQUEST_PAID"),
    refund: refundConfirmation,
    void: (s) => refuse(s, s.payments.length > 0 ? "PRE_AUTH_ALREADY_CONFIRMED" : "ALREADY_REFUNDED"),
    confirm: (s) => refuse(s, "PRE_AUTH_RELEASED"),
    release: (s) => refuse(s, "PRE_AUTH_RELEASED"),
    acceptCondition: settled,
    declineCondition: settled,
    raise: ignore,
    expire: ignore,
    ...late,
  },
  cancelled: {
    pay: cancelled,
    refund: (s) => refuse(s, "NOT_PAID"),
    void: cancelled,
    confirm: cancelled,
    release: cancelled,
    acceptCondition: settled,
    declineCondition: settled,
    raise: ignore,
    expire: ignore,
    ...late,
  },
  expired: {
    pay: expired,
    refund: (s) => refuse(s, "NOT_PAID"),
    void: expired,
    confirm: expired,
    release: expired,
    acceptCondition: settled,
    declineCondition: settled,
    raise: ignore,
    expire: ignore,
    ...late,
  },
};

export function step(state: Request, event: Event): Step {
  if ("earlier" in event && event.earlier !== undefined) {
    const { asked, activityId } = event.earlier;
    const isPending = state.kind === "new" && state.pending.some(({ payment }) => payment.id === activityId);
    if (asked === event.asked && isPending) return refuse(state, "PAYMENT_UNCONFIRMED");
    if (asked === event.asked) return [state, [{ kind: "answerAgain", activityId }]];
    return refuse(state, event.kind === "refund" ? "REPEAT_REFERENCE" : "IDEMPOTENT_OPERATION_FAILED");
  }
  // The row was picked by state.kind and the cell by event.kind, so the cell takes exactly these two.
  const cell = table[state.kind][event.kind] as (state: Request, event: Event) => Step;
  return cell(state, event);
}

/**
 * What a reader is told: a request past its expiry is expired, whether or not that was written down yet, unless somebody is
 * paying it.
 */
export const statusAt = <S extends string>(
  row: { readonly status: S; readonly expires_ms: number; readonly pending_minor: number },
  nowMs: number,
): S | "expired" =>
  row.status === "new" && nowMs >= row.expires_ms && row.pending_minor === 0 ? "expired" : row.status;

/** The same of money that is held. */
export const preAuthStatusAt = <S extends string>(
  row: { readonly pre_auth_status: S | null; readonly pre_auth_expires_ms: number | null },
  nowMs: number,
): S | "released" | null =>
  row.pre_auth_status !== null && nowMs >= (row.pre_auth_expires_ms ?? Infinity)
    ? "released"
    : row.pre_auth_status;

/**
 * What a reader is told was paid: while money is held, all of that, and once it was let go, what was confirmed of it. What the
 * parts of an ended request paid goes back.
 */
export const paidAt = <P, H>(
  row: Parameters<typeof statusAt>[0] & Parameters<typeof preAuthStatusAt>[0],
  { payments, hold }: { readonly payments: readonly P[]; readonly hold: H | undefined },
  nowMs: number,
): readonly (P | H)[] => {
  const status = statusAt(row, nowMs);
  if (status !== "paid" && status !== "new") return [];
  return hold !== undefined && preAuthStatusAt(row, nowMs) === "authorized" ? [hold] : payments;
};

function pay(state: In<"new">, event: On<"pay">): Step {
  const { terms } = state;
  const { source, mode } = event;
  if (isPast(state, event)) return expired(state);
  if (event.isStopped) return refuse(state, "INVALID_MERCHANT_CONFIG", MERCHANT_STOPPED);
  if (state.conditions.some(({ status }) => status !== "accepted"))
    return refuse(state, "PAYMENT_DECLINED", "a condition waits to be accepted");
  const option = terms.options.find(({ assetType }) => assetType === event.assetType);
  if (option === undefined || source.type !== event.assetType) return refuse(state, "INVALID_ASSET_TYPE");
  // What is made out of nothing (a merchant's word, a token) has an account of its own: in a wallet it could be spent.
  const walletId = source.walletId ?? option.walletId;
  if (walletId === undefined) return refuse(state, "INVALID_MERCHANT_CONFIG");
  if (walletId === source.id) return refuse(state, "INVALID_ASSET_TYPE"); // the merchant pays itself
  if (!source.active) return refuse(state, "INACTIVE_ASSET");
  if (mode === "partial-payment" && !terms.partialAllowed)
    return refuse(state, "INVALID_PAYMENT_REQUEST_TYPE", "partialAllowed was not set on the request");
  if (mode !== undefined && terms.preAuth)
    return refuse(state, "INVALID_PAYMENT_REQUEST_TYPE", "a pre-authorisation is one asset's");

  const dueMinor = terms.valueMinor - takenMinor(state.payments) - pendingMinor(state.pending);
  if (dueMinor === 0)
    return refuse(state, "REMAINING_AMOUNT_EXCEEDED", "another payment is not confirmed yet");
  const available = Math.min(source.availableMinor, option.amountMinor);
  const wanted =
    event.amountMinor !== undefined && !source.whole
      ? event.amountMinor
      : mode === undefined && !source.whole
        ? dueMinor
        : Math.min(available, dueMinor);
  if (wanted > dueMinor) return refuse(state, "REMAINING_AMOUNT_EXCEEDED");
  if (wanted < dueMinor && mode === undefined)
    return refuse(
      state,
      event.amountMinor === undefined ? "INSUFFICIENT_ASSET_VALUE" : "INVALID_AMOUNT",
      "less than what is due needs a mode",
    );
  if (available < wanted || wanted === 0) return refuse(state, "INSUFFICIENT_ASSET_VALUE");
  const isLast = mode === "partial-payment";
  if (wanted < dueMinor && !isLast && state.payments.length + state.pending.length >= MOST_PARTS)
    return refuse(state, "INVALID_AMOUNT", `after ${MOST_PARTS} parts, only all that is due`);

  const from = {
    id: event.activityId,
    assetType: event.assetType,
    assetId: source.assetId,
    payerAccountId: source.accountId,
    sourceId: source.id,
    walletId,
    amountMinor: wanted,
  };
  const { conditions } = state;
  if (terms.preAuth) {
    const hold: Hold = { ...from, expiresMs: event.nowMs + HOLD_MS };
    return [
      { kind: "authorized", terms, conditions, hold, payments: [] },
      [
        { kind: "hold", hold },
        record(hold.id, wanted, { type: "authorization", hold }, ["payment-request:paid"]),
      ],
    ];
  }
  const payment: Payment = { ...from, refundedMinor: 0, lines: source.lines, confirmationKey: null };
  if (isElsewhere(event.assetType)) {
    const pending: Pending = { payment, isLast };
    return [{ ...state, pending: [...state.pending, pending] }, [{ kind: "ask", pending }]];
  }
  return take(state, payment, isLast, event.nextActivityId);
}

/** A payment is taken: a part, or what ends it. */
function take(state: In<"new">, payment: Payment, isLast: boolean, wholeActivityId: string): Step {
  const { terms, conditions } = state;
  const payments = [...state.payments, payment];
  const taken: Effect = { kind: "take", payment };
  const part: ActivityFacts = { type: "payment", payment };
  if (takenMinor(payments) < terms.valueMinor && !isLast)
    return [{ ...state, payments }, [taken, record(payment.id, payment.amountMinor, part)]];
  const next: Request = { kind: "paid", terms, conditions, payments };
  const off = state.pending.map((one) => callOff(one.payment.id));
  if (state.payments.length === 0)
    return [next, [taken, record(payment.id, payment.amountMinor, part, ["payment-request:paid"]), ...off]];
  // Several assets paid it: what is notified is the whole, not its last part.
  const whole = record(wholeActivityId, takenMinor(payments), { type: "paid", payments }, [
    "payment-request:paid",
  ]);
  return [next, [taken, record(payment.id, payment.amountMinor, part), whole, ...off]];
}

/**
 * In time or not: it was asked for in time, and nothing else ended the request. Its id is from now: lists go by ids, and it may
 * have been asked for long ago.
 */
function takePending(state: In<"new">, event: On<"taken">): Step {
  const found = state.pending.find(({ payment }) => payment.id === event.paymentId);
  if (found === undefined) return [state, [callOff(event.paymentId)]];
  const rest = withoutPending(state, event.paymentId);
  const payment = { ...found.payment, id: event.activityId };
  const [next, effects] = take(rest, payment, found.isLast, event.nextActivityId);
  return [
    next,
    [{ kind: "settle", paymentId: event.paymentId, as: "paid", takenAs: payment.id }, ...effects],
  ];
}

const withoutPending = (state: In<"new">, paymentId: string): In<"new"> => ({
  ...state,
  pending: state.pending.filter(({ payment }) => payment.id !== paymentId),
});

function confirm(state: In<"authorized">, event: On<"confirm">): Step {
  const { hold } = state;
  if (event.nowMs >= hold.expiresMs) return refuse(state, "PRE_AUTH_RELEASED");
  if (event.isStopped) return refuse(state, "INVALID_MERCHANT_CONFIG", MERCHANT_STOPPED);
  const heldMinor = hold.amountMinor - takenMinor(state.payments);
  if (event.currency !== state.terms.currency || event.valueMinor > heldMinor)
    return refuse(state, "INVALID_AMOUNT", `${heldMinor} minor units are held`);
  const payment: Payment = {
    id: event.activityId,
    assetType: hold.assetType,
    assetId: hold.assetId,
    payerAccountId: hold.payerAccountId,
    sourceId: hold.sourceId,
    walletId: hold.walletId,
    amountMinor: event.valueMinor,
    refundedMinor: 0,
    lines: null,
    confirmationKey: event.key,
  };
  return [
    { ...state, payments: [...state.payments, payment] },
    [
      { kind: "capture", hold, payment },
      record(payment.id, payment.amountMinor, { type: "confirmation", payment, key: event.key }),
    ],
  ];
}

/** What is held and not confirmed goes back to where it came from. */
function letGo(state: In<"authorized">, activityId: string): Step {
  const { terms, conditions, hold, payments } = state;
  const amountMinor = hold.amountMinor - takenMinor(payments);
  const moved: readonly Effect[] =
    amountMinor === 0 ? [] : [{ kind: "letGo", hold, transferId: activityId, amountMinor }];
  return [
    { kind: "released", terms, conditions, hold, payments },
    [...moved, record(activityId, hold.amountMinor, { type: "release", amountMinor })],
  ];
}

function refundConfirmation(state: In<"authorized"> | In<"released">, event: On<"refund">): Step {
  const confirmed = state.payments.filter(({ confirmationKey }) => confirmationKey === event.confirmationKey);
  return confirmed.length === 0 ? refuse(state, "CONFIRMATION_NOT_FOUND") : refund(state, event, confirmed);
}

function refund(
  state: In<"paid"> | In<"authorized"> | In<"released">,
  event: On<"refund">,
  of: readonly Payment[],
): Step {
  const left = leftMinor(of);
  if (left === 0) return refuse(state, "ALREADY_REFUNDED");
  if (event.currency !== state.terms.currency || event.valueMinor > left)
    return refuse(state, "INVALID_AMOUNT");
  const returns = returnsOf(of, event.valueMinor, event.skus);
  if (returned(returns) < event.valueMinor)
    return refuse(state, "PARTIAL_REFUNDS_NOT_ALLOWED", "a token comes back whole or not at all");
  return giveBack(state, event, returns, event.valueMinor);
}

function giveBack(
  state: In<"paid"> | In<"authorized"> | In<"released">,
  event: On<"refund"> | On<"void">,
  returns: readonly Return[],
  amountMinor: number,
): Step {
  const back = new Map(returns.map((part) => [part.payment.id, part.amountMinor]));
  const payments = state.payments.map((payment) => ({
    ...payment,
    refundedMinor: payment.refundedMinor + (back.get(payment.id) ?? 0),
  }));
  const confirmationKey = event.kind === "refund" ? event.confirmationKey : undefined;
  return [
    { ...state, payments },
    [
      { kind: "giveBack", transferId: event.activityId, returns },
      record(event.activityId, amountMinor, { type: "refund", returns, confirmationKey }, refunded(returns)),
    ],
  ];
}
/** The ledger refunds at once: begun and done in one breath, and both are said. A provider elsewhere has yet to do it. */
const refunded = (returns: readonly Return[]): readonly NotificationType[] => [
  "payment-request:refund-initiated",
  ...(returns.some(({ payment }) => isElsewhere(payment.assetType))
    ? []
    : (["payment-request:refund-completed"] as const)),
];

/**
 * What was paid for the products that are named goes back first, and of the rest the last payment. A token that would be halved is
 * passed over; where that falls short, those tokens go back that make up the amount with what money paid. Is there no such
 * choice, it is less than the amount.
 */
function returnsOf(
  payments: readonly Payment[],
  amountMinor: number,
  skus: readonly string[] = [],
): readonly Return[] {
  const isNamed = ({ lines }: Payment): boolean =>
    lines?.some(({ sku }) => skus.some((one) => one === sku)) ?? false;
  const last = payments.toReversed();
  const inTurn = [...last.filter(isNamed), ...last.filter((payment) => !isNamed(payment))];
  const returns = upTo(inTurn, amountMinor);
  if (returned(returns) === amountMinor) return returns;
  const money = inTurn.filter(({ lines }) => lines === null);
  const tokens = inTurn.filter(({ lines, refundedMinor }) => lines !== null && refundedMinor === 0);
  const whole = thatMakeUp(tokens, amountMinor - leftMinor(money), amountMinor);
  return whole === undefined ? returns : upTo([...whole, ...money], amountMinor);
}

function upTo(payments: readonly Payment[], amountMinor: number): readonly Return[] {
  const returns: Return[] = [];
  let left = amountMinor;
  for (const payment of payments) {
    const part = Math.min(left, payment.amountMinor - payment.refundedMinor);
    if (part === 0 || (payment.lines !== null && part !== payment.amountMinor)) continue;
    left -= part;
    returns.push({ payment, amountMinor: part });
  }
  return returns;
}

/** The first choice of tokens worth so much together. There are MOST_PARTS and one at most, and of those alike one order is tried. */
function thatMakeUp(
  tokens: readonly Payment[],
  leastMinor: number,
  mostMinor: number,
): readonly Payment[] | undefined {
  if (leastMinor <= 0) return [];
  const [first, ...rest] = tokens;
  if (first === undefined || takenMinor(tokens) < leastMinor) return undefined;
  const { amountMinor } = first;
  const others =
    amountMinor <= mostMinor
      ? thatMakeUp(rest, leastMinor - amountMinor, mostMinor - amountMinor)
      : undefined;
  if (others !== undefined) return [first, ...others];
  const unlike = rest.filter((token) => token.amountMinor !== amountMinor);
  return thatMakeUp(unlike, leastMinor, mostMinor);
}

const returned = (returns: readonly Return[]): number =>
  returns.reduce((sum, { amountMinor }) => sum + amountMinor, 0);

/** Ends a request that was not paid whole: parts that were paid go back, what is pending is called off. */
function withParts(
  state: In<"new">,
  event: { readonly activityId: string; readonly nextActivityId: string },
  next: Request,
  facts: ActivityFacts,
): Step {
  const { valueMinor } = state.terms;
  const off = state.pending.map(({ payment }) => callOff(payment.id));
  const taken = takenMinor(state.payments);
  if (taken === 0) return [next, [...off, record(event.activityId, valueMinor, facts)]];
  const returns = returnsOf(state.payments, taken);
  const back: ActivityFacts = { type: "refund", returns, confirmationKey: undefined };
  return [
    next,
    [
      ...off,
      { kind: "giveBack", transferId: event.nextActivityId, returns },
      record(event.nextActivityId, taken, back, refunded(returns)),
      record(event.activityId, valueMinor, facts),
    ],
  ];
}

function end(
  state: In<"new">,
  event: On<"void"> | On<"release"> | On<"raise">,
  reason: CancellationReason,
): Step {
  const { terms, conditions } = state;
  const next: Request = { kind: "cancelled", terms, conditions: withNoneAwaited(conditions), reason };
  return withParts(state, event, next, { type: "cancellation", cancellationReason: reason });
}

function raise(state: In<"new">, event: On<"raise">): Step {
  const { name, message, by } = event.condition;
  const status: Condition["status"] = event.conditionsEnabled ? `awaiting-${by}` : "void";
  const condition: Condition = { id: String(state.conditions.length + 1), name, message, status };
  const raised = { ...state, conditions: [...state.conditions, condition] };
  return event.conditionsEnabled ? [raised, []] : end(raised, event, "PAYMENT_FAILED");
}

function setCondition(state: In<"new">, event: On<"acceptCondition"> | On<"declineCondition">): Step {
  if (isPast(state, event)) return expired(state);
  const { terms } = state;
  const { conditionId, by } = event;
  const found = state.conditions.find(({ id }) => id === conditionId);
  if (found === undefined) return refuse(state, "FORBIDDEN");
  if (found.status !== "awaiting-merchant" && found.status !== "awaiting-patron") return settled(state);
  if (found.status !== `awaiting-${by}`)
    return refuse(state, by === "merchant" ? "MERCHANT_NOT_AUTHORIZED" : "PATRON_NOT_AUTHORIZED");
  const accepts = event.kind === "acceptCondition";
  const status: Condition["status"] = accepts ? "accepted" : "declined";
  const conditions = state.conditions.map((one) => (one === found ? { ...one, status } : one));
  const type = accepts ? "accept-condition" : "decline-condition";
  const said = record(event.activityId, terms.valueMinor, { type, conditionId });
  if (accepts) return [{ ...state, conditions }, [said]];
  const reason = by === "merchant" ? "DECLINED_BY_MERCHANT" : "DECLINED_BY_PATRON";
  return [
    { kind: "cancelled", terms, conditions: withNoneAwaited(conditions), reason },
    [
      said,
      record(event.nextActivityId, terms.valueMinor, { type: "cancellation", cancellationReason: reason }),
    ],
  ];
}

/** What nobody will see to any more, now that nothing is to be paid. */
const withNoneAwaited = (conditions: readonly Condition[]): readonly Condition[] =>
  conditions.map((one) =>
    one.status === "awaiting-merchant" || one.status === "awaiting-patron" ? { ...one, status: "void" } : one,
  );

const record = (
  activityId: string,
  amountMinor: number,
  facts: ActivityFacts,
  notify: readonly NotificationType[] = [],
): Effect => ({ kind: "record", activityId, amountMinor, facts, notify });

const callOff = (paymentId: string): Effect => ({ kind: "callOff", paymentId });
const declined = (paymentId: string): Effect => ({ kind: "settle", paymentId, as: "declined" });

export const pendingMinor = (pending: readonly Pending[]): number =>
  takenMinor(pending.map(({ payment }) => payment));
export const takenMinor = (payments: readonly Payment[]): number =>
  payments.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
const leftMinor = (payments: readonly Payment[]): number =>
  payments.reduce((sum, { amountMinor, refundedMinor }) => sum + amountMinor - refundedMinor, 0);
const isPast = (state: Request, { nowMs }: { readonly nowMs: number }): boolean =>
  nowMs >= state.terms.expiresMs;
/** Its time is over, and nobody is paying it. */
const hasRunOut = (state: In<"new">, event: { readonly nowMs: number }): boolean =>
  isPast(state, event) && state.pending.length === 0;
const refuse = (state: Request, code: FaultCode, reason?: string): Step => [
  state,
  [{ kind: "refuse", code, ...(reason === undefined ? {} : { reason }) }],
];
function ignore(state: Request): Step {
  return [state, [{ kind: "ignored" }]];
}
