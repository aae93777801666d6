/**
 * Small reads of one moment on PostgreSQL, on one connection and in one message. Each still sees what was committed before it.
 *
 * Promises  one that fails fails no other: all are then asked again, each on a connection of its own.
 * Bounded   by `maxWaiting` that are gathered; the next is turned away with StoreBusy.
 */
import type { PoolLine } from "./pool-line.js";
import { together } from "./statement.js";
import { StoreBusy } from "./store.js";

type Read = {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly done: (rows: unknown[] | Promise<unknown[]>) => void;
  readonly failed: (error: unknown) => void;
};

export class SharedReads {
  readonly #line: PoolLine;
  readonly #maxWaiting: number;
  #waiting: Read[] = [];

  constructor(line: PoolLine, maxWaiting: number) {
    this.#line = line;
    this.#maxWaiting = maxWaiting;
  }

  rows(text: string, values: readonly unknown[]): Promise<unknown[]> {
    if (this.#waiting.length >= this.#maxWaiting)
      return Promise.reject(new StoreBusy("too many are waiting for the database"));
    return new Promise((done, failed) => {
      // Those that came in with one look at the sockets are together when it is over.
      if (this.#waiting.push({ text, values, done, failed }) === 1) setImmediate(() => void this.#ask());
    });
  }

  async #ask(): Promise<void> {
    const reads = this.#waiting.splice(0);
    try {
      const answers = await this.#together(reads);
      reads.forEach(({ done }, index) => done(answers[index] ?? []));
    } catch (error) {
      const [only] = reads;
      if (reads.length === 1) only?.failed(error);
      else for (const { text, values, done } of reads) done(this.#alone(text, values));
    }
  }

  async #together(reads: readonly Pick<Read, "text" | "values">[]): Promise<readonly unknown[][]> {
    const connection = await this.#line.connect();
    try {
      return await together(
        reads.map(async ({ text, values }) => (await connection.query<unknown>(text, values)).rows),
      );
    } finally {
      connection.release();
    }
  }

  async #alone(text: string, values: readonly unknown[]): Promise<unknown[]> {
    const [rows = []] = await this.#together([{ text, values }]);
    return rows;
  }
}
