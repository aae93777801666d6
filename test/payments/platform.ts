/** A payment platform for a test: a real server on a free port, a real database, and a clock the test can move. */
import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import type { AddressInfo } from "node:net";
import { pino, type Logger } from "pino";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { newId } from "../../broker/protocol/id.js";
import { makeRequestCounts } from "../../cloud/http/request-counts.js";
import { makeServer } from "../../cloud/http/server.js";
import {
  provisionMerchant,
  provisionWallet,
  type ProvisionedMerchant,
  type ProvisionedWallet,
} from "../../cloud/payments/provision.js";
import { makePayments } from "../../cloud/payments/service.js";
import type { UplinkSettings } from "../../cloud/payments/uplink-client.js";
import { WebhookTargets } from "../../cloud/payments/webhook-targets.js";
import type { Store } from "../../cloud/store/store.js";
import { newDatabase, openTestStore, type TestDatabase } from "../store/database.js";
import { audit } from "./audit.js";
import { Contract } from "./contract.js";

export const random: Random = { bytes: (count) => randomBytes(count), fraction: () => Math.random() };

/** Time stands still until it is moved; what is due then happens at once. */
export class TestClock implements Clock {
  #nowMs = Date.parse("2026-11-23T00:00:00.000Z");
  readonly #timers = new Set<{ readonly atMs: number; readonly act: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }
  monoMs(): number {
    return this.#nowMs;
  }
  after(ms: number, act: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, act };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
  advance(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.atMs - b.atMs)) {
      if (timer.atMs > this.#nowMs || !this.#timers.delete(timer)) continue;
      timer.act();
    }
  }
}

/** An answer as a client sees it. Tests look into bodies freely: what they expect of one is what they assert. */
export type Answer = { readonly status: number; readonly body: Body; readonly headers: Headers };
export type Body = Readonly<Record<string, unknown>>;

export type Platform = {
  readonly url: string;
  readonly store: Store;
  readonly database: TestDatabase;
  readonly clock: TestClock;
  readonly merchant: ProvisionedMerchant;
  readonly wallet: ProvisionedWallet;
  /** What the API publishes of itself. Every answer a test gets through `get`, `post`, `put` and `del` was held against it. */
  readonly contract: Contract;
  get(key: string, path: string): Promise<Answer>;
  post(key: string, path: string, body?: unknown): Promise<Answer>;
  put(key: string, path: string, body: unknown): Promise<Answer>;
  del(key: string, path: string): Promise<Answer>;
  newWallet(topUpMinor: number, currency?: string): Promise<ProvisionedWallet>;
  newMerchant(currency?: string): Promise<ProvisionedMerchant>;
  /** A new payment request of the merchant's. */
  request(value?: string, more?: object): Promise<string>;
  pay(id: string, wallet?: ProvisionedWallet, key?: string): Promise<Answer>;
  /** A config of the merchant's with other options than its one wallet. */
  newConfig(
    paymentOptions: readonly {
      readonly type: string;
      readonly walletId?: string;
      readonly collectionIds?: readonly string[];
      readonly externalMerchantId?: string;
    }[],
  ): Promise<string>;
  balance(assetId: string): Promise<number>;
  close(): Promise<void>;
};

export const CURRENCY = "NZD";
export const ASSET_TYPE = "centrapay.nzd.test";

/** Webhooks may go anywhere, as on a computer of one's own. */
export const anywhere = new WebhookTargets("any", (host) => lookup(host, { all: true }));

/**
 * `kept` is a database that is there before and after; without it a new one is made and dropped at the end. `targets` says where
 * webhooks may go.
 */
export async function openPlatform({
  kept,
  targets = anywhere,
  experimental = true,
  requestsPerMinute = 200,
  uplink,
  openRequestsPerMinute = 600,
  trustedProxies = [],
  log = pino({ level: "silent" }),
}: {
  readonly kept?: TestDatabase;
  readonly targets?: WebhookTargets;
  readonly experimental?: boolean;
  readonly requestsPerMinute?: number;
  readonly uplink?: UplinkSettings;
  readonly openRequestsPerMinute?: number;
  readonly trustedProxies?: readonly string[];
  readonly log?: Logger;
} = {}): Promise<Platform> {
  const database = kept ?? (await newDatabase());
  const store = await openTestStore(database.url);
  const clock = new TestClock();
  const making = { clock, random };
  const newMerchant = (currency = CURRENCY): Promise<ProvisionedMerchant> =>
    store.write((tx) =>
      provisionMerchant(tx, making, {
        name: "Snack Street Ltd",
        merchantName: "Snack Street",
        country: "NZ",
        currency,
        allowedRedirectUrls: ["https://shop.example/return"],
      }),
    );
  const newWallet = (topUpMinor: number, currency = CURRENCY): Promise<ProvisionedWallet> =>
    store.write((tx) => provisionWallet(tx, making, { name: "Ada", currency, topUpMinor }));

  const app = await makeServer(log, () => newId(clock.nowMs(), random), trustedProxies);
  const payments = makePayments({
    store,
    clock,
    random,
    publicUrl: "https://pay.example",
    experimental,
    requestsPerMinute,
    log,
    targets,
    uplink,
  });
  await payments.routes(app, await makeRequestCounts(app, { clock, openRequestsPerMinute }));
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo; // listening on TCP, so it is one
  const url = `http://127.0.0.1:${port}`;
  await payments.start();
  const contract = new Contract(await (await fetch(`${url}/api/openapi.json`)).json());
  const merchant = await newMerchant();
  const wallet = await newWallet(10_000);

  async function call(method: string, key: string, at: string, body?: unknown): Promise<Answer> {
    const response = await fetch(url + at, {
      method,
      headers: {
        ...(key === "" ? {} : { "x-api-key": key }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const { status, headers } = response;
    const answer = (await response.json()) as Body; // JSON objects only
    const fault = contract.fault(method, at, status, answer);
    if (fault !== undefined) throw new Error(`not as published: ${fault}`);
    return { status, headers, body: answer };
  }
  const post = (key: string, at: string, body?: unknown): Promise<Answer> => call("POST", key, at, body);
  return {
    url,
    store,
    database,
    clock,
    merchant,
    wallet,
    contract,
    newWallet,
    newMerchant,
    post,
    get: (key, at) => call("GET", key, at),
    put: (key, at, body) => call("PUT", key, at, body),
    del: (key, at) => call("DELETE", key, at),
    async request(value = "350", more = {}) {
      const { body } = await post(merchant.terminalKey, "/api/payment-requests", {
        configId: merchant.configId,
        value: { amount: value, currency: CURRENCY },
        ...more,
      });
      if (typeof body["id"] !== "string") throw new Error(`no payment request: ${JSON.stringify(body)}`);
      return body["id"];
    },
    pay: (id, payer = wallet, key = newId(clock.nowMs(), random)) =>
      post(payer.apiKey, `/api/payment-requests/${id}/pay`, {
        assetType: ASSET_TYPE,
        assetId: payer.assetId,
        idempotencyKey: key,
      }),
    async newConfig(paymentOptions) {
      const id = `mc_${newId(clock.nowMs(), random)}`;
      await store.write((tx) =>
        tx
          .insertInto("merchant_config")
          .values({
            id,
            merchant_id: merchant.merchantId,
            payment_options: JSON.stringify(paymentOptions),
            allowed_redirect_urls: "[]",
            created_ms: clock.nowMs(),
          })
          .execute(),
      );
      return id;
    },
    async balance(assetId) {
      const row = await store.read
        .selectFrom("ledger_account")
        .select("balance_minor")
        .where("id", "=", assetId)
        .executeTakeFirstOrThrow();
      return row.balance_minor;
    },
    async close() {
      await app.close();
      await payments.close();
      await audit(store); // whatever a test did, the promises about money hold after it, and nobody writes any more
      await store.close();
      if (kept === undefined) await database.drop();
    },
  };
}
