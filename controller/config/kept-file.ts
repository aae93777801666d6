/**
 * The configuration from afar, as it is kept.
 *
 * Owns      `{dataDir}/configuration.json`.
 * Promises  what is written is on disk before `write` returns.
 * Crash     the file is the old one or the new one, whole. One that cannot be read is set aside, and the machine's own file alone
 *           is in force until the cloud has said its word again.
 */
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { machineConfiguration } from "../../broker/protocol/machine-configuration.js";
import { writeWhole } from "../whole-file.js";
import { NOTHING_KEPT, type Kept } from "./configuring.js";

const kept = z.strictObject({
  newest: z.int().nonnegative(),
  applied: machineConfiguration.nullable(),
  trial: z
    .strictObject({
      previous: machineConfiguration.nullable(),
      judged: z.boolean(),
      boots: z.int().nonnegative(),
    })
    .nullable(),
  refused: z.strictObject({ version: z.int().positive(), at: z.string() }).nullable(),
});

/** `setAside`: where a file was put that could not be read, if there was one. */
export function readKept(
  dataDir: string,
  newId: string,
): { readonly kept: Kept; readonly setAside?: string } {
  const path = place(dataDir);
  if (!existsSync(path)) return { kept: NOTHING_KEPT };
  const known = peekKept(dataDir); // throws where the disk cannot be read: that is no damaged file
  if (known !== undefined) return { kept: known };
  const setAside = `${path}.damaged-${newId}`;
  renameSync(path, setAside);
  return { kept: NOTHING_KEPT, setAside };
}

/** The same for who may change nothing: undefined where there is none, or one that cannot be read. */
export function peekKept(dataDir: string): Kept | undefined {
  const path = place(dataDir);
  return existsSync(path) ? kept.safeParse(parse(readFileSync(path, "utf8"))).data : undefined;
}

export const writeKept = (dataDir: string, value: Kept): void =>
  writeWhole(dataDir, NAME, `${JSON.stringify(value)}\n`);

const NAME = "configuration.json";
const place = (dataDir: string): string => join(dataDir, NAME);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it
  }
}
