/**
 * One machine's controller: a real process with a power switch.
 *
 * Promises  while the power is on it is running, or about to be: one that ends by itself is started again, later each time,
 *           as a box's service manager would. Power off is SIGKILL, and answers when the process is gone.
 * Never     talks to it but by signals. Its journal lines are copied from its log to the trace, everything goes to the log file.
 * Bounded   a log line longer than `LINE_LIMIT` is not looked at.
 */
import type { Writable } from "node:stream";
import { z } from "zod";
import type { Clock } from "../../broker/protocol/clock.js";
import { LineSplitter } from "../machine/line-splitter.js";
import type { Trace } from "../machine/trace.js";
import type { Child, Exit, Spawn } from "./child.js";
import type { ProcessBook } from "./pid-file.js";

const LINE_LIMIT = 64 * 1024;
const FIRST_AGAIN_MS = 500;
const LAST_AGAIN_MS = 30_000;
/** Having run this long, it counts as well again. */
const SETTLED_MS = 10_000;
/** How long a controller may take to end in good order. */
const GRACE_MS = 3_000;

export type ControllerParts = {
  readonly argv: readonly string[];
  readonly spawn: Spawn;
  readonly book: ProcessBook;
  readonly log: Writable | undefined;
  readonly clock: Clock;
  readonly trace: Trace;
};
type Running = { readonly child: Child; readonly sinceMs: number };

export class ControllerProcess implements AsyncDisposable {
  readonly #parts: ControllerParts;
  #powered = false;
  #running: Running | undefined;
  #againMs = FIRST_AGAIN_MS;
  #stopTimer: () => void = () => undefined;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
  }

  get powered(): boolean {
    return this.#powered;
  }

  powerOn(): void {
    if (this.#powered) return;
    this.#powered = true;
    this.#againMs = FIRST_AGAIN_MS;
    if (this.#running === undefined) this.#start(); // else the last one is still dying, and its end starts the next
  }

  async powerOff(): Promise<void> {
    this.#switchOff();
    const running = this.#running;
    running?.child.kill("SIGKILL");
    await running?.child.exited;
  }

  /** Ends it in good order, or after a while without. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#switchOff();
    const child = this.#running?.child;
    if (child === undefined) return;
    child.kill("SIGTERM");
    const stopGrace = this.#parts.clock.after(GRACE_MS, () => child.kill("SIGKILL"));
    await child.exited;
    stopGrace();
  }

  #switchOff(): void {
    this.#powered = false;
    this.#stopTimer();
  }

  #start(): void {
    const { argv, spawn, book, log, clock, trace } = this.#parts;
    const child = spawn(argv);
    const running: Running = { child, sinceMs: clock.monoMs() };
    this.#running = running;
    if (child.pid !== undefined) book.note(child.pid, argv);
    trace.add({ kind: "process", what: "started", detail: { pid: child.pid ?? null } });
    eachLine(child.stdout, (line) => {
      const entry = journalEntry(line);
      if (entry !== undefined) trace.add({ kind: "journal", entry });
    });
    eachLine(child.stderr, (line) => trace.add({ kind: "process", what: "stderr", detail: { line } }));
    if (log !== undefined) {
      child.stdout.pipe(log, { end: false });
      child.stderr.pipe(log, { end: false });
    }
    void child.exited.then((exit) => this.#ended(running, exit));
  }

  #ended({ child, sinceMs }: Running, exit: Exit): void {
    const { book, clock, trace } = this.#parts;
    this.#running = undefined;
    if (child.pid !== undefined) book.forget(child.pid);
    const againMs = this.#powered ? this.#nextAgainMs(clock.monoMs() - sinceMs) : null;
    trace.add({ kind: "process", what: "ended", detail: { pid: child.pid ?? null, ...exit, againMs } });
    if (againMs !== null) this.#stopTimer = clock.after(againMs, () => this.#start());
  }

  #nextAgainMs(ranMs: number): number {
    if (ranMs >= SETTLED_MS) this.#againMs = FIRST_AGAIN_MS;
    const againMs = this.#againMs;
    this.#againMs = Math.min(2 * againMs, LAST_AGAIN_MS);
    return againMs;
  }
}

function eachLine(from: Child["stdout"], take: (line: string) => void): void {
  const lines = new LineSplitter(LINE_LIMIT);
  from.on("data", (bytes: Uint8Array) => {
    for (const line of lines.push(bytes)) if (line !== "") take(line);
  });
}

const journalLog = z.object({ msg: z.literal("journal"), entry: z.unknown() });

/** The entry of a log line that tells of the journal, as the controller logs each one it has written. */
function journalEntry(line: string): unknown {
  try {
    return journalLog.safeParse(JSON.parse(line)).data?.entry;
  } catch {
    return undefined; // a line for people
  }
}
