/**
 * One process a directory: two rigs would overwrite each other's files and attend the same sales, two updates each other's links.
 *
 * The lock is SQLite's on a file of its own: the system lets go of it however the process ends.
 */
import { join } from "node:path";
import SQLite from "better-sqlite3";

export type Held = Disposable & { readonly ok: boolean };

/** Not `ok` when another process holds the directory. */
export function holdDirectory(dir: string, lock: string): Held {
  const database = new SQLite(join(dir, lock), { timeout: 0 });
  const held = (ok: boolean): Held => ({ ok, [Symbol.dispose]: () => database.close() });
  try {
    database.exec("begin exclusive");
    return held(true);
  } catch (error) {
    if (error instanceof SQLite.SqliteError && error.code.startsWith("SQLITE_BUSY")) return held(false);
    throw error;
  }
}
