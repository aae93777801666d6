/** The cloud as a process: payments and vending side by side, or either alone. Stops on SIGTERM or SIGINT. */
import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { connect } from "mqtt";
import { pino } from "pino";
import type { z } from "zod";
import { systemClock as clock, systemRandom as random } from "../broker/protocol/system.js";
import { readConfigurationFile, Secret, type Configured } from "../broker/protocol/configuration.js";
import { newId } from "../broker/protocol/id.js";
import { cannotListen } from "../broker/protocol/listening.js";
import {
  cloudConfiguration,
  cloudSecrets,
  ENVIRONMENT,
  SECRET_ENVIRONMENT,
  targetPolicy,
  type CloudConfiguration,
  type CloudSecrets,
} from "./configuration.js";
import { health } from "./health.js";
import { makeRequestCounts } from "./http/request-counts.js";
import { makeServer } from "./http/server.js";
import { pages } from "./pages.js";
import { makePayments } from "./payments/service.js";
import type { UplinkSettings } from "./payments/uplink-client.js";
import { WebhookTargets } from "./payments/webhook-targets.js";
import { openStore } from "./store/open-store.js";
import { StoreFailed, type Store } from "./store/store.js";
import { makeVending } from "./vending/service.js";

export const usage = `scanvend cloud --config FILE [--secrets FILE]

  The payment platform and the merchant's vending backend.

  --config FILE    JSON; see docs/configuration.md
  --secrets FILE   JSON: mqttPassword, paymentsApiKey, uplinkKey
  --help           this text

  In their place: ${[...Object.keys(ENVIRONMENT), ...Object.keys(SECRET_ENVIRONMENT)].join(", ")}`;

/** Exit status: 0 stopped as asked, 2 called or configured wrongly. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      config: { type: "string" },
      secrets: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const configuration = readCloudConfiguration(values.config);
  const secrets = fromFile(cloudSecrets, values.secrets, SECRET_ENVIRONMENT);
  const problems = [
    ...(configuration.ok ? [] : configuration.problems),
    ...(secrets.ok
      ? missing(secrets.value, configuration.ok ? configuration.value : { services: ["vending"] })
      : secrets.problems),
  ];
  if (!configuration.ok || !secrets.ok || problems.length > 0) {
    process.stderr.write(
      `scanvend cloud cannot start:\n${problems.map((problem) => `  ${problem}\n`).join("")}`,
    );
    return 2;
  }
  const store = await openedStore(configuration.value);
  if (store instanceof StoreFailed) {
    process.stderr.write(`scanvend cloud cannot start:\n  databaseUrl: ${storeFailure(store)}\n`);
    return 2;
  }
  return serve(store, configuration.value, secrets.value);
}

export async function openedStore(configuration: CloudConfiguration): Promise<Store | StoreFailed> {
  const { databaseUrl, databaseConnections } = configuration;
  try {
    return await openStore({
      databaseUrl,
      maxWaiting: 10_000,
      maxGroup: 200,
      maxConnections: databaseConnections,
    });
  } catch (error) {
    if (error instanceof StoreFailed) return error;
    throw error;
  }
}

/** What went wrong, and what that came of. (A database's own messages name its user and never a password.) */
export const storeFailure = ({ message, cause }: StoreFailed): string =>
  cause instanceof Error && cause.message !== "" ? `${message}: ${cause.message}` : message;

export const readCloudConfiguration = (path: string | undefined): Configured<CloudConfiguration> =>
  fromFile(cloudConfiguration, path, ENVIRONMENT);

/** A file's keys, with the environment's in their place. */
function fromFile<T>(
  schema: z.ZodType<T>,
  path: string | undefined,
  names: Readonly<Record<string, string>>,
): Configured<T> {
  const instead = Object.entries(names).map(([name, key]) => [key, process.env[name]] as const);
  return readConfigurationFile(
    schema,
    () => (path === undefined ? "{}" : readFileSync(path, "utf8")),
    Object.fromEntries(instead),
  );
}

function missing(
  secrets: CloudSecrets,
  { services, uplinkUrl }: Pick<CloudConfiguration, "services"> & { readonly uplinkUrl?: string | undefined },
): readonly string[] {
  const needed = [
    ...(services.includes("vending")
      ? (["mqttPassword", "paymentsApiKey"] as const).map((key) => [key, "vending"] as const)
      : []),
    ...(uplinkUrl === undefined ? [] : ([["uplinkKey", "uplinkUrl"]] as const)),
  ];
  return needed.flatMap(([key, what]) =>
    secrets[key] === undefined ? [`${key}: is needed for ${what}`] : [],
  );
}

/** Until it is told to end. Answers the exit status. */
async function serve(
  store: Store,
  configuration: CloudConfiguration,
  secrets: CloudSecrets,
): Promise<number> {
  const log = pino({ name: "cloud" });
  const app = await makeServer(log, () => newId(clock.nowMs(), random), configuration.trustedProxies);
  const { publicUrl, openRequestsPerMinute } = configuration;
  const counts = await makeRequestCounts(app, { clock, openRequestsPerMinute });
  const payments = configuration.services.includes("payments")
    ? makePayments({
        store,
        clock,
        random,
        publicUrl,
        experimental: configuration.experimental === "on",
        requestsPerMinute: configuration.requestsPerMinute,
        log,
        targets: new WebhookTargets(
          targetPolicy(configuration),
          (host) => lookup(host, { all: true }),
          webhookUrl(configuration.vendingUrl ?? publicUrl),
        ),
        uplink: uplinkOf(configuration, secrets),
      })
    : undefined;
  const vending = configuration.services.includes("vending")
    ? makeVending({
        store,
        clock,
        random,
        log,
        http: fetch,
        publicUrl,
        paymentsUrl: configuration.paymentsUrl ?? publicUrl,
        paymentsApiKey: new Secret(secrets.paymentsApiKey ?? ""),
        webhookUrl: webhookUrl(configuration.vendingUrl ?? publicUrl),
        terms: {
          policy: configuration,
          sessionMs: configuration.sessionMs,
          goMs: configuration.goMs,
          expirySeconds: configuration.expirySeconds,
        },
        streams: { perAddress: configuration.streamsPerAddress, inAll: configuration.streams },
        unpaidHolds: configuration.unpaidHolds,
        reports: {
          perMinute: configuration.reportsPerMinute,
          journalsPerDay: configuration.journalsPerDay,
        },
        connect: () =>
          connect(configuration.mqttUrl, {
            protocolVersion: 4,
            clean: true,
            clientId: `${configuration.mqttUsername}.${newId(clock.nowMs(), random)}`,
            username: configuration.mqttUsername,
            password: secrets.mqttPassword ?? "",
            reconnectPeriod: 500 + Math.floor(random.fraction() * 500),
            connectTimeout: 5_000,
            queueQoSZero: false,
          }),
      })
    : undefined;

  health(app, {
    read: store.read,
    clock,
    services: {
      ...(payments === undefined ? {} : { payments: () => true }),
      ...(vending === undefined ? {} : { vending: () => vending.ready() }),
    },
  });
  await payments?.routes(app, counts);
  vending?.routes(app, counts);
  if (configuration.webDir !== undefined)
    await pages(app, { ...configuration, webDir: configuration.webDir }, counts.admitStranger);
  const { host, port } = configuration;
  const problem = await app.listen({ host, port }).then(
    () => undefined,
    (error: unknown) => cannotListen(error, host, port),
  );
  if (problem !== undefined) {
    process.stderr.write(`scanvend cloud cannot start:\n  ${problem}\n`);
    await store.close();
    return 2;
  }
  await payments?.start();
  await vending?.start();
  log.info({ publicUrl, services: configuration.services }, "serving");

  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  await app.close();
  await vending?.close();
  await payments?.close();
  await store.close();
  return 0;
}

function uplinkOf(
  { uplinkUrl, uplinkTimeoutMs }: CloudConfiguration,
  { uplinkKey }: CloudSecrets,
): UplinkSettings | undefined {
  if (uplinkUrl === undefined || uplinkKey === undefined) return undefined;
  return { url: uplinkUrl, key: new Secret(uplinkKey), timeoutMs: uplinkTimeoutMs };
}

/** Where the payment platform's webhooks come in. */
export const webhookUrl = (vendingUrl: string): string => `${vendingUrl}/api/vending/webhooks/payments`;
