/**
 * The merchant's vending backend, put together.
 *
 * Owns      the sales, the machines and the cloud's end of the bus.
 * Promises  M2 to M7 of ARCHITECTURE.md on the cloud's side.
 */
import { createPrivateKey, type KeyObject } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { MqttClient } from "mqtt";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import type { Signer } from "../../broker/protocol/envelope.js";
import type { Secret } from "../../broker/protocol/configuration.js";
import { makeEndpoints } from "../http/endpoint.js";
import { openApi } from "../http/openapi.js";
import type { RequestCounts } from "../http/request-counts.js";
import type { Store } from "../store/store.js";
import { Attendant, type Terms } from "./attendant.js";
import { makeBus, publicKey, type Bus } from "./bus.js";
import { Counter } from "./counter.js";
import { customerRoutes } from "./customer-routes.js";
import { Desk } from "./desk.js";
import { configRoutes } from "./config-routes.js";
import { Journals } from "./journals.js";
import type { Log } from "./log.js";
import { MachineConfigs } from "./machine-configs.js";
import { keysInForce } from "./machines.js";
import { requireOwnerAt } from "./owner.js";
import { notificationRoutes } from "./notification-routes.js";
import { ownerRoutes } from "./owner-routes.js";
import { makePaymentsClient } from "./payments-client.js";
import { keyText, provisionBusKey } from "./provision.js";
import { published } from "./published.js";
import { ReportLimits, type ReportsAllowed } from "./report-limits.js";
import type { StreamLimits } from "./stream-seats.js";
import { UnpaidHolds } from "./unpaid-holds.js";

export type VendingParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly http: typeof fetch;
  readonly publicUrl: string;
  readonly paymentsUrl: string;
  readonly paymentsApiKey: Secret;
  readonly webhookUrl: string;
  readonly terms: Terms;
  /** How many may watch sales at once. */
  readonly streams: StreamLimits;
  /** How many holds of one machine in a row one address may let come to nothing before it has to wait. */
  readonly unpaidHolds: number;
  /** What one machine may report. */
  readonly reports: ReportsAllowed;
  /** Opens the connection to the broker; the client reconnects by itself. */
  readonly connect: () => MqttClient;
};
export type Vending = {
  readonly routes: (app: FastifyInstance, counts: RequestCounts) => void;
  /** True while machines can be reached. */
  readonly ready: () => boolean;
  readonly start: () => Promise<void>;
  readonly close: () => Promise<void>;
};

const NUMBERS_AT_ONCE = 1_000;
const KEYS_AGAIN_MS = 5_000;

export function makeVending(parts: VendingParts): Vending {
  const { store, clock, random, log, terms } = parts;
  const payments = makePaymentsClient(parts.paymentsUrl, parts.paymentsApiKey, parts.http);
  let bus: Bus = { up: false, say: () => Promise.resolve(), close: () => Promise.resolve() }; // until the start
  const attendant = new Attendant({ store, clock, payments, bus: () => bus, terms, log });
  const configs = new MachineConfigs({ store, clock, bus: () => bus, log });
  const limits = new ReportLimits(parts.reports, clock, log);
  const journals = new Journals({ store, clock, attendant, configs, bus: () => bus, limits, log });
  const unpaidHolds = new UnpaidHolds(store.read, parts.unpaidHolds);
  const desk = new Desk({ store, clock, random, attendant, terms, unpaidHolds });
  const counter = new Counter({ store, desk, attendant, bus: () => bus, log });
  let stopKeys: () => void = () => undefined;

  return {
    routes: (app, { admitStranger }) => {
      const owner = {
        read: store.read,
        machine: (code: string) => desk.machine(code),
        requireOwner: requireOwnerAt(parts.paymentsUrl, parts.http),
      };
      // In a scope of their own: the document is this API's and nobody else's.
      void app.register(async (documented) => {
        await openApi(documented, {
          ...published,
          publicUrl: parts.publicUrl,
          experimental: true,
          admitStranger,
        });
        const endpoints = makeEndpoints<unknown>(documented, {
          // Whether a key is good only the platform can tell: until it has, its bearer is a stranger.
          callerOf: async (request) => {
            await admitStranger(request);
            return request.headers["x-api-key"];
          },
          admitStranger,
          experimental: true,
        });
        customerRoutes(endpoints, { ...parts, desk, attendant, payments });
        ownerRoutes(endpoints, { ...owner, clock, attendant });
        configRoutes(endpoints, { ...owner, configs });
        notificationRoutes(documented, { ...parts, attendant });
      });
    },
    ready: () => bus.up,
    async start() {
      const keys = new Map<string, { readonly machineId: string; readonly key: KeyObject }>();
      const readKeys = async (): Promise<void> => {
        const inForce = await keysInForce(store.read);
        keys.clear();
        for (const { kid, machineId, publicKey: jwk } of inForce)
          keys.set(kid, { machineId, key: publicKey(jwk) });
      };
      await readKeys();
      // A machine enrolled (or a key revoked) by another process counts within seconds.
      stopKeys = clock.after(KEYS_AGAIN_MS, function again() {
        readKeys()
          .catch((error: unknown) => log.error({ err: error }, "machine keys not read; the last ones stay"))
          .finally(() => (stopKeys = clock.after(KEYS_AGAIN_MS, again)));
      });
      const signer = await readSigner(store, clock.nowMs(), log);
      bus = makeBus({
        client: parts.connect(), // and nothing is awaited before its events are listened to
        signer,
        keyOf: (kid, machine) => {
          const known = keys.get(kid);
          return known?.machineId === machine ? known.key : undefined;
        },
        nextNumber: numbers(store),
        hear: (heard) =>
          heard.message.leaf === "request"
            ? counter.hear(heard.message.machine, heard.message.body)
            : journals.hear(heard),
        onUp: () =>
          void attendant
            .takeUp("all")
            .catch((error: unknown) => log.error({ err: error }, "open sales not taken up")),
        log,
      });
      attendant.start();
    },
    async close() {
      stopKeys();
      attendant.close();
      await bus.close();
    },
  };
}

/** The newest key of the cloud that is not retired; the first is made here. */
async function readSigner(store: Store, nowMs: number, log: Log): Promise<Signer> {
  const inForce = await store.write((tx) => provisionBusKey(tx, nowMs));
  log.info({ cloudKeys: inForce.map(keyText) }, "a controller's cloudKeys are to name these");
  const row = await store.read
    .selectFrom("bus_key")
    .selectAll()
    .where("retired_ms", "is", null)
    .orderBy("created_ms", "desc")
    .executeTakeFirstOrThrow();
  return { kid: row.kid, privateKey: createPrivateKey(row.private_key) };
}

/** Numbers for what we sign: drawn from the database a block at a time, so that none is ever used twice. */
function numbers(store: Store): () => Promise<number> {
  let next = 0;
  let end = 0;
  let drawing: Promise<void> | undefined;
  const draw = async (): Promise<void> => {
    const { next: to } = await store.write((tx) =>
      tx
        .updateTable("bus_number")
        .set((eb) => ({ next: eb("next", "+", NUMBERS_AT_ONCE) }))
        .returning("next")
        .executeTakeFirstOrThrow(),
    );
    next = to - NUMBERS_AT_ONCE;
    end = to;
  };
  return async () => {
    while (next >= end) await (drawing ??= draw().finally(() => (drawing = undefined)));
    return next++;
  };
}
