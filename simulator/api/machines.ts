/** `/api/machines`: watch and drive each machine of the rig. A route reads, calls one method, and renders. */
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Fleet } from "../fleet/fleet.js";
import type { Station } from "../fleet/station.js";
import { faultsAsked } from "../machine/faults.js";
import type { TraceEntry } from "../machine/trace.js";
import { Fault } from "./fault.js";

const params = z.object({ id: z.string() });
const selectBody = z.strictObject({ item: z.int().min(0).max(0xffff) });
const codeBody = z.strictObject({ code: z.string().min(1).max(256) });
const powerBody = z.strictObject({ on: z.boolean() });
const seen = z.coerce.number().pipe(z.int().nonnegative());
const since = z.strictObject({ since: seen.optional() });
const resumed = z.object({ "last-event-id": seen.optional() });

export function machineRoutes(app: FastifyInstance, fleet: Fleet, closing: AbortSignal): void {
  const stationOf = (input: unknown): Station => {
    const { id } = read(params, input);
    const station = fleet.find(id);
    if (station === undefined) throw new Fault("MACHINE_NOT_FOUND", `no machine has the id or code ${id}`);
    return station;
  };

  app.get("/api/machines", () => ({ items: fleet.stations.map((station) => station.view()) }));

  app.get("/api/machines/:id", (request) => stationOf(request.params).view());

  // A machine that does nothing about a key is no failure: it is what a customer would see.
  app.post("/api/machines/:id/select", (request) => {
    const station = stationOf(request.params);
    const refused = station.select(read(selectBody, request.body).item);
    return { ...station.view(), ...(refused === undefined ? {} : { refused }) };
  });

  app.post("/api/machines/:id/coins", (request) => {
    const station = stationOf(request.params);
    const refused = station.sellForCash(read(selectBody, request.body).item);
    return { ...station.view(), ...(refused === undefined ? {} : { refused }) };
  });

  app.post("/api/machines/:id/cancel", (request) => {
    const station = stationOf(request.params);
    station.cancel();
    return station.view();
  });

  app.post("/api/machines/:id/scan", (request) => {
    const station = stationOf(request.params);
    station.code("scanned", read(codeBody, request.body).code);
    return station.view();
  });

  app.post("/api/machines/:id/type", (request) => {
    const station = stationOf(request.params);
    station.code("typed", read(codeBody, request.body).code);
    return station.view();
  });

  app.post("/api/machines/:id/power", async (request) => {
    const station = stationOf(request.params);
    await station.power(read(powerBody, request.body).on);
    return station.view();
  });

  app.post("/api/machines/:id/faults", (request) => {
    const station = stationOf(request.params);
    station.setFaults(read(faultsAsked, request.body));
    return station.view();
  });

  // Server-sent events. The number of each is its id, so a reader that comes back goes on where it was.
  app.get("/api/machines/:id/trace", (request, reply) => {
    const { trace } = stationOf(request.params);
    const from = read(resumed, request.headers)["last-event-id"] ?? read(since, request.query).since ?? 0;
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const entries = trace.follow(from, AbortSignal.any([closing, gone.signal]));
    return reply
      .headers({ "content-type": "text/event-stream", "cache-control": "no-store" })
      .send(Readable.from(asEvents(entries)));
  });
}

async function* asEvents(entries: AsyncIterable<TraceEntry>): AsyncGenerator<string> {
  yield ": trace\n\n"; // the answer's head leaves with its first bytes
  for await (const entry of entries) yield `id: ${entry.seq}\ndata: ${JSON.stringify(entry)}\n\n`;
}

function read<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new Fault("MALFORMED", parsed.error.issues.map(reasonOf).join("; "));
}

function reasonOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => `${key}: no such key`).join("; ");
  return `${issue.path.join(".") || "body"}: ${issue.message}`;
}
