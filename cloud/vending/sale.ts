/**
 * A sale, as the merchant's backend decides it: `step(sale, event) -> [sale, notes]`. Pure; the shell runs what is owed.
 *
 * Owns      every rule about a sale's money: when a grant becomes a `go`, what was vended, what goes back, what a dark
 *           machine or an unknown vend costs whom.
 * Promises  a sale opens once, by the one journal entry that its `go` answers (M4, M6); what it refunds is the credit less
 *           what was vended (M3); duplicate, late and reordered events change nothing.
 * Never     reads a clock (time is part of the event), talks to anyone, or writes a sentence: notes are codes.
 * Crash     nothing lives outside the value. What is owed to others is derived from it by {@link owed}, so that it can be
 *           said again at any time, by any process.
 */
import { z } from "zod";
import type { JournalLine } from "../../broker/protocol/messages.js";

const mark = z.strictObject({ journal: z.string(), entry: z.int() });
/** One product the machine was told it may give. */
const vend = z.strictObject({
  vend: z.int(),
  item: z.int(),
  priceMinor: z.int(),
  /**
   * assumed: reset after the approval, which the standard counts as sold. presumed: nobody knows and the wallet's cap is
   * used up. loss: it fell after the customer had been refunded, or its price was given back; the merchant's, never a new charge.
   */
  outcome: z.enum(["approved", "succeeded", "assumed", "failed", "unknown", "presumed", "loss"]),
});
export type Vend = z.infer<typeof vend>;

export const saleState = z.enum([
  "reserving", // the machine is being asked
  "requesting", // it said yes; the payment request is being made
  "refused", // nothing was ever to be paid
  "awaitingPayment",
  "cancelling", // the payment request is being voided
  "paid", // the grant is out; no go was said, so nothing can vend
  "open", // go was said: only the machine's journal (or the dark-machine policy) closes it now
  "vending", // a vend was approved
  "unknown", // the session is over and nobody knows whether the product fell
  "settling", // what was not vended is being refunded
  "settled",
  "cancelled",
  "expired",
]);
export type SaleState = z.infer<typeof saleState>;

/** What the machine has under this number, as a token knows it. */
const product = z.strictObject({ item: z.int(), sku: z.string(), priceMinor: z.int() });
export type Product = z.infer<typeof product>;

export const sale = z.strictObject({
  id: z.string(),
  machineId: z.string(),
  creditMinor: z.int(),
  currency: z.string(),
  grantId: z.string(),
  /** What was held to the machine's scanner, and finds who is to pay. */
  barcode: z.string().nullable().default(null),
  /** What was chosen at the machine before anything was paid: the grant is for it and for nothing else. */
  selection: z
    .strictObject({ requestId: z.string(), item: z.int(), forMs: z.int() })
    .nullable()
    .default(null),
  /** Paid by a voucher whose code was typed at the machine: it gives what it holds, up to the credit. */
  byVoucher: z.boolean().default(false),
  /** The code is for a product: which of the machine's it may be and, once it has paid, which it is. It is spent whole. */
  products: z.array(product).nullable().default(null),
  /** The voucher's code: here only until it has been tried. */
  voucherCode: z.string().nullable().default(null),
  state: saleState,
  sinceMs: z.int(), // when the state was entered, by the cloud's clock
  newsMs: z.int(), // when the machine was last heard about this sale
  paymentRequestId: z.string().nullable(),
  payer: z.string().nullable(), // the account that paid, if the platform says it
  refusal: z.string().nullable(),
  /** With the refusal of a voucher: how long the terminal must wait before the next. */
  retryAfterSeconds: z.int().nullable().default(null),
  /** The journal entry that `go` answered: the one `accepted` that opened this sale. */
  go: mark.nullable(),
  opened: z.boolean(), // the machine has said that it heard the go
  voiding: z.boolean(), // the customer wants out; the journal decides
  /** An `accepted` that came when the sale could not open any more, until the machine says it has let it go. */
  stray: mark.nullable(),
  vends: z.array(vend),
  refundDueMinor: z.int(),
  refundedMinor: z.int(),
  refunds: z.int(), // how many went out: each has a reference of its own
  /** Why the platform refuses the refund that is due; it is asked again all the same. */
  refundRefusal: z.string().nullable().default(null),
  lossMinor: z.int(),
  dark: z.boolean(),
  /** The machine's journal is gone and so is its session: it may serve others while this one's money is settled. */
  letsGo: z.boolean(),
  flags: z.array(z.string()), // what a person should look at
});
export type Sale = z.infer<typeof sale>;

export type Event =
  | { readonly kind: "reserved"; readonly nowMs: number }
  | { readonly kind: "refused"; readonly code: Refusal; readonly nowMs: number }
  | { readonly kind: "requested"; readonly paymentRequestId: string; readonly nowMs: number }
  | {
      readonly kind: "paid";
      readonly amountMinor: number;
      readonly currency: string;
      readonly payer: string | null;
      /** What a product's code has paid for; `null` where that was not said. */
      readonly skus: readonly string[] | null;
      readonly nowMs: number;
    }
  /** The voucher pays nothing; its payment request is still to be voided. */
  | {
      readonly kind: "voucherRefused";
      readonly code: Refusal;
      readonly retryAfterSeconds: number | null;
      readonly nowMs: number;
    }
  | { readonly kind: "requestExpired"; readonly nowMs: number }
  /** The payment request was voided; `refundedMinor` is what had been paid in the meantime and went back. */
  | { readonly kind: "requestVoided"; readonly refundedMinor: number; readonly nowMs: number }
  | { readonly kind: "cancelAsked"; readonly nowMs: number }
  /** Somebody else asks for the machine. */
  | { readonly kind: "takeoverAsked"; readonly nowMs: number }
  | {
      readonly kind: "line";
      readonly journal: string;
      readonly entry: number;
      readonly line: JournalLine;
      readonly nowMs: number;
    }
  /** The payment request was paid after all, and cannot be voided any more. */
  | { readonly kind: "voidRefused"; readonly nowMs: number }
  /** The refund that was due under this reference is done. */
  | { readonly kind: "refunded"; readonly reference: string; readonly nowMs: number }
  | {
      readonly kind: "refundRefused";
      readonly reference: string;
      readonly code: string;
      readonly nowMs: number;
    }
  /** What has gone back of this payment so far, by the platform's own account of it. */
  | { readonly kind: "refundsFound"; readonly refundedMinor: number; readonly nowMs: number }
  /** The machine's owner gives back what a vend cost. */
  | { readonly kind: "givenBack"; readonly vend: number; readonly nowMs: number }
  /** The machine's own count leaves one answer for a vend in doubt. */
  | { readonly kind: "audited"; readonly vend: number; readonly fell: boolean; readonly nowMs: number }
  /** The machine has a new journal: the one this sale was opened by will never be heard again. */
  | { readonly kind: "journalReplaced"; readonly journal: string; readonly nowMs: number }
  /** Time has passed. `unknownRefunds`: how often this payer was refunded for an unknown vend lately. */
  | { readonly kind: "tick"; readonly unknownRefunds: number; readonly nowMs: number };
export type Refusal =
  | "MACHINE_OFFLINE"
  | "MACHINE_BUSY"
  | "MACHINE_OUT_OF_SERVICE"
  | "PAYMENTS_UNAVAILABLE"
  /** Of a barcode: not read well, or nobody's (any more). */
  | "CHECKSUM_FAILED"
  | "PATRON_CODE_INVALID"
  /** Of a voucher: no such code, none for this merchant, used up or run out; or too many wrong codes here. */
  | "ASSET_REDEMPTION_DENIED"
  | "INVALID_ASSET_TYPE"
  | "INACTIVE_ASSET"
  | "RATE_LIMIT_EXCEEDED";

/** The merchant's stated policy, and the patience of each wait. All in ms but the cap. */
export type Policy = {
  /** How soon something owed is said again; every wait after that is longer. */
  readonly againMs: number;
  readonly reserveMs: number;
  readonly requestMs: number;
  readonly heldUnpaidMs: number;
  readonly grantMs: number;
  readonly darkAfterMs: number;
  readonly unknownAfterMs: number;
  readonly unknownRefundCap: number;
};

/** A line of the sale's story: a code and what it speaks of. `words.ts` makes the sentence. */
export type Note = { readonly code: string; readonly item?: number; readonly minor?: number };
export type Step = readonly [next: Sale, notes: readonly Note[]];

export type NewSale = Pick<Sale, "id" | "machineId" | "creditMinor" | "currency" | "grantId"> & {
  readonly barcode?: string;
  readonly selection?: Sale["selection"];
  readonly voucher?: string;
  readonly products?: readonly Product[];
};
export const begin = ({ barcode, selection, voucher, products, ...what }: NewSale, nowMs: number): Sale => ({
  ...what,
  barcode: barcode ?? null,
  selection: selection ?? null,
  byVoucher: voucher !== undefined,
  products: products === undefined ? null : [...products],
  voucherCode: voucher ?? null,
  state: "reserving",
  sinceMs: nowMs,
  newsMs: nowMs,
  paymentRequestId: null,
  payer: null,
  refusal: null,
  retryAfterSeconds: null,
  go: null,
  opened: false,
  voiding: false,
  stray: null,
  vends: [],
  refundDueMinor: 0,
  refundedMinor: 0,
  refunds: 0,
  refundRefusal: null,
  lossMinor: 0,
  dark: false,
  letsGo: false,
  flags: [],
});

/** A code for a product begins with this digit, and one for money does not: the platform issues them so. */
export const isForProduct = (code: string): boolean => code.trimStart().startsWith("9");

/** What the platform is asked to take a product's code for: each product once, at the most it costs here. */
export function basket(products: readonly Product[]): readonly Product[] {
  const lines = new Map<string, Product>();
  for (const one of products)
    if (one.priceMinor > (lines.get(one.sku)?.priceMinor ?? 0)) lines.set(one.sku, one);
  return [...lines.values()];
}

/** A coffee takes minutes; nothing takes longer. */
const LONGEST_VEND_MS = 300_000;
/** For the way of what the machine says, and for clocks that do not run alike. */
const MARGIN_MS = 10_000;

/** Of a sale whose credit the machine has: when its session is over at the latest, heard or not, and when the machine is given up. */
export function sessionEnds(
  { state, sinceMs, newsMs }: Sale,
  {
    goMs,
    sessionMs,
    darkAfterMs,
  }: { readonly goMs: number; readonly sessionMs: number } & Pick<Policy, "darkAfterMs">,
): { readonly overMs: number; readonly givenUpMs: number } | undefined {
  if (state !== "open" && state !== "vending") return undefined;
  const lastsMs = state === "open" ? goMs + sessionMs : LONGEST_VEND_MS;
  return { overMs: sinceMs + lastsMs + MARGIN_MS, givenUpMs: newsMs + darkAfterMs };
}

/** While one of these, the machine serves this customer and no other. */
export const holdsMachine = ({ state, letsGo }: Sale): boolean =>
  !letsGo && ["reserving", "requesting", "awaitingPayment", "paid", "open", "vending"].includes(state);
/** Begun by a phone, which may be anywhere, and unpaid for so long that whoever else asks for the machine has it. */
export const mayBeTakenOver = (
  { state, sinceMs, barcode, selection, byVoucher }: Sale,
  nowMs: number,
  { heldUnpaidMs }: Pick<Policy, "heldUnpaidMs">,
): boolean =>
  state === "awaitingPayment" &&
  barcode === null &&
  selection === null &&
  !byVoucher &&
  nowMs - sinceMs >= heldUnpaidMs;
export const wasTakenOver = ({ flags }: Sale): boolean => flags.includes("takenOver");
export const isFinal = ({ state }: Sale): boolean =>
  ["refused", "settled", "cancelled", "expired"].includes(state);

/** Whether its own payment is known to have been made, whatever became of it. */
export const wasPaid = ({ state, refundedMinor }: Sale): boolean =>
  refundedMinor > 0 || ["paid", "open", "vending", "unknown", "settling", "settled"].includes(state);

export function step(s: Sale, event: Event, policy: Policy): Step {
  const [next, notes] = decide(s, event, policy);
  const isTried = !["reserving", "requesting", "awaitingPayment"].includes(next.state);
  return [next.voucherCode !== null && isTried ? { ...next, voucherCode: null } : next, notes];
}

function decide(s: Sale, event: Event, policy: Policy): Step {
  switch (event.kind) {
    case "reserved":
      return s.state === "reserving" ? [enter(s, "requesting", event.nowMs), []] : same(s);
    case "refused":
      return s.state === "reserving" || s.state === "requesting"
        ? [{ ...enter(s, "refused", event.nowMs), refusal: event.code }, []]
        : same(s);
    case "requested":
      return s.state === "requesting"
        ? [
            { ...enter(s, "awaitingPayment", event.nowMs), paymentRequestId: event.paymentRequestId },
            [{ code: "awaitingPayment", minor: s.creditMinor }],
          ]
        : same(s);
    case "paid":
      return paid(s, event);
    case "voucherRefused": {
      if (s.state !== "awaitingPayment" || !s.byVoucher) return same(s);
      const { code: refusal, retryAfterSeconds } = event;
      return [{ ...enter(s, "cancelling", event.nowMs), refusal, retryAfterSeconds }, []];
    }
    case "requestExpired":
      return s.state === "awaitingPayment" || s.state === "cancelling"
        ? [enter(s, "expired", event.nowMs), [{ code: "expired" }]]
        : same(s);
    case "requestVoided":
      if (s.state !== "cancelling" && s.state !== "awaitingPayment") return same(s);
      return [
        { ...enter(s, "cancelled", event.nowMs), refundedMinor: event.refundedMinor },
        event.refundedMinor > 0
          ? [{ code: "cancelled" }, { code: "refunded", minor: event.refundedMinor }]
          : [{ code: "cancelled" }],
      ];
    case "cancelAsked":
      return cancel(s, event.nowMs);
    case "takeoverAsked": // what was paid meanwhile, the void under way gives back
      return mayBeTakenOver(s, event.nowMs, policy)
        ? [flag(enter(s, "cancelling", event.nowMs), "takenOver"), [{ code: "takenOver" }]]
        : same(s);
    case "line":
      return heard(s, event);
    case "voidRefused": // it was paid, and it is too late for a void: a refund has no window
      return s.state === "cancelling" ? settle(s, event.nowMs, []) : same(s);
    case "refunded":
      return isDue(s, event) ? refunded(s, event.nowMs) : same(s);
    case "refundRefused":
      if (!isDue(s, event)) return same(s);
      // Somebody gave all of it back by hand: nothing is left to be given.
      if (event.code === "ALREADY_REFUNDED") return refunded(flag(s, event.code), event.nowMs);
      return s.refundRefusal === event.code
        ? same(s)
        : [{ ...flag(s, event.code), refundRefusal: event.code }, [{ code: "refundRefused" }]];
    case "refundsFound": {
      // More than we gave: somebody gave part of it back by hand, and only the rest is still due.
      const refundedMinor = Math.min(event.refundedMinor, s.creditMinor);
      if (s.state !== "settling" || refundedMinor <= s.refundedMinor) return same(s);
      return settle({ ...flag(s, "refundedByHand"), refundedMinor }, event.nowMs, [
        { code: "refunded", minor: refundedMinor - s.refundedMinor },
      ]);
    }
    case "givenBack":
      return givenBack(s, event);
    case "audited":
      return audited(s, event);
    case "journalReplaced":
      // Its money waits for the dark-machine policy; the machine itself can serve the next customer.
      if (s.go === null || s.go.journal === event.journal || s.letsGo || !holdsMachine(s)) return same(s);
      return [{ ...flag(s, "journalReplaced"), letsGo: true }, []];
    case "tick":
      return tick(s, event, policy);
  }
}

/**
 * The payment's amount must be this sale's (a voucher's no more than that, and then it is the credit): anything else is nobody's
 * grant, goes back, and is a person's business.
 */
function paid(s: Sale, event: Extract<Event, { kind: "paid" }>): Step {
  const wasOver = s.state === "expired" || (s.state === "cancelled" && s.refundedMinor === 0);
  if (s.state !== "awaitingPayment" && !wasOver) return same(s); // while cancelling, the void under way gives it back
  const { amountMinor } = event;
  // A notification need not say what was paid for; the request itself does, and is asked for.
  const { skus } = event;
  if (s.products !== null && skus === null && !wasOver) return same(s);
  const isRight = s.byVoucher
    ? amountMinor > 0 && amountMinor <= s.creditMinor
    : amountMinor === s.creditMinor;
  if (!isRight || event.currency !== s.currency)
    return [flag(enter(s, "cancelling", event.nowMs), "amountMismatch"), []];
  const products = s.products?.filter(
    ({ sku, priceMinor }) => skus?.includes(sku) === true && priceMinor <= amountMinor,
  );
  // Worth less here than what it is for, or for none of this (money off a basket): nothing could come of it.
  if (products?.length === 0 && !wasOver)
    return [{ ...enter(s, "cancelling", event.nowMs), refusal: "INVALID_ASSET_TYPE" }, []];
  const credited = { ...s, creditMinor: amountMinor, payer: event.payer, products: products ?? null };
  // The platform took money for a sale that was given up: nothing can vend under it any more, so all of it goes back.
  if (wasOver)
    return settle(flag(credited, "latePayment"), event.nowMs, [{ code: "latePayment", minor: amountMinor }]);
  return [enter(credited, "paid", event.nowMs), [{ code: "paid", minor: amountMinor }]];
}

/** Before payment a cancel voids; with no go said it refunds at once; after that it is a wish, and the journal decides. */
function cancel(s: Sale, nowMs: number): Step {
  if (s.state === "awaitingPayment") return [enter(s, "cancelling", nowMs), [{ code: "cancelAsked" }]];
  // Taken back before anybody could be shown what to pay: nobody ever will.
  if ((s.state === "reserving" || s.state === "requesting") && s.selection !== null)
    return [{ ...enter(s, "refused", nowMs), refusal: "MACHINE_BUSY" }, []];
  if (s.state === "paid") return settle(s, nowMs, [{ code: "cancelAsked" }]);
  if ((s.state === "open" || s.state === "vending") && !s.voiding)
    return [{ ...s, voiding: true }, [{ code: "cancelAsked" }]];
  return same(s);
}

const DENIED: Readonly<Record<Extract<JournalLine, { kind: "denied" }>["reason"], string>> = {
  aboveCredit: "deniedAboveCredit",
  badPrice: "denied",
  suspended: "deniedSuspended",
  notGranted: "deniedNotGranted",
};

/** What a line of the machine's journal means. Lines come in order and once; the caller sees to that. */
function heard(before: Sale, { journal, entry, line, nowMs }: Extract<Event, { kind: "line" }>): Step {
  const s = { ...before, newsMs: nowMs };
  if (line.kind === "accepted") {
    if (s.state === "paid")
      return [{ ...enter(s, "open", nowMs), go: { journal, entry } }, [{ code: "accepted" }]];
    return [{ ...s, stray: { journal, entry } }, []];
  }
  if (line.kind === "refused")
    return s.state === "paid" ? settle(s, nowMs, [{ code: "machineRefused" }]) : [s, []];
  const strayEnds =
    s.stray?.journal === journal &&
    entry > s.stray.entry &&
    (line.kind === "lapsed" || line.kind === "closed");
  if (strayEnds) return [{ ...s, stray: null }, []];
  if (s.go === null || s.go.journal !== journal || entry <= s.go.entry) return [s, []];
  const live = s.state === "open" || s.state === "vending";
  switch (line.kind) {
    case "opened":
      return [{ ...s, opened: true }, live ? [openedNote(s)] : []];
    case "denied": {
      const code = DENIED[line.reason];
      return [s, live ? [{ code, item: line.item, minor: line.priceMinor }] : []];
    }
    case "approved": {
      const vends: Vend[] = [
        ...s.vends,
        { vend: line.vend, item: line.item, priceMinor: line.priceMinor, outcome: "approved" },
      ];
      return [
        live ? { ...enter(s, "vending", nowMs), vends } : { ...s, vends },
        live ? [{ code: "approved", item: line.item, minor: line.priceMinor }] : [],
      ];
    }
    case "succeeded":
      return result(s, line.vend, line.assumed ? "assumed" : "succeeded", nowMs);
    case "failed":
      return result(s, line.vend, "failed", nowMs);
    case "unknown":
      return result(s, line.vend, "unknown", nowMs);
    case "lapsed":
    case "closed":
      return live ? sessionOver(s, nowMs) : [s, []];
    default:
      return [s, []];
  }
}

function openedNote({ products, creditMinor }: Sale): Note {
  const [only] = products ?? [];
  return only === undefined
    ? { code: "opened", minor: creditMinor }
    : { code: "openedFor", item: only.item, minor: creditMinor };
}

/** The machine has let the session go. A vend that was approved and never reported on is as unknown as one that it says is. */
function sessionOver(s: Sale, nowMs: number): Step {
  const vends = s.vends.map((one): Vend =>
    one.outcome === "approved" ? { ...one, outcome: "unknown" } : one,
  );
  if (vends.some(({ outcome }) => outcome === "unknown")) {
    const isNews = s.vends.some(({ outcome }) => outcome === "approved"); // what the machine called unknown, it has said
    return [enter({ ...s, vends }, "unknown", nowMs), isNews ? [{ code: "unknown" }] : []];
  }
  return settle(s, nowMs, vends.some(isVended) ? [] : [{ code: "nothingVended" }]);
}

/** A vend's result. After the refund it can only be booked as the merchant's loss: never as a new charge. */
function result(s: Sale, number: number, outcome: Vend["outcome"], nowMs: number): Step {
  const known = s.vends.find((one) => one.vend === number);
  if (known === undefined || known.outcome === outcome) return [s, []];
  const to = (now: Vend["outcome"]): Sale => ({
    ...s,
    vends: s.vends.map((one) => (one === known ? { ...one, outcome: now } : one)),
  });
  const fell = outcome === "succeeded" || outcome === "assumed";
  const note = { code: outcome, item: known.item, minor: known.priceMinor };
  switch (s.state) {
    case "open":
    case "vending": {
      const next = enter(to(outcome), "open", nowMs);
      return [outcome === "assumed" ? flag(next, "assumedVend") : next, [note]];
    }
    case "unknown": {
      const next = to(outcome);
      return next.vends.some((one) => one.outcome === "unknown")
        ? [next, [note]]
        : settle(next, nowMs, [note]);
    }
    default: // the money is decided, or being given back
      if (known.outcome === "presumed" && outcome === "failed") return correct(to("failed"), nowMs, note);
      if (known.outcome === "presumed" && fell) return [to(outcome), [note]]; // charged already, and now known to be right
      if (known.outcome === "unknown" && outcome === "failed") return [to("failed"), [note]]; // refunded already, rightly
      if (!fell || (known.outcome !== "unknown" && known.outcome !== "approved")) return [s, []];
      return [
        { ...flag(to("loss"), "lateVend"), lossMinor: s.lossMinor + known.priceMinor },
        [{ code: "lateVend", item: known.item, minor: known.priceMinor }],
      ];
  }
}

/** Whether a vend of this sale is still in doubt, and nobody else's to decide. A dark machine's approval has no result for ever. */
export const isInDoubt = ({ state }: Sale, { outcome }: Vend): boolean =>
  (state === "unknown" || state === "settling" || state === "settled") &&
  ["assumed", "unknown", "presumed", "approved"].includes(outcome);

/** Whether its owner may give back what this vend cost: it was charged for, or may yet be, and the machine has let go of the sale. */
export const isReturnable = ({ state }: Sale, vend: Vend): boolean =>
  state === "unknown"
    ? isVended(vend) || vend.outcome === "unknown"
    : (state === "settling" || state === "settled") && isVended(vend);

/** Whether it fell or not, the customer does not pay for it any more: whatever is heard of it later. */
function givenBack(s: Sale, { vend: number, nowMs }: Extract<Event, { kind: "givenBack" }>): Step {
  const known = s.vends.find((one) => one.vend === number);
  if (known === undefined || !isReturnable(s, known)) return same(s);
  const vends = s.vends.map((one): Vend => (one === known ? { ...one, outcome: "loss" } : one));
  const next = flag({ ...s, vends, lossMinor: s.lossMinor + known.priceMinor }, "givenBack");
  const note = { code: "givenBack", item: known.item, minor: known.priceMinor };
  if (s.state === "unknown" && !vends.some(({ outcome }) => outcome === "unknown"))
    return settle(next, nowMs, [note]);
  return correct(next, nowMs, note);
}

/** What the machine has counted: it may give back, and close a doubt, and never charges. */
function audited(s: Sale, { vend: number, fell, nowMs }: Extract<Event, { kind: "audited" }>): Step {
  const known = s.vends.find((one) => one.vend === number);
  if (known === undefined || !isInDoubt(s, known)) return same(s);
  const { item, priceMinor: minor } = known;
  const to = (outcome: Vend["outcome"]): Sale => ({
    ...s,
    vends: s.vends.map((one) => (one === known ? { ...one, outcome } : one)),
  });
  const note = (code: string): Note => ({ code, item, minor });
  if (s.state === "unknown") {
    const next = to(fell ? "succeeded" : "failed");
    const notes = [note(fell ? "auditSucceeded" : "auditFailed")];
    return next.vends.some(({ outcome }) => outcome === "unknown")
      ? [next, notes]
      : settle(next, nowMs, notes);
  }
  const isCharged = isVended(known);
  if (isCharged && fell) return [to("succeeded"), [note("auditSucceeded")]];
  // A person may have given it back since: what is due is looked up first (attendant).
  if (isCharged) return correct(flag(to("failed"), "auditRefunded"), nowMs, note("auditFailed"));
  if (fell)
    return [{ ...flag(to("loss"), "auditLoss"), lossMinor: s.lossMinor + minor }, [note("auditLoss")]];
  // Refunded rightly: it does not count against the payer.
  return [unflag(to("failed"), "unknownRefunded"), [note("auditRight")]];
}

/** A vend that was charged for is charged no more: one more refund, under a reference of its own. */
function correct(s: Sale, nowMs: number, note: Note): Step {
  return s.state === "settled" ? settle(s, nowMs, [note]) : [s, [note]]; // a refund under way ends in a settle of its own
}

/** Deadlines. Each ends a wait in the only way that cannot cost the customer. */
function tick(s: Sale, { nowMs, unknownRefunds }: Extract<Event, { kind: "tick" }>, policy: Policy): Step {
  const waited = nowMs - s.sinceMs;
  switch (s.state) {
    case "reserving":
      return waited >= policy.reserveMs
        ? decide(s, { kind: "refused", code: "MACHINE_OFFLINE", nowMs }, policy)
        : same(s);
    case "requesting":
      return waited >= policy.requestMs
        ? decide(s, { kind: "refused", code: "PAYMENTS_UNAVAILABLE", nowMs }, policy)
        : same(s);
    case "awaitingPayment": // a voucher that cannot be tried is not tried later, when its customer has gone
      return s.byVoucher && waited >= policy.requestMs
        ? decide(
            s,
            { kind: "voucherRefused", code: "PAYMENTS_UNAVAILABLE", retryAfterSeconds: null, nowMs },
            policy,
          )
        : same(s);
    case "paid":
      return waited >= policy.grantMs ? settle(s, nowMs, [{ code: "machineSilent" }]) : same(s);
    case "open":
    case "vending":
      if (nowMs - s.newsMs < policy.darkAfterMs) return same(s);
      return settle({ ...flag(s, "dark"), dark: true }, nowMs, [{ code: "dark" }]);
    case "unknown": {
      if (waited < policy.unknownAfterMs) return same(s);
      const favoured = unknownRefunds < policy.unknownRefundCap;
      const vends = s.vends.map((one): Vend =>
        one.outcome === "unknown" && !favoured ? { ...one, outcome: "presumed" } : one,
      );
      const next = flag({ ...s, vends }, favoured ? "unknownRefunded" : "unknownKept");
      return settle(next, nowMs, [{ code: favoured ? "unknownRefunded" : "unknownKept" }]);
    }
    default:
      return same(s);
  }
}

/** The end of a sale's money: back goes the credit less what was vended and what has already gone back. */
function settle(before: Sale, nowMs: number, notes: readonly Note[]): Step {
  const { refundRefusal } = before;
  const s = refundRefusal === null ? before : { ...unflag(before, refundRefusal), refundRefusal: null };
  const vended = s.vends.filter(isVended);
  const costMinor = vended.reduce((sum, { priceMinor }) => sum + priceMinor, 0);
  const spent = s.products !== null && vended.length > 0 ? Math.max(costMinor, s.creditMinor) : costMinor;
  const leftMinor = s.creditMinor - spent - s.refundedMinor;
  // A machine approves within its grant. What one says that did not must not stop its journal: a person looks at it.
  const next = leftMinor < 0 ? flag(s, "overspent") : s;
  const refundDueMinor = Math.max(leftMinor, 0);
  if (refundDueMinor === 0)
    return [{ ...enter(next, "settled", nowMs), refundDueMinor }, [...notes, { code: "settled" }]];
  return [
    { ...enter(next, "settling", nowMs), refundDueMinor },
    [...notes, { code: "refunding", minor: refundDueMinor }],
  ];
}

/** Each refund is done once: a late word about an earlier one says nothing about the one that is due now. */
const isDue = (s: Sale, { reference }: { readonly reference: string }): boolean =>
  s.state === "settling" && reference === refundReference(s);

function refunded(s: Sale, nowMs: number): Step {
  const { refundDueMinor } = s;
  const given = { ...s, refundedMinor: s.refundedMinor + refundDueMinor, refunds: s.refunds + 1 };
  return settle(given, nowMs, [{ code: "refunded", minor: refundDueMinor }]);
}

export const isVended = ({ outcome }: Vend): boolean =>
  outcome === "succeeded" || outcome === "assumed" || outcome === "presumed";
const enter = (s: Sale, state: SaleState, nowMs: number): Sale =>
  s.state === state ? s : { ...s, state, sinceMs: nowMs };
const flag = (s: Sale, code: string): Sale =>
  s.flags.includes(code) ? s : { ...s, flags: [...s.flags, code] };
const unflag = (s: Sale, code: string): Sale => ({ ...s, flags: s.flags.filter((one) => one !== code) });
const same = (s: Sale): Step => [s, []];

/** The reference of the refund that is due: the sale's id, so that a retry can never refund twice; a correction has its own. */
export const refundReference = ({ id, refunds }: Sale): string =>
  refunds === 0 ? id : `${id}-${refunds + 1}`;

/** Refunds after the money was decided: somebody may have given the same back by hand, which is looked for first. */
export const isCorrection = ({ flags }: Sale): boolean =>
  flags.includes("auditRefunded") || flags.includes("givenBack");

/** What this sale owes to others right now. Saying it twice does no harm; not saying it would. */
export type Owed =
  | { readonly kind: "reserve" | "createRequest" | "pollRequest" | "voidRequest" | "grant" | "refund" }
  | { readonly kind: "payByVoucher"; readonly code: string }
  | { readonly kind: "go" | "void"; readonly journal: string; readonly entry: number };

export function owed(s: Sale): readonly Owed[] {
  const stray: readonly Owed[] = s.stray === null ? [] : [{ kind: "void", ...s.stray }];
  switch (s.state) {
    case "reserving":
      return [{ kind: "reserve" }];
    case "requesting":
      return [{ kind: "createRequest" }];
    case "awaitingPayment":
      return [
        s.voucherCode === null ? { kind: "pollRequest" } : { kind: "payByVoucher", code: s.voucherCode },
      ];
    case "cancelling":
      return [{ kind: "voidRequest" }];
    case "paid":
      return [{ kind: "grant" }, ...stray];
    case "open":
    case "vending":
      if (s.go === null) return stray;
      if (s.voiding) return [{ kind: "void", ...s.go }, ...stray];
      return s.opened ? stray : [{ kind: "go", ...s.go }, ...stray];
    case "settling":
      return [{ kind: "refund" }, ...stray];
    default:
      return stray;
  }
}

const SLOWEST_AGAIN_MS = 60_000;

/** When this sale must be looked at again, ms from now, or `undefined` when nothing is owed and nothing can run out. */
export function attendAfterMs(s: Sale, nowMs: number, policy: Policy): number | undefined {
  const deadlines: Partial<Record<SaleState, number>> = {
    reserving: s.sinceMs + policy.reserveMs,
    requesting: s.sinceMs + policy.requestMs,
    ...(s.byVoucher ? { awaitingPayment: s.sinceMs + policy.requestMs } : {}),
    paid: s.sinceMs + policy.grantMs,
    open: s.newsMs + policy.darkAfterMs,
    vending: s.newsMs + policy.darkAfterMs,
    unknown: s.sinceMs + policy.unknownAfterMs,
  };
  const deadline = deadlines[s.state];
  const hurried = s.state === "reserving" || s.state === "requesting" || s.voucherCode !== null; // somebody is waiting for the answer
  const soon = hurried ? Math.min(policy.againMs, 500) : Math.max((nowMs - s.sinceMs) / 4, policy.againMs);
  const again = owed(s).length === 0 ? undefined : Math.min(soon, SLOWEST_AGAIN_MS);
  const waits = [again, deadline === undefined ? undefined : Math.max(deadline - nowMs, 0)].filter(
    (ms) => ms !== undefined,
  );
  return waits.length === 0 ? undefined : Math.ceil(Math.min(...waits));
}
