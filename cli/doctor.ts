/**
 * `scanvend doctor`: walks a technician through what a machine wants, and says what is wrong with its line.
 *
 * Promises  nothing is ever sold: each request of the machine's is denied, and an approval cannot even be asked for. The
 *           configuration is written only when it was agreed to, whole or not at all.
 */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { readConfiguration, readConfigurationFile } from "../broker/protocol/configuration.js";
import { decimalToMinor } from "../broker/protocol/money.js";
import { systemClock as clock } from "../broker/protocol/system.js";
import { configuration, type Configuration } from "../controller/configuration.js";
import {
  changed,
  changeFor,
  differences,
  LOOP_RESETS,
  portFinding,
  serviceFindings,
  sessionFindings,
  type Answers,
  type Finding,
} from "../controller/doctor/diagnosis.js";
import { nothingSeen, type Observation } from "../controller/doctor/observation.js";
import { Probe } from "../controller/doctor/probe.js";
import { drivers } from "../controller/mdb/drivers.js";
import { linksTo } from "../controller/serial/serial-link.js";
import type { Io } from "./io.js";

export const usage = `scanvend doctor --config FILE [--serial PLACE] [--credit SUM] [--wait SECONDS] [--patience SECONDS]
                [--items N] [--skip TEST,...] [--yes] [--json]

  At a machine, with its controller stopped: says what is wrong with the line to it and how to mend that; finds out what the
  machine wants, with somebody there to press keys; and writes it into the configuration. Nothing is ever sold.

  --config FILE      the controller's configuration
  --serial PLACE     a device path or tcp://host:port, instead of the configuration's
  --credit SUM       the credit of its sessions, as 5.00 (default): above the price of what you choose
  --wait SECONDS     how long the machine and you may take for each step (default 60)
  --patience SECONDS how long an answer is kept back to see how long the machine waits (default 90)
  --items N          how many items to choose for their numbers (default 2)
  --skip TEST,...    leave out any of items, zero, patience, idle
  --yes              write without asking
  --json             one JSON object of findings on stdout, everything else on stderr
  --help             this text

  Answers are read from standard input, a line each, so a script may give them.
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
  readonly yes: boolean;
  readonly json: boolean;
};
type Person = { say(line: string): void; ask(question: string): Promise<string> };

export async function doctor(argv: readonly string[], io: Io, input: NodeJS.ReadableStream): Promise<number> {
  const options = readOptions(argv);
  if (options === "help") {
    io.out(usage);
    return 0;
  }
  const problems = "problems" in options ? options.problems : ([] as const);
  const read =
    "problems" in options
      ? undefined
      : readConfigurationFile(configuration, () => readFileSync(options.config, "utf8"), {
          serial: options.serial,
        });
  const creditMinor =
    "problems" in options || read?.ok !== true ? 0 : decimalToMinor(options.credit, read.value.decimals);
  const wrong = [
    ...problems,
    ...(read?.ok === false ? read.problems : []),
    ...(creditMinor === undefined ? ["--credit: must be a sum such as 5.00"] : []),
  ];
  if (wrong.length > 0 || "problems" in options || read?.ok !== true || creditMinor === undefined) {
    for (const problem of wrong) io.err(`scanvend doctor: ${problem}`);
    return 2;
  }
  const say = options.json ? (line: string) => io.err(line) : (line: string) => io.out(line);
  using person = personAt(input, say);
  const { findings, answers, seen } = await examine(read.value, options, creditMinor, person);
  const isHealthy = !findings.some(({ isFault }) => isFault);
  if (options.json) io.out(JSON.stringify({ healthy: isHealthy, findings, answers }));
  else for (const line of findings.flatMap(findingWords)) io.out(line);
  const isWritten = await write(options, read.value, answers, seen, person);
  return isHealthy && isWritten ? 0 : 1;
}

// ---- the examination ------------------------------------------------------------------------------------------------

type Examined = {
  readonly findings: readonly Finding[];
  readonly answers: Answers;
  readonly seen: Observation;
};

async function examine(
  settings: Configuration,
  options: Options,
  creditMinor: number,
  person: Person,
): Promise<Examined> {
  const nothing = { answers: { vends: [] }, seen: nothingSeen(settings.driver, settings.decimals) };
  person.say(`Opening ${settings.serial} for a ${settings.driver} adapter.`);
  const probe = await connect(settings);
  if (!(probe instanceof Probe)) return { ...nothing, findings: [probe] };
  try {
    await isInService(probe, options, person);
    const faults = serviceFindings(probe.seen, settings);
    if (faults.length > 0) return { ...nothing, findings: faults };
    const answers = await withPerson(probe, settings, options, creditMinor, person);
    await probe.close(CLOSE_MS);
    const alwaysIdle = await findAlwaysIdle(settings, probe.seen, options, person);
    const all = { ...answers, ...(alwaysIdle === undefined ? {} : { alwaysIdle }) };
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
    const label = await person.ask("Which keys did you press (11, A1)?");
    vends.push({ item: request.item, priceMinor: request.priceMinor ?? 0, label: label.trim() });
    if (n === 0)
      shownMinor = decimalToMinor(
        (await person.ask("Which price does the machine show for it (2.50)?")).trim().replace(",", "."),
        settings.decimals,
      );
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
  const seconds = Math.round((clock.monoMs() - fromMs) / 1_000);
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
  settings: Configuration,
  answers: Answers,
  seen: Observation,
  person: Person,
): Promise<boolean> {
  const file = JSON.parse(readFileSync(config, "utf8")) as Record<string, unknown>; // the schema has read it
  const next = changed(file, changeFor(answers, settings, seen));
  const lines = differences(file, next);
  if (lines.length === 0) return true;
  person.say(`${config}:`);
  for (const line of lines) person.say(`  ${line}`);
  const checked = readConfiguration(configuration, { serial: settings.serial, ...next });
  if (!checked.ok) {
    for (const problem of checked.problems) person.say(`not written: ${problem}`);
    return false;
  }
  if (!yes && !/^y(es)?$/i.test((await person.ask("Write this? (y/N)")).trim())) {
    person.say("Not written.");
    return true;
  }
  writeWhole(config, `${JSON.stringify(next, undefined, 2)}\n`);
  person.say("Written.");
  return true;
}

/** All of it or nothing, whatever happens. */
function writeWhole(path: string, text: string): void {
  const beside = `${path}.new`;
  const fd = openSync(beside, "w", statSync(path).mode & 0o777);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(beside, path);
}

/** Who sits at the terminal, or a script in their place; who has left answers with nothing. */
function personAt(input: NodeJS.ReadableStream, say: (line: string) => void): Person & Disposable {
  const lines = createInterface({ input });
  const given: string[] = [];
  let isOver = false;
  let wanted: ((line: string) => void) | undefined;
  const hand = (line: string): void => {
    const take = wanted;
    wanted = undefined;
    if (take === undefined) given.push(line);
    else take(line);
  };
  lines.on("line", hand);
  lines.on("close", () => {
    isOver = true;
    wanted?.("");
  });
  return {
    say,
    async ask(question) {
      say(question);
      const first = given.shift();
      if (first !== undefined || isOver) return first ?? "";
      return await new Promise<string>((resolve) => (wanted = resolve));
    },
    [Symbol.dispose]: () => lines.close(),
  };
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
  const { config, serial, credit = "", yes, json } = values;
  if (config === undefined) problems.push("--config: is needed. --help says more");
  if (config === undefined || problems.length > 0) return { problems };
  return { config, serial, credit, waitMs, patienceMs, items, skip, yes, json };
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;
