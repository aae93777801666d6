/** What one durable commit takes at least: a row through SQLite, with the journal's settings, on the journal's disk. */
import Database from "better-sqlite3";
import { makeDurable } from "../controller/journal/journal.js";

const ROW_BYTES = 200; // about a journal entry

export class DurableCommit {
  readonly #db: Database.Database;
  readonly #insert: Database.Statement;

  constructor(path: string) {
    this.#db = new Database(path);
    makeDurable(this.#db);
    this.#db.exec("CREATE TABLE entry (n INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT");
    this.#insert = this.#db.prepare("INSERT INTO entry (line) VALUES (?)");
  }

  /** Does one; answers how long it took. */
  timeMs(): number {
    const startedMs = performance.now();
    this.#insert.run("x".repeat(ROW_BYTES));
    return performance.now() - startedMs;
  }

  close(): void {
    this.#db.close();
  }
}
