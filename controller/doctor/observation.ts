/**
 * What a doctor has seen of a machine's line: counted from the lines and from what the driver made of them. Pure.
 *
 * Bounded   by numbers and the last SETUP: a line that talks all night adds nothing.
 */
import type { Configuration } from "../configuration.js";
import { decodeCommand, decodeResponses, type Response } from "../mdb/codec.js";
import type { DriverEffect, MdbState } from "../mdb/driver.js";
import { parseLine as parseMateDealer } from "../mdb/matedealer-line.js";
import { parseLine as parseQibixx } from "../mdb/qibixx-line.js";
import { readHex } from "../mdb/widths.js";

type Driver = Configuration["driver"];
export type Address = Configuration["reader"]["address"];
export type Setup = { readonly level: number; readonly columns: number; readonly rows: number };
export type ReaderConfig = Extract<Response, { kind: "readerConfig" }>;
export type Observation = {
  readonly driver: Driver;
  readonly decimals: number;
  readonly address: Address; // ours, where the reader is our own
  readonly lines: number;
  readonly garbled: number; // of these, what this adapter never says
  readonly refusals: number; // of these, a lone FF: between STX and ETX it is the machine's word, and none
  readonly resets: number;
  readonly setup: Setup | undefined; // the last one: only an adapter that carries blocks shows it
  readonly features: readonly string[] | undefined; // what the machine enabled of what we offered
  readonly addressed: readonly Address[]; // the readers that the machine's blocks are for
  readonly stored: ReaderConfig | undefined; // what the box itself tells the machine of its reader
  readonly mdb: MdbState;
  readonly wasEnabled: boolean;
  readonly isGivenUp: boolean; // the driver found nobody behind the port
};

export const nothingSeen = ({ driver, decimals, reader }: Configuration): Observation => ({
  driver,
  decimals,
  address: reader.address,
  lines: 0,
  garbled: 0,
  refusals: 0,
  resets: 0,
  setup: undefined,
  features: undefined,
  addressed: [],
  stored: undefined,
  mdb: "lost",
  wasEnabled: false,
  isGivenUp: false,
});

export function heardLine(seen: Observation, text: string): Observation {
  if (text.trim() === "") return seen;
  const counted = { ...seen, lines: seen.lines + 1 };
  const garbled = { ...counted, garbled: seen.garbled + 1 };
  if (seen.driver !== "wafer" && isRefusal(text)) return heardBare(seen, text);
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

/** A line of text from a box whose words are framed otherwise: the wrong box for this driver says only one thing. */
export const heardBare = (seen: Observation, text: string): Observation =>
  isRefusal(text) ? { ...seen, lines: seen.lines + 1, refusals: seen.refusals + 1 } : seen;
const isRefusal = (text: string): boolean => text.trim() === "FF";

function heardBlock(counted: Observation, garbled: Observation, text: string): Observation {
  const bytes = readHex(text);
  const decoded = bytes && decodeCommand(bytes);
  if (bytes === undefined || decoded?.ok !== true) return storedIn(counted, bytes) ?? garbled;
  const { command } = decoded;
  if (!("device" in command)) return counted;
  const address: Address = command.device === 2 ? "0x60" : "0x10";
  const { addressed } = counted;
  const seen = addressed.includes(address) ? counted : { ...counted, addressed: [...addressed, address] };
  if (address !== counted.address) return seen;
  if (command.kind === "reset") return { ...seen, resets: seen.resets + 1 };
  if (command.kind === "enableOptions") return { ...seen, features: command.features };
  if (command.kind !== "setupConfig") return seen;
  const { level, columns, rows } = command;
  return { ...seen, setup: { level, columns, rows } };
}

/** A WAFER shows the READER CONFIG that it keeps. */
function storedIn(counted: Observation, bytes: Uint8Array | undefined): Observation | undefined {
  const decoded = bytes && decodeResponses(bytes);
  const stored =
    decoded?.ok === true ? decoded.responses.find(({ kind }) => kind === "readerConfig") : undefined;
  return stored?.kind === "readerConfig" ? { ...counted, stored } : undefined;
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
