/**
 * One process a directory: two rigs would overwrite each other's files and attend the same sales, two updates each other's links,
 * and a controller and a doctor would speak on the same line.
 *
 * The lock is SQLite's on a file of its own: the system lets go of it however the process ends.
 */
import { chownSync, statSync } from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";

export type Held = Disposable & { readonly ok: boolean };

/** In a controller's `dataDir`: whoever holds it has the machine's line. */
export const LINE_LOCK = "line.lock";

/** Not `ok` when another process holds the directory, and goes on holding it for `waitMs`. */
export function holdDirectory(dir: string, lock: string, waitMs = 0): Held {
  const path = join(dir, lock);
  const database = new SQLite(path, { timeout: waitMs });
  if (process.getuid?.() === 0) {
    const { uid, gid } = statSync(dir);
    chownSync(path, uid, gid); // a file of root's would keep the directory's own user out from then on
  }
  const held = (ok: boolean): Held => ({ ok, [Symbol.dispose]: () => database.close() });
  try {
    database.exec("begin exclusive");
    return held(true);
  } catch (error) {
    if (error instanceof SQLite.SqliteError && error.code.startsWith("SQLITE_BUSY")) return held(false);
    throw error;
  }
}
