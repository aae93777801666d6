/**
 * `scanvend doctor`: walks a technician through what a machine wants, and says what is wrong with its line.
 *
 * Owns      the machine's line while it runs: a controller of the same directory does not start meanwhile.
 * Promises  nothing is ever sold: each request of the machine's is denied, and an approval cannot even be asked for. The
 *           configuration is written only when it was agreed to, whole or not at all.
 * Bounded   each step by `--wait`, but for what is asked at a terminal; a question that nobody answers ends the visit.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import SQLite from "better-sqlite3";
import { readConfiguration, readConfigurationFile } from "../broker/protocol/configuration.js";
import { codeOf } from "../broker/protocol/error-code.js";
import { decimalToMinor } from "../broker/protocol/money.js";
import { systemClock as clock } from "../broker/protocol/system.js";
import { peekKept } from "../controller/config/kept-file.js";
import { overruled } from "../controller/config/settings.js";
import { configuration, type Configuration } from "../controller/configuration.js";
import { holdDirectory, LINE_LOCK } from "../controller/directory-lock.js";
import {
  addressIn,
  changed,
  changeFor,
  controllerRuns,
  differences,
  elsewhere,
  LOOP_RESETS,
  notAllowed,
  portFinding,
  serviceFindings,
  sessionFindings,
  type Answers,
  type Change,
  type Finding,
} from "../controller/doctor/diagnosis.js";
import { nothingSeen, type Observation } from "../controller/doctor/observation.js";
import { Probe } from "../controller/doctor/probe.js";
import { drivers } from "../controller/mdb/drivers.js";
import { linksTo } from "../controller/serial/serial-link.js";
import { missing, personAt, readAnswers, Unanswered, type Answered, type Person } from "./doctor/person.js";
import type { Io } from "./io.js";
import type { Input } from "./lines.js";

export const usage = `scanvend doctor --config FILE [--serial PLACE] [--credit SUM] [--wait SECONDS] [--patience SECONDS]
                [--items N] [--skip TEST,...] [--answers FILE] [--yes] [--json]

  At a machine, with its controller stopped (sudo systemctl stop scanvend-controller): says what is wrong with the line to it and how to mend that; finds out what the
  machine wants, with somebody there to press keys; and writes it into the configuration. Nothing is ever sold.

  --config FILE      the controller's configuration
  --serial PLACE     a device path or tcp://host:port, instead of the configuration's
  --credit SUM       the credit of its sessions, as 5.00 (default): above the price of what you choose
  --wait SECONDS     how long the machine and you may take for each step (default 60)
  --patience SECONDS how long an answer is kept back to see how long the machine waits (default 90)
  --items N          how many items to choose for their numbers (default 2)
  --skip TEST,...    leave out any of items, zero, patience, idle
  --answers FILE     the answers to what it asks, as JSON: {"keys": ["11", "12"], "price": "2.50", "write": true}; keys: those
                     pressed for each item, in order; price: what the display shows for the first; write: into the
                     configuration. What is not in it is asked at the terminal, and must be in it without one
  --yes              write without asking
  --json             one JSON object of findings on stdout, everything else on stderr
  --help             this text

  Without --answers a script may give the answers on standard input, a line each. Pressing keys is left to somebody.
  Exit status: 0 healthy, 1 something is wrong, 2 called or configured wrongly.`;

const TESTS = ["items", "zero", "patience", "idle"] as const;
type Test = (typeof TESTS)[number];
const OPEN_MS = 10_000;
const CLOSE_MS = 5_000;

type Options = {
  readonly config: string;
  readonly serial: string | undefined;
  readonly credit: string;
  readonly waitMs: number;
  readonly patienceMs: number;
  readonly items: number;
  readonly skip: ReadonlySet<string>;
  readonly answers: string | undefined;
  readonly yes: boolean;
  readonly json: boolean;
};

export async function doctor(argv: readonly string[], io: Io, input: Input): Promise<number> {
  const options = readOptions(argv);
  if (options === "help") {
    io.out(usage);
    return 0;
  }
  const call = "problems" in options ? options : readCall(options, input.isTTY === true);
  if ("problems" in options || "problems" in call) {
    for (const problem of "problems" in call ? call.problems : []) io.err(`scanvend doctor: ${problem}`);
    return 2;
  }
  const { settings, dataDir, answered } = call;
  const say = options.json ? (line: string) => io.err(line) : (line: string) => io.out(line);
  using person = personAt(input, answered, options.waitMs, clock, say);
  try {
    const { findings, answers, seen } = await alone(call, () => examine(call, options, person));
    const isHealthy = !findings.some(({ isFault }) => isFault);
    if (options.json) io.out(JSON.stringify({ healthy: isHealthy, findings, answers }));
    else for (const line of findings.flatMap(findingWords)) io.out(line);
    const isWritten = await write(options, { settings, dataDir }, changeFor(answers, settings, seen), person);
    return isHealthy && isWritten ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    io.err(`scanvend doctor: ${error.message}`);
    return 2;
  }
}

type Call = {
  readonly settings: Configuration;
  readonly dataDir: string;
  readonly creditMinor: number;
  readonly answered: Answered;
};
function readCall(options: Options, isTerminal: boolean): Call | { readonly problems: readonly string[] } {
  const read = readConfigurationFile(configuration, () => readFileSync(options.config, "utf8"), {
    serial: options.serial,
  });
  const creditMinor = read.ok ? decimalToMinor(options.credit, read.value.decimals) : 0;
  const path = options.answers;
  const file = readAnswers(() => (path === undefined ? "{}" : readFileSync(path, "utf8")));
  const needed = { items: options.skip.has("items") ? 0 : options.items, write: !options.yes };
  const problems = [
    ...(read.ok ? [] : read.problems),
    ...(creditMinor === undefined ? ["--credit: must be a sum such as 5.00"] : []),
    ...(file.ok ? [] : file.problems),
    ...(file.ok && path !== undefined && !isTerminal ? missing(file.value, needed) : []),
  ];
  if (problems.length > 0 || !read.ok || !file.ok || creditMinor === undefined) return { problems };
  const dataDir = resolve(dirname(options.config), read.value.dataDir);
  return { settings: read.value, dataDir, creditMinor, answered: file.value };
}

// ---- the examination ------------------------------------------------------------------------------------------------

type Examined = {
  readonly findings: readonly Finding[];
  readonly answers: Answers;
  readonly seen: Observation;
};

/** While a controller may not run on this box: neither would know what the other says on the line. */
async function alone({ settings, dataDir }: Call, act: () => Promise<Examined>): Promise<Examined> {
  const nothing = { answers: { vends: [] }, seen: nothingSeen(settings) };
  if (!existsSync(dataDir)) return await act(); // no controller has an identity there, so none can run
  try {
    using held = holdDirectory(dataDir, LINE_LOCK);
    return held.ok ? await act() : { ...nothing, findings: [controllerRuns(dataDir)] };
  } catch (error) {
    if (!(error instanceof SQLite.SqliteError)) throw error;
    return { ...nothing, findings: [notAllowed(dataDir, error.message)] };
  }
}

async function examine(
  { settings: own, creditMinor }: Call,
  options: Options,
  person: Person,
): Promise<Examined> {
  const settings = { ...own, facts: {} }; // what is known already must not bound what is measured
  person.say(`Opening ${settings.serial} for a ${settings.driver} adapter.`);
  const visit = { options, creditMinor, person };
  const first = await connect(settings);
  if (!(first instanceof Probe))
    return { answers: { vends: [] }, seen: nothingSeen(settings), findings: [first] };
  const isThere = await isInService(first, options, person);
  const other = isThere ? undefined : elsewhere(first.seen, settings);
  if (other === undefined) return await examineAt(first, settings, undefined, visit);
  await first.close(CLOSE_MS);
  person.say(`Nobody is at ${addressIn(settings)}; now at ${addressIn(other)}.`);
  const second = await connect(other);
  if (second instanceof Probe && (await isInService(second, options, person)))
    return await examineAt(second, other, addressIn(other), visit);
  if (second instanceof Probe) await second.close(CLOSE_MS);
  return await examineAt(first, settings, undefined, visit);
}

/** With a reader that the machine has taken into service; or why it has not, from what was seen. */
async function examineAt(
  probe: Probe,
  settings: Configuration,
  address: Answers["address"],
  visit: { readonly options: Options; readonly creditMinor: number; readonly person: Person },
): Promise<Examined> {
  const { options, creditMinor, person } = visit;
  try {
    const faults = serviceFindings(probe.seen, settings);
    if (faults.length > 0) return { answers: { vends: [] }, seen: nothingSeen(settings), findings: faults };
    const answers = await withPerson(probe, settings, options, creditMinor, person);
    await probe.close(CLOSE_MS);
    const alwaysIdle = await findAlwaysIdle(settings, probe.seen, options, person);
    const all = {
      ...answers,
      ...(address === undefined ? {} : { address }),
      ...(alwaysIdle === undefined ? {} : { alwaysIdle }),
    };
    const late = serviceFindings(probe.seen, settings); // a loop that began later
    const isUnread = options.skip.has("items");
    const more = sessionFindings(all, settings, probe.seen).filter(
      ({ code }) => !isUnread || code !== "noRequest",
    );
    return { findings: [...late, ...more], answers: all, seen: probe.seen };
  } finally {
    await probe.close(CLOSE_MS);
  }
}

async function connect(settings: Configuration): Promise<Probe | Finding> {
  const { serial, baudRate, driver } = settings;
  if (serial.startsWith("/"))
    try {
      accessSync(serial, constants.R_OK | constants.W_OK);
    } catch (error) {
      return portFinding(serial, codeOf(error), String(error));
    }
  const probe = new Probe(settings, linksTo(serial, baudRate ?? drivers[driver].baudRate)(), clock);
  const problem = await probe.open();
  return problem === undefined ? probe : portFinding(serial, codeOf(problem), problem.message);
}

async function isInService(probe: Probe, { waitMs }: Options, person: Person): Promise<boolean> {
  person.say("Waiting for the machine to take the reader into service.");
  await probe.until(() => probe.seen.mdb === "enabled" || probe.seen.resets >= LOOP_RESETS, waitMs);
  return probe.seen.mdb === "enabled";
}

async function withPerson(
  probe: Probe,
  settings: Configuration,
  options: Options,
  creditMinor: number,
  person: Person,
): Promise<Answers> {
  const vends: Answers["vends"][number][] = [];
  let shownMinor: number | undefined;
  for (let n = 0; n < options.items && !options.skip.has("items"); n += 1) {
    if (!(await opened(probe, creditMinor))) break;
    person.say(`Choose ${n === 0 ? "an item" : "another item"} at the machine. Nothing will be sold.`);
    const request = await requested(probe, options);
    if (request === undefined) break;
    probe.deny();
    const label = await person.ask("keys", "Which keys did you press (11, A1)?");
    vends.push({ item: request.item, priceMinor: request.priceMinor ?? 0, label });
    if (n === 0) shownMinor = await priceShown(settings, person);
  }
  const zeroFunds = options.skip.has("zero") ? undefined : await takesZeroFunds(probe, options, person);
  const patience = options.skip.has("patience")
    ? undefined
    : await patienceOf(probe, settings, options, creditMinor, person);
  return {
    vends,
    ...(shownMinor === undefined ? {} : { shownMinor }),
    ...(zeroFunds === undefined ? {} : { zeroFunds }),
    ...(patience === undefined ? {} : { patience }),
  };
}

async function priceShown({ decimals }: Configuration, person: Person): Promise<number> {
  for (;;) {
    const text = await person.ask("price", "Which price does the machine show for it (2.50)?");
    const minor = decimalToMinor(text.replace(",", "."), decimals);
    if (minor !== undefined) return minor;
    person.say(`${text} is no price such as 2.50.`);
  }
}

/** A session is open; the one there was may be used on. */
async function opened(probe: Probe, amountMinor: number): Promise<boolean> {
  if (probe.seen.mdb === "session" && amountMinor > 0 && !probe.said.includes("sessionEnded")) return true;
  if (!(await closed(probe))) return false;
  probe.ask({ kind: "openSession", amountMinor });
  await probe.until(() => probe.said.includes("opened") || probe.said.includes("notOpened"), OPEN_MS);
  return probe.said.includes("opened");
}
async function closed(probe: Probe): Promise<boolean> {
  probe.deny();
  if (probe.seen.mdb !== "enabled") probe.ask({ kind: "closeSession" });
  return await probe.until(() => probe.seen.mdb === "enabled", OPEN_MS);
}
async function requested(probe: Probe, { waitMs }: Options): Promise<Probe["request"]> {
  await probe.until(() => probe.request !== undefined, waitMs);
  return probe.request;
}

async function takesZeroFunds(probe: Probe, options: Options, person: Person): Promise<boolean | undefined> {
  if (!(await closed(probe))) return undefined;
  if (!(await opened(probe, 0))) return false;
  person.say("Now a session with no credit is open. Choose an item again.");
  const request = await requested(probe, options);
  probe.deny();
  return request !== undefined;
}

async function patienceOf(
  probe: Probe,
  { driver, reader }: Configuration,
  options: Options,
  creditMinor: number,
  person: Person,
): Promise<Answers["patience"]> {
  if (!(await closed(probe)) || !(await opened(probe, creditMinor))) return undefined;
  person.say("Choose an item, and wait: it is not answered, to see how long the machine waits.");
  if ((await requested(probe, options)) === undefined) return undefined;
  const fromMs = clock.monoMs();
  const isOver = await probe.until(() => probe.request === undefined, options.patienceMs);
  const seconds = Math.max(1, Math.floor((clock.monoMs() - fromMs) / 1_000));
  // Our own reader denies by itself before its time is up: then the machine would have waited longer.
  const isOurs = driver === "mdb-hex" || driver === "wafer";
  const ownSeconds = Math.min(reader.responseSeconds * 0.9, 45);
  probe.deny();
  return { seconds, isLeast: !isOver || (isOurs && seconds + 1 >= ownSeconds) };
}

/** With a reader that offers it: only an adapter that can, and a machine that speaks level 3. */
async function findAlwaysIdle(
  settings: Configuration,
  seen: Observation,
  options: Options,
  person: Person,
): Promise<boolean | undefined> {
  const offering = offeringAlwaysIdle(settings, seen);
  if (options.skip.has("idle") || offering === undefined) return undefined;
  const probe = await connect(offering);
  if (!(probe instanceof Probe)) return undefined;
  try {
    if (!(await isInService(probe, options, person))) return undefined;
    if (probe.seen.features?.includes("alwaysIdle") === false) return false;
    person.say("No session is open now. Choose an item all the same.");
    const request = await requested(probe, options);
    probe.deny();
    return request !== undefined;
  } finally {
    await probe.close(CLOSE_MS);
  }
}

function offeringAlwaysIdle(settings: Configuration, seen: Observation): Configuration | undefined {
  switch (settings.driver) {
    case "matedealer":
      return undefined; // a level 1 reader
    case "qibixx": {
      const adapterSettings = { ...settings.adapterSettings, "mdb-always-idle": "1" };
      return { ...settings, adapterSettings };
    }
    default:
      if (seen.setup?.level !== 3) return undefined;
      return { ...settings, reader: { ...settings.reader, level: 3, alwaysIdle: true } };
  }
}

// ---- what is said and written ---------------------------------------------------------------------------------------

const findingWords = ({ isFault, says, cure }: Finding): readonly string[] => [
  `${isFault ? "FAULT" : "ok   "} ${says}`,
  ...(cure === undefined ? [] : [`      ${cure}`]),
];

/** False when it should have been written and was not. */
async function write(
  { config, yes }: Options,
  { settings, dataDir }: Pick<Call, "settings" | "dataDir">,
  change: Change,
  person: Person,
): Promise<boolean> {
  const file = JSON.parse(readFileSync(config, "utf8")) as Record<string, unknown>; // the schema has read it
  const next = changed(file, change);
  const lines = differences(file, next);
  if (lines.length === 0) return true;
  person.say(`${config}:`);
  for (const line of lines) person.say(`  ${line}`);
  const checked = readConfiguration(configuration, { serial: settings.serial, ...next });
  if (!checked.ok) {
    for (const problem of checked.problems) person.say(`not written: ${problem}`);
    return false;
  }
  if (!yes && !/^y(es)?$/i.test(await person.ask("write", "Write this? (y/N)"))) {
    person.say("Not written.");
    return true;
  }
  try {
    writeWhole(config, `${JSON.stringify(next, undefined, 2)}\n`);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    person.say(`not written: ${String(error)}`);
    return false;
  }
  person.say("Written.");
  const afar = peekKept(dataDir)?.applied;
  const over = afar ? overruled(checked.value, afar) : [];
  if (afar && over.length > 0)
    person.say(
      `But version ${afar.version}, set from afar, stands over it: ${over.join(", ")}. Set it anew there.`,
    );
  return true;
}

/** All of it or nothing, whatever happens. */
function writeWhole(path: string, text: string): void {
  const beside = `${path}.new`;
  const { mode, uid, gid } = statSync(path);
  const fd = openSync(beside, "w", mode & 0o777);
  try {
    if (process.getuid?.() === 0) fchownSync(fd, uid, gid); // still its reader's, whoever writes it
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(beside, path);
}

function readOptions(argv: readonly string[]): Options | "help" | { readonly problems: readonly string[] } {
  const text = (value?: string) =>
    ({ type: "string", ...(value === undefined ? {} : { default: value }) }) as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      config: text(),
      serial: text(),
      credit: text("5.00"),
      wait: text("60"),
      patience: text("90"),
      items: text("2"),
      skip: text(""),
      answers: text(),
      yes: flag,
      json: flag,
      help: flag,
    },
  });
  if (values.help) return "help";
  const problems: string[] = [];
  const whole = (name: "wait" | "patience" | "items", most: number): number => {
    const value = /^[0-9]{1,4}$/.test(values[name] ?? "") ? Number(values[name]) : NaN;
    if (!(value >= 1 && value <= most))
      problems.push(`--${name}: must be a whole number from 1 to ${most}, not ${values[name] ?? ""}`);
    return value;
  };
  const [waitMs, patienceMs, items] = [
    whole("wait", 3_600) * 1_000,
    whole("patience", 600) * 1_000,
    whole("items", 20),
  ];
  const skip = new Set((values.skip ?? "").split(",").filter((one) => one !== ""));
  for (const one of skip)
    if (!TESTS.includes(one as Test)) problems.push(`--skip: ${one}: must be among ${TESTS.join(", ")}`); // any text may be looked for
  const { config, serial, credit = "", answers, yes, json } = values;
  if (config === undefined) problems.push("--config: is needed. --help says more");
  if (config === undefined || problems.length > 0) return { problems };
  return { config, serial, credit, waitMs, patienceMs, items, skip, answers, yes, json };
}
