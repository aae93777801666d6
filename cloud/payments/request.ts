/**
 * The payment request: every rule about its money, as `step(state, event) -> [state, effects]`. Pure; the shell runs the
 * effects in the transaction that read the state.
 *
 * Owns      when a request may be paid, refunded, voided or expired, and what that moves.
 * Promises  it is paid once (M4); what goes back never exceeds what was paid, and goes to the assets it came from; the same
 *           key with the same content is answered as the first time, with other content it is refused.
 * Never     reads a clock (time is part of the event), looks at who is asking, or trusts a stored `new` past its expiry.
 *
 * An event carries the ids of what it would make, so that nothing here needs chance, and `earlier`: what was asked before
 * under the same key, if anything.
 */
import type { FaultCode } from "../http/fault.js";

export type Option = {
  readonly assetType: string;
  readonly amountMinor: number;
  /** The merchant's own asset that is paid into. A config may lack it: then the option cannot be paid. */
  readonly walletId?: string | undefined;
};
/** Money taken from one asset. */
export type Payment = {
  readonly id: string;
  readonly assetId: string;
  readonly assetType: string;
  readonly payerAccountId: string;
  readonly walletId: string;
  readonly amountMinor: number;
  readonly refundedMinor: number;
};
export type Terms = {
  readonly valueMinor: number;
  readonly currency: string;
  readonly options: readonly Option[];
  readonly createdMs: number;
  readonly expiresMs: number;
};
export type CancellationReason = "CANCELLED_BY_MERCHANT";
export type Request = { readonly terms: Terms } & (
  | { readonly kind: "new" }
  | { readonly kind: "paid"; readonly payments: readonly Payment[] }
  | { readonly kind: "cancelled"; readonly reason: CancellationReason }
  | { readonly kind: "expired" }
);

/** What was asked under a key the first time, in one canonical text, and the activity it made. */
export type Earlier = { readonly asked: string; readonly activityId: string };
type Asking = {
  readonly nowMs: number;
  readonly activityId: string;
  readonly asked: string;
  readonly earlier: Earlier | undefined;
};
export type Event =
  | ({
      readonly kind: "pay";
      readonly assetType: string;
      readonly asset: {
        readonly id: string;
        readonly accountId: string;
        readonly type: string;
        readonly active: boolean;
        readonly balanceMinor: number;
      };
    } & Asking)
  | ({ readonly kind: "refund"; readonly valueMinor: number; readonly currency: string } & Asking)
  | ({ readonly kind: "void" } & Asking)
  | { readonly kind: "expire"; readonly nowMs: number; readonly activityId: string };

/** Part of a refund: what goes back from the merchant's wallet for one payment. */
export type Return = { readonly payment: Payment; readonly amountMinor: number };
export type ActivityFacts =
  | { readonly type: "payment"; readonly payment: Payment }
  | { readonly type: "refund"; readonly returns: readonly Return[] }
  | { readonly type: "cancellation"; readonly cancellationReason: CancellationReason }
  | { readonly type: "expiry" };
export const notificationTypes = [
  "payment-request:paid",
  "payment-request:refund-initiated",
  "payment-request:refund-completed",
] as const;
export type NotificationType = (typeof notificationTypes)[number];
export type Effect =
  | { readonly kind: "take"; readonly payment: Payment }
  | { readonly kind: "giveBack"; readonly transferId: string; readonly returns: readonly Return[] }
  | {
      readonly kind: "record";
      readonly activityId: string;
      readonly amountMinor: number;
      readonly facts: ActivityFacts;
      readonly notify: readonly NotificationType[];
    }
  | { readonly kind: "answerAgain"; readonly activityId: string }
  | { readonly kind: "refuse"; readonly code: FaultCode }
  | { readonly kind: "ignored" };
export type Step = readonly [next: Request, effects: readonly Effect[]];

/** A paid request can be voided for a day; after that it is refunded. */
export const VOID_WINDOW_MS = 24 * 60 * 60 * 1000;

type In<S> = Extract<Request, { kind: S }>;
type On<E> = Extract<Event, { kind: E }>;
type Cell<S, E> = (state: In<S>, event: On<E>) => Step;
type Table = {
  readonly [S in Request["kind"]]: { readonly [E in Event["kind"]]: Cell<S, E> };
};

/** Every (state, event) pair. A key that was used before never gets here. */
const table: Table = {
  new: {
    pay,
    refund: (s) => refuse(s, "NOT_PAID"),
    void: (s, e) => (isPast(s, e) ? refuse(s, "REQUEST_EXPIRED") : cancel(s, e)),
    expire: (s, e) =>
      isPast(s, e)
        ? [{ kind: "expired", terms: s.terms }, [record(s, e.activityId, { type: "expiry" })]]
        : ignore(s),
  },
  paid: {
    pay: (s) => refuse(s, "REQUEST_PAID"),
    refund: (s, e) => {
      const left = leftMinor(s);
      if (left === 0) return refuse(s, "ALREADY_REFUNDED");
      if (e.currency !== s.terms.currency || e.valueMinor > left) return refuse(s, "INVALID_AMOUNT");
      return giveBack(s, e, e.valueMinor);
    },
    void: (s, e) => {
      const left = leftMinor(s);
      if (left === 0) return refuse(s, "ALREADY_REFUNDED");
      if (e.nowMs - s.terms.createdMs > VOID_WINDOW_MS) return refuse(s, "VOID_WINDOW_EXCEEDED");
      return giveBack(s, e, left);
    },
    expire: ignore,
  },
  cancelled: {
    pay: (s) => refuse(s, "REQUEST_CANCELLED"),
    refund: (s) => refuse(s, "NOT_PAID"),
    void: (s) => refuse(s, "REQUEST_CANCELLED"),
    expire: ignore,
  },
  expired: {
    pay: (s) => refuse(s, "REQUEST_EXPIRED"),
    refund: (s) => refuse(s, "NOT_PAID"),
    void: (s) => refuse(s, "REQUEST_EXPIRED"),
    expire: ignore,
  },
};

export function step(state: Request, event: Event): Step {
  if (event.kind !== "expire" && event.earlier !== undefined) {
    const { asked, activityId } = event.earlier;
    if (asked === event.asked) return [state, [{ kind: "answerAgain", activityId }]];
    return refuse(state, event.kind === "refund" ? "REPEAT_REFERENCE" : "IDEMPOTENT_OPERATION_FAILED");
  }
  // The row was picked by state.kind and the cell by event.kind, so the cell takes exactly these two.
  const cell = table[state.kind][event.kind] as (state: Request, event: Event) => Step;
  return cell(state, event);
}

/** What a reader is told: a request past its expiry is expired, whether or not that was written down yet. */
export const statusAt = (stored: Request["kind"], expiresMs: number, nowMs: number): Request["kind"] =>
  stored === "new" && nowMs >= expiresMs ? "expired" : stored;

function pay(state: In<"new">, event: On<"pay">): Step {
  if (isPast(state, event)) return refuse(state, "REQUEST_EXPIRED");
  const option = state.terms.options.find(({ assetType }) => assetType === event.assetType);
  if (option === undefined || event.asset.type !== event.assetType)
    return refuse(state, "INVALID_ASSET_TYPE");
  if (option.walletId === undefined) return refuse(state, "INVALID_MERCHANT_CONFIG");
  if (option.walletId === event.asset.id) return refuse(state, "INVALID_ASSET_TYPE"); // the merchant pays itself
  if (!event.asset.active) return refuse(state, "INACTIVE_ASSET");
  if (event.asset.balanceMinor < option.amountMinor) return refuse(state, "INSUFFICIENT_ASSET_VALUE");
  const payment: Payment = {
    id: event.activityId,
    assetId: event.asset.id,
    assetType: event.assetType,
    payerAccountId: event.asset.accountId,
    walletId: option.walletId,
    amountMinor: option.amountMinor,
    refundedMinor: 0,
  };
  return [
    { kind: "paid", terms: state.terms, payments: [payment] },
    [
      { kind: "take", payment },
      record(state, event.activityId, { type: "payment", payment }, ["payment-request:paid"]),
    ],
  ];
}

function cancel(state: In<"new">, event: On<"void">): Step {
  const reason = "CANCELLED_BY_MERCHANT";
  return [
    { kind: "cancelled", terms: state.terms, reason },
    [record(state, event.activityId, { type: "cancellation", cancellationReason: reason })],
  ];
}

/** The last payment goes back first. */
function giveBack(state: In<"paid">, event: On<"refund"> | On<"void">, amountMinor: number): Step {
  const returns: Return[] = [];
  let left = amountMinor;
  const payments = state.payments.toReversed().map((payment) => {
    const part = Math.min(left, payment.amountMinor - payment.refundedMinor);
    if (part === 0) return payment;
    left -= part;
    returns.push({ payment, amountMinor: part });
    return { ...payment, refundedMinor: payment.refundedMinor + part };
  });
  return [
    { ...state, payments: payments.toReversed() },
    [
      { kind: "giveBack", transferId: event.activityId, returns },
      // The ledger refunds at once: it is begun and done in one breath, and both are said.
      record(state, event.activityId, { type: "refund", returns }, [
        "payment-request:refund-initiated",
        "payment-request:refund-completed",
      ]),
    ],
  ];
}

function record(
  state: Request,
  activityId: string,
  facts: ActivityFacts,
  notify: readonly NotificationType[] = [],
): Effect {
  const amountMinor =
    facts.type === "refund"
      ? facts.returns.reduce((sum, part) => sum + part.amountMinor, 0)
      : facts.type === "payment"
        ? facts.payment.amountMinor
        : state.terms.valueMinor;
  return { kind: "record", activityId, amountMinor, facts, notify };
}

const leftMinor = (state: In<"paid">): number =>
  state.payments.reduce((sum, { amountMinor, refundedMinor }) => sum + amountMinor - refundedMinor, 0);
const isPast = (state: Request, { nowMs }: { readonly nowMs: number }): boolean =>
  nowMs >= state.terms.expiresMs;
const refuse = (state: Request, code: FaultCode): Step => [state, [{ kind: "refuse", code }]];
function ignore(state: Request): Step {
  return [state, [{ kind: "ignored" }]];
}
