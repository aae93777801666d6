/** What a customer's page asks for: read, call, render. No rule about money lives here. */
import { z } from "zod";
import type { Clock } from "../../broker/protocol/clock.js";
import { amount, money } from "../../broker/protocol/money.js";
import type { Endpoints } from "../http/endpoint.js";
import { Fault } from "../http/fault.js";
import type { Store } from "../store/store.js";
import type { Attendant, Terms } from "./attendant.js";
import type { Desk } from "./desk.js";
import type { Log } from "./log.js";
import { itemsOf, machineBy, machineState } from "./machines.js";
import { paymentRequest as asKept, type PaymentRequest, type PaymentsClient } from "./payments-client.js";
import { machineView, saleView } from "./render.js";
import { RequestLooks } from "./request-looks.js";
import { mayBeTakenOver } from "./sale.js";
import { keepPaymentRequest, saleHolding, storyOf, type StoredSale } from "./sales.js";
import * as shown from "./shown.js";
import { StreamSeats, type StreamLimits } from "./stream-seats.js";

export type CustomerRouteParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly desk: Desk;
  readonly attendant: Attendant;
  readonly payments: PaymentsClient;
  readonly terms: Terms;
  readonly log: Log;
  /** Where the customer's pages are. */
  readonly publicUrl: string;
  readonly streams: StreamLimits;
};

const tag = "At the machine";
const atMachine = z.object({ code: shown.machineCode });
const atSale = z.object({ id: z.string().min(1).max(64) });
const newSale = z.strictObject({
  credit: z
    .union([money.strict(), amount], {
      error: "must be {amount, currency}: minor units as a string of digits, and a currency code",
    })
    .meta({ description: "Money, or its amount alone: then it is in the machine's currency." }),
  idempotencyKey: z
    .string("must be a string")
    .min(1, "must not be empty")
    .max(128, "must be at most 128 characters")
    .meta({ description: "Whoever asks again under the same key gets the same sale." }),
});
/** A page that watches a sale is told this often that the line is alive, and looks again itself at other processes' changes. */
const BEAT_MS = 1_000;

export function customerRoutes({ open, stream }: Endpoints<unknown>, parts: CustomerRouteParts): void {
  const { store, clock, desk, attendant } = parts;
  const seats = new StreamSeats(parts.streams);
  const looks = new RequestLooks(parts.payments, clock);

  open(
    {
      method: "GET",
      url: "/api/vending/machines/:code",
      name: "getMachine",
      says: "A machine as its customers see it: whether it sells, and what.",
      tag,
      params: atMachine,
      answer: shown.machineView,
      faults: ["FORBIDDEN"],
    },
    async ({ params }) => {
      const machine = await desk.machine(params.code);
      const held = await isBusy(machine.id);
      return machineView(
        machine,
        machineState(machine, held, clock.nowMs()),
        await itemsOf(store.read, machine.id),
        parts.publicUrl,
      );
    },
  );

  open(
    {
      method: "POST",
      url: "/api/vending/machines/:code/sales",
      name: "startSale",
      says: "Reserve a machine, and make the payment request that pays for the credit. Nothing is charged by it.",
      tag,
      params: atMachine,
      body: newSale,
      answer: shown.saleView,
      faults: [
        "FORBIDDEN",
        "MACHINE_OFFLINE",
        "MACHINE_BUSY",
        "MACHINE_OUT_OF_SERVICE",
        "CREDIT_OUT_OF_RANGE",
        "IDEMPOTENT_OPERATION_FAILED",
        "PAYMENTS_UNAVAILABLE",
      ],
    },
    async ({ caller: address, params, body: { credit, idempotencyKey } }) => {
      const asked = typeof credit === "string" ? { amount: credit } : credit;
      return view(await desk.start(params.code, { ...asked, idempotencyKey, address }));
    },
  );

  open(
    {
      method: "GET",
      url: "/api/vending/sales/:id",
      name: "getSale",
      says: "A sale, and how far it is.",
      tag,
      params: atSale,
      answer: shown.saleView,
      faults: ["FORBIDDEN"],
    },
    async ({ params }) => view(await desk.sale(params.id)),
  );

  open(
    {
      method: "POST",
      url: "/api/vending/sales/:id/cancel",
      name: "cancelSale",
      says: "Give up. What was paid comes back; once the machine has the credit, it says itself what was used of it.",
      tag,
      params: atSale,
      answer: shown.saleView,
      faults: ["FORBIDDEN"],
    },
    async ({ params }) => view(await desk.cancel(params.id)),
  );

  stream(
    {
      method: "GET",
      url: "/api/vending/sales/:id/events",
      name: "watchSale",
      says: "A sale, now and whenever it has changed, as server-sent events; a `beat` each second says that the line is alive.",
      tag,
      params: atSale,
      answer: shown.saleView,
      faults: ["FORBIDDEN"],
    },
    async ({ caller: address, params: { id }, reply }) => {
      const leave = seats.take(address, id, () => reply.sse.close());
      let seen = 0;
      let sending = Promise.resolve();
      let isAsked = false;
      const look = async (): Promise<void> => {
        const stored = await desk.sale(id);
        if (!reply.sse.isConnected) return;
        if (stored.version === seen) {
          await reply.sse.send({ event: "beat", data: {} });
          return;
        }
        await reply.sse.send({ id: String(stored.version), data: await view(stored) });
        seen = stored.version; // only now: one that did not get out is sent at the next beat
      };
      const lookSoon = (): void => {
        if (isAsked) return; // one that waits for a slow line sees whatever has happened by then
        isAsked = true;
        sending = sending
          .then(() => {
            isAsked = false;
            return look();
          })
          .catch((error: unknown) => parts.log.warn({ err: error, sale: id }, "watching ended"));
      };
      try {
        await look(); // a sale that is not there is refused before the stream begins
      } catch (error) {
        leave();
        throw error;
      }
      if (!reply.sse.isConnected) {
        leave(); // gone meanwhile, or made room
        return;
      }
      reply.sse.keepAlive();
      const unwatch = attendant.watch(id, lookSoon);
      let stopBeat = clock.after(BEAT_MS, function beat() {
        lookSoon();
        stopBeat = clock.after(BEAT_MS, beat);
      });
      reply.sse.onClose(() => {
        leave();
        unwatch();
        stopBeat();
      });
    },
  );

  /** Whether somebody who asked for it now would be told no. */
  async function isBusy(machineId: string): Promise<boolean> {
    const held = await saleHolding(store.read, machineId);
    return held !== undefined && !mayBeTakenOver(held, clock.nowMs(), parts.terms.policy);
  }

  /** A sale as its customer sees it. */
  async function view(stored: StoredSale): Promise<shown.SaleView> {
    const { sale } = stored;
    const machine = await machineBy(store.read, "id", sale.machineId);
    if (machine === undefined || sale.paymentRequestId === null) throw new Fault("FORBIDDEN");
    const [items, story, request] = await Promise.all([
      itemsOf(store.read, machine.id),
      storyOf(store.read, sale.id),
      requestOf(stored, sale.paymentRequestId),
    ]);
    return saleView(sale, machine, items, story, request, parts.terms);
  }

  /**
   * The payment request as it was last heard of. One that has ended stays as it is, and of one that waits to be paid the webhook
   * or the attendant tells; only what came of it in between has to be asked for, once.
   */
  async function requestOf(
    { sale, version, paymentRequest }: StoredSale,
    id: string,
  ): Promise<PaymentRequest | null> {
    const known = paymentRequest === null ? null : asKept.parse(JSON.parse(paymentRequest));
    if (known !== null && (known.status !== "new" || sale.state === "awaitingPayment")) return known;
    const fresh = await looks.look(id, version);
    if (fresh.kind !== "done") return known;
    const json = JSON.stringify(fresh.value);
    if (json !== paymentRequest) await store.write((tx) => keepPaymentRequest(tx, sale.id, json));
    return fresh.value;
  }
}
