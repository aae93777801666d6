import { defineConfig } from "vitest/config";

// Taken out of the environment: the processes that tests start are told their database by the test.
const givenPostgres = process.env.DATABASE_URL ?? "";
delete process.env.DATABASE_URL;

const onPostgresOnly = ["test/**/*.postgres.test.ts"];
const onSqliteOnly = ["test/**/*.sqlite.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 90_000, // a rig says by itself, after 60 s, what it waits for
    expect: { poll: { timeout: 15_000 } },
    maxWorkers: 2,
    reporters:
      process.env.CI === "true"
        ? ["default", ["json", { outputFile: "test-results/vitest.json" }]]
        : ["default"],
    // Whatever keeps rows is tested on both stores by the same files.
    projects: [
      {
        extends: true,
        test: {
          name: "sqlite",
          include: ["test/**/*.test.ts"],
          exclude: onPostgresOnly,
          provide: { store: "sqlite" },
        },
      },
      {
        extends: true,
        test: {
          name: "postgres",
          include: ["test/{store,payments,vending}/**/*.test.ts"],
          exclude: onSqliteOnly,
          provide: { store: "postgres", givenPostgres },
          globalSetup: "test/store/postgres-server.ts",
          runner: "test/store/postgres-runner.ts",
        },
      },
    ],
  },
});
