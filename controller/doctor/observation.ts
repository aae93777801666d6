/**
 * What a doctor has seen of a machine's line: counted from the lines and from what the driver made of them. Pure.
 *
 * Bounded   by numbers and the last SETUP: a line that talks all night adds nothing.
 */
import type { Configuration } from "../configuration.js";
import { decodeCommand } from "../mdb/codec.js";
import type { DriverEffect, MdbState } from "../mdb/driver.js";
import { parseLine as parseMateDealer } from "../mdb/matedealer-line.js";
import { parseLine as parseQibixx } from "../mdb/qibixx-line.js";
import { readHex } from "../mdb/widths.js";

type Driver = Configuration["driver"];
export type Setup = { readonly level: number; readonly columns: number; readonly rows: number };
export type Observation = {
  readonly driver: Driver;
  readonly decimals: number;
  readonly lines: number;
  readonly garbled: number; // of these, what this adapter never says
  readonly refusals: number; // of these, a lone FF
  readonly resets: number;
  readonly setup: Setup | undefined; // the last one: only an adapter that carries blocks shows it
  readonly features: readonly string[] | undefined; // what the machine enabled of what we offered
  readonly mdb: MdbState;
  readonly wasEnabled: boolean;
  readonly isGivenUp: boolean; // the driver found nobody behind the port
};

export const nothingSeen = (driver: Driver, decimals: number): Observation => ({
  driver,
  decimals,
  lines: 0,
  garbled: 0,
  refusals: 0,
  resets: 0,
  setup: undefined,
  features: undefined,
  mdb: "lost",
  wasEnabled: false,
  isGivenUp: false,
});

export function heardLine(seen: Observation, text: string): Observation {
  if (text.trim() === "") return seen;
  const counted = { ...seen, lines: seen.lines + 1 };
  const garbled = { ...counted, garbled: seen.garbled + 1 };
  if (text.trim() === "FF") return { ...counted, refusals: seen.refusals + 1 };
  switch (seen.driver) {
    case "qibixx": {
      const { kind } = parseQibixx(text, seen.decimals);
      if (kind === "inactive" && seen.mdb === "inactive") return { ...counted, resets: seen.resets + 1 };
      return kind === "noise" || kind === "unknown" ? garbled : counted;
    }
    case "matedealer": {
      const { kind } = parseMateDealer(text);
      return kind === "noise" || kind === "unknown" ? garbled : counted;
    }
    default:
      return heardBlock(counted, garbled, text);
  }
}

function heardBlock(counted: Observation, garbled: Observation, text: string): Observation {
  const bytes = readHex(text);
  const decoded = bytes && decodeCommand(bytes);
  if (decoded?.ok !== true) return garbled;
  const { command } = decoded;
  if (command.kind === "reset") return { ...counted, resets: counted.resets + 1 };
  if (command.kind === "enableOptions") return { ...counted, features: command.features };
  if (command.kind !== "setupConfig") return counted;
  const { level, columns, rows } = command;
  return { ...counted, setup: { level, columns, rows } };
}

export function heardEffect(seen: Observation, effect: DriverEffect): Observation {
  if (effect.kind === "reopen") return { ...seen, isGivenUp: true };
  if (effect.kind !== "say" || effect.said.kind !== "mdb") return seen;
  const { mdb } = effect.said;
  const isReader = seen.driver === "qibixx" || seen.driver === "matedealer";
  // A reader of its own shows a reset only by beginning again.
  const begins = isReader && mdb === "inactive" && !["lost", "off", "inactive"].includes(seen.mdb);
  return {
    ...seen,
    mdb,
    resets: seen.resets + (begins ? 1 : 0),
    wasEnabled: seen.wasEnabled || mdb === "enabled",
  };
}
