/** What an update goes by: the version that a machine says, and the form of journal that it reads, are the package's. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { FORM } from "../../controller/journal/form.js";
import { VERSION } from "../../controller/version.js";

const packageFile = z.object({ version: z.string(), scanvend: z.object({ journal: z.number() }) });
const said = packageFile.parse(
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")),
);

test("the controller says the version of its package", () => {
  expect(VERSION).toBe(said.version);
});

test("the package names the form of the journal that its controller reads", () => {
  expect(said.scanvend.journal).toBe(FORM);
});
