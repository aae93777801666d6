/** The bad network, between a real MQTT client and a real broker. */
import { createServer, type Server, type Socket } from "node:net";
import { Aedes } from "aedes";
import mqtt, { type MqttClient } from "mqtt";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noFaults } from "../../simulator/machine/faults.js";
import { Trace, type TraceEntry } from "../../simulator/machine/trace.js";
import { FaultProxy, type NetworkFaults } from "../../simulator/network/fault-proxy.js";
import type { Listening } from "../../simulator/network/sockets.js";
import { connectTo, listenOn } from "../../simulator/network/tcp.js";
import { realClock, realRandom } from "./real-world.js";
import { until } from "./until.js";

let broker: Aedes;
let server: Server;
let brokerPort: number;
let trace: Trace;
let proxy: FaultProxy;
let listening: Listening;
/** Straight to the broker, as the cloud is. */
let cloud: MqttClient;
/** Through the proxy, as a controller is. */
let controller: MqttClient;
let atCloud: string[];
let atController: string[];

beforeEach(async () => {
  broker = await Aedes.createBroker();
  server = createServer((socket: Socket) => {
    socket.setNoDelay(true);
    broker.handle(socket);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  brokerPort = address.port;
  trace = new Trace("m-1", realClock);
  proxy = new FaultProxy(connectTo("127.0.0.1", brokerPort), noFaults, realClock, realRandom, trace);
  listening = await listenOn("127.0.0.1")(0, (socket) => proxy.accept(socket));
  [atCloud, atController] = [[], []];
  cloud = await client(brokerPort, atCloud, "up/#");
  controller = await client(listening.port, atController, "down/#");
});
afterEach(async () => {
  controller.end(true);
  cloud.end(true);
  proxy[Symbol.dispose]();
  await listening[Symbol.asyncDispose]();
  await new Promise<void>((closed) => broker.close(closed));
  await new Promise((closed) => server.close(closed));
});

async function client(port: number, heard: string[], topic: string): Promise<MqttClient> {
  const one = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 10 });
  one.on("message", (_, payload) => heard.push(payload.toString()));
  await one.subscribeAsync(topic, { qos: 1 });
  return one;
}

const set = (faults: Partial<NetworkFaults>): void => proxy.setFaults({ ...noFaults, ...faults });
const up = (text: string): Promise<unknown> => controller.publishAsync("up/report", text, { qos: 1 });
const down = (text: string): Promise<unknown> => cloud.publishAsync("down/grant", text, { qos: 1 });

const closes = (): Promise<void> => new Promise((closed) => controller.once("close", closed));

/** Every message traced so far. */
async function traced(): Promise<readonly TraceEntry[]> {
  const mark = Symbol("mark");
  trace.add({ kind: "machine", what: "mark", detail: mark });
  const seen: TraceEntry[] = [];
  for await (const entry of trace.follow(0, new AbortController().signal)) {
    if (entry.kind === "machine" && entry.detail === mark) break;
    if (entry.kind === "mqtt") seen.push(entry);
  }
  return seen;
}

test("with no fault everything passes, both ways, in order and once", async () => {
  const sent = Array.from({ length: 50 }, (_, i) => String(i));
  await Promise.all(sent.flatMap((text) => [up(text), down(text)]));
  await until("all of them", () => atCloud.length === 50 && atController.length === 50);
  expect(atCloud).toEqual(sent);
  expect(atController).toEqual(sent);
});

test("a dropped message is acknowledged and never arrives, either way", async () => {
  set({ networkDrop: 1 });
  await up("lost"); // resolves on PUBACK
  await down("lost");
  await until("both at the proxy", async () => (await traced()).length === 2);
  set({});
  await up("kept");
  await down("kept");
  await until("the kept ones", () => atCloud.length > 0 && atController.length > 0);
  expect([atCloud, atController]).toEqual([["kept"], ["kept"]]);
});

test("a duplicated message arrives twice and is acknowledged once", async () => {
  set({ networkDuplicate: 1 });
  await up("twice");
  await down("twice");
  await until("both copies", () => atCloud.length === 2 && atController.length === 2);
  set({});
  await up("once");
  await until("the next", () => atCloud.length === 3);
  expect(atCloud).toEqual(["twice", "twice", "once"]);
});

test("some are dropped and some doubled at a rate in between", async () => {
  set({ networkDrop: 0.3, networkDuplicate: 0.3 });
  await Promise.all(Array.from({ length: 300 }, (_, i) => up(String(i))));
  set({});
  await up("last");
  await until("the last", () => atCloud.at(-1) === "last");
  const different = new Set(atCloud).size - 1;
  expect(different).toBeGreaterThan(150);
  expect(different).toBeLessThan(270);
  expect(atCloud.length - 1).toBeGreaterThan(different);
});

test("under delay messages come late and in order, and later ones do not overtake when the delay ends", async () => {
  set({ networkDelayMs: 80 });
  const began = performance.now();
  const slow = Promise.all([up("1"), up("2"), up("3")]);
  await until("the three at the proxy", async () => (await traced()).length === 3);
  set({});
  await up("4");
  await slow;
  await until("all four", () => atCloud.length === 4);
  expect(atCloud).toEqual(["1", "2", "3", "4"]);
  expect(performance.now() - began).toBeGreaterThanOrEqual(79);
});

test("what was sent just before the sender died still arrives under delay", async () => {
  set({ networkDelayMs: 50 });
  controller.publish("up/report", "last words", { qos: 1 }, () => undefined);
  await until("them at the proxy", async () => (await traced()).length === 1);
  controller.end(true);
  await until("the last words", () => atCloud.includes("last words"));
});

test("a network that is down cuts and refuses; when it is back the client is", async () => {
  const closed = closes();
  set({ networkDown: true });
  await closed;
  await closes(); // and again: it was refused
  expect(controller.connected).toBe(false);
  set({});
  await until("the client to be back", () => controller.connected);
  await up("back");
  await until("the message", () => atCloud.includes("back"));
});

test("a broker that is gone closes the client's connection", async () => {
  const closed = closes();
  await new Promise<void>((done) => broker.close(done));
  await closed;
});

test("the trace shows each message opened, and what became of it", async () => {
  const envelope = Buffer.from(JSON.stringify({ v: 1, topic: "up/report", n: 7, body: { ok: true } }));
  await up(`aGVhZA.${envelope.toString("base64url")}.c2ln`);
  await up("not ours");
  set({ networkDrop: 1 });
  await up("a.b.c");
  const seen = (await traced()).map((entry) => ({ ...entry, seq: 0, at: "" }));
  const common = { seq: 0, at: "", machine: "m-1", kind: "mqtt", dir: "up", topic: "up/report" };
  expect(seen).toEqual([
    { ...common, n: 7, body: { ok: true }, fate: "passed" },
    { ...common, n: null, body: "8 bytes", fate: "passed" },
    { ...common, n: null, body: "5 bytes", fate: "dropped" },
  ]);
});

test("what is not MQTT 3.1.1 is cut off", async () => {
  const socket = connectTo("127.0.0.1", listening.port)();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined).resume();
  socket.write("GET / HTTP/1.1\r\n\r\n");
  await closed;
});
