/**
 * A pool of PostgreSQL connections with a line in front of it, and what can go wrong on a connection in the store's words.
 *
 * Promises  connections are given out in the order they were asked for. A connection that failed is not given out again.
 *           What the driver says that the server did not is StoreFailed: the server was not reached, or is gone.
 * Never     looks at what a message says: only at its SQLSTATE (PostgreSQL, appendix A).
 * Bounded   by `maxWaiting` in line; the next is turned away with StoreBusy.
 */
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely";
import { DatabaseError, type Pool, type PoolClient, type QueryResult } from "pg";
import { Breath, type Answer, type Said, type Told } from "./breath.js";
import { StoreBusy, StoreFailed } from "./store.js";

export class PoolLine implements PostgresPool {
  readonly #pool: Pool;
  readonly #maxWaiting: number;
  #free: number;
  #waiting: (() => void)[] = [];
  #open = 0;
  #whenIdle: (() => void)[] = [];
  readonly #connections = new WeakMap<PoolClient, Connection>();

  constructor(pool: Pool, maxConnections: number, maxWaiting: number) {
    this.#pool = pool;
    this.#free = maxConnections;
    this.#maxWaiting = maxWaiting;
    pool.on("error", ignore); // a connection lost while nobody used it: the pool opens another when one is wanted
  }

  async connect(): Promise<Connection> {
    await this.#turn();
    try {
      const client = await this.#pool.connect();
      const known = this.#connections.get(client) ?? new Connection(client, () => this.#leave());
      this.#connections.set(client, known);
      client.on("error", ignore); // the query under way, or the next one, rejects
      return known;
    } catch (error) {
      this.#leave();
      throw new StoreFailed("the database cannot be reached", { cause: error });
    }
  }

  /** Resolves when nobody holds a connection or waits for one. */
  async idle(): Promise<void> {
    while (this.#open > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  end(): Promise<void> {
    return this.#pool.end();
  }

  #turn(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      this.#open += 1;
      return Promise.resolve();
    }
    if (this.#waiting.length >= this.#maxWaiting)
      return Promise.reject(new StoreBusy("too many are waiting for the database"));
    this.#open += 1;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    this.#open -= 1;
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next(); // the place goes from hand to hand
    if (this.#open === 0) for (const tell of this.#whenIdle.splice(0)) tell();
  }
}

/** The same object each time the same connection is given out. */
export class Connection implements PostgresPoolClient {
  readonly #client: PoolClient;
  readonly #left: () => void;
  readonly #told: Told = new Set();
  #saying: Said[] = [];
  #isBroken = false;

  constructor(client: PoolClient, left: () => void) {
    this.#client = client;
    this.#left = left;
  }

  /** Goes to the server with whatever is said next, which tells if it failed. */
  begin(): void {
    this.query("begin isolation level read committed", []).catch(ignore);
  }

  query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  query<R>(
    text: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof text !== "string") throw new TypeError("the store reads no cursors");
    return this.#query<R>(text, parameters);
  }

  release(): void {
    this.#client.off("error", ignore);
    this.#client.release(this.#isBroken);
    this.#left();
  }

  async #query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    const name = nameOf(text);
    let result;
    try {
      result = await (name === undefined ? this.#ask(text, parameters) : this.#say(name, text, parameters));
    } catch (error) {
      const failure = inStoreWords(error);
      this.#isBroken ||= failure instanceof StoreFailed || failure instanceof StalePlan;
      throw failure;
    }
    // A transaction in which a query failed is rolled back by its own commit, in silence.
    if (text === "commit" && result.command !== "COMMIT")
      throw new Error(
        "a transaction went on after one of its queries had failed, and nothing of it was kept",
      );
    return result as unknown as PostgresQueryResult<R>; // what the query selects
  }

  /** With whatever else is said in this turn. */
  #say(name: string, text: string, parameters: readonly unknown[]): Promise<Answer> {
    const values = parameters.map(toText);
    return new Promise((done, failed) => {
      if (this.#saying.push({ name, text, values, done, failed }) === 1)
        process.nextTick(() => this.#breathe());
    });
  }

  #breathe(): void {
    if (this.#saying.length === 0) return;
    const said = this.#saying.splice(0);
    const isNews = said.some(({ name }) => !this.#told.has(name));
    // Of a breath that failed nobody knows which of its texts the server kept.
    const failed = (error: unknown): void =>
      void (this.#isBroken ||= isNews || !(error instanceof DatabaseError));
    this.#client.query(new Breath(said, this.#told, failed));
  }

  /** A text without a name, which may be several statements. */
  #ask(text: string, parameters: readonly unknown[]): Promise<QueryResult> {
    this.#breathe();
    return this.#client.query({ text, values: [...parameters] });
  }
}

/** As the protocol has it. */
function toText(value: unknown): string | Buffer | null {
  if (typeof value === "string" || Buffer.isBuffer(value)) return value;
  if (value === null || value === undefined) return null;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
    return String(value);
  throw new TypeError(`a statement is given text, numbers and null, and not ${typeof value}`);
}

/** Each text the server is told once a connection, by a name. The texts of a service are few; past NAMED they have none. */
const NAMED = 500;
const WORTH_A_NAME = /^(select|insert|update|delete|with|begin|commit|rollback)/;
const names = new Map<string, string>();
function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (names.size >= NAMED || !WORTH_A_NAME.test(text)) return undefined;
  const named = `s${names.size + 1}`;
  names.set(text, named);
  return named;
}

/** A table was changed since the server was told the statement. Another connection knows no better, but will be told anew. */
export class StalePlan extends StoreBusy {
  override readonly name = "StalePlan";
}

/** Waited too long for a lock (55P03), or the statement took too long (57014). */
const BUSY = /^(55P03|57014)$/;
/** The connection, the server's resources, its shutdown, its disk; a transaction left idle; a server that only reads. */
const FAILED = /^(08...|53...|57P..|58...|25P03|25006)$/;

function inStoreWords(error: unknown): unknown {
  if (error instanceof RangeError) return error; // a number that cannot be held (postgres-number.ts)
  if (!(error instanceof DatabaseError))
    return new StoreFailed("the connection to the database was lost", { cause: error });
  const code = error.code ?? "";
  if (error.routine === "RevalidateCachedQuery")
    return new StalePlan("the tables have just been changed", { cause: error });
  if (BUSY.test(code)) return new StoreBusy("the database took too long", { cause: error });
  if (FAILED.test(code)) return new StoreFailed("the database failed", { cause: error });
  return error;
}

const ignore = (): void => undefined;
