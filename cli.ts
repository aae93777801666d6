#!/usr/bin/env node
/** The front door: every command. Loads only the service it is asked for, so that a Pi never loads the cloud. */
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Io } from "./cli/io.js";

const usage = `scanvend: pay at a vending machine with a phone and a printed QR sticker

  scanvend start       the whole rig on this computer: broker, cloud, simulated machines
  scanvend broker      the MQTT broker
  scanvend cloud       the payment platform and the vending backend
  scanvend enrol       a merchant, or a machine, in the cloud's database
  scanvend controller  the payment terminal in a machine
  scanvend simulator   simulated machines
  scanvend release     what is built as one signed file
  scanvend update      puts such a file in the place of the running release
  scanvend label       a machine's QR sticker
  scanvend listen      payments as they happen, forwarded to a webhook receiver on this computer
  scanvend trigger     makes one of them happen
  scanvend doctor      what a machine wants of its controller, and what is wrong with its line
  scanvend mdb         what a block of the MDB bus says
  scanvend dex         what a machine's audit says, from a file or its DEX plug
  scanvend install     puts a controller in its place on this box; uninstall takes it away

  scanvend COMMAND --help says more.`;

const program = fileURLToPath(import.meta.url);
const io: Io = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
};

/** Nobody reads any more (`| head`): what is being done is done to its end, and says nothing. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
}

/** A command and its arguments to an exit status: 0 done, 1 failed, 2 called or configured wrongly. */
export async function main([command, ...argv]: readonly string[]): Promise<number> {
  // Started by the rig: end with it, even when it is killed and can say nothing.
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel?.unref(); // but not only for its sake go on
  try {
    return await run(command, argv);
  } catch (error) {
    if (!(error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")))
      throw error;
    io.err(`scanvend ${command ?? ""}: ${error.message}. Try scanvend ${command ?? ""} --help`);
    return 2;
  }
}

async function run(command: string | undefined, argv: readonly string[]): Promise<number> {
  switch (command) {
    case "start":
      return (await import("./cli/start.js")).start(argv, io, program);
    case "broker":
      return (await import("./broker/main.js")).run(argv);
    case "cloud":
      return (await import("./cloud/main.js")).run(argv);
    case "enrol":
      return (await import("./cli/enrol.js")).enrol(argv, io);
    case "controller":
      return (await import("./controller/main.js")).run(argv);
    case "simulator":
      return (await import("./simulator/main.js")).run(argv);
    case "release":
      return (await import("./cli/release.js")).release(argv, io, dirname(dirname(program)));
    case "update":
      return (await import("./cli/update.js")).update(argv, io);
    case "label":
      return (await import("./cli/label.js")).label(argv, io, process.env["PUBLIC_URL"]);
    case "listen":
      return (await import("./cli/listen.js")).listen(argv, io, stopped());
    case "trigger":
      return (await import("./cli/trigger.js")).trigger(argv, io);
    case "mdb":
      return (await import("./cli/mdb.js")).mdb(argv, io);
    case "doctor":
      return (await import("./cli/doctor.js")).doctor(argv, io, process.stdin);
    case "dex":
      return (await import("./cli/dex.js")).dex(argv, io);
    case "install":
      return (await import("./cli/install.js")).install(argv, io, process.stdin);
    case "uninstall":
      return (await import("./cli/install.js")).uninstall(argv, io);
    case undefined:
    case "help":
    case "--help":
      io.out(usage);
      return 0;
    default:
      io.err(`scanvend: there is no command ${command}\n\n${usage}`);
      return 2;
  }
}

/** For a command that goes on until it is stopped. */
function stopped(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === program) {
  outliveReaders();
  process.exitCode = await main(process.argv.slice(2));
}
