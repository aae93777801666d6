/**
 * `scanvend simulator`: the simulated machines, each with a real controller, and the API and page to drive them.
 *
 * Owns      the process: arguments, files, ports, signals, the real clock and chance. Nothing else here touches them.
 * Promises  its controllers end with it; what a killed simulator left running is ended by the next one with its pid file.
 */
import { createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { systemClock as clock, systemRandom as random } from "../broker/protocol/system.js";
import { readConfigurationFile } from "../broker/protocol/configuration.js";
import { apiServer } from "./api/server.js";
import { configuration, type Configuration } from "./configuration.js";
import { Fleet } from "./fleet/fleet.js";
import { PidFile, type ProcessBook } from "./fleet/pid-file.js";
import { spawnProcess } from "./fleet/spawn.js";
import { connectTo, listenOn } from "./network/tcp.js";

export const usage = `scanvend simulator --config FILE

  --config FILE   JSON; every problem in it is listed at once
  --help          this text
`;

/** Exit status: 0 ended by a signal, 1 it could not listen, 2 called or configured wrongly. */
export async function run(argv: readonly string[]): Promise<0 | 1 | 2> {
  const call = readCall(argv);
  if (call.kind === "help") {
    process.stdout.write(usage);
    return 0;
  }
  if (call.kind === "wrong") {
    process.stderr.write(`${call.problem}\n\n${usage}`);
    return 2;
  }
  const configured = readConfigurationFile(configuration, () => readFileSync(call.path, "utf8"));
  if (!configured.ok) {
    for (const problem of configured.problems) process.stderr.write(`${call.path}: ${problem}\n`);
    return 2;
  }
  return serve(configured.value);
}

async function serve(settings: Configuration): Promise<0 | 1> {
  const log = pino();
  const stopped = stopSignal();
  const book = settings.pidFile === undefined ? unbound : openPidFile(settings.pidFile, log);
  const broker = new URL(settings.mqttUrl);
  await using fleet = await Fleet.open(settings.machines, {
    clock,
    random,
    listen: listenOn("127.0.0.1"),
    connect: connectTo(broker.hostname, Number(broker.port || 1883)),
    spawn: spawnProcess,
    book,
    openLog: (machine) => openLog(settings.logDir, machine),
  });
  const api = await apiServer(fleet, { ...settings, webDir: resolve(settings.webDir) }, log);
  try {
    const url = await api.listen({ host: settings.httpHost, port: settings.httpPort });
    log.info({ url }, "ready");
  } catch (error) {
    log.fatal(
      { err: error, host: settings.httpHost, port: settings.httpPort },
      "cannot listen: is the port taken?",
    );
    return 1;
  }
  log.info({ signal: await stopped }, "stopping");
  await api.close();
  return 0;
}

type Call =
  | { readonly kind: "help" }
  | { readonly kind: "serve"; readonly path: string }
  | { readonly kind: "wrong"; readonly problem: string };

function readCall(argv: readonly string[]): Call {
  try {
    const options = { config: { type: "string" }, help: { type: "boolean" } } as const;
    const { values } = parseArgs({ args: [...argv], options });
    if (values.help === true) return { kind: "help" };
    if (values.config === undefined) return { kind: "wrong", problem: "--config FILE is missing" };
    return { kind: "serve", path: values.config };
  } catch (error) {
    if (error instanceof TypeError) return { kind: "wrong", problem: error.message }; // an option nobody declared
    throw error;
  }
}

function openPidFile(path: string, log: pino.Logger): PidFile {
  mkdirSync(dirname(path), { recursive: true });
  const file = new PidFile(path);
  const pids = file.endLeftovers();
  if (pids.length > 0) log.warn({ pids }, "ended controllers an earlier simulator left running");
  return file;
}

function openLog(dir: string | undefined, machine: string): Writable | undefined {
  if (dir === undefined) return undefined;
  mkdirSync(dir, { recursive: true });
  return createWriteStream(join(dir, `${machine}.log`), { flags: "a" });
}

const stopSignal = (): Promise<string> =>
  new Promise((stop) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  });

const unbound: ProcessBook = { note: () => undefined, forget: () => undefined };
