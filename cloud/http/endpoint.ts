/**
 * An endpoint of a published API: one value says what it takes, what it answers and how it may fail, and from that value
 * come the check of each request, the types of its handler, and its place in the OpenAPI document.
 *
 * Promises  nothing reaches a handler that its schemas have not read; the caller is known before anything else is looked at.
 *           An endpoint that may still change says so: in the document, and in a header of every answer. So does a field: it is
 *           in the document, and in a header of every answer to a request that had it. Switched off, there is neither.
 * Never     validates its own answers on the way out: the test suite holds every one of them against the document.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, HTTPMethods } from "fastify";
import { z } from "zod";
import { experimentalPlaces, EXPERIMENTAL, withoutExperimental } from "./experimental.js";
import { messageOf, statusOf, type FaultCode } from "./fault.js";
import type { Count } from "./request-counts.js";

export type Endpoint<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends z.ZodType> = {
  readonly method: HTTPMethods;
  readonly url: string;
  /** The operation's name in the document, and its one sentence. */
  readonly name: string;
  readonly says: string;
  readonly tag: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: A;
  /** Beside what any endpoint may answer: a malformed request, no key, too many requests. */
  readonly faults?: readonly FaultCode[];
  /** Ours alone, or marked so by the API we are compatible with: it may change or go. */
  readonly experimental?: boolean;
};
type Parsed<T extends z.ZodType> = z.output<T>;
/** What a handler gets: each part as its schema gave it. */
export type Asked<Caller, P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> = {
  readonly caller: Caller;
  readonly params: Parsed<P>;
  readonly query: Parsed<Q>;
  readonly body: Parsed<B>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
};
export type Endpoints<Caller> = {
  /** For whoever has a key. */
  readonly keyed: <
    P extends z.ZodType = z.ZodUndefined,
    Q extends z.ZodType = z.ZodUndefined,
    B extends z.ZodType = z.ZodUndefined,
    A extends z.ZodType = z.ZodType,
  >(
    endpoint: Endpoint<P, Q, B, A>,
    handle: (asked: Asked<Caller, P, Q, B>) => Promise<object>,
  ) => void;
  /** For anyone: all that is known of a stranger is the address they count under. */
  readonly open: <
    P extends z.ZodType = z.ZodUndefined,
    Q extends z.ZodType = z.ZodUndefined,
    B extends z.ZodType = z.ZodUndefined,
    A extends z.ZodType = z.ZodType,
  >(
    endpoint: Endpoint<P, Q, B, A>,
    handle: (asked: Asked<string, P, Q, B>) => Promise<object>,
  ) => void;
  /** For anyone, and not over when it is answered: server-sent events, of which `answer` is the data. It sends them by `reply.sse`. */
  readonly stream: <P extends z.ZodType = z.ZodUndefined, A extends z.ZodType = z.ZodType>(
    endpoint: Endpoint<P, z.ZodUndefined, z.ZodUndefined, A>,
    handle: (asked: Asked<string, P, z.ZodUndefined, z.ZodUndefined>) => Promise<void>,
  ) => void;
};
export type EndpointOptions<Caller> = {
  /** Raises UNAUTHENTICATED. Called before a body is read. */
  readonly callerOf: (request: FastifyRequest) => Promise<Caller>;
  /** Called before a body is read. */
  readonly admitStranger: Count;
  /** Off, experimental endpoints and fields are not there at all. */
  readonly experimental: boolean;
};

/** On every answer to a request that used an experimental endpoint or field. */
export const EXPERIMENTAL_HEADER = "x-experimental";
const EXPERIMENTAL_TEXT = "may be changed or removed without warning";
const ANY: readonly FaultCode[] = [
  "MALFORMED",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
  "RATE_LIMIT_EXCEEDED",
  "BUSY",
  "UNAVAILABLE",
];
const KEYED: readonly FaultCode[] = ["UNAUTHENTICATED", "FORBIDDEN"];

const errorBody = z
  .object({
    statusCode: z.int(),
    error: z.string(),
    message: z
      .string()
      .meta({ description: "The code a program may rely on; for a 400, the sentence itself." }),
    reason: z.string().optional().meta({ description: "For people; not to be relied on." }),
  })
  .meta({ id: "ApiError" });

export function makeEndpoints<Caller>(
  app: FastifyInstance,
  { callerOf, admitStranger, experimental: on }: EndpointOptions<Caller>,
): Endpoints<Caller> {
  const keyed = knowing(callerOf);
  const open = knowing(admitStranger);
  function add<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends z.ZodType, C>(
    endpoint: Endpoint<P, Q, B, A>,
    { onRequest, who }: Knowing<C>,
    handle: (asked: Asked<C, P, Q, B>) => Promise<object | undefined>,
    faults: readonly FaultCode[],
    kind: "json" | "stream" = "json",
  ): void {
    const { method, url, params, query, body, answer, experimental = false } = endpoint;
    if (experimental && !on) return;
    const places = {
      query: experimentalPlaces(query),
      body: experimentalPlaces(body),
      answer: experimentalPlaces(answer),
    };
    const schema: FastifySchema = {
      ...documented(endpoint, faults, kind),
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { querystring: query }),
      ...(body === undefined ? {} : { body }),
    };
    app.route({
      method,
      url,
      onRequest,
      // A stream has no HEAD of its own: that would be a stream too, and never end.
      ...(kind === "json" ? {} : { sse: "only", exposeHeadRoute: false }),
      schema,
      preValidation: async (request, reply) => {
        const stableQuery = withoutExperimental(request.query, places.query);
        const stableBody = withoutExperimental(request.body, places.body);
        const isUsed = experimental || stableQuery !== request.query || stableBody !== request.body;
        if (isUsed && on) reply.header(EXPERIMENTAL_HEADER, EXPERIMENTAL_TEXT);
        if (on) return;
        request.query = stableQuery;
        request.body = stableBody;
      },
      handler: async (request, reply) => {
        // Each part was read by the schema of its name before this is called; one without a schema is not used.
        const answered = await handle({
          caller: who(request),
          params: request.params as Parsed<P>,
          query: request.query as Parsed<Q>,
          body: request.body as Parsed<B>,
          request,
          reply,
        });
        return on ? answered : withoutExperimental(answered, places.answer);
      },
    });
  }
  return {
    keyed: (endpoint, handle) => add(endpoint, keyed, handle, [...ANY, ...KEYED]),
    open: (endpoint, handle) => add(endpoint, open, handle, ANY),
    stream: (endpoint, handle) =>
      add(endpoint, open, (asked) => handle(asked).then(() => undefined), ANY, "stream"),
  };
}

type Knowing<C> = {
  readonly onRequest: (request: FastifyRequest) => Promise<void>;
  readonly who: (request: FastifyRequest) => C;
};
/** Whoever asks, found out before anything else is looked at. */
function knowing<C>(find: (request: FastifyRequest) => Promise<C>): Knowing<C> {
  const found = new WeakMap<FastifyRequest, { readonly caller: C }>();
  return {
    onRequest: async (request) => {
      found.set(request, { caller: await find(request) });
    },
    who: (request) => {
      const known = found.get(request);
      if (known === undefined) throw new Error("a handler ran before its caller was known");
      return known.caller;
    },
  };
}

/** What the document says of it. */
function documented<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends z.ZodType>(
  { name, says, tag, answer, faults = [], experimental }: Endpoint<P, Q, B, A>,
  usual: readonly FaultCode[],
  kind: "json" | "stream",
) {
  const all = [...new Set([...usual, ...faults])];
  const statuses = [...new Set(all.map(statusOf))].sort();
  return {
    operationId: name,
    summary: says,
    tags: [tag],
    security: usual.includes("UNAUTHENTICATED") ? [{ apiKey: [] }] : [],
    ...(experimental === true ? { ...EXPERIMENTAL, description: `Experimental: ${EXPERIMENTAL_TEXT}.` } : {}),
    response: {
      200:
        kind === "json"
          ? { description: "What was asked for.", content: { "application/json": { schema: answer } } }
          : {
              description: "An event each time it has changed; `beat` is sent while it has not.",
              content: { "text/event-stream": { schema: answer } },
            },
      ...Object.fromEntries(
        statuses.map((status) => {
          const messages = all.filter((code) => statusOf(code) === status).map(messageOf);
          return [
            status,
            {
              description: messages.join(", "),
              content: { "application/json": { schema: errorBody } },
            },
          ];
        }),
      ),
    },
  };
}
