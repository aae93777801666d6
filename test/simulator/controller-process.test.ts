/** A machine's controller as a real process: switched on, killed, started again, ended. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ControllerProcess } from "../../simulator/fleet/controller-process.js";
import { PidFile } from "../../simulator/fleet/pid-file.js";
import { spawnProcess } from "../../simulator/fleet/spawn.js";
import { Trace, type TraceEntry } from "../../simulator/machine/trace.js";
import { realClock } from "./real-world.js";
import { until } from "./until.js";

const IDLE = "setInterval(() => {}, 1000);";
let dir: string;
let seen: TraceEntry[];
let trace: Trace;
let gone: AbortController;
let log: PassThrough;
let controller: ControllerProcess | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fleet-"));
  trace = new Trace("m-1", realClock);
  seen = [];
  gone = new AbortController();
  log = new PassThrough();
  void (async () => {
    for await (const entry of trace.follow(0, gone.signal)) seen.push(entry);
  })();
});
afterEach(async () => {
  await controller?.powerOff();
  gone.abort();
  rmSync(dir, { recursive: true });
});

function start(
  script: string,
  argv: readonly string[] = [process.execPath, "-e", script],
): ControllerProcess {
  const book = new PidFile(join(dir, "pids"));
  controller = new ControllerProcess({ argv, spawn: spawnProcess, book, log, clock: realClock, trace });
  controller.powerOn();
  return controller;
}
const process_ = (what: string): readonly TraceEntry[] =>
  seen.filter((entry) => entry.kind === "process" && entry.what === what);
const pidOf = (entry: TraceEntry | undefined): number => {
  const { detail } = entry as TraceEntry & { kind: "process" }; // `process_` let nothing else through
  return (detail as { pid: number }).pid; // a start always tells it
};
const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("power off is SIGKILL, and has happened when it answers; power on starts it again", async () => {
  const one = start(`process.on("SIGTERM", () => {}); console.log("up"); ${IDLE}`);
  expect(one.powered).toBe(true);
  await until("its first words", () => log.readableLength > 0);
  const first = pidOf(process_("started")[0]);
  await one.powerOff();
  expect(one.powered).toBe(false);
  expect(lives(first)).toBe(false);
  await until("its end", () => process_("ended")[0]);
  expect(process_("ended")[0]).toMatchObject({
    detail: { pid: first, code: null, signal: "SIGKILL", againMs: null },
  });
  one.powerOn();
  const second = pidOf(await until("the next start", () => process_("started")[1]));
  expect(lives(second)).toBe(true);
});

test("one that ends by itself is started again, later each time, until it is switched off", async () => {
  const one = start("process.exit(3)");
  await until("three starts", () => process_("started")[2]);
  expect(process_("ended").slice(0, 2)).toMatchObject([
    { detail: { code: 3, againMs: 500 } },
    { detail: { code: 3, againMs: 1_000 } },
  ]);
  await until("the third end", () => process_("ended")[2]);
  await one.powerOff();
  expect(process_("started")).toHaveLength(3);
});

test("switched on again while it is dying, it is started once more and only once", async () => {
  const one = start(IDLE);
  const off = one.powerOff();
  one.powerOn();
  await off;
  await until("the second start", () => process_("started")[1]);
  expect(lives(pidOf(process_("started")[1]))).toBe(true);
  await one.powerOff();
  expect(process_("started")).toHaveLength(2);
});

test("its journal is in the trace, everything it says is in the log", async () => {
  const journal = JSON.stringify({ level: 30, msg: "journal", entry: { n: 1, kind: "accepted" } });
  const other = JSON.stringify({ level: 30, msg: "other", entry: 2 });
  start(`console.log('${journal}\\n${other}\\nnot json'); console.error("oh"); ${IDLE}`);
  await until("the journal", () => seen.find((entry) => entry.kind === "journal"));
  await until("its complaint", () => process_("stderr")[0]);
  expect(seen.filter((entry) => entry.kind === "journal")).toMatchObject([
    { entry: { n: 1, kind: "accepted" } },
  ]);
  expect(process_("stderr")).toMatchObject([{ detail: { line: "oh" } }]);
  const text = await until("the log", () => log.readableLength > 100 && String(log.read()));
  for (const line of [journal, other, "not json"]) expect(text).toContain(line);
});

test("a command that does not exist is told in the trace and tried again", async () => {
  start("", [join(dir, "nothing-here")]);
  await until("its end", () => process_("ended")[0]);
  expect(process_("ended")[0]).toMatchObject({
    detail: { pid: null, failure: `spawn ${join(dir, "nothing-here")} ENOENT`, againMs: 500 },
  });
});

test("ending asks first: SIGTERM", async () => {
  const one = start(`process.on("SIGTERM", () => process.exit(7)); console.log("up"); ${IDLE}`);
  await until("its first words", () => log.readableLength > 0);
  await one[Symbol.asyncDispose]();
  await until("its end", () => process_("ended")[0]);
  expect(process_("ended")[0]).toMatchObject({ detail: { code: 7, againMs: null } });
});

test.runIf(process.platform === "linux")(
  "what a killed simulator left running is ended by the next",
  async () => {
    start(IDLE);
    const pid = pidOf(await until("its start", () => process_("started")[0]));
    expect(new PidFile(join(dir, "pids")).endLeftovers()).toEqual([pid]);
    await until("its end", () => !lives(pid));
  },
);

test("a pid that was given to a stranger since is left alone", () => {
  const path = join(dir, "pids");
  writeFileSync(path, JSON.stringify([{ pid: process.pid, argv: ["another", "command"] }]));
  expect(new PidFile(path).endLeftovers()).toEqual([]);
  expect(readFileSync(path, "utf8")).toBe("[]");
});

for (const text of ["", "{", '[{"pid":0,"argv":[]}]']) {
  test(`a pid file that holds ${JSON.stringify(text)} names nobody`, () => {
    writeFileSync(join(dir, "pids"), text);
    expect(new PidFile(join(dir, "pids")).endLeftovers()).toEqual([]);
  });
}
