/**
 * Vends that nobody could vouch for, held against what the machine itself has counted. Pure; a decision only: `sale.ts` says
 * what becomes of it (decision 0008).
 *
 * Promises  a vend is decided only where the counter leaves one answer for all doubtful vends of its item; whatever does
 *           not add up is left to the policy of decision 0004, and said why. A counter that is behind what the machine itself
 *           told us is another product's, or counts late: then nothing of that reading is believed.
 */
import type { JournalLine } from "../../broker/protocol/messages.js";
import { isInDoubt, type Sale, type Vend } from "./sale.js";

/** A vend between two readings of the machine's audit, neither of them taken while it was going on. */
export type AuditedVend = Pick<Vend, "vend" | "item" | "outcome"> & { readonly saleId: string };
/** How often the machine counted a cashless sale of the item between the two readings; `undefined` if it cannot say. */
export type Counted = { readonly item: number; readonly vends: number | undefined };
export type Verdict = {
  readonly saleId: string;
  readonly vend: number;
  readonly verdict: "succeeded" | "failed" | "undecided";
  readonly why: Why;
};
type Why =
  | "allCounted"
  | "noneCounted"
  | "someCounted" // fewer than are in doubt: which of them is not known
  | "notCounted" // the machine does not say
  | "stillVending"
  | "fewerThanVended" // the machine counted less than it told us itself
  | "moreThanAsked"; // another reader sells too, or we missed a vend

/** What has certainly fallen; a vend decided as presumed, like one assumed or unknown, is still in doubt. */
const FELL: readonly Vend["outcome"][] = ["succeeded", "loss"];
const IN_DOUBT: readonly Vend["outcome"][] = ["assumed", "unknown", "presumed"];

/** The vends that a journal says were approved, as they are known now, in its order. */
export function auditedVends(
  approved: readonly Extract<JournalLine, { kind: "approved" }>[],
  sales: readonly Sale[],
): readonly AuditedVend[] {
  const byGrant = new Map(sales.map((sale) => [sale.grantId, sale]));
  return approved.map(({ grantId, vend, item }) => {
    const sale = byGrant.get(grantId);
    const known = sale?.vends.find((one) => one.vend === vend);
    // Of a vend that is nobody's here anything may be true.
    if (sale === undefined || known === undefined) return { saleId: "", vend, item, outcome: "unknown" };
    const isOpen = known.outcome === "approved" && isInDoubt(sale, known);
    return { saleId: sale.id, vend, item, outcome: isOpen ? "unknown" : known.outcome };
  });
}

/** A verdict for every vend in doubt, in the order given. */
export function settleByAudit(
  vends: readonly AuditedVend[],
  counted: readonly Counted[],
): readonly Verdict[] {
  const countOf = (item: number): number | undefined => counted.find((one) => one.item === item)?.vends;
  const isBehind = vends.some(({ item }) => {
    const fell = vends.filter((one) => one.item === item && FELL.includes(one.outcome)).length;
    return (countOf(item) ?? fell) < fell;
  });
  return vends
    .filter(({ outcome }) => IN_DOUBT.includes(outcome))
    .map(({ saleId, vend, item }) => {
      if (isBehind) return { saleId, vend, verdict: "undecided", why: "fewerThanVended" };
      const ofItem = vends.filter((one) => one.item === item);
      return { saleId, vend, ...judged(ofItem, countOf(item)) };
    });
}

function judged(
  vends: readonly AuditedVend[],
  counted: number | undefined,
): Pick<Verdict, "verdict" | "why"> {
  const undecided = (why: Why) => ({ verdict: "undecided", why }) as const;
  if (counted === undefined) return undecided("notCounted");
  if (vends.some(({ outcome }) => outcome === "approved")) return undecided("stillVending");
  const inDoubt = vends.filter(({ outcome }) => IN_DOUBT.includes(outcome)).length;
  const left = counted - vends.filter(({ outcome }) => FELL.includes(outcome)).length;
  if (left > inDoubt) return undecided("moreThanAsked");
  if (left === 0) return { verdict: "failed", why: "noneCounted" };
  return left === inDoubt ? { verdict: "succeeded", why: "allCounted" } : undecided("someCounted");
}
