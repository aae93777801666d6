/** The count of bus connections: never the same number twice, and not the journal's to lose. */
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nextConnection } from "../../controller/bus/connection-count.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "scanvend-connections-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("every connection has a number of its own, from one up", () => {
  expect([nextConnection(dir), nextConnection(dir), nextConnection(dir)]).toEqual([1, 2, 3]);
});

test("a write that was cut off leaves the last number in force", () => {
  nextConnection(dir);
  writeFileSync(join(dir, "connections.new"), "");
  expect(nextConnection(dir)).toBe(2);
});

test("a file that is not ours is not guessed from", () => {
  writeFileSync(join(dir, "connections"), "many");
  expect(() => nextConnection(dir)).toThrow("one whole number");
});

test.runIf(process.platform === "linux")("a full disk is an error, and leaves no file open", () => {
  symlinkSync("/dev/full", join(dir, "connections.new"));
  const openFiles = (): number => readdirSync("/proc/self/fd").length;
  const before = openFiles();
  for (let tries = 0; tries < 20; tries += 1) expect(() => nextConnection(dir)).toThrow("ENOSPC");
  expect(openFiles()).toBeLessThan(before + 20);
});
