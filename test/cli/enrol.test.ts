/** A cloud from nothing: its database, a merchant, a machine, by the commands an operator has, and the machine can sell. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { quietPort } from "../quiet-port.js";
import { readyAdapter } from "../update/box.js";

vi.setConfig({ testTimeout: 180_000 }); // a dozen processes one after the other
const WITHIN = { timeout: 30_000 };
const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "enrol-"));
const at = (name: string): string => join(dir, name);
const running: ChildProcess[] = [];
let url: string;
let mqttUrl: string;
beforeAll(async () => {
  const [port, mqttPort] = [await quietPort(), await quietPort()];
  url = `http://127.0.0.1:${port}`;
  mqttUrl = `mqtt://127.0.0.1:${mqttPort}`;
  file("cloud.json", { publicUrl: url, port, databaseUrl: `file:${at("cloud.db")}`, mqttUrl });
  file("broker.json", { port: mqttPort, loginsFile: at("logins.json") });
});
afterAll(async () => {
  for (const child of running) await stop(child);
  rmSync(dir, { recursive: true, force: true });
});

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((done) => child.once("exit", done));
  if (child.exitCode === null && child.signalCode === null && child.kill("SIGTERM")) await ended;
}
function file(name: string, value: unknown): void {
  writeFileSync(at(name), JSON.stringify(value));
}
const run = (...argv: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...argv], { encoding: "utf8" });
  return { status, stdout, stderr };
};
const enrol = (what: string, ...argv: readonly string[]) =>
  run("enrol", what, "--config", at("cloud.json"), "--json", ...argv);
/** Runs a service until the test is over. */
const serve = (...argv: readonly string[]) => {
  const child = spawn(process.execPath, [program, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (said += String(bytes)));
  running.push(child);
  return { said: () => said, stop: () => stop(child) };
};
const api = async (method: string, path: string, body?: object, key?: string): Promise<unknown> => {
  const answer = await fetch(url + path, {
    method,
    headers: { "content-type": "application/json", ...(key === undefined ? {} : { "x-api-key": key }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
};

const merchantMade = z.strictObject({
  paymentsApiKey: z.string(),
  ownerKey: z.string(),
  configId: z.string(),
  merchantId: z.string(),
  ownerAccountId: z.string(),
  walletId: z.string(),
  cloudKeys: z.array(z.string().regex(/^[^:]+:[\w-]{43}$/)).length(1),
});
const asMerchant = ["--name", "Snack Street", "--currency", "NZD"] as const;
const asMachine = [
  "--code",
  "HALL1",
  "--name",
  "Hall",
  "--place",
  "By the door",
  "--currency",
  "NZD",
] as const;

test("from nothing to a sale, each step a command", async () => {
  expect(enrol("machine", "--line", "{}", ...asMachine)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--line: must be the whole line") as string,
  });
  const made = enrol("merchant", ...asMerchant);
  expect(made).toMatchObject({ status: 0, stderr: "" });
  const { paymentsApiKey, ownerKey, configId, cloudKeys } = merchantMade.parse(JSON.parse(made.stdout));
  const twice = enrol("merchant", ...asMerchant);
  expect(twice).toMatchObject({ status: 1, stdout: "" });
  expect(twice.stderr).toContain("--name: there is a merchant Snack Street");

  const mqttPassword = "a password of the cloud at its broker";
  const passwordSha256 = createHash("sha256").update(mqttPassword).digest("hex");
  const cloudLogin = { role: "cloud", username: "cloud", passwordSha256 };
  file("secrets.json", { mqttPassword, paymentsApiKey });
  file("logins.json", { logins: [cloudLogin] });
  const broker = serve("broker", "--config", at("broker.json"));
  const cloud = serve("cloud", "--config", at("cloud.json"), "--secrets", at("secrets.json"));
  await expect.poll(() => cloud.said(), WITHIN).toContain('"serving"');
  expect(cloud.said()).toContain(`"cloudKeys":${JSON.stringify(cloudKeys)}`);

  const adapter = await readyAdapter();
  try {
    const [kid, x] = cloudKeys[0]?.split(":") ?? [];
    const box = {
      machineId: "m-17",
      serial: `tcp://127.0.0.1:${(adapter.address() as AddressInfo).port}`, // listening on TCP
      mqttUrl,
      currency: "NZD",
      cloudKeys: [{ kid, publicKey: { kty: "OKP", crv: "Ed25519", x } }],
    };
    file("controller.json", { ...box, dataDir: at("controller") });
    const line = run("controller", "--config", at("controller.json"), "--identify").stdout;
    const enrolled = enrol("machine", "--line", `to enrol it: ${line}`, ...asMachine);
    expect(enrolled).toMatchObject({ status: 0, stderr: "" });
    expect(enrol("machine", "--line", line, ...asMachine).stdout, "again, it is as it was").toBe(
      enrolled.stdout,
    );
    const loginOf = (said: string): unknown =>
      z.looseObject({ login: z.unknown() }).parse(JSON.parse(said)).login;
    file("logins.json", { logins: [cloudLogin, loginOf(enrolled.stdout)] });
    const stolen = serve("controller", "--config", at("controller.json"));
    await expect
      .poll(() => api("GET", "/api/vending/machines/HALL1"), WITHIN)
      .toMatchObject({ body: { state: "ready", name: "Hall", place: "By the door" } });

    const logins = ["--logins", at("logins.json")] as const;
    const loginsNow = (): unknown => JSON.parse(readFileSync(at("logins.json"), "utf8"));
    expect(enrol("revoke", "--machine", "m-17", ...logins)).toMatchObject({
      status: 0,
      stdout: `${JSON.stringify({ machineId: "m-17", revoked: 1 })}\n`,
    });
    expect(loginsNow()).toEqual({ logins: [cloudLogin] });
    await expect.poll(() => broker.said(), WITHIN).toContain("connection ended: its login is gone");
    expect(enrol("revoke", "--machine", "m-17")).toMatchObject({ status: 0, stderr: "" });
    for (const replace of [[], ["--replace"]])
      expect(
        enrol("machine", "--line", line, ...asMachine, ...replace),
        "a stolen key stays out",
      ).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(
          /--line: this key of m-17 was revoked.*--identify makes a new key/,
        ) as string,
      });
    await stolen.stop();
    file("new-box.json", { ...box, dataDir: at("new-box") });
    const newLine = run("controller", "--config", at("new-box.json"), "--identify").stdout;
    expect(enrol("machine", "--line", newLine, ...asMachine)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("say --replace") as string,
    });
    const replaced = enrol("machine", "--line", newLine, ...asMachine, "--replace", ...logins);
    expect(replaced).toMatchObject({ status: 0, stderr: "" });
    expect(loginsNow()).toEqual({ logins: [cloudLogin, loginOf(replaced.stdout)] });
    expect(enrol("machine", "--line", newLine, ...asMachine).stdout).toBe(replaced.stdout);
    expect(enrol("machine", "--line", newLine, ...asMachine, "--replace")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("--replace: m-17 has this very key") as string,
    });
    serve("controller", "--config", at("new-box.json"));
    await expect
      .poll(() => api("GET", "/api/vending/machines/HALL1"), WITHIN)
      .toMatchObject({ body: { state: "ready", name: "Hall" } });

    const items = [{ item: 11, name: "Crisps", price: "250" }];
    const config = "/api/vending/machines/HALL1/config";
    expect(await api("PUT", config, { items }, ownerKey)).toMatchObject({ status: 200 });
    await expect
      .poll(() => api("GET", config, undefined, ownerKey), WITHIN)
      .toMatchObject({ body: { applied: 1 } });
    const asked = { credit: { amount: "400", currency: "NZD" }, idempotencyKey: "k" };
    expect(await api("POST", "/api/vending/machines/HALL1/sales", asked)).toMatchObject({
      status: 200,
      body: { state: "awaitingPayment", paymentRequest: { status: "new", configId } },
    });
  } finally {
    adapter.close();
  }
});

test("a cloud on a new database makes its key for the bus, says its public half, and has it at the next start", async () => {
  const port = await quietPort();
  file("alone.json", { publicUrl: url, port, databaseUrl: `file:${at("alone.db")}`, mqttUrl });
  file("alone-secrets.json", { mqttPassword: "p", paymentsApiKey: "k" });
  const keySaid = async (): Promise<string | undefined> => {
    const cloud = serve("cloud", "--config", at("alone.json"), "--secrets", at("alone-secrets.json"));
    await expect.poll(cloud.said, WITHIN).toContain('"serving"');
    await cloud.stop();
    return /"cloudKeys":\["[^:"]+:[\w-]{43}"\]/.exec(cloud.said())?.[0];
  };
  const first = await keySaid();
  expect(first).toBeDefined();
  expect(await keySaid()).toBe(first);
});

test("a broker that others than this computer can reach without TLS says so at its start", async () => {
  file("none.json", { logins: [] });
  const [open, own] = ["0.0.0.0", "127.0.0.1"].map((host) => {
    file(`broker-${host}.json`, { host, port: 0, webSocketPort: 0, loginsFile: at("none.json") });
    return serve("broker", "--config", at(`broker-${host}.json`));
  });
  await expect.poll(() => open?.said(), WITHIN).toContain("this is MQTT without TLS");
  await expect.poll(() => own?.said(), WITHIN).toContain('"listening"');
  await own?.stop(); // it has said what it had to say
  expect(own?.said()).not.toContain("without TLS");
});

test("what is wrong is named with its cure, all of it at once", () => {
  const wrong = run(
    "enrol",
    "machine",
    "--config",
    at("cloud.json"),
    "--code",
    "A B",
    "--credits",
    "4.00",
    "--currency",
    "nzd",
  );
  expect(wrong).toMatchObject({ status: 2, stdout: "" });
  for (const flag of ["line", "code", "name", "currency", "credits"])
    expect(wrong.stderr).toContain(`scanvend enrol machine: --${flag}: `);
  expect(run("enrol", "merchant")).toMatchObject({
    status: 2,
    stderr: "scanvend enrol merchant: --config: is needed\n",
  });
  expect(run("enrol")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("say merchant, machine or revoke") as string,
  });
});

test("a machine is not enrolled over another, nor before there is a merchant", () => {
  file("other.json", {
    ...z.looseObject({}).parse(JSON.parse(readFileSync(at("cloud.json"), "utf8"))),
    databaseUrl: `file:${at("other.db")}`,
  });
  const boxes = ["m-1", "m-2"].map((machineId) => {
    file(`${machineId}.json`, {
      machineId,
      dataDir: at(machineId),
      serial: "tcp://127.0.0.1:1",
      mqttUrl,
      currency: "NZD",
      cloudKeys: [{ kid: "k", publicKey: { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) } }],
    });
    return run("controller", "--config", at(`${machineId}.json`), "--identify").stdout;
  });
  const as = (line: string, code: string, name = "n", currency = "NZD", ...more: readonly string[]) =>
    run(
      "enrol",
      "machine",
      "--config",
      at("other.json"),
      "--line",
      line,
      "--code",
      code,
      "--name",
      name,
      "--currency",
      currency,
      ...more,
    );
  const [one = "", two = ""] = boxes;
  expect(as(one, "A")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("scanvend enrol merchant makes one") as string,
  });
  expect(run("enrol", "merchant", "--config", at("other.json"), ...asMerchant).stdout).toContain(
    "paymentsApiKey",
  );
  expect(as(one, "A").status).toBe(0);
  expect(as(two, "A")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("--code: another machine has A") as string,
  });
  expect(as(one, "B")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("--code: m-1 is enrolled under another code") as string,
  });
  expect(as(two, "C").status).toBe(0);
  // A mistake is no success the second time, and can be mended.
  expect(as(two, "C", "Hall", "AUD")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(
      "--name: m-2 is enrolled with name n and currency NZD; say --update",
    ) as string,
  });
  expect(as(two, "C", "Hall", "AUD", "--update")).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("is enrolled already, with what was said now") as string,
  });
  expect(as(two, "C", "Hall", "AUD").status).toBe(0);
  expect(as(two, "C", "Hall", "NZD").status).toBe(1);
  const copied = JSON.stringify({ ...z.looseObject({}).parse(JSON.parse(two)), machineId: "m-3" });
  expect(as(copied, "D")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("--line: another machine has the key of m-3") as string,
  });
  const revoke = (...argv: readonly string[]) =>
    run("enrol", "revoke", "--config", at("other.json"), ...argv);
  expect(revoke("--machine", "m-9")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("--machine: no machine m-9 is enrolled here") as string,
  });
  expect(revoke("--machine", "m-1", "--logins", at("nowhere.json"))).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("--logins: configuration: cannot be read") as string,
  });
  expect(revoke()).toMatchObject({ status: 2, stderr: "scanvend enrol revoke: --machine: is needed\n" });
  const stolen = JSON.stringify({ ...z.looseObject({}).parse(JSON.parse(two)), machineId: "m-1" });
  expect(as(stolen, "A")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("--line: another machine has the key of m-1") as string,
  });
});
