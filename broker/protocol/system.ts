/** The computer's own time and chance, for whoever is not simulated: each `main.ts` hands these on. */
import { randomBytes, randomFillSync } from "node:crypto";
import type { Clock, Random } from "./clock.js";

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monoMs: () => performance.now(),
  after: (ms, act) => {
    if (ms <= 0) {
      // A timer of 0 rings after a whole millisecond, and the first immediate before anything more is read.
      let turn = setImmediate(() => (turn = setImmediate(act)));
      return () => clearImmediate(turn);
    }
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

/** Asking the system for 25 bytes costs as much as asking for this many. */
const DRAWN = 4096;
const drawn = Buffer.alloc(DRAWN);
let used = DRAWN;

export const systemRandom: Random = {
  bytes(count) {
    if (count > DRAWN) return randomBytes(count);
    if (used + count > DRAWN) {
      randomFillSync(drawn);
      used = 0;
    }
    const bytes = Uint8Array.prototype.slice.call(drawn, used, used + count);
    drawn.fill(0, used, used + count); // given out once, and kept by nobody else
    used += count;
    return bytes;
  },
  fraction: () => Math.random(),
};
