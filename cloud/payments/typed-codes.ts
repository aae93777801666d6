/**
 * Codes that a customer types at a terminal: a voucher's, or a token's.
 *
 * Owns      the table voucher_try.
 * Promises  wrong codes from one terminal slow it down, whatever they were tried as; a right one clears that. Nobody but its
 *           merchant slows a terminal down.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import { Fault } from "../http/fault.js";
import { lockName } from "../store/locks.js";
import type { Reader, Store, Tx } from "../store/store.js";
import type { Spending } from "./provider.js";
import { hashOf, readVoucherCode, waitAfter } from "./voucher-code.js";

/** A code that is none. Whoever catches it counts it. */
export class WrongCode extends Fault {
  readonly terminal: string;
  constructor(terminal: string) {
    super("ASSET_REDEMPTION_DENIED", "no voucher has this code");
    this.terminal = terminal;
  }
}

/** What `find` has for the hash of the code that is to pay. Raises RATE_LIMIT_EXCEEDED, ASSET_REDEMPTION_DENIED. */
export async function byTypedCode<Found>(
  tx: Tx,
  spending: Spending,
  authorization: string,
  find: (codeHash: string) => Promise<Found | undefined>,
): Promise<Found> {
  const terminal = terminalOf(spending);
  const tries = await findTries(tx, terminal);
  if (tries !== undefined && tries.until_ms > spending.realMs)
    throw new Fault("RATE_LIMIT_EXCEEDED", "too many wrong codes", {
      retryAfterMs: tries.until_ms - spending.realMs,
    });
  const digits = readVoucherCode(authorization);
  const found = digits === undefined ? undefined : await find(hashOf(digits));
  if (found === undefined) throw new WrongCode(terminal);
  if (tries !== undefined) await tx.deleteFrom("voucher_try").where("terminal", "=", terminal).execute();
  return found;
}

/** A wrong code: written down by itself, because the payment it was for came to nothing. */
export async function countWrongCode(store: Store, clock: Clock, terminal: string): Promise<void> {
  await store.write(async (tx) => {
    await lockName(tx, `voucher_try ${terminal}`);
    const wrong = ((await findTries(tx, terminal))?.wrong ?? 0) + 1;
    const until_ms = clock.nowMs() + waitAfter(wrong);
    await tx
      .insertInto("voucher_try")
      .values({ terminal, wrong, until_ms })
      .onConflict((conflict) => conflict.column("terminal").doUpdateSet({ wrong, until_ms }))
      .execute();
  });
}

/** The terminal a code was typed at: as the request names it, where the merchant itself pays, or else the key that pays. */
const terminalOf = ({ request, caller }: Spending): string => {
  const { terminalId } = JSON.parse(request.details) as { readonly terminalId?: string }; // written by create alone
  const merchant = request.merchant_account_id;
  return terminalId === undefined || caller.accountId !== merchant ? caller.crn : `${merchant} ${terminalId}`;
};

const findTries = (db: Reader, terminal: string) =>
  db.selectFrom("voucher_try").selectAll().where("terminal", "=", terminal).executeTakeFirst();
