/**
 * A machine's box in a directory: releases, a controller that runs from `current` and is started again whenever it ends, an adapter
 * on a real line and a broker. All of it real processes but the last two.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createHash, createPublicKey } from "node:crypto";
import { z } from "zod";
import { askHealth, type Health } from "../../cli/update/controller-line.js";
import { Layout } from "../../cli/update/layout.js";
import { MANIFEST } from "../../cli/update/manifest.js";
import { publicJwk } from "../../controller/identity.js";
import { newKeys, TestCloud, testBroker, type TestBroker } from "../controller/test-broker.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const program = join(repository, "dist", "cli.js");
const MACHINE = "m-1";
const cloudKeys = newKeys("cloud-1");

export type Ended = {
  readonly status: number | null;
  readonly steps: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
};

/** Whatever is started is ended by its own id, and whatever it says to the line is answered. */
export class Box implements AsyncDisposable {
  readonly dir: string;
  readonly root: string;
  readonly data: string;
  readonly cloud: TestCloud;
  readonly #broker: TestBroker;
  readonly #adapter: Server;
  #keeper: ChildProcess | undefined;

  private constructor(dir: string, cloud: TestCloud, broker: TestBroker, adapter: Server) {
    this.dir = dir;
    this.root = join(dir, "root");
    this.data = join(dir, "data");
    this.cloud = cloud;
    this.#broker = broker;
    this.#adapter = adapter;
  }

  static async make(): Promise<Box> {
    const dir = mkdtempSync(join(tmpdir(), "box-"));
    const broker = await testBroker();
    const adapter = await readyAdapter();
    writeFileSync(
      join(dir, "controller.json"),
      JSON.stringify({
        machineId: MACHINE,
        dataDir: "data",
        serial: `tcp://127.0.0.1:${(adapter.address() as AddressInfo).port}`, // listening on TCP: never a path
        mqttUrl: broker.url,
        cloudKeys: [{ kid: "cloud-1", publicKey: cloudKeys.publicKey.export({ format: "jwk" }) }],
        currency: "NZD",
        reportAgainMs: 200,
      }),
    );
    const identified = run(["controller", "--config", join(dir, "controller.json"), "--identify"]);
    const { publicKey } = z.looseObject({ publicKey: publicJwk }).parse(JSON.parse(identified.stdout));
    const key = createPublicKey({ key: publicKey, format: "jwk" });
    const cloud = await TestCloud.connect(broker.url, MACHINE, cloudKeys, key);
    const box = new Box(dir, cloud, broker, adapter);
    mkdirSync(box.root);
    symlinkSync(join(repository, "node_modules"), join(box.root, "node_modules")); // what a release without its own goes by
    const made = run(["release", "--new-key", join(dir, "key.json")]);
    writeFileSync(join(dir, "keys.json"), made.stdout);
    return box;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    writeFileSync(join(this.dir, "stop"), "");
    if (this.#keeper !== undefined) {
      const ended = new Promise((done) => this.#keeper?.once("exit", done));
      spawnSync("/bin/sh", ["-c", this.#restart()]);
      await ended;
    }
    await this.cloud.close();
    await this.#broker.close();
    this.#adapter.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A release of this version; `spoil` may change what is in it before it is signed. */
  release(version: string, spoil: (dist: string) => void = () => undefined): string {
    const from = join(this.dir, `package-${version}`);
    cpSync(join(repository, "dist"), join(from, "dist"), { recursive: true });
    const about = z
      .looseObject({ version: z.string() })
      .parse(JSON.parse(readFileSync(join(repository, "package.json"), "utf8")));
    writeFileSync(join(from, "package.json"), JSON.stringify({ ...about, version }));
    writeFileSync(
      join(from, "dist", "controller", "version.js"),
      `export const VERSION = ${JSON.stringify(version)};\n`,
    );
    spoil(join(from, "dist"));
    const out = join(this.dir, `scanvend-${version}.tar.gz`);
    const made = run(["release", "--from", from, "--key", join(this.dir, "key.json"), "--out", out]);
    if (made.status !== 0) throw new Error(made.stderr);
    rmSync(from, { recursive: true });
    return out;
  }

  /** As a service manager would: whenever it ends it is started again. */
  switchOn(): void {
    const script = `
      while [ ! -e stop ]; do
        "$NODE" root/current/dist/cli.js controller --config controller.json >> log 2>&1 &
        echo $! > pid.new && mv pid.new pid
        wait $!
        sleep 0.1
      done`;
    this.#keeper = spawn("/bin/sh", ["-c", script], {
      cwd: this.dir,
      stdio: "ignore",
      env: { ...process.env, NODE: process.execPath },
    });
  }

  /** Starts an update; `at` is called with each step as it is said. */
  start(
    args: readonly string[],
    at: (step: string, child: ChildProcess) => void = () => undefined,
  ): Promise<Ended> {
    const places = ["--root", this.root, "--data", this.data, "--restart", this.#restart(), "--json"];
    const trust =
      args.includes("--recover") || args.includes("--keys") ? [] : ["--keys", join(this.dir, "keys.json")];
    const child = spawn(process.execPath, [program, "update", ...args, ...places, ...trust], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr, rest] = ["", "", ""];
    const steps: string[] = [];
    child.stdout.on("data", (bytes: Buffer) => {
      stdout += bytes.toString();
      const lines = (rest + bytes.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { step } = z.object({ step: z.string(), text: z.string() }).parse(JSON.parse(line));
        if (steps.at(-1) !== step) steps.push(step);
        at(step, child);
      }
    });
    child.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
    return new Promise((done) => child.once("close", (status) => done({ status, steps, stdout, stderr })));
  }

  health(): Promise<Health | undefined> {
    return askHealth(this.data);
  }
  /** The controller of this version, able to sell. */
  async sells(version: string): Promise<void> {
    let last: Health | undefined;
    const untilMs = performance.now() + 30_000;
    for (;;) {
      last = await this.health();
      if (last?.version === version && last.canSell) return;
      if (performance.now() > untilMs)
        throw new Error(`never: ${version} sells; it is ${JSON.stringify(last)}`);
      await new Promise((again) => setTimeout(again, 20));
    }
  }

  get layout(): Layout {
    return new Layout(this.root);
  }
  /** Where `current` leads, having looked at every file there against its manifest. */
  running(): string | undefined {
    const current = join(this.root, "current");
    const [, payload = ""] = readFileSync(join(current, MANIFEST), "latin1").split(".");
    const { files } = z
      .looseObject({ files: z.array(z.looseObject({ path: z.string(), sha256: z.string() })) })
      .parse(JSON.parse(Buffer.from(payload, "base64url").toString()));
    for (const { path, sha256 } of files) {
      const now = createHash("sha256")
        .update(readFileSync(join(current, path)))
        .digest("hex");
      if (now !== sha256) throw new Error(`${path} is not the file that was signed`);
    }
    return this.layout.link("current");
  }

  #restart(): string {
    return `kill -TERM "$(cat '${join(this.dir, "pid")}')"`;
  }
}

export function run(argv: readonly string[]): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  return spawnSync(process.execPath, [program, ...argv], { encoding: "utf8" });
}

/** An adapter whose machine is always there. */
/** An adapter on a TCP line, whose machine is ready to sell. */
export async function readyAdapter(): Promise<Server> {
  const answers: readonly (readonly [RegExp, readonly string[]])[] = [
    [/^V$/, ["v,4.0.2.0,01"]],
    [/^X,0$/, ["x,ACK"]],
    [/^C,0$/, ["c,0"]],
    [/^C,SETCONF/, ["c,SET,OK"]],
    [/^C,1$/, ["c,1", "c,STATUS,ENABLED"]],
  ];
  const server = createServer((socket: Socket) => {
    let rest = "";
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      const lines = (rest + bytes.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines)
        for (const said of answers.find(([asked]) => asked.test(line))?.[1] ?? [])
          socket.write(`${said}\r\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
