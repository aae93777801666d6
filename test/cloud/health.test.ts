/** Whether the cloud says truly that it is there, and that it can work. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FastifyInstance } from "fastify";
import { health, type HealthParts } from "../../cloud/health.js";
import { makeServer } from "../../cloud/http/server.js";
import { openStore } from "../../cloud/store/open-store.js";
import type { Store } from "../../cloud/store/store.js";
import { TestClock } from "../payments/platform.js";

let dir: string;
let store: Store;
let app: FastifyInstance;
const clock = new TestClock();
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "health-"));
  store = await openStore({
    databaseUrl: `file:${join(dir, "cloud.db")}`,
    maxGroup: 1,
    maxWaiting: 1,
    maxConnections: 1,
  });
  app = await makeServer(pino({ level: "silent" }), () => "id");
});
afterEach(async () => {
  await app.close();
  await store.close();
  rmSync(dir, { recursive: true });
});

const serve = (parts: Partial<HealthParts>): void =>
  health(app, { read: store.read, clock, services: { payments: () => true }, ...parts });
const ask = async (url: string) => {
  const { statusCode, body } = await app.inject({ url });
  return { statusCode, body: JSON.parse(body) as unknown };
};

test("it is ready when the database answers and every service is", async () => {
  let isReady = false;
  serve({ services: { payments: () => true, vending: () => isReady } });
  const parts = { database: true, payments: true };
  expect(await ask("/readyz")).toEqual({ statusCode: 503, body: { ready: false, ...parts, vending: false } });
  isReady = true;
  expect(await ask("/readyz")).toEqual({ statusCode: 200, body: { ready: true, ...parts, vending: true } });
});

test("it is not ready when the database does not answer, and is there all the same", async () => {
  serve({});
  expect(await ask("/readyz")).toMatchObject({ statusCode: 200 });
  await store.close();
  const parts = { ready: false, database: false, payments: true };
  expect(await ask("/readyz")).toEqual({ statusCode: 503, body: parts });
  expect(await ask("/healthz")).toEqual({ statusCode: 200, body: { ok: true } });
  store = await openStore({
    databaseUrl: `file:${join(dir, "cloud.db")}`,
    maxGroup: 1,
    maxWaiting: 1,
    maxConnections: 1,
  });
});

test("it does not wait for a database that hangs", async () => {
  const given = new Promise<never>(() => undefined);
  const read = {
    ...store.read,
    selectFrom: () => ({ select: () => ({ limit: () => ({ execute: () => given }) }) }),
  };
  serve({ read: read as unknown as HealthParts["read"] }); // a connection that is silent
  const asked = ask("/readyz");
  let answer: unknown;
  void asked.then((one) => (answer = one));
  for (let turns = 0; answer === undefined && turns < 1_000; turns += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(100);
  }
  expect(await asked).toEqual({ statusCode: 503, body: { ready: false, database: false, payments: true } });
});
