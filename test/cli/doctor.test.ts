/** `scanvend doctor` as a real process, over a real line, at machines that are built and broken differently. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock as clock, systemRandom as random } from "../../broker/protocol/system.js";
import { adapterFor, framingOf, type AdapterPlan } from "../../simulator/machine/adapters.js";
import type { Adapter } from "../../simulator/machine/adapter.js";
import { noFaults, type FaultsAsked } from "../../simulator/machine/faults.js";
import { LinePort } from "../../simulator/machine/line-port.js";
import { Machine } from "../../simulator/machine/machine.js";
import { Trace } from "../../simulator/machine/trace.js";
import { newVmc } from "../../simulator/machine/vmc.js";
import { linksTo } from "../../controller/serial/serial-link.js";
import { until } from "../rig/rig.js";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const KEY = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };

let dir = "";
let file = "";
let server: Server | undefined;
let machine: Machine | undefined;
let adapter: Adapter | undefined;
let place = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "scanvend-doctor-"));
  file = join(dir, "controller.json");
});
afterEach(async () => {
  machine?.[Symbol.dispose]();
  adapter?.[Symbol.dispose]();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
  rmSync(dir, { recursive: true });
});

const listen = async (made: Server): Promise<void> => {
  server = made;
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  place = `tcp://127.0.0.1:${(made.address() as AddressInfo).port}`; // listening on TCP: never a path
};

type Coil = {
  readonly item: number;
  readonly name: string;
  readonly priceMinor: number;
  readonly stock: number;
};
const COILS: readonly Coil[] = [
  { item: 11, name: "Water", priceMinor: 250, stock: 9 },
  { item: 12, name: "Ice", priceMinor: 300, stock: 9 },
];

/** A machine behind a real port. */
async function machineOn(
  plan: AdapterPlan,
  faults: FaultsAsked = {},
  {
    answerMs = 60_000,
    coils = COILS,
    address,
  }: { readonly answerMs?: number; readonly coils?: readonly Coil[]; readonly address?: string } = {},
): Promise<void> {
  const selectsFirst = "alwaysIdle" in plan && plan.alwaysIdle;
  const timing = { coilMs: 600, setupMs: 60, sessionIdleMs: 60_000, answerMs, lateEnableMs: 5_000 };
  const trace = new Trace("m-1", clock);
  const vmc = newVmc(
    { ...timing, noticeMs: 500, decimals: 2, selectsFirst, ...(address === undefined ? {} : { address }) },
    coils,
    noFaults,
  );
  machine = new Machine(vmc, "NZD", clock, trace, (word) => adapter?.say(word));
  const port = new LinePort(
    { heard: (line) => adapter?.heard(line), lost: () => adapter?.lost() },
    trace,
    random,
    framingOf(plan),
  );
  adapter = adapterFor(plan, {
    clock,
    decimals: 2,
    obey: (command) => machine?.obey(command),
    lost: () => machine?.lost(),
    random,
    faults: () => machine?.vmc.faults ?? noFaults,
    write: (line) => port.say(line),
  });
  machine.setFaults(faults);
  await listen(createServer((socket) => port.accept(socket)));
}
function configure(driver: string, more: object = {}): void {
  const base = { machineId: "m-1", dataDir: "data", serial: place, mqttUrl: "mqtt://127.0.0.1" };
  const keys = { cloudKeys: [{ kid: "k", publicKey: KEY }], currency: "NZD" };
  writeFileSync(file, JSON.stringify({ ...base, ...keys, driver, vendResultMs: 31_000, ...more }));
}

type Acts = readonly (readonly [words: RegExp, act: () => string | number])[];
const doctor = (argv: readonly string[], as: object = {}): ChildProcess =>
  spawn(process.execPath, [program, "doctor", "--config", file, ...argv], { stdio: "pipe", ...as });

/** Runs it, and does what it asks for: each question by its words. */
async function visit(argv: readonly string[], person: Acts = [], child = doctor(argv), ends = true) {
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  let [from, isOver] = [0, false];
  void ended.then(() => (isOver = true));
  const said = (): string => out + err;
  for (const [words, act] of person) {
    await until(words.source, () => Promise.resolve(isOver || words.test(said().slice(from))), 30_000);
    from += (words.exec(said().slice(from))?.index ?? 0) + 1;
    const answer = act();
    if (typeof answer === "string") child.stdin?.write(`${answer}\n`);
    else
      await until(
        "the machine to ask",
        () => Promise.resolve(isOver || machine?.select(answer) === undefined),
        30_000,
      );
  }
  if (ends) child.stdin?.end();
  return { status: await ended, out, err };
}
type Said = { healthy: boolean; findings: { code: string; isFault: boolean; says: string }[] };
const codes = (out: string): readonly string[] =>
  (JSON.parse(out) as Said).findings.map(({ code, isFault }) => (isFault ? `${code}!` : code));
const written = (): Record<string, unknown> =>
  JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;

test("a healthy machine of level 3 that is always idle: everything is found, agreed to and written", async () => {
  await machineOn(
    { kind: "mdb-hex", level: 3, address: "0x10", alwaysIdle: true, pollMs: 30 },
    {},
    { answerMs: 1_500 },
  );
  configure("mdb-hex", { reader: { level: 3 }, facts: { patienceSeconds: 40 } });
  const { status, out } = await visit(
    ["--wait", "20"],
    [
      [/Choose an item at/, () => 11],
      [/Which keys/, () => "11"],
      [/Which price/, () => "2.50"],
      [/Choose another/, () => 12],
      [/Which keys/, () => "12"],
      [/no credit/, () => 11],
      [/and wait/, () => 11],
      [/No session/, () => 12],
      [/Write this/, () => "y"],
    ],
  );
  expect(status, out).toBe(0);
  expect(out).toContain("ok    The price on the bus is the one that the display shows.");
  expect(out).toContain("Always Idle works");
  expect(out).toContain("A session with no funds takes selections");
  expect(out).toContain("  facts.patienceSeconds: 40 → 1");
  expect(written()).toMatchObject({ vendResultMs: 31_000, reader: { level: 3 } });
  expect(written()["facts"]).toEqual({ alwaysIdle: true, patienceSeconds: 1, itemNumbers: "plain" });
  expect(machine?.vmc.coils.map(({ fallen }) => fallen)).toEqual([0, 0]);
});

test("a price that is ten times the one shown: said, and mended in the adapter's settings", async () => {
  await machineOn({ kind: "qibixx" }, { priceTimesTen: true });
  configure("qibixx", { adapterSettings: { "mdb-addr": "0x10" } });
  const { status, out } = await visit(
    ["--json", "--yes", "--wait", "20", "--items", "1", "--skip", "zero,patience,idle"],
    [
      [/Choose an item at/, () => 11],
      [/Which keys/, () => "B11"],
      [/Which price/, () => "2.50"],
    ],
  );
  expect([status, codes(out)]).toEqual([1, ["priceTimes!", "items"]]);
  expect(written()).toMatchObject({
    adapterSettings: { "mdb-addr": "0x10", "mdb-decimal-places": "3" },
    facts: { itemNumbers: "other" },
  });
});

test("a machine that resets the reader again and again, with its last SETUP", async () => {
  await machineOn(
    { kind: "wafer", level: 2, address: "0x10", alwaysIdle: false, pollMs: 30 },
    { resetLoop: true },
  );
  configure("wafer", { reader: { level: 3 } });
  const before = readFileSync(file, "utf8");
  const { status, out } = await visit(["--wait", "30"]);
  expect(status).toBe(1);
  expect(out).toMatch(/FAULT The machine resets the reader .* level 2, display 16 by 1\./);
  expect(out).toContain("reader.level 2");
  expect(readFileSync(file, "utf8")).toBe(before);
});

test.each([
  ["qibixx", "machineSilent!"],
  ["matedealer", "machineSilent!"],
  ["mdb-hex", "nothingHeard!"],
] as const)("%s: a machine that never polls", async (kind, code) => {
  const carrier = { level: 3, address: "0x10", alwaysIdle: false, pollMs: 30 } as const;
  await machineOn(kind === "mdb-hex" ? { kind, ...carrier } : { kind }, { vmcSilent: true });
  configure(kind);
  const { status, out } = await visit(["--json", "--wait", "4"]);
  expect([status, codes(out)]).toEqual([1, [code]]);
});

test.each([
  ["qibixx", "", "adapterSilent!"],
  ["matedealer", "", "adapterSilent!"],
  ["qibixx", "\u0090\u0012\r\n", "garbage!"],
] as const)("%s, and a box that says only %j", async (driver, says, code) => {
  await listen(
    createServer((socket) => {
      socket.on("error", () => undefined).resume();
      for (let n = 0; n < 6; n += 1) socket.write(Buffer.from(says, "latin1"));
    }),
  );
  configure(driver);
  const { status, out } = await visit(["--json", "--wait", "10"]);
  expect([status, codes(out)]).toEqual([1, [code]]);
});

test.each([
  ["wafer", "FF \r\n", "masterBox!"],
  ["mdb-hex", "FF \r\n", "masterBox!"],
  ["qibixx", "FF \r\n", "masterBox!"],
  ["wafer", "\u0002FF\u0003", "machineSilent!"], // the right box: it is the machine that says no
] as const)("%s, and a box that answers everything with %j", async (driver, answer, code) => {
  await listen(
    createServer((socket) => {
      socket.on("error", () => undefined);
      let answers = 0;
      socket.on("data", () => {
        if ((answers += 1) <= 6) socket.write(answer);
      });
    }),
  );
  configure(driver);
  const { status, out } = await visit(["--json", "--wait", "5"]);
  expect([status, codes(out)]).toEqual([1, [code]]);
});

test("a port that is not there, and a server where nobody is", async () => {
  await listen(createServer());
  await new Promise((resolve) => server?.close(resolve));
  server = undefined;
  configure("qibixx");
  expect(codes((await visit(["--json"])).out)).toEqual(["noServer!"]);
  expect(codes((await visit(["--json", "--serial", join(dir, "tty")])).out)).toEqual(["noPort!"]);
});

test("called wrongly it says what and ends with 2", async () => {
  configure("qibixx", { serial: "/dev/x", nonsense: 1 });
  expect(await visit(["--wait", "0", "--skip", "all"])).toMatchObject({
    status: 2,
    err: expect.stringMatching(/--wait: must be .*\n.*--skip: all: must be among/) as string,
  });
  expect(await visit([])).toMatchObject({ status: 2, err: "scanvend doctor: nonsense: no such key\n" });
});

const carrier = { level: 3, address: "0x10", alwaysIdle: false, pollMs: 30 } as const;
const ITEMS_ONLY = ["--json", "--yes", "--wait", "20", "--items", "1", "--skip", "zero,patience,idle"];
const pressed = (item: number, keys: string, price: string): Acts => [
  [/Choose an item at/, () => item],
  [/Which keys/, () => keys],
  [/Which price/, () => price],
];

test.each([
  ["a price for another way to pay", "qibixx", "3.10", ["price!", "items"], {}],
  [
    "a price that is divided",
    "mdb-hex",
    "25.00",
    ["level", "priceDivided!", "items"],
    { reader: { scale: 10 } },
  ],
  [
    "a price that is divided",
    "qibixx",
    "25,00",
    ["priceDivided!", "items"],
    { adapterSettings: { "mdb-scale-factor": "10" } },
  ],
] as const)("%s, behind a %s adapter", async (_, kind, price, found, mended) => {
  await machineOn(kind === "qibixx" ? { kind } : { kind, ...carrier });
  configure(kind);
  const { status, out } = await visit(ITEMS_ONLY, pressed(11, "11", price));
  expect([status, codes(out)]).toEqual([1, found]);
  expect(written()).toMatchObject(mended);
});

test.each([
  ["rowColumn0001", [0x0001, 0x0102], ["A1", "b2"]],
  ["rowColumn0000", [0x0009, 0x0100], ["A10", "B01"]],
] as const)(
  "a machine that numbers its items by row and column: %s",
  async (scheme, [first, second], keys) => {
    const coil = (item: number): Coil => ({ item, name: `Item ${item}`, priceMinor: 250, stock: 1 });
    await machineOn({ kind: "qibixx" }, {}, { coils: [coil(first), coil(second)] });
    configure("qibixx");
    const { status, out } = await visit(
      ["--json", "--yes", "--wait", "20", "--skip", "zero,patience,idle"],
      [...pressed(first, keys[0], "2.50"), [/Choose another/, () => second], [/Which keys/, () => keys[1]]],
    );
    expect([status, codes(out)]).toEqual([0, ["price", "items"]]);
    expect(written()).toMatchObject({ facts: { itemNumbers: scheme } });
  },
);

test.each(["qibixx", "mdb-hex"] as const)(
  "%s: a machine that sets the reader up and never enables it",
  async (kind) => {
    await machineOn(kind === "qibixx" ? { kind } : { kind, ...carrier }, { neverEnables: true });
    configure(kind);
    const { status, out } = await visit(["--json", "--wait", "4"]);
    expect([status, codes(out)]).toEqual([1, ["neverEnabled!"]]);
  },
);

test("a machine whose reader is at the other address: it is found there, and the file says so from then on", async () => {
  const nothing = ["--json", "--yes", "--wait", "4", "--skip", "items,zero,patience,idle"];
  await machineOn({ kind: "qibixx" }, {}, { address: "0x60" });
  configure("qibixx", { adapterSettings: { "mdb-timeout": "30" } });
  const { status, out } = await visit(nothing);
  expect([status, codes(out)]).toEqual([0, ["address"]]);
  expect(written()).toMatchObject({ adapterSettings: { "mdb-timeout": "30", "mdb-addr": "0x60" } });
  expect(codes((await visit(nothing)).out)).toEqual([]); // at once this time
});

test("blocks for the other address: our own reader goes there", async () => {
  await machineOn({ kind: "mdb-hex", ...carrier, address: "0x60" });
  configure("mdb-hex", { reader: { level: 3 } });
  const { status, out } = await visit([
    "--json",
    "--yes",
    "--wait",
    "4",
    "--skip",
    "items,zero,patience,idle",
  ]);
  expect([status, codes(out)]).toEqual([0, ["address", "level"]]);
  expect(written()).toMatchObject({ reader: { level: 3, address: "0x60" } });
});

test("a box that tells the machine of its reader by itself: its country, scale and decimals are taken over", async () => {
  const stored = { level: 1, country: "0972", scale: 10, decimals: 2, responseSeconds: 7, options: [] };
  await machineOn({ kind: "wafer", ...carrier, stored });
  configure("wafer");
  const { status, out } = await visit(ITEMS_ONLY, pressed(11, "11", "2.50"));
  expect([status, codes(out)]).toEqual([1, ["level", "stored!", "items"]]);
  expect(out).toContain("country 0972, scale 10, responseSeconds 7");
  expect(written()["reader"]).toEqual({
    level: 1,
    country: "0972",
    scale: 10,
    decimals: 2,
    responseSeconds: 7,
  });
  const again = await visit(ITEMS_ONLY, pressed(11, "11", "2.50"));
  expect([again.status, codes(again.out)]).toEqual([0, ["level", "price", "items"]]);
});

test("choosing first is not offered any more to a machine that does not do it", async () => {
  await machineOn({ kind: "mdb-hex", ...carrier });
  configure("mdb-hex", { reader: { level: 3, alwaysIdle: true } });
  // And somebody has set it from afar.
  const applied = { version: 4, currency: "NZD", items: [], texts: {}, limits: {}, readyWithinMs: 60_000 };
  const kept = {
    newest: 4,
    trial: null,
    refused: null,
    applied: { ...applied, reader: { alwaysIdle: true } },
  };
  mkdirSync(join(dir, "data"));
  writeFileSync(join(dir, "data", "configuration.json"), JSON.stringify(kept));
  const { out, err } = await visit(["--json", "--yes", "--wait", "20", "--skip", "items,zero,patience"]);
  expect(codes(out)).toEqual(["level", "alwaysIdle"]);
  expect(written()).toMatchObject({ reader: { level: 3, alwaysIdle: false }, facts: { alwaysIdle: false } });
  expect(err).toContain("version 4, set from afar, stands over it: reader.alwaysIdle.");
});

test("the answers come from a file; what is missing in it, or wrong, is said before the line is opened", async () => {
  await machineOn({ kind: "qibixx" });
  configure("qibixx");
  const answers = join(dir, "answers.json");
  writeFileSync(answers, JSON.stringify({ keys: ["11"], price: "a lot" }));
  expect(await visit(["--answers", answers])).toMatchObject({
    status: 2,
    out: "",
    err: "scanvend doctor: --answers: price: must be a price such as 2.50\n",
  });
  writeFileSync(answers, JSON.stringify({ keys: ["11"] }));
  expect(await visit(["--answers", answers])).toMatchObject({
    status: 2,
    out: "",
    err: expect.stringMatching(/keys: needs 2 answers.*\n.*price: is needed.*\n.*write: is needed/) as string,
  });
  writeFileSync(answers, JSON.stringify({ keys: ["11", "12"], price: "2.50", write: true }));
  const { status, out } = await visit(
    ["--answers", answers, "--wait", "20", "--skip", "zero,patience,idle"],
    [
      [/Choose an item at/, () => 11],
      [/Choose another/, () => 12],
    ],
  );
  expect(status, out).toBe(0);
  expect(written()).toMatchObject({ facts: { itemNumbers: "plain" } });
});

test.each([
  ["at its end", "ignore"],
  ["silent", "pipe"],
] as const)(
  "a question that nobody answers, the input being %s, ends it and names itself",
  async (_, input) => {
    await machineOn({ kind: "qibixx" });
    configure("qibixx");
    const child = doctor(["--wait", "6"], { stdio: [input, "pipe", "pipe"] });
    const { status, err } = await visit([], [[/Choose an item at/, () => 11]], child, false);
    expect([status, err]).toEqual([
      2,
      'scanvend doctor: nobody answered "keys": run it at a terminal, or give the answer with --answers FILE\n',
    ]);
    expect(machine?.face().credit).toBeNull();
  },
);

const hasTerminal = spawnSync("script", ["--version"]).status === 0;
if (!hasTerminal) process.stdout.write("doctor.test.ts: the terminal test is skipped: no script(1)\n");

test.skipIf(!hasTerminal)(
  "at a terminal, what is not in the file of answers is asked for, however long it takes",
  async () => {
    await machineOn({ kind: "qibixx" });
    configure("qibixx");
    const answers = join(dir, "answers.json");
    writeFileSync(answers, JSON.stringify({ keys: ["11"] }));
    const argv = ["--answers", answers, "--wait", "20", "--items", "1", "--skip", "zero,patience,idle"];
    const line = [process.execPath, program, "doctor", "--config", file, ...argv].map((one) => `'${one}'`);
    const child = spawn("script", ["-qefc", line.join(" "), "/dev/null"], { stdio: "pipe" });
    const { status, out } = await visit(
      [],
      [
        [/Choose an item at/, () => 11],
        [/Which price/, () => "two fifty"],
        [/two fifty is no price[^]*Which price/, () => "2.50"],
        [/Write this/, () => "y"],
      ],
      child,
      false,
    );
    expect(status, out).toBe(0);
    expect(written()).toMatchObject({ facts: { itemNumbers: "plain" } });
  },
);

// ---- the line is somebody else's ---------------------------------------------------------------------------------------

test("a controller and a doctor never have the line at once, whichever comes second", async () => {
  await machineOn({ kind: "qibixx" });
  configure("qibixx");
  const controller = [program, "controller", "--config", file];
  expect(spawnSync(process.execPath, [...controller, "--identify"]).status).toBe(0);

  const visited = doctor(["--wait", "30"]);
  let said = "";
  visited.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await until("the doctor at the machine", () => Promise.resolve(said.includes("Choose an item")), 30_000);
  const second = spawnSync(process.execPath, controller, { encoding: "utf8" });
  expect([second.status, second.stderr]).toEqual([
    2,
    expect.stringContaining("is held by another controller, or by scanvend doctor: end that") as string,
  ]);
  const ended = new Promise((resolve) => visited.once("close", resolve));
  visited.kill("SIGKILL"); // however it ends, it lets go
  await ended;

  const running = spawn(process.execPath, controller, { stdio: ["ignore", "pipe", "inherit"] });
  let log = "";
  running.stdout.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const stopped = new Promise((resolve) => running.once("close", resolve));
  try {
    await until("the controller", () => Promise.resolve(log.includes("controller started")), 30_000);
    const { status, out } = await visit(["--json"]);
    expect([status, codes(out)]).toEqual([1, ["controllerRuns!"]]);
    expect(out).toContain("systemctl stop scanvend-controller");
  } finally {
    running.kill("SIGTERM");
    await stopped;
  }
});

const socat = spawnSync("socat", ["-V"]).status === 0;
if (!socat) process.stdout.write("doctor.test.ts: the pty test is skipped: socat is not installed\n");

test.skipIf(!socat)("a port that another program has, and one that this user may not open", async () => {
  const [ours, theirs] = [join(dir, "ours"), join(dir, "theirs")];
  const pair = spawn("socat", [`pty,raw,echo=0,link=${theirs}`, `pty,raw,echo=0,link=${ours}`]);
  const gone = new Promise((resolve) => pair.once("close", resolve));
  try {
    await until("the pty pair", () => Promise.resolve(existsSync(ours) && existsSync(theirs)));
    place = ours;
    configure("qibixx");
    const link = linksTo(ours, 115_200)();
    await new Promise<void>((resolve, reject) =>
      link.open((problem) => (problem === null ? resolve() : reject(problem))),
    );
    const busy = await visit(["--json"]);
    await new Promise<void>((resolve) => {
      link.on("close", () => resolve());
      link.close();
    });
    expect(codes(busy.out)).toEqual(["portBusy!"]);
    expect(busy.out).toContain(`fuser ${ours}`);

    // Root may open whatever it likes: then it is somebody else who tries.
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    chmodSync(dir, 0o755);
    chmodSync(file, 0o644);
    chmodSync(ours, 0o000); // the link's target
    const refused = await visit([], [], doctor(["--json"], nobody));
    expect(codes(refused.out), refused.err).toEqual(["noPermission!"]);
    expect(refused.out).toContain("usermod -aG dialout");

    mkdirSync(join(dir, "data"), { mode: 0o700 });
    chmodSync(join(dir, "data"), process.getuid?.() === 0 ? 0o700 : 0o000);
    const blind = await visit([], [], doctor(["--json"], nobody));
    expect(codes(blind.out), blind.err).toEqual(["noRights!"]);
    chmodSync(join(dir, "data"), 0o700);
  } finally {
    pair.kill("SIGKILL");
    await gone;
  }
});
