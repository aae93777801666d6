/** What the service manager is told: by the controller's own process over a real socket, and when nothing is to be said. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Notice } from "../../controller/supervision.js";
import { beginSupervision } from "../../controller/supervision.js";
import { isWritable, watchdogMs } from "../../controller/systemd.js";
import { VirtualClock } from "../simulator/virtual-clock.js";
import { until } from "./real-clock.js";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const has = (tool: string): boolean => spawnSync("which", [tool]).status === 0;
const missing = ["systemd-notify", "socat"].filter((tool) => !has(tool));

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "supervision-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function supervised(watchdog: number | undefined, works: () => boolean) {
  const clock = new VirtualClock();
  const said: Notice[] = [];
  const end = beginSupervision({ notify: (notice) => said.push(notice), watchdogMs: watchdog, works, clock });
  return { clock, said, end };
}

test("it is ready once, and beats three times in each interval for as long as it works", () => {
  let works = true;
  const { clock, said, end } = supervised(30_000, () => works);
  expect(said).toEqual(["READY=1", "WATCHDOG=1"]);
  clock.advance(20_000);
  expect(said.splice(0)).toEqual(["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
  works = false;
  clock.advance(60_000);
  expect(said).toEqual([]);
  works = true;
  clock.advance(10_000);
  expect(said.splice(0)).toEqual(["WATCHDOG=1"]);
  end();
  clock.advance(60_000);
  expect(said).toEqual(["STOPPING=1"]);
});

test("where no watchdog waits there is no beat", () => {
  const { clock, said } = supervised(watchdogMs(undefined), () => true);
  clock.advance(60_000);
  expect(said).toEqual(["READY=1"]);
  expect([watchdogMs("30000000"), watchdogMs("0"), watchdogMs("soon")]).toEqual([
    30_000,
    undefined,
    undefined,
  ]);
});

test("a journal that is gone is no disk that works", () => {
  expect(isWritable(dir)).toBe(false);
  writeFileSync(join(dir, "journal.db"), "");
  expect(isWritable(dir)).toBe(true);
  rmSync(dir, { recursive: true });
  expect(isWritable(dir)).toBe(false);
});

test.skipIf(missing.length > 0)(
  `the process says READY, beats, and says that it stops (needs systemd-notify and socat; missing: ${missing.join(" ") || "none"})`,
  { timeout: 60_000 },
  async () => {
    const socket = join(dir, "notify");
    const config = join(dir, "controller.json");
    const key = { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) };
    mkdirSync(join(dir, "data"));
    writeFileSync(
      config,
      JSON.stringify({
        machineId: "m-1",
        dataDir: "data",
        serial: "tcp://127.0.0.1:1",
        mqttUrl: "mqtt://127.0.0.1:1",
        cloudKeys: [{ kid: "k", publicKey: key }],
        currency: "NZD",
      }),
    );
    const identified = spawnSync(process.execPath, [program, "controller", "--config", config, "--identify"]);
    expect(identified.status).toBe(0);
    let heard = "";
    const listener = spawn("socat", ["-u", `UNIX-RECV:${socket}`, "-"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    listener.stdout.on("data", (bytes: Buffer) => (heard += bytes.toString()));
    await until("the socket", () => isSocket(socket));
    const controller = spawn(process.execPath, [program, "controller", "--config", config], {
      stdio: "ignore",
      env: { PATH: process.env["PATH"], NOTIFY_SOCKET: socket, WATCHDOG_USEC: "600000" },
    });
    const counted = (notice: Notice): number => heard.split(notice).length - 1;
    try {
      await until("ready, and two beats", () => counted("READY=1") === 1 && counted("WATCHDOG=1") >= 2);
      controller.kill("SIGTERM");
      await until("stopping", () => counted("STOPPING=1") === 1);
    } finally {
      controller.kill("SIGKILL");
      listener.kill();
    }
  },
);

const isSocket = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
