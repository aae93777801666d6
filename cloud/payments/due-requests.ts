/**
 * Which payment requests' time is over, their own or that of what is held for them, by the time of their merchant's account.
 *
 * Promises  a look costs what is due and not what is kept. An account's own time is only ever ahead, so what is over by the
 *           platform's clock is over; accounts that moved theirs are looked at apart, and only where there are any.
 * Bounded   `limit` of each: the requests and the holds, of the others and of those that moved.
 */
import { sql } from "kysely";
import type { Reader } from "../store/store.js";

export async function findDue(read: Reader, nowMs: number, limit: number): Promise<ReadonlySet<string>> {
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
