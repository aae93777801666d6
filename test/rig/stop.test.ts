/** The rig leaves nothing behind, however it ends; and how it begins in a directory that is not new. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Rig, until } from "./rig.js";

for (const [signal, status] of [
  ["SIGTERM", 0],
  ["SIGKILL", null],
] as const)
  test(`after ${signal} its processes end, and nobody answers at its addresses`, async () => {
    await using rig = await Rig.start();
    const { pids } = await rig.now();
    expect(Object.keys(pids).sort()).toEqual(["broker", "cloud", "simulator"]);
    const book = readFileSync(join(rig.dir, "data", "controllers.json"), "utf8");
    const controllers = [...book.matchAll(/"pid": ?([0-9]+)/g)].map(([, pid]) => Number(pid));
    expect(controllers).toHaveLength(1);
    expect(await rig.end(signal)).toBe(status);
    await until("every process gone", () =>
      Promise.resolve([...Object.values(pids), ...controllers].every((pid) => !existsSync(`/proc/${pid}`))),
    );
    await expect(fetch(rig.file.cloudUrl)).rejects.toThrow();
    await expect(fetch(rig.file.simulatorUrl)).rejects.toThrow();
  });

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

test("a second rig in the same directory is refused, and the first goes on", async () => {
  await using rig = await Rig.start();
  const ports = ["--http-port", "0", "--sim-port", "0", "--mqtt-port", "0"];
  const data = join(rig.dir, "data");
  const second = spawnSync(process.execPath, [program, "start", "--data", data, ...ports], {
    encoding: "utf8",
  });
  expect(second).toMatchObject({ status: 2, stderr: expect.stringContaining(data) as string });
  expect(await rig.now()).toMatchObject({ cloudUrl: rig.file.cloudUrl });
  expect(await rig.machineState()).toBe("ready");
});

test("it starts again while a sale of the last run still holds the machine, whatever the shell has set", async () => {
  const { dir } = await (async () => {
    const first = await Rig.start();
    await first.begin("400");
    await first.end("SIGTERM");
    return first;
  })();
  const env = {
    DATABASE_URL: "postgres://elsewhere/db",
    PUBLIC_URL: "https://elsewhere.example",
    MQTT_URL: "mqtt://elsewhere",
  };
  await using again = await Rig.start({ dir, env });
  expect(await again.machineState()).toBe("busy");
});
