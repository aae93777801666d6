/**
 * The attendant: takes each open sale from step to step.
 *
 * Owns      the acts a sale owes (messages to its machine, calls to the payment platform) and their repetition.
 * Promises  every event is one durable change of one row, and only what that row then owes is said. Whatever is owed is
 *           said again, ever more slowly, until it is answered; a sale left by a crash is taken up from its row.
 * Never     decides about money: `step` does.
 * Bounded   by `LOOK` sales a turn; the rest are due at the next.
 * Crash     costs a repetition, never a message: nothing is remembered here that is not in the rows.
 */
import { EventEmitter } from "node:events";
import type { Clock } from "../../broker/protocol/clock.js";
import { fromMinor, toMinor } from "../../broker/protocol/money.js";
import type { Store, Tx } from "../store/store.js";
import type { Bus } from "./bus.js";
import type { Log } from "./log.js";
import { itemsOf, machineBy } from "./machines.js";
import {
  paidWith,
  type Answer,
  type BasketLine,
  type PaymentRequest,
  type PaymentsClient,
} from "./payments-client.js";
import {
  basket,
  isCorrection,
  owed,
  refundReference,
  type Event,
  type Owed,
  type Policy,
  type Refusal,
  type Sale,
} from "./sale.js";
import {
  changeSale,
  dueSales,
  keepPaymentRequest,
  lockFreeSale,
  lockSale,
  lockUnknownRefunds,
  saleBy,
  type Change,
  type SaleKey,
} from "./sales.js";
import { forgetSeen } from "./webhook-seen.js";

/** What is bought where nothing has been chosen yet. */
const CREDIT_NAME = "Vending credit";
const LOOK = 200;
const LOOK_EVERY_MS = 200;
const FORGET_EVERY_MS = 60 * 60 * 1000;
const UNKNOWN_WINDOW_MS = 30 * 86_400_000;

/** What a grant and a payment request carry besides the sale's own figures. All in ms but the last. */
export type Terms = {
  readonly policy: Policy;
  readonly sessionMs: number;
  readonly goMs: number;
  readonly expirySeconds: number;
};
export type AttendantParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly payments: PaymentsClient;
  readonly bus: () => Bus;
  readonly terms: Terms;
  readonly log: Log;
};
/** An event without its time, which is the moment it is written. */
export type Untimed<E = Event> = E extends Event ? Omit<E, "nowMs"> : never;
/** `from`: the machine an event came from, which must be the sale's own. `paymentRequest`: its JSON, to be kept. */
type Extra = { readonly from?: string; readonly paymentRequest?: string };

export class Attendant {
  readonly #parts: AttendantParts;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #underWay = new Set<string>();
  #forgetAtMs = 0;
  #stopLooking: () => void = () => undefined;
  #closed = false;

  constructor(parts: AttendantParts) {
    this.#parts = parts;
  }

  /** Takes up whatever is due, now and from now on. */
  start(): void {
    const look = (): void => {
      if (this.#closed) return;
      void this.#lookAround().finally(() => {
        this.#stopLooking = this.#parts.clock.after(LOOK_EVERY_MS, look);
      });
    };
    look();
  }

  close(): void {
    this.#closed = true;
    this.#stopLooking();
  }

  /** Calls `act` after every change of this sale, until the answer is called. */
  watch(saleId: string, act: () => void): () => void {
    this.#changes.on(saleId, act);
    return () => this.#changes.off(saleId, act);
  }

  /** One event for one sale: written, then acted on. */
  async apply(by: SaleKey, key: string, event: Untimed, extra: Extra = {}): Promise<void> {
    const change = await this.#parts.store.write((tx) => this.applyIn(tx, by, key, event, extra));
    if (change !== undefined) this.changed(change, event.kind);
  }

  /** The same for a caller that has a transaction of its own; it calls {@link changed} after its commit. */
  async applyIn(
    tx: Tx,
    by: SaleKey,
    key: string,
    event: Untimed,
    extra: Extra = {},
  ): Promise<Change | undefined> {
    const { clock, terms } = this.#parts;
    const found = await lockSale(tx, by, key);
    if (found === undefined || (extra.from !== undefined && extra.from !== found.sale.machineId))
      return undefined;
    return changeSale(tx, found, { ...event, nowMs: clock.nowMs() }, terms.policy, extra);
  }

  /** After a commit: tells the watchers and does what the sale now owes. */
  changed({ sale, changed }: Change, because: Event["kind"]): void {
    if (changed) this.#changes.emit(sale.id);
    if (changed || because === "tick") this.#act(sale, because === "tick");
  }

  /** Looks at every open sale of a machine that has just been heard again (or at all of them: the bus is back). */
  async takeUp(of: { readonly machineId: string } | "all"): Promise<void> {
    await this.#look(of === "all" ? { nowMs: Number.MAX_SAFE_INTEGER } : of);
  }

  async #lookAround(): Promise<void> {
    try {
      const nowMs = this.#parts.clock.nowMs();
      await this.#look({ nowMs });
      if (nowMs >= this.#forgetAtMs && !(await forgetSeen(this.#parts.store, nowMs)))
        this.#forgetAtMs = nowMs + FORGET_EVERY_MS;
    } catch (error) {
      this.#parts.log.error({ err: error }, "open sales could not be looked at; trying again");
    }
  }

  /** All at once, so that they share their commits. */
  async #look(due: Parameters<typeof dueSales>[1]): Promise<void> {
    const ids = await dueSales(this.#parts.store.read, due, LOOK);
    await Promise.all(ids.map((id) => this.#tick(id)));
  }

  async #tick(id: string): Promise<void> {
    const { store, clock, terms } = this.#parts;
    const change = await store.write(async (tx) => {
      const found = await lockFreeSale(tx, id);
      if (found === undefined) return undefined;
      const nowMs = clock.nowMs();
      const { state, payer } = found.sale;
      // Counted in the transaction that decides: several of one payer's sales may fall due at once.
      const past = state === "unknown" ? await lockUnknownRefunds(tx, payer, nowMs - UNKNOWN_WINDOW_MS) : 0;
      return changeSale(tx, found, { kind: "tick", unknownRefunds: past, nowMs }, terms.policy);
    });
    if (change !== undefined) this.changed(change, "tick");
  }

  #act(sale: Sale, again: boolean): void {
    for (const one of owed(sale)) {
      if (one.kind === "pollRequest" && !again) continue; // polling is the fall-back; the webhook comes first
      const name = `${sale.id} ${one.kind}`;
      if (this.#closed || this.#underWay.has(name)) continue;
      this.#underWay.add(name);
      this.#do(sale, one)
        .catch((error: unknown) =>
          this.#parts.log.error({ err: error, sale: sale.id, owed: one.kind }, "not done; it stays owed"),
        )
        .finally(() => this.#underWay.delete(name));
    }
  }

  async #do(sale: Sale, act: Owed): Promise<void> {
    const { terms } = this.#parts;
    const bus = this.#parts.bus();
    switch (act.kind) {
      case "reserve":
        return bus.say(sale.machineId, "reserve", {
          reservationId: sale.id,
          ttlMs: (terms.expirySeconds + 30) * 1000,
          ...forSelection(sale),
        });
      case "grant":
        return bus.say(sale.machineId, "grant", {
          grantId: sale.grantId,
          saleId: sale.id,
          amountMinor: sale.creditMinor,
          currency: sale.currency,
          sessionMs: terms.sessionMs,
          goMs: terms.goMs,
          ...(sale.products === null
            ? { maxVends: (await this.#machine(sale)).maxVends }
            : { maxVends: 1, items: sale.products.map(({ item }) => item) }),
          ...forSelection(sale),
        });
      case "go":
      case "void":
        return bus.say(sale.machineId, act.kind, {
          grantId: sale.grantId,
          journal: act.journal,
          entry: act.entry,
        });
      case "createRequest":
        return this.#createRequest(sale);
      case "payByVoucher":
        return this.#payByVoucher(sale, act.code);
      case "pollRequest":
        return this.#pollRequest(sale);
      case "voidRequest":
        return this.#voidRequest(sale);
      case "refund":
        return this.#refund(sale);
    }
  }

  async #machine({ machineId }: Sale) {
    const machine = await machineBy(this.#parts.store.read, "id", machineId);
    if (machine === undefined) throw new Error(`machine ${machineId} is gone`); // sales refer to it: the database forbids that
    return machine;
  }

  async #createRequest(sale: Sale): Promise<void> {
    const { payments, terms, log } = this.#parts;
    const machine = await this.#machine(sale);
    const value = fromMinor(sale.creditMinor, sale.currency);
    const answer = await payments.create({
      configId: machine.configId,
      value,
      externalRef: sale.id,
      deviceId: machine.id,
      terminalId: machine.code,
      expirySeconds: expirySecondsOf(sale, terms),
      lines: await this.#linesOf(sale),
      ...(sale.barcode === null ? {} : { barcode: sale.barcode }),
      ...(sale.byVoucher ? { partialAllowed: true, basketAmount: value.amount } : {}),
    });
    if (answer.kind === "done") {
      const { id } = answer.value;
      await this.apply(
        "id",
        sale.id,
        { kind: "requested", paymentRequestId: id },
        { paymentRequest: JSON.stringify(answer.value) },
      );
    } else if (
      answer.kind === "refused" &&
      (answer.code === "CHECKSUM_FAILED" || answer.code === "PATRON_CODE_INVALID")
    ) {
      await this.apply("id", sale.id, { kind: "refused", code: answer.code });
    } else if (answer.kind === "refused") {
      log.error(
        { sale: sale.id, code: answer.code },
        "the payment platform refused to make a payment request",
      );
      await this.apply("id", sale.id, { kind: "refused", code: "PAYMENTS_UNAVAILABLE" });
    } else log.warn({ sale: sale.id, reason: answer.reason }, "no payment request yet");
  }

  async #linesOf({ machineId, selection, products, creditMinor, currency }: Sale) {
    if (selection === null && products === null)
      return [{ name: CREDIT_NAME, price: fromMinor(creditMinor, currency) }];
    const items = await itemsOf(this.#parts.store.read, machineId);
    const wanted =
      products === null ? [{ item: selection?.item, priceMinor: creditMinor }] : basket(products);
    return wanted.map(({ item, priceMinor }): BasketLine => {
      const known = items.find((one) => one.item === item);
      return {
        name: known?.name ?? `Item ${item}`,
        ...(known?.sku === undefined ? {} : { sku: known.sku }),
        price: fromMinor(priceMinor, currency),
      };
    });
  }

  /** Its key is the sale's id: however often it is asked, and by whomever, the code pays once. */
  async #payByVoucher(sale: Sale, code: string): Promise<void> {
    if (sale.paymentRequestId === null) return;
    const { payments, log } = this.#parts;
    const request = await payments.get(sale.paymentRequestId);
    if (request.kind !== "done") return; // tried again
    const { status, paymentOptions = [] } = request.value;
    if (status !== "new") return this.#pollRequest(sale); // an earlier try, whose answer was lost
    const kind = sale.products === null ? "voucher." : "centrapay.token.";
    const assetType = paymentOptions.find((option) => option.assetType.startsWith(kind))?.assetType;
    if (assetType === undefined) return this.#refuseVoucher(sale, "INVALID_ASSET_TYPE");
    const answer = await payments.pay(sale.paymentRequestId, {
      assetType,
      authorization: code,
      idempotencyKey: sale.id,
    });
    if (answer.kind === "done") return this.#pollRequest(sale);
    if (answer.kind === "unknown" && answer.retryAfterSeconds === undefined) {
      log.warn(
        { sale: sale.id, reason: answer.reason },
        "voucher not answered; asked again under the same key",
      );
      return;
    }
    const refusal = voucherRefusal(answer, sale);
    if (refusal === "PAYMENTS_UNAVAILABLE") log.error({ sale: sale.id, answer }, "voucher refused");
    await this.#refuseVoucher(
      sale,
      refusal,
      answer.kind === "unknown" ? answer.retryAfterSeconds : undefined,
    );
  }

  async #refuseVoucher({ id }: Sale, code: Refusal, retryAfterSeconds?: number): Promise<void> {
    await this.apply("id", id, {
      kind: "voucherRefused",
      code,
      retryAfterSeconds: retryAfterSeconds ?? null,
    });
  }

  async #pollRequest(sale: Sale): Promise<void> {
    if (sale.paymentRequestId === null) return;
    const answer = await this.#parts.payments.get(sale.paymentRequestId);
    if (answer.kind !== "done") return; // unknown: looked at again
    const event = fromRequest(answer.value);
    const paymentRequest = JSON.stringify(answer.value);
    if (event !== undefined) await this.apply("id", sale.id, event, { paymentRequest });
    else await this.#keep(sale.id, paymentRequest);
  }

  /** What pages show of a request that is still to be paid; it may have been paid in part. */
  async #keep(id: string, paymentRequest: string): Promise<void> {
    const { store } = this.#parts;
    if ((await saleBy(store.read, "id", id))?.paymentRequest !== paymentRequest)
      await store.write((tx) => keepPaymentRequest(tx, id, paymentRequest));
  }

  async #voidRequest(sale: Sale): Promise<void> {
    if (sale.paymentRequestId === null) return;
    const answer = await this.#parts.payments.void(sale.paymentRequestId);
    if (answer.kind === "done") {
      const refundedMinor = answer.value.type === "refund" ? toMinor(answer.value.value) : 0;
      await this.apply("id", sale.id, { kind: "requestVoided", refundedMinor });
    } else if (answer.kind === "refused") {
      const request = await this.#parts.payments.get(sale.paymentRequestId); // its status is the source of truth
      if (request.kind !== "done") return;
      const event =
        request.value.status === "paid" ? { kind: "voidRefused" as const } : fromRequest(request.value);
      if (event !== undefined) await this.apply("id", sale.id, event);
    }
  }

  /** What has gone back without us? False when nothing has. */
  async #lookForRefunds({ id, paymentRequestId, refundedMinor: known }: Sale): Promise<boolean> {
    if (paymentRequestId === null) return true;
    const answer = await this.#parts.payments.activities(paymentRequestId);
    if (answer.kind !== "done") return true; // not known: the refund stays owed, and so does this look
    const refundedMinor = answer.value
      .filter(({ type }) => type === "refund")
      .reduce((sum, { value }) => sum + toMinor(value), 0);
    if (refundedMinor > known) await this.apply("id", id, { kind: "refundsFound", refundedMinor });
    return refundedMinor > known;
  }

  async #refund(sale: Sale): Promise<void> {
    if (sale.paymentRequestId === null) return;
    const { payments, log } = this.#parts;
    if (isCorrection(sale) && (await this.#lookForRefunds(sale))) return;
    const value = fromMinor(sale.refundDueMinor, sale.currency);
    const reference = refundReference(sale);
    const answer = await payments.refund(sale.paymentRequestId, value, reference);
    if (answer.kind === "done") await this.apply("id", sale.id, { kind: "refunded", reference });
    else if (answer.kind === "refused") {
      log.error({ sale: sale.id, code: answer.code }, "refund refused: look at this payment request");
      await this.apply("id", sale.id, { kind: "refundRefused", reference, code: answer.code });
      if (answer.code === "INVALID_AMOUNT") await this.#lookForRefunds(sale);
    } else
      log.warn(
        { sale: sale.id, reason: answer.reason },
        "refund not answered; asked again under the same reference",
      );
  }
}

/** Whoever pays for a selection must have paid while the machine still waits. */
const expirySecondsOf = ({ selection }: Sale, { expirySeconds }: Terms): number =>
  selection === null
    ? expirySeconds
    : Math.max(1, Math.min(expirySeconds, Math.floor(selection.forMs / 1000)));
const forSelection = ({ selection }: Sale): { readonly requestId?: string } =>
  selection === null ? {} : { requestId: selection.requestId };

/** What the platform's word about a voucher is in ours. */
function voucherRefusal(answer: Exclude<Answer<unknown>, { kind: "done" }>, { products }: Sale): Refusal {
  if (answer.kind === "unknown") return "RATE_LIMIT_EXCEEDED";
  switch (answer.code) {
    case "ASSET_REDEMPTION_DENIED":
    case "INVALID_ASSET_TYPE":
    case "INACTIVE_ASSET":
      return answer.code;
    case "INSUFFICIENT_ASSET_VALUE": // nothing is left on it, or it is for a product that is not here
      return products === null ? "INACTIVE_ASSET" : "INVALID_ASSET_TYPE";
    default:
      return "PAYMENTS_UNAVAILABLE";
  }
}

/** What a payment request's own state says happened: the fall-back for a webhook that does not come. */
function fromRequest(request: PaymentRequest): Untimed | undefined {
  switch (request.status) {
    case "new":
      return undefined;
    case "paid":
      return {
        kind: "paid",
        amountMinor: toMinor(request.value) - Number(request.remainingAmount ?? 0),
        currency: request.value.currency,
        ...paidWith(request.paidBy),
      };
    case "expired":
      return { kind: "requestExpired" };
    case "cancelled":
      return { kind: "requestVoided", refundedMinor: 0 };
  }
}
