/**
 * `scanvend controller`: the payment terminal's process.
 *
 * Owns      everything real: the clock, chance, the disk, the serial port, the broker's address, the signals.
 * Promises  a wrong configuration stops the start, with every problem listed at once (exit 2). Logs are JSON lines on
 *           stdout. SIGTERM and SIGINT end it cleanly; SIGKILL and a power cut are as safe, only less polite.
 */
import { createPublicKey } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { systemClock as clock, systemRandom as random } from "../broker/protocol/system.js";
import { readConfigurationFile, type Configured } from "../broker/protocol/configuration.js";
import { newId, randomDigits } from "../broker/protocol/id.js";
import { MqttBus, ReplayWindows } from "./bus/bus.js";
import { readDurable } from "./sale/durable.js";
import { boxHealth } from "./box-health.js";
import { connectionNumbers } from "./bus/connection-count.js";
import { readKept, writeKept } from "./config/kept-file.js";
import { Remote } from "./config/remote.js";
import { check, settingsOf, type Settings } from "./config/settings.js";
import { configuration, type Configuration } from "./configuration.js";
import { Auditor } from "./dex/auditor.js";
import { readKeptReading, writeKeptReading } from "./dex/kept-reading.js";
import { openControl } from "./control.js";
import { holdDirectory, LINE_LOCK } from "./directory-lock.js";
import { createIdentity, publicHalf, readIdentity, type Identity } from "./identity.js";
import { LaterJournal, openJournal } from "./journal/journal.js";
import { readPages } from "./kiosk/pages.js";
import { Screen } from "./kiosk/screen.js";
import { KioskServer } from "./kiosk/server.js";
import type { Snapshot } from "./kiosk/status-page.js";
import type { Log } from "./log.js";
import { drivers } from "./mdb/drivers.js";
import { linksTo } from "./serial/serial-link.js";
import { offline, Service, type ServiceOptions } from "./service.js";
import { withPlaces } from "./places.js";
import { beginSupervision } from "./supervision.js";
import { isWritable, systemdNotify, watchdogMs } from "./systemd.js";
import { Devices } from "./terminal/devices.js";
import type { Words } from "./terminal/terminal.js";

const usage = `usage: scanvend controller --config FILE [--serial PLACE] [--mqtt URL] [--scanner PLACE] [--keypad PLACE]
                           [--display PLACE] [--dex PLACE]
       scanvend controller --config FILE --identify

  --config FILE   the configuration, as JSON
  --serial PLACE  a device path or tcp://host:port, instead of the configuration's
  --mqtt URL      the broker, instead of the configuration's
  --scanner PLACE the scanner's line, instead of the configuration's; --keypad PLACE the keypad's, --display PLACE the display's,
                  --dex PLACE the machine's DEX plug. What else the configuration says of them stays
  --identify      make the machine's key if there is none yet, print what an enrolment needs of it, and end`;

/** For one that is just ending. */
const ENDS_WITHIN_MS = 1_000;

/** Exit status: 0 ended as asked, 1 could not run, 2 called or configured wrongly, or its line or its journal is another's. */
export async function run(argv: readonly string[]): Promise<number> {
  const call = readCall(argv);
  if (call === "help") {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (call === undefined) {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  const read = readFile(call);
  if (!read.ok) {
    for (const problem of read.problems) process.stderr.write(`scanvend controller: ${problem}\n`);
    return 2;
  }
  const settings = read.value;
  mkdirSync(settings.dataDir, { recursive: true });
  if (call.identify && !hasIdentity(settings.dataDir))
    createIdentity(settings.dataDir, settings.machineId, random);
  if (!hasIdentity(settings.dataDir)) {
    process.stderr.write(
      `scanvend controller: no identity in ${settings.dataDir}: make one with --identify\n`,
    );
    return 2;
  }
  const identity = readIdentity(settings.dataDir);
  if (identity.machineId !== settings.machineId) {
    process.stderr.write(
      `scanvend controller: machineId: the identity in ${settings.dataDir} is ${identity.machineId}'s: ` +
        `put that back, or name another dataDir for a machine of its own\n`,
    );
    return 2;
  }
  if (call.identify) {
    process.stdout.write(`${JSON.stringify(publicHalf(identity))}\n`);
    return 0;
  }
  using line = holdDirectory(settings.dataDir, LINE_LOCK, ENDS_WITHIN_MS);
  if (!line.ok) {
    // 2, so that systemd does not start it again and again, and then the box, while somebody is at the machine.
    process.stderr.write(
      `scanvend controller: ${settings.dataDir} is held by another controller, or by scanvend doctor: end that, then start this again\n`,
    );
    return 2;
  }
  const started = startOrSay(settings, identity);
  if (started === undefined) return 2;
  const endSupervision = beginSupervision({
    notify: systemdNotify(process.env["NOTIFY_SOCKET"], started.log),
    watchdogMs: watchdogMs(process.env["WATCHDOG_USEC"]),
    works: () => isWritable(settings.dataDir),
    clock,
  });
  await ending();
  endSupervision();
  await started.close();
  started.log.info({ commits: started.journal.commits }, "controller ended");
  return 0;
}

function startOrSay(settings: Configuration, identity: Identity): ReturnType<typeof start> | undefined {
  try {
    return start(settings, identity);
  } catch (error) {
    if (!(error instanceof LaterJournal)) throw error;
    const path = join(settings.dataDir, "journal.db");
    process.stderr.write(
      `scanvend controller: ${path}: ${error.message}. It is left as it is: run the later scanvend again\n`,
    );
    return undefined;
  }
}

function start(settings: Configuration, identity: Identity) {
  const log = makeLog(settings.logLevel);
  const { journal, setAside } = openJournal({
    path: join(settings.dataDir, "journal.db"),
    capacity: settings.journalCapacity,
    newId: newId(clock.nowMs(), random),
    checkState: readDurable,
  });
  const bootId = randomDigits(16, random);
  const cloudKeys = new Map(
    settings.cloudKeys.map(({ kid, publicKey }) => [kid, createPublicKey({ key: publicKey, format: "jwk" })]),
  );
  const replay = new ReplayWindows(cloudKeys.keys(), journal.replay());
  const adapter = drivers[settings.driver];
  const driver = ({ wiring }: Settings) => adapter.make({ ...settings, ...wiring });
  const { kept, setAside: keptAside } = readKept(settings.dataDir, bootId);
  const remote = new Remote({
    kept,
    write: (value) => writeKept(settings.dataDir, value),
    check: (body) => check(settings, body),
    settings: (from) => settingsOf(settings, from),
    clock,
    log,
  });
  const inForce = remote.settings;
  const screen = new Screen();
  const service = new Service({
    bootId,
    terms: inForce.terms,
    driver: driver(inForce),
    journal,
    replay,
    newLink: linksTo(settings.serial, settings.baudRate ?? adapter.baudRate),
    framing: adapter.framing,
    openBus: (events) =>
      new MqttBus(
        {
          url: settings.mqttUrl,
          machineId: settings.machineId,
          password: identity.mqttPassword,
          signer: { kid: identity.kid, privateKey: identity.privateKey },
          cloudKeys,
          replay,
          nextConnection: connectionNumbers(settings.dataDir),
          keepAliveSeconds: settings.mqttKeepAliveSeconds,
          offline: offline(bootId),
          clock,
          random,
          backOff: settings.mqttBackOff,
          log,
        },
        events,
      ),
    openDevices: devicesOf(settings, inForce.words, screen, log),
    auditor: auditorOf(settings, log),
    box: () => boxHealth(settings.dataDir),
    serialBackOff: settings.serialBackOff,
    reportAgainMs: inForce.reportAgainMs,
    statusEveryMs: inForce.statusEveryMs,
    remote: { configuration: remote, driver },
    clock,
    random,
    log,
  });
  const startedMs = clock.monoMs();
  const snapshot = (): Snapshot => ({
    machineId: settings.machineId,
    ...service.snapshot(),
    upSeconds: Math.floor((clock.monoMs() - startedMs) / 1000),
  });
  const pages =
    settings.kiosk &&
    new KioskServer({
      port: settings.kiosk.port,
      pages: readPages(fileURLToPath(new URL("../web/controller", import.meta.url))),
      screen,
      snapshot,
      typed: (code) => service.typed(code),
      log,
    });
  log.info(
    { machineId: settings.machineId, bootId, journal: journal.id, last: journal.last },
    "controller started",
  );
  if (setAside !== undefined) {
    log.error({ setAside }, "the journal was damaged: a new one begins");
    service.alarm("journalDamaged", `set aside as ${setAside}`);
  }
  if (keptAside !== undefined) {
    log.error(
      { setAside: keptAside },
      "the kept configuration was damaged: the machine's own file is in force",
    );
    service.alarm("configDamaged", `set aside as ${keptAside}`);
  }
  const control = openControl(settings.dataDir, service, log);
  return {
    journal,
    log,
    async close() {
      control.close();
      pages?.close();
      await service.close();
    },
  };
}

function auditorOf({ dex, facts, dataDir }: Configuration, log: Log): Auditor | undefined {
  if (dex === undefined) return undefined;
  return new Auditor({
    newLink: linksTo(dex.serial, dex.baudRate),
    everyMs: dex.everyMinutes * 60_000,
    sameNumbers: (facts.itemNumbers ?? "plain") === "plain",
    kept: readKeptReading(dataDir),
    write: (kept) => writeKeptReading(dataDir, kept),
    clock,
    log,
  });
}

/** What is wired beside the machine's own line, if anything is. */
function devicesOf(
  settings: Configuration,
  words: Words,
  screen: Screen,
  log: Log,
): ServiceOptions<unknown>["openDevices"] {
  const { scanner, keypad, display, kiosk, machineDisplay } = settings;
  if ([scanner, keypad, display, kiosk].every((one) => one === undefined)) return undefined;
  return (ask, machine) =>
    new Devices(
      {
        scanner: scanner && linksTo(scanner.serial, scanner.baudRate),
        keypad: keypad && linksTo(keypad.serial, keypad.baudRate),
        display: display && {
          newLink: linksTo(display.serial, display.baudRate),
          columns: display.kind === "escpos" ? display.columns : undefined,
        },
        screen: kiosk && ((shown) => screen.show(shown)),
        machineDisplay: machineDisplay ? machine : undefined,
        words,
        wrapping: { prefix: scanner?.prefix ?? "", suffix: scanner?.suffix ?? "" },
        backOff: settings.serialBackOff,
        clock,
        random,
        log,
      },
      ask,
    );
}

type Call = {
  readonly config: string;
  readonly serial?: string | undefined;
  readonly mqtt?: string | undefined;
  readonly scanner?: string | undefined;
  readonly keypad?: string | undefined;
  readonly display?: string | undefined;
  readonly dex?: string | undefined;
  readonly identify: boolean;
};

function readCall(argv: readonly string[]): Call | "help" | undefined {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        config: { type: "string" },
        serial: { type: "string" },
        mqtt: { type: "string" },
        scanner: { type: "string" },
        keypad: { type: "string" },
        display: { type: "string" },
        dex: { type: "string" },
        identify: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return "help";
    return values.config === undefined ? undefined : { ...values, config: values.config };
  } catch (error) {
    if (error instanceof TypeError) return undefined; // parseArgs: an option nobody declared
    throw error;
  }
}

function readFile(call: Call): Configured<Configuration> {
  const { config, serial, mqtt: mqttUrl, scanner, keypad, display, dex } = call;
  const text = (): string => withPlaces(readFileSync(config, "utf8"), { scanner, keypad, display, dex });
  const read = readConfigurationFile(configuration, text, { serial, mqttUrl });
  if (!read.ok) return read;
  return { ok: true, value: { ...read.value, dataDir: resolve(dirname(call.config), read.value.dataDir) } };
}

const hasIdentity = (dir: string): boolean => existsSync(join(dir, "identity.json"));

const ending = (): Promise<void> =>
  new Promise((resolveEnd) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolveEnd());
  });

function makeLog(level: Configuration["logLevel"]): Log {
  const logger = pino({ level, base: null });
  return {
    debugging: logger.isLevelEnabled("debug"),
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
