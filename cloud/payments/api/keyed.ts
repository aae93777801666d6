/** A route that wants to know who is calling: the key is looked up first, and without a good one nothing else happens. */
import type { FastifyRequest, RouteHandlerMethod } from "fastify";
import type { Reader } from "../../store/store.js";
import { findCaller, type Caller } from "../api-key.js";

export type Keyed = (
  handle: (caller: Caller, request: FastifyRequest) => Promise<object>,
) => RouteHandlerMethod;

export const makeKeyed =
  (read: Reader): Keyed =>
  (handle) =>
  async (request) =>
    handle(await findCaller(read, request.headers["x-api-key"]), request);
