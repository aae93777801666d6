/**
 * The last good reading of the machine's audit, which the next one is counted from.
 *
 * Owns      `{dataDir}/audit.json`.
 * Promises  what is written is on disk before `write` returns.
 * Crash     the file is the old one or the new one, whole. One that cannot be read, or is another journal's, is nothing: the
 *           next reading is a first one, and proves nothing yet.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeWhole } from "../whole-file.js";
import { parseAudit, type Audit } from "./audit.js";

const NAME = "audit.json";
const kept = z.strictObject({
  journal: z.string(),
  /** The journal's newest entry at that moment. */
  upTo: z.int().nonnegative(),
  /** As the machine said it, so that its own checksum still proves it. */
  file: z.string(),
});
export type KeptReading = { readonly journal: string; readonly upTo: number; readonly audit: Audit };

export function readKeptReading(dataDir: string): KeptReading | undefined {
  const path = join(dataDir, NAME);
  if (!existsSync(path)) return undefined;
  const parsed = kept.safeParse(parse(readFileSync(path, "utf8")));
  if (!parsed.success) return undefined;
  const { journal, upTo, file } = parsed.data;
  const audit = parseAudit(Buffer.from(file, "latin1"));
  return audit.ok ? { journal, upTo, audit: audit.audit } : undefined;
}

export function writeKeptReading(
  dataDir: string,
  { journal, upTo, file }: { readonly journal: string; readonly upTo: number; readonly file: Uint8Array },
): void {
  const text = Buffer.from(file).toString("latin1");
  writeWhole(dataDir, NAME, `${JSON.stringify({ journal, upTo, file: text })}\n`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it
  }
}
