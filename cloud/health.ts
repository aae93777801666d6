/**
 * `/healthz`: the process is there. `/readyz`: it can do its work, for whoever sends it requests or restarts it.
 *
 * Promises  `/readyz` asks the database each time, and answers within ASK_MS whatever becomes of that.
 */
import type { FastifyInstance } from "fastify";
import type { Clock } from "../broker/protocol/clock.js";
import type { Reader } from "./store/store.js";

export type HealthParts = {
  readonly read: Reader;
  readonly clock: Clock;
  /** What runs here, and whether it is ready. */
  readonly services: Readonly<Record<string, () => boolean>>;
};

const ASK_MS = 2_000;

export function health(app: FastifyInstance, { read, clock, services }: HealthParts): void {
  app.get("/healthz", () => ({ ok: true }));
  app.get("/readyz", async (request, reply) => {
    let enough = (): void => undefined;
    const database = await Promise.race([
      ask(read).catch((error: unknown) => {
        request.log.error({ err: error }, "the database does not answer");
        return false;
      }),
      new Promise<false>((resolve) => (enough = clock.after(ASK_MS, () => resolve(false)))),
    ]);
    enough();
    const parts = Object.fromEntries(Object.entries(services).map(([name, ready]) => [name, ready()]));
    const ready = database && Object.values(parts).every((one) => one);
    return reply.code(ready ? 200 : 503).send({ ready, database, ...parts });
  });
}

/** A row or none: what counts is that it was answered. */
async function ask(read: Reader): Promise<true> {
  await read.selectFrom("account").select("id").limit(1).execute();
  return true;
}
