/**
 * Where our cashless device can be, what reaches it and what comes of that: the nouns of `cashless.ts`. Pure.
 * MDB/ICP 4.2, 7.2 and 7.3.
 */
import type { Response } from "./codec.js";
import type { Screen } from "./cashless-setup.js";
import * as post from "./delivery.js";
import type { MdbState } from "./driver.js";

type Asked = "vend" | "negativeVend" | "revalue";
export type Asking = {
  readonly kind: Asked;
  readonly request: number;
  readonly scaled: number;
  readonly item: number;
  readonly cameFirst: boolean; // asked for without a session (Always Idle): no sale of ours holds the one it leaves
  /** `void`: the machine broke the order, and gets no answer but the one that says so. */
  readonly answer: "awaited" | "approving" | "sent" | "taken" | "denied" | "void";
  readonly answerByMs: number;
  readonly resultByMs: number; // once it was approved, the machine may be silent until then
};
export type What = Pick<Asking, "kind" | "scaled" | "item">;
export type Phase = { readonly kind: "inactive" | "disabled" | "enabled" | "sessionIdle" } | Asking;

export type Cashless = {
  readonly phase: Phase;
  readonly isEnabled: boolean; // by READER ENABLE: what a session goes back to
  readonly machine: { readonly level?: 1 | 2 | 3; readonly screen?: Screen; readonly hasPrices: boolean };
  readonly features: readonly string[]; // those the machine has enabled
  readonly openByMs: number | undefined; // our side wants a session: BEGIN SESSION is not acknowledged yet
  readonly isEnding: boolean; // END SESSION is not acknowledged yet
  readonly closing: { readonly tries: number; readonly againMs: number } | undefined; // our side wants it to end
  readonly delivery: post.Delivery;
  readonly requests: number; // asked of us so far
  readonly isUnsettled: boolean; // the last vend's outcome was said to be unknown
  readonly cashSale: { readonly text: string; readonly atMs: number } | undefined;
  readonly quietByMs: number;
};

export type CashlessEvent = { readonly nowMs: number } & (
  | { readonly kind: "heard"; readonly bytes: Uint8Array } // a block, or the lone byte that answers one of ours
  | { readonly kind: "silence" | "busReset" | "tick" }
  | { readonly kind: "open" | "refreshFunds"; readonly fundsScaled: number }
  | { readonly kind: "approve" | "deny"; readonly request: number }
  | { readonly kind: "close" }
  | { readonly kind: "display"; readonly text: string; readonly tenths: number }
  | { readonly kind: "malfunction"; readonly error: number; readonly detail: number }
);

type Request = { readonly request: number };
/** What our side hears: what every driver says, with money as it is on the bus, and what only the bus tells. */
export type Told =
  | { readonly kind: "mdb"; readonly mdb: MdbState }
  | { readonly kind: "opened" | "notOpened" }
  | (Request & {
      readonly kind: "vendRequested" | "negativeVendRequested";
      readonly item: number;
      readonly priceScaled: number;
    })
  | { readonly kind: "vendCancelled" | "vendSucceeded" | "vendFailed" }
  | { readonly kind: "reset" | "sessionEnded" }
  | (Request & { readonly kind: "revalueRequested"; readonly amountScaled: number })
  | { readonly kind: "revalueCancelled" }
  | {
      readonly kind: "cashSale";
      readonly item: number;
      readonly priceScaled: number;
      readonly flags: readonly string[];
    };
export type CashlessEffect =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  | { readonly kind: "say"; readonly told: Told }
  | { readonly kind: "ignored"; readonly state: string; readonly event: string };
export type Out = readonly [Cashless, readonly CashlessEffect[]];

/** The machine's silence: a product takes its time, and an adapter that carries blocks hands on no polls meanwhile. */
export const silentByMs = ({ phase, quietByMs }: Cashless): number =>
  isVend(phase) && isApproved(phase) ? Math.max(quietByMs, phase.resultByMs) : quietByMs;

export function dueMs(state: Cashless): number | undefined {
  const { phase, closing, openByMs } = state;
  const answer = "answer" in phase && isAnswerDue(phase) ? phase.answerByMs : Infinity;
  const close = closing !== undefined && phase.kind === "sessionIdle" ? closing.againMs : Infinity;
  const first = Math.min(silentByMs(state), openByMs ?? Infinity, answer, close);
  return first === Infinity ? undefined : first;
}

export const fresh = (requests: number, quietByMs: number): Cashless => ({
  phase: { kind: "inactive" },
  isEnabled: false,
  machine: { hasPrices: false },
  features: [],
  openByMs: undefined,
  isEnding: false,
  closing: undefined,
  delivery: post.owe(post.nothingOwed, { kind: "justReset" }),
  requests,
  isUnsettled: false,
  cashSale: undefined,
  quietByMs,
});

export const STATES: Readonly<Record<Phase["kind"], number>> = {
  inactive: 1,
  disabled: 2,
  enabled: 3,
  sessionIdle: 4,
  vend: 5,
  revalue: 6,
  negativeVend: 7,
};
export const ANSWERS = ["vendApproved", "vendDenied", "revalueApproved", "revalueDenied"] as const;

export function mdbOf({ kind }: Phase): MdbState {
  switch (kind) {
    case "inactive":
    case "disabled":
    case "enabled":
      return kind;
    case "sessionIdle":
    case "revalue":
      return "session";
    case "vend":
    case "negativeVend":
      return "vend";
  }
}

export function tellOf({ kind, request, item, scaled }: Asking): Told {
  switch (kind) {
    case "vend":
      return { kind: "vendRequested", request, item, priceScaled: scaled };
    case "negativeVend":
      return { kind: "negativeVendRequested", request, item, priceScaled: scaled };
    case "revalue":
      return { kind: "revalueRequested", request, amountScaled: scaled };
  }
}

/** What our side was asked and has not seen leave is asked no more. */
export function cancelledOf(phase: Phase): readonly CashlessEffect[] {
  if (!("answer" in phase) || (phase.answer !== "awaited" && phase.answer !== "approving")) return [];
  return [say({ kind: isVend(phase) ? "vendCancelled" : "revalueCancelled" })];
}

export const denialOf = (phase: Asking): Response => ({
  kind: isVend(phase) ? "vendDenied" : "revalueDenied",
});
export const isVend = (phase: Phase): phase is Asking =>
  phase.kind === "vend" || phase.kind === "negativeVend";
export const answered = (phase: Phase, answer: Asking["answer"]): phase is Asking =>
  "answer" in phase && phase.answer === answer;
/** A vend that may have been given out: its approval has left. */
export const isApproved = (phase: Phase): boolean =>
  isVend(phase) && (phase.answer === "sent" || phase.answer === "taken");
export const isAnswerDue = ({ answer }: Asking): boolean =>
  answer === "awaited" || answer === "approving" || answer === "void";
export const isWaiting = (delivery: post.Delivery): boolean =>
  post.isOwed(delivery, "vendApproved") || post.isOwed(delivery, "revalueApproved");
export const lower = (a: 1 | 2 | 3, b: 1 | 2 | 3): 1 | 2 | 3 => (a < b ? a : b);
export const owing = (state: Cashless, response: Response): Cashless => ({
  ...state,
  delivery: post.owe(state.delivery, response),
});
export const withdrawing = (state: Cashless, ...kinds: readonly Response["kind"][]): Cashless => ({
  ...state,
  delivery: post.withdraw(state.delivery, ...kinds),
});
export const say = (told: Told): CashlessEffect => ({ kind: "say", told });
export const send = (bytes: Uint8Array): CashlessEffect => ({ kind: "send", bytes });
export const ignored = (state: Cashless, event: string): Out => [
  state,
  [{ kind: "ignored", state: state.phase.kind, event }],
];
