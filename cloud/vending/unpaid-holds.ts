/**
 * How often in a row one address has held a machine and nobody paid: past some it waits before the next, each time longer.
 *
 * Promises  any payment from that address at that machine ends the row, and so does an hour without a hold. What became of a
 *           hold is read from its sale, whichever process has heard of it.
 * Bounded   by COUNTED rows, the one that was added to longest ago forgotten first.
 * Crash     the rows are this process's own: they begin again with it, and of several each counts for itself.
 */
import { putLast } from "../http/latest.js";
import type { Reader } from "../store/store.js";
import { wasPaid } from "./sale.js";
import { saleBy } from "./sales.js";

const COUNTED = 10_000;
const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 600_000;
const FORGET_MS = 3_600_000;

export type Holder = { readonly address: string; readonly machineId: string };
/** The latest hold, and how many before it came to nothing. */
type Row = { readonly saleId: string; readonly before: number };

export class UnpaidHolds {
  readonly #read: Reader;
  readonly #allowed: number;
  readonly #rows = new Map<string, Row>();

  constructor(read: Reader, allowed: number) {
    this.#read = read;
    this.#allowed = allowed;
  }

  /** How many have come to nothing in a row so far, and how long that makes this one wait. */
  async of(holder: Holder, nowMs: number): Promise<{ readonly unpaid: number; readonly waitMs: number }> {
    const none = { unpaid: 0, waitMs: 0 };
    const row = this.#rows.get(nameOf(holder));
    const last = row === undefined ? undefined : await saleBy(this.#read, "id", row.saleId);
    if (row === undefined || last === undefined || wasPaid(last.sale)) return none;
    const { sinceMs, paymentRequestId } = last.sale;
    if (nowMs - sinceMs >= FORGET_MS) return none;
    const unpaid = row.before + (paymentRequestId === null ? 0 : 1); // one that the machine refused held nothing
    return { unpaid, waitMs: Math.max(0, sinceMs + waitAfter(unpaid - this.#allowed) - nowMs) };
  }

  /** A new sale holds the machine. */
  add(holder: Holder, row: Row): void {
    putLast(this.#rows, nameOf(holder), row, COUNTED);
  }
}

const nameOf = ({ address, machineId }: Holder): string => `${address} ${machineId}`;
const waitAfter = (tooMany: number): number =>
  tooMany <= 0 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** (tooMany - 1), LONGEST_WAIT_MS);
