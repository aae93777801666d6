/**
 * Loaded into a controller that is measured (`node --import`): when a line or a message arrived at its own sockets, and when the
 * answer had been handed to the kernel. What lies between is the controller's; the way there and back is the computer's.
 *
 * Writes what it saw to the file `SCANVEND_BENCH_EDGES` names, when the process ends.
 */
import { writeFileSync } from "node:fs";
import { Socket } from "node:net";

export type Edges = {
  readonly approvalsMs: readonly number[];
  readonly sessionsMs: readonly number[];
  /** The approvals again, up to where their handing over began: nobody can have heard one before. */
  readonly approvalsBegunMs: readonly number[];
};

type Patched = {
  push: (this: Socket, chunk: unknown, encoding?: BufferEncoding) => boolean;
  _write: (
    this: Socket,
    chunk: unknown,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ) => void;
};

const file = process.env["SCANVEND_BENCH_EDGES"];
if (file !== undefined) watch(file);

function watch(path: string): void {
  const seen = { approvalsMs: [] as number[], sessionsMs: [] as number[], approvalsBegunMs: [] as number[] };
  let [requestMs, goMs] = [NaN, NaN];

  const arrives = (chunk: unknown): void => {
    if (holds(chunk, "c,STATUS,VEND")) requestMs = performance.now();
    else if (holds(chunk, "/go")) goMs = performance.now();
  };
  const leaves = (chunk: unknown): void => {
    if (holds(chunk, "C,VEND")) seen.approvalsBegunMs.push(performance.now() - requestMs);
  };
  const left = (chunk: unknown): void => {
    if (holds(chunk, "C,VEND")) seen.approvalsMs.push(performance.now() - requestMs);
    else if (holds(chunk, "C,START")) seen.sessionsMs.push(performance.now() - goMs);
  };
  const holds = (chunk: unknown, text: string): boolean =>
    (typeof chunk === "string" || Buffer.isBuffer(chunk)) && chunk.includes(text);

  // The sockets are made by libraries, which know of no other class.
  const sockets: Patched = Socket.prototype;
  const { push, _write: write } = sockets;
  sockets.push = function (chunk, encoding) {
    arrives(chunk);
    return push.call(this, chunk, encoding);
  };
  sockets._write = function (chunk, encoding, done) {
    leaves(chunk);
    write.call(this, chunk, encoding, done);
    left(chunk);
  };
  process.on("exit", () => writeFileSync(path, JSON.stringify(seen)));
}
