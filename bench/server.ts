/** A server under load: a process of its own, whose processor time can be read. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Of Linux, on every architecture Node runs on: what /proc counts processor time in. */
const TICKS_A_SECOND = 100;

export class Server {
  readonly #child: ChildProcess;
  readonly url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** Runs `program` until it prints the port it listens on. */
  static async printingItsPort(program: string, ...args: readonly string[]): Promise<Server> {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    for await (const line of createInterface(child.stdout))
      return new Server(child, `http://127.0.0.1:${line}`);
    throw new Error(`${program} ended before it listened`);
  }

  /** Runs the cloud until it says that it is ready. What it logs is thrown away; what it complains of is not. */
  static async cloud(
    program: string,
    configFile: string,
    url: string,
    nodeFlags: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Server> {
    const child = spawn(process.execPath, [...nodeFlags, program, "cloud", "--config", configFile], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { PATH: process.env["PATH"], ...env },
    });
    while (child.exitCode === null && !(await isReady(url)))
      await new Promise((again) => setTimeout(again, 50));
    if (child.exitCode !== null) throw new Error(`the cloud ended with status ${child.exitCode}`);
    return new Server(child, url);
  }

  /** Seconds of processor time so far, its own and the kernel's for it; `undefined` where there is no /proc. */
  cpuSeconds(): number | undefined {
    try {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // proc(5): utime and stime are fields 14 and 15
      return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
    } catch {
      return undefined;
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.stdin?.end();
    this.#child.kill("SIGTERM");
    await ended;
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}
