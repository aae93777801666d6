/** Every process's front door: help, and a wrong configuration refused whole (exit 2, every problem at once). */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "scanvend-cli-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const run = (...argv: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...argv], { encoding: "utf8" });
  return { status, stdout, stderr };
};
const file = (value: unknown): string => {
  const path = join(dir, "configuration.json");
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
};

for (const command of [
  "start",
  "broker",
  "cloud",
  "enrol",
  "controller",
  "simulator",
  "label",
  "listen",
  "trigger",
  "mdb",
  "dex",
])
  test(`scanvend ${command} --help says how it is called`, () => {
    const { status, stdout } = run(command, "--help");
    expect(status).toBe(0);
    expect(stdout).toContain(`scanvend ${command}`);
  });

test("no command lists them; an unknown one is refused", () => {
  expect(run()).toMatchObject({ status: 0, stdout: expect.stringContaining("scanvend start") as string });
  expect(run("sing")).toMatchObject({ status: 2, stderr: expect.stringContaining("sing") as string });
});

// prettier-ignore
const wrong: readonly [command: string, configuration: unknown, names: readonly string[]][] = [
  ["broker",     { port: "x", colour: 1 },                                     ["port", "colour", "loginsFile"]],
  ["broker",     "{",                                                          ["is not JSON"]],
  ["cloud",      { publicUrl: "ftp://x", port: -1, colour: 1 },                ["publicUrl", "port", "colour", "databaseUrl", "mqttPassword", "paymentsApiKey"]],
  ["controller", { machineId: "A B", colour: 1, decimals: 9 },                 ["machineId", "colour", "decimals", "serial", "mqttUrl", "cloudKeys", "dataDir", "currency"]],
  ["simulator",  { httpPort: true, colour: 1, machines: [] },                  ["httpPort", "colour", "machines", "mqttUrl", "cloudUrl"]],
];
for (const [command, configuration, names] of wrong)
  test(`scanvend ${command} refuses ${JSON.stringify(configuration)}, naming every problem`, () => {
    const { status, stderr, stdout } = run(command, "--config", file(configuration));
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    for (const name of names) expect(stderr).toContain(name);
  });

for (const command of ["broker", "cloud", "controller", "simulator"])
  test(`scanvend ${command} says that a file is not there, and that an option is unknown`, () => {
    expect(run(command, "--config", join(dir, "nowhere.json"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("nowhere.json") as string,
    });
    expect(run(command, "--colour", "red").status).toBe(2);
  });

test("scanvend cloud says in a sentence that its database is out of reach, and keeps the password to itself", () => {
  const configuration = {
    services: ["payments"],
    publicUrl: "http://127.0.0.1:1",
    databaseUrl: "postgres://somebody:opensesame@127.0.0.1:1/cloud",
  };
  const { status, stderr, stdout } = run("cloud", "--config", file(configuration));
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain("databaseUrl: the database cannot be reached");
  expect(stderr).not.toContain("opensesame");
  expect(stderr.split("\n")).toHaveLength(3);
});

test("scanvend cloud says which port is taken, and by which key it is named", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as AddressInfo; // TCP: an AddressInfo
  const databaseUrl = `file:${join(dir, "taken.db")}`;
  const configuration = { services: ["payments"], publicUrl: "http://127.0.0.1:1", databaseUrl, port };
  const { status, stderr } = run("cloud", "--config", file(configuration));
  taken.close();
  expect(status).toBe(2);
  expect(stderr).toContain(`port: ${port} of 127.0.0.1 is taken by another program`);
  expect(stderr.split("\n")).toHaveLength(3);
});

test.each(["port", "webSocketPort"])("scanvend broker says that its %s is taken", async (key) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as AddressInfo; // TCP: an AddressInfo
  const logins = join(dir, "logins.json");
  writeFileSync(logins, JSON.stringify({ logins: [] }));
  const { status, stderr } = run("broker", "--config", file({ port: 0, [key]: port, loginsFile: logins }));
  taken.close();
  expect(status).toBe(2);
  expect(stderr).toContain(`${key}: ${port} of 127.0.0.1 is taken by another program`);
});

test("scanvend controller does not hand out another machine's identity", () => {
  const at = {
    serial: "tcp://127.0.0.1:1",
    mqttUrl: "mqtt://127.0.0.1",
    currency: "NZD",
    dataDir: join(dir, "box"),
  };
  const key = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
  const own = { ...at, cloudKeys: [{ kid: "k", publicKey: key }] };
  const identify = (machineId: string) =>
    run("controller", "--config", file({ ...own, machineId }), "--identify");
  expect(identify("m-17").status).toBe(0);
  expect(identify("m-18")).toMatchObject({
    status: 2,
    stdout: "",
    stderr: expect.stringMatching(/machineId: the identity in .*box is m-17's: put that back/) as string,
  });
  expect(identify("m-17").status).toBe(0);
});

test("scanvend start names every wrong option", () => {
  const { status, stderr } = run(
    "start",
    "--http-port",
    "x",
    "--machines",
    "0",
    "--cloud",
    file({ colour: 1, port: 3 }),
  );
  expect(status).toBe(2);
  for (const name of ["--http-port", "--machines", "colour", "port"]) expect(stderr).toContain(name);
});
