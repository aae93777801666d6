/** The version that a machine says is the package's: a release is told apart by it. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { VERSION } from "../../controller/version.js";

test("the controller says the version of its package", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  expect(VERSION).toBe(z.object({ version: z.string() }).parse(JSON.parse(text)).version);
});
