/**
 * What a machine sold between two readings of its audit. Pure.
 *
 * Promises  no number is ever negative or guessed: a counter that began again is said to be *restarted*.
 */
import type { Audit, Counter, Product } from "./audit.js";

export type Delta = {
  readonly product: string;
  readonly paid: Growth;
  readonly cashless: Growth;
};
export type Growth =
  | { readonly kind: "counted"; readonly vends: number; readonly valueMinor: number }
  /** The counters were cleared in between: only what came since is there, and not what went before. */
  | { readonly kind: "restarted" }
  /** One of the readings does not have it. */
  | { readonly kind: "missing" };
export type Deltas =
  | { readonly ok: true; readonly deltas: readonly Delta[] }
  | { readonly ok: false; readonly differs: "serial" | "decimals" | "currency" };

export function deltas(before: Audit, after: Audit): Deltas {
  for (const differs of ["serial", "decimals", "currency"] as const)
    if (before[differs] !== after[differs]) return { ok: false, differs };
  const earlier = new Map(before.products.map((product) => [product.id, product]));
  return { ok: true, deltas: after.products.map((product) => deltaOf(earlier.get(product.id), product)) };
}

const deltaOf = (before: Product | undefined, after: Product): Delta => ({
  product: after.id,
  paid: growth(before?.paid, after.paid),
  cashless: growth(before?.cashless, after.cashless),
});

/** Clearing takes the count and the value at once; a counter that runs over does so alone. */
function growth(before: Counter | undefined, after: Counter | undefined): Growth {
  if (before === undefined || after === undefined) return { kind: "missing" };
  if (after.vends < before.vends && after.valueMinor < before.valueMinor) return { kind: "restarted" };
  const vends = grown(before.vends, after.vends);
  const valueMinor = grown(before.valueMinor, after.valueMinor);
  if (vends === undefined || valueMinor === undefined) return { kind: "restarted" };
  return { kind: "counted", vends, valueMinor };
}

/** Where counters run over: so many digits, or so many bits. */
const ENDS = [10_000, 2 ** 16, 100_000, 1_000_000, 10_000_000, 100_000_000, 2 ** 32, 10_000_000_000];
/** The most of its range that a counter is believed to have gone through in between. */
const BELIEVED = 1 / 100;

function grown(before: number, after: number): number | undefined {
  if (after >= before) return after - before;
  const end = ENDS.find((one) => one > before);
  if (end === undefined) return undefined;
  const over = end - before + after;
  return over <= end * BELIEVED ? over : undefined;
}
