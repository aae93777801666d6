/**
 * A machine that is alone for a week: the whole controller but its process, on a clock that is moved, with a real cloud and
 * broker behind a network that can be cut. It goes on by itself, keeps what its journal may hold, and says all of it later.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Clock } from "../../broker/protocol/clock.js";
import { Secret } from "../../broker/protocol/configuration.js";
import { systemClock } from "../../broker/protocol/system.js";
import { connectionNumbers } from "../../controller/bus/connection-count.js";
import { MqttBus, ReplayWindows } from "../../controller/bus/bus.js";
import { settingsOf } from "../../controller/config/settings.js";
import { configuration } from "../../controller/configuration.js";
import { openJournal, type Journal } from "../../controller/journal/journal.js";
import { closeBlock } from "../../controller/mdb/frame.js";
import { drivers } from "../../controller/mdb/drivers.js";
import { hexOf, readHex } from "../../controller/mdb/widths.js";
import { readDurable } from "../../controller/sale/durable.js";
import { linksTo } from "../../controller/serial/serial-link.js";
import { offline, Service } from "../../controller/service.js";
import { noFaults } from "../../simulator/machine/faults.js";
import { Trace, type Happening } from "../../simulator/machine/trace.js";
import { FaultProxy } from "../../simulator/network/fault-proxy.js";
import { connectTo, listenOn } from "../../simulator/network/tcp.js";
import { quiet, random, until } from "../controller/real-clock.js";
import { Cloud, MACHINE } from "./cloud.js";

const CAPACITY = 300;
const PAST_IT = 40;
const DAY_MS = 86_400_000;

type Timer = { readonly dueMs: number; readonly act: () => void; stop: () => void };

/** The computer's clock, with hours put in between: what was due in them is done at once, in its order. */
class MovedClock implements Clock {
  #aheadMs = 0;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return systemClock.nowMs() + this.#aheadMs;
  }
  monoMs(): number {
    return systemClock.monoMs() + this.#aheadMs;
  }
  after(ms: number, act: () => void): () => void {
    const timer: Timer = { dueMs: this.monoMs() + ms, act, stop: () => undefined };
    this.#timers.add(timer);
    this.#arm(timer, ms);
    return () => {
      timer.stop();
      this.#timers.delete(timer);
    };
  }
  move(ms: number): void {
    this.#aheadMs += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.dueMs - b.dueMs)) {
      timer.stop();
      this.#arm(timer, timer.dueMs - this.monoMs());
    }
  }
  #arm(timer: Timer, ms: number): void {
    timer.stop = systemClock.after(Math.max(0, ms), () => {
      this.#timers.delete(timer);
      timer.act();
    });
  }
}

/** The machine's end of an adapter that carries blocks: a machine that enables its reader and says what the test says. */
class Vmc {
  readonly #heard: string[] = [];
  readonly #server = createServer((socket) => {
    this.#socket = socket;
    socket.on("error", () => undefined);
    let rest = "";
    socket.on("data", (bytes: Buffer) => {
      const lines = (rest + bytes.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.#heard.push(line.trim());
        this.say("00"); // every block of the reader's is acknowledged
        if (line.trim() === "0000") this.say("11 00 01 10 01 01", ...(this.#isOpen ? [] : ["14 01"])); // JUST RESET
      }
    });
  });
  #socket: Socket | undefined;
  #isOpen = false;

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`; // listening on TCP: never a path
  }
  /** Blocks without their CHK; lone bytes as they are. */
  say(...texts: readonly string[]): void {
    for (const text of texts) {
      const bytes = readHex(text) ?? new Uint8Array();
      this.#socket?.write(`${bytes.length > 1 ? hexOf(closeBlock(bytes)) : text}\r\n`);
    }
  }
  /** The reader is not to sell while it is open. */
  door(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.say(isOpen ? "14 00" : "14 01");
  }
  async hears(block: string): Promise<void> {
    await until(`the machine to hear ${block}`, () => this.#heard.some((line) => line.startsWith(block)));
  }
  sellsForCash(item: number, priceMinor: number): void {
    this.say(`13 05 ${word(priceMinor)} ${word(item)}`);
  }
  [Symbol.dispose](): void {
    this.#socket?.destroy();
    this.#server.close();
  }
}
const word = (value: number): string => value.toString(16).padStart(4, "0");

/** Cuts the network in the middle of it: when so many reports have begun their way. */
class CuttingTrace extends Trace {
  readonly cutsAt: number[] = [];
  cut: () => void = () => undefined;
  #reports = 0;

  override add(event: Happening): void {
    super.add(event);
    if (event.kind !== "mqtt" || !event.topic.endsWith("/report")) return;
    this.#reports += 1;
    if (this.#reports === this.cutsAt[0]) {
      this.cutsAt.shift();
      this.cut();
    }
  }
  begin(...cutsAt: readonly number[]): void {
    this.#reports = 0;
    this.cutsAt.push(...cutsAt);
  }
}

/** The controller as its main.ts puts it together, on that clock. */
class Controller implements AsyncDisposable {
  readonly service: Service<unknown>;
  readonly journal: Journal;
  readonly #dir: string;

  private constructor(service: Service<unknown>, journal: Journal, dir: string) {
    this.service = service;
    this.journal = journal;
    this.#dir = dir;
  }

  static async start(
    cloud: Cloud,
    places: { readonly serial: string; readonly mqttUrl: string },
    clock: Clock,
  ): Promise<Controller> {
    const { kid } = await cloud.store.read.selectFrom("bus_key").select("kid").executeTakeFirstOrThrow();
    const privateKey = cloud.keys[MACHINE];
    if (privateKey === undefined) throw new Error("the cloud made the machine's key");
    const dir = mkdtempSync(join(tmpdir(), "week-"));
    const own = configuration.parse({
      ...places,
      machineId: MACHINE,
      dataDir: dir,
      driver: "mdb-hex",
      reader: { options: ["cashSale"] },
      cloudKeys: [{ kid, publicKey: cloud.cloudKey.export({ format: "jwk" }) }],
      currency: "NZD",
      journalCapacity: CAPACITY,
      reportAgainMs: 200,
      mqttBackOff: { firstMs: 10, maxMs: 50 },
    });
    const { journal } = openJournal({
      path: join(dir, "journal.db"),
      capacity: own.journalCapacity,
      newId: "week",
      checkState: readDurable,
    });
    const replay = new ReplayWindows([kid], journal.replay());
    const adapter = drivers["mdb-hex"];
    const service = new Service({
      ...settingsOf(own, null),
      bootId: "boot",
      driver: adapter.make(own),
      journal,
      replay,
      newLink: linksTo(own.serial, 0),
      framing: adapter.framing,
      openBus: (events) =>
        new MqttBus(
          {
            url: own.mqttUrl,
            machineId: MACHINE,
            password: new Secret(MACHINE),
            signer: { kid: `kid-${MACHINE}`, privateKey },
            cloudKeys: new Map([[kid, cloud.cloudKey]]),
            replay,
            nextConnection: connectionNumbers(dir),
            keepAliveSeconds: own.mqttKeepAliveSeconds,
            offline: offline("boot"),
            clock,
            random,
            backOff: own.mqttBackOff,
            log: quiet,
          },
          events,
        ),
      serialBackOff: own.serialBackOff,
      clock,
      random,
      log: quiet,
    });
    return new Controller(service, journal, dir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service.close();
    rmSync(this.#dir, { recursive: true });
  }
}

test("seven days without the cloud: it ends its sale, counts the cash, stops at its bound, and is heard to the end, once and in order", async () => {
  const clock = new MovedClock();
  // The cloud's own patience with a machine gone dark is a day; here it is over before the week begins.
  await using cloud = await Cloud.start({ webhooks: true, terms: { darkAfterMs: 1_000 } });
  const trace = new CuttingTrace(MACHINE, clock);
  using network = new FaultProxy(
    connectTo("127.0.0.1", cloud.mqttPort),
    noFaults,
    systemClock,
    random,
    trace,
  );
  await using listening = await listenOn("127.0.0.1")(0, (socket) => network.accept(socket));
  using vmc = new Vmc();
  await using controller = await Controller.start(
    cloud,
    { serial: await vmc.listen(), mqttUrl: `mqtt://127.0.0.1:${listening.port}` },
    clock,
  );
  const { service, journal } = controller;
  const isIn = async (state: string): Promise<void> => {
    const path = `/api/vending/machines/${MACHINE.toUpperCase()}`;
    await expect.poll(async () => (await cloud.call("GET", path)).body["state"]).toBe(state);
  };
  const mdb = (): string => service.snapshot().status.mdb;

  // A customer has paid and chosen, and then the line dies.
  await isIn("ready");
  const asked = await cloud.ask("week");
  const { id, paymentRequest } = asked.body as { id: string; paymentRequest: { id: string } }; // as the API says; else what follows fails
  await cloud.pay(paymentRequest.id);
  await vmc.hears("03"); // BEGIN SESSION
  vmc.say("13 00 00 FA 00 0B");
  await vmc.hears("05"); // VEND APPROVED
  network.setFaults({ ...noFaults, networkDown: true });
  vmc.say("13 02 00 0B", "13 04");
  await until("the sale at its end", () => mdb() === "enabled");
  await cloud.reaches(id, "settled"); // the cloud has given it up, and everything back

  // The week: sales for cash, and each day a minute in which the machine's door is open.
  const inBetweenMs = (7 * DAY_MS) / (CAPACITY + PAST_IT);
  const sale = journal.last - journal.heard;
  for (let n = 0; n < CAPACITY + PAST_IT; n += 1) {
    clock.move(inBetweenMs);
    const last = journal.last;
    vmc.sellsForCash(n % 8, 100 + n);
    if (!journal.full) await until("it in the journal", () => journal.last > last);
    if (n % 50 !== 49) continue;
    vmc.door(true);
    await until("disabled", () => mdb() === "disabled");
    clock.move(60_000); // the reader begins anew meanwhile
    if (!journal.full) await until("an alarm", () => journal.last === last + 2);
    vmc.door(false);
    await until("enabled", () => mdb() === "enabled" || service.snapshot().status.reason === "journalFull");
  }
  vmc.door(true); // in order after every sale before it
  await until("all of it said", () => mdb() === "disabled");
  vmc.door(false);
  await until("enabled again", () => mdb() === "enabled");
  expect(service.snapshot().status).toMatchObject({ canSell: false, reason: "journalFull" });
  const owed = journal.read(0, 2 * CAPACITY);
  const cash = owed.flatMap(({ line }) => (line.kind === "cashSale" ? [line.priceMinor - 100] : []));
  const alarms = owed.filter(({ line }) => line.kind === "alarm").length;
  expect(sale + cash.length + alarms).toBe(CAPACITY); // what came after it is in the machine's own counters only
  expect(cash).toEqual(cash.map((_, n) => n));
  expect(alarms).toBe(Math.floor(cash.length / 50));

  // The line is back, for a while, twice; and then it loses and doubles what it carries.
  trace.cut = () => network.setFaults({ ...noFaults, networkDown: true });
  trace.begin(100, 180);
  for (const left of [1, 0]) {
    network.setFaults(noFaults);
    await until("cut again", () => trace.cutsAt.length === left);
    await until("the loss seen", () => !service.health().bus);
    expect(journal.heard).toBeLessThan(journal.last);
  }
  network.setFaults({ ...noFaults, networkDrop: 0.05, networkDuplicate: 0.1 });
  await until("all of it heard", () => journal.heard === journal.last);
  network.setFaults(noFaults);

  const rows = await cloud.store.read
    .selectFrom("machine_report")
    .selectAll()
    .where("journal", "=", "week")
    .orderBy("entry")
    .execute();
  expect(rows.map(({ entry }) => entry)).toEqual(Array.from({ length: journal.last }, (_, n) => n + 1));
  const heard = rows.map(({ entry, line }) => ({ n: entry, line: JSON.parse(line) as unknown }));
  expect(heard.slice(-owed.length)).toEqual(owed);
  const times = rows.map(({ at_ms }) => at_ms);
  expect(times).toEqual([...times].sort((a, b) => a - b)); // in order, not only in the end
  // What fell after the customer had everything back is the merchant's loss, and no new charge.
  expect(await cloud.sale(id)).toMatchObject({ state: "settled", refunded: { amount: "400" } });
  const { doc } = await cloud.store.read
    .selectFrom("sale")
    .select("doc")
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  expect(JSON.parse(doc)).toMatchObject({ flags: ["dark", "lateVend"], lossMinor: 250 });

  await isIn("ready");
  const last = journal.last;
  vmc.sellsForCash(1, 150);
  await until("one more in the journal", () => journal.last === last + 1);
  await until("and heard", () => journal.heard === last + 1);
});
