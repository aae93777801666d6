/** The broker as a process: reads its configuration, listens on TCP (and WebSocket), stops on SIGTERM or SIGINT. */
import { readFileSync, statSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { createWebSocketStream, WebSocketServer } from "ws";
import { loginsFile, type Login } from "./access.js";
import { makeBroker } from "./broker.js";
import { brokerConfiguration, type BrokerConfiguration } from "./configuration.js";
import { WaitingRoom } from "./waiting-room.js";
import { readConfigurationFile, type Configured } from "./protocol/configuration.js";
import { cannotListen } from "./protocol/listening.js";

/** How soon a login that was taken out of its file, or altered there, ends the connection it had opened. */
const REVIEW_MS = 1_000;

export const usage = `scanvend broker --config FILE

  The MQTT broker between machines and cloud.

  --config FILE   JSON: host, port, webSocketPort, maxConnections, beforeLogin, beforeLoginPerAddress,
                  loginsFile
  --help          this text`;

/** Exit status: 0 stopped as asked, 2 called or configured wrongly. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: { config: { type: "string" }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (values.config === undefined) return refuse(["--config: is needed"]);
  const { config } = values;
  const configured = readConfigurationFile(brokerConfiguration, () => readFileSync(config, "utf8"));
  if (!configured.ok) return refuse(configured.problems);
  const first = readLogins(configured.value.loginsFile);
  if (!first.ok) return refuse(first.problems.map((problem) => `loginsFile: ${problem}`));
  return serve(configured.value);
}

function refuse(problems: readonly string[]): number {
  process.stderr.write(
    `scanvend broker cannot start:\n${problems.map((problem) => `  ${problem}\n`).join("")}`,
  );
  return 2;
}

/** Until it is told to end. Answers the exit status. */
async function serve(configuration: BrokerConfiguration): Promise<number> {
  const log = pino({ name: "broker" });
  const logins = watched(configuration.loginsFile, log);
  const broker = await makeBroker(logins, log);
  let reviewed = logins();
  const reviews = setInterval(() => {
    if (logins() === reviewed) return;
    reviewed = logins();
    broker.review();
  }, REVIEW_MS);
  const sockets = new Set<Socket>();
  const waiting = new WaitingRoom({
    perAddress: configuration.beforeLoginPerAddress,
    inAll: configuration.beforeLogin,
  });
  const handle = (stream: Duplex, socket: Socket): void => broker.handle(stream, () => waiting.leave(socket));
  const tcp = createServer({ noDelay: true }, (socket) => handle(socket, socket)); // Nagle costs 44 ms a message
  const servers: Server[] = [tcp];
  if (configuration.webSocketPort !== undefined) {
    const http = createHttpServer();
    const webSockets = new WebSocketServer({
      server: http,
      handleProtocols: () => "mqtt",
      maxPayload: 1024 * 1024,
    });
    webSockets.on("error", () => undefined); // the HTTP server's own, which is listened to there
    webSockets.on("connection", (webSocket, { socket }) => handle(createWebSocketStream(webSocket), socket));
    servers.push(http);
  }
  for (const server of servers)
    server.maxConnections = configuration.maxConnections + configuration.beforeLogin;
  for (const server of servers)
    server.on("connection", (socket) => {
      sockets.add(socket);
      waiting.enter(socket);
      socket.on("close", () => sockets.delete(socket));
    });
  const end = async (): Promise<void> => {
    clearInterval(reviews);
    for (const server of servers) server.close();
    await broker.close();
    for (const socket of sockets) socket.destroy();
  };
  const { host } = configuration;
  for (const [index, key] of (["port", "webSocketPort"] as const).entries()) {
    const [server, port = 0] = [servers[index], configuration[key]];
    if (server === undefined) continue;
    const problem = await listen(server, port, host).then(
      () => undefined,
      (error: unknown) => cannotListen(error, host, port, key),
    );
    if (problem === undefined) continue;
    await end();
    return refuse([problem]);
  }
  const addresses = servers.map((server) => server.address() as AddressInfo); // TCP servers have AddressInfo
  log.info({ addresses }, "listening");
  if (!addresses.every(({ address }) => address.startsWith("127.") || address === "::1"))
    log.warn(
      { host },
      "whoever is on the way reads the logins' passwords: this is MQTT without TLS. Listen on 127.0.0.1, and put TLS in front (docs/running.md)",
    );

  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  await end();
  return 0;
}

const listen = (server: Server, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });

function readLogins(path: string): Configured<readonly Login[]> {
  const read = readConfigurationFile(loginsFile, () => readFileSync(path, "utf8"));
  return read.ok ? { ok: true, value: read.value.logins } : read;
}

/** The logins as the file has them now. A file that cannot be read any more keeps the last good one in force. */
function watched(path: string, log: { warn(what: object, message: string): void }): () => readonly Login[] {
  let stamp = "";
  let logins: readonly Login[] = [];
  return () => {
    try {
      const { mtimeMs, size } = statSync(path);
      if (`${mtimeMs} ${size}` === stamp) return logins;
      const read = readLogins(path);
      if (read.ok) logins = read.value;
      else log.warn({ problems: read.problems }, "logins file refused; the last good one stays");
      stamp = `${mtimeMs} ${size}`;
    } catch (error) {
      log.warn({ err: error }, "logins file unreadable; the last good one stays");
    }
    return logins;
  };
}
