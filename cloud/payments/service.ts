/**
 * The payment platform, put together: its routes, its webhooks, and the sweep that writes expiries down.
 *
 * Bounded   a sweep writes at most SWEEP_LIMIT expiries a commit. A request is expired for every reader and payer the
 *           moment its time is over; the sweep only writes the activity.
 */
import type { FastifyInstance } from "fastify";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import type { Store } from "../store/store.js";
import { apiKeyRoutes } from "./api/api-key-routes.js";
import { assetRoutes } from "./api/asset-routes.js";
import { makeKeyed } from "./api/keyed.js";
import { paymentRequestRoutes } from "./api/payment-request-routes.js";
import { ApiKeys } from "./api-key.js";
import { Assets } from "./assets.js";
import { PaymentRequests } from "./payment-requests.js";
import { openSigningKey, publicKeys } from "./signing-key.js";
import { Webhooks, type Fetch, type Log } from "./webhooks.js";

export type PaymentsParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Where customers reach us: a payment request's `url` begins with it. */
  readonly publicUrl: string;
  readonly log: Log;
  readonly fetch: Fetch;
};

export interface Payments {
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
  close(): Promise<void>;
}

const SWEEP_MS = 1_000;
const SWEEP_LIMIT = 100;
const JWKS_SECONDS = 300;

export function makePayments(parts: PaymentsParts): Payments {
  const { store, clock, log } = parts;
  const webhooks = new Webhooks(parts);
  const requests = new PaymentRequests({ ...parts, committed: () => webhooks.kick() });
  const assets = new Assets(parts);
  const apiKeys = new ApiKeys(parts);
  let cancelSweep = (): void => undefined;
  let sweeping: Promise<void> = Promise.resolve();
  let isClosed = false;

  async function sweep(): Promise<void> {
    try {
      const expired = await requests.expireDue(SWEEP_LIMIT);
      if (!isClosed) plan(expired === SWEEP_LIMIT ? 0 : SWEEP_MS);
    } catch (error) {
      log.error({ err: error }, "payments: could not write expiries down");
      if (!isClosed) plan(SWEEP_MS);
    }
  }
  function plan(ms: number): void {
    cancelSweep = clock.after(ms, () => {
      sweeping = sweep();
    });
  }

  return {
    routes(app) {
      const keyed = makeKeyed(store.read);
      paymentRequestRoutes(app, keyed, requests);
      assetRoutes(app, keyed, assets);
      apiKeyRoutes(app, keyed, apiKeys);
      app.get("/api/.well-known/jwks.json", async (_request, reply) => {
        reply.header("cache-control", `public, max-age=${JWKS_SECONDS}`);
        return publicKeys(store.read);
      });
    },
    async start() {
      webhooks.start(await openSigningKey(store, clock.nowMs()));
      plan(0);
    },
    async close() {
      isClosed = true;
      cancelSweep();
      await sweeping;
      await webhooks.close();
    },
  };
}
