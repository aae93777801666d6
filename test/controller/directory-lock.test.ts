/** One program a directory, also when the first one was root's. */
import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { holdDirectory, LINE_LOCK } from "../../controller/directory-lock.js";

const module = fileURLToPath(new URL("../../dist/controller/directory-lock.js", import.meta.url));
const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };

let dir = "";
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "lock-"))));
afterEach(() => rmSync(dir, { recursive: true }));

/** What another process, perhaps another user's, finds. */
function elsewhere(as: object = {}): string {
  const text = `import { holdDirectory } from ${JSON.stringify(module)};
    process.stdout.write(String(holdDirectory(${JSON.stringify(dir)}, ${JSON.stringify(LINE_LOCK)}).ok));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", text], {
    encoding: "utf8",
    ...as,
  });
  return stdout + stderr;
}

test("a directory is held by one process until it lets go, or ends", () => {
  expect(elsewhere()).toBe("true"); // and it has ended
  const held = holdDirectory(dir, LINE_LOCK);
  expect([held.ok, holdDirectory(dir, LINE_LOCK).ok, elsewhere()]).toEqual([true, false, "false"]);
  held[Symbol.dispose]();
  expect(elsewhere()).toBe("true");
});

test.skipIf(!isRoot)(
  "what root has held is the directory's own user's to hold afterwards (needs root)",
  () => {
    chownSync(dir, NOBODY.uid, NOBODY.gid);
    holdDirectory(dir, LINE_LOCK)[Symbol.dispose]();
    expect(statSync(join(dir, LINE_LOCK))).toMatchObject(NOBODY);
    expect(elsewhere(NOBODY)).toBe("true");
  },
);
