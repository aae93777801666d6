/** One of our processes under a bench: started by its command, read by its log lines, measured by what the kernel says of it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** Of Linux, on every architecture Node runs on: what /proc counts processor time in. */
const TICKS_A_SECOND = 100;

export type LogLine = Readonly<Record<string, unknown>>;

export class BenchProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** Hands on each line of its log. What it complains of on stderr is shown. */
  constructor(argv: readonly string[], onLog: (line: LogLine) => void, env: NodeJS.ProcessEnv = {}) {
    const child = spawn(process.execPath, argv, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    this.#ended = once(child, "close");
    createInterface(child.stdout).on("line", (line) => onLog(JSON.parse(line) as LogLine)); // pino writes objects
  }

  /** Seconds of processor time so far, its own and the kernel's for it. */
  cpuSeconds(): number {
    const stat = this.#proc("stat");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // proc(5): utime and stime are fields 14 and 15
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  }

  residentMb(): number {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(this.#proc("status"))?.[1]) / 1024;
  }

  /** What it has sent to the disk so far. */
  writtenKb(): number {
    return Number(/^write_bytes: (\d+)$/m.exec(this.#proc("io"))?.[1]) / 1024;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#ended;
  }

  #proc(name: string): string {
    return readFileSync(`/proc/${this.#child.pid}/${name}`, "utf8");
  }
}
