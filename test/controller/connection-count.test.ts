/** The count of bus connections: never the same number twice, and not the journal's to lose. */
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BATCH, connectionNumbers } from "../../controller/bus/connection-count.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "scanvend-connections-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("every connection has a number of its own, from one up, across restarts", () => {
  const first = connectionNumbers(dir);
  const seen = Array.from({ length: 3 * BATCH }, first);
  expect(seen).toEqual(Array.from({ length: 3 * BATCH }, (_, n) => n + 1));
  const again = connectionNumbers(dir)();
  expect(again).toBeGreaterThan(Math.max(...seen));
  expect(connectionNumbers(dir)()).toBeGreaterThan(again);
});

test("a write that was cut off leaves the last number in force", () => {
  connectionNumbers(dir)();
  writeFileSync(join(dir, "connections.new"), "");
  expect(connectionNumbers(dir)()).toBe(BATCH + 1);
});

test("a file that is not ours is not guessed from", () => {
  writeFileSync(join(dir, "connections"), "many");
  expect(connectionNumbers(dir)).toThrow("one whole number");
});

test.runIf(process.platform === "linux")(
  "a full disk is an error once no number is left, and leaves no file open",
  () => {
    const next = connectionNumbers(dir);
    expect(next()).toBe(1);
    symlinkSync("/dev/full", join(dir, "connections.new"));
    for (let n = 2; n <= BATCH; n += 1) expect(next()).toBe(n);
    const openFiles = (): number => readdirSync("/proc/self/fd").length;
    const before = openFiles();
    for (let tries = 0; tries < 20; tries += 1) expect(next).toThrow("ENOSPC");
    expect(openFiles()).toBeLessThan(before + 20);
  },
);
