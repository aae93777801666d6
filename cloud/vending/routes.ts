/** `/api/vending`: read, call, render. No rule about money lives here. */
import type { FastifyInstance } from "fastify";
import { createRemoteJWKSet } from "jose";
import { z } from "zod";
import type { Clock } from "../../broker/protocol/clock.js";
import { amount, money, toMinor } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import type { Count } from "../http/request-counts.js";
import { read } from "../http/server.js";
import type { Store } from "../store/store.js";
import type { Attendant } from "./attendant.js";
import type { Desk } from "./desk.js";
import type { Log } from "./log.js";
import { itemsOf, machineBy, machineState } from "./machines.js";
import { paidWith, type PaymentsClient } from "./payments-client.js";
import { machineView, saleView, type SaleView } from "./render.js";
import { isHeld, keepPaymentRequest, storyOf, type StoredSale } from "./sales.js";
import { StreamSeats, type StreamLimits } from "./stream-seats.js";
import { isFirst } from "./webhook-seen.js";
import { verifyWebhook } from "./webhook.js";

export type RouteParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly desk: Desk;
  readonly attendant: Attendant;
  readonly payments: PaymentsClient;
  readonly log: Log;
  /** Where the customer's pages are. */
  readonly publicUrl: string;
  /** Where the payment platform is, and the address it knows us by. */
  readonly paymentsUrl: string;
  readonly webhookUrl: string;
  readonly streams: StreamLimits;
  readonly admitStranger: Count;
};

const atMachine = z.object({ code: z.string().min(1).max(64) });
const atSale = z.object({ id: z.string().min(1).max(64) });
const newSale = z.strictObject({
  /** Money, or its amount alone: then it is in the machine's currency. */
  credit: z.union([money.strict(), amount], {
    error: "must be {amount, currency}: minor units as a string of digits, and a currency code",
  }),
  idempotencyKey: z
    .string("must be a string")
    .min(1, "must not be empty")
    .max(128, "must be at most 128 characters"),
});
/** A page that watches a sale is told this often that the line is alive, and looks again itself at other processes' changes. */
const BEAT_MS = 1_000;

export function vendingRoutes(app: FastifyInstance, parts: RouteParts): void {
  const { store, clock, desk, attendant, admitStranger } = parts;
  const seats = new StreamSeats(parts.streams);
  const open = { onRequest: admitStranger };

  app.get("/api/vending/machines/:code", open, async (request) => {
    const machine = await desk.machine(read(atMachine, request.params).code);
    const held = await isHeld(store.read, machine.id);
    return machineView(
      machine,
      machineState(machine, held, clock.nowMs()),
      await itemsOf(store.read, machine.id),
      parts.publicUrl,
    );
  });

  app.post("/api/vending/machines/:code/sales", open, async (request) => {
    const { code } = read(atMachine, request.params);
    const { credit, idempotencyKey } = read(newSale, request.body);
    const asked = typeof credit === "string" ? { amount: credit } : credit;
    return view(await desk.start(code, { ...asked, idempotencyKey }));
  });

  app.get("/api/vending/sales/:id", open, async (request) =>
    view(await desk.sale(read(atSale, request.params).id)),
  );

  app.post("/api/vending/sales/:id/cancel", open, async (request) =>
    view(await desk.cancel(read(atSale, request.params).id)),
  );

  // Without a HEAD of its own: that would be a stream too, and never end.
  app.get(
    "/api/vending/sales/:id/events",
    { sse: "only", exposeHeadRoute: false },
    async (request, reply) => {
      const address = await admitStranger(request);
      const { id } = read(atSale, request.params);
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

  void app.register((raw, _options, done) => {
    raw.removeContentTypeParser("application/json");
    raw.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, parsed) =>
      parsed(null, body),
    );
    const keys = createRemoteJWKSet(new URL(`${parts.paymentsUrl}/api/.well-known/jwks.json`));
    raw.post("/api/vending/webhooks/payments", async (request) => {
      if (!Buffer.isBuffer(request.body)) throw new Fault("MALFORMED", "body: must be JSON");
      const verified = await verifyWebhook(request.headers.authorization, request.body, {
        audience: parts.webhookUrl,
        nowMs: clock.nowMs(),
        keys,
      });
      if (!verified.ok) {
        parts.log.warn({ reason: verified.reason }, "webhook refused");
        throw new Fault("UNAUTHENTICATED", verified.reason);
      }
      const { id, paid } = verified.delivery;
      const change = await store.write(async (tx) => {
        const isNew = await isFirst(tx, id, clock.nowMs());
        if (!isNew || paid === undefined) return undefined;
        return attendant.applyIn(tx, "payment_request_id", paid.paymentRequestId, {
          kind: "paid",
          amountMinor: toMinor(paid.value),
          currency: paid.value.currency,
          ...paidWith(paid.paidBy),
        });
      });
      if (change !== undefined) attendant.changed(change, "paid");
      return {};
    });
    done();
  });

  /** A sale as its customer sees it, with the payment request as the platform has it now (or last had it). */
  async function view({ sale, paymentRequest }: StoredSale): Promise<SaleView> {
    const machine = await machineBy(store.read, "id", sale.machineId);
    if (machine === undefined || sale.paymentRequestId === null) throw new Fault("FORBIDDEN");
    const [items, story, fresh] = await Promise.all([
      itemsOf(store.read, machine.id),
      storyOf(store.read, sale.id),
      parts.payments.get(sale.paymentRequestId),
    ]);
    if (fresh.kind !== "done") {
      const last: unknown = paymentRequest === null ? null : JSON.parse(paymentRequest);
      return saleView(sale, machine, items, story, last);
    }
    const json = JSON.stringify(fresh.value);
    if (json !== paymentRequest) await store.write((tx) => keepPaymentRequest(tx, sale.id, json));
    return saleView(sale, machine, items, story, fresh.value);
  }
}
