/**
 * How often an account may ask, and an address.
 *
 * Promises  every request is charged to the account whose key it came with, whichever of its keys that is; past the account's
 *           number within a minute it is refused, with the seconds to wait. Requests without a good key are counted by
 *           address: past the number they are refused the same way, and a good key from the same address still works.
 *           What needs no key is counted by address too, whatever key came with it, apart from wrong keys and by a number
 *           of its own. An IPv6 address counts as its network of 64 bits, which one host may have to itself.
 * Bounded   by COUNTED accounts and as many addresses for each of the two, the one that asked longest ago forgotten first.
 * Crash     the counts are this process's own: they begin again with it, and of several each counts for itself.
 */
import rateLimit, { type FastifyRateLimitStore } from "@fastify/rate-limit";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Clock } from "../../broker/protocol/clock.js";
import { Fault } from "../http/fault.js";
import type { Caller } from "./api-key.js";

const MINUTE_MS = 60_000;
const COUNTED = 10_000;

export type RequestLimits = {
  /** The caller, if there is one and it may ask once more. Raises UNAUTHENTICATED, RATE_LIMIT_EXCEEDED. */
  readonly admit: (request: FastifyRequest, find: () => Promise<Caller>) => Promise<Caller>;
  /** For what anyone may ask. Raises RATE_LIMIT_EXCEEDED. */
  readonly admitStranger: (request: FastifyRequest) => Promise<void>;
};

export async function makeRequestLimits(
  app: FastifyInstance,
  {
    clock,
    requestsPerMinute,
    openRequestsPerMinute,
  }: {
    readonly clock: Clock;
    readonly requestsPerMinute: number;
    readonly openRequestsPerMinute: number;
  },
): Promise<RequestLimits> {
  const callers = new WeakMap<FastifyRequest, Caller>();
  const store = class extends Minutes {
    constructor() {
      super(clock);
    }
  };
  await app.register(rateLimit, { global: false, timeWindow: MINUTE_MS, max: requestsPerMinute, store });
  const ofAccount = app.createRateLimit({
    keyGenerator: (request) => callers.get(request)?.accountId ?? "",
    max: (request) => callers.get(request)?.requestsPerMinute ?? requestsPerMinute,
  });
  const ofAddress = app.createRateLimit({});
  const ofStranger = app.createRateLimit({ max: openRequestsPerMinute });
  const count = async (limit: typeof ofAccount, request: FastifyRequest): Promise<void> => {
    const counted = await limit(request);
    if (counted.isAllowed || !counted.isExceeded) return;
    throw new Fault("RATE_LIMIT_EXCEEDED", undefined, { retryAfterMs: counted.ttl });
  };
  return {
    async admit(request, find) {
      let caller: Caller;
      try {
        caller = await find();
      } catch (error) {
        if (error instanceof Fault && error.code === "UNAUTHENTICATED") await count(ofAddress, request);
        throw error;
      }
      callers.set(request, caller);
      await count(ofAccount, request);
      return caller;
    },
    admitStranger: (request) => count(ofStranger, request),
  };
}

/** Counts within minutes of this process's own clock. */
class Minutes implements FastifyRateLimitStore {
  readonly #clock: Clock;
  readonly #counts = new Map<string, { current: number; readonly sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  incr(
    key: string,
    callback: (error: Error | null, result: { readonly current: number; readonly ttl: number }) => void,
  ): void {
    const nowMs = this.#clock.monoMs();
    const known = this.#counts.get(key);
    const isOver = known === undefined || known.sinceMs + MINUTE_MS <= nowMs;
    const count = isOver ? { current: 0, sinceMs: nowMs } : known;
    count.current += 1;
    this.#counts.delete(key); // to the end of the line
    this.#counts.set(key, count);
    if (this.#counts.size > COUNTED)
      for (const oldest of this.#counts.keys()) if (this.#counts.delete(oldest)) break;
    callback(null, { current: count.current, ttl: count.sinceMs + MINUTE_MS - nowMs });
  }

  child(): Minutes {
    return new Minutes(this.#clock);
  }
}
