/** The bench sells and says what it says it says. How fast is not a test's business; how many commits a sale takes is. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";

const program = fileURLToPath(new URL("../../dist/bench/machine.js", import.meta.url));
const run = (...args: readonly string[]) => promisify(execFile)(process.execPath, [program, ...args]);

const spread = z.object({ p50: z.number().positive(), p99: z.number().positive() });
const report = z.object({
  figures: z.array(
    z.object({ what: z.string(), value: z.number(), limit: z.number().positive(), unit: z.string() }),
  ),
  commitMs: spread,
  approvalMs: spread,
  approvalBegunMs: spread,
  sessionMs: spread,
  there: z.object({ approvalMs: spread, sessionMs: spread }),
  commitsPerSale: z.number(),
  writtenKbPerSale: z.number().positive(),
  samples: z.array(
    z.object({ sales: z.int(), residentMb: z.number().positive(), journalKb: z.number().positive() }),
  ),
});
/** What it printed; a figure past its limit ends it with 1, and it prints all the same. */
const printed = z.object({ code: z.literal(1).optional(), stdout: z.string() });

test(
  "sells through a real controller, and holds each figure against its limit",
  { timeout: 120_000 },
  async () => {
    const asked = ["--sales", "6", "--starts", "1", "--idle", "1", "--json"];
    const { code, stdout } = printed.parse(await run(...asked).catch((error: unknown) => error));
    const said = report.parse(JSON.parse(stdout));
    expect(said.figures.map(({ what }) => what)).toEqual([
      "VEND REQUEST to approval, p50",
      "VEND REQUEST to approval, p99",
      "go to session, p50",
      "go to session, p99",
      "start to ready to sell",
      "idle, of one core",
      "resident after the month",
      "growth over its last two thirds",
    ]);
    expect(said.figures[0]?.value).toBe(said.approvalMs.p50);
    // With the way there and back in it. (An approval can be heard before its writer has the processor again, but not before it wrote.)
    expect(said.there.approvalMs.p50).toBeGreaterThan(said.approvalBegunMs.p50);
    expect(said.approvalMs.p50).toBeGreaterThan(said.approvalBegunMs.p50);
    expect(said.figures[0]?.limit).toBeCloseTo(1.5 * said.commitMs.p50, 9);
    expect(code === 1).toBe(said.figures.some(({ value, limit }) => value > limit));
    expect(said.samples.map(({ sales }) => sales)).toEqual([1, 2, 3, 4, 5, 6]);
    // accepted, opened, approved, and the result with the close; what is heard is forgotten with one of them.
    expect(said.commitsPerSale).toBeGreaterThanOrEqual(4);
    expect(said.commitsPerSale).toBeLessThan(4.1);
  },
);

test("says what it takes, and what is wrong with what it was given", async () => {
  expect((await run("--help")).stdout).toContain("--sales");
  await expect(run("--idle", "none")).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--idle none: must be a whole number") as unknown,
  });
});
