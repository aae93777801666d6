/**
 * `scanvend start`: the rig. Broker, cloud, simulated machines each with a real controller process, and the page to watch
 * them, in one directory, on loopback.
 *
 * Promises  `{data}/rig.json` is there when everything is ready, and not before; a process that dies is started again.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { systemClock as clock, systemRandom as random } from "../broker/protocol/system.js";
import { readConfigurationFile } from "../broker/protocol/configuration.js";
import { toMinor } from "../broker/protocol/money.js";
import { moneyText } from "../cloud/vending/words.js";
import { cloudConfiguration } from "../cloud/configuration.js";
import { webhookUrl } from "../cloud/main.js";
import { openStore } from "../cloud/store/open-store.js";
import type { Io } from "./io.js";
import { holdDirectory } from "../controller/directory-lock.js";
import { CONTROLLER_NODE_FLAGS } from "./node-flags.js";
import { pickPorts } from "./ports.js";
import { CURRENCY, DECIMALS, rigMachine, type RigMachine } from "./rig-plan.js";
import { machineDir, seedRig, writePrivately, type Seeded } from "./seed.js";
import { Supervisor, type Service } from "./supervisor.js";

export const usage = `scanvend start [--data DIR] [--http-port N] [--sim-port N] [--mqtt-port N] [--machines N]
               [--driver NAME] [--select-first] [--display KIND] [--dex] [--cloud FILE] [--json]

  The whole system on this computer, without hardware: broker, cloud, simulated machines, and a page to drive them.

  --data DIR       where everything is kept (default: data)
  --http-port N    the cloud: pages and API (default 8080; 0 picks a free port)
  --sim-port N     the simulator's page and API (default 8090)
  --mqtt-port N    the broker (default 1883)
  --machines N     how many machines (default 1, at most 100)
  --driver NAME    what the machines are wired with: qibixx, mdb-hex, wafer or matedealer (default: qibixx)
  --select-first   a customer may choose before paying, and pays by the QR code on the display (not with matedealer)
  --display KIND   what the customer reads beside the machine: text (a display) or escpos (a receipt printer; default: text)
  --dex            the machines' own counters can be read, and settle vends that ended in doubt
  --cloud FILE     settings of the cloud in place of its defaults (JSON; docs/configuration.md)
  --json           print rig.json instead of the addresses when ready
  --help           this text`;

/** `screens`: of the machines, in their order. */
type Ports = {
  readonly http: number;
  readonly sim: number;
  readonly mqtt: number;
  readonly screens: readonly number[];
};
/** What the rig itself decides of the cloud's settings, and nobody else. */
const OWN_KEYS = { port: true, publicUrl: true, databaseUrl: true, webDir: true, mqttUrl: true } as const;
const DRIVERS = ["qibixx", "mdb-hex", "wafer", "matedealer"] as const;
type Driver = (typeof DRIVERS)[number];
const DISPLAYS = ["text", "escpos"] as const;
type Display = (typeof DISPLAYS)[number];
type Options = {
  readonly data: string;
  readonly ports: Ports;
  readonly machines: number;
  readonly driver: Driver;
  readonly selectFirst: boolean;
  readonly display: Display;
  readonly dex: boolean;
  readonly json: boolean;
  readonly cloud: Readonly<Record<string, unknown>>;
};

const screenUrl = ({ screens }: Ports, index: number): string => `http://127.0.0.1:${screens[index] ?? 0}/`;

/** Always Idle: our own reader offers it to a level 3 machine, a Qibixx is told to. */
const selectionFirst = (driver: Driver): object =>
  driver === "qibixx"
    ? { adapterSettings: { "mdb-always-idle": "1" } }
    : { reader: { level: 3, alwaysIdle: true, responseSeconds: 60 } };

/** The simulator says on the command line where a display is. */
const ELSEWHERE = "tcp://127.0.0.1:1";
const READY_WITHIN_MS = 60_000;
const ORPHAN_LOOK_MS = 500;

/** Exit status: 0 stopped as asked, 1 it did not become ready, 2 called wrongly. */
export async function start(argv: readonly string[], io: Io, program: string): Promise<number> {
  const read = readOptions(argv);
  if (read === "help") {
    io.out(usage);
    return 0;
  }
  if ("problems" in read) {
    io.err(`scanvend start:\n${read.problems.map((problem) => `  ${problem}`).join("\n")}\n\n${usage}`);
    return 2;
  }
  const picked = await pickPorts([
    ...[read.ports.http, read.ports.sim, read.ports.mqtt],
    ...Array.from({ length: read.machines }, () => 0),
  ]);
  if (!picked.ok) {
    io.err(
      `scanvend start: port ${picked.taken} is taken. Stop what uses it, or choose another with --http-port, --sim-port or --mqtt-port (0 picks a free one).`,
    );
    return 2;
  }
  const [http = 0, sim = 0, mqtt = 0, ...screens] = picked.ports; // as many as were asked for
  mkdirSync(read.data, { recursive: true });
  using held = holdDirectory(read.data, "rig.lock");
  if (!held.ok) {
    io.err(
      `scanvend start: another rig is running in ${read.data}. Stop it, or name another directory with --data.`,
    );
    return 2;
  }
  return await runRig({ ...read, ports: { http, sim, mqtt, screens } }, io, program);
}

async function runRig(options: Options, io: Io, program: string): Promise<number> {
  const { data, ports } = options;
  const cloudUrl = `http://127.0.0.1:${ports.http}`;
  const simulatorUrl = `http://127.0.0.1:${ports.sim}`;
  const mqttUrl = `mqtt://127.0.0.1:${ports.mqtt}`;
  const rigFile = join(data, "rig.json");
  mkdirSync(join(data, "logs"), { recursive: true });
  rmSync(rigFile, { force: true });

  const databaseUrl = `file:${join(data, "cloud.db")}`;
  const store = await openStore({ databaseUrl, maxWaiting: 10, maxGroup: 1, maxConnections: 1 });
  const seeded = await seedRig(
    store,
    { dir: data, machines: options.machines, webhookUrl: webhookUrl(cloudUrl) },
    { clock, random },
  );
  await store.close();

  const machines = Array.from({ length: options.machines }, (_, index) => rigMachine(index + 1));
  const services = configure(options, { cloudUrl, simulatorUrl, mqttUrl }, machines, seeded, program);
  const rig = {
    cloudUrl,
    simulatorUrl,
    mqttUrl,
    ownerAccountId: seeded.seed.ownerAccountId,
    configId: seeded.seed.configId,
    merchantWalletId: seeded.seed.walletId,
    keys: { owner: seeded.seed.ownerKey, terminal: seeded.seed.terminalKey },
    wallets: seeded.seed.wallets,
    vouchers: seeded.seed.vouchers,
    productCodes: seeded.seed.productCodes,
    machines: machines.map(({ id, code, name }, index) => ({
      id,
      code,
      name,
      url: `${cloudUrl}/m/${code}`,
      screenUrl: screenUrl(ports, index),
    })),
  };

  let ready = false;
  const note = (pids: Readonly<Record<string, number>>): void => {
    if (ready) writePrivately(rigFile, { ...rig, pids });
  };
  const supervisor = new Supervisor(program, note, (line) => io.err(`scanvend: ${line}`));
  const stopped = new Promise<"stopped">((done) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
      process.once(signal, () => done("stopped"));
    // npm passes a SIGTERM to its shell, which dies of it and passes it to nobody: then we have another parent.
    const { ppid } = process;
    if (process.env["npm_lifecycle_event"] !== undefined)
      setInterval(() => {
        if (process.ppid !== ppid) done("stopped");
      }, ORPHAN_LOOK_MS).unref();
  });
  for (const service of services) supervisor.start(service);
  const outcome = await Promise.race([
    stopped,
    becomeReady(cloudUrl, simulatorUrl, machines, rig.keys.owner),
  ]);
  if (outcome !== "ready") {
    await supervisor.stop();
    if (outcome === "stopped") return 0;
    io.err(
      `scanvend start: not ready after ${READY_WITHIN_MS / 1000} s: ${outcome.waitingFor}. The logs are in ${join(data, "logs")}.`,
    );
    return 1;
  }
  ready = true;
  note(supervisor.pids());
  if (options.json) io.out(JSON.stringify({ ...rig, pids: supervisor.pids() }));
  else sayWhere(io, rig, rigFile);
  await stopped;
  await supervisor.stop();
  rmSync(rigFile, { force: true });
  return 0;
}

function sayWhere(
  io: Io,
  rig: {
    readonly cloudUrl: string;
    readonly simulatorUrl: string;
    readonly machines: readonly { readonly url: string; readonly screenUrl: string }[];
    readonly vouchers: Seeded["seed"]["vouchers"];
    readonly productCodes: Seeded["seed"]["productCodes"];
  },
  rigFile: string,
): void {
  io.out("");
  io.out("scanvend is ready. Open in a browser:");
  io.out(`  the machine beside a customer's phone   ${rig.simulatorUrl}/`);
  for (const { url } of rig.machines) io.out(`  what a machine's sticker leads to       ${url}`);
  for (const one of rig.machines) io.out(`  the screen on a machine                 ${one.screenUrl}`);
  io.out(
    `  what the machines' owner sees           ${rig.cloudUrl}/owner (with keys.owner of the file below)`,
  );
  for (const { code, value } of rig.vouchers)
    io.out(`  a voucher of ${moneyText(toMinor(value), value.currency, DECIMALS)} to type   ${code}`);
  for (const { code, product } of rig.productCodes)
    io.out(`  a voucher for ${product}${" ".repeat(Math.max(1, 14 - product.length))}           ${code}`);
  io.out(`For scripts: ${rigFile} (addresses, keys, wallets). Ctrl-C stops everything.`);
}

/** Writes each process its configuration, and answers how each is started. */
function configure(
  { data, ports, driver, selectFirst, display, dex, cloud: settings }: Options,
  at: { readonly cloudUrl: string; readonly simulatorUrl: string; readonly mqttUrl: string },
  machines: readonly RigMachine[],
  { seed, cloudKeys, logins }: Seeded,
  program: string,
): readonly Service[] {
  const file = (name: string, value: unknown): string => {
    const path = join(data, name);
    writePrivately(path, value);
    return path;
  };
  const web = (name: string): string => join(program, "..", "web", name);
  const broker = file("broker.json", { port: ports.mqtt, loginsFile: file("logins.json", { logins }) });
  const cloud = file("cloud.json", {
    openRequestsPerMinute: 1_000_000, // everybody here has one address
    unpaidHolds: 1_000_000,
    ...settings,
    port: ports.http,
    publicUrl: at.cloudUrl,
    databaseUrl: `file:${join(data, "cloud.db")}`,
    webDir: web("cloud"),
    framedBy: [`http://*:${ports.sim}`], // the machine's page shows the customer's beside it, under whatever name it was opened
    mqttUrl: at.mqttUrl,
  });
  const secrets = file("cloud-secrets.json", {
    mqttPassword: seed.mqttPassword,
    paymentsApiKey: seed.terminalKey,
  });
  const simulator = file("simulator.json", {
    httpPort: ports.sim,
    mqttUrl: at.mqttUrl,
    cloudUrl: at.cloudUrl,
    webDir: web("simulator"),
    logDir: join(data, "logs"),
    pidFile: join(data, "controllers.json"),
    machines: machines.map(({ id, code, name, items, stock }, index) => ({
      id,
      code,
      name,
      url: `${at.cloudUrl}/m/${code}`,
      screenUrl: screenUrl(ports, index),
      currency: CURRENCY,
      decimals: DECIMALS,
      coils: items.map(({ item, name, priceMinor }) => ({ item, name, priceMinor, stock })),
      display,
      adapter: driver === "matedealer" ? { kind: driver } : { kind: driver, alwaysIdle: selectFirst },
      dex,
      controller: {
        command: [
          process.execPath,
          ...CONTROLLER_NODE_FLAGS,
          program,
          "controller",
          "--config",
          file(`machines/${id}/controller.json`, {
            machineId: id,
            dataDir: machineDir(data, id),
            driver,
            kiosk: { port: ports.screens[index] },
            display: { serial: ELSEWHERE, kind: display },
            ...(selectFirst ? selectionFirst(driver) : {}),
            currency: CURRENCY,
            decimals: DECIMALS,
            cloudKeys,
          }),
        ],
      },
    })),
    customers: seed.wallets.map((wallet, index) => ({
      name: `Test wallet ${index + 1}`,
      walletUrl: `${at.cloudUrl}/wallet#wallet=${Buffer.from(JSON.stringify({ ...wallet, name: `Test wallet ${index + 1}` })).toString("base64url")}`,
    })),
  });
  const service = (name: string, ...args: readonly string[]): Service => ({
    name,
    args: [name, ...args],
    logFile: join(data, "logs", `${name}.log`),
  });
  return [
    service("broker", "--config", broker),
    service("cloud", "--config", cloud, "--secrets", secrets),
    service("simulator", "--config", simulator),
  ];
}

/** Asks until the cloud, the simulator and every machine say that they are ready; or says what is still waited for. */
async function becomeReady(
  cloudUrl: string,
  simulatorUrl: string,
  machines: readonly RigMachine[],
  ownerKey: string,
): Promise<"ready" | { readonly waitingFor: string }> {
  const untilMs = performance.now() + READY_WITHIN_MS;
  const questions = [
    { what: "the cloud", url: `${cloudUrl}/readyz`, answer: /"ready":true/ },
    { what: "the simulator", url: `${simulatorUrl}/healthz`, answer: /^/ },
    ...machines.map(({ code }) => ({
      what: `machine ${code}`,
      url: `${cloudUrl}/api/vending/machines/${code}`,
      answer: /"state":"(ready|busy)"/, // busy: a sale of an earlier run still holds it
    })),
    ...machines.map(({ code }) => ({
      what: `the names of what is in machine ${code}`,
      url: `${cloudUrl}/api/vending/machines/${code}/state`,
      answer: /"applied":[1-9]/,
    })),
  ];
  for (const { what, url, answer } of questions) {
    while (!(await says(url, answer, ownerKey))) {
      if (performance.now() > untilMs) return { waitingFor: what };
      await new Promise((again) => setTimeout(again, 50));
    }
  }
  return "ready";
}

async function says(url: string, answer: RegExp, key: string): Promise<boolean> {
  try {
    const response = await fetch(url, {
      headers: { "x-api-key": key },
      signal: AbortSignal.timeout(2_000),
    });
    return response.ok && answer.test(await response.text());
  } catch {
    return false; // not listening yet: that is what is being asked
  }
}

function readOptions(argv: readonly string[]): Options | "help" | { readonly problems: readonly string[] } {
  let values: Record<string, string | boolean | undefined>;
  try {
    const port = { type: "string" } as const;
    const options = {
      data: { type: "string", default: "data" },
      "http-port": { ...port, default: "8080" },
      "sim-port": { ...port, default: "8090" },
      "mqtt-port": { ...port, default: "1883" },
      machines: { type: "string", default: "1" },
      driver: { type: "string", default: "qibixx" },
      "select-first": { type: "boolean", default: false },
      display: { type: "string", default: "text" },
      dex: { type: "boolean", default: false },
      cloud: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    } as const;
    ({ values } = parseArgs({ args: [...argv], options }));
  } catch (error) {
    if (error instanceof TypeError) return { problems: [error.message] }; // parseArgs: an option nobody declared
    throw error;
  }
  if (values["help"] === true) return "help";
  const problems: string[] = [];
  const whole = (name: string, min: number, max: number): number => {
    const text = String(values[name]);
    const value = /^[0-9]{1,6}$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max))
      problems.push(`--${name}: must be a whole number from ${min} to ${max}, not ${text}`);
    return value;
  };
  const ports = {
    screens: [],
    http: whole("http-port", 0, 65_535),
    sim: whole("sim-port", 0, 65_535),
    mqtt: whole("mqtt-port", 0, 65_535),
  };
  const machines = whole("machines", 1, 100);
  const data = resolve(String(values["data"]));
  if (existsSync(join(data, "package.json")))
    problems.push("--data: is a folder of something else; name one of its own");
  const cloud = values["cloud"] === undefined ? {} : readSettings(String(values["cloud"]), problems);
  const driver = DRIVERS.find((one) => one === values["driver"]);
  if (driver === undefined) problems.push(`--driver: must be one of ${DRIVERS.join(", ")}`);
  const selectFirst = values["select-first"] === true;
  if (selectFirst && driver === "matedealer")
    problems.push("--select-first: a matedealer has no word for it");
  const display = DISPLAYS.find((one) => one === values["display"]);
  if (display === undefined) problems.push(`--display: must be one of ${DISPLAYS.join(", ")}`);
  if (driver === undefined || display === undefined || problems.length > 0) return { problems };
  return {
    data,
    ports,
    machines,
    driver,
    selectFirst,
    display,
    dex: values["dex"] === true,
    json: values["json"] === true,
    cloud,
  };
}

/** The cloud's settings from a file; the cloud itself judges their values, so they are tried on its own schema here. */
function readSettings(path: string, problems: string[]): Readonly<Record<string, unknown>> {
  const schema = cloudConfiguration.partial().omit(OWN_KEYS);
  const read = readConfigurationFile(schema, () => readFileSync(path, "utf8"));
  if (read.ok) return read.value;
  problems.push(...read.problems.map((problem) => `--cloud: ${problem}`));
  return {};
}
