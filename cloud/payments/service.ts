/**
 * The payment platform, put together: its routes, its webhooks, its calls to the uplink provider, and the sweep that writes
 * expiries down and takes away what was delivered long ago.
 *
 * Bounded   a sweep writes at most SWEEP_LIMIT expiries of a kind, and takes away as many notifications; neither waits for the
 *           other to go well. A request is expired for every reader and payer the moment its time is over; the sweep only
 *           writes the activity.
 */
import type { FastifyInstance } from "fastify";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import type { Store } from "../store/store.js";
import { makeEndpoints } from "../http/endpoint.js";
import { openApi } from "../http/openapi.js";
import type { RequestCounts } from "../http/request-counts.js";
import { accountRoutes } from "./api/account-routes.js";
import { apiKeyRoutes } from "./api/api-key-routes.js";
import { assetRoutes } from "./api/asset-routes.js";
import { published } from "./api/published.js";
import { paymentRequestRoutes } from "./api/payment-request-routes.js";
import { merchantRoutes } from "./api/merchant-routes.js";
import { patronCodeRoutes } from "./api/patron-code-routes.js";
import { testClockRoutes } from "./api/test-clock-routes.js";
import { Accounts } from "./accounts.js";
import { ApiKeys, findCaller } from "./api-key.js";
import { Assets } from "./assets.js";
import { external } from "./providers/external.js";
import { uplinkProvider } from "./providers/uplink.js";
import { wallets } from "./providers/wallets.js";
import { MerchantConfigs } from "./merchant-configs.js";
import { Merchants } from "./merchants.js";
import { PatronCodes } from "./patron-codes.js";
import { PaymentRequests } from "./payment-requests.js";
import { signingKeyRoutes } from "./api/signing-key-routes.js";
import { requestLimits } from "./request-limits.js";
import { Pruning } from "./pruning.js";
import { openSigningKey } from "./signing-key.js";
import { TestClocks } from "./test-clock.js";
import { tokenRoutes, voucherRoutes } from "./api/voucher-routes.js";
import { tokenProvider, Tokens } from "./tokens.js";
import { Uplink } from "./uplink.js";
import { UplinkClient, type UplinkSettings } from "./uplink-client.js";
import { countWrongCode } from "./typed-codes.js";
import { voucherProvider, Vouchers } from "./vouchers.js";
import { webhookRoutes } from "./api/webhook-routes.js";
import { Notifications } from "./notifications.js";
import { WebhookDeliveries } from "./webhook-deliveries.js";
import { WebhookSubscriptions } from "./webhook-subscriptions.js";
import type { WebhookTargets } from "./webhook-targets.js";
import { Webhooks, type Log } from "./webhooks.js";

export type PaymentsParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Where customers reach us: a payment request's `url` begins with it. */
  readonly publicUrl: string;
  /** Off, what the API marks as experimental is not there. */
  readonly experimental: boolean;
  /** Of an account that was given no other number. */
  readonly requestsPerMinute: number;
  readonly log: Log;
  /** Where webhooks may go. */
  readonly targets: WebhookTargets;
  /** Where the provider of `uplinkapi.test` is; without it, nothing is paid with that. */
  readonly uplink: UplinkSettings | undefined;
};

export interface Payments {
  routes(app: FastifyInstance, counts: RequestCounts): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

const SWEEP_MS = 1_000;
const SWEEP_LIMIT = 100;

export function makePayments(parts: PaymentsParts): Payments {
  const { store, clock, log } = parts;
  const webhooks = new Webhooks(parts);
  const providers = [wallets, voucherProvider, tokenProvider, external, uplinkProvider];
  const committed = (): void => webhooks.kick();
  const uplink =
    parts.uplink &&
    new Uplink({ ...parts, client: new UplinkClient(parts.uplink, clock), providers, committed });
  const requests = new PaymentRequests({
    ...parts,
    providers,
    uplink,
    wrongCode: (terminal) => countWrongCode(store, clock, terminal),
    committed,
  });
  const vouchers = new Vouchers(parts);
  const tokens = new Tokens(parts);
  const assets = new Assets(parts);
  const apiKeys = new ApiKeys(parts);
  const pruning = new Pruning(parts);
  let cancelSweep = (): void => undefined;
  let sweeping: Promise<void> = Promise.resolve();
  let isClosed = false;

  async function sweep(): Promise<void> {
    const hasDue = await hasMore(
      async () => (await requests.expireDue(SWEEP_LIMIT)) >= SWEEP_LIMIT,
      "payments: could not look for what has run out",
    );
    const hasOld = await hasMore(
      () => pruning.step(SWEEP_LIMIT),
      "payments: could not take old notifications away",
    );
    if (!isClosed) plan(hasDue || hasOld ? 0 : SWEEP_MS);
  }
  /** Of what failed there is no more, for now. */
  async function hasMore(step: () => Promise<boolean>, failed: string): Promise<boolean> {
    try {
      return await step();
    } catch (error) {
      log.error({ err: error }, failed);
      return false;
    }
  }
  function plan(ms: number): void {
    cancelSweep = clock.after(ms, () => {
      sweeping = sweep();
    });
  }

  return {
    async routes(root, counts) {
      // In a scope of their own: the document is this API's and nobody else's.
      await root.register(async (app) => {
        const { admitStranger } = counts;
        await openApi(app, { ...published, ...parts, admitStranger });
        const admit = requestLimits(counts, parts.requestsPerMinute);
        const endpoints = makeEndpoints(app, {
          callerOf: (request) => admit(request, () => findCaller(store.read, request.headers["x-api-key"])),
          admitStranger,
          experimental: parts.experimental,
        });
        paymentRequestRoutes(endpoints, requests);
        assetRoutes(endpoints, assets);
        accountRoutes(endpoints, new Accounts(parts));
        apiKeyRoutes(endpoints, apiKeys);
        merchantRoutes(endpoints, new Merchants(parts), new MerchantConfigs(parts));
        patronCodeRoutes(endpoints, { read: store.read, codes: new PatronCodes(parts), requests });
        testClockRoutes(endpoints, new TestClocks(parts));
        voucherRoutes(endpoints, vouchers);
        tokenRoutes(endpoints, tokens);
        signingKeyRoutes(endpoints, store.read);
        webhookRoutes(endpoints, {
          subscriptions: new WebhookSubscriptions(parts),
          deliveries: new WebhookDeliveries({ ...parts, committed }),
          notifications: new Notifications(parts),
        });
      });
    },
    async start() {
      webhooks.start(await openSigningKey(store, clock.nowMs()));
      uplink?.start();
      plan(0);
    },
    async close() {
      isClosed = true;
      cancelSweep();
      await sweeping;
      await uplink?.close();
      await webhooks.close();
    },
  };
}
