/** `scanvend dex` through the built program: an audit in words and as JSON, from a file and from a plug, and a bad one refused. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { DexPlug } from "../controller/dex-plug.js";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const audit = fileURLToPath(new URL("../controller/dex-before.txt", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "scanvend-dex-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const run = (...argv: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "dex", ...argv], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

test("a file is said in words", () => {
  expect(run(audit)).toEqual({
    status: 0,
    stderr: "",
    stdout: `machine AB0012345678 (MODEL 7)
paid vends: 10193 for NZD 30480.00
  in cash: 120 for NZD 300.00
  cashless: 10073 for NZD 30180.00
item 11 Salted crisps: price NZD 2.50, 198 for NZD 495.00, cashless 78 for NZD 195.00
item 012 Café bar: price NZD 3.00, 9995 for NZD 29985.00, cashless 9995 for NZD 29985.00
item 13: nothing counted
active now: EJL
`,
  });
});

test("and as JSON, money in the smallest unit", () => {
  const { status, stdout } = run(audit, "--json");
  expect({ status, said: JSON.parse(stdout) as unknown }).toMatchObject({
    status: 0,
    said: { serial: "AB0012345678", decimals: 2, paid: { vends: 10_193, valueMinor: 3_048_000 } },
  });
});

test("a changed file is exit 1, with its line and both checksums", () => {
  const path = join(dir, "changed.txt");
  writeFileSync(path, readFileSync(audit, "latin1").replace("*198*", "*199*"), "latin1");
  const { status, stdout, stderr } = run(path);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/changed\.txt:23: bad checksum: expected [0-9A-F]{4}, got D865/);
});

test("a terminal is shown no control characters of a file", () => {
  const path = join(dir, "control.txt");
  writeFileSync(path, "ST*001*0001\r\nG85*\x1b]0;owned\x07\r\n", "latin1");
  expect(run(path).stderr).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
});

test("a machine is read at its plug", async () => {
  const plug = new DexPlug();
  plug.sold(8, 3);
  try {
    const argv = [program, "dex", "--serial", await plug.listen(), "--json"];
    const { stdout } = await promisify(execFile)(process.execPath, argv);
    expect(JSON.parse(stdout)).toMatchObject({ serial: "m-1", cashless: { vends: 3, valueMinor: 300 } });
  } finally {
    plug.close();
  }
});

// prettier-ignore
const wrong: readonly [name: string, argv: readonly string[], status: number, names: string][] = [
  ["a file that is not there", ["nowhere.txt"],        1, "nowhere.txt"],
  ["no file",                  [],                     2, "FILE"],
  ["two files",                [audit, audit],         2, "FILE"],
  ["a file and a plug",        [audit, "--serial", "/dev/ttyUSB9"], 2, "one at a time"],
  ["a plug that is no place",  ["--serial", "ttyUSB9"],             2, "--serial"],
  ["a plug that is not there", ["--serial", "/dev/ttyUSB9"],        1, "/dev/ttyUSB9"],
  ["an unknown option",        [audit, "--colour"],    2, "--colour"],
];
for (const [name, argv, status, names] of wrong)
  test(`${name} is exit ${status}, naming ${names}`, () => {
    const said = run(...argv);
    expect({ status: said.status, stdout: said.stdout }).toEqual({ status, stdout: "" });
    expect(said.stderr).toContain(names);
  });
