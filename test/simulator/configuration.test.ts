/** The simulator's configuration: what it needs, what it assumes, and that every problem is named at once. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readConfiguration } from "../../broker/protocol/configuration.js";
import { configuration } from "../../simulator/configuration.js";
import { run } from "../../simulator/main.js";

const machine = {
  id: "m-1",
  code: "AB12",
  name: "Kitchen",
  url: "http://127.0.0.1:8080/m/AB12",
  currency: "NZD",
  controller: { command: ["node", "dist/cli.js", "controller", "--config", "m-1.json"] },
  coils: [{ item: 11, name: "Water", priceMinor: 250, stock: 5 }],
};
const whole = {
  httpPort: 0,
  mqttUrl: "mqtt://127.0.0.1:1883",
  cloudUrl: "http://127.0.0.1:8080",
  webDir: "dist/web/simulator",
  machines: [machine],
};
const problems = (input: unknown): readonly string[] => {
  const read = readConfiguration(configuration, input);
  return read.ok ? [] : read.problems;
};

test("what it needs is enough, and the machine behaves like a real one", () => {
  const read = readConfiguration(configuration, whole);
  expect(read).toMatchObject({
    ok: true,
    value: {
      httpHost: "127.0.0.1",
      customers: [],
      machines: [{ decimals: 2, timing: { coilMs: 600, sessionIdleMs: 60_000, answerMs: 60_000 } }],
    },
  });
});

// prettier-ignore
const wrong: readonly [what: string, input: unknown, problem: string][] = [
  ["an unknown key",        { ...whole, colour: 1 },                                   "colour: no such key"],
  ["an unknown inner key",  { ...whole, machines: [{ ...machine, timing: { coil: 1 } }] }, "machines.0.timing.coil: no such key"],
  ["no machines",           { ...whole, machines: [] },                                "machines: "],
  ["a bad machine id",      { ...whole, machines: [{ ...machine, id: "M/1" }] },       "machines.0.id: "],
  ["a broker over TLS",     { ...whole, mqttUrl: "mqtts://broker:8883" },              "mqttUrl: must be mqtt://host:port"],
  ["a fractional price",    { ...whole, machines: [{ ...machine, coils: [{ ...machine.coils[0], priceMinor: 2.5 }] }] }, "machines.0.coils.0.priceMinor: "],
  ["one item in two coils", { ...whole, machines: [{ ...machine, coils: [machine.coils[0], machine.coils[0]] }] }, "machines.0.coils: no two coils"],
  ["one id twice",          { ...whole, machines: [machine, { ...machine, code: "CD34" }] }, "machines: no two machines"],
  ["a code that is another machine's id", { ...whole, machines: [machine, { ...machine, id: "m-2", code: "m-1" }] }, "machines: no two machines"],
];
for (const [what, input, problem] of wrong) {
  test(`refuses ${what}`, () => {
    const found = problems(input);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(problem);
  });
}

test("a code may be the machine's own id", () => {
  expect(problems({ ...whole, machines: [{ ...machine, code: machine.id }] })).toEqual([]);
});

let dir: string;
let out: string;
let err: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "simulator-"));
  [out, err] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((out += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((err += String(text)), true));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

test("lists every problem at once and exits 2", async () => {
  const path = join(dir, "simulator.json");
  writeFileSync(path, JSON.stringify({ ...whole, httpPort: "80", mqttUrl: "no", extra: true }));
  expect(await run(["--config", path])).toBe(2);
  for (const key of ["httpPort", "mqttUrl", "extra"]) expect(err).toContain(`${path}: ${key}: `);
});

// prettier-ignore
const calls: readonly [argv: readonly string[], status: number, says: string][] = [
  [[],                                  2, "--config FILE is missing"],
  [["--colour"],                        2, "--colour"],
  [["--config", "/nowhere/at/all.json"], 2, "no such file"],
  [["--help"],                          0, "scanvend simulator --config FILE"],
];
for (const [argv, status, says] of calls) {
  test(`called with ${JSON.stringify(argv)} it says so and exits ${status}`, async () => {
    expect(await run(argv)).toBe(status);
    expect(out + err).toContain(says);
  });
}
