/**
 * The ledger: money moves between accounts by transfers, and in no other way.
 *
 * Owns      the tables ledger_account, transfer and entry.
 * Promises  a transfer's entries sum to zero per currency (M1); a balance is the sum of its account's entries, changed in
 *           the same transaction; no wallet goes below zero; a transfer is made once.
 *           Transfers and entries are only ever added: the database itself refuses to change them.
 * Never     decides whether money should move, and never moves any outside the caller's transaction.
 * Crash     a transfer is there with all its entries and balances, or not at all.
 */
import { sql } from "kysely";
import { insertOf, writeAll, writeOf, type Write } from "../store/statement.js";
import type { Tx } from "../store/store.js";
import type { Tables } from "../store/tables.js";

export type Entry = {
  readonly accountId: string;
  readonly currency: string;
  /** What the account gains, or, below zero, what it gives. */
  readonly amountMinor: number;
};
export type Transfer = {
  readonly id: string;
  readonly kind: Tables["transfer"]["kind"];
  /** What asked for it: a payment request, or the asset topped up. */
  readonly ref: string;
  readonly createdMs: number;
  readonly entries: readonly Entry[];
};

/** A wallet has less than it was to give. Thrown, so that the caller's whole transaction is taken back. */
export class Overdrawn extends Error {
  override readonly name = "Overdrawn";
  readonly accountId: string;
  constructor(accountId: string) {
    super(`${accountId} has too little`);
    this.accountId = accountId;
  }
}

/** Moves the money. A transfer is made once: a second one with its id the database refuses. Raises Overdrawn. */
export const post = (tx: Tx, transfer: Transfer): Promise<void> => writeAll(tx, postings(transfer));

/** What moves the money, for whoever has more to write with it. `overdrawn`: what is raised instead of Overdrawn. */
export function postings(
  transfer: Transfer,
  overdrawn: (accountId: string) => Error = (accountId) => new Overdrawn(accountId),
): readonly Write[] {
  assertBalanced(transfer);
  const { id, kind, ref, createdMs, entries } = transfer;
  return [
    insertTransfer({ id, kind, ref, created_ms: createdMs }),
    // In the order of their ids: two transfers between the same accounts then stand in line, and not in each other's way.
    ...entries.toSorted(byAccount).map((entry): Write => ({
      ...changeBalance(entry, (changed) => {
        if (changed !== 1) throw overdrawn(entry.accountId);
      }),
      holds: entry.accountId,
    })),
    ...entries.map(({ accountId, currency, amountMinor }) =>
      insertEntry({ transfer_id: id, account_id: accountId, currency, amount_minor: amountMinor }),
    ),
  ];
}

const changeBalance = writeOf((tx, { accountId, currency, amountMinor }: Entry) =>
  tx
    .updateTable("ledger_account")
    .set((e) => ({ balance_minor: e("balance_minor", "+", amountMinor) }))
    .where("id", "=", accountId)
    .where("currency", "=", currency)
    .where((e) =>
      e.or([
        e("kind", "in", ["issuance", "clearing"]),
        e(e("balance_minor", "+", amountMinor), ">=", sql.lit(0)),
      ]),
    ),
);
const insertTransfer = insertOf("transfer", ["id", "kind", "ref", "created_ms"]);
const insertEntry = insertOf("entry", ["transfer_id", "account_id", "currency", "amount_minor"]);

const byAccount = (a: Entry, b: Entry): number =>
  a.accountId < b.accountId ? -1 : Number(a.accountId > b.accountId);

/** Opens an account if it is not there yet, and answers its id. */
export async function openAccount(
  tx: Tx,
  kind: Tables["ledger_account"]["kind"],
  id: string,
  currency: string,
): Promise<string> {
  await writeAll(tx, [insertAccountOnce({ id, kind, currency })]);
  return id;
}
type Opened = Pick<Tables["ledger_account"], "id" | "kind" | "currency">;
const insertAccountOnce = writeOf((tx, { id, kind, currency }: Opened) =>
  tx
    .insertInto("ledger_account")
    .values({ id, kind, currency, balance_minor: 0 })
    .onConflict((conflict) => conflict.column("id").doNothing()),
);

/** Where a currency's test money comes from. It owes what all test wallets hold. */
export const openTestIssuance = (tx: Tx, currency: string): Promise<string> =>
  openAccount(tx, "issuance", `issuance.${currency.toLowerCase()}.test`, currency);

/** A transfer that does not balance is a bug in whoever made it. */
function assertBalanced({ id, entries }: Transfer): void {
  const sums = new Map<string, number>();
  for (const { currency, amountMinor } of entries) {
    if (!Number.isSafeInteger(amountMinor) || amountMinor === 0)
      throw new RangeError(`transfer ${id}: ${amountMinor} is not an amount`);
    sums.set(currency, (sums.get(currency) ?? 0) + amountMinor);
  }
  if (entries.length < 2 || [...sums.values()].some((sum) => sum !== 0))
    throw new RangeError(`transfer ${id} does not balance`);
}
