/** What the machine goes by: its own file, and in the place of some of it what came from afar. Pure. */
import {
  firstProblem,
  machineConfiguration,
  type MachineConfiguration,
} from "../../broker/protocol/machine-configuration.js";
import { configuration as ownFile, type Configuration } from "../configuration.js";
import type { Terms } from "../sale/machine.js";
import { WORDS, type Words } from "../terminal/terminal.js";
import type { Checked } from "./configuring.js";

export type Settings = {
  readonly terms: Terms;
  readonly reportAgainMs: number;
  readonly statusEveryMs: number;
  readonly words: Words;
  readonly items: MachineConfiguration["items"];
  readonly adapterSettings: Configuration["adapterSettings"];
  readonly itemNumbers: Configuration["facts"]["itemNumbers"];
};
/** Of the machine's patience, as of what it was told (Z7). */
const SELECTION_PER_SECOND_MS = 900;

export function settingsOf(own: Configuration, from: MachineConfiguration | null): Settings {
  const { limits = {}, texts = {}, items = [], adapterSettings = own.adapterSettings } = from ?? {};
  const { maxVends, vendResultMs = own.vendResultMs } = limits;
  const { patienceSeconds = Infinity, itemNumbers } = own.facts;
  return {
    terms: {
      currency: own.currency,
      vendResultMs,
      selectionMs: Math.min(own.selectionMs, patienceSeconds * SELECTION_PER_SECOND_MS),
      suspendAfter: own.suspendAfter,
      ...(maxVends === undefined ? {} : { maxVends }),
    },
    reportAgainMs: limits.reportAgainMs ?? own.reportAgainMs,
    statusEveryMs: limits.statusEveryMs ?? own.statusEveryMs,
    words: { ...WORDS, ...texts } as Words, // from JSON: a key that is there has a text
    items,
    adapterSettings,
    itemNumbers,
  };
}

/** Whether a configuration may be used on this machine, and if not, which part of it is why. */
export function check(own: Configuration, body: unknown): Checked {
  const parsed = machineConfiguration.safeParse(body);
  if (!parsed.success) return { ok: false, at: firstProblem(parsed.error) };
  const { currency, adapterSettings = own.adapterSettings } = parsed.data;
  if (currency !== own.currency) return { ok: false, at: `currency: this machine sells in ${own.currency}` };
  const together = ownFile.safeParse({ ...own, adapterSettings });
  if (!together.success) return { ok: false, at: firstProblem(together.error) };
  return { ok: true, configuration: parsed.data };
}
