/** The promises about money, read from the tables: M1, M4 and that nothing is given back that was not taken. */
import { expect } from "vitest";
import type { Store } from "../../cloud/store/store.js";

export async function audit(store: Store): Promise<void> {
  const { read } = store;
  const entries = await read.selectFrom("entry").selectAll().execute();
  const accounts = await read.selectFrom("ledger_account").selectAll().execute();
  const transfers = await read.selectFrom("transfer").selectAll().execute();
  const payments = await read.selectFrom("payment").selectAll().execute();
  const requests = await read.selectFrom("payment_request").selectAll().execute();
  const activities = await read.selectFrom("activity").selectAll().execute();

  const sums = new Map<string, number>();
  const add = (key: string, minor: number): void => void sums.set(key, (sums.get(key) ?? 0) + minor);
  const sum = (key: string): number => sums.get(key) ?? 0;
  const legs = new Map<string, number>();
  const moved = new Map<string, number>();
  for (const entry of entries) {
    add(`transfer ${entry.transfer_id} ${entry.currency}`, entry.amount_minor);
    add(`account ${entry.account_id}`, entry.amount_minor);
    add(`all ${entry.currency}`, entry.amount_minor);
    moved.set(entry.transfer_id, (moved.get(entry.transfer_id) ?? 0) + Math.max(entry.amount_minor, 0));
    legs.set(entry.transfer_id, (legs.get(entry.transfer_id) ?? 0) + 1);
  }
  for (const [key, total] of sums)
    if (!key.startsWith("account")) expect(total, `${key} does not sum to zero`).toBe(0);
  for (const { id } of transfers) expect(legs.get(id), `entries of ${id}`).toBeGreaterThanOrEqual(2);
  for (const { id, kind, balance_minor } of accounts) {
    expect(balance_minor, `the balance of ${id}`).toBe(sum(`account ${id}`));
    if (kind === "wallet") expect(balance_minor, `wallet ${id}`).toBeGreaterThanOrEqual(0);
  }

  for (const payment of payments) {
    expect(payment.refunded_minor).toBeLessThanOrEqual(payment.amount_minor);
    add(`payments ${payment.payment_request_id}`, 1);
    add(`paid ${payment.payment_request_id}`, payment.amount_minor);
    add(`refunded ${payment.payment_request_id}`, payment.refunded_minor);
  }
  const known = new Map(transfers.map(({ id, kind, ref }) => [id, [kind, ref]]));
  for (const activity of activities) {
    const id = activity.payment_request_id;
    add(`activities ${id}`, 1);
    add(`${activity.type} ${id}`, activity.amount_minor);
    add(`number of ${activity.type} ${id}`, 1);
    if (activity.type !== "payment" && activity.type !== "refund") continue;
    expect(known.get(activity.id), `${activity.type} ${activity.id} moved money`).toEqual([
      activity.type,
      id,
    ]);
    expect(moved.get(activity.id), `what ${activity.type} ${activity.id} moved`).toBe(activity.amount_minor);
  }
  for (const { id, status, value_minor, activities: count } of requests) {
    expect(sum(`payments ${id}`), `payments of ${id}`).toBe(status === "paid" ? 1 : 0);
    expect(sum(`paid ${id}`)).toBe(status === "paid" ? value_minor : 0);
    expect(sum(`payment ${id}`)).toBe(sum(`paid ${id}`));
    expect(sum(`refund ${id}`), `refunds of ${id}`).toBe(sum(`refunded ${id}`));
    expect(sum(`activities ${id}`)).toBe(count);
    expect(sum(`number of cancellation ${id}`)).toBe(status === "cancelled" ? 1 : 0);
    expect(sum(`number of expiry ${id}`)).toBe(status === "expired" ? 1 : 0);
  }
}
