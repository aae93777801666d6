/** `scanvend doctor` as a real process, over a real line, at machines that are built and broken differently. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

/** A machine behind a real port, and the controller's file for it. */
async function machineOn(plan: AdapterPlan, faults: FaultsAsked = {}, answerMs = 60_000): Promise<void> {
  const selectsFirst = "alwaysIdle" in plan && plan.alwaysIdle;
  const timing = { coilMs: 600, setupMs: 60, sessionIdleMs: 60_000, answerMs, lateEnableMs: 5_000 };
  const trace = new Trace("m-1", clock);
  const vmc = newVmc(
    { ...timing, noticeMs: 500, decimals: 2, selectsFirst },
    [
      { item: 11, name: "Water", priceMinor: 250, stock: 9 },
      { item: 12, name: "Ice", priceMinor: 300, stock: 9 },
    ],
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

/** Runs it, and does what it asks for: each question by its words. */
async function visit(
  argv: readonly string[],
  person: readonly (readonly [words: RegExp, act: () => string | number])[] = [],
) {
  const child = spawn(process.execPath, [program, "doctor", "--config", file, ...argv]);
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  let [from, isOver] = [0, false];
  void ended.then(() => (isOver = true));
  const said = (): string => out + err;
  for (const [words, act] of person) {
    await until(words.source, () => Promise.resolve(isOver || words.test(said().slice(from))), 30_000);
    from += (words.exec(said().slice(from))?.index ?? 0) + 1;
    const answer = act();
    if (typeof answer === "string") child.stdin.write(`${answer}\n`);
    else
      await until(
        "the machine to ask",
        () => Promise.resolve(isOver || machine?.select(answer) === undefined),
        30_000,
      );
  }
  child.stdin.end();
  return { status: await ended, out, err };
}
type Said = { healthy: boolean; findings: { code: string; isFault: boolean; says: string }[] };
const codes = (out: string): readonly string[] =>
  (JSON.parse(out) as Said).findings.map(({ code, isFault }) => (isFault ? `${code}!` : code));
const written = (): Record<string, unknown> =>
  JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;

test("a healthy machine of level 3 that is always idle: everything is found, agreed to and written", async () => {
  await machineOn({ kind: "mdb-hex", level: 3, address: "0x10", alwaysIdle: true, pollMs: 30 }, {}, 1_500);
  configure("mdb-hex", { reader: { level: 3 } });
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
  expect(written()).toMatchObject({
    vendResultMs: 31_000,
    reader: { level: 3 },
    facts: { level: 3, alwaysIdle: true, zeroFunds: true, itemNumbers: "plain" },
  });
  expect(machine?.vmc.coils.map(({ fallen }) => fallen)).toEqual([0, 0]);
});

test("a price that is ten times the one shown: said, and mended in the adapter's settings", async () => {
  await machineOn({ kind: "qibixx" }, { priceTimesTen: true });
  configure("qibixx", { adapterSettings: { "mdb-addr": "0x10" } });
  const { status, out } = await visit(
    ["--json", "--yes", "--wait", "20", "--items", "1", "--skip", "zero,patience,idle"],
    [
      [/Choose an item at/, () => 11],
      [/Which keys/, () => "A11"],
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
  ["wafer", "\u0002FF\u0003", "masterBox!"],
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
