/** `scanvend listen` and `scanvend trigger` as real processes, against a real payment platform and a real receiver. */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRemoteJWKSet } from "jose";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { pickPorts } from "../../cli/ports.js";
import { provisionMerchant, provisionWallet } from "../../cloud/payments/provision.js";
import { openStore } from "../../cloud/store/open-store.js";
import { verifyWebhook } from "../../cloud/vending/webhook.js";
import { ok, openReceiver, status, type Receiver } from "../payments/receiver.js";
import { until as untilSo } from "../rig/rig.js";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "scanvend-listen-"));
const data = join(dir, "data");
const clock: Clock = {
  nowMs: () => Date.now(),
  monoMs: () => performance.now(),
  after: () => () => undefined,
};
const random: Random = { bytes: (count) => randomBytes(count), fraction: () => Math.random() };
const PAID = "payment-request:paid";

/** A process of ours, and what it has said. */
class Run {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  out = "";
  err = "";
  constructor(...argv: readonly string[]) {
    this.#child = spawn(process.execPath, [program, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout?.on("data", (chunk: Buffer) => (this.out += chunk.toString()));
    this.#child.stderr?.on("data", (chunk: Buffer) => (this.err += chunk.toString()));
    this.#ended = new Promise((resolve) => this.#child.once("close", resolve));
  }
  get lines(): readonly string[] {
    return this.out.split("\n").filter((line) => line !== "");
  }
  ended(): Promise<number | null> {
    return this.#ended;
  }
  end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.#ended;
  }
}
const done = async (...argv: readonly string[]) => {
  const run = new Run(...argv);
  return { status: await run.ended(), out: run.out, err: run.err };
};
/** Asks until it is so. */
const until = (ask: () => boolean | Promise<boolean>): Promise<void> =>
  untilSo(ask.toString(), async () => ask(), 30_000);

let cloud: Run;
let cloudUrl: string;
let rig: {
  readonly cloudUrl: string;
  readonly configId: string;
  readonly keys: { readonly owner: string; readonly terminal: string };
  readonly machines: readonly never[];
  readonly wallets: readonly { readonly apiKey: string; readonly assetId: string }[];
};
let receiver: Receiver;
let listening: Run | undefined;

const startCloud = async (): Promise<void> => {
  cloud = new Run("cloud", "--config", join(dir, "cloud.json"));
  await until(async () => (await fetch(`${cloudUrl}/readyz`)).ok);
};
beforeAll(async () => {
  const path = join(dir, "cloud.db");
  const store = await openStore({
    databaseUrl: `file:${path}`,
    maxGroup: 1,
    maxWaiting: 10,
    maxConnections: 1,
  });
  const making = { clock, random };
  const { merchant, wallet } = await store.write(async (tx) => ({
    merchant: await provisionMerchant(tx, making, {
      name: "m",
      merchantName: "m",
      country: "NZ",
      currency: "NZD",
      allowedRedirectUrls: [],
    }),
    wallet: await provisionWallet(tx, making, { name: "w", currency: "NZD", topUpMinor: 150 }),
  }));
  await store.close();
  const picked = await pickPorts([0]);
  if (!picked.ok) throw new Error("no port is free");
  const [port = 0] = picked.ports;
  cloudUrl = `http://127.0.0.1:${port}`;
  const configuration = { port, publicUrl: cloudUrl, databaseUrl: `file:${path}`, services: ["payments"] };
  writeFileSync(join(dir, "cloud.json"), JSON.stringify(configuration));
  rig = {
    cloudUrl,
    configId: merchant.configId,
    keys: { owner: merchant.ownerKey, terminal: merchant.terminalKey },
    machines: [],
    wallets: [wallet],
  };
  mkdirSync(data);
  writeFileSync(join(data, "rig.json"), JSON.stringify(rig));
  receiver = await openReceiver();
  await startCloud();
});
afterEach(async () => {
  await listening?.end("SIGTERM");
  listening = undefined;
  receiver.manner = ok;
  receiver.received.length = 0;
});
afterAll(async () => {
  await cloud.end("SIGTERM");
  await receiver.close();
  rmSync(dir, { recursive: true, force: true });
});

const listen = async (...more: readonly string[]): Promise<Run> => {
  const run = new Run("listen", ...(more.includes("--url") ? [] : ["--data", data]), ...more);
  listening = run;
  await until(() => run.err.includes("Listening at"));
  return run;
};
type Ids = { readonly paymentRequestId: string; readonly paymentId: string; readonly refundId?: string };
const trigger = async (type: string): Promise<Ids> => {
  const { status: code, out, err } = await done("trigger", type, "--data", data, "--json");
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as Ids; // what --json says
};

test("what is triggered is printed, and forwarded with the text and signature of a webhook", async () => {
  const run = await listen("--forward-to", `${receiver.url}/hook?secret=1`);
  const paid = await trigger(PAID);
  await until(() => run.lines.length === 2);
  expect(run.lines[0]).toMatch(
    new RegExp(`^20[0-9T:.-]+Z  payment-request:paid  ${paid.paymentRequestId}  100 NZD$`),
  );
  expect(run.lines[1]).toMatch(/^ {2}-> 204 \([0-9]+ ms\)$/);
  const [came] = receiver.received;
  if (came === undefined) throw new Error("nothing came");
  expect(came.path).toBe("/hook?secret=1");
  const verified = await verifyWebhook(came.authorization, came.raw, {
    audience: `${receiver.url}/hook`,
    nowMs: Date.now(),
    keys: createRemoteJWKSet(new URL(`${cloudUrl}/api/.well-known/jwks.json`)),
  });
  expect(verified).toMatchObject({
    ok: true,
    delivery: { type: PAID, paid: { paymentRequestId: paid.paymentRequestId } },
  });

  const refunded = await trigger("payment-request:refund-completed");
  await until(() => receiver.received.length === 4);
  const told = receiver.received
    .slice(1)
    .map(({ notification: { type, data: of } }) => [type, of["paymentRequestId"]]);
  expect(told.sort()).toEqual(
    [PAID, "payment-request:refund-completed", "payment-request:refund-initiated"].map((type) => [
      type,
      refunded.paymentRequestId,
    ]),
  );
  expect(await run.end("SIGINT")).toBe(0);
});

test("only the types asked for are told, as JSON, and what was before is not", async () => {
  await trigger(PAID);
  const run = await listen("--types", "payment-request:refund-initiated", "--json");
  const ids = await trigger("payment-request:refund-initiated");
  await until(() => run.lines.length === 1);
  expect(JSON.parse(run.out)).toEqual({
    id: expect.any(String) as unknown,
    type: "payment-request:refund-initiated",
    createdAt: expect.any(String) as unknown,
    paymentRequestId: ids.paymentRequestId,
    value: { amount: "100", currency: "NZD" },
  });
  expect(await run.end("SIGTERM")).toBe(0);
});

test("a receiver that fails, or is not there, is told of, and the next notification is sent all the same", async () => {
  const gone = await openReceiver();
  const run = await listen("--forward-to", gone.url, "--json");
  const last = (): unknown => JSON.parse(run.lines.at(-1) ?? "{}");
  gone.manner = status(500);
  await trigger(PAID);
  await until(() => run.lines.length === 1);
  expect(last()).toMatchObject({ forwarded: { status: 500 } });
  await gone.close();
  await trigger(PAID);
  await until(() => run.lines.length === 2);
  expect(last()).toMatchObject({ forwarded: { error: expect.stringContaining("ECONNREFUSED") as unknown } });
  await trigger(PAID);
  await until(() => run.lines.length === 3);
});

test("a platform that is away is waited for, and nothing that happened is missed or told twice", async () => {
  const run = await listen("--forward-to", receiver.url);
  const before = await trigger(PAID);
  await until(() => receiver.received.length === 1);
  await cloud.end("SIGTERM");
  await until(() => run.err.includes("is away"));
  await startCloud();
  const after = await trigger(PAID);
  await until(() => receiver.received.length === 2);
  await until(() => run.err.includes("is back"));
  const told = receiver.received.map(({ notification }) => notification.data["paymentRequestId"]);
  expect(told).toEqual([before.paymentRequestId, after.paymentRequestId]);
});

test("another platform is named by its address and keys", async () => {
  const [wallet] = rig.wallets;
  const run = await listen("--url", `${cloudUrl}/`, "--key", rig.keys.owner);
  const place = [
    "--config",
    rig.configId,
    "--wallet-key",
    wallet?.apiKey ?? "",
    "--asset",
    wallet?.assetId ?? "",
  ];
  const made = await done("trigger", PAID, "--url", cloudUrl, "--key", rig.keys.terminal, ...place);
  expect(made).toMatchObject({ status: 0, err: "" });
  const [, id = ""] = /^payment request {2}(\S+)$/m.exec(made.out) ?? [];
  await until(() => run.out.includes(id));
});

test("a key that may not, a platform that is none, and one that is away end in 1, and say so", async () => {
  const refused = await done("listen", "--url", cloudUrl, "--key", rig.keys.terminal);
  expect(refused).toMatchObject({ status: 1, err: expect.stringContaining("Forbidden") as unknown });
  const other = await done("listen", "--url", `${cloudUrl}/healthz?`, "--key", "k");
  expect(other).toMatchObject({
    status: 1,
    err: expect.stringContaining("not a payment platform") as unknown,
  });
  const place = ["--config", "c", "--wallet-key", "k", "--asset", "a"];
  const away = await done("trigger", PAID, "--url", "http://127.0.0.1:9", "--key", "k", ...place);
  expect(away).toMatchObject({ status: 1, err: expect.stringContaining("got no answer") as unknown });
});

// prettier-ignore
const wrong: readonly [argv: readonly string[], names: string][] = [
  [["listen", "--forward-to", "ftp://x"],              "--forward-to"],
  [["listen", "--forward-to", "http://u:p@x"],         "--forward-to"],
  [["listen", "--types", "payment-request:made"],      "--types"],
  [["listen", "--data", "nowhere"],                    "--data"],
  [["listen", "--url", "http://h"],                    "--key"],
  [["listen", "--url", "javascript:1", "--key", "k"],  "--url"],
  [["listen", "--colour", "red"],                      "--colour"],
  [["trigger"],                                        "TYPE"],
  [["trigger", "payment-request:made"],                "TYPE"],
  [["trigger", PAID, PAID],                            "TYPE"],
  [["trigger", PAID, "--data", "nowhere"],             "--data"],
  [["trigger", PAID, "--url", "http://h"],             "--key"],
  [["trigger", PAID, "--colour", "red"],               "--colour"],
];
test("a wrong call is refused with exit 2, naming what is wrong", async () => {
  for (const [argv, names] of wrong) {
    const { status: code, out, err } = await done(...argv);
    expect({ code, out }, argv.join(" ")).toEqual({ code: 2, out: "" });
    expect(err).toContain(names);
  }
});
