/** What the machine goes by: its own file, and in the place of some of it what came from afar. Pure. */
import { isDeepStrictEqual } from "node:util";
import {
  firstProblem,
  machineConfiguration,
  notFromAfar,
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
  /** What a machine is wired with is told; a change has the adapter brought up anew. */
  readonly wiring: Pick<Configuration, "adapterSettings" | "reader">;
  readonly itemNumbers: Configuration["facts"]["itemNumbers"];
};
/** Of the machine's patience, as of what it was told (Z7). */
const SELECTION_PER_SECOND_MS = 900;

/** Adapters that carry our own reader. */
const CARRIES: readonly Configuration["driver"][] = ["mdb-hex", "wafer"];

export function settingsOf(own: Configuration, from: MachineConfiguration | null): Settings {
  const { limits = {}, texts = {}, items = [] } = from ?? {};
  const { maxVends, selectionMs = own.selectionMs } = limits;
  const { patienceSeconds = Infinity, itemNumbers } = own.facts;
  const wiring = wiringOf(own, from ?? {});
  const toldSeconds = CARRIES.includes(own.driver) ? wiring.reader.responseSeconds : Infinity;
  return {
    terms: {
      currency: own.currency,
      vendResultMs: limits.vendResultMs ?? own.vendResultMs,
      selectionMs: Math.min(
        selectionMs,
        patienceSeconds * SELECTION_PER_SECOND_MS,
        toldSeconds * SELECTION_PER_SECOND_MS,
      ),
      suspendAfter: limits.suspendAfter ?? own.suspendAfter,
      ...(maxVends === undefined ? {} : { maxVends }),
    },
    reportAgainMs: limits.reportAgainMs ?? own.reportAgainMs,
    statusEveryMs: limits.statusEveryMs ?? own.statusEveryMs,
    words: { ...WORDS, ...texts } as Words, // from JSON: a key that is there has a text
    items,
    wiring,
    itemNumbers,
  };
}

function wiringOf(
  own: Configuration,
  { adapterSettings, reader }: Partial<Pick<MachineConfiguration, "adapterSettings" | "reader">>,
): Settings["wiring"] {
  const given = Object.entries(reader ?? {}).filter(([, value]) => value !== undefined);
  return {
    adapterSettings: { ...own.adapterSettings, ...adapterSettings },
    reader: { ...own.reader, ...Object.fromEntries(given) },
  };
}

/** What is set from afar in the place of what the machine's file says of its wiring: `reader.alwaysIdle`, … */
export function overruled(own: Configuration, from: MachineConfiguration): readonly string[] {
  const wiring = wiringOf(own, from);
  return (["adapterSettings", "reader"] as const).flatMap((group) => {
    const said: Readonly<Record<string, unknown>> = own[group];
    return Object.entries(wiring[group])
      .filter(([key, value]) => key in said && !isDeepStrictEqual(value, said[key]))
      .map(([key]) => `${group}.${key}`);
  });
}

/** Whether a configuration may be used on this machine, and if not, which part of it is why. */
export function check(own: Configuration, body: unknown): Checked {
  const parsed = machineConfiguration.safeParse(body);
  if (!parsed.success) return { ok: false, at: firstProblem(parsed.error) };
  const { currency, reader } = parsed.data;
  if (currency !== own.currency) return { ok: false, at: `currency: this machine sells in ${own.currency}` };
  if (reader !== undefined && !CARRIES.includes(own.driver))
    return {
      ok: false,
      at: `reader: must be left out: this machine has a ${own.driver}, which is one itself`,
    };
  const money = notFromAfar(parsed.data);
  if (money !== undefined) return { ok: false, at: money };
  const together = ownFile.safeParse({ ...own, ...wiringOf(own, parsed.data) });
  if (!together.success) return { ok: false, at: firstProblem(together.error) };
  return { ok: true, configuration: parsed.data };
}
