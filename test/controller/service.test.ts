/**
 * The whole controller but its process: a scripted adapter on a real TCP line, a real broker, a journal on a real disk.
 * What leaves on the line and on the bus is checked against what the journal holds at that moment.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { damaged } from "../../bench/serial-fuzz.js";
import { Secret } from "../../broker/protocol/configuration.js";
import type { Body } from "../../broker/protocol/messages.js";
import { boxHealth } from "../../controller/box-health.js";
import { readDurable } from "../../controller/sale/durable.js";
import { connectionNumbers } from "../../controller/bus/connection-count.js";
import { MqttBus, ReplayWindows } from "../../controller/bus/bus.js";
import { readKept, writeKept } from "../../controller/config/kept-file.js";
import { Remote } from "../../controller/config/remote.js";
import { check, settingsOf, type Settings } from "../../controller/config/settings.js";
import { configuration, type Configuration } from "../../controller/configuration.js";
import { Auditor } from "../../controller/dex/auditor.js";
import { readKeptReading, writeKeptReading } from "../../controller/dex/kept-reading.js";
import { Journal } from "../../controller/journal/journal.js";
import { qibixx } from "../../controller/mdb/qibixx.js";
import { qibixxSetup } from "../../controller/mdb/qibixx-setup.js";
import { lines } from "../../controller/serial/framing.js";
import { linksTo } from "../../controller/serial/serial-link.js";
import { offline, Service } from "../../controller/service.js";
import { Devices } from "../../controller/terminal/devices.js";
import { WORDS } from "../../controller/terminal/terminal.js";
import { chance } from "../chance.js";
import { DexPlug } from "./dex-plug.js";
import { clock, quiet, random, until } from "./real-clock.js";
import { newKeys, TestCloud, testBroker, type TestBroker } from "./test-broker.js";

const MACHINE = "m-1";
const [machine, cloudKeys] = [newKeys("machine"), newKeys("cloud-1")];

/** An adapter that comes up by itself; the rest of its lines are the test's. */
class Adapter {
  readonly received: string[] = [];
  /** Told to listen there, it hears nothing of the machine. */
  readonly #elsewhere = "C,SETCONF,mdb-addr=0x60";
  #deaf = false;
  readonly #server: Server;
  #socket: Socket | undefined;

  constructor() {
    this.#server = createServer((socket) => {
      this.#socket = socket;
      socket.on("error", () => undefined);
      let rest = "";
      socket.on("data", (bytes: Buffer) => {
        const lines = (rest + bytes.toString()).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#hear(line);
      });
    });
  }
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`; // listening on TCP: never a path
  }
  say(...lines: readonly string[]): void {
    this.#socket?.write(lines.map((line) => `${line}\r\n`).join(""));
  }
  async heard(line: string, times = 1): Promise<void> {
    await until(
      `the adapter to hear ${line}`,
      () => this.received.filter((one) => one === line).length >= times,
    );
  }
  unplug(): void {
    this.#socket?.destroy();
  }
  /** Says this without ending the line, and is gone. */
  hangUpAfter(half: string): void {
    this.#socket?.end(half);
  }
  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }
  #hear(line: string): void {
    this.received.push(line);
    if (line === "C,0") this.#deaf = false;
    else if (line === this.#elsewhere) this.#deaf = true;
    if (line === "V") this.say("v,4.0.2.0,01");
    else if (line === "X,0") this.say("x,ACK");
    else if (line === "C,0") this.say("c,0");
    else if (line.startsWith("C,SETCONF")) this.say("c,SET,OK");
    else if (line === "C,1") this.say("c,1", this.#deaf ? "c,STATUS,INACTIVE" : "c,STATUS,ENABLED");
    else if (line.startsWith("C,START")) this.say(`c,STATUS,IDLE,${line.slice(8)}`);
    else if (line === "C,STOP") this.say("c,STATUS,ENABLED");
  }
}

/** The real journal, on a disk that is full while `diskFull`. */
let diskFull = false;
class JournalOnFullDisk extends Journal {
  override write(...args: Parameters<Journal["write"]>): void {
    if (diskFull) throw new Database.SqliteError("database or disk is full", "SQLITE_FULL");
    super.write(...args);
  }
  override probe(): void {
    if (diskFull) throw new Database.SqliteError("database or disk is full", "SQLITE_FULL");
    super.probe();
  }
}

let dir = "";
let adapter: Adapter;
let broker: TestBroker;
let cloud: TestCloud;
let place = "";
let journal: Journal;
let service: Service<unknown> | undefined;
let plug: DexPlug;
let dexPlace = "";
beforeEach(async () => {
  diskFull = false;
  dir = mkdtempSync(join(tmpdir(), "controller-"));
  adapter = new Adapter();
  place = await adapter.listen();
  plug = new DexPlug();
  dexPlace = await plug.listen();
  broker = await testBroker();
  cloud = await TestCloud.connect(broker.url, MACHINE, cloudKeys, machine.publicKey);
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  await cloud.close();
  await broker.close();
  adapter.close();
  plug.close();
  rmSync(dir, { recursive: true });
});

/** What the machine's own file says, for the tests that set something from afar. */
const own = configuration.parse({
  machineId: MACHINE,
  dataDir: "data",
  serial: "tcp://127.0.0.1:1",
  mqttUrl: "mqtt://127.0.0.1",
  cloudKeys: [{ kid: "cloud-1", publicKey: cloudKeys.publicKey.export({ format: "jwk" }) }],
  currency: "NZD",
  reportAgainMs: 200,
});
const driverOf = ({ wiring }: Settings) => qibixx(qibixxSetup("NZD", 2, 0, wiring.adapterSettings));
function remoteFrom(folder: string, facts: Configuration["facts"] = {}): Remote {
  const file = { ...own, facts };
  return new Remote({
    kept: readKept(folder, "x").kept,
    write: (kept) => {
      if (diskFull) throw new Error("ENOSPC: no space left on device");
      writeKept(folder, kept);
    },
    check: (body) => check(file, body),
    settings: (from) => settingsOf(file, from),
    clock,
    log: quiet,
  });
}

type Started = {
  readonly capacity?: number;
  readonly vendResultMs?: number;
  readonly remote?: boolean;
  readonly facts?: Configuration["facts"];
  /** What its screen shows, for a machine that has one. */
  readonly shown?: string[];
  /** Without one its scanner and keypad alone are there. */
  readonly hasScreen?: boolean;
  readonly selectsFirst?: boolean;
  /** How often the machine's audit is read; 0: never. */
  readonly auditMs?: number;
};
function start({
  capacity = 1_000,
  vendResultMs = 25_000,
  remote = false,
  facts,
  shown,
  hasScreen = true,
  selectsFirst = false,
  auditMs = 0,
}: Started = {}): void {
  const from = remote ? remoteFrom(dir, facts) : undefined;
  journal = new JournalOnFullDisk({
    path: join(dir, "journal.db"),
    capacity,
    newId: "j1",
    checkState: readDurable,
  });
  const replay = new ReplayWindows(["cloud-1"], journal.replay());
  service = new Service({
    bootId: "boot",
    terms: from?.settings.terms ?? { currency: "NZD", vendResultMs, selectionMs: 45_000, suspendAfter: 3 },
    driver: from
      ? driverOf(from.settings)
      : qibixx({ decimals: 2, drainMs: 0, selectsFirst, settings: [["mdb-decimal-places", "2"]] }),
    remote: from && { configuration: from, driver: driverOf },
    journal,
    replay,
    newLink: linksTo(place, 0),
    framing: lines,
    openBus: (events) =>
      new MqttBus(
        {
          url: broker.url,
          machineId: MACHINE,
          password: new Secret("secret"),
          signer: machine.signer,
          cloudKeys: new Map([["cloud-1", cloudKeys.publicKey]]),
          replay,
          nextConnection: connectionNumbers(dir),
          keepAliveSeconds: 20,
          offline: offline("boot"),
          clock,
          random,
          backOff: { firstMs: 10, maxMs: 50 },
          log: quiet,
        },
        events,
      ),
    auditor: auditMs === 0 ? undefined : auditorEvery(auditMs),
    openDevices:
      shown &&
      ((ask) =>
        new Devices(
          {
            scanner: undefined,
            keypad: undefined,
            display: undefined,
            screen: hasScreen ? ({ text }) => shown.push(text) : undefined,
            machineDisplay: undefined,
            words: WORDS,
            wrapping: { prefix: "", suffix: "" },
            backOff: { firstMs: 10, maxMs: 50 },
            clock,
            random,
            log: quiet,
          },
          ask,
        )),
    box: () => boxHealth(dir),
    serialBackOff: { firstMs: 10, maxMs: 50 },
    reportAgainMs: 200,
    statusEveryMs: 60_000,
    clock,
    random,
    log: quiet,
  });
}
const auditorEvery = (everyMs: number): Auditor =>
  new Auditor({
    newLink: linksTo(dexPlace, 9_600),
    everyMs,
    sameNumbers: true,
    kept: readKeptReading(dir),
    write: (kept) => writeKeptReading(dir, kept),
    clock,
    log: quiet,
  });
async function started(options: Started = {}): Promise<void> {
  start(options);
  await until("able to sell", () => cloud.statuses().at(-1)?.canSell === true);
}
async function grant(id: string, more: Partial<Body["grant"]> = {}): Promise<void> {
  const terms = { amountMinor: 400, currency: "NZD", sessionMs: 60_000, goMs: 10_000, maxVends: 1 };
  await cloud.say("grant", { grantId: id, saleId: id, ...terms, ...more });
}
/** What was reported of one grant, each entry once, in order: `accepted opened …`. */
function story(grantId: string): string {
  const lines = new Map(cloud.reports().map(({ entry, line }) => [entry, line]));
  return [...lines]
    .sort(([a], [b]) => a - b)
    .flatMap(([, line]) => ("grantId" in line && line.grantId === grantId ? [line.kind] : []))
    .join(" ");
}
async function told(grantId: string, kinds: string): Promise<void> {
  await until(`the report of ${kinds} (it is: ${story(grantId)})`, () => story(grantId) === kinds);
}
async function opened(id: string, more: Partial<Body["grant"]> = {}): Promise<void> {
  await grant(id, more);
  await told(id, "accepted");
  const entry =
    cloud.reports().find(({ line }) => line.kind === "accepted" && line.grantId === id)?.entry ?? 0;
  await cloud.say("go", { grantId: id, journal: journal.id, entry });
  await told(id, "accepted opened");
}

test("a status that changed is said again soon, long before the next one is due: the first may have been lost", async () => {
  await started();
  const able = (): number => cloud.statuses().filter(({ canSell }) => canSell).length;
  await until("said again", () => able() >= 3);
});

test("a status carries how the box is and what was counted", async () => {
  await started();
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,1.00,1");
  await adapter.heard("C,VEND,1.00");
  adapter.unplug();
  await told("g1", "accepted opened approved unknown closed");
  await until("able again", () => cloud.statuses().at(-1)?.canSell === true);
  expect(cloud.statuses().at(-1)?.telemetry).toMatchObject({
    commits: 4,
    serialLosses: 1,
    mdbResets: 0,
    vends: { succeeded: 0, failed: 0, unknown: 1 },
  });
  expect(cloud.statuses().at(-1)?.telemetry?.residentMb).toBeGreaterThan(0);
  expect(cloud.statuses().at(-1)?.telemetry?.freeDiskMb).toBeGreaterThan(0);
});

test("one sale, from the reservation to the forgotten journal", async () => {
  await started();
  await cloud.say("reserve", { reservationId: "r1", ttlMs: 30_000 });
  await until("reserved", () => cloud.reserved().length === 1);
  expect(cloud.reserved()[0]).toEqual({ reservationId: "r1", ok: true });
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,3.5,7");
  await adapter.heard("C,VEND,3.5");
  expect(journal.read(0, 9).map(({ line }) => line.kind)).toEqual(["accepted", "opened", "approved"]);
  await cloud.say("reserve", { reservationId: "r2", ttlMs: 30_000 });
  await until("busy", () => cloud.reserved().length === 2);
  expect(cloud.reserved()[1]).toEqual({ reservationId: "r2", ok: false, reason: "busy" });
  adapter.say("c,VEND,SUCCESS", "c,STATUS,ENABLED", "c,VEND,SUCCESS");
  await told("g1", "accepted opened approved succeeded closed");
  await cloud.say("heard", { journal: journal.id, upTo: 5 });
  await until("forgotten", () => journal.read(0, 9).length === 0);
  expect(cloud.refused).toEqual([]);
});

test("a request dearer than the credit is denied, and the next one served", async () => {
  await started();
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,4.01,1");
  await adapter.heard("C,VEND,-1");
  adapter.say("c,STATUS,IDLE", "c,STATUS,VEND,4.00,2");
  await adapter.heard("C,VEND,4.00");
  await told("g1", "accepted opened denied approved");
});

test("the screen names an item that has no name by the keys that were pressed for it", async () => {
  const shown: string[] = [];
  await started({ remote: true, facts: { itemNumbers: "rowColumn0001" }, shown });
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,2.50,1029"); // 0405H
  await adapter.heard("C,VEND,2.50");
  await until("the item's keys on the screen", () => shown.includes("Item E5: one moment ..."));
  adapter.say("c,ERR,VEND 3");
  await until("what came of it", () => shown.includes("Item E5 did not come out: not charged"));
});

test("a selection at a machine that cannot show what to pay is denied at once", async () => {
  await started({ selectsFirst: true, shown: [], hasScreen: false });
  adapter.say("c,STATUS,VEND,2.50,11");
  await adapter.heard("C,VEND,-1");
});

test("the screen names the items that a credit is for by their keys", async () => {
  const shown: string[] = [];
  await started({ remote: true, facts: { itemNumbers: "rowColumn0001" }, shown });
  await opened("g1", { items: [0x0102, 0x0405] });
  await until("the keys on the screen", () => shown.includes("Paid. Choose B2 or E5"));
});

test("a cancel in the same breath as the request keeps the approval from leaving", async () => {
  await started();
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,1.00,1", "c,ERR,VEND 1");
  await told("g1", "accepted opened approved failed closed");
  await adapter.heard("C,STOP");
  expect(adapter.received.filter((line) => line.startsWith("C,VEND"))).toEqual([]);
});

test("an unplug after the approval is unknown, until the adapter is back and says what happened", async () => {
  await started();
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,1.00,1");
  await adapter.heard("C,VEND,1.00");
  adapter.unplug();
  await told("g1", "accepted opened approved unknown closed");
  await until("enabled again", () => cloud.statuses().at(-1)?.canSell === true);
  adapter.say("c,VEND,SUCCESS");
  await told("g1", "accepted opened approved unknown closed succeeded");
  expect(cloud.reports().at(-1)?.line).toMatchObject({ kind: "succeeded", late: true, priceMinor: 100 });
});

test("a controller that starts again ends what it had open, with the journal and the session of before", async () => {
  await started();
  await opened("g1");
  await adapter.heard("C,START,4.00");
  await service?.close();
  await started();
  await told("g1", "accepted opened closed");
  expect(adapter.received.filter((line) => line === "C,0").length).toBe(2);
  expect(journal.id).toBe("j1");
});

test("everything the cloud has said, said again after a restart by somebody on the broker, vends nothing and forgets nothing", async () => {
  await started({ remote: true });
  await configured(1);
  await configured(2);
  await saysOfConfig({ applied: 2 });
  await cloud.say("reserve", { reservationId: "r1", ttlMs: 1 });
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,1.00,1");
  await adapter.heard("C,VEND,1.00");
  adapter.say("c,VEND,SUCCESS", "c,STATUS,ENABLED");
  await told("g1", "accepted opened approved succeeded closed");
  await cloud.say("heard", { journal: journal.id, upTo: 1 });
  await until("heard", () => journal.heard === 1);
  await service?.close();
  const captured = [...cloud.said];
  await started({ remote: true });
  for (const [leaf, payload] of [...captured, ...captured]) await cloud.send(leaf, payload);
  await told("g1", "accepted opened approved succeeded closed accepted");
  await cloud.say("void", { grantId: "g1", journal: journal.id, entry: 6 }); // what the cloud answers to it
  await told("g1", "accepted opened approved succeeded closed accepted lapsed");
  expect(cloud.reserved().length).toBe(2); // each is heard once more, and then known
  await until("able again", () => cloud.statuses().at(-1)?.canSell === true);
  expect(adapter.received.filter((line) => line.startsWith("C,START") || line.startsWith("C,VEND"))).toEqual([
    "C,START,4.00",
    "C,VEND,1.00",
  ]);
  expect(cloud.statuses().at(-1)?.config).toEqual({ applied: 2 });
  expect(journal.heard).toBe(1);
});

test("reports nobody heard are said again; a broker that forgot everything changes nothing", async () => {
  await started();
  await grant("g1", { currency: "AUD" });
  await told("g1", "refused");
  const before = cloud.reports().length;
  await until("said again", () => cloud.reports().length > before);
  await cloud.close();
  await broker.close();
  broker = await testBroker(broker.port);
  cloud = await TestCloud.connect(broker.url, MACHINE, cloudKeys, machine.publicKey);
  await told("g1", "refused");
});

test("heard of another journal, or beyond its end, forgets nothing", async () => {
  await started();
  await grant("g1", { currency: "AUD" });
  await told("g1", "refused");
  await cloud.say("heard", { journal: "j0", upTo: 1 });
  await cloud.say("heard", { journal: "j1", upTo: 2 });
  await grant("g2", { currency: "AUD" });
  await told("g2", "refused");
  expect(journal.read(0, 9).length).toBe(2);
});

test("a full journal stops selling and says so; a heard one sells again", async () => {
  await started({ capacity: 2 });
  for (const id of ["g1", "g2"]) await grant(id, { currency: "AUD" });
  await until("full", () => cloud.statuses().at(-1)?.reason === "journalFull");
  await cloud.say("reserve", { reservationId: "r1", ttlMs: 30_000 });
  await until("refused", () => cloud.reserved().length === 1);
  expect(cloud.reserved()[0]).toMatchObject({ ok: false, reason: "outOfService" });
  await cloud.say("heard", { journal: "j1", upTo: 2 });
  await until("selling", () => cloud.statuses().at(-1)?.canSell === true);
});

test("while the disk is broken nothing is approved and nothing is sold; afterwards the adapter's words count", async () => {
  await started();
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,1.00,1");
  await adapter.heard("C,VEND,1.00");
  diskFull = true;
  adapter.say("c,VEND,SUCCESS", "c,STATUS,ENABLED");
  await until("not selling", () => cloud.statuses().at(-1)?.reason === "journalFailed");
  await grant("g2");
  await cloud.say("reserve", { reservationId: "r1", ttlMs: 30_000 });
  await until("refused", () => cloud.reserved().length === 1);
  expect(cloud.reserved()[0]).toMatchObject({ ok: false, reason: "outOfService" });
  expect(story("g1")).toBe("accepted opened approved");
  diskFull = false;
  await told("g1", "accepted opened approved succeeded closed");
  await until("selling", () => cloud.statuses().at(-1)?.canSell === true);
  expect(story("g2")).toBe("");
});

test("started on a full disk it says so, and owes what boot has to say until there is room", async () => {
  await started();
  await opened("g1");
  await adapter.heard("C,START,4.00");
  await service?.close();
  diskFull = true;
  start();
  await until("not selling", () => cloud.statuses().at(-1)?.reason === "journalFailed");
  expect(story("g1")).toBe("accepted opened");
  diskFull = false;
  await told("g1", "accepted opened closed");
  await until("selling", () => cloud.statuses().at(-1)?.canSell === true);
});

test("half a line at a hang-up is nobody's line", async () => {
  await started();
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.hangUpAfter("c,STATUS,VEND,1");
  await told("g1", "accepted opened closed");
});

const CRISPS = { item: 7, name: "Crisps", priceMinor: 350 };
/** Puts a configuration on the bus. */
const configured = (version: number, more: object = {}): Promise<string> =>
  cloud.say("config", { version, currency: "NZD", items: [CRISPS], readyWithinMs: 5_000, ...more });
const configSaid = (): Body["status"]["config"] => cloud.statuses().at(-1)?.config;
async function saysOfConfig(said: NonNullable<Body["status"]["config"]>): Promise<void> {
  await until(`the status ${JSON.stringify(said)}`, () => isDeepStrictEqual(configSaid(), said));
}
const alarms = (): string[] =>
  journal.read(0, 99).flatMap(({ line }) => (line.kind === "alarm" ? [`${line.code} ${line.detail}`] : []));

test("a configuration waits for the end of the sale, is in force from then on, and after a restart", async () => {
  await started({ remote: true });
  await saysOfConfig({ applied: 0 });
  await opened("g1");
  await adapter.heard("C,START,4.00");
  await configured(1, { limits: { maxVends: 1, vendResultMs: 30_000 } });
  adapter.say("c,STATUS,VEND,3.00,7");
  await adapter.heard("C,VEND,3.00");
  expect(configSaid()).toEqual({ applied: 0 });
  expect(alarms()).toEqual([]);
  adapter.say("c,VEND,SUCCESS", "c,STATUS,ENABLED");
  await saysOfConfig({ applied: 1 });
  await told("g1", "accepted opened approved succeeded closed");

  await grant("g2", { maxVends: 9 });
  await told("g2", "accepted");
  const entry =
    cloud.reports().find(({ line }) => line.kind === "accepted" && line.grantId === "g2")?.entry ?? 0;
  await cloud.say("go", { grantId: "g2", journal: journal.id, entry });
  await adapter.heard("C,START,4.00", 2);
  adapter.say("c,STATUS,VEND,3.00,7");
  await adapter.heard("C,VEND,3.00", 2);
  adapter.say("c,VEND,SUCCESS", "c,STATUS,ENABLED");
  await told("g2", "accepted opened approved succeeded closed"); // one vend, whatever the grant allows
  expect(alarms()).toEqual(["priceDiffers item 7: the machine asks 300, customers are told 350"]);

  await service?.close();
  await started({ remote: true });
  await saysOfConfig({ applied: 1 });
});

test("while somebody pays nothing is applied, and then it is", async () => {
  await started({ remote: true });
  await cloud.say("reserve", { reservationId: "r1", ttlMs: 3_600_000 });
  await configured(1);
  await cloud.say("reserve", { reservationId: "r2", ttlMs: 3_600_000 }); // the bus is in order: what is said next follows both
  await until("reserved", () => cloud.reserved().length === 2);
  expect(configSaid()).toEqual({ applied: 0 });
  await grant("g1", { currency: "AUD" });
  await saysOfConfig({ applied: 1 });
  expect(story("g1")).toBe("refused");
});

test("one that is wrong says which part, and the one before stays; an old one changes nothing", async () => {
  await started({ remote: true });
  await configured(2);
  await saysOfConfig({ applied: 2 });
  await configured(1, { limits: { vendResultMs: 2_000 } });
  await configured(3, { limits: { maxVends: 0 } });
  const tooFew = "limits.maxVends: Too small: expected number to be >=1";
  await saysOfConfig({ applied: 2, refused: { version: 3, at: tooFew } });
  await configured(4, { currency: "AUD" });
  const refused = { version: 4, at: "currency: this machine sells in NZD" };
  await saysOfConfig({ applied: 2, refused });
  await configured(5, { mqttUrl: "mqtt://elsewhere" });
  await saysOfConfig({ applied: 2, refused: { version: 5, at: "mqttUrl: no such key" } });
  expect(alarms()).toEqual([`configRefused 3: ${tooFew}`]);
  await configured(6);
  await saysOfConfig({ applied: 6 });
});

test("one under which the machine is not ready is taken back, though the controller starts again in between", async () => {
  await started({ remote: true });
  await configured(1);
  await saysOfConfig({ applied: 1 });
  const deaf = { adapterSettings: { "mdb-addr": "0x60" } };
  await configured(2, deaf);
  await adapter.heard("C,SETCONF,mdb-addr=0x60");
  await saysOfConfig({ applied: 1, trying: 2 });
  expect(cloud.statuses().at(-1)?.canSell).toBe(false);
  await service?.close();
  start({ remote: true });
  await adapter.heard("C,SETCONF,mdb-addr=0x60", 2);
  const refused = { version: 2, at: "the machine did not become ready" };
  await saysOfConfig({ applied: 1, refused });
  await until("selling", () => cloud.statuses().at(-1)?.canSell === true);
  expect(alarms()).toEqual(["configRestored 2: the machine did not become ready"]);
  await configured(2, deaf); // as the broker says it at every connection
  await configured(3, { adapterSettings: { "mdb-addr": "0x10" } });
  await saysOfConfig({ applied: 3 });
});

test("one that the file does not go with any more is taken back at the start, and says why", async () => {
  await started({ remote: true });
  const at = "adapterSettings.mdb-always-idle: must be 0: this machine asks for nothing before a session";
  await configured(1, { adapterSettings: { "mdb-always-idle": "1" } });
  await saysOfConfig({ applied: 1 });
  await service?.close();
  adapter.received.length = 0;
  await started({ remote: true, facts: { alwaysIdle: false } }); // which the doctor has found since
  await adapter.heard("C,SETCONF,mdb-always-idle=0");
  expect(configSaid()).toMatchObject({
    applied: 0,
    refused: { version: 1, at: expect.stringContaining(at) as string },
  });
  expect(alarms()).toEqual([expect.stringContaining(`configRestored 1: ${at}`)]);
  expect(readKept(dir, "x").kept).toMatchObject({ newest: 1, applied: null, refused: { version: 1 } });
});

test("on a full disk nothing is applied; with room it is, when it is said again", async () => {
  await started({ remote: true });
  diskFull = true;
  await configured(1);
  await configured(2, { limits: { maxVends: 0 } });
  await cloud.say("reserve", { reservationId: "r1", ttlMs: 1 });
  await until("all of it heard", () => cloud.reserved().length === 1);
  expect(readKept(dir, "x").kept.newest).toBe(0);
  expect(configSaid()).toEqual({ applied: 0 });
  diskFull = false;
  await configured(2, { limits: { maxVends: 0 } });
  await until("kept", () => readKept(dir, "x").kept.newest === 2);
});

test("a kept file that cannot be read is set aside, and nothing is in force but the machine's own", () => {
  writeKept(dir, { newest: 3, applied: null, trial: null, refused: null });
  expect(readKept(dir, "x")).toEqual({ kept: { newest: 3, applied: null, trial: null, refused: null } });
  writeFileSync(join(dir, "configuration.json"), '{"newest":3,"appl');
  expect(readKept(dir, "x").kept.newest).toBe(0);
  expect(readdirSync(dir)).toContain("configuration.json.damaged-x");
});

test("whoever looks at the machine is told what is the matter with it", async () => {
  await started();
  expect(service?.snapshot()).toMatchObject({
    status: { canSell: true, mdb: "enabled" },
    broker: true,
    serial: { lost: 0 },
  });
  await grant("g1");
  await until("heard of", () => service?.snapshot().journal.last === 1);
  expect(service?.snapshot().journal).toEqual({ id: "j1", last: 1, heard: 0, unheard: 1, capacity: 1_000 });
  adapter.unplug();
  await until("the line lost", () => service?.snapshot().serial.lost === 1);
});

/** As far as a sale goes before the adapter is pulled out, and what is then said of it. */
const pulled: Readonly<Record<string, readonly [act: () => Promise<void>, story: string]>> = {
  "no sale": [() => Promise.resolve(), ""],
  "a grant that waits for its go": [
    async () => {
      await grant("g1", { goMs: 300 });
      await told("g1", "accepted");
    },
    "accepted lapsed",
  ],
  "an open session": [
    async () => {
      await opened("g1");
      await adapter.heard("C,START,4.00");
    },
    "accepted opened closed",
  ],
  "a request that was denied": [
    async () => {
      await opened("g1");
      await adapter.heard("C,START,4.00");
      adapter.say("c,STATUS,VEND,9.00,1");
      await adapter.heard("C,VEND,-1");
    },
    "accepted opened denied closed",
  ],
  "an approved vend": [
    async () => {
      await opened("g1");
      await adapter.heard("C,START,4.00");
      adapter.say("c,STATUS,VEND,1.00,1");
      await adapter.heard("C,VEND,1.00");
    },
    "accepted opened approved unknown closed",
  ],
  "a vend that has succeeded": [
    async () => {
      await opened("g1");
      await adapter.heard("C,START,4.00");
      adapter.say("c,STATUS,VEND,1.00,1");
      await adapter.heard("C,VEND,1.00");
      adapter.say("c,VEND,SUCCESS");
      await told("g1", "accepted opened approved succeeded closed");
    },
    "accepted opened approved succeeded closed",
  ],
};
test.each(Object.entries(pulled))(
  "unplugged at %s and plugged in again, it sells",
  async (_, [act, before]) => {
    await started();
    await act();
    adapter.unplug();
    await until("lost", () => cloud.statuses().at(-1)?.canSell === false);
    await until("able to sell", () => cloud.statuses().at(-1)?.canSell === true);
    if (before !== "") await told("g1", before);
    const starts = adapter.received.filter((line) => line === "C,START,4.00").length;
    await opened("g2");
    await adapter.heard("C,START,4.00", starts + 1);
    adapter.say("c,STATUS,VEND,2.00,2");
    await adapter.heard("C,VEND,2.00");
    adapter.say("c,VEND,SUCCESS", "c,STATUS,ENABLED");
    await told("g2", "accepted opened approved succeeded closed");
  },
);

test("damaged lines over a real line approve nothing that was not paid, and the sale after them is whole", async () => {
  await started();
  const drawn = chance(11);
  const said = [
    "c,STATUS,VEND,1.00,1",
    "c,VEND,SUCCESS",
    "c,STATUS,IDLE,4.00",
    "c,ERR,VEND 3",
    "c,STATUS,ENABLED",
  ];
  const pick = (): string => said[Math.floor(drawn() * said.length)] ?? "";
  for (let n = 0; n < 2_000; n += 1) adapter.say(drawn() < 0.3 ? pick() : damaged(pick(), pick(), drawn));
  adapter.unplug();
  await until("lost", () => cloud.statuses().at(-1)?.canSell === false);
  await until("able to sell", () => cloud.statuses().at(-1)?.canSell === true);
  expect(adapter.received.filter((line) => /^C,VEND,[0-9]/.test(line))).toEqual([]);
  const starts = adapter.received.filter((line) => line === "C,START,4.00").length;
  await opened("g1");
  await adapter.heard("C,START,4.00", starts + 1);
  adapter.say("c,STATUS,VEND,1.00,1");
  await adapter.heard("C,VEND,1.00");
  adapter.say("c,VEND,SUCCESS", "c,STATUS,ENABLED");
  await told("g1", "accepted opened approved succeeded closed");
});

/** The machine's own counts that were said, in the journal's order, once each. */
const audits = () => [
  ...new Map(
    cloud
      .reports()
      .flatMap(({ entry, line }) => (line.kind === "audit" ? [[entry, { entry, ...line }]] : [])),
  ).values(),
];
const isKept = (): boolean => readKeptReading(dir) !== undefined;
async function vend(id: string, how: "sold" | "jam" | "cut"): Promise<void> {
  await opened(id);
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,1.00,7");
  await told(id, "accepted opened approved");
  if (how !== "jam") plug.sold(7);
  if (how === "cut") adapter.unplug();
  else adapter.say(how === "sold" ? "c,VEND,SUCCESS" : "c,ERR,VEND 1", "c,STATUS,ENABLED");
}

test("the machine's own count of what was sold follows the vends that it is about", async () => {
  await started({ auditMs: 300, vendResultMs: 200 });
  await until("a first reading", isKept);
  await vend("g1", "sold");
  await told("g1", "accepted opened approved succeeded closed");
  await until("the count", () => audits().length > 0);
  expect(audits()[0]).toMatchObject({
    entry: 6,
    since: 0,
    items: [
      { item: 7, vends: 1 },
      { item: 8, vends: 0 },
    ],
  });
  await until("kept", () => readKeptReading(dir)?.upTo === 6);
  const before = plug.connections;
  await until("read again", () => plug.connections > before + 1);
  expect(journal.last, "nothing was sold: nothing is said").toBe(6);
});

test("a vend that ended in doubt is held against the count soon, though the next reading is far off", async () => {
  await started({ auditMs: 3_600_000, vendResultMs: 300 });
  await until("a first reading", isKept);
  await vend("g1", "cut");
  await told("g1", "accepted opened approved unknown closed");
  await until("the count", () => audits().length > 0);
  expect(audits()).toMatchObject([
    {
      entry: 6,
      since: 0,
      items: [
        { item: 7, vends: 1 },
        { item: 8, vends: 0 },
      ],
    },
  ]);
  await until("said in the telemetry", () => {
    const dex = cloud.statuses().at(-1)?.telemetry?.dex;
    return dex?.trouble === "" && (dex.readSecondsAgo ?? Infinity) < 60;
  });
});

test("a reading that is under way is given up when a customer comes, and none begins until the vend is long over", async () => {
  plug.isMute = true;
  await started({ auditMs: 3_600_000, vendResultMs: 300 });
  await until("a reading", () => plug.isBeingRead);
  await cloud.say("reserve", { reservationId: "r1", ttlMs: 60_000 });
  await until("reserved", () => cloud.reserved().length === 1);
  await until("given up", () => !plug.isBeingRead);
  expect(cloud.reserved()[0]).toEqual({ reservationId: "r1", ok: true });
  plug.isMute = false;
  await opened("g1");
  await adapter.heard("C,START,4.00");
  adapter.say("c,STATUS,VEND,1.00,7");
  await told("g1", "accepted opened approved");
  expect(plug.connections).toBe(1);
  adapter.say("c,VEND,SUCCESS", "c,STATUS,ENABLED");
  await until("read when it was over", isKept);
  expect(readKeptReading(dir)?.upTo).toBe(5); // the first there is: counted from here on
  expect(audits()).toEqual([]);
});

test("what was kept is counted from after a restart; a disk that is full meanwhile loses no count", async () => {
  await started({ auditMs: 300, vendResultMs: 200 });
  await until("a first reading", isKept);
  await service?.close();
  start({ auditMs: 300, vendResultMs: 200 });
  await until("able to sell again", () => cloud.statuses().at(-1)?.canSell === true);
  plug.isMute = true;
  await vend("g1", "sold");
  await told("g1", "accepted opened approved succeeded closed");
  diskFull = true;
  plug.isMute = false;
  await until("a reading that cannot be written", () => cloud.statuses().at(-1)?.reason === "journalFailed");
  expect(audits()).toEqual([]);
  diskFull = false;
  await until("the count", () => audits().length > 0);
  expect(audits()[0]).toMatchObject({
    since: 0,
    items: [
      { item: 7, vends: 1 },
      { item: 8, vends: 0 },
    ],
  });
});

test("another board in the machine is counted anew; a line that is not there is said in the telemetry", async () => {
  await started({ auditMs: 300, vendResultMs: 200 });
  await until("a first reading", isKept);
  plug.serialNumber = "another";
  plug.sold(7, 5);
  await vend("g1", "jam");
  await told("g1", "accepted opened approved failed closed");
  await until("kept anew", () => readKeptReading(dir)?.audit.serial === "another");
  expect(audits()).toEqual([]);
  expect(readKeptReading(dir)?.upTo).toBe(5);
  plug.close();
  await service?.close();
  await started({ auditMs: 300, vendResultMs: 200 });
  const dex = () => cloud.statuses().at(-1)?.telemetry?.dex;
  await until("the trouble", () => dex()?.trouble === "lineLost");
  expect(dex()).toEqual({ trouble: "lineLost" });
});
