/**
 * Which payment requests' time is over, their own or that of what is held for them, by the time of their merchant's account.
 *
 * Promises  a look costs what is due and not what is kept. An account's own time is only ever ahead, so what is over by the
 *           platform's clock is over; accounts that moved theirs are looked at apart, and only where there are any.
 *           One that failed is put off, ever longer, and hides none of those behind it.
 * Bounded   `limit` of each: the requests and the holds, of the others and of those that moved. Of those that failed
 *           MOST_PUT_OFF are known; past that the one that failed longest ago is forgotten, and tried with the others.
 * Crash     what was put off is tried again at once.
 */
import { sql } from "kysely";
import type { Reader } from "../store/store.js";
import { retryDelayMs } from "./webhooks.js";

const MOST_PUT_OFF = 10_000;

export class DueRequests {
  readonly #read: Reader;
  readonly #putOff = new Map<string, { readonly failures: number; readonly untilMs: number }>();

  constructor(read: Reader) {
    this.#read = read;
  }

  async find(nowMs: number, limit: number): Promise<readonly string[]> {
    const due = await findDue(this.#read, nowMs, limit + this.#putOff.size);
    return [...due].filter((id) => (this.#putOff.get(id)?.untilMs ?? 0) <= nowMs);
  }

  /** `fraction`: of chance, so that those that failed together are not tried together. */
  putOff(id: string, nowMs: number, fraction: number): void {
    const failures = (this.#putOff.get(id)?.failures ?? 0) + 1;
    this.#putOff.delete(id);
    this.#putOff.set(id, { failures, untilMs: nowMs + retryDelayMs(failures, fraction) });
    const [longestAgo] = this.#putOff.keys();
    if (this.#putOff.size > MOST_PUT_OFF && longestAgo !== undefined) this.#putOff.delete(longestAgo);
  }

  done(id: string): void {
    this.#putOff.delete(id);
  }
}

async function findDue(read: Reader, nowMs: number, limit: number): Promise<ReadonlySet<string>> {
  const requests = await read
    .selectFrom("payment_request")
    .select("id")
    .where("status", "=", sql.lit("new")) // a literal, or SQLite does not take the partial index
    .where("expires_ms", "<=", nowMs)
    .where("pending_minor", "=", 0) // somebody is paying it elsewhere
    .orderBy("expires_ms")
    .limit(limit)
    .execute();
  const holds = await read
    .selectFrom("hold")
    .select("payment_request_id as id")
    .where("is_held", "=", sql.lit(1))
    .where("expires_ms", "<=", nowMs)
    .orderBy("expires_ms")
    .limit(limit)
    .execute();
  const moved = await findDueOfMoved(read, nowMs, limit);
  return new Set([...requests, ...holds, ...moved].map(({ id }) => id));
}

async function findDueOfMoved(
  read: Reader,
  nowMs: number,
  limit: number,
): Promise<readonly { readonly id: string }[]> {
  const furthest = await read
    .selectFrom("account")
    .select("clock_offset_ms")
    .where("clock_offset_ms", ">", sql.lit(0))
    .orderBy("clock_offset_ms", "desc")
    .limit(1)
    .executeTakeFirst();
  if (furthest === undefined) return [];
  const ofMoved = read
    .selectFrom("account")
    .innerJoin("payment_request as request", "request.merchant_account_id", "account.id")
    .select("request.id")
    .where("account.clock_offset_ms", ">", sql.lit(0))
    .limit(limit);
  const requests = await ofMoved
    .where("request.status", "=", sql.lit("new"))
    .where("request.pending_minor", "=", 0)
    .where("request.expires_ms", ">", nowMs)
    .where("request.expires_ms", "<=", nowMs + furthest.clock_offset_ms) // so that the index ends somewhere
    .where((e) => e("request.expires_ms", "<=", e(e.val(nowMs), "+", e.ref("account.clock_offset_ms"))))
    .execute();
  const holds = await ofMoved
    .where("request.pre_auth_status", "=", sql.lit("authorized"))
    .where("request.pre_auth_expires_ms", ">", nowMs)
    .where((e) =>
      e("request.pre_auth_expires_ms", "<=", e(e.val(nowMs), "+", e.ref("account.clock_offset_ms"))),
    )
    .execute();
  return [...requests, ...holds];
}
