/**
 * Vends that nobody could vouch for, held against what the machine itself has counted. Pure; a decision only: nothing acts
 * on it yet (decision 0008).
 *
 * Promises  a vend is decided only where the counter leaves one answer for all doubtful vends of its item; whatever does
 *           not add up is left to the policy of decision 0004, and said why.
 */
import type { Vend } from "./sale.js";

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

/** A verdict for every vend in doubt, in the order given. */
export function settleByAudit(
  vends: readonly AuditedVend[],
  counted: readonly Counted[],
): readonly Verdict[] {
  return vends
    .filter(({ outcome }) => IN_DOUBT.includes(outcome))
    .map(({ saleId, vend, item }) => {
      const ofItem = vends.filter((one) => one.item === item);
      const count = counted.find((one) => one.item === item)?.vends;
      return { saleId, vend, ...judged(ofItem, count) };
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
  if (left < 0) return undecided("fewerThanVended");
  if (left > inDoubt) return undecided("moreThanAsked");
  if (left === 0) return { verdict: "failed", why: "noneCounted" };
  return left === inDoubt ? { verdict: "succeeded", why: "allCounted" } : undecided("someCounted");
}
