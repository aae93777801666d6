/** `scanvend install` and `scanvend uninstall`: a controller's place on its box. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { readConfiguration } from "../broker/protocol/configuration.js";
import { systemClock, systemRandom } from "../broker/protocol/system.js";
import { configuration } from "../controller/configuration.js";
import { createIdentity, publicHalf, readIdentity } from "../controller/identity.js";
import { Box, fitsUnit, programText, rulesText, SERVICES, unitText, usersText } from "./install/box.js";
import { completed, problemsIn, readKey, wrongIn, type Content } from "./install/questions.js";
import {
  command,
  copy,
  directory,
  file,
  InstallFailed,
  linkOnce,
  removal,
  type Step,
} from "./install/step.js";
import type { Io } from "./io.js";
import { linesOf, type Input } from "./lines.js";
import { readKeys } from "./update/manifest.js";

export const usage = `scanvend install [--config FILE] [--machine-id ID] [--serial PLACE] [--mqtt URL] [--currency CODE]
                 [--driver NAME] [--cloud-key KID:X ...] [--release-keys FILE] [--root DIR] [--node PATH]
                 [--from DIR] [--destdir DIR] [--dry-run]
scanvend uninstall [--root DIR] [--destdir DIR] [--dry-run]

  Puts a controller in its place on this box: user, directories, configuration, key, release, units, udev rule; enables
  and starts it, and prints what an enrolment needs. Run it again at any time: what is as it should be is left alone.
  uninstall stops and removes it, and keeps the configuration, the key and the journal.

  At a terminal it asks for what is missing.

  --config FILE     the configuration to begin with (default: what is in /etc/scanvend/controller.json)
  --machine-id, --serial, --mqtt, --currency, --driver
                    take the place of what is in it
  --cloud-key KID:X a public key of the cloud, its kid and its x; again for more. Takes the place of all in it
  --release-keys FILE
                    the public keys that may sign a release, for scanvend update
  --root DIR        where releases are (default /opt/scanvend)
  --node PATH       the Node that runs it (default /usr/bin/node)
  --from DIR        the release to install (default: the one this program is of)
  --destdir DIR     writes under DIR and starts nothing: for an image. A key is then made on the box itself
  --dry-run         says what it would do
  --help            this text`;

const [CONTROLLER] = SERVICES;
const ADAPTERS = "/dev/serial/by-id";
const here = fileURLToPath(new URL("../..", import.meta.url)); // dist/cli/install.js
const packageFile = z.object({ version: z.string().regex(/^[0-9A-Za-z.+-]{1,64}$/) });

const common = {
  root: { type: "string", default: "/opt/scanvend" },
  destdir: { type: "string" },
  "dry-run": { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;
const wanted = {
  config: { type: "string" },
  "machine-id": { type: "string" },
  serial: { type: "string" },
  mqtt: { type: "string" },
  currency: { type: "string" },
  driver: { type: "string" },
  "cloud-key": { type: "string", multiple: true },
  "release-keys": { type: "string" },
  node: { type: "string", default: "/usr/bin/node" },
  from: { type: "string", default: here },
} as const;

/** Exit status: 0 done, 1 a step failed, 2 called or configured wrongly: nothing was changed. */
export async function install(argv: readonly string[], io: Io, input: Input): Promise<number> {
  const { values } = parseArgs({ args: [...argv], options: { ...common, ...wanted } });
  if (values.help) {
    io.out(usage);
    return 0;
  }
  if (!mayAct(values)) return refuse(io, "install", [AS_ROOT]);
  const box = new Box(values.destdir ?? "/", resolve(values.root));
  const unfit = Object.entries({ root: box.root, node: values.node }).filter(([, path]) => !fitsUnit(path));
  if (unfit.length > 0)
    return refuse(
      io,
      "install",
      unfit.map(([flag, path]) => `--${flag} ${path}: ${UNFIT}`),
    );
  const configured = await configurationFrom(values, box, io, input);
  if (!configured.ok) return refuse(io, "install", configured.problems);
  const version = versionOf(values.from);
  if (version === undefined)
    return refuse(io, "install", [`--from ${values.from}: holds no package.json with a version`]);
  const keysFile = values["release-keys"];
  const releaseKeys = keysFile === undefined ? undefined : readReleaseKeys(keysFile);
  if (keysFile !== undefined && releaseKeys === undefined)
    return refuse(io, "install", [
      `--release-keys ${keysFile}: holds no public keys as scanvend release prints them`,
    ]);
  const isImage = values.destdir !== undefined;
  const steps: readonly Step[] = [
    file(box.at(box.users), usersText()),
    directory(box.at(box.dataDir), 0o700),
    file(box.at(box.configFile), configured.text),
    ...releaseSteps(box, values.from, version),
    file(box.at(box.program), programText(box, values.node), 0o755),
    file(box.at(box.rules), rulesText()),
    ...(releaseKeys === undefined ? [] : [file(box.at(box.releaseKeysFile), releaseKeys)]),
    ...SERVICES.map((name) => file(box.at(box.unit(name)), unitText(name, box.root, values.node))),
    ...(isImage
      ? SERVICES.map((name) => linkOnce(box.at(box.wanted(name)), `../${name}`))
      : startSteps(box, configured.machineId)),
  ];
  const status = take(steps, "install", values["dry-run"], io);
  if (status !== 0 || values["dry-run"]) return status;
  if (isImage)
    io.out(`on the box itself, for its key: scanvend controller --config ${box.configFile} --identify`);
  else io.out(`to enrol it: ${JSON.stringify(publicHalf(readIdentity(box.dataDir)))}`);
  return 0;
}

export function uninstall(argv: readonly string[], io: Io): number {
  const { values } = parseArgs({ args: [...argv], options: common });
  if (values.help) {
    io.out(usage);
    return 0;
  }
  if (!mayAct(values)) return refuse(io, "uninstall", [AS_ROOT]);
  const box = new Box(values.destdir ?? "/", resolve(values.root));
  const isImage = values.destdir !== undefined;
  const isThere = existsSync(box.at(box.unit(CONTROLLER)));
  const steps: readonly Step[] = [
    ...(isImage || !isThere ? [] : [command(["systemctl", "disable", "--now", ...SERVICES])]),
    ...SERVICES.flatMap((name) => [box.wanted(name), box.unit(name)]).map((path) => removal(box.at(path))),
    ...[box.program, box.rules, box.users, box.current, join(box.root, "releases")].map((path) =>
      removal(box.at(path)),
    ),
    ...(isImage ? [] : [command(["systemctl", "daemon-reload"])]),
  ];
  const status = take(steps, "uninstall", values["dry-run"], io);
  if (status === 0) io.out(`kept: ${box.at(box.configFile)}, ${box.at(box.dataDir)}`);
  return status;
}

const UNFIT = "may have letters, digits and / . _ - + @ : only; move it to such a place, or link one to it";
const AS_ROOT = "must be run as root: sudo scanvend …, or --dry-run to see what it would do";
const mayAct = (values: { readonly destdir?: string | undefined; readonly "dry-run": boolean }): boolean =>
  values["dry-run"] || values.destdir !== undefined || process.getuid?.() === 0;

function take(steps: readonly Step[], name: string, isDry: boolean, io: Io): number {
  process.umask(0o022); // what is written is for the service's user to read, whatever root's own habit
  for (const step of steps) {
    if (step.isDone()) io.out(`is so  ${step.words}`);
    else if (isDry) io.out(`would  ${step.words}`);
    else {
      try {
        step.act();
      } catch (error) {
        const isOfTheBox = error instanceof InstallFailed || (error instanceof Error && "code" in error);
        if (!isOfTheBox) throw error;
        io.err(`scanvend ${name}: could not ${step.words}: ${error.message}. Mend that and run it again`);
        return 1;
      }
      io.out(`done   ${step.words}`);
    }
  }
  return 0;
}

function releaseSteps(box: Box, from: string, version: string): readonly Step[] {
  const place = box.at(box.release(version));
  return [
    ...(resolve(from) === place ? [] : [copy(resolve(from), place)]),
    linkOnce(box.at(box.current), join("releases", version)),
  ];
}

/** What only a running box can do. */
const startSteps = (box: Box, machineId: string): readonly Step[] => [
  command(["systemd-sysusers"]),
  {
    words: `make this machine's key in ${box.dataDir}`,
    isDone: () => existsSync(join(box.dataDir, "identity.json")),
    act: () => void createIdentity(box.dataDir, machineId, systemRandom),
  },
  command(["chown", "-R", "scanvend:scanvend", box.dataDir]),
  command(["udevadm", "control", "--reload-rules"]),
  command(["udevadm", "trigger", "--subsystem-match=tty"]),
  command(["systemctl", "daemon-reload"]),
  command(["systemctl", "enable", ...SERVICES]),
  command(["systemctl", "restart", CONTROLLER]),
];

type Asked = {
  readonly config?: string | undefined;
  readonly "machine-id"?: string | undefined;
  readonly serial?: string | undefined;
  readonly mqtt?: string | undefined;
  readonly currency?: string | undefined;
  readonly driver?: string | undefined;
  readonly "cloud-key"?: readonly string[] | undefined;
};
type Written =
  | { readonly ok: true; readonly text: string; readonly machineId: string }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The file to write: what was there or given, with what the flags say, checked as the controller will check it. */
async function configurationFrom(asked: Asked, box: Box, io: Io, input: Input): Promise<Written> {
  const path = asked.config ?? (existsSync(box.at(box.configFile)) ? box.at(box.configFile) : undefined);
  const given = path === undefined ? {} : readObject(path);
  if (given === undefined) return { ok: false, problems: [`${path ?? ""}: is no file with a JSON object`] };
  const said = {
    machineId: asked["machine-id"],
    serial: asked.serial,
    mqttUrl: asked.mqtt,
    currency: asked.currency,
    driver: asked.driver,
    cloudKeys: asked["cloud-key"]?.map(readKey),
  };
  const flags = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  const begun = { ...given, ...flags, dataDir: box.dataDir };
  const check = (content: Content): readonly string[] => {
    const read = readConfiguration(configuration, content);
    return read.ok ? [] : read.problems;
  };
  const isAsked = input.isTTY === true && wrongIn(begun, check).length === 0;
  const content = isAsked ? await atTerminal(begun, check, box, io, input) : begun;
  const read = readConfiguration(configuration, content);
  if (!read.ok) return { ok: false, problems: problemsIn(content, check) };
  return { ok: true, text: `${JSON.stringify(content, null, 2)}\n`, machineId: read.value.machineId };
}

async function atTerminal(
  begun: Content,
  check: (content: Content) => readonly string[],
  box: Box,
  io: Io,
  input: Input,
): Promise<Content> {
  using lines = linesOf(input, systemClock);
  const folder = box.at(ADAPTERS);
  const places = existsSync(folder) ? readdirSync(folder).map((name) => join(ADAPTERS, name)) : [];
  return await completed(begun, check, places, lines, (line) => io.out(line));
}

function readObject(path: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return z.record(z.string(), z.unknown()).safeParse(JSON.parse(readFileSync(path, "utf8"))).data;
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && "code" in error)) return undefined;
    throw error;
  }
}

function readReleaseKeys(path: string): string | undefined {
  try {
    const text = readFileSync(path, "utf8");
    return readKeys(text).size > 0 ? text : undefined;
  } catch (error) {
    if (error instanceof Error) return undefined; // no file, no JSON, or no keys
    throw error;
  }
}

const versionOf = (from: string): string | undefined =>
  packageFile.safeParse(readObject(join(from, "package.json"))).data?.version;

function refuse(io: Io, name: string, problems: readonly string[]): number {
  for (const problem of problems) io.err(`scanvend ${name}: ${problem}`);
  return 2;
}
