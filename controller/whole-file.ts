/** A small file that is the old one or the new one, whole, whenever the power goes: written beside its place, synced, then renamed. */
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** On disk when this returns. */
export function writeWhole(dir: string, name: string, text: string): void {
  const path = join(dir, name);
  writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
  const folder = openSync(dir, "r"); // the rename, too, must be on disk
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder); // a broken disk is tried again for days: nothing may stay open
  }
}
