/**
 * Which controllers this simulator started, on disk, so that the next one can end what a killed one left behind.
 *
 * Promises  ends a process only if it is still the very command that was noted: a pid may have been given to a stranger since.
 *           Where the system does not tell commands (no /proc) nothing is ended.
 * Crash     a process that was started and not yet noted outlives its simulator. The window is the one call between.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";

/** Where the fleet notes its processes. */
export interface ProcessBook {
  note(pid: number, argv: readonly string[]): void;
  forget(pid: number): void;
}

const notes = z.array(z.object({ pid: z.int().positive(), argv: z.array(z.string()) }));

export class PidFile implements ProcessBook {
  readonly #path: string;
  readonly #noted = new Map<number, readonly string[]>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Ends what an earlier simulator left running; answers the pids. */
  endLeftovers(): readonly number[] {
    const left = this.#read().filter(({ pid, argv }) => commandOf(pid) === argv.join("\0"));
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    this.#write();
    return left.map(({ pid }) => pid);
  }

  note(pid: number, argv: readonly string[]): void {
    this.#noted.set(pid, argv);
    this.#write();
  }

  forget(pid: number): void {
    if (this.#noted.delete(pid)) this.#write();
  }

  #read(): z.infer<typeof notes> {
    const text = readText(this.#path);
    if (text === undefined) return [];
    try {
      return notes.parse(JSON.parse(text));
    } catch {
      return []; // not a file of ours: it names nobody
    }
  }

  #write(): void {
    const rows = [...this.#noted].map(([pid, argv]) => ({ pid, argv }));
    writeFileSync(`${this.#path}.new`, JSON.stringify(rows));
    renameSync(`${this.#path}.new`, this.#path);
  }
}

const commandOf = (pid: number): string | undefined => readText(`/proc/${pid}/cmdline`)?.replace(/\0$/, "");

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return undefined;
    throw error;
  }
}
