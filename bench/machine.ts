/**
 * `npm run bench:machine`: how quick and how small the controller is, beside what this disk can do at best, from one run.
 *
 * A real controller process, a real broker process, and the two ends that they serve: an adapter on a TCP serial line and the
 * cloud's end of the bus. Times are taken twice: in the controller, from a line's arrival to its answer's leaving (edges.ts),
 * which is what the limits are for; and at those two ends, with the way there and back. After each sale one durable commit with the
 * journal's own settings on the journal's own disk: one that is busy with something else shows in both. It comes after the same
 * rest as a customer's choice, when nobody is at work any more: it neither competes with a sale nor finds the disk awake for it.
 * After another such rest the same line is answered by a process that does nothing but read, commit and answer (bare-line.ts):
 * what an approval takes at least under Node on this computer.
 */
import { createHash, createPublicKey, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { systemRandom } from "../broker/protocol/system.js";
import { CONTROLLER_NODE_FLAGS } from "../cli/node-flags.js";
import { createIdentity, publicHalf } from "../controller/identity.js";
import { quietPort } from "../test/quiet-port.js";
import { Adapter } from "./adapter.js";
import { DurableCommit } from "./durable-commit.js";
import type { Edges } from "./edges.js";
import { median, quantile } from "./load.js";
import { CLOUD_KID, cloudPublicKey, MachineBus } from "./machine-bus.js";
import { BenchProcess } from "./process.js";
import { Tap } from "./tap.js";

const usage = `npm run bench:machine -- [--sales N] [--starts N] [--idle N] [--dir DIR] [--json]

  --sales    a simulated month of so many sales, at full speed (default 3000)
  --starts   how often the start is measured (default 5)
  --idle     seconds of doing nothing that are measured (default 30)
  --dir      where the journal is: on the card that is to be measured (default: the system's temporary directory)
  --json     one object, for a program
  --help     this text

  Exit status 1 if a figure is past its limit.`;

const MACHINE = "bench-1";
const WARM_UP_SALES = 50;
const REQUEST = "c,STATUS,VEND,3.50,7";
const CHOOSES_MS = 10; // a customer takes longer, so what the session's opening left to do is done by then
const SAMPLES = 30; // of memory and disk, over the month: one a day
const IDLE_AFTER_MS = 2_000; // what the last sale left to do is done

type Options = {
  readonly sales: number;
  readonly starts: number;
  readonly idle: number;
  readonly dir: string;
  readonly json: boolean;
};
type Spread = { readonly p50: number; readonly p99: number };
type Sample = { readonly sales: number; readonly residentMb: number; readonly journalKb: number };
/** One figure and what it may be at most. */
type Figure = {
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
};
type Report = {
  readonly figures: readonly Figure[];
  readonly commitMs: Spread;
  readonly approvalMs: Spread;
  /** The same line answered by a process that only reads, commits and answers. */
  readonly bareMs: Spread;
  /** Up to where the approval's handing over began. */
  readonly approvalBegunMs: Spread;
  readonly sessionMs: Spread;
  /** As the adapter and the broker see it. */
  readonly there: { readonly approvalMs: Spread; readonly sessionMs: Spread };
  readonly salesPerSecond: number;
  readonly commitsPerSale: number;
  readonly writtenKbPerSale: number;
  readonly samples: readonly Sample[];
};

function options(): Options | undefined {
  const { values } = parseArgs({
    options: {
      sales: { type: "string", default: "3000" },
      starts: { type: "string", default: "5" },
      idle: { type: "string", default: "30" },
      dir: { type: "string", default: tmpdir() },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const number = (name: "sales" | "starts" | "idle"): number => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= 1) return value;
    throw new Error(`--${name} ${values[name]}: must be a whole number`);
  };
  if (values.help) return undefined;
  return {
    sales: number("sales"),
    starts: number("starts"),
    idle: number("idle"),
    dir: values.dir,
    json: values.json,
  };
}

const program = fileURLToPath(new URL("../cli.js", import.meta.url));
const bareProgram = fileURLToPath(new URL("./bare-line.js", import.meta.url));
const edgesModule = new URL("./edges.js", import.meta.url).href;

/** Everything but the controller: it is started afresh for each measurement. */
class Bench implements AsyncDisposable {
  readonly dir: string;
  readonly adapter: Adapter;
  readonly bus: MachineBus;
  readonly tap: Tap;
  readonly #broker: BenchProcess;
  readonly #config: string;

  private constructor(
    dir: string,
    adapter: Adapter,
    bus: MachineBus,
    tap: Tap,
    broker: BenchProcess,
    config: string,
  ) {
    this.dir = dir;
    this.adapter = adapter;
    this.bus = bus;
    this.tap = tap;
    this.#broker = broker;
    this.#config = config;
  }

  static async open(parent: string): Promise<Bench> {
    const dir = mkdtempSync(join(parent, "scanvend-bench-"));
    const data = join(dir, "data");
    const identity = createIdentity(data, MACHINE, systemRandom);
    const password = randomBytes(32).toString("hex");
    const logins = [
      { role: "machine", username: MACHINE, passwordSha256: publicHalf(identity).mqttPasswordSha256 },
      { role: "cloud", username: "cloud", passwordSha256: sha256(password) },
    ];
    const loginsFile = write(dir, "logins.json", { logins });
    const port = await quietPort();
    const mqttUrl = `mqtt://127.0.0.1:${port}`;
    const broker = await startBroker(write(dir, "broker.json", { port, loginsFile }));
    const adapter = await Adapter.listen();
    const tap = await Tap.open(port);
    const config = write(dir, "controller.json", {
      machineId: MACHINE,
      dataDir: data,
      serial: adapter.place,
      mqttUrl: tap.url,
      cloudKeys: [{ kid: CLOUD_KID, publicKey: cloudPublicKey }],
      currency: "NZD",
    });
    const key = createPublicKey({ key: identity.publicKey, format: "jwk" });
    const bus = await MachineBus.connect(mqttUrl, password, MACHINE, key);
    return new Bench(dir, adapter, bus, tap, broker, config);
  }

  controller(onLog: (line: Readonly<Record<string, unknown>>) => void = () => undefined): BenchProcess {
    return new BenchProcess(
      [...CONTROLLER_NODE_FLAGS, "--import", edgesModule, program, "controller", "--config", this.#config],
      onLog,
      { SCANVEND_BENCH_EDGES: this.#edges },
    );
  }

  /** What the controller that has just ended saw, of the month alone. */
  edges(): Edges {
    return edgesOfMonth(this.#edges);
  }
  get #edges(): string {
    return join(this.dir, "edges.json");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bus.close();
    this.tap.close();
    this.adapter.close();
    await this.#broker.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function edgesOfMonth(file: string): Edges {
  const seen = JSON.parse(readFileSync(file, "utf8")) as Edges; // edges.ts wrote it
  const ofMonth = (all: readonly number[]): readonly number[] => all.slice(WARM_UP_SALES);
  return {
    approvalsMs: ofMonth(seen.approvalsMs),
    sessionsMs: ofMonth(seen.sessionsMs),
    approvalsBegunMs: ofMonth(seen.approvalsBegunMs),
  };
}

/** A process that does the least that an approval takes, started and watched as a controller is. */
class BareLine {
  readonly #process: BenchProcess;
  readonly #socket: Socket;
  readonly #edges: string;

  private constructor(process: BenchProcess, socket: Socket, edges: string) {
    this.#process = process;
    this.#socket = socket;
    this.#edges = edges;
  }

  static async open(dir: string): Promise<BareLine> {
    const edges = join(dir, "bare-edges.json");
    const flags = [...CONTROLLER_NODE_FLAGS, "--import", edgesModule];
    return new Promise((resolve) => {
      const bare = new BenchProcess(
        [...flags, bareProgram, join(dir, "bare-line.db")],
        ({ port }) => {
          const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true });
          socket.once("connect", () => resolve(new BareLine(bare, socket, edges)));
        },
        { SCANVEND_BENCH_EDGES: edges },
      );
    });
  }

  async answer(): Promise<void> {
    this.#socket.write(`${REQUEST}\r\n`);
    await once(this.#socket, "data");
  }

  /** Ends it; answers how long its answers took. */
  async close(): Promise<readonly number[]> {
    await this.#process.stop();
    return edgesOfMonth(this.#edges).approvalsMs;
  }
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function write(dir: string, name: string, content: object): string {
  const path = join(dir, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

function startBroker(config: string): Promise<BenchProcess> {
  return new Promise((resolve) => {
    const broker = new BenchProcess([program, "broker", "--config", config], ({ msg }) => {
      if (msg === "listening") resolve(broker);
    });
  });
}

/** From the start of the process until the cloud hears that it can sell. */
async function startMs(bench: Bench): Promise<number> {
  const startedMs = performance.now();
  const controller = bench.controller();
  await bench.bus.canSell();
  const tookMs = performance.now() - startedMs;
  await controller.stop();
  await bench.bus.hasLeft();
  return tookMs;
}

type Times = { readonly approvalMs: number; readonly sessionMs: number };

/** One sale, whole; when a line left and when its answer arrived, at the adapter's end. */
async function sell({ bus, adapter, tap }: Bench, grantId: string): Promise<Times> {
  const terms = { amountMinor: 400, currency: "NZD", sessionMs: 60_000, goMs: 10_000, maxVends: 1 };
  bus.say("grant", { grantId, saleId: grantId, ...terms });
  const { journal, entry } = await bus.reported("accepted", grantId);
  const started = adapter.hears("C,START");
  const going = tap.message();
  bus.say("go", { grantId, journal, entry });
  const sessionMs = (await started) - (await going);
  await bus.reported("opened", grantId);
  await pause(CHOOSES_MS);
  const approved = adapter.hears("C,VEND");
  const requestMs = performance.now();
  adapter.say(REQUEST);
  const approvalMs = (await approved) - requestMs;
  adapter.say("c,VEND,SUCCESS", "c,STATUS,ENABLED");
  await bus.reported("closed", grantId);
  return { approvalMs, sessionMs };
}

async function measure(asked: Options): Promise<Report> {
  await using bench = await Bench.open(asked.dir);
  const starts: number[] = [];
  for (let n = 0; n < asked.starts; n += 1) starts.push(await startMs(bench));
  let commits = 0;
  const controller = bench.controller((line) => {
    if (typeof line["commits"] === "number") commits = line["commits"];
  });
  await bench.bus.canSell();
  const month = await sellForAMonth(bench, controller, asked);
  await pause(IDLE_AFTER_MS);
  const [cpuBefore, idleFromMs] = [controller.cpuSeconds(), performance.now()];
  await pause(asked.idle * 1_000);
  const idleShare = (controller.cpuSeconds() - cpuBefore) / ((performance.now() - idleFromMs) / 1_000);
  const residentMb = controller.residentMb();
  await controller.stop();
  const { commitMs, bareMs, samples } = month;
  const seen = bench.edges();
  const [approvalMs, sessionMs] = [spread(seen.approvalsMs), spread(seen.sessionsMs)];
  const late = samples.slice(Math.floor(samples.length / 3));
  const growth = (late.at(-1)?.residentMb ?? 0) - Math.min(...late.map((sample) => sample.residentMb));
  return {
    figures: [
      { what: "VEND REQUEST to approval, p50", value: approvalMs.p50, limit: 1.5 * commitMs.p50, unit: "ms" },
      { what: "VEND REQUEST to approval, p99", value: approvalMs.p99, limit: 3 * commitMs.p99, unit: "ms" },
      { what: "go to session, p50", value: sessionMs.p50, limit: 1.5 * commitMs.p50, unit: "ms" },
      { what: "go to session, p99", value: sessionMs.p99, limit: 3 * commitMs.p99, unit: "ms" },
      { what: "start to ready to sell", value: median(starts), limit: 2_000, unit: "ms" },
      { what: "idle, of one core", value: 100 * idleShare, limit: 1, unit: "%" },
      { what: "resident after the month", value: residentMb, limit: 90, unit: "MB" },
      { what: "growth over its last two thirds", value: growth, limit: 10, unit: "MB" },
    ],
    ...{ commitMs, bareMs, approvalMs, sessionMs, samples },
    approvalBegunMs: spread(seen.approvalsBegunMs),
    there: { approvalMs: month.approvalMs, sessionMs: month.sessionMs },
    salesPerSecond: month.salesPerSecond,
    commitsPerSale: commits / (asked.sales + WARM_UP_SALES),
    writtenKbPerSale: month.writtenKb / asked.sales,
  };
}

async function sellForAMonth(bench: Bench, controller: BenchProcess, { sales }: Options) {
  const yardstick = new DurableCommit(join(bench.dir, "yardstick.db"));
  const bare = await BareLine.open(bench.dir);
  const measureLeast = async (): Promise<number> => {
    await pause(CHOOSES_MS);
    const commitMs = yardstick.timeMs();
    await pause(CHOOSES_MS);
    await bare.answer();
    return commitMs;
  };
  for (let n = 0; n < WARM_UP_SALES; n += 1) {
    await sell(bench, `warm-up-${n}`);
    await measureLeast();
  }
  const [commits, times, samples]: [number[], Times[], Sample[]] = [[], [], []];
  const [startedMs, writtenBefore] = [performance.now(), controller.writtenKb()];
  for (let n = 1; n <= sales; n += 1) {
    times.push(await sell(bench, `sale-${n}`));
    commits.push(await measureLeast());
    if (n % Math.max(1, Math.floor(sales / SAMPLES)) === 0)
      samples.push({ sales: n, residentMb: controller.residentMb(), journalKb: journalKb(bench) });
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  yardstick.close();
  const bareMs = spread(await bare.close());
  return {
    ...{ bareMs, commitMs: spread(commits) },
    approvalMs: spread(times.map(({ approvalMs }) => approvalMs)),
    sessionMs: spread(times.map(({ sessionMs }) => sessionMs)),
    samples,
    salesPerSecond: sales / seconds,
    writtenKb: controller.writtenKb() - writtenBefore,
  };
}

/** The database and its log together. */
const journalKb = ({ dir }: Bench): number =>
  ["", "-wal"].reduce((sum, suffix) => sum + statSync(join(dir, "data", `journal.db${suffix}`)).size, 0) /
  1024;

const spread = (values: readonly number[]): Spread => ({
  p50: median(values),
  p99: quantile(values, 0.99),
});
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const isWithin = ({ value, limit }: Figure): boolean => value <= limit;

function print({
  figures,
  commitMs,
  bareMs,
  there,
  salesPerSecond,
  commitsPerSale,
  writtenKbPerSale,
  samples,
}: Report): void {
  const out = (line: string): void => void process.stdout.write(`${line}\n`);
  const amount = (value: number, unit: string): string => `${value.toFixed(2).padStart(9)} ${unit.padEnd(3)}`;
  const seen = ({ p50, p99 }: Spread): string => `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
  out(`one durable commit here: ${seen(commitMs)}`);
  out(`a process that only reads the line, commits and answers: ${seen(bareMs)}\n`);
  for (const figure of figures)
    out(
      `${figure.what.padEnd(36)}${amount(figure.value, figure.unit)} wanted: at most ` +
        `${amount(figure.limit, figure.unit)} ${isWithin(figure) ? "" : "PAST IT"}`,
    );
  out(`\nwith the way there and back: approval ${seen(there.approvalMs)}; session ${seen(there.sessionMs)}`);
  const [first, last] = [samples[0], samples.at(-1)];
  out(
    `wear: ${commitsPerSale.toFixed(2)} commits and ${writtenKbPerSale.toFixed(0)} KB written a sale; ` +
      `${salesPerSecond.toFixed(0)} sales a second`,
  );
  if (first !== undefined && last !== undefined)
    out(
      `after ${first.sales} sales ${first.residentMb.toFixed(0)} MB resident and a journal of ${first.journalKb.toFixed(0)} KB, ` +
        `after ${last.sales} sales ${last.residentMb.toFixed(0)} MB and ${last.journalKb.toFixed(0)} KB`,
    );
}

try {
  const asked = options();
  if (asked === undefined) process.stdout.write(`${usage}\n`);
  else {
    const report = await measure(asked);
    if (asked.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else print(report);
    if (!report.figures.every(isWithin)) process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`bench:machine: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
