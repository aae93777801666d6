/** A process that has had a PostgreSQL server to itself still says how it went. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const built = fileURLToPath(new URL("../../dist/test/store/local-postgres.js", import.meta.url));

test.each([0, 1, 3])("a process that is to end with %d does", (status) => {
  const script = `await import(${JSON.stringify(built)}); process.exitCode = ${status};`;
  const { status: ended, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script]);
  expect([ended, stderr.toString()]).toEqual([status, ""]);
});
