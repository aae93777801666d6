/** The adapters that a machine may have. */
import { lineOf, readCommand } from "./adapter-line.js";
import type { Adapter, Ends } from "./adapter.js";
import { CarrierAdapter } from "./carrier-adapter.js";
import type { CarrierSettings } from "./carrier.js";
import { MateDealerAdapter } from "./matedealer-adapter.js";
import { inLines, stxEtx, type LineFraming } from "./line-framing.js";

/** A Qibixx and a MateDealer are cashless readers themselves; the others carry MDB blocks to the controller's. */
export type AdapterPlan =
  | { readonly kind: "matedealer" }
  | { readonly kind: "qibixx"; readonly alwaysIdle?: boolean }
  | ({ readonly kind: "mdb-hex" | "wafer" } & CarrierSettings);

export function adapterFor(plan: AdapterPlan, ends: Ends): Adapter {
  if (plan.kind === "matedealer") return new MateDealerAdapter(ends);
  if ("pollMs" in plan) return new CarrierAdapter(plan, ends);
  return {
    heard: (line) => ends.obey(readCommand(line)),
    lost: ends.lost,
    say: (word) => ends.write(lineOf(word)),
    [Symbol.dispose]: () => undefined,
  };
}

export const framingOf = ({ kind }: AdapterPlan): LineFraming => (kind === "wafer" ? stxEtx : inLines);
