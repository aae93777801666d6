/**
 * `scanvend update`: puts a signed release beside the running one, switches between two sales, and goes back to the old one if the
 * new one does not do what the old one did.
 *
 * Promises  nothing of a release is run before its signature and every file of it are good; nobody is being served while it is
 *           switched; whatever happens, `{root}/current` leads to a whole release.
 * Crash     the next call (or `--recover`) goes on from `update.json`: it finishes what works and undoes the rest.
 */
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { holdDirectory } from "../controller/directory-lock.js";
import { formOnDisk } from "../controller/journal/form.js";
import type { Io } from "./io.js";
import { PLATFORM } from "./release.js";
import { unpack } from "./update/archive.js";
import { BadRelease } from "./update/bad-release.js";
import { askHealth, hold, type Health } from "./update/controller-line.js";
import { journalFormIn, Layout, type Ability, type Unsettled } from "./update/layout.js";
import { compareVersions, readKeys, type Keys, type Manifest } from "./update/manifest.js";

export const usage = `scanvend update FILE|URL [--root DIR] [--keys FILE] [--data DIR] [--restart COMMAND]
                [--wait SECONDS] [--within SECONDS] [--allow-downgrade] [--stopped] [--json]
scanvend update --recover [--root DIR] [--data DIR] [--restart COMMAND] [--wait SECONDS] [--within SECONDS] [--json]

  Installs a signed release beside the running one, switches when nobody is being served, and goes back to the old one
  if the new one is not in time what the old one was. In an empty root it only installs.

  --root DIR         where the releases are (default: /opt/scanvend): DIR/current leads to the running one
  --keys FILE        the public keys that may sign a release (default: /etc/scanvend/release-keys.json)
  --data DIR         the controller's dataDir (default: /var/lib/scanvend)
  --restart COMMAND  starts the controller again (default: systemctl restart scanvend-controller)
  --wait SECONDS     how long to wait until nobody is being served, before the switch and before it is undone (default:
                     600; longer than a session and its last vend)
  --within SECONDS   how soon the new one must be in good health (default: 120)
  --allow-downgrade  also to an older release
  --stopped          there is no controller to be asked: it has been stopped
  --recover          only finish, or undo, what an update before was cut off from
  --json             say each step as a line of JSON
  --help             this text

  Exit status: 0 done, 1 not done and nothing was changed, 2 called wrongly, 3 the old release runs again, 4 the new one is
  not in good health, and stays: neither was the old one, or it could not read the journal any more, or somebody is still
  being served by the new one (then --recover undoes it later).`;

type Status = 0 | 1 | 2 | 3 | 4;
type Step =
  | "unpacking"
  | "unpacked"
  | "waiting"
  | "switching"
  | "switched"
  | "restarted"
  | "healthy"
  | "undoing"
  | "undone"
  | "done"
  | "failed";
type Call = {
  readonly from: string | undefined;
  readonly root: string;
  readonly keys: string;
  readonly data: string;
  readonly restart: string;
  readonly waitMs: number;
  readonly withinMs: number;
  readonly allowDowngrade: boolean;
  readonly stopped: boolean;
  readonly json: boolean;
};

const LOOK_MS = 250;
/** So long the same process must be in good health: one that falls over after a second is not. */
const SETTLE_MS = 3_000;
const DOWNLOAD_STALLS_MS = 60_000;
const PROGRESS_EVERY = 10; // per cent

export async function update(argv: readonly string[], io: Io): Promise<Status> {
  const call = read(argv);
  if (call === "help") {
    io.out(usage);
    return 0;
  }
  if (typeof call === "string") {
    io.err(`scanvend update: ${call}\n\n${usage}`);
    return 2;
  }
  try {
    const layout = new Layout(call.root);
    using held = holdDirectory(call.root, "update.lock");
    if (!held.ok) {
      io.err(`scanvend update: another update is running in ${call.root}`);
      return 1;
    }
    try {
      return await new Update(call, layout, io).run();
    } catch (error) {
      if (!isOutside(error)) throw error;
      const left =
        layout.unsettled === undefined ? "Nothing was changed" : "Finish or undo it with --recover";
      io.err(`scanvend update: ${error.message}. ${left}`);
      return 1;
    }
  } catch (error) {
    if (!isOutside(error)) throw error;
    io.err(`scanvend update: --root: ${error.message}`);
    return 1;
  }
}

/** The release's, the disk's or the network's fault, and not ours. */
const isOutside = (error: unknown): error is Error =>
  error instanceof BadRelease || (error instanceof Error && "code" in error);

class Update {
  readonly #call: Call;
  readonly #layout: Layout;
  readonly #io: Io;
  constructor(call: Call, layout: Layout, io: Io) {
    this.#call = call;
    this.#layout = layout;
    this.#io = io;
  }

  async run(): Promise<Status> {
    const { from } = this.#call;
    const left = this.#layout.unsettled;
    const recovered = left === undefined ? 0 : await this.#recover(left);
    this.#layout.tidy();
    if (from === undefined) {
      if (left === undefined) this.#say("done", "there was nothing to finish or to undo");
      return recovered;
    }
    if (recovered === 4) return 4;
    return this.#install(from);
  }

  async #install(from: string): Promise<Status> {
    const { root, data, waitMs, stopped, keys: keysPath } = this.#call;
    const running = this.#layout.link("current");
    const keys = readTrusted(keysPath);
    const { version } = await this.#unpack(from, running, keys);
    if (running === undefined) {
      this.#layout.adopt(version);
      this.#layout.setLink("current", version);
      this.#say("done", `scanvend ${version} is in ${root}/current; nothing ran there before, so start it`);
      return 0;
    }
    const before = stopped ? undefined : await askHealth(data);
    if (before === undefined && !stopped)
      throw new BadRelease(
        `no controller answers in ${data}: name its dataDir with --data, or if it was stopped, say --stopped`,
      );
    this.#say("waiting", "until nobody is being served");
    const letGo = stopped ? () => undefined : await hold(data, waitMs);
    if (letGo === undefined)
      throw new BadRelease(
        `somebody was being served for all of ${waitMs / 1000} s: try again, or with a longer --wait`,
      );
    try {
      if (!this.#reads(this.#layout.incoming))
        // looked at while nothing is added to it
        throw new BadRelease(
          `scanvend ${version} cannot read the journal in ${data}: a later one has written it`,
        );
      this.#layout.adopt(version);
      const next: Unsettled = {
        from: running,
        to: version,
        previous: this.#layout.link("previous") ?? null,
        expected: abilityOf(before),
      };
      this.#say("switching", `${running} to ${version}`);
      for (const step of this.#layout.switching(next)) step();
      this.#say("switched", version);
      await this.#restart(); // still held: the old one sells nothing until it ends
      return await this.#settle(next);
    } finally {
      letGo();
    }
  }

  async #unpack(from: string, running: string | undefined, keys: Keys): Promise<Manifest> {
    this.#say("unpacking", from);
    let said = 0;
    const source = /^https?:\/\//.test(from) ? download(from) : (await open(from)).createReadStream();
    const manifest = await unpack(source, {
      into: this.#layout.incoming,
      keys,
      admit: (found) => this.#admit(found, running),
      progress: (bytes, of) => {
        const percent = Math.floor((100 * bytes) / Math.max(of, 1));
        if (percent < said + PROGRESS_EVERY) return;
        said = percent;
        this.#say("unpacking", `${percent} %`);
      },
    });
    this.#say("unpacked", `scanvend ${manifest.version}, ${manifest.files.length} files, all as signed`);
    return manifest;
  }

  #admit({ version, node, platform }: Manifest, running: string | undefined): void {
    if (version === running) throw new BadRelease(`scanvend ${version} is running already`);
    if (running !== undefined && compareVersions(version, running) < 0 && !this.#call.allowDowngrade)
      throw new BadRelease(
        `scanvend ${version} is older than ${running}: say --allow-downgrade if that is meant`,
      );
    if (compareVersions(process.versions.node, node) < 0)
      throw new BadRelease(`scanvend ${version} needs Node ${node}, and this is ${process.versions.node}`);
    if (platform !== undefined && platform !== PLATFORM)
      throw new BadRelease(`scanvend ${version} was made for ${platform}, and this is ${PLATFORM}`);
  }

  /** The new one runs. It is to be seen in good health, or to be undone. */
  async #settle(next: Unsettled): Promise<Status> {
    const wrong = await this.#watch(next.to, next.expected);
    if (wrong === undefined) {
      this.#say("healthy", next.to);
      this.#layout.settle();
      this.#say("done", `scanvend ${next.to} runs; ${next.from} is kept as previous`);
      return 0;
    }
    return this.#undo(next, wrong);
  }

  /** Whether the release in this place can read the journal as it is now. */
  #reads(place: string): boolean {
    return formOnDisk(join(this.#call.data, "journal.db")) <= journalFormIn(place);
  }

  async #undo(next: Unsettled, why: string): Promise<Status> {
    this.#say("undoing", why);
    const letGo = await this.#holdToUndo(); // it may be serving somebody, whatever is wrong with it
    if (letGo === undefined) {
      this.#say(
        "failed",
        `${next.to} is not in good health (${why}), and somebody is still being served by it after ${this.#call.waitMs / 1000} s: undo it later with --recover`,
      );
      return 4;
    }
    if (!this.#reads(this.#layout.release(next.from))) {
      letGo();
      this.#layout.settle();
      this.#say(
        "failed",
        `${next.to} is not in good health (${why}), and stays: ${next.from} cannot read what it has written into the journal. Look at the machine`,
      );
      return 4;
    }
    for (const step of this.#layout.back(next)) step();
    await this.#restart();
    letGo();
    const wrong = await this.#watch(next.from, next.expected);
    this.#layout.settle();
    if (wrong === undefined) {
      this.#say(
        "undone",
        `scanvend ${next.from} runs again: ${next.to} did not come into good health (${why})`,
      );
      return 3;
    }
    this.#say(
      "failed",
      `neither ${next.to} (${why}) nor ${next.from} (${wrong}) is in good health: look at the machine`,
    );
    return 4;
  }

  /** As before an update, but nobody has to be held where nobody answers; `undefined` if somebody is served all the time. */
  async #holdToUndo(): Promise<(() => void) | undefined> {
    const { data, waitMs } = this.#call;
    const untilMs = performance.now() + waitMs;
    for (let isSaid = false; ;) {
      const health = await askHealth(data);
      const leftMs = untilMs - performance.now();
      if (health === undefined) return () => undefined;
      if (leftMs <= 0) return health.free ? () => undefined : undefined;
      if (!health.free && !isSaid) this.#say("waiting", "until nobody is being served");
      isSaid ||= !health.free;
      const letGo = await hold(data, leftMs);
      if (letGo !== undefined) return letGo;
      await new Promise((again) => setTimeout(again, LOOK_MS)); // it ended, or its time is up
    }
  }

  /** An update was cut off. Where it had not switched there is nothing to undo; where it had, the new one gets its chance. */
  async #recover(left: Unsettled): Promise<Status> {
    if (this.#layout.link("current") === left.from) {
      for (const step of this.#layout.back(left)) step();
      if ((await askHealth(this.#call.data))?.version !== left.from) await this.#restart(); // cut off between undoing and that
      this.#layout.settle();
      this.#say("done", `an update from ${left.from} to ${left.to} was cut off: ${left.from} stays`);
      return 0;
    }
    this.#say("switched", `an update to ${left.to} was cut off: it is looked at now`);
    if ((await askHealth(this.#call.data))?.version !== left.to) await this.#restart();
    return this.#settle(left);
  }

  async #restart(): Promise<void> {
    const child = spawn(this.#call.restart, { shell: true, stdio: ["ignore", "ignore", "inherit"] });
    const status = await new Promise<number | null>((done) => {
      child.once("error", () => done(null));
      child.once("exit", (code) => done(code));
    });
    this.#say(
      "restarted",
      status === 0 ? this.#call.restart : `${this.#call.restart}: exit status ${String(status)}`,
    );
  }

  /** What is wrong with that version, or `undefined` once it has been in good health for a while. */
  async #watch(version: string, expected: Ability): Promise<string | undefined> {
    const untilMs = performance.now() + this.#call.withinMs;
    let good: { readonly bootId: string; readonly sinceMs: number } | undefined;
    for (;;) {
      const health = await askHealth(this.#call.data);
      const wrong = wrongWith(health, version, expected);
      const nowMs = performance.now();
      if (wrong !== undefined || health === undefined) good = undefined;
      else if (good?.bootId !== health.bootId) good = { bootId: health.bootId, sinceMs: nowMs };
      else if (nowMs - good.sinceMs >= SETTLE_MS) return undefined;
      if (nowMs > untilMs) return wrong ?? "it does not stay up";
      await new Promise((again) => setTimeout(again, LOOK_MS));
    }
  }

  #say(step: Step, text: string): void {
    this.#io.out(this.#call.json ? JSON.stringify({ step, text }) : `${step}: ${text}`);
  }
}

const abilityOf = (health: Health | undefined): Ability => ({
  line: health !== undefined && health.mdb !== "lost",
  bus: health?.bus === true,
  canSell: health?.canSell === true,
});

function wrongWith(health: Health | undefined, version: string, expected: Ability): string | undefined {
  if (health === undefined) return "it does not answer";
  if (health.version !== version) return `it says that it is ${health.version}`;
  const now = abilityOf(health);
  if (expected.line && !now.line) return "it does not reach the machine's adapter";
  if (expected.bus && !now.bus) return "it does not reach the broker";
  return expected.canSell && !now.canSell ? `it cannot sell (${health.reason})` : undefined;
}

function readTrusted(path: string): Keys {
  try {
    return readKeys(readFileSync(path, "utf8"));
  } catch (error) {
    throw new BadRelease(`--keys: ${path}: ${error instanceof Error ? error.message : "cannot be read"}`);
  }
}

/** As long as something comes, it may take as long as it takes. */
async function* download(url: string): AsyncGenerator<Uint8Array> {
  const stop = new AbortController();
  const stall = setTimeout(() => stop.abort(new Error("nothing more comes")), DOWNLOAD_STALLS_MS);
  try {
    const answer = await fetch(url, { signal: stop.signal });
    if (!answer.ok || answer.body === null) throw new Error(`answered ${answer.status}`);
    for await (const part of answer.body) {
      stall.refresh();
      yield part as Uint8Array; // a body's parts are bytes
    }
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new BadRelease(`${url}: ${cause instanceof Error ? cause.message : "no answer"}`);
  } finally {
    clearTimeout(stall);
  }
}

/** The call, "help", or what is wrong with it. An option nobody declared is the front door's to refuse. */
function read(argv: readonly string[]): Call | string {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      root: { type: "string", default: "/opt/scanvend" },
      keys: { type: "string", default: "/etc/scanvend/release-keys.json" },
      data: { type: "string", default: "/var/lib/scanvend" },
      restart: { type: "string", default: "systemctl restart scanvend-controller" },
      wait: { type: "string", default: "600" },
      within: { type: "string", default: "120" },
      "allow-downgrade": { type: "boolean", default: false },
      stopped: { type: "boolean", default: false },
      recover: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const [from, ...more] = positionals;
  if (more.length > 0 || (from === undefined) !== values.recover)
    return "one FILE or URL is needed, or --recover alone";
  for (const name of ["wait", "within"] as const)
    if (!/^[0-9]{1,5}$/.test(values[name]))
      return `--${name}: must be a whole number of seconds, not ${values[name]}`;
  const { root, keys, data, restart, stopped, json } = values;
  return {
    ...{ from, root, keys, data, restart, stopped, json },
    waitMs: Number(values.wait) * 1000,
    withinMs: Number(values.within) * 1000,
    allowDowngrade: values["allow-downgrade"],
  };
}
