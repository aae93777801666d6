/**
 * How many bus connections this machine's key has begun.
 *
 * Owns      `{dataDir}/connections`, beside the key: the numbers a key signs with are the key's, so they must go on when a
 *           damaged journal is set aside, or the cloud would take every new message for a replay of an old one.
 * Promises  a number is on disk before it is answered, so none is ever used twice. One write a connection.
 * Crash     the file is the last whole one: it is written beside its place, synced, then renamed.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A number no earlier connection has had. Throws when it cannot be kept, or when the file is not ours. */
export function nextConnection(dataDir: string): number {
  const path = join(dataDir, "connections");
  const text = existsSync(path) ? readFileSync(path, "utf8").trim() : "0";
  if (!/^[0-9]{1,9}$/.test(text)) throw new Error(`${path} should hold one whole number`);
  const next = Number(text) + 1;
  writeFileSync(`${path}.new`, `${String(next)}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
  const folder = openSync(dataDir, "r"); // the rename, too, must be on disk
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder); // a broken disk is tried again for days: nothing may stay open
  }
  return next;
}
