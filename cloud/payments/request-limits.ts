/**
 * How often an account may ask, and an address without a good key.
 *
 * Promises  every request is charged to the account whose key it came with, whichever of its keys that is; past the account's
 *           number within a minute it is refused, with the seconds to wait. Requests without a good key are counted by
 *           address, apart from what needs no key: past the number they are refused the same way, and a good key from the same
 *           address still works.
 */
import type { FastifyRequest } from "fastify";
import { Fault } from "../http/fault.js";
import type { RequestCounts } from "../http/request-counts.js";
import type { Caller } from "./api-key.js";

/** The caller, if there is one and it may ask once more. Raises UNAUTHENTICATED, RATE_LIMIT_EXCEEDED. */
export type Admit = (request: FastifyRequest, find: () => Promise<Caller>) => Promise<Caller>;

export function requestLimits({ count }: RequestCounts, requestsPerMinute: number): Admit {
  const callers = new WeakMap<FastifyRequest, Caller>();
  const ofAccount = count({
    by: (request) => callers.get(request)?.accountId ?? "",
    max: (request) => callers.get(request)?.requestsPerMinute ?? requestsPerMinute,
  });
  const ofAddress = count({ max: requestsPerMinute });
  return async (request, find) => {
    let caller: Caller;
    try {
      caller = await find();
    } catch (error) {
      if (error instanceof Fault && error.code === "UNAUTHENTICATED") await ofAddress(request);
      throw error;
    }
    callers.set(request, caller);
    await ofAccount(request);
    return caller;
  };
}
