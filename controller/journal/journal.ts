/**
 * The machine's journal: what it owes the cloud, and what must outlive a power cut.
 *
 * Owns      one SQLite file; no second process can open it.
 * Promises  entries are numbered from 1 without gaps and on disk, with the state they lead to, before `write` returns.
 *           They leave only through `forget`, for this journal's id. The id is new whenever the file is.
 * Never     acts on a line or the state (it only makes sure at the start that they can be read), talks to MQTT, or reads
 *           the clock.
 * Bounded   `full` from `capacity` unheard entries on: the machine stops selling, and the sale it still holds has
 *           `MARGIN` more to end in. Past that, `write` throws.
 * Crash     a transaction is there or it is not. A damaged file is set aside under another name, never repaired.
 *
 * Why FULL is read back: better-sqlite3 compiles WAL with NORMAL, which loses commits at a power cut.
 */
import { existsSync, renameSync } from "node:fs";
import Database from "better-sqlite3";
import { z } from "zod";
import { journalLine } from "../../broker/protocol/messages.js";
import type { Entry } from "../sale/machine.js";
import { FIRST_FORM, FORM, formOf } from "./form.js";

export const MARGIN = 256;

export type JournalOptions = {
  readonly path: string;
  readonly capacity: number;
  /** The id of a journal that begins now, and the name under which a damaged one is kept. */
  readonly newId: string;
  /** Throws on a state that the sale could not go on from. */
  readonly checkState: (state: string) => unknown;
};
export type OpenedJournal = {
  readonly journal: Journal;
  /** Where a damaged file was put, if there was one. */
  readonly setAside?: string;
};

const head = z.object({
  id: z.string().min(1),
  last: z.int().nonnegative(),
  heard: z.int().nonnegative(),
  state: z.string(),
});
const entryRow = z.object({ n: z.int().positive(), line: z.string() });
const windowRow = z.object({ kid: z.string(), highest: z.int() });

/** A commit writes whole pages, and ours change a few hundred bytes: small pages wear the card less. */
const PAGE_BYTES = 1_024;
const PROBE_BYTES = 65_536; // a write takes a few pages
const READ_AT_ONCE = 500;
const MAX_FORM = 999; // what is above it was never written by a later program
const schema = `
  CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    last INTEGER NOT NULL,        -- the newest entry's number
    heard INTEGER NOT NULL,       -- the highest number the cloud has said it has
    state TEXT NOT NULL           -- the sale's durable state
  ) STRICT;
  CREATE TABLE entry (n INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;
  CREATE TABLE replay (kid TEXT PRIMARY KEY, highest INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${String(FIRST_FORM)};
`;

/** Throws when the file cannot be opened at all (no rights, no space, another controller has it). */
export function openJournal(options: JournalOptions): OpenedJournal {
  const existed = existsSync(options.path);
  try {
    return { journal: new Journal(options) };
  } catch (error) {
    if (!existed || !(isDamage(error) || isNotOurs(error))) throw error;
  }
  const setAside = `${options.path}.damaged-${options.newId}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(options.path + suffix)) renameSync(options.path + suffix, setAside + suffix);
  }
  return { journal: new Journal(options), setAside };
}

/** A later program has written what this one does not know: the file is left alone. */
export class LaterJournal extends Error {
  override readonly name = "LaterJournal";
}

/** The file says something a journal of ours cannot say. */
class DamagedJournal extends Error {
  override readonly name = "DamagedJournal";
}

class JournalPastMargin extends Error {
  override readonly name = "JournalPastMargin";
}

/**
 * The disk, or the bound, refused a write that may work later. Anything else thrown here is a bug, a damaged file, or a disk that
 * failed in the middle (SQLITE_IOERR): after a failed fsync nobody knows what is on it, so the process ends and boot looks.
 */
export const mayWorkLater = (error: unknown): boolean =>
  error instanceof JournalPastMargin ||
  (error instanceof Database.SqliteError && !isDamage(error) && !error.code.startsWith("SQLITE_IOERR"));

const isDamage = (error: unknown): boolean =>
  error instanceof DamagedJournal ||
  (error instanceof Database.SqliteError &&
    (error.code === "SQLITE_NOTADB" || error.code.startsWith("SQLITE_CORRUPT")));

type Statements = ReturnType<typeof statementsOf>;
const statementsOf = (db: Database.Database) => ({
  insert: db.prepare("INSERT INTO entry (n, line) VALUES (?, ?)"),
  head: db.prepare("UPDATE head SET last = ?, heard = ?, state = ?"),
  forget: db.prepare("DELETE FROM entry WHERE n <= ?"),
  keep: db.prepare(
    "INSERT INTO replay (kid, highest) VALUES (?, ?) ON CONFLICT (kid) DO UPDATE SET highest = max(highest, excluded.highest)",
  ),
  read: db.prepare("SELECT n, line FROM entry WHERE n > ? ORDER BY n LIMIT ?"),
});

/** What a commit means here, and what it costs: the bench measures one with exactly these settings. */
export function makeDurable(db: Database.Database): void {
  db.pragma(`page_size = ${String(PAGE_BYTES)}`); // of a file that begins now
  db.pragma("locking_mode = EXCLUSIVE"); // a second controller on the same box must not start
  const mode = db.pragma("journal_mode = WAL", { simple: true });
  db.pragma("synchronous = FULL");
  const synchronous = db.pragma("synchronous", { simple: true });
  if (mode !== "wal" || synchronous !== 2)
    throw new Error(
      `the journal needs WAL and synchronous FULL, not ${String(mode)}, ${String(synchronous)}`,
    );
}

/** While a file is opened: SQLite does not know its form, or a table that we made is not in it. */
const isNotOurs = (error: unknown): boolean =>
  error instanceof Database.SqliteError && error.code === "SQLITE_ERROR";

export class Journal {
  readonly id: string;
  readonly #db: Database.Database;
  readonly #capacity: number;
  #last: number;
  #heard: number;
  #forgotten: number; // on disk: at most `heard`
  #state: string;
  #form = FIRST_FORM;
  readonly #statements: Statements;
  readonly #transact: (act: () => void) => void;
  #commits = 0;

  /** Use `openJournal`: it knows what to do about a damaged file. */
  constructor({ path, capacity, newId, checkState }: JournalOptions) {
    this.#capacity = capacity;
    this.#db = new Database(path, { timeout: 1_000 });
    try {
      this.#prepare(newId);
      this.#statements = statementsOf(this.#db);
      this.#transact = this.#db.transaction((act: () => void) => act());
      this.#heard = 0;
      const { id, last, heard, state } = this.#check(checkState);
      this.id = id;
      this.#last = last;
      this.#heard = heard;
      this.#forgotten = heard;
      this.#state = state;
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  get last(): number {
    return this.#last;
  }
  /** The highest number the cloud has said it has: what follows it is still owed. */
  get heard(): number {
    return this.#heard;
  }
  /** The sale's durable state as last written; "" in a new journal. */
  get state(): string {
    return this.#state;
  }
  get capacity(): number {
    return this.#capacity;
  }
  /** Transactions that were flushed to the disk since the start: what wears an SD card out. */
  get commits(): number {
    return this.#commits;
  }
  get full(): boolean {
    return this.#last - this.#heard >= this.#capacity;
  }

  /** One transaction: the entries, the state they lead to, and how far each cloud key's numbers have been heard. */
  write(entries: readonly Entry[], state: string, replay: ReadonlyMap<string, number>): void {
    const last = this.#last + entries.length;
    if (last - this.#heard > this.#capacity + MARGIN)
      throw new JournalPastMargin("the journal holds all it may");
    if (entries.some(({ n }, index) => n !== this.#last + 1 + index))
      throw new Error(`entries must follow ${String(this.#last)} without a gap`);
    const { insert, keep } = this.#statements;
    const form = Math.max(this.#form, ...entries.map(({ line }) => formOf(line)));
    this.#commit(() => {
      if (form > this.#form) this.#db.pragma(`user_version = ${String(form)}`);
      for (const { n, line } of entries) insert.run(n, JSON.stringify(line));
      this.#writeHead(last, state);
      for (const [kid, highest] of replay) keep.run(kid, highest);
    });
    this.#last = last;
    this.#state = state;
    this.#forgotten = this.#heard;
    if (form > this.#form) this.#showForm(form);
  }

  /**
   * The cloud has every entry up to here. What is not in this journal, or beyond its end, changes nothing. They leave the
   * disk with the next `write`: a commit for it alone would wear the card out for nothing. After a crash before that, they
   * are said again, and the cloud knows them.
   */
  forget(upTo: number): void {
    if (upTo > this.#heard && upTo <= this.#last) this.#heard = upTo;
  }

  /** Up to `limit` entries after `after`, in order; none that is forgotten. */
  read(after: number, limit: number): readonly Entry[] {
    const rows = this.#statements.read.all(Math.max(after, this.#heard), limit);
    return rows.map((row) => {
      const { n, line } = entryRow.parse(row);
      return { n, line: journalLine.parse(JSON.parse(line)) };
    });
  }

  /** How far each cloud key's numbers had been heard at the last `write`. */
  replay(): ReadonlyMap<string, number> {
    const rows = this.#db.prepare("SELECT kid, highest FROM replay").all();
    return new Map(rows.map((row) => windowRow.parse(row)).map(({ kid, highest }) => [kid, highest]));
  }

  /** Throws unless a commit reaches the disk that takes more room than any `write`: a smaller one may still find some. */
  probe(): void {
    this.#commit(() => {
      this.#statements.insert.run(this.#last + 1, "?".repeat(PROBE_BYTES));
      this.#db.prepare("DELETE FROM entry WHERE n > ?").run(this.#last);
    });
  }

  /** What is heard is forgotten on the disk, too, if the disk works. */
  close(): void {
    try {
      if (this.#heard > this.#forgotten) this.#commit(() => this.#writeHead(this.#last, this.#state));
    } catch (error) {
      if (!mayWorkLater(error)) throw error;
    } finally {
      this.#db.close();
    }
  }

  #writeHead(last: number, state: string): void {
    if (this.#heard > this.#forgotten) this.#statements.forget.run(this.#heard);
    this.#statements.head.run(last, this.#heard, state);
  }

  /** Into the file itself, where an update looks; while the disk is broken, the log alone has it. */
  #showForm(form: number): void {
    this.#form = form;
    try {
      this.#db.pragma("wal_checkpoint(TRUNCATE)");
    } catch (error) {
      if (!mayWorkLater(error)) throw error;
    }
  }

  #commit(act: () => void): void {
    this.#transact(act);
    this.#commits += 1;
  }

  #prepare(newId: string): void {
    makeDurable(this.#db);
    this.#db
      .transaction(() => {
        const form = this.#db.pragma("user_version", { simple: true });
        if (typeof form !== "number" || form < 0 || form > MAX_FORM)
          throw new DamagedJournal(`no journal is of form ${String(form)}`);
        if (form > FORM)
          throw new LaterJournal(
            `a later scanvend wrote it (form ${String(form)}, and this one reads ${String(FORM)})`,
          );
        this.#form = Math.max(form, FIRST_FORM);
        if (form !== 0) return;
        this.#db.exec(schema);
        this.#db.prepare("INSERT INTO head VALUES (1, ?, 0, 0, '')").run(newId);
      })
      .immediate();
  }

  #check(checkState: JournalOptions["checkState"]): z.infer<typeof head> {
    const said = this.#db.pragma("integrity_check", { simple: true });
    if (said !== "ok") throw new DamagedJournal(String(said));
    const parsed = head.safeParse(this.#db.prepare("SELECT * FROM head").get());
    if (!parsed.success) throw new DamagedJournal("the head is missing");
    const count = this.#db
      .prepare("SELECT count(*) AS entries FROM entry WHERE n > ? AND n <= ?")
      .pluck()
      .get(parsed.data.heard, parsed.data.last);
    if (count !== parsed.data.last - parsed.data.heard) throw new DamagedJournal("entries are missing");
    // SQLite's own check knows pages and cells, not what is written in them: a flipped bit in a text passes it.
    try {
      checkState(parsed.data.state);
      for (let at = parsed.data.heard; at < parsed.data.last; at += READ_AT_ONCE) this.read(at, READ_AT_ONCE);
      this.replay();
    } catch (error) {
      throw new DamagedJournal(`what is written cannot be read: ${String(error)}`);
    }
    return parsed.data;
  }
}
