/**
 * The rig as its users start it: real processes in a directory of their own, driven over HTTP only.
 * Waiting is asking again until it is so, within a bound; nothing sleeps for a guessed time.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const WITHIN_MS = 45_000;
const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const money = z.object({ amount: z.string(), currency: z.string() });
const rigFile = z.object({
  cloudUrl: z.string(),
  simulatorUrl: z.string(),
  mqttUrl: z.string(),
  ownerAccountId: z.string(),
  configId: z.string(),
  merchantWalletId: z.string(),
  keys: z.object({ owner: z.string(), terminal: z.string() }),
  wallets: z.array(z.object({ accountId: z.string(), apiKey: z.string(), assetId: z.string() })),
  vouchers: z.array(z.object({ code: z.string(), value: money })),
  productCodes: z.array(z.object({ code: z.string(), product: z.string() })),
  machines: z.array(z.object({ id: z.string(), code: z.string(), url: z.string(), screenUrl: z.string() })),
  pids: z.record(z.string(), z.int()),
});
export type RigFile = z.infer<typeof rigFile>;
const saleView = z.object({
  id: z.string(),
  state: z.string(),
  credit: money,
  paymentRequest: z.looseObject({ id: z.string(), status: z.string(), url: z.string() }),
  vended: z.array(z.object({ item: z.int(), name: z.string(), price: money })),
  refunded: money,
  timeline: z.array(z.object({ at: z.string(), text: z.string() })),
});
export type SaleView = z.infer<typeof saleView>;
const machineView = z.looseObject({
  powered: z.boolean(),
  vmc: z.string(),
  display: z.string(),
  faults: z.record(z.string(), z.union([z.boolean(), z.number()])),
  coils: z.array(z.looseObject({ item: z.int(), stock: z.int(), fallen: z.int() })),
});
const displayView = z.looseObject({ shown: z.string(), qr: z.string().nullable() });
const sellingStatus = z.looseObject({
  at: z.string(),
  kind: z.literal("mqtt"),
  fate: z.literal("passed"),
  topic: z.string().endsWith("/status"),
  body: z.looseObject({ canSell: z.literal(true) }),
});
const pressed = z.looseObject({ refused: z.string().optional() });
export type Answer = { readonly status: number; readonly body: unknown };

export class Rig implements AsyncDisposable {
  readonly dir: string;
  readonly #child: ChildProcess;
  readonly file: RigFile;

  private constructor(dir: string, child: ChildProcess, file: RigFile) {
    this.dir = dir;
    this.#child = child;
    this.file = file;
  }

  /** `dir`: of a rig that has ended and was kept. `env`: what its shell has set. */
  static async start(
    options: {
      readonly machines?: number;
      readonly driver?: string;
      readonly selectFirst?: boolean;
      readonly display?: string;
      readonly dex?: boolean;
      readonly cloud?: object;
      readonly dir?: string;
      readonly env?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<Rig> {
    const dir = options.dir ?? mkdtempSync(join(tmpdir(), "scanvend-rig-"));
    const settings = join(dir, "settings.json");
    writeFileSync(settings, JSON.stringify(options.cloud ?? {}));
    const ports = ["--http-port", "0", "--sim-port", "0", "--mqtt-port", "0"];
    const child = spawn(
      process.execPath,
      [
        program,
        "start",
        "--data",
        join(dir, "data"),
        ...ports,
        "--machines",
        String(options.machines ?? 1),
        "--driver",
        options.driver ?? "qibixx",
        ...(options.selectFirst === true ? ["--select-first"] : []),
        ...["--display", options.display ?? "text"],
        ...(options.dex === true ? ["--dex"] : []),
        "--cloud",
        settings,
        "--json",
      ],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.env } },
    );
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const line = await new Promise<string>((resolve, reject) => {
      let out = "";
      child.stdout.on("data", (chunk: Buffer) => {
        out += chunk.toString();
        if (out.includes("\n")) resolve(out);
      });
      child.once("exit", (status) => reject(new Error(`the rig ended with ${String(status)}: ${said}`)));
    });
    return new Rig(dir, child, rigFile.parse(JSON.parse(line)));
  }

  /** Ends the rig by this signal; answers its exit status, `null` if the signal killed it. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.#child.once("exit", resolve));
    this.#child.kill(signal);
    return ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.end("SIGTERM");
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** rig.json as it is now: process ids change. */
  async now(): Promise<RigFile> {
    return rigFile.parse(JSON.parse(await readFile(join(this.dir, "data", "rig.json"), "utf8")));
  }

  /** SIGKILL of one of the rig's processes; resolves when its successor answers. */
  async kill(service: "broker" | "cloud" | "simulator"): Promise<void> {
    const before = (await this.now()).pids[service];
    if (before === undefined) throw new Error(`${service} is not running`);
    process.kill(before, "SIGKILL");
    await until(`${service} again`, async () => {
      const { pids } = await this.now();
      return pids[service] !== undefined && pids[service] !== before;
    });
    if (service === "cloud") await this.serving();
  }
  async serving(): Promise<void> {
    await until(
      "the cloud serves",
      async () => (await call("GET", `${this.file.cloudUrl}/readyz`)).status === 200,
    );
  }

  get code(): string {
    const [machine] = this.file.machines;
    if (machine === undefined) throw new Error("a rig without a machine");
    return machine.code;
  }
  /** What puts it into a phone, behind the address of any page. */
  walletHash(n: number, name: string): string {
    const { accountId, apiKey, assetId } = this.wallet(n);
    const wallet = JSON.stringify({ accountId, apiKey, assetId, name });
    return `#wallet=${Buffer.from(wallet).toString("base64url")}`;
  }

  wallet(n = 0): RigFile["wallets"][number] {
    const wallet = this.file.wallets[n];
    if (wallet === undefined) throw new Error(`no wallet ${n}`);
    return wallet;
  }

  // ---- the cloud
  api(method: "GET" | "POST" | "PUT", path: string, body?: unknown, key?: string): Promise<Answer> {
    return call(method, `${this.file.cloudUrl}${path}`, body, key);
  }
  async machineState(code = this.code): Promise<string> {
    const { body } = await this.api("GET", `/api/vending/machines/${code}`);
    return z.object({ state: z.string() }).parse(body).state;
  }
  ready(code = this.code): Promise<void> {
    return until(`machine ${code} ready`, async () => (await this.machineState(code)) === "ready");
  }
  ask(credit: string, idempotencyKey: string, code = this.code): Promise<Answer> {
    return this.api("POST", `/api/vending/machines/${code}/sales`, {
      credit: { amount: credit, currency: "NZD" },
      idempotencyKey,
    });
  }
  async begin(credit: string, code = this.code): Promise<SaleView> {
    const { status, body } = await this.ask(credit, `key-${Math.random().toString(36).slice(2)}`, code);
    if (status !== 200) throw new Error(`no sale: ${JSON.stringify(body)}`);
    return saleView.parse(body);
  }
  async sale(id: string): Promise<SaleView> {
    return saleView.parse((await this.api("GET", `/api/vending/sales/${id}`)).body);
  }
  pay(sale: SaleView, wallet = this.wallet(), idempotencyKey = `pay-${sale.id}`): Promise<Answer> {
    const body = { assetType: "centrapay.nzd.test", assetId: wallet.assetId, idempotencyKey };
    return this.api("POST", `/api/payment-requests/${sale.paymentRequest.id}/pay`, body, wallet.apiKey);
  }
  async begun(credit: string): Promise<SaleView> {
    const sale = await this.begin(credit);
    const { status, body } = await this.pay(sale);
    if (status !== 200) throw new Error(`not paid: ${JSON.stringify(body)}`);
    return sale;
  }
  /** The sale once it is in one of these states. */
  async reaches(id: string, ...states: readonly string[]): Promise<SaleView> {
    let last: SaleView | undefined;
    await until(
      () => `sale ${states.join(" or ")}, it is ${JSON.stringify(last)}`,
      async () => {
        last = await this.sale(id);
        return states.includes(last.state);
      },
    );
    return this.sale(id);
  }
  async balance(assetId: string, key: string): Promise<number> {
    const { body } = await this.api("GET", `/api/assets/${assetId}`, undefined, key);
    return Number(z.object({ balance: z.string() }).parse(body).balance);
  }
  /** The payer's and the merchant's balances, in minor units. */
  async balances(): Promise<{ readonly payer: number; readonly merchant: number }> {
    const wallet = this.wallet();
    return {
      payer: await this.balance(wallet.assetId, wallet.apiKey),
      merchant: await this.balance(this.file.merchantWalletId, this.file.keys.owner),
    };
  }

  // ---- the machine
  sim(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer> {
    return call(method, `${this.file.simulatorUrl}/api/machines/${this.code}${path}`, body);
  }
  async vending(): Promise<z.infer<typeof machineView>> {
    return machineView.parse((await this.sim("GET", "")).body);
  }
  /** What its customer display shows: words, and what its QR code leads to. */
  async face(): Promise<z.infer<typeof displayView>> {
    return displayView.parse((await this.sim("GET", "")).body);
  }
  async shows(text: string | RegExp): Promise<z.infer<typeof displayView>> {
    let last = await this.face();
    await until(
      () => `the display shows ${String(text)}, not ${last.shown}`,
      async () => {
        last = await this.face();
        return typeof text === "string" ? last.shown === text : text.test(last.shown);
      },
    );
    return last;
  }
  async fallen(): Promise<number> {
    return (await this.vending()).coils.reduce((sum, { fallen }) => sum + fallen, 0);
  }
  vmc(...states: readonly string[]): Promise<void> {
    return until(`the machine ${states.join(" or ")}`, async () =>
      states.includes((await this.vending()).vmc),
    );
  }
  /** One press of an item's key; answers why the machine did nothing about it, if it did nothing. */
  async press(item: number): Promise<string | undefined> {
    return pressed.parse((await this.sim("POST", "/select", { item })).body).refused;
  }
  /** Presses until the machine takes it, as a customer does while it is not ready or a motor still turns. */
  async select(item: number): Promise<void> {
    let refused: string | undefined;
    await until(
      () => `item ${item} taken, the machine says ${refused ?? "nothing"}`,
      async () => (refused = await this.press(item)) === undefined,
    );
  }
  /** The vend has begun, and may have ended: a coil does not wait for a slow reader. */
  async vends(fallenBefore: number): Promise<void> {
    await until("a vend begun", async () => {
      const { vmc, coils } = await this.vending();
      return vmc === "vend" || coils.reduce((sum, { fallen }) => sum + fallen, 0) > fallenBefore;
    });
  }
  async faults(faults: Readonly<Record<string, boolean | number>>): Promise<void> {
    const { status, body } = await this.sim("POST", "/faults", faults);
    if (status !== 200) throw new Error(`faults: ${JSON.stringify(body)}`);
  }
  /** Ends every fault there is. */
  async heal(): Promise<void> {
    const { faults } = await this.vending();
    await this.faults(
      Object.fromEntries(
        Object.entries(faults).map(([name, value]) => [name, typeof value === "boolean" ? false : 0]),
      ),
    );
  }
  async power(on: boolean): Promise<void> {
    await this.sim("POST", "/power", { on });
  }
  /** The controller that runs since then has told the cloud that it sells: the cloud itself may show it as busy. */
  async sellsSince(sinceMs: number): Promise<void> {
    const signal = AbortSignal.timeout(WITHIN_MS);
    const url = `${this.file.simulatorUrl}/api/machines/${this.code}/trace`;
    const stream = await fetch(url, { signal });
    let text = "";
    for await (const chunk of stream.body ?? []) {
      text += Buffer.from(chunk as Uint8Array).toString(); // a body's chunks are bytes
      const whole = text.lastIndexOf("\n\n");
      for (const [, data] of text.slice(0, whole + 2).matchAll(/^data: (.+)$/gm)) {
        const { success, data: entry } = sellingStatus.safeParse(JSON.parse(data ?? ""));
        if (success && Date.parse(entry.at) >= sinceMs) return;
      }
      text = text.slice(whole + 2);
    }
    throw new Error("the trace ended before the controller said that it sells");
  }
}

export async function call(
  method: "GET" | "POST" | "PUT",
  url: string,
  body?: unknown,
  key?: string,
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(key === undefined ? {} : { "x-api-key": key }),
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text,
  };
}

/** Asks until it is so. A question that cannot be asked (a process is restarting) is asked again. */
export async function until(
  what: string | (() => string),
  so: () => Promise<boolean>,
  withinMs = WITHIN_MS,
): Promise<void> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    const yes = await so().catch((error: unknown) => {
      if (error instanceof TypeError) return false; // "fetch failed", or "terminated" in the middle of an answer
      throw error;
    });
    if (yes) return;
    if (performance.now() > untilMs)
      throw new Error(`not within ${withinMs} ms: ${typeof what === "string" ? what : what()}`);
    await new Promise((again) => setTimeout(again, 20));
  }
}
