/**
 * What a machine's own terminal asks: a code was held to its scanner, or typed at its keypad. The answer is what its display
 * shows.
 *
 * Promises  the same request is one sale, however often it is heard; whatever comes of it, the display is told.
 * Never     gives credit: a sale that a barcode or a voucher begins is paid, granted and settled like any other.
 * Crash     the machine's display says by itself that no answer came; the sale, if one was begun, goes on from its row.
 */
import { fromMinor } from "../../broker/protocol/money.js";
import type { Body } from "../../broker/protocol/messages.js";
import { Fault } from "../http/fault.js";
import type { Store } from "../store/store.js";
import type { Bus } from "./bus.js";
import type { Desk } from "./desk.js";
import type { Log } from "./log.js";
import { machineBy, type Machine } from "./machines.js";
import { moneyText, onDisplay, waitText } from "./words.js";

export type CounterParts = {
  readonly store: Store;
  readonly desk: Desk;
  readonly bus: () => Bus;
  readonly log: Log;
};

export class Counter {
  readonly #parts: CounterParts;
  constructor(parts: CounterParts) {
    this.#parts = parts;
  }

  /** One verified request of a machine's. */
  hear(machineId: string, request: Body["request"]): void {
    const { bus, log } = this.#parts;
    this.#answer(machineId, request)
      .then((show) => bus().say(machineId, "answer", { requestId: request.requestId, show }))
      .catch((error: unknown) => log.error({ err: error, machine: machineId }, "request not answered"));
  }

  async #answer(machineId: string, request: Body["request"]): Promise<string> {
    const machine = await machineBy(this.#parts.store.read, "id", machineId);
    if (machine === undefined) throw new Error(`machine ${machineId} has a key and no row`);
    try {
      switch (request.kind) {
        case "scan":
          return await this.#scanned(machine, request);
        case "voucher":
          return await this.#typed(machine, request);
        default:
          return onDisplay("notHere");
      }
    } catch (error) {
      if (error instanceof Fault)
        return onDisplay(error.code, error.retryAfterMs === undefined ? "" : waitText(error.retryAfterMs));
      this.#parts.log.error({ err: error, machine: machineId }, `a ${request.kind} came to nothing`);
      return onDisplay("UNAVAILABLE");
    }
  }

  async #scanned(machine: Machine, { requestId, value }: Body["request"]): Promise<string> {
    // The highest usual credit buys anything usual, and what is not spent goes back.
    const creditMinor = Math.max(...machine.suggestedCreditMinor, machine.minCreditMinor);
    await this.#parts.desk.startAt(machine, {
      amount: fromMinor(creditMinor, machine.currency).amount,
      idempotencyKey: `scan ${requestId}`,
      barcode: value,
    });
    return onDisplay("pay", moneyText(creditMinor, machine.currency, machine.decimals));
  }

  async #typed(machine: Machine, { requestId, value }: Body["request"]): Promise<string> {
    const { sale } = await this.#parts.desk.startAt(machine, {
      amount: fromMinor(machine.maxCreditMinor, machine.currency).amount,
      idempotencyKey: `voucher ${requestId}`,
      voucher: value,
    });
    return onDisplay("voucher", moneyText(sale.creditMinor, machine.currency, machine.decimals));
  }
}
