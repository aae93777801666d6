/**
 * Makes a clone ready: installs what the lock file names if it is not there, and builds what is older than its sources.
 * Then runs the command given, if any, in this very process: `node tools/ready.mjs start --data DIR`.
 * Plain JavaScript, because it runs before anything is installed. Speaks on stderr only, and only when it does something.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => join(root, ...parts);
const hash = (text) => createHash("sha256").update(text).digest("hex");

/** Runs a step, its output on stderr; ends the process if it fails. */
function step(what, command, args) {
  const from = Date.now();
  process.stderr.write(`scanvend: ${what} ...\n`);
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
    env: { JOBS: "2", ...process.env },
  });
  if (status !== 0) {
    process.stderr.write(
      `scanvend: ${what} failed${error === undefined ? "" : ` (${error.message})`}: ${command} ${args.join(" ")}\n`,
    );
    process.exit(status ?? 1);
  }
  process.stderr.write(`scanvend: ${what}: ${((Date.now() - from) / 1000).toFixed(1)} s\n`);
}

/** The newest change among a tree's files, leaving out what was built or installed. */
function newest(path) {
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), mtimeMs);
}

const lock = hash(readFileSync(at("package-lock.json")));
const installed = at("node_modules", ".scanvend-lock");
if (!existsSync(installed) || readFileSync(installed, "utf8") !== lock) {
  step("installing (the database is compiled here, about a minute)", "npm", [
    "ci",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
  writeFileSync(installed, lock);
}

const sources = [
  "cli.ts",
  "cli",
  "broker",
  "controller",
  "cloud",
  "simulator",
  "bench",
  "test/store/local-postgres.ts", // which the bench starts servers with
  "test/quiet-port.ts",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "vite.config.ts",
];
const built = at("dist", ".built");
const stamp = String(
  Math.max(...sources.filter((name) => existsSync(at(name))).map((name) => newest(at(name)))),
);
if (!existsSync(built) || readFileSync(built, "utf8") !== stamp) {
  rmSync(built, { force: true });
  mkdirSync(at("dist"), { recursive: true });
  step("building the services", "node", [
    at("node_modules", "typescript", "bin", "tsc"),
    "-p",
    "tsconfig.json",
  ]);
  for (const mode of ["cloud", "simulator", "controller"])
    step(`building the ${mode}'s pages`, "node", [
      at("node_modules", "vite", "bin", "vite.js"),
      "build",
      "--mode",
      mode,
      "--logLevel",
      "warn",
    ]);
  writeFileSync(built, stamp);
}

const [, , ...command] = process.argv;
if (command.length > 0) process.exitCode = await (await import(at("dist", "cli.js"))).main(command);
