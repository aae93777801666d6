/** A box under a directory: what an installation writes there, again and again, and what is left when it is taken away. */
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../rig/rig.js";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const KEY = "A".repeat(43);
const FLAGS = [
  ...["--machine-id", "m-1", "--serial", "/dev/serial/by-id/usb-adapter", "--mqtt", "mqtts://broker.example"],
  ...["--currency", "NZD", "--cloud-key", `cloud-1:${KEY}`],
];

let dir = "";
let box = "";
let release = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "install-"));
  box = join(dir, "box");
  release = join(dir, "release");
  mkdirSync(join(release, "dist"), { recursive: true });
  writeFileSync(join(release, "package.json"), JSON.stringify({ version: "1.2.3" }));
  writeFileSync(join(release, "dist", "cli.js"), "");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function scanvend(command: string, ...argv: readonly string[]) {
  const args = [program, command, "--destdir", box, ...argv];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status, lines: stdout.trimEnd().split("\n"), stderr };
}
const install = (...argv: readonly string[]) => scanvend("install", "--from", release, ...argv);
const read = (path: string): string => readFileSync(join(box, path), "utf8");
/** Every file and link of the box, and when it was last written. */
const picture = (): readonly (readonly [string, number])[] =>
  readdirSync(box, { recursive: true, encoding: "utf8" })
    .sort()
    .map((path) => [path, statSync(join(box, path), { throwIfNoEntry: false })?.mtimeMs ?? 0]);

test("everything is in its place, and nothing is changed by installing it again", () => {
  const first = install(...FLAGS);
  expect([first.status, first.stderr]).toEqual([0, ""]);
  expect(JSON.parse(read("etc/scanvend/controller.json"))).toEqual({
    machineId: "m-1",
    serial: "/dev/serial/by-id/usb-adapter",
    mqttUrl: "mqtts://broker.example",
    currency: "NZD",
    cloudKeys: [{ kid: "cloud-1", publicKey: { kty: "OKP", crv: "Ed25519", x: KEY } }],
    dataDir: "/var/lib/scanvend",
  });
  expect(statSync(join(box, "var/lib/scanvend")).mode & 0o777).toBe(0o700);
  expect(readlinkSync(join(box, "opt/scanvend/current"))).toBe("releases/1.2.3");
  expect(existsSync(join(box, "opt/scanvend/current/dist/cli.js"))).toBe(true);
  for (const name of ["controller", "recover"])
    expect(existsSync(join(box, `etc/systemd/system/multi-user.target.wants/scanvend-${name}.service`))).toBe(
      true,
    );
  const program = "usr/local/bin/scanvend";
  expect(read(program)).toBe('#!/bin/sh\nexec /usr/bin/node /opt/scanvend/current/dist/cli.js "$@"\n');
  expect(statSync(join(box, program)).mode & 0o777).toBe(0o755);
  expect(read("etc/udev/rules.d/60-scanvend.rules")).toContain('GROUP="dialout"');
  expect(read("etc/sysusers.d/scanvend.conf")).toContain("u scanvend ");
  const before = picture();
  const again = install();
  expect(again.status).toBe(0);
  expect(again.lines.slice(0, -1).filter((line) => !line.startsWith("is so  "))).toEqual([]);
  expect(picture()).toEqual(before);
});

test("an installation whose reader has gone is done to its end, without a word about that", async () => {
  const args = [program, "install", "--destdir", box, "--from", release, ...FLAGS];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
  const status = await new Promise((resolve) => child.once("close", resolve));
  expect([status, stderr]).toEqual([0, ""]);
  for (const name of ["controller", "recover"])
    expect(existsSync(join(box, `etc/systemd/system/multi-user.target.wants/scanvend-${name}.service`))).toBe(
      true,
    );
});

test("an image holds no key: each box makes its own", () => {
  const { lines } = install(...FLAGS);
  expect(readdirSync(join(box, "var/lib/scanvend"))).toEqual([]);
  expect(lines.at(-1)).toBe(
    "on the box itself, for its key: scanvend controller --config /etc/scanvend/controller.json --identify",
  );
});

test("a dry run says every step and takes none", () => {
  const { status, lines } = install(...FLAGS, "--dry-run");
  expect([status, existsSync(box)]).toEqual([0, false]);
  expect(lines).toHaveLength(11);
  expect(lines.filter((line) => !line.startsWith("would  "))).toEqual([]);
});

test("what cannot be right is refused, all of it at once, and nothing is written", () => {
  const { status, stderr } = install("--machine-id", "M", "--serial", "COM1", "--currency", "NZD");
  expect([status, existsSync(box)]).toEqual([2, false]);
  for (const key of [
    "machineId: must",
    "serial: must",
    "mqttUrl: is needed: --mqtt",
    "cloudKeys: is needed: --cloud-key",
  ])
    expect(stderr).toContain(`scanvend install: ${key}`);
});

test("without a terminal, all that is missing is named at once, with its flag", () => {
  const { status, stderr } = install();
  expect([status, existsSync(box), stderr.trimEnd().split("\n")]).toEqual([
    2,
    false,
    [
      "scanvend install: machineId: is needed: --machine-id",
      "scanvend install: serial: is needed: --serial",
      "scanvend install: mqttUrl: is needed: --mqtt",
      "scanvend install: currency: is needed: --currency",
      "scanvend install: cloudKeys: is needed: --cloud-key",
    ],
  ]);
});

const hasTerminal = spawnSync("script", ["--version"]).status === 0;
if (!hasTerminal) process.stdout.write("install.test.ts: the terminal tests are skipped: no script(1)\n");

/** At a real terminal: each answer is typed once its question is there. */
async function atTerminal(
  argv: readonly string[],
  answers: readonly (readonly [asked: RegExp, typed: string])[],
) {
  const args = [program, "install", "--from", release, "--destdir", box, ...argv];
  const line = [process.execPath, ...args].map((one) => `'${one}'`).join(" ");
  const child = spawn("script", ["-qefc", line, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  let [screen, from, isOver] = ["", 0, false];
  child.stdout.on("data", (bytes: Buffer) => (screen += bytes.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  void ended.then(() => (isOver = true));
  for (const [asked, typed] of answers) {
    await until(asked.source, () => Promise.resolve(isOver || asked.test(screen.slice(from))), 30_000);
    from = screen.length;
    child.stdin.write(typed);
  }
  const status = await ended;
  return { status, screen: screen.replaceAll("\r\n", "\n") };
}

test.skipIf(!hasTerminal)(
  "at a terminal it asks for what is missing, again where the answer is wrong",
  async () => {
    mkdirSync(join(box, "dev/serial/by-id"), { recursive: true });
    writeFileSync(join(box, "dev/serial/by-id/usb-Qibixx_MDB-HAT_0-if00"), "");
    const { status, screen } = await atTerminal(
      ["--currency", "NZD"],
      [
        [/Id of this machine/, "M 17\n"],
        [/machineId: must .*\r\nId of this machine/, "m-17\n"],
        [/ {2}1 {2}\/dev\/serial\/by-id\/usb-Qibixx_MDB-HAT_0-if00\r\n.*Where is the adapter/, "2\n"],
        [/serial: .*\r\nWhere is the adapter/, "1\n"],
        [/Address of the broker/, "mqtts://broker.example\n"],
        [/key of the cloud/, `cloud-1:${KEY}\n`],
      ],
    );
    expect(status, screen).toBe(0);
    expect(screen).not.toContain("Currency");
    expect(JSON.parse(read("etc/scanvend/controller.json"))).toMatchObject({
      machineId: "m-17",
      serial: "/dev/serial/by-id/usb-Qibixx_MDB-HAT_0-if00",
      mqttUrl: "mqtts://broker.example",
      currency: "NZD",
      cloudKeys: [{ kid: "cloud-1", publicKey: { kty: "OKP", crv: "Ed25519", x: KEY } }],
    });
  },
);

test.skipIf(!hasTerminal)(
  "whoever ends the terminal's input there is told what is still missing",
  async () => {
    const { status, screen } = await atTerminal(
      [],
      [
        [/Id of this machine/, "m-17\n"],
        [/No adapter is plugged in.*Where is the adapter/s, "\u0004"],
      ],
    );
    expect([status, existsSync(box)]).toEqual([2, false]);
    expect(screen).toContain("scanvend install: serial: is needed: --serial");
    expect(screen).not.toContain("machineId: is needed");
  },
);

test.skipIf(!hasTerminal)("what is wrong in the flags is said before anything is asked", async () => {
  const { status, screen } = await atTerminal(["--driver", "nayax"], []);
  expect([status, screen.includes("Id of this machine")]).toEqual([2, false]);
  expect(screen).toContain("scanvend install: driver: ");
});

test("a flag changes its key of the configuration that is there, and the release that runs stays", () => {
  install(...FLAGS);
  writeFileSync(join(release, "package.json"), JSON.stringify({ version: "1.3.0" }));
  expect(install("--serial", "/dev/ttyACM0").status).toBe(0);
  expect(JSON.parse(read("etc/scanvend/controller.json"))).toMatchObject({
    machineId: "m-1",
    serial: "/dev/ttyACM0",
  });
  expect(readdirSync(join(box, "opt/scanvend/releases"))).toEqual(["1.2.3", "1.3.0"]);
  expect(readlinkSync(join(box, "opt/scanvend/current"))).toBe("releases/1.2.3");
});

test("the keys that may sign a release are there for the update, and what are none is refused", () => {
  const keys = join(dir, "keys.json");
  const publicKey = { kty: "OKP", crv: "Ed25519", x: KEY };
  writeFileSync(keys, JSON.stringify({ keys: [{ kid: "r1", publicKey }] }));
  expect(install(...FLAGS, "--release-keys", keys).status).toBe(0);
  expect(JSON.parse(read("etc/scanvend/release-keys.json"))).toEqual({ keys: [{ kid: "r1", publicKey }] });
  writeFileSync(keys, "{}");
  const { status, stderr } = install(...FLAGS, "--release-keys", keys);
  expect([status, stderr]).toEqual([
    2,
    expect.stringContaining(`--release-keys ${keys}: holds no public keys`),
  ]);
});

test("another root and another Node are in the unit, and systemd reads it", () => {
  install(...FLAGS, "--root", "/srv/vend", "--node", process.execPath);
  const unit = join(box, "etc/systemd/system/scanvend-controller.service");
  const text = readFileSync(unit, "utf8");
  expect(text).toContain(`ExecStart=${process.execPath} `);
  expect(text).toContain(" /srv/vend/current/dist/cli.js controller ");
  expect(text).not.toContain("/opt/scanvend");
  const verified = spawnSync("systemd-analyze", ["verify", "--man=no", unit], { encoding: "utf8" });
  if (verified.error === undefined) expect(verified.stderr).not.toContain("scanvend-controller.service:");
});

test("an update that was cut off is looked for where the releases are", () => {
  install(...FLAGS);
  const commands = (): readonly string[] =>
    read("etc/systemd/system/scanvend-recover.service")
      .split("\n")
      .filter((line) => line.startsWith("ExecStart="));
  expect(commands()).toEqual([
    "ExecStart=-/usr/bin/node /opt/scanvend/previous/dist/cli.js update --recover --root /opt/scanvend",
    "ExecStart=/usr/bin/node /opt/scanvend/current/dist/cli.js update --recover --root /opt/scanvend",
  ]);
  install("--root", "/srv/vend/");
  expect(commands()).toEqual([
    "ExecStart=-/usr/bin/node /srv/vend/previous/dist/cli.js update --recover --root /srv/vend",
    "ExecStart=/usr/bin/node /srv/vend/current/dist/cli.js update --recover --root /srv/vend",
  ]);
  expect(read("etc/systemd/system/scanvend-recover.service")).not.toContain("/opt/scanvend");
});

test.each(["--root", "--node"])("a %s that a unit would read as something else is refused", (flag) => {
  for (const path of ["/srv/my vend", "/srv/100%", "/srv/$HOME", "/srv/a'b", "/srv/a\\b"]) {
    const { status, stderr } = install(...FLAGS, flag, path);
    expect([status, existsSync(box)]).toEqual([2, false]);
    expect(stderr).toBe(
      `scanvend install: ${flag} ${path}: may have letters, digits and / . _ - + @ : only; move it to such a place, or link one to it\n`,
    );
  }
});

test("taken away, the configuration, the key and the journal are kept", () => {
  install(...FLAGS);
  writeFileSync(join(box, "var/lib/scanvend/journal.db"), "journal");
  const { status, lines } = scanvend("uninstall");
  expect(status).toBe(0);
  expect(lines.at(-1)).toMatch(/^kept: .*controller\.json, .*scanvend$/);
  expect(read("var/lib/scanvend/journal.db")).toBe("journal");
  expect(existsSync(join(box, "etc/scanvend/controller.json"))).toBe(true);
  expect(existsSync(join(box, "etc/systemd/system/scanvend-controller.service"))).toBe(false);
  for (const path of ["opt/scanvend/current", "usr/local/bin/scanvend"])
    expect(existsSync(join(box, path))).toBe(false);
  expect(scanvend("uninstall").status).toBe(0);
});
