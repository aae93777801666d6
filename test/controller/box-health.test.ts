/** What is said of the box, where it can be read and where it cannot. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { boxHealth } from "../../controller/box-health.js";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "box-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

// prettier-ignore
const sensors: readonly [said: string, temperatureC: number | undefined][] = [
  ["48312\n", 48], ["-4000\n", -4], ["999999999\n", undefined], ["hot\n", undefined],
];
for (const [said, temperatureC] of sensors) {
  test(`a sensor that says ${said.trim()} means ${temperatureC ?? "nothing"}`, () => {
    const sensor = join(dir, "temp");
    writeFileSync(sensor, said);
    expect(boxHealth(dir, sensor).temperatureC).toBe(temperatureC);
  });
}

test("what cannot be read is left out, and the rest is said", () => {
  const health = boxHealth(join(dir, "gone"), join(dir, "none"));
  expect(Object.keys(health)).toEqual(["uptimeSeconds", "boxUptimeSeconds", "residentMb"]);
});
