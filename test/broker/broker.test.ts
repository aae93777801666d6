/** The broker over real sockets: who gets in, and what each login may say and hear. */
import { createHash } from "node:crypto";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { generate } from "mqtt-packet";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { loginsFile, type Login } from "../../broker/access.js";
import { makeBroker, type Broker } from "../../broker/broker.js";
import { WaitingRoom } from "../../broker/waiting-room.js";

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
const logins: Login[] = [
  { role: "machine", username: "machine-1", passwordSha256: hash("one") },
  { role: "machine", username: "machine-2", passwordSha256: hash("two") },
  { role: "cloud", username: "cloud", passwordSha256: hash("cloud") },
];
const quiet = { info: () => undefined, warn: () => undefined };
let broker: Broker;
let server: Server;
const clients: MqttClient[] = [];

beforeAll(async () => {
  broker = await makeBroker(() => logins, quiet);
  server = createServer({ noDelay: true }, (socket) => broker.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)));
  await broker.close();
  server.close();
});

async function enter(username: string, password: string, options: IClientOptions = {}): Promise<MqttClient> {
  const { port } = server.address() as AddressInfo; // TCP
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: 4,
    clientId: username,
    username,
    password,
    reconnectPeriod: 0,
    ...options,
  });
  client.on("error", () => undefined);
  clients.push(client);
  return client;
}
const heard = (client: MqttClient): Promise<string> =>
  new Promise((resolve) =>
    client.once("message", (topic, payload) => resolve(`${topic} ${payload.toString()}`)),
  );
/** Resolves when the broker has dropped this connection. */
const dropped = (client: MqttClient): Promise<void> =>
  new Promise((resolve) => client.once("close", () => resolve()));

test("a machine and the cloud hear each other on the machine's own topics", async () => {
  const [machine, cloud] = [
    await enter("machine-1", "one"),
    await enter("cloud", "cloud", { clientId: "cloud.a" }),
  ];
  await cloud.subscribeAsync("scanvend/+/report", { qos: 1 });
  await machine.subscribeAsync("scanvend/machine-1/grant", { qos: 1 });
  const up = heard(cloud);
  await machine.publishAsync("scanvend/machine-1/report", "r", { qos: 1 });
  expect(await up).toBe("scanvend/machine-1/report r");
  const down = heard(machine);
  await cloud.publishAsync("scanvend/machine-1/grant", "g", { qos: 1 });
  expect(await down).toBe("scanvend/machine-1/grant g");
});

// prettier-ignore
const strangers: readonly [name: string, username: string, password: string, options: IClientOptions][] = [
  ["without a name",                   "",          "",      { clientId: "machine-1" }],
  ["with the wrong password",          "machine-1", "two",   {}],
  ["with a name nobody has",           "machine-9", "one",   {}],
  ["under another machine's id",       "machine-1", "one",   { clientId: "machine-2" }],
  ["with a wildcard for a name",       "+",         "one",   {}],
  ["as the cloud with a machine's password", "cloud", "one", {}],
  ["under an id that only begins like the cloud's", "cloud", "cloud", { clientId: "cloudy" }],
];
for (const [name, username, password, options] of strangers)
  test(`nobody gets in ${name}`, async () => {
    await expect(enter(username, password, options)).rejects.toThrow(
      /Connection refused|closed|Not authorized/i,
    );
  });

const filters = [
  "scanvend/machine-2/grant",
  "scanvend/+/grant",
  "#",
  "+/+/+",
  "$SYS/#",
  "$share/g/scanvend/machine-1/grant",
  "scanvend/machine-1/report",
  "scanvend/machine-1/#",
];
for (const filter of filters)
  test(`a machine may not listen on ${filter}`, async () => {
    const machine = await enter("machine-1", "one");
    const granted = await machine.subscribeAsync(filter, { qos: 1 }).then(
      (grants) => grants.map(({ qos }) => qos),
      () => [128],
    );
    expect(granted).toEqual([128]);
  });

const topics = [
  "scanvend/machine-2/report",
  "scanvend/machine-1/grant",
  "$SYS/x/new/clients",
  "scanvend/machine-1/report/x",
  "scanvend//report",
  "elsewhere",
];
for (const topic of topics)
  test(`a machine that speaks on ${topic} is dropped, and nobody hears it`, async () => {
    const cloud = await enter("cloud", "cloud", { clientId: "cloud.b" });
    await cloud.subscribeAsync("scanvend/+/report", { qos: 1 });
    const machine = await enter("machine-1", "one");
    const gone = dropped(machine);
    machine.publish(topic, "forged", { qos: 1 });
    await gone;
    const next = heard(cloud);
    const honest = await enter("machine-2", "two");
    await honest.publishAsync("scanvend/machine-2/report", "true", { qos: 1 });
    expect(await next).toBe("scanvend/machine-2/report true");
  });

test("a last will on another machine's topic is never delivered, one on the own topic is", async () => {
  const cloud = await enter("cloud", "cloud", { clientId: "cloud.c" });
  await cloud.subscribeAsync("scanvend/+/status", { qos: 1 });
  const said: string[] = [];
  cloud.on("message", (_topic, payload) => said.push(payload.toString()));
  const will = (payload: string): IClientOptions => ({
    will: { topic: "scanvend/machine-2/status", payload: Buffer.from(payload), qos: 1, retain: false },
  });
  const forger = await enter("machine-1", "one", will("forged"));
  const forgerGone = dropped(forger);
  forger.stream.destroy();
  await forgerGone;
  const honest = await enter("machine-2", "two", will("honest"));
  honest.stream.destroy();
  await expect.poll(() => said).toEqual(["honest"]);
  // Whatever a forged one would still be on its way for has overtaken it by now: the broker says things in order.
  await enter("machine-2", "two").then((again) =>
    again.publishAsync("scanvend/machine-2/status", "last", { qos: 1 }),
  );
  await expect.poll(() => said).toEqual(["honest", "last"]);
});

test("a machine that says nothing for one and a half of its keep-alives is gone, and its will is said", async () => {
  const cloud = await enter("cloud", "cloud", { clientId: "cloud.e" });
  await cloud.subscribeAsync("scanvend/machine-2/status", { qos: 1 });
  const next = heard(cloud);
  const { port } = server.address() as AddressInfo; // TCP
  const socket = connect(port, "127.0.0.1");
  const closed = new Promise<void>((resolve) => socket.resume().once("close", () => resolve()));
  const will = {
    topic: "scanvend/machine-2/status",
    payload: Buffer.from("gone"),
    qos: 1,
    retain: false,
  } as const;
  const login = { clientId: "machine-2", username: "machine-2", password: Buffer.from("two") };
  socket.write(generate({ cmd: "connect", protocolVersion: 4, clean: true, keepalive: 1, ...login, will }));
  expect(await next).toBe("scanvend/machine-2/status gone"); // the line itself is whole: nobody hung up
  await closed;
});

test("a session is not kept: what was said while a machine was away is said again by whoever owes it", async () => {
  const cloud = await enter("cloud", "cloud", { clientId: "cloud.d" });
  const first = await enter("machine-1", "one", { clean: false });
  await first.subscribeAsync("scanvend/machine-1/grant", { qos: 1 });
  await first.endAsync();
  await cloud.publishAsync("scanvend/machine-1/grant", "old", { qos: 1 });
  const again = await enter("machine-1", "one", { clean: false });
  await again.subscribeAsync("scanvend/machine-1/grant", { qos: 1 });
  const next = heard(again);
  await cloud.publishAsync("scanvend/machine-1/grant", "new", { qos: 1 });
  expect(await next).toBe("scanvend/machine-1/grant new");
});

test("a login taken away, or altered, ends its connection, with the last will unsaid, and no other's", async () => {
  const cloud = await enter("cloud", "cloud", { clientId: "cloud.f" });
  await cloud.subscribeAsync("scanvend/+/status", { qos: 1 });
  const said: string[] = [];
  cloud.on("message", (_topic, payload) => said.push(payload.toString()));
  const before = [...logins];
  for (const one of ["machine-3", "machine-4"])
    logins.push({ role: "machine", username: one, passwordSha256: hash("once") });
  const will = (topic: string): IClientOptions => ({
    will: { topic, payload: Buffer.from("from the grave"), qos: 1, retain: false },
  });
  const taken = await enter("machine-3", "once", will("scanvend/machine-3/status"));
  const altered = await enter("machine-4", "once", will("scanvend/machine-4/status"));
  const other = await enter("machine-2", "two");
  const gone = Promise.all([dropped(taken), dropped(altered)]);
  logins.splice(before.length, 2, { role: "machine", username: "machine-4", passwordSha256: hash("anew") });
  broker.review();
  await gone;
  await expect(enter("machine-3", "once")).rejects.toThrow();
  await expect(enter("machine-4", "once")).rejects.toThrow();
  const again = await enter("machine-4", "anew");
  broker.review();
  await again.publishAsync("scanvend/machine-4/status", "here", { qos: 1 });
  await other.publishAsync("scanvend/machine-2/status", "here, too", { qos: 1 });
  await expect.poll(() => said).toEqual(["here", "here, too"]);
  logins.splice(before.length);
});

/** What a stranger sends, byte by byte; resolves when the broker has hung up, with how much it took. */
const rudely = (bytes: Buffer, times: number, at = server): Promise<number> =>
  new Promise((resolve) => {
    const { port } = at.address() as AddressInfo; // TCP
    let taken = 0;
    const socket = connect(port, "127.0.0.1", () => {
      const more = (): void => {
        if (socket.destroyed || taken >= bytes.length * times) return;
        taken += bytes.length;
        socket.write(bytes, more);
      };
      more();
    });
    socket.resume().on("error", () => undefined);
    socket.on("close", () => resolve(taken));
  });

test("a packet longer than any of ours ends its connection before it is kept", async () => {
  // A CONNECT that claims 256 MB (MQTT 3.1.1, 2.2.3: ff ff ff 7f), and then its body.
  const head = Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]);
  const taken = await rudely(Buffer.concat([head, Buffer.alloc(64 * 1024)]), 4_000);
  expect(taken).toBeLessThan(32 * 1024 * 1024); // what the system's own buffers take, and nothing like the whole
  const machine = await enter("machine-1", "one");
  const gone = dropped(machine);
  machine.publish("scanvend/machine-1/report", Buffer.alloc(200 * 1024), { qos: 1 });
  await gone;
  const again = await enter("machine-1", "one");
  await again.publishAsync("scanvend/machine-1/report", Buffer.alloc(128 * 1024), { qos: 1 });
});

test("a length that is no length ends its connection", async () => {
  await rudely(Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff]), 1);
});

test("refusals are counted by kind and by the name of a login, and fill no log, whatever a stranger says", async () => {
  const lines: string[] = [];
  const say = (what: object, message: string): void => void lines.push(JSON.stringify({ message, ...what }));
  const other = await makeBroker(() => logins, { info: () => undefined, warn: say });
  const door = createServer((socket) => other.handle(socket));
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  const knock = (username: string, clientId = "x"): Promise<number> =>
    rudely(generate({ cmd: "connect", protocolVersion: 4, clean: true, clientId, username }), 1, door);
  for (let i = 0; i < 33; i += 1) await knock(`${"\u0001".repeat(15_000)}${i}`);
  await rudely(Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff]), 1, door);
  for (let i = 0; i < 3; i += 1) await knock("machine-1");
  const refused = lines.map((line) => z.looseObject({ message: z.string() }).parse(JSON.parse(line)));
  const counts = (username: string): unknown[] =>
    refused
      .filter((line) => line.message === "connection refused" && line["username"] === username)
      .map((line) => line["count"]);
  expect(counts("\u0001".repeat(64))).toEqual([1, 2, 4, 8, 16, 32]);
  expect(counts("machine-1"), "an operator who looks for a machine finds it").toEqual([1, 2]);
  expect(lines.join("\n").length).toBeLessThan(8 * 1024); // of half a megabyte that was sent
  await other.close();
  door.close();
});

test("silent strangers make room for each other, the oldest first, and keep nobody out who has a login", async () => {
  const room = new WaitingRoom({ perAddress: 3, inAll: 5 });
  const door = createServer((socket) => {
    room.enter(socket);
    broker.handle(socket, () => room.leave(socket));
  });
  await new Promise<void>((resolve) => door.listen(0, "0.0.0.0", resolve));
  const { port } = door.address() as AddressInfo; // TCP
  const ended: string[] = [];
  const silent: Socket[] = [];
  const stand = async (localAddress: string, name: string): Promise<void> => {
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    silent.push(socket);
    socket.on("error", () => undefined).on("close", () => ended.push(name));
    await new Promise((resolve) => door.once("connection", resolve));
  };
  const machine = (name: string, password: string): Promise<MqttClient> => enter(name, password, { port });
  const first = await machine("machine-1", "one");
  for (const name of ["a", "b", "c", "d"]) await stand("127.0.0.1", name);
  await expect.poll(() => ended).toEqual(["a"]);
  const second = await machine("machine-2", "two"); // for a moment it waits, too
  await expect.poll(() => ended).toEqual(["a", "b"]);
  for (const name of ["e", "f", "g"]) await stand("127.0.0.2", name);
  await stand("127.0.0.3", "h");
  await expect.poll(() => ended).toEqual(["a", "b", "c"]);
  await first.publishAsync("scanvend/machine-1/report", "still here", { qos: 1 });
  await second.publishAsync("scanvend/machine-2/report", "here, too", { qos: 1 });
  expect(ended).toEqual(["a", "b", "c"]);
  for (const socket of silent) socket.destroy();
  door.close();
});

test("a logins file with a name twice is refused by name", () => {
  const twice = loginsFile.safeParse({ logins: [logins[0], logins[1], logins[0]] });
  expect(twice.error?.issues).toMatchObject([
    { path: ["logins", 2, "username"], message: "machine-1 is there twice" },
  ]);
});
