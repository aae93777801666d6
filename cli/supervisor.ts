/**
 * Keeps the rig's processes running, as an operating system's service manager would.
 *
 * Promises  a process that ends by itself (or is killed) is started again, at once at first and then ever more slowly;
 *           `stop` ends them all and waits.
 * Crash     each child holds a channel to us and ends when it closes, so nothing outlives a killed rig.
 */
import { fork, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";

import { ENVIRONMENT, SECRET_ENVIRONMENT } from "../cloud/configuration.js";

export type Service = { readonly name: string; readonly args: readonly string[]; readonly logFile: string };

const FIRST_AGAIN_MS = 100;
const SLOWEST_AGAIN_MS = 5_000;
const STEADY_MS = 10_000;
const STOP_MS = 5_000;

/** A rig decides its own addresses and secrets: what a shell has set for a server of its own is not for these. */
function surroundings(): NodeJS.ProcessEnv {
  const own = new Set([...Object.keys(ENVIRONMENT), ...Object.keys(SECRET_ENVIRONMENT)]);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.has(name)));
}

export class Supervisor {
  readonly #program: string;
  readonly #changed: (pids: Readonly<Record<string, number>>) => void;
  readonly #say: (line: string) => void;
  readonly #running = new Map<string, ChildProcess>();
  #stopping = false;

  /** `program` is run with a service's arguments; `changed` is told the process ids whenever one is new. */
  constructor(
    program: string,
    changed: (pids: Readonly<Record<string, number>>) => void,
    say: (line: string) => void,
  ) {
    this.#program = program;
    this.#changed = changed;
    this.#say = say;
  }

  start(service: Service, againMs = FIRST_AGAIN_MS): void {
    const log = openSync(service.logFile, "a");
    const child = fork(this.#program, [...service.args], {
      stdio: ["ignore", log, log, "ipc"],
      env: surroundings(),
    });
    closeSync(log); // the child has its own
    const startedMs = performance.now();
    this.#running.set(service.name, child);
    this.#changed(this.pids());
    child.once("exit", (status, signal) => {
      this.#running.delete(service.name);
      if (this.#stopping) return;
      const steady = performance.now() - startedMs > STEADY_MS;
      const waitMs = steady ? FIRST_AGAIN_MS : againMs;
      this.#say(
        `${service.name} ended (${signal ?? `status ${String(status)}`}); starting it again. Its log: ${service.logFile}`,
      );
      setTimeout(() => {
        if (!this.#stopping) this.start(service, Math.min(waitMs * 2, SLOWEST_AGAIN_MS));
      }, waitMs);
    });
  }

  pids(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.#running].flatMap(([name, { pid }]) => (pid === undefined ? [] : [[name, pid]])),
    );
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      [...this.#running.values()].map(
        (child) =>
          new Promise<void>((resolve) => {
            const hard = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
            child.once("exit", () => {
              clearTimeout(hard);
              resolve();
            });
            child.kill("SIGTERM");
          }),
      ),
    );
  }
}
