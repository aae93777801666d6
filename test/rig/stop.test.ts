/** The rig leaves nothing behind, however it ends. */
import { existsSync } from "node:fs";
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
    expect(await rig.end(signal)).toBe(status);
    await until("every process gone", () =>
      Promise.resolve(Object.values(pids).every((pid) => !existsSync(`/proc/${pid}`))),
    );
    await expect(fetch(rig.file.cloudUrl)).rejects.toThrow();
    await expect(fetch(rig.file.simulatorUrl)).rejects.toThrow();
  });
