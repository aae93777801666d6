/** The bench runs and says what it says it says. How fast is not a test's business. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";

const program = fileURLToPath(new URL("../../dist/bench/payments.js", import.meta.url));
const run = (...args: readonly string[]) => promisify(execFile)(process.execPath, [program, ...args]);

const row = z.object({
  what: z.string(),
  requests: z.int(),
  requestsPerSecond: z.number().positive(),
  p50: z.number(),
  p99: z.number(),
  max: z.number(),
  lifecyclesPerSecond: z.number(),
});
const report = z.object({
  store: z.literal("sqlite"),
  fdatasyncMs: z.object({ p50: z.number().positive(), p99: z.number().positive() }),
  rows: z.array(row).length(5),
  ratio: z.number().positive(),
  rowsAlone: z.number().positive(),
  growth: z.array(z.object({ requests: z.number(), cpuMicros: z.number() })).min(1),
});

test(
  "measures whole lifecycles beside the bare route, and how their cost grows",
  { timeout: 120_000 },
  async () => {
    const { stdout } = await run(
      ...[
        "--store",
        "sqlite",
        "--seconds",
        "1",
        "--rounds",
        "1",
        "--connections",
        "4",
        "--grow",
        "10",
        "--json",
      ],
    );
    const [sqlite] = z.array(report).length(1).parse(JSON.parse(stdout));
    const platform = sqlite?.rows.find(({ what }) => what === "platform");
    const bare = sqlite?.rows.find(({ what }) => what === "bare route");
    expect(platform?.lifecyclesPerSecond).toBeGreaterThan(0);
    expect(bare?.lifecyclesPerSecond).toBe(0);
    expect(sqlite?.ratio).toBeCloseTo((platform?.requestsPerSecond ?? 0) / (bare?.requestsPerSecond ?? 1), 6);
    const rows = sqlite?.rows.find(({ what }) => what === "platform's rows alone");
    expect(rows?.requests).toBeGreaterThan(0);
    expect(sqlite?.rowsAlone).toBeCloseTo((rows?.requestsPerSecond ?? 0) / (bare?.requestsPerSecond ?? 1), 6);
    expect(sqlite?.growth.at(-1)?.requests).toBeGreaterThanOrEqual(10);
  },
);

test("says what it takes, and what is wrong with what it was given", async () => {
  expect((await run("--help")).stdout).toContain("--connections");
  await expect(run("--seconds", "none")).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--seconds none: must be a whole number") as unknown,
  });
});
