/** Runs the tests on PostgreSQL, or, where it could not be started, marks them as skipped before any of them begins. */
import { inject, TestRunner, type RunnerTestFile } from "vitest";

export default class extends TestRunner {
  onCollected(files: RunnerTestFile[]): void {
    if (inject("postgresUrl") === "") for (const file of files) file.mode = "skip";
  }
}
