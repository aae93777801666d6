/**
 * The adapter's end of the serial line: one controller at a time, lines in, lines out.
 *
 * Promises  the newest connection wins: a controller that was killed and started again is not locked out by a socket its
 *           predecessor left half open. What the controller hears, noise and all, is what is traced.
 * Bounded   lines by their framing. A controller that does not read is cut off at `BACKLOG` bytes.
 */
import type { Duplex } from "node:stream";
import type { Random } from "../../broker/protocol/clock.js";
import type { LineFraming } from "./line-framing.js";
import { withNoise } from "./line-noise.js";
import type { Trace } from "./trace.js";

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
  readonly #framing: LineFraming;
  #socket: Duplex | undefined;
  #noisy = false;
  #unplugged = false;

  constructor(end: LineEnd, trace: Trace, random: Random, framing: LineFraming) {
    this.#end = end;
    this.#trace = trace;
    this.#random = random;
    this.#framing = framing;
  }

  accept(socket: Duplex): void {
    const lines = this.#framing.splitter();
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
    const { before, after } = this.#framing;
    const bytes = this.#noisy
      ? withNoise(line, this.#random, this.#framing)
      : Buffer.from(`${before}${line}${after}`);
    this.#trace.add({
      kind: "serial",
      dir: "toController",
      line: Buffer.from(bytes)
        .toString("latin1")
        .replaceAll(/[\u0002\u0003]/g, "")
        .trim(),
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
