/**
 * The sales desk: what a customer's request does, from asking the machine to the answer the page gets.
 *
 * Promises  nothing is charged before the machine has said yes to this very sale; one customer a machine; the same
 *           idempotency key is one sale, and one answer. Whoever holds a machine and does not pay makes room for the next.
 * Crash     a sale half made is taken up by the attendant; the customer's retry under its key finds it.
 */
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { newId } from "../../broker/protocol/id.js";
import { toMinor } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import type { Store, Tx } from "../store/store.js";
import type { Attendant, Terms } from "./attendant.js";
import { machineBy, machineState, type Machine } from "./machines.js";
import { begin, holdsMachine, isFinal, type Product, type Refusal, type Sale } from "./sale.js";
import { holderOf, insertSale, isHeld, saleBy, saleByKey, type Change, type StoredSale } from "./sales.js";
import type { UnpaidHolds } from "./unpaid-holds.js";

export type DeskParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly attendant: Attendant;
  readonly terms: Terms;
  readonly unpaidHolds: UnpaidHolds;
};
export type Asked = {
  readonly amount: string;
  /** Left out, it is the machine's. */
  readonly currency?: string;
  readonly idempotencyKey: string;
  /** Where a phone asks from, which may be anywhere; whoever stands at the machine and asks there has none. */
  readonly address?: string;
  /** What was held to the machine's own scanner. */
  readonly barcode?: string;
  /** What was chosen at the machine, and has exactly this price. */
  readonly selection?: NonNullable<Sale["selection"]>;
  /** What was typed at the machine's own keypad: it pays at once, and the credit is what it holds, up to the amount. */
  readonly voucher?: string;
  /** The code is a product's, and may be for one of these; `amount` is what they cost together. */
  readonly products?: readonly Product[];
};

/** How often a waiting customer's sale is looked at again: another process may have changed it, and tells nobody here. */
const LOOK_MS = 500;

export class Desk {
  readonly #parts: DeskParts;
  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /**
   * Starts a sale and answers when its payment request is there.
   * Faults: FORBIDDEN (no such machine), MALFORMED (currency), CREDIT_OUT_OF_RANGE, IDEMPOTENT_OPERATION_FAILED,
   * MACHINE_OFFLINE, MACHINE_BUSY, MACHINE_OUT_OF_SERVICE, PAYMENTS_UNAVAILABLE; of an address RATE_LIMIT_EXCEEDED.
   */
  async start(code: string, asked: Asked): Promise<StoredSale> {
    return this.startAt(await this.machine(code), asked);
  }

  /**
   * The same; with a barcode also CHECKSUM_FAILED, PATRON_CODE_INVALID. With a voucher it answers when that has paid, or
   * ASSET_REDEMPTION_DENIED, INVALID_ASSET_TYPE, INACTIVE_ASSET, RATE_LIMIT_EXCEEDED (and how long to wait).
   */
  async startAt(machine: Machine, asked: Asked): Promise<StoredSale> {
    const id = await this.#claim(machine, asked);
    const isTried = ({ state, voucherCode }: Sale): boolean =>
      state !== "reserving" && state !== "requesting" && voucherCode === null;
    const made = await this.#when(id, isTried);
    const { state, refusal, retryAfterSeconds } = made.sale;
    if (retryAfterSeconds !== null)
      throw new Fault("RATE_LIMIT_EXCEEDED", "too many wrong codes", {
        retryAfterMs: retryAfterSeconds * 1000,
      });
    if (state === "refused") throw new Fault((refusal ?? "MACHINE_OFFLINE") as Refusal); // `step` writes only these
    if (state === "reserving") throw new Fault("MACHINE_OFFLINE");
    if (state === "requesting" || !isTried(made.sale)) throw new Fault("PAYMENTS_UNAVAILABLE");
    if (made.sale.byVoucher && ["cancelling", "cancelled", "expired"].includes(state))
      throw new Fault((refusal ?? "PAYMENTS_UNAVAILABLE") as Refusal); // as above
    return made;
  }

  /** Gives up. What was paid comes back; a sale that has opened is closed by the machine, and says so in its own time. */
  async cancel(id: string): Promise<StoredSale> {
    await this.#parts.attendant.apply("id", id, { kind: "cancelAsked" });
    await this.sale(id);
    return this.#when(id, ({ state }) => state !== "cancelling" && state !== "settling");
  }

  /** The sale, or FORBIDDEN: missing and not yours are one answer. An attempt that was refused never became a sale. */
  async sale(id: string): Promise<StoredSale> {
    const found = await saleBy(this.#parts.store.read, "id", id);
    if (found === undefined || found.sale.paymentRequestId === null) throw new Fault("FORBIDDEN");
    return found;
  }

  /** Raises FORBIDDEN. A code that is typed from a label may be in small letters. */
  async machine(code: string): Promise<Machine> {
    const { read } = this.#parts.store;
    const machine =
      (await machineBy(read, "code", code)) ?? (await machineBy(read, "code", code.toUpperCase()));
    if (machine === undefined) throw new Fault("FORBIDDEN");
    return machine;
  }

  /** The id of the sale this request is about: the one its key made before, or a new one that holds the machine. */
  async #claim(machine: Machine, asked: Asked): Promise<string> {
    const { store, clock, random, attendant, terms } = this.#parts;
    const { idempotencyKey, currency = machine.currency } = asked;
    const creditMinor = toMinor(asked);
    if (currency !== machine.currency)
      throw new Fault("MALFORMED", `credit.currency: this machine sells in ${machine.currency}`);
    const before = await saleByKey(store.read, machine.id, idempotencyKey);
    if (before !== undefined) return sameContent(before.sale, creditMinor).id;
    const isBounded = asked.selection === undefined && asked.products === undefined; // a price is what it is
    if (isBounded && (creditMinor < machine.minCreditMinor || creditMinor > machine.maxCreditMinor))
      throw new Fault(
        "CREDIT_OUT_OF_RANGE",
        `from ${machine.minCreditMinor} to ${machine.maxCreditMinor} minor units`,
      );
    // Of what the last status said only "offline" is taken at its word; the rest the machine is about to be asked.
    if (machineState(machine, false, clock.nowMs()) === "offline") throw new Fault("MACHINE_OFFLINE");
    const unpaid = await this.#unpaidBefore(machine, asked);
    const nowMs = clock.nowMs();
    const fresh = begin(
      {
        id: newId(nowMs, random),
        grantId: newId(nowMs, random),
        machineId: machine.id,
        creditMinor,
        currency,
        ...(asked.barcode === undefined ? {} : { barcode: asked.barcode }),
        ...(asked.selection === undefined ? {} : { selection: asked.selection }),
        ...(asked.voucher === undefined ? {} : { voucher: asked.voucher }),
        ...(asked.products === undefined ? {} : { products: asked.products }),
      },
      nowMs,
    );
    const insert = (tx: Tx): Promise<boolean> => insertSale(tx, fresh, idempotencyKey, nowMs, terms.policy);
    type Claimed = { readonly sale: Sale; readonly takenOver?: Change | undefined };
    const { sale, takenOver } = await store.write(async (tx): Promise<Claimed> => {
      if (await insert(tx)) return { sale: fresh };
      const raced = await saleByKey(tx, machine.id, idempotencyKey);
      if (raced !== undefined) return { sale: sameContent(raced.sale, creditMinor) };
      const change = await this.#takeOver(tx, machine);
      if (!(await insert(tx))) throw new Fault("MACHINE_BUSY"); // of several who take it over one has it
      return { sale: fresh, takenOver: change };
    });
    if (takenOver !== undefined) attendant.changed(takenOver, "takeoverAsked");
    if (sale !== fresh) return sale.id;
    attendant.changed({ sale: fresh, changed: true }, "tick");
    if (asked.address !== undefined)
      this.#parts.unpaidHolds.add(
        { address: asked.address, machineId: machine.id },
        { saleId: fresh.id, before: unpaid },
      );
    return sale.id;
  }

  /** How many holds of the phone that asks have come to nothing. Faults: RATE_LIMIT_EXCEEDED, MACHINE_BUSY. */
  async #unpaidBefore({ id: machineId }: Machine, { address }: Asked): Promise<number> {
    const { store, clock, unpaidHolds } = this.#parts;
    if (address === undefined) return 0;
    const { unpaid, waitMs: retryAfterMs } = await unpaidHolds.of({ address, machineId }, clock.nowMs());
    if (retryAfterMs === 0) return unpaid;
    if (await isHeld(store.read, machineId)) throw new Fault("MACHINE_BUSY"); // and takes nothing over
    const reason = "this machine was held several times in a row from this address, and nobody paid";
    throw new Fault("RATE_LIMIT_EXCEEDED", reason, { retryAfterMs });
  }

  /** Asks whoever holds the machine to make room. Faults: MACHINE_BUSY. */
  async #takeOver(tx: Tx, { id }: Machine): Promise<Change | undefined> {
    const holder = await holderOf(tx, id);
    if (holder === undefined) return undefined; // gone in this moment
    const change = await this.#parts.attendant.applyIn(tx, "id", holder, { kind: "takeoverAsked" });
    if (change !== undefined && holdsMachine(change.sale)) throw new Fault("MACHINE_BUSY");
    return change;
  }

  /** The sale once it is as asked, or as it is when its own deadlines have passed. */
  async #when(id: string, ready: (sale: Sale) => boolean): Promise<StoredSale> {
    const { store, clock, attendant, terms } = this.#parts;
    let wake: () => void = () => undefined;
    const late = new AbortController();
    const unwatch = attendant.watch(id, () => wake());
    const giveUp = clock.after(terms.policy.reserveMs + terms.policy.requestMs + 1_000, () => {
      late.abort();
      wake();
    });
    try {
      for (;;) {
        const changed = new Promise<void>((resolve) => (wake = resolve)); // before the look: no change falls between
        const found = await saleBy(store.read, "id", id);
        if (found === undefined) throw new Fault("FORBIDDEN");
        if (late.signal.aborted || ready(found.sale) || isFinal(found.sale)) return found;
        const stopLooking = clock.after(LOOK_MS, () => wake());
        await changed;
        stopLooking();
      }
    } finally {
      unwatch();
      giveUp();
    }
  }
}

/** A machine has one currency, so the amount is all that can differ; a voucher's is its own. */
function sameContent(sale: Sale, creditMinor: number): Sale {
  if (sale.creditMinor === creditMinor || sale.byVoucher) return sale;
  throw new Fault("IDEMPOTENT_OPERATION_FAILED", "this idempotencyKey was used for another credit");
}
