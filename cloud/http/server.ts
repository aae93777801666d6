/**
 * The HTTP conventions both services keep: strict JSON bodies, errors in one form, unknown routes 404, no coercion.
 *
 * Never coerces: Fastify's own validator would turn `true` into 1 and `"1e2"` into 100, so it is not used; every body,
 * parameter and query is read with a zod schema through {@link read}.
 */
import { fastifySSE } from "@fastify/sse";
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
} from "fastify";
import type { z } from "zod";
import { Fault, toBody, type FaultCode } from "./fault.js";
import { wrongJson } from "./json.js";
import { StoreBusy, StoreFailed, StoreUncertain } from "../store/store.js";

/** A payment request with 500 line items is under 100 KB. */
const BODY_LIMIT_BYTES = 256 * 1024;
/** Whoever takes longer to say what they want is not a phone with a bad line. */
const REQUEST_WITHIN_MS = 30_000;
/** An `externalRef` of 255 characters, each escaped as up to nine. The schemas bound what comes out. */
const PARAM_LIMIT = 9 * 255;

/**
 * Server-sent events are there for any route that says `sse`. A request's `ip` is that of whoever connects, or, where that is
 * a trusted proxy, the last address that no trusted proxy wrote: a client cannot make one up.
 */
export async function makeServer(
  logger: FastifyBaseLogger,
  newRequestId: () => string,
  trustedProxies: readonly string[] = [],
): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_WITHIN_MS,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    genReqId: newRequestId,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: PARAM_LIMIT },
    // An address that no router can read never reaches a route, nor the handlers below.
    frameworkErrors: (error, _request, reply) => {
      const answer = toBody(asFault(error));
      void (reply as FastifyReply).code(answer.statusCode).send(answer); // whatever route it was not meant for
    },
  });
  // Clients say that they send JSON even where they send nothing: a void has no body.
  const parse = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser<string>("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") {
      done(null, undefined);
      return;
    }
    const wrong = wrongJson(body);
    if (wrong === undefined) void parse(request, body, done);
    else done(new Fault("MALFORMED", wrong), undefined);
  });
  // Nothing but JSON is read. Nothing at all is nothing in any type: some clients name one where they send no body.
  app.removeContentTypeParser("text/plain");
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
    done(body.length === 0 ? null : new Fault("UNSUPPORTED_MEDIA_TYPE"), undefined);
  });
  // A route's schemas are zod's. What a route answers is its own business: the document says it, and the tests hold it to that.
  app.setValidatorCompiler<z.ZodType>(({ schema }) => (input: unknown) => {
    try {
      return { value: read(schema, input) };
    } catch (error) {
      if (error instanceof Fault) return { error };
      throw error;
    }
  });
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  await app.register(fastifySSE);
  app.addHook("onSend", (request, reply, _payload, done) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    // A key's secret, or an owner's sales, is for who asked: no cache between keeps it.
    if (request.url.startsWith("/api/") && !reply.hasHeader("cache-control"))
      reply.header("cache-control", "no-store");
    done();
  });
  app.setErrorHandler(async (error, request, reply) => {
    const fault = asFault(error);
    if (fault instanceof Fault && fault.retryAfterMs !== undefined)
      reply.header("retry-after", String(Math.ceil(fault.retryAfterMs / 1000)));
    const answer = toBody(fault);
    if (answer.statusCode >= 500) request.log.error({ err: error }, "not answered as asked");
    return reply.code(answer.statusCode).send(answer);
  });
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send(toBody(new Fault("NOT_FOUND"))));
  return app;
}

/** Fastify turns away an unreadable body before any route runs; that, too, is the caller's business. */
function asFault(error: unknown): unknown {
  if (error instanceof Fault) return error;
  if (error instanceof StoreBusy)
    return new Fault("BUSY", "too much at once; try again in a moment", { cause: error });
  if (error instanceof StoreUncertain)
    return new Fault("UNAVAILABLE", "whether it was written is not known: ask again under the same key", {
      cause: error,
    });
  if (error instanceof StoreFailed)
    return new Fault("UNAVAILABLE", "it could not be written, and nothing was changed", { cause: error });
  if (!(error instanceof Error) || !("statusCode" in error)) return error;
  const { statusCode } = error;
  const code = ANSWERS[Number(statusCode)];
  if (code !== undefined)
    return new Fault(code, code === "MALFORMED" ? `body: ${error.message}` : undefined, { cause: error });
  // Whatever else Fastify or a plugin of its turns away is the caller's business too.
  return Number(statusCode) >= 400 && Number(statusCode) < 500
    ? new Fault("MALFORMED", error.message, { cause: error })
    : error;
}

const ANSWERS: Partial<Record<number, FaultCode>> = {
  400: "MALFORMED",
  404: "NOT_FOUND",
  412: "PRECONDITION_FAILED",
  413: "BODY_TOO_LARGE",
  414: "URI_TOO_LONG",
  415: "UNSUPPORTED_MEDIA_TYPE",
  416: "RANGE_NOT_SATISFIABLE",
};

/** The only way a request's part becomes a value: parsed, or refused with every wrong field named. */
export function read<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input, { reportInput: true });
  if (parsed.success) return storable(parsed.data);
  const wrong = parsed.error.issues.map(
    (issue) =>
      `${issue.path.length === 0 ? "body" : issue.path.join(".")}: ${isMissing(issue) ? "is required" : issue.message}`,
  );
  throw new Fault("MALFORMED", wrong.join("; "));
}

/** Nothing is there; no body is null. What a schema finds wrong between fields (`custom`) has its own words. */
const isMissing = ({ code, input, path }: z.core.$ZodIssue): boolean =>
  code !== "custom" && (input === undefined || (input === null && path.length === 0));

/**
 * U+0000 and half a surrogate pair are in nobody's name or reference, and a database cannot keep them: PostgreSQL has no U+0000, and
 * UTF-8 no half. Refused for both databases alike.
 */
function storable<T>(value: T): T {
  const fields: readonly [string, unknown][] =
    typeof value === "object" && value !== null ? Object.entries(value) : [["body", value]];
  for (const [name, field] of fields) {
    const wrong = wrongText(field);
    if (wrong !== undefined) throw new Fault("MALFORMED", `${name}: ${wrong}`);
  }
  return value;
}

/** Both halves together are read as one character, which is none of these. */
const HALF = /\p{Surrogate}/u;

function wrongText(value: unknown): string | undefined {
  if (typeof value === "string") {
    if (value.includes("\u0000")) return "must not hold the character U+0000";
    return HALF.test(value) ? "must not hold half of a surrogate pair" : undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const field of Object.values(value)) {
    const wrong = wrongText(field);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
