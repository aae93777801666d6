/**
 * The whole cloud and a broker in this process, on real sockets and a real database; the machine is the test's to play.
 * Between vending and payments stands a plain HTTP relay that a test can break.
 */
import { createHash, generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import { lookup } from "node:dns/promises";
import { createServer as createHttp, request, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer, type AddressInfo, type Server } from "node:net";
import type { FastifyInstance } from "fastify";
import { importJWK, SignJWT, type JWK } from "jose";
import { connect, connectAsync, type MqttClient } from "mqtt";
import { pino } from "pino";
import { makeBroker, type Broker } from "../../broker/broker.js";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { Secret } from "../../broker/protocol/configuration.js";
import { open, seal, type Message } from "../../broker/protocol/envelope.js";
import { newId } from "../../broker/protocol/id.js";
import type { Body, JournalLine } from "../../broker/protocol/messages.js";
import { topicOf, type Down, type Up } from "../../broker/protocol/topics.js";
import { makeRequestCounts } from "../../cloud/http/request-counts.js";
import { makeServer } from "../../cloud/http/server.js";
import { webhookUrl } from "../../cloud/main.js";
import { provisionMerchant, provisionWallet, setWebhookUrl } from "../../cloud/payments/provision.js";
import { makePayments, type Payments } from "../../cloud/payments/service.js";
import { WebhookTargets } from "../../cloud/payments/webhook-targets.js";
import type { Store } from "../../cloud/store/store.js";
import type { Terms } from "../../cloud/vending/attendant.js";
import { provisionBusKey, provisionMachine } from "../../cloud/vending/provision.js";
import { makeVending, type Vending } from "../../cloud/vending/service.js";
import type { ReportsAllowed } from "../../cloud/vending/report-limits.js";
import type { StreamLimits } from "../../cloud/vending/stream-seats.js";
import { Contract } from "../payments/contract.js";
import { quietPort } from "../quiet-port.js";
import { newDatabase, openTestStore, type TestDatabase } from "../store/database.js";

export const clock: Clock = {
  nowMs: () => Date.now(),
  monoMs: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};
export const random: Random = { bytes: (count) => randomBytes(count), fraction: () => Math.random() };
const making = { clock, random };
const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
export const MACHINE = "machine-1";
export const OTHER = "machine-2";

const portOf = (server: Pick<Server, "address">): number => (server.address() as AddressInfo).port; // listening on TCP
const jwkOf = (key: KeyObject) => key.export({ format: "jwk" });
type Account = { readonly accountId: string; readonly apiKey: string; readonly assetId: string };
/** What the relay does with a call: passes it on, passes it on and loses the answer, or answers 503 by itself. */
export type Relay = "pass" | "loseAnswer" | "down";

export class Cloud implements AsyncDisposable {
  readonly #database: TestDatabase;
  readonly #broker: Broker;
  readonly #brokerServer: Server;
  readonly #app: FastifyInstance;
  readonly #payments: Payments;
  readonly #vending: Vending;
  readonly #relayServer: ReturnType<typeof createHttp>;
  /** Every route there is, as `GET /api/…/:id`. */
  readonly routes: readonly string[];
  /** What the vending backend publishes of itself. Every answer of its that a test gets through `call` was held against it. */
  readonly contract: Contract;
  readonly store: Store;
  readonly url: string;
  readonly wallet: Account;
  readonly merchant: {
    readonly ownerAccountId: string;
    readonly ownerKey: string;
    readonly walletId: string;
    readonly collectionId: string | undefined;
  };
  readonly keys: Readonly<Record<string, KeyObject>>;
  readonly cloudKey: KeyObject;
  relay: (call: { readonly method: string; readonly path: string }) => Relay | Promise<Relay> = () => "pass";
  readonly calls: string[] = [];

  private constructor(parts: {
    routes: readonly string[];
    contract: Contract;
    database: TestDatabase;
    broker: Broker;
    brokerServer: Server;
    app: FastifyInstance;
    payments: Payments;
    vending: Vending;
    relayServer: ReturnType<typeof createHttp>;
    store: Store;
    url: string;
    wallet: Account;
    merchant: {
      ownerAccountId: string;
      ownerKey: string;
      walletId: string;
      collectionId: string | undefined;
    };
    keys: Record<string, KeyObject>;
    cloudKey: KeyObject;
  }) {
    this.routes = parts.routes;
    this.contract = parts.contract;
    this.#database = parts.database;
    this.#broker = parts.broker;
    this.#brokerServer = parts.brokerServer;
    this.#app = parts.app;
    this.#payments = parts.payments;
    this.#vending = parts.vending;
    this.#relayServer = parts.relayServer;
    this.store = parts.store;
    this.url = parts.url;
    this.wallet = parts.wallet;
    this.merchant = parts.merchant;
    this.keys = parts.keys;
    this.cloudKey = parts.cloudKey;
  }

  static async start(options: {
    readonly webhooks: boolean;
    readonly terms?: Partial<Terms["policy"]>;
    readonly openRequestsPerMinute?: number;
    readonly streams?: StreamLimits;
    readonly unpaidHolds?: number;
    readonly reports?: ReportsAllowed;
    /** Gets the log's lines, of JSON, from warnings on. */
    readonly log?: string[];
    /** What the vending backend goes by. */
    readonly clock?: Clock;
  }): Promise<Cloud> {
    const broker = await makeBroker(
      () => [
        { role: "cloud", username: "cloud", passwordSha256: hash("cloud") },
        { role: "machine", username: MACHINE, passwordSha256: hash(MACHINE) },
        { role: "machine", username: OTHER, passwordSha256: hash(OTHER) },
      ],
      { info: () => undefined, warn: () => undefined },
    );
    const brokerServer = createServer({ noDelay: true }, (socket) => broker.handle(socket));
    await new Promise<void>((resolve) => brokerServer.listen(0, "127.0.0.1", resolve));
    // The platform's address must be known before the platform is made: the port is chosen first.
    const port = await quietPort();
    const url = `http://127.0.0.1:${port}`;

    const database = await newDatabase();
    const store = await openTestStore(database.url);
    const machineKeys = {
      [MACHINE]: generateKeyPairSync("ed25519"),
      [OTHER]: generateKeyPairSync("ed25519"),
    };
    const { merchant, wallet, cloudKeys } = await store.write(async (tx) => {
      const made = await provisionMerchant(tx, making, {
        name: "m",
        merchantName: "m",
        country: "NZ",
        currency: "NZD",
        allowedRedirectUrls: [],
        vouchers: true,
        gives: [{ sku: "crisps", name: "Crisps", maxValue: { amount: "300", currency: "NZD" } }],
      });
      const payer = await provisionWallet(tx, making, { name: "w", currency: "NZD", topUpMinor: 10_000 });
      if (options.webhooks)
        await setWebhookUrl(tx, making, made.ownerAccountId, webhookUrl(url), ["payment-request:paid"]);
      for (const [id, { publicKey }] of Object.entries(machineKeys))
        await provisionMachine(
          tx,
          {
            id,
            code: id.toUpperCase(),
            name: id,
            place: "here",
            currency: "NZD",
            decimals: 2,
            configId: made.configId,
            suggestedCreditMinor: [400],
            minCreditMinor: 50,
            maxCreditMinor: 2_000,
            maxVends: 1,
            items: [{ item: 11, name: "Crisps", priceMinor: 250, sku: "crisps" }],
            key: { kid: `kid-${id}`, publicKey: jwkOf(publicKey) },
          },
          clock.nowMs(),
        );
      return { merchant: made, wallet: payer, cloudKeys: await provisionBusKey(tx, clock.nowMs()) };
    });

    let started: Cloud | undefined = undefined;
    const relayServer = createHttp((incoming, answer) => void pass(incoming, answer, port, () => started));
    await new Promise<void>((resolve) => relayServer.listen(0, "127.0.0.1", resolve));

    const log = pino(
      { level: options.log === undefined ? "silent" : "warn" },
      { write: (line) => void options.log?.push(line) },
    );
    const app = await makeServer(log, () => newId(clock.nowMs(), random));
    const routes: string[] = [];
    app.addHook("onRoute", ({ method, url: at }) => {
      for (const one of [method].flat()) if (one !== "HEAD") routes.push(`${one} ${at}`);
    });
    const targets = new WebhookTargets("any", (host) => lookup(host, { all: true }));
    const payments = makePayments({
      uplink: undefined,
      store,
      clock,
      random,
      publicUrl: url,
      experimental: true,
      requestsPerMinute: 200,
      log,
      targets,
    });
    const vending = makeVending({
      store,
      clock: options.clock ?? clock,
      random,
      log,
      http: fetch,
      publicUrl: url,
      paymentsUrl: `http://127.0.0.1:${portOf(relayServer)}`,
      paymentsApiKey: new Secret(merchant.terminalKey),
      webhookUrl: webhookUrl(url),
      terms: {
        policy: {
          againMs: 100,
          reserveMs: 20_000,
          requestMs: 20_000,
          heldUnpaidMs: 600_000,
          grantMs: 20_000,
          darkAfterMs: 86_400_000,
          unknownAfterMs: 900_000,
          unknownRefundCap: 3,
          ...options.terms,
        },
        sessionMs: 60_000,
        goMs: 10_000,
        expirySeconds: 120,
      },
      streams: options.streams ?? { perAddress: 100, inAll: 100 },
      reports: options.reports ?? { perMinute: 20_000, journalsPerDay: 1_000_000 }, // one machine here, and many tests
      unpaidHolds: options.unpaidHolds ?? 1_000_000, // everybody here has one address
      connect: () =>
        connect(`mqtt://127.0.0.1:${portOf(brokerServer)}`, {
          protocolVersion: 4,
          clientId: "cloud.test",
          username: "cloud",
          password: "cloud",
          reconnectPeriod: 50,
        }),
    });
    const { openRequestsPerMinute = 1_000_000 } = options; // a test asks again and again
    const counts = await makeRequestCounts(app, { clock, openRequestsPerMinute });
    await payments.routes(app, counts);
    vending.routes(app, counts);
    await app.listen({ host: "127.0.0.1", port });
    await payments.start();
    await vending.start();
    // A machine's status that is said before the cloud listens is not heard.
    const untilMs = performance.now() + 10_000;
    while (!vending.ready()) {
      if (performance.now() > untilMs) throw new Error("the cloud never reached the broker");
      await new Promise((again) => setTimeout(again, 5));
    }
    const [cloudKey] = await store.read.selectFrom("bus_key").selectAll().execute();
    if (cloudKey === undefined || cloudKeys.length !== 1) throw new Error("one key was made");
    const { createPublicKey } = await import("node:crypto");
    const contract = new Contract(await (await fetch(`${url}/api/vending/openapi.json`)).json());
    started = new Cloud({
      routes,
      contract,
      database,
      broker,
      brokerServer,
      app,
      payments,
      vending,
      relayServer,
      store,
      url,
      wallet,
      merchant,
      keys: Object.fromEntries(Object.entries(machineKeys).map(([id, { privateKey }]) => [id, privateKey])),
      cloudKey: createPublicKey({
        key: JSON.parse(cloudKey.public_key) as ReturnType<typeof jwkOf>,
        format: "jwk",
      }), // provisionBusKey wrote it
    });
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app.close();
    await this.#vending.close();
    await this.#payments.close();
    await this.store.close();
    this.#relayServer.closeAllConnections();
    this.#relayServer.close();
    await this.#broker.close();
    this.#brokerServer.close();
    await this.#database.drop();
  }

  get databaseUrl(): string {
    return this.#database.url;
  }
  get mqttPort(): number {
    return portOf(this.#brokerServer);
  }

  async call(
    method: "GET" | "POST" | "PUT",
    path: string,
    body?: unknown,
    key?: string,
  ): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key === undefined ? {} : { "x-api-key": key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { status } = response;
    const answer = (await response.json()) as Record<string, unknown>; // JSON objects only
    const fault = path.startsWith("/api/vending/")
      ? this.contract.fault(method, path, status, answer)
      : undefined;
    if (fault !== undefined) throw new Error(`not as published: ${fault}`);
    return { status, body: answer };
  }
  ask(key: string, machine = MACHINE): ReturnType<Cloud["call"]> {
    return this.call("POST", `/api/vending/machines/${machine.toUpperCase()}/sales`, {
      credit: { amount: "400", currency: "NZD" },
      idempotencyKey: key,
    });
  }
  pay(paymentRequestId: string): ReturnType<Cloud["call"]> {
    const { apiKey, assetId } = this.wallet;
    return this.call(
      "POST",
      `/api/payment-requests/${paymentRequestId}/pay`,
      { assetType: "centrapay.nzd.test", assetId, idempotencyKey: `pay-${paymentRequestId}` },
      apiKey,
    );
  }
  async sale(id: string): Promise<Record<string, unknown>> {
    return (await this.call("GET", `/api/vending/sales/${id}`)).body;
  }
  async balance(): Promise<number> {
    const { body } = await this.call(
      "GET",
      `/api/assets/${this.wallet.assetId}`,
      undefined,
      this.wallet.apiKey,
    );
    return Number(body["balance"]);
  }
  /** The code of a new voucher. */
  async voucher(minor: number): Promise<string> {
    const value = { amount: String(minor), currency: "NZD" };
    const { ownerAccountId, ownerKey } = this.merchant;
    const asked = { accountId: ownerAccountId, type: "voucher.nzd.test", value };
    const { status, body } = await this.call("POST", "/api/vouchers", asked, ownerKey);
    if (status !== 200) throw new Error(JSON.stringify(body));
    return String(body["code"]);
  }
  /** The code of a new token for crisps. */
  async productCode(): Promise<string> {
    const { collectionId, ownerKey } = this.merchant;
    const asked = { collectionId, idempotencyKey: newId(clock.nowMs(), random), withCode: true };
    const { status, body } = await this.call("POST", "/api/tokens", asked, ownerKey);
    if (status !== 200) throw new Error(JSON.stringify(body));
    return String(body["code"]);
  }
  /** The header the platform would send with these bytes, by its own key. */
  async signWebhook(bytes: Uint8Array): Promise<string> {
    const row = await this.store.read.selectFrom("signing_key").selectAll().executeTakeFirstOrThrow();
    const key = await importJWK(JSON.parse(row.private_jwk) as JWK, "ES256"); // the platform wrote it
    return new SignJWT({ request_body_sha256: createHash("sha256").update(bytes).digest("hex") })
      .setProtectedHeader({ alg: "ES256", kid: row.kid })
      .setAudience(webhookUrl(this.url))
      .setExpirationTime("5m")
      .sign(key);
  }
  /** Waits until vending has called the platform on a path that ends so. */
  async called(end: string): Promise<void> {
    const untilMs = performance.now() + 15_000;
    while (!this.calls.some((call) => call.endsWith(end))) {
      if (performance.now() > untilMs) throw new Error(`never called: ${end}`);
      await new Promise((again) => setTimeout(again, 10));
    }
  }
  /** Asks until the sale is in this state. */
  async reaches(id: string, state: string): Promise<Record<string, unknown>> {
    const untilMs = performance.now() + 15_000;
    for (;;) {
      const sale = await this.sale(id);
      if (sale["state"] === state) return sale;
      if (performance.now() > untilMs) throw new Error(`sale never ${state}: ${JSON.stringify(sale)}`);
      await new Promise((again) => setTimeout(again, 10));
    }
  }
}

async function pass(
  incoming: IncomingMessage,
  answer: ServerResponse,
  port: number,
  cloud: () => Cloud | undefined,
): Promise<void> {
  const { method = "", url: path = "", headers } = incoming;
  cloud()?.calls.push(`${method} ${path}`);
  const how = (await cloud()?.relay({ method, path })) ?? "pass";
  if (how === "down") {
    answer.writeHead(503).end("{}");
    return;
  }
  const onward = request({ host: "127.0.0.1", port, method, path, headers }, (reply) => {
    if (how === "loseAnswer") {
      reply.resume();
      reply.on("end", () => answer.destroy());
      return;
    }
    answer.writeHead(reply.statusCode ?? 500, reply.headers);
    reply.pipe(answer);
  });
  onward.on("error", () => answer.destroy()); // the platform is gone: a test is over
  incoming.pipe(onward);
}

/** A machine in a test's hands: signs as a real one does, and keeps what it hears. */
/** What a machine says of itself that can sell. */
export const SELLS = {
  online: true,
  bootId: "b",
  version: "test",
  mdb: "enabled",
  canSell: true,
  reason: "",
} as const;

export class Machine implements AsyncDisposable {
  readonly #client: MqttClient;
  readonly #cloud: Cloud;
  readonly #id: string;
  readonly #waiting: ((message: Message) => void)[] = [];
  readonly #heard: Message[] = [];
  readonly #answered = new Set<string>();
  #n = 1_000_000;

  private constructor(cloud: Cloud, id: string, client: MqttClient) {
    this.#cloud = cloud;
    this.#id = id;
    this.#client = client;
    client.on("error", () => undefined);
    client.on("message", (topic, payload) => {
      const opened = open(topic, payload, () => cloud.cloudKey);
      if (!opened.ok) throw new Error(`the cloud said something unreadable: ${opened.refusal}`);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#heard.push(opened.message);
      else waiting(opened.message);
    });
  }

  static async connect(cloud: Cloud, id = MACHINE): Promise<Machine> {
    const client = await connectAsync(`mqtt://127.0.0.1:${cloud.mqttPort}`, {
      protocolVersion: 4,
      clientId: id,
      username: id,
      password: id,
      reconnectPeriod: 0,
    });
    const machine = new Machine(cloud, id, client);
    await client.subscribeAsync(
      (["reserve", "grant", "go", "void", "heard", "config", "answer"] as const).map((leaf) =>
        topicOf(id, leaf),
      ),
      { qos: 1 },
    );
    return machine;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }

  payload<L extends Up>(
    leaf: L,
    body: Body[L],
    as: {
      readonly key?: KeyObject;
      readonly kid?: string;
      readonly n?: number;
      readonly machine?: string;
    } = {},
  ): string {
    const key = as.key ?? this.#cloud.keys[this.#id];
    if (key === undefined) throw new Error(`no key for ${this.#id}`);
    return seal(as.machine ?? this.#id, leaf, as.n ?? (this.#n += 1), body, {
      kid: as.kid ?? `kid-${this.#id}`,
      privateKey: key,
    });
  }
  say<L extends Up>(leaf: L, body: Body[L]): Promise<unknown> {
    return this.raw(leaf, this.payload(leaf, body));
  }
  raw(leaf: Up, payload: string | Buffer): Promise<unknown> {
    return this.#client.publishAsync(topicOf(this.#id, leaf), payload, { qos: 1 });
  }
  async online(): Promise<void> {
    await this.say("status", SELLS);
    const untilMs = performance.now() + 10_000;
    while (
      (await this.#cloud.call("GET", `/api/vending/machines/${this.#id.toUpperCase()}`)).body["state"] ===
      "offline"
    ) {
      if (performance.now() > untilMs) throw new Error("the status was not taken in");
      await new Promise((again) => setTimeout(again, 10));
    }
  }
  report(journal: string, entry: number, line: JournalLine): Promise<unknown> {
    return this.say("report", { journal, entry, line });
  }
  /** The next message of this kind that is as asked; others before it are passed over. */
  async next<L extends Down>(leaf: L, asAsked: (body: Body[L]) => boolean = () => true): Promise<Body[L]> {
    for (;;) {
      const message =
        this.#heard.shift() ?? (await new Promise<Message>((resolve) => this.#waiting.push(resolve)));
      if (message.leaf !== leaf) continue;
      const body = message.body as Body[L]; // the leaf picked the body
      if (asAsked(body)) return body;
    }
  }
  grant(saleId: string): Promise<Body["grant"]> {
    return this.next("grant", (grant) => grant.saleId === saleId);
  }
  /** The next word on how far this journal has been heard. */
  async upTo(journal: string): Promise<number> {
    return (await this.next("heard", (heard) => heard.journal === journal)).upTo;
  }
  /** Resolves when this journal has been heard as far as that. */
  async heard(journal: string, upTo: number): Promise<void> {
    while ((await this.upTo(journal)) < upTo);
  }
  /** To the next sale that it is asked about, and answers which. */
  async saysYes(): Promise<string> {
    // What was said again before the last answer was heard is not about this one.
    const { reservationId } = await this.next("reserve", (one) => !this.#answered.has(one.reservationId));
    this.#answered.add(reservationId);
    await this.say("reserved", { reservationId, ok: true });
    return reservationId;
  }
  /** Plays a machine that says yes to the next sale asked for under this key. */
  async sale(key: string): Promise<{ readonly id: string; readonly paymentRequestId: string }> {
    const asked = this.#cloud.ask(key, this.#id);
    await this.saysYes();
    const { status, body } = await asked;
    if (status !== 200) throw new Error(JSON.stringify(body));
    return { id: String(body["id"]), paymentRequestId: (body["paymentRequest"] as { id: string }).id };
  }
}
