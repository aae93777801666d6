/**
 * How often anybody may ask within a minute: counted, and past the number refused with the seconds to wait.
 *
 * Promises  what needs no key is counted by address, whatever key came with it, all of it that this process serves together.
 *           An IPv6 address counts as its network of 64 bits, which one host may have to itself.
 * Bounded   in those who ask by their counts.
 * Crash     the counts are this process's own: they begin again with it, and of several each counts for itself.
 */
import rateLimit, { type FastifyRateLimitStore } from "@fastify/rate-limit";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { Fault } from "./fault.js";
import { WindowCounts } from "./window-counts.js";

/** A clock that nobody sets. */
type Clock = { readonly monoMs: () => number };

const MINUTE_MS = 60_000;

/** Counts one request, and answers as whose. Raises RATE_LIMIT_EXCEEDED. */
export type Count = (request: FastifyRequest) => Promise<string>;
export type RequestCounts = {
  /** A count of its own, by address or by what `by` says. */
  readonly count: (how: {
    readonly max: number | ((request: FastifyRequest) => number);
    readonly by?: (request: FastifyRequest) => string;
  }) => Count;
  /** For what anyone may ask. */
  readonly admitStranger: Count;
};

/** Once for a server, before its routes. */
export async function makeRequestCounts(
  app: FastifyInstance,
  { clock, openRequestsPerMinute }: { readonly clock: Clock; readonly openRequestsPerMinute: number },
): Promise<RequestCounts> {
  const store = class extends Minutes {
    constructor() {
      super(clock);
    }
  };
  await app.register(rateLimit, { global: false, timeWindow: MINUTE_MS, store });
  const count: RequestCounts["count"] = ({ max, by }) => {
    const limit = app.createRateLimit({ max, ...(by === undefined ? {} : { keyGenerator: by }) });
    return async (request) => {
      const counted = await limit(request);
      if (counted.isAllowed || !counted.isExceeded) return counted.key;
      throw new Fault("RATE_LIMIT_EXCEEDED", undefined, { retryAfterMs: counted.ttl });
    };
  };
  return { count, admitStranger: count({ max: openRequestsPerMinute }) };
}

/** Counts, as the plugin wants it. */
class Minutes implements FastifyRateLimitStore {
  readonly #clock: Clock;
  readonly #counts: WindowCounts;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#counts = new WindowCounts(clock, MINUTE_MS);
  }

  incr(
    key: string,
    callback: (error: Error | null, result: { readonly current: number; readonly ttl: number }) => void,
  ): void {
    const { count: current, leftMs: ttl } = this.#counts.add(key);
    callback(null, { current, ttl });
  }

  child(): Minutes {
    return new Minutes(this.#clock);
  }
}
