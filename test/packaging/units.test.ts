/** The unit files as systemd reads them, and as the rest of the product counts on them. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CONTROLLER_NODE_FLAGS } from "../../cli/node-flags.js";

const LASTING = ["controller", "broker", "cloud"] as const;
const pathOf = (name: string): string =>
  fileURLToPath(new URL(`../../packaging/systemd/scanvend-${name}.service`, import.meta.url));
const analyze = (...args: readonly string[]) => spawnSync("systemd-analyze", args, { encoding: "utf8" });
const missing = analyze("--version").status === 0 ? "" : ": no systemd-analyze here";

for (const name of [...LASTING, "recover"]) {
  test.skipIf(missing !== "")(`systemd finds nothing wrong with the ${name}'s unit${missing}`, () => {
    const dir = mkdtempSync(join(tmpdir(), "units-"));
    const here = join(dir, `scanvend-${name}.service`);
    // verify asks whether the program is there, which on this computer it need not be
    writeFileSync(here, readFileSync(pathOf(name), "utf8").replace("/usr/bin/node", process.execPath));
    const { status, stderr } = analyze("verify", "--man=no", here);
    rmSync(dir, { recursive: true });
    expect([status, stderr.split("\n").filter((line) => line.includes("scanvend-"))]).toEqual([0, []]);
  });
}

for (const name of LASTING) {
  test.skipIf(missing !== "")(`the ${name} is locked in: an exposure of less than 2 of 10${missing}`, () => {
    const { status, stdout } = analyze("security", "--offline=true", "--threshold=20", pathOf(name));
    expect(stdout).toContain("Overall exposure level");
    expect(status).toBe(0);
  });
}

test("the controller's unit starts Node as the bench does", () => {
  const unit = readFileSync(pathOf("controller"), "utf8");
  expect(unit).toContain(
    `ExecStart=/usr/bin/node ${CONTROLLER_NODE_FLAGS.join(" ")} /opt/scanvend/current/dist/cli.js`,
  );
});
