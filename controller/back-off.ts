/** How long to wait before trying again: doubling, bounded, and spread out so that a fleet does not return as one. Pure. */
export type BackOff = { readonly firstMs: number; readonly maxMs: number };

/** `failures` so far, from 1; `fraction` in [0, 1) spreads the wait over its upper half. */
export function waitMs({ firstMs, maxMs }: BackOff, failures: number, fraction: number): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(full * (0.5 + fraction / 2));
}
