/**
 * The simulator's HTTP server: the API, what the page needs to know of the rig, and the built page itself.
 *
 * Promises  a wrong request changes nothing and is told what was wrong, in the error body of the payment API.
 */
import fastifyStatic from "@fastify/static";
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from "fastify";
import type { Configuration } from "../configuration.js";
import type { Fleet } from "../fleet/fleet.js";
import { Fault, toBody } from "./fault.js";
import { machineRoutes } from "./machines.js";

const BODY_LIMIT = 16 * 1024;

export type Rig = Pick<Configuration, "cloudUrl" | "customers" | "webDir">;

/** Ready to listen. Closing it ends the traces that are still being read. */
export async function apiServer(fleet: Fleet, rig: Rig, log: FastifyBaseLogger): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: true,
  });
  const closing = new AbortController();
  app.addHook("preClose", (done) => {
    closing.abort();
    done();
  });

  app.setErrorHandler(async (error, request, reply) => {
    // Fastify turns away an unreadable body before any route runs. That, too, is the caller's business.
    const refused = error instanceof Error && "statusCode" in error && Number(error.statusCode) < 500;
    const body = toBody(refused ? new Fault("MALFORMED", `body: ${error.message}`, { cause: error }) : error);
    if (body.statusCode === 500) request.log.error({ err: error }, "unhandled");
    return reply.code(body.statusCode).send(body);
  });
  app.setNotFoundHandler((request) => {
    throw new Fault("ROUTE_NOT_FOUND", `${request.method} ${request.url}`);
  });

  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/api/rig", () => ({
    cloudUrl: rig.cloudUrl,
    customers: rig.customers,
    machines: fleet.stations.map(({ plan: { id, code, name, url, screenUrl } }) => ({
      id,
      code,
      name,
      url,
      ...(screenUrl === undefined ? {} : { screenUrl }),
    })),
  }));
  machineRoutes(app, fleet, closing.signal);
  await app.register(fastifyStatic, { root: rig.webDir });
  return app;
}
