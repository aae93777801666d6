/** `/api/payment-requests` and `/api/payment-activities`. Each route reads, calls, and answers. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { read } from "../../http/server.js";
import { pageQuery } from "../page.js";
import type { PaymentRequests } from "../payment-requests.js";
import { createForm, payForm, refundForm, text } from "../request-form.js";
import type { Keyed } from "./keyed.js";

const byId = z.object({ id: z.string() });
const byRef = z.object({ externalRef: text(255) });
const refQuery = pageQuery.extend({ merchantAccountId: text(64) });
const merchantQuery = pageQuery.extend({ merchantId: text(64) });

export function paymentRequestRoutes(app: FastifyInstance, keyed: Keyed, requests: PaymentRequests): void {
  app.post(
    "/api/payment-requests",
    keyed((caller, { body }) => requests.create(caller, read(createForm, body))),
  );
  app.get(
    "/api/payment-requests/:id",
    keyed((caller, { params }) => requests.get(caller, read(byId, params).id)),
  );
  app.get("/api/payment-requests/:id/summary", ({ params }) => requests.summary(read(byId, params).id));
  app.get(
    "/api/payment-requests/external-ref/:externalRef",
    keyed((caller, { params, query }) => {
      const { merchantAccountId, ...page } = read(refQuery, query);
      return requests.byExternalRef(caller, read(byRef, params).externalRef, merchantAccountId, page);
    }),
  );
  app.post(
    "/api/payment-requests/:id/pay",
    keyed((caller, { params, body }) => requests.pay(caller, read(byId, params).id, read(payForm, body))),
  );
  app.post(
    "/api/payment-requests/:id/refund",
    keyed((caller, { params, body }) =>
      requests.refund(caller, read(byId, params).id, read(refundForm, body)),
    ),
  );
  app.post(
    "/api/payment-requests/:id/void",
    keyed((caller, { params }) => requests.void(caller, read(byId, params).id)),
  );
  app.get(
    "/api/payment-requests/:id/activities",
    keyed((caller, { params }) => requests.activities(caller, read(byId, params).id)),
  );
  app.get(
    "/api/payment-activities",
    keyed((caller, { query }) => {
      const { merchantId, ...page } = read(merchantQuery, query);
      return requests.merchantActivities(caller, merchantId, page);
    }),
  );
}
