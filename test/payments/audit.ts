/** The promises about money, read from the tables: M1, M4 and that nothing is given back that was not taken. */
import { expect } from "vitest";
import type { Store } from "../../cloud/store/store.js";

/** Activities that are a transfer of their own. */
const MOVING = ["payment", "refund", "authorization", "confirmation", "release"];

export async function audit(store: Store): Promise<void> {
  const { read } = store;
  const entries = await read.selectFrom("entry").selectAll().execute();
  const accounts = await read.selectFrom("ledger_account").selectAll().execute();
  const transfers = await read.selectFrom("transfer").selectAll().execute();
  const payments = await read.selectFrom("payment").selectAll().execute();
  const holds = await read.selectFrom("hold").selectAll().execute();
  const requests = await read.selectFrom("payment_request").selectAll().execute();
  const calls = await read.selectFrom("uplink_call").selectAll().execute();
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
    if (kind !== "issuance" && kind !== "clearing")
      expect(balance_minor, `${kind} ${id}`).toBeGreaterThanOrEqual(0);
  }

  for (const payment of payments) {
    expect(payment.refunded_minor).toBeLessThanOrEqual(payment.amount_minor);
    add(`payments ${payment.payment_request_id}`, 1);
    add(`taken ${payment.payment_request_id}`, payment.amount_minor);
    add(`refunded ${payment.payment_request_id}`, payment.refunded_minor);
  }
  const paidBy = new Map(payments.map((payment) => [payment.id, payment]));
  for (const call of calls) {
    if (call.state === "paying") add(`pending ${call.payment_request_id}`, call.amount_minor);
    // Only what was taken is a payment, and only of what was taken goes something back.
    const isTaken = call.state === "paid" || call.refund_id !== null;
    expect(paidBy.has(call.payment_id), `${call.id} is ${call.state}`).toBe(isTaken);
  }
  const known = new Map(transfers.map(({ id, kind, ref }) => [id, [kind, ref]]));
  for (const activity of activities) {
    const id = activity.payment_request_id;
    add(`activities ${id}`, 1);
    add(`${activity.type} ${id}`, activity.amount_minor);
    add(`number of ${activity.type} ${id}`, 1);
    if (!MOVING.includes(activity.type)) continue;
    const moves = known.get(activity.id);
    if (activity.type === "release" && moves === undefined) continue; // all of it had been confirmed
    expect(moves, `${activity.type} ${activity.id} moved money`).toEqual([activity.type, id]);
    if (activity.type === "release") continue; // it speaks of the hold, and moves what was left of it
    expect(moved.get(activity.id), `what ${activity.type} ${activity.id} moved`).toBe(activity.amount_minor);
  }
  const balances = new Map(accounts.map(({ id, balance_minor }) => [id, balance_minor]));
  const held = new Map(holds.map((hold) => [hold.payment_request_id, hold]));
  for (const { id, status, pre_auth_status, value_minor, details, pending_minor, ...row } of requests) {
    const { activities: count } = row;
    const paid = sum(`taken ${id}`);
    const hold = held.get(id);
    const { partialAllowed = false } = JSON.parse(details) as { partialAllowed?: boolean }; // written by create
    expect(sum(`payment ${id}`) + sum(`confirmation ${id}`)).toBe(paid);
    expect(sum(`refund ${id}`), `refunds of ${id}`).toBe(sum(`refunded ${id}`));
    expect(sum(`activities ${id}`)).toBe(count);
    expect(sum(`number of cancellation ${id}`)).toBe(status === "cancelled" ? 1 : 0);
    expect(sum(`number of expiry ${id}`)).toBe(status === "expired" ? 1 : 0);
    expect(pending_minor, `what is pending of ${id}`).toBe(sum(`pending ${id}`));
    expect(paid + pending_minor, `${id} is not overpaid`).toBeLessThanOrEqual(value_minor);
    expect(pre_auth_status !== null, `${id} holds money`).toBe(hold !== undefined);
    expect(sum(`number of authorization ${id}`)).toBe(hold === undefined ? 0 : 1);
    if (hold !== undefined) {
      expect(paid, `${id} confirms what is held`).toBeLessThanOrEqual(hold.amount_minor);
      expect(hold.is_held).toBe(pre_auth_status === "authorized" ? 1 : 0);
      expect(balances.get(`hold.${id}`)).toBe(hold.is_held === 1 ? hold.amount_minor - paid : 0);
      expect(sum(`number of release ${id}`)).toBe(hold.is_held === 1 ? 0 : 1);
    } else if (status === "paid") {
      if (!partialAllowed) expect(paid, `${id} is paid whole`).toBe(value_minor);
      expect(paid).toBeGreaterThan(0);
    } else if (status !== "new") expect(sum(`refunded ${id}`), `all parts of ${id} went back`).toBe(paid);
  }
}
