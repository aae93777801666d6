/**
 * The test clock: a test account moves its own time forward, so that a client can try what happens later.
 *
 * Promises  time goes forward only, and for nobody else. What it is the time of: the account's patron codes, the payment
 *           requests of its merchants with what pays them, and the ends of the tokens and vouchers it gives out.
 * Bounded   by 400 days in all.
 */
import { Fault } from "../http/fault.js";
import type { Store } from "../store/store.js";
import { findAccount } from "./account-rows.js";
import { permit, type Caller } from "./api-key.js";
import type { Making } from "./making.js";
import { timestamp, type AccountRow } from "./wire.js";

export const MOST_SECONDS = 400 * 86_400;

export class TestClocks {
  readonly #parts: Pick<Making, "clock"> & { readonly store: Store };

  constructor(parts: Pick<Making, "clock"> & { readonly store: Store }) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller): Promise<object> {
    permit(caller, "test-clock:read", caller.accountId);
    const row = await findAccount(this.#parts.store.read, caller.accountId);
    return this.#show(row);
  }

  /** Raises FORBIDDEN, QUOTA_EXCEEDED. */
  advance(caller: Caller, seconds: number): Promise<object> {
    permit(caller, "test-clock:advance", caller.accountId);
    return this.#parts.store.write(async (tx) => {
      this.#show(await findAccount(tx, caller.accountId));
      const moved = await tx
        .updateTable("account")
        .set((e) => ({ clock_offset_ms: e("clock_offset_ms", "+", seconds * 1000) }))
        .where("id", "=", caller.accountId)
        .where("clock_offset_ms", "<=", (MOST_SECONDS - seconds) * 1000)
        .returningAll()
        .executeTakeFirst();
      if (moved === undefined)
        throw new Fault("QUOTA_EXCEEDED", `a test clock moves ${MOST_SECONDS} seconds in all`);
      return this.#show(moved);
    });
  }

  #show(row: AccountRow | undefined): object {
    if (row?.test !== 1) throw new Fault("FORBIDDEN", "only a test account has a clock of its own");
    return {
      accountId: row.id,
      now: timestamp(this.#parts.clock.nowMs() + row.clock_offset_ms),
      advancedSeconds: row.clock_offset_ms / 1000,
    };
  }
}
