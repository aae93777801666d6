/** Where the payment platform's webhooks come in. A signature is what lets one in, so it is checked on the bytes as they came. */
import type { FastifyInstance } from "fastify";
import { createRemoteJWKSet } from "jose";
import { z } from "zod";
import type { Clock } from "../../broker/protocol/clock.js";
import { toMinor } from "../../broker/protocol/money.js";
import { makeEndpoints } from "../http/endpoint.js";
import { Fault } from "../http/fault.js";
import type { Store } from "../store/store.js";
import type { Attendant } from "./attendant.js";
import type { Log } from "./log.js";
import { paidWith } from "./payments-client.js";
import { isFirst } from "./webhook-seen.js";
import { verifyWebhook } from "./webhook.js";

export type NotificationRouteParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly attendant: Attendant;
  readonly log: Log;
  /** Where the payment platform is, and the address it knows us by. */
  readonly paymentsUrl: string;
  readonly webhookUrl: string;
};

const bytes = z
  .custom<Buffer>((body) => Buffer.isBuffer(body), "must be JSON")
  .meta({ description: "`{id, type, data}`, as the payment platform signed it in `Authorization`." });

export function notificationRoutes(app: FastifyInstance, parts: NotificationRouteParts): void {
  const { store, clock, attendant, log } = parts;
  void app.register((raw, _options, done) => {
    raw.removeContentTypeParser("application/json");
    raw.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, parsed) =>
      parsed(null, body),
    );
    const { open } = makeEndpoints(raw, {
      callerOf: () => Promise.reject(new Fault("UNAUTHENTICATED")),
      admitStranger: (request) => Promise.resolve(request.ip), // the platform is no stranger: however much is paid, it may say so
      experimental: true,
    });
    const keys = createRemoteJWKSet(new URL(`${parts.paymentsUrl}/api/.well-known/jwks.json`));
    open(
      {
        method: "POST",
        url: "/api/vending/webhooks/payments",
        name: "notifyOfPayment",
        says: "Tell of a payment. What is not signed by the payment platform's key for this address is refused.",
        tag: "Notifications",
        body: bytes,
        answer: z.strictObject({}),
        faults: ["UNAUTHENTICATED"],
      },
      async ({ body, request }) => {
        const verified = await verifyWebhook(request.headers.authorization, body, {
          audience: parts.webhookUrl,
          nowMs: clock.nowMs(),
          keys,
        });
        if (!verified.ok) {
          log.warn({ reason: verified.reason }, "webhook refused");
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
      },
    );
    done();
  });
}
