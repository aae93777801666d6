import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 90_000, // a rig says by itself, after 60 s, what it waits for
    expect: { poll: { timeout: 15_000 } },
    maxWorkers: 2,
    reporters:
      process.env.CI === "true"
        ? ["default", ["json", { outputFile: "test-results/vitest.json" }]]
        : ["default"],
  },
});
