/**
 * The adapter's end of the serial line: one controller at a time, lines in, lines out.
 *
 * Promises  the newest connection wins: a controller that was killed and started again is not locked out by a socket its
 *           predecessor left half open. What the controller hears, noise and all, is what is traced.
 * Bounded   a line longer than `LINE_LIMIT` is dropped. A controller that does not read is cut off at `BACKLOG` bytes.
 */
import type { Duplex } from "node:stream";
import type { Random } from "../../broker/protocol/clock.js";
import { withNoise } from "./line-noise.js";
import { LineSplitter } from "./line-splitter.js";
import type { Trace } from "./trace.js";

const LINE_LIMIT = 256;
const BACKLOG = 64 * 1024;

/** What the machine behind the port does about it. */
export interface LineEnd {
  heard(line: string): void;
  lost(): void;
}

export class LinePort {
  readonly #end: LineEnd;
  readonly #trace: Trace;
  readonly #random: Random;
  #socket: Duplex | undefined;
  #noisy = false;
  #unplugged = false;

  constructor(end: LineEnd, trace: Trace, random: Random) {
    this.#end = end;
    this.#trace = trace;
    this.#random = random;
  }

  accept(socket: Duplex): void {
    const lines = new LineSplitter(LINE_LIMIT);
    socket.on("error", () => undefined); // `close` follows, and says all that matters
    if (this.#unplugged) {
      socket.destroy();
      return;
    }
    this.#hangUp();
    this.#socket = socket;
    this.#trace.add({ kind: "machine", what: "lineUp", detail: null });
    socket.on("data", (bytes: Uint8Array) => {
      for (const line of lines.push(bytes)) if (this.#socket === socket && line !== "") this.#heard(line);
    });
    socket.once("close", () => {
      if (this.#socket === socket) this.#hangUp();
    });
  }

  say(line: string): void {
    if (this.#socket === undefined) return; // nobody hears
    const bytes = this.#noisy ? withNoise(line, this.#random) : Buffer.from(`${line}\r\n`);
    this.#trace.add({
      kind: "serial",
      dir: "toController",
      line: Buffer.from(bytes).toString("latin1").trim(),
    });
    this.#socket.write(bytes);
    if (this.#socket.writableLength > BACKLOG) this.#hangUp();
  }

  setFaults(faults: { readonly serialNoise: boolean; readonly serialUnplugged: boolean }): void {
    this.#noisy = faults.serialNoise;
    this.#unplugged = faults.serialUnplugged;
    if (this.#unplugged) this.#hangUp();
  }

  #heard(line: string): void {
    this.#trace.add({ kind: "serial", dir: "toMachine", line });
    this.#end.heard(line);
  }

  #hangUp(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    socket.destroy();
    this.#trace.add({ kind: "machine", what: "lineDown", detail: null });
    this.#end.lost();
  }
}
