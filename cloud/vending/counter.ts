/**
 * What a machine's own terminal asks: a code was held to its scanner or typed at its keypad, or something was chosen before
 * anything was paid. The answer is what its display shows.
 *
 * Promises  the same request is one sale, however often it is heard; whatever comes of it, the display is told. A selection
 *           that the machine has withdrawn is cancelled like any sale its customer gives up.
 * Never     gives credit: a sale that begins here is paid, granted and settled like any other.
 * Crash     the machine's display says by itself that no answer came; the sale, if one was begun, goes on from its row.
 */
import { fromMinor } from "../../broker/protocol/money.js";
import type { Body } from "../../broker/protocol/messages.js";
import { Fault } from "../http/fault.js";
import type { Store } from "../store/store.js";
import type { Attendant } from "./attendant.js";
import type { Bus } from "./bus.js";
import type { Asked, Desk } from "./desk.js";
import type { Log } from "./log.js";
import { itemsOf, machineBy, type Machine } from "./machines.js";
import { paymentRequest } from "./payments-client.js";
import { basket, isForProduct } from "./sale.js";
import { saleByKey } from "./sales.js";
import { moneyText, onDisplay, productText, waitText } from "./words.js";

export type CounterParts = {
  readonly store: Store;
  readonly desk: Desk;
  readonly attendant: Attendant;
  readonly bus: () => Bus;
  readonly log: Log;
};
type Request = Body["request"];
type Of<K extends Request["kind"]> = Extract<Request, { kind: K }>;
/** A code that was scanned or typed. */
type Typed = Extract<Request, { readonly value: string }>;
type Answer = Omit<Body["answer"], "requestId">;

const keyOf = (requestId: string): string => `selection ${requestId}`;

export class Counter {
  readonly #parts: CounterParts;
  constructor(parts: CounterParts) {
    this.#parts = parts;
  }

  /** One verified request of a machine's. */
  hear(machineId: string, request: Request): void {
    const { bus, log } = this.#parts;
    this.#answer(machineId, request)
      .then((answer) =>
        answer === undefined
          ? undefined
          : bus().say(machineId, "answer", { requestId: request.requestId, ...answer }),
      )
      .catch((error: unknown) => log.error({ err: error, machine: machineId }, "request not answered"));
  }

  async #answer(machineId: string, request: Request): Promise<Answer | undefined> {
    const machine = await machineBy(this.#parts.store.read, "id", machineId);
    if (machine === undefined) throw new Error(`machine ${machineId} has a key and no row`);
    if (request.kind === "withdrawn") return this.#withdrawn(machine, request);
    try {
      switch (request.kind) {
        case "scan":
          return await this.#scanned(machine, request);
        case "selection":
          return await this.#selected(machine, request);
        case "voucher":
          return await this.#typed(machine, request);
      }
    } catch (error) {
      if (error instanceof Fault) return { show: refusalText(error) };
      this.#parts.log.error(
        { err: error, machine: machineId, kind: request.kind },
        "a request came to nothing",
      );
      return { show: onDisplay("UNAVAILABLE") };
    }
  }

  /** The highest usual credit buys anything usual, and what is not spent goes back. */
  async #scanned(machine: Machine, { requestId, value }: Typed): Promise<Answer> {
    const creditMinor = Math.max(...machine.suggestedCreditMinor, machine.minCreditMinor);
    await this.#begin(machine, creditMinor, { idempotencyKey: `scan ${requestId}`, barcode: value });
    return { show: onDisplay("pay", moneyText(creditMinor, machine.currency, machine.decimals)) };
  }

  async #typed(machine: Machine, { requestId, value }: Typed): Promise<Answer> {
    const asked = { idempotencyKey: `voucher ${requestId}`, voucher: value };
    if (isForProduct(value)) return this.#typedForProduct(machine, asked);
    const { sale } = await this.#begin(machine, machine.maxCreditMinor, asked);
    return { show: onDisplay("voucher", moneyText(sale.creditMinor, machine.currency, machine.decimals)) };
  }

  /** What it is for is known only when it has paid: it is asked to pay for one of all that is known by an SKU. */
  async #typedForProduct(
    machine: Machine,
    asked: Pick<Asked, "idempotencyKey" | "voucher">,
  ): Promise<Answer> {
    const items = await itemsOf(this.#parts.store.read, machine.id);
    const products = items.flatMap(({ item, sku, priceMinor }) =>
      sku === undefined || priceMinor === 0 ? [] : [{ item, sku, priceMinor }],
    );
    if (products.length === 0) throw new Fault("INVALID_ASSET_TYPE");
    const sumMinor = basket(products).reduce((sum, { priceMinor }) => sum + priceMinor, 0);
    const { sale } = await this.#begin(machine, sumMinor, { ...asked, products });
    const numbers = sale.products?.map(({ item }) => item) ?? [];
    const name = items.find(({ item }) => item === numbers[0])?.name ?? "";
    return { show: productText(numbers, name) };
  }

  async #selected(
    machine: Machine,
    { requestId, item, priceMinor, forMs }: Of<"selection">,
  ): Promise<Answer> {
    const selection = { requestId, item, forMs };
    const made = await this.#begin(machine, priceMinor, { idempotencyKey: keyOf(requestId), selection });
    const { url } = paymentRequest.parse(JSON.parse(made.paymentRequest ?? "null"));
    return { show: onDisplay("scan", moneyText(priceMinor, machine.currency, machine.decimals)), qr: url };
  }

  async #withdrawn(machine: Machine, { requestId }: Of<"withdrawn">): Promise<undefined> {
    const found = await saleByKey(this.#parts.store.read, machine.id, keyOf(requestId));
    if (found !== undefined) await this.#parts.attendant.apply("id", found.sale.id, { kind: "cancelAsked" });
  }

  #begin(machine: Machine, creditMinor: number, asked: Omit<Asked, "amount">) {
    const { amount } = fromMinor(creditMinor, machine.currency);
    return this.#parts.desk.startAt(machine, { ...asked, amount });
  }
}

const refusalText = ({ code, retryAfterMs }: Fault): string =>
  onDisplay(code, retryAfterMs === undefined ? "" : waitText(retryAfterMs));
