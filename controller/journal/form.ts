/**
 * Which program can read a journal: one older than what is in it would take a line that it does not know for damage, and set the
 * whole journal aside, with everything that the cloud has not heard.
 *
 * A journal's file carries the lowest form that has everything in it (`user_version`). It rises with the first line that needs it,
 * and never falls; until then an older release can still be gone back to. package.json names the form that a release reads.
 */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import type { JournalLine } from "../../broker/protocol/messages.js";

/** 2: selections that are withdrawn, items that are suspended or not granted, audits. */
export const FORM = 2;
export const FIRST_FORM = 1;

/** The form of a journal that holds this line. Whoever adds a kind or a reason adds it here, and to package.json. */
export function formOf(line: JournalLine): number {
  const isLater = line.kind === "audit" || ("reason" in line && LATER.has(line.reason));
  return isLater ? FORM : FIRST_FORM;
}
const LATER: ReadonlySet<string> = new Set(["withdrawn", "suspended", "notGranted"]);

const USER_VERSION_AT = 60; // in an SQLite file's header, big-endian
/** Without opening it as a database: a controller may have it. 0: there is none, or all of it is still in its log. */
export function formOnDisk(path: string): number {
  if (!existsSync(path)) return 0;
  const header = Buffer.alloc(USER_VERSION_AT + 4);
  const fd = openSync(path, "r");
  try {
    readSync(fd, header, 0, header.length, 0);
  } finally {
    closeSync(fd);
  }
  return header.readUInt32BE(USER_VERSION_AT);
}
