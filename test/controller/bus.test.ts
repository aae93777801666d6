/** The machine's place on a real broker: who it says it is, what it lets through, how it leaves and comes back. */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { generate, parser } from "mqtt-packet";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Clock } from "../../broker/protocol/clock.js";
import { Secret } from "../../broker/protocol/configuration.js";
import { seal, type Message } from "../../broker/protocol/envelope.js";
import type { Body } from "../../broker/protocol/messages.js";
import { BLOCK } from "../../controller/bus/numbers.js";
import { MAX_UNACKED, MqttBus, ReplayWindows } from "../../controller/bus/bus.js";
import type { Log } from "../../controller/log.js";
import { noFaults } from "../../simulator/machine/faults.js";
import { Trace } from "../../simulator/machine/trace.js";
import { FaultProxy } from "../../simulator/network/fault-proxy.js";
import { connectTo, listenOn } from "../../simulator/network/tcp.js";
import { clock, quiet, random, until } from "./real-clock.js";
import { newKeys, TestCloud, testBroker, type TestBroker } from "./test-broker.js";

const MACHINE = "m-1";
const [machine, cloudKeys, stranger] = [newKeys("machine"), newKeys("cloud-1"), newKeys("stranger")];
const status = (online: boolean): Body["status"] => ({
  online,
  bootId: "boot",
  version: "1",
  mdb: "enabled",
  canSell: online,
  reason: "",
});
const heard = (upTo: number): Body["heard"] => ({ journal: "j1", upTo });

let broker: TestBroker;
let cloud: TestCloud;
const buses: MqttBus[] = [];
beforeEach(async () => {
  broker = await testBroker();
  cloud = await TestCloud.connect(broker.url, MACHINE, cloudKeys, machine.publicKey);
});
afterEach(async () => {
  for (const bus of buses.splice(0)) await bus.close(status(false));
  await cloud.close();
  await broker.close();
});

type Opened = { bus: MqttBus; messages: Message[]; connects: number; refusals: Record<string, unknown>[] };
function open({
  url = broker.url,
  time = clock,
  keepAliveSeconds = 20,
}: { url?: string; time?: Clock; keepAliveSeconds?: number } = {}): Opened {
  let connection = 0;
  const log: Log = {
    ...quiet,
    warn(fields, message) {
      if (message === "message refused") opened.refusals.push(fields);
    },
  };
  const messages: Message[] = [];
  const bus = new MqttBus(
    {
      url,
      machineId: MACHINE,
      password: new Secret("secret"),
      signer: machine.signer,
      cloudKeys: new Map([["cloud-1", cloudKeys.publicKey]]),
      replay: new ReplayWindows(["cloud-1"], new Map()),
      nextConnection: () => (connection += 1),
      keepAliveSeconds,
      offline: status(false),
      clock: time,
      random,
      backOff: { firstMs: 10, maxMs: 50 },
      log,
    },
    {
      onConnected: () => {
        opened.connects += 1;
        bus.publish("status", status(true));
      },
      onMessage: (message) => void messages.push(message),
    },
  );
  const opened: Opened = { bus, messages, connects: 0, refusals: [] };
  buses.push(bus);
  return opened;
}

test("it logs in under its own id, and its status is kept for whoever comes later", async () => {
  const { bus } = open();
  await until("the status", () => cloud.statuses().length === 1);
  expect(broker.logins.at(-1)).toEqual([MACHINE, MACHINE, "secret"]);
  expect(bus.connected).toBe(true);
  const late = await TestCloud.connect(broker.url, MACHINE, cloudKeys, machine.publicKey);
  await until("the kept status", () => late.heard.length === 1);
  expect(late.heard[0]).toMatchObject({ retain: true, n: BLOCK, message: { body: { online: true } } });
  await late.close();
});

test("after a cut connection the next one's numbers are above all it said, its will's included", async () => {
  const opened = open();
  await until("connected", () => cloud.statuses().length === 1);
  opened.bus.publish("reserved", { reservationId: "r1", ok: true });
  await until("said", () => cloud.reserved().length === 1);
  broker.cut();
  await until("connected again", () => opened.connects === 2);
  await cloud.close();
  cloud = await TestCloud.connect(broker.url, MACHINE, cloudKeys, machine.publicKey);
  opened.bus.publish("status", status(true));
  await until("a status", () => cloud.statuses().length > 1);
  expect(cloud.heard.at(-1)?.n).toBeGreaterThan(2 * BLOCK - 1);
});

test("the will is said when the machine is cut off, signed with its connection's last number", async () => {
  const { bus } = open();
  await until("connected", () => bus.connected);
  const watcher = await TestCloud.connect(broker.url, MACHINE, cloudKeys, machine.publicKey);
  const other = open(); // the same client id again: the broker throws the first one out
  await until("the will", () => watcher.statuses().some(({ online }) => !online));
  expect(watcher.heard.find(({ message }) => message.leaf === "status" && !message.body.online)?.n).toBe(
    2 * BLOCK - 1,
  );
  await other.bus.close(status(false));
  await watcher.close();
});

test("it comes back to a broker that was gone and has forgotten everything", async () => {
  const opened = open();
  await until("connected", () => opened.connects === 1);
  await cloud.close();
  await broker.close();
  await until("the loss seen", () => !opened.bus.connected);
  expect(opened.bus.publish("status", status(true))).toBe(false);
  broker = await testBroker(broker.port);
  await until("connected again", () => opened.connects === 2);
  cloud = await TestCloud.connect(broker.url, MACHINE, cloudKeys, machine.publicKey);
  await until("its status again", () => cloud.statuses().length === 1);
});

test("a goodbye is said, and no will after it", async () => {
  const opened = open();
  await until("connected", () => cloud.statuses().length === 1);
  await opened.bus.close(status(false));
  await until("goodbye", () => cloud.statuses().length === 2);
  expect(cloud.heard.at(-1)?.n).toBe(BLOCK + 1);
  expect(opened.bus.publish("status", status(true))).toBe(false);
});

test("closing while the broker does not answer ends all the same", async () => {
  await broker.close();
  const opened = open();
  await opened.bus.close(status(false));
  expect(opened.bus.connected).toBe(false);
  broker = await testBroker();
});

/** A broker that lets everyone in, acknowledges subscriptions if told to, and answers nothing else. */
async function mute({ suback }: { readonly suback: boolean }) {
  const sockets: Socket[] = []; // every connection there ever was
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    const packets = parser();
    packets.on("packet", (packet) => {
      const { cmd, messageId = 0 } = packet;
      if (cmd === "connect") socket.write(generate({ cmd: "connack", returnCode: 0, sessionPresent: false }));
      else if (cmd === "subscribe" && suback)
        socket.write(generate({ cmd: "suback", messageId, granted: packet.subscriptions.map(() => 1) }));
    });
    socket.on("data", (bytes) => packets.parse(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // listening on TCP: never a path
  return {
    url: `mqtt://127.0.0.1:${port}`,
    sockets,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("closing while the broker acknowledges nothing ends all the same", async () => {
  using silent = await mute({ suback: true });
  const { bus } = open({ url: silent.url });
  await until("connected", () => bus.connected);
  await bus.close(status(false));
  await until("the connection gone", () => silent.sockets.every(({ closed }) => closed));
});

test("a broker that lets us in and never answers the subscription is left, and tried again", async () => {
  using silent = await mute({ suback: false });
  const hasty: Clock = { ...clock, after: (ms, act) => clock.after(ms / 100, act) };
  const { bus } = open({ url: silent.url, time: hasty });
  await until("a second try", () => silent.sockets.length > 1);
  expect(bus.connected).toBe(false);
});

test("a broker that acknowledges nothing is left once no more may be on the way, and tried again", async () => {
  using silent = await mute({ suback: true });
  const { bus } = open({ url: silent.url });
  await until("connected", () => bus.connected);
  for (let n = 0; n <= MAX_UNACKED; n += 1) bus.publish("status", status(true));
  await until("a second try", () => silent.sockets.length > 1);
});

test("being thrown out again and again is tried again ever later", async () => {
  const waits: number[] = [];
  const noted: Clock = {
    ...clock,
    monoMs: () => 0, // no connection lasts, however slow this computer is
    after(ms, act) {
      if (ms <= 50) waits.push(ms);
      return clock.after(ms, act);
    },
  };
  const opened = open({ time: noted });
  for (let times = 1; times <= 4; times += 1) {
    await until("connected", () => opened.connects === times);
    broker.cut();
    await until("the loss seen", () => waits.length === times);
  }
  expect(waits).toEqual([8, 15, 30, 38]); // the upper half's middle of 10, 20, 40 and at most 50
});

test("a connection that lasted makes the next wait a short one again", async () => {
  const waits: number[] = [];
  let mono = 0;
  const noted: Clock = {
    ...clock,
    monoMs: () => mono,
    after(ms, act) {
      if (ms <= 50) waits.push(ms);
      return clock.after(ms, act);
    },
  };
  const opened = open({ time: noted });
  for (let times = 1; times <= 4; times += 1) {
    await until("connected", () => opened.connects === times);
    if (times === 4) mono += 50; // as long as the longest wait
    broker.cut();
    await until("the loss seen", () => waits.length === times);
  }
  expect(waits).toEqual([8, 15, 30, 8]);
});

test("a line that dies without a word is noticed by both ends, and the machine is back when there is one again", async () => {
  const keepAliveSeconds = 2; // noticed after three; a default would be noticed too late for `until`
  using network = new FaultProxy(
    connectTo("127.0.0.1", broker.port),
    noFaults,
    clock,
    random,
    new Trace(MACHINE, clock),
  );
  await using listening = await listenOn("127.0.0.1")(0, (socket) => network.accept(socket));
  const opened = open({ url: `mqtt://127.0.0.1:${listening.port}`, keepAliveSeconds });
  await until("connected", () => cloud.statuses().at(-1)?.online === true);
  network.setFaults({ ...noFaults, networkDelayMs: 3_600_000 }); // half-open: nothing comes through, and nobody is told
  await until("the will", () => cloud.statuses().at(-1)?.online === false);
  expect(cloud.heard.at(-1)?.n).toBe(2 * BLOCK - 1);
  await until("the loss seen", () => !opened.bus.connected);
  network.setFaults({ ...noFaults, networkDown: true }); // ends a new try that is already lost in the dead line
  network.setFaults(noFaults);
  await until("its status again", () => cloud.statuses().at(-1)?.online === true);
});

test("what the cloud signed comes through, once", async () => {
  const { messages, refusals } = open();
  await until("connected", () => cloud.statuses().length === 1);
  const payload = await cloud.say("heard", heard(1));
  await cloud.send("heard", payload);
  await cloud.say("heard", heard(2));
  await until("both", () => messages.length === 2);
  expect(messages.map(({ body }) => body)).toEqual([heard(1), heard(2)]);
  expect(refusals.map(({ reason }) => reason)).toEqual(["replayed"]);
});

// prettier-ignore
const forgeries: readonly [name: string, payload: () => string, reason: string][] = [
  ["not a JWS",                () => "go",                                                             "notJws"],
  ["signed by a stranger",     () => seal(MACHINE, "heard", 1, heard(9), stranger.signer),             "unknownKey"],
  ["a stranger under our kid", () => seal(MACHINE, "heard", 1, heard(9), { ...stranger.signer, kid: "cloud-1" }), "badSignature"],
  ["meant for another topic",  () => seal(MACHINE, "go", 1, { grantId: "g", journal: "j1", entry: 1 }, cloudKeys.signer), "wrongTopic"],
  ["meant for another machine", () => seal("m-2", "heard", 1, heard(9), cloudKeys.signer),             "wrongTopic"],
  ["by the machine itself",    () => seal(MACHINE, "heard", 1, heard(9), machine.signer),              "unknownKey"],
  ["of another shape",         () => seal(MACHINE, "heard", 1, { ...heard(9), more: 1 } as Body["heard"], cloudKeys.signer), "schema"],
];
for (const [name, payload, reason] of forgeries) {
  test(`a message ${name} changes nothing, and is counted`, async () => {
    const { messages, refusals } = open();
    await until("connected", () => cloud.statuses().length === 1);
    await cloud.send("heard", payload());
    await cloud.send("heard", payload());
    await cloud.say("heard", heard(1));
    await until("the good one", () => messages.length === 1);
    expect(messages[0]?.body).toEqual(heard(1));
    expect(refusals).toEqual([{ reason, at: expect.any(String) as string, count: 1 }]); // logged once a minute
  });
}

test("each cloud key's highest number stays heard after a restart", () => {
  const before = new ReplayWindows(["a", "b"], new Map());
  for (const n of [5, 3, 9]) expect(before.admit("a", n)).toBe(true);
  expect(before.admit("a", 5)).toBe(false);
  const after = new ReplayWindows(["a", "b"], before.highest());
  expect([after.admit("a", 9), after.admit("a", 10), after.admit("b", 0), after.admit("c", 99)]).toEqual([
    false,
    true,
    true,
    false,
  ]);
});
