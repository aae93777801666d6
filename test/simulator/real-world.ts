/** The real clock and chance, as main.ts builds them, for tests over real sockets and processes. */
import { randomBytes } from "node:crypto";
import type { Clock, Random } from "../../broker/protocol/clock.js";

export const realClock: Clock = {
  nowMs: () => Date.now(),
  monoMs: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

export const realRandom: Random = {
  bytes: (count) => randomBytes(count),
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
};
