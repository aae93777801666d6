/**
 * Three cloud processes on one database, as they are started in production, and one of them is killed in the middle of it:
 * no money is made or lost, a key has one effect whichever process is asked, and every webhook that is owed is heard.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  provisionMerchant,
  provisionWallet,
  setWebhookUrl,
  type ProvisionedMerchant,
  type ProvisionedWallet,
} from "../../cloud/payments/provision.js";
import { notificationTypes } from "../../cloud/payments/request.js";
import type { Store } from "../../cloud/store/store.js";
import { quietPort } from "../quiet-port.js";
import { newDatabase, openTestStore, type TestDatabase } from "../store/database.js";
import { audit } from "./audit.js";
import { ASSET_TYPE, CURRENCY, random, type Body } from "./platform.js";
import { openReceiver, type Receiver } from "./receiver.js";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const PROCESSES = 3;
const CLIENTS = 9;
const ROUNDS = 6;
const WITHIN_MS = 40_000;
const clock = { nowMs: () => Date.now() };

type Process = { readonly url: string; readonly child: ChildProcess; readonly logFile: string };

let dir: string;
let database: TestDatabase;
let store: Store;
let receiver: Receiver;
let merchant: ProvisionedMerchant;
let wallets: readonly ProvisionedWallet[];
let processes: readonly Process[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "scanvend-processes-"));
  database = await newDatabase();
  store = await openTestStore(database.url);
  receiver = await openReceiver();
  const making = { clock: { ...clock, monoMs: () => performance.now(), after: noTimer }, random };
  ({ merchant, wallets } = await store.write(async (tx) => {
    const made = await provisionMerchant(tx, making, {
      name: "Snack Street Ltd",
      merchantName: "Snack Street",
      country: "NZ",
      currency: CURRENCY,
      allowedRedirectUrls: [],
    });
    await setWebhookUrl(tx, making, made.ownerAccountId, receiver.url, notificationTypes);
    const payers: ProvisionedWallet[] = [];
    for (let n = 0; n < CLIENTS; n += 1)
      payers.push(await provisionWallet(tx, making, { name: "Ada", currency: CURRENCY, topUpMinor: 10_000 }));
    return { merchant: made, wallets: payers };
  }));
  const ports = await Promise.all(Array.from({ length: PROCESSES }, quietPort));
  processes = ports.map(begin);
  await Promise.all(processes.map(ready));
});
afterAll(async () => {
  await Promise.all(processes.map(end));
  await receiver.close();
  await store.close();
  await database.drop();
  rmSync(dir, { recursive: true, force: true });
});

/** Nothing in setting up accounts waits for a time. */
function noTimer(): never {
  throw new Error("setting up needs no timer");
}

function begin(port: number): Process {
  const url = `http://127.0.0.1:${port}`;
  const config = join(dir, `cloud-${port}.json`);
  const settings = {
    services: ["payments"],
    port,
    publicUrl: url,
    databaseUrl: database.url,
    databaseConnections: 5,
  };
  writeFileSync(config, JSON.stringify(settings), { mode: 0o600 });
  const logFile = join(dir, `cloud-${port}.log`);
  const log = openSync(logFile, "a");
  const child = spawn(process.execPath, [program, "cloud", "--config", config], {
    stdio: ["ignore", log, log],
  });
  return { url, child, logFile };
}

async function ready({ url, child, logFile }: Process): Promise<void> {
  const untilMs = performance.now() + WITHIN_MS;
  for (;;) {
    if (child.exitCode !== null || performance.now() > untilMs)
      throw new Error(`a process did not become ready: ${readFileSync(logFile, "utf8")}`);
    if ((await ask(`${url}/readyz`, { method: "GET" }))?.status === 200) return;
    await new Promise((again) => setTimeout(again, 20));
  }
}

async function end({ child }: Process): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

type Answered = { readonly status: number; readonly body: Body };

/** Nothing when nobody answered: the process is gone, or was while it was at it. */
async function ask(url: string, init: RequestInit): Promise<Answered | undefined> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(10_000) });
    return { status: response.status, body: (await response.json()) as Body }; // JSON objects only
  } catch {
    return undefined;
  }
}

let turn = 0;
/** What a client does: asks one process, and when it is not answered (or is told to come back) the next, in the same words. */
async function insist(key: string, path: string, body: unknown): Promise<Answered> {
  const untilMs = performance.now() + WITHIN_MS;
  while (performance.now() < untilMs) {
    const { url } = processes[turn++ % PROCESSES] ?? { url: "" };
    const answer = await ask(url + path, {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer !== undefined && answer.status !== 503) return answer;
  }
  throw new Error(`nobody answered ${path}`);
}

/** The same question to two processes at once: both answers must be one. */
async function twice(key: string, path: string, body: unknown): Promise<Answered> {
  const [first, second] = await Promise.all([insist(key, path, body), insist(key, path, body)]);
  expect(second, path).toEqual(first);
  return first;
}

test("three processes share the work, one is killed in the middle, and everything adds up", async () => {
  const terminal = merchant.terminalKey;
  const money = (amount: number) => ({ amount: String(amount), currency: CURRENCY });
  const spent = new Map<string, number>(); // by wallet: what it should have given in the end
  let paid = 0;

  const client = async (wallet: ProvisionedWallet, n: number): Promise<void> => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const made = await insist(terminal, "/api/payment-requests", {
        configId: merchant.configId,
        value: money(100),
        externalRef: `${n}-${round}`,
      });
      expect(made.status).toBe(200);
      const at = `/api/payment-requests/${String(made.body["id"])}`;
      const idempotencyKey = `pay-${n}-${round}`;
      const form = { assetType: ASSET_TYPE, assetId: wallet.assetId, idempotencyKey };
      expect((await twice(wallet.apiKey, `${at}/pay`, form)).status).toBe(200);
      paid += 1;
      // A third is kept, a third is refunded in part, a third is voided.
      let kept = 100;
      if (round % 3 === 1) {
        const refund = { value: money(40), externalRef: `refund-${n}-${round}` };
        expect((await twice(terminal, `${at}/refund`, refund)).status).toBe(200);
        kept = 60;
      } else if (round % 3 === 2) {
        expect((await twice(terminal, `${at}/void`, {})).status).toBe(200);
        kept = 0;
      }
      spent.set(wallet.assetId, (spent.get(wallet.assetId) ?? 0) + kept);
    }
  };
  const killer = async (): Promise<void> => {
    const victim = processes[1];
    await expect
      .poll(() => paid, { timeout: WITHIN_MS, interval: 5 })
      .toBeGreaterThan((CLIENTS * ROUNDS) / 4);
    if (victim === undefined || victim.child.exitCode !== null) throw new Error("nobody to kill");
    const gone = new Promise((resolve) => victim.child.once("exit", resolve));
    victim.child.kill("SIGKILL");
    await gone;
    expect(paid, "it was in the middle").toBeLessThan(CLIENTS * ROUNDS);
  };
  await Promise.all([killer(), ...wallets.map(client)]);
  expect(processes.map(({ child }) => child.signalCode)).toEqual([null, "SIGKILL", null]);

  // One effect a key: each wallet gave exactly what its own sales kept.
  await audit(store);
  for (const { assetId } of wallets) {
    const account = store.read.selectFrom("ledger_account").select("balance_minor").where("id", "=", assetId);
    expect(await account.executeTakeFirst()).toEqual({ balance_minor: 10_000 - (spent.get(assetId) ?? 0) });
  }
  const count = async (kind: "pay" | "refund" | "void"): Promise<number> =>
    (await store.read.selectFrom("operation").select("key").where("kind", "=", kind).execute()).length;
  const third = (CLIENTS * ROUNDS) / 3;
  expect([await count("pay"), await count("refund"), await count("void")]).toEqual([3 * third, third, third]);

  // What the one that was killed had claimed is due again when its lease runs out.
  const rows = () => store.read.selectFrom("delivery").select(["notification_id", "state"]).execute();
  await expect
    .poll(async () => (await rows()).filter(({ state }) => state !== "delivered").length, {
      timeout: WITHIN_MS,
      interval: 50,
    })
    .toBe(0);
  const owed = (await rows()).map((row) => row.notification_id).sort();
  expect(owed).toHaveLength(3 * third + 2 * third + 2 * third); // paid; begun and completed of each refund and void
  expect([...new Set(receiver.received.map(({ notification }) => notification.id))].sort()).toEqual(owed);
});
