/** A real broker with no rules, and a cloud on it that can say anything: the bus as seen from a machine. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { Aedes } from "aedes";
import { connectAsync, type MqttClient } from "mqtt";
import { open, seal, type Message, type Signer } from "../../broker/protocol/envelope.js";
import type { Body } from "../../broker/protocol/messages.js";
import { topicOf, type Down } from "../../broker/protocol/topics.js";

export type TestBroker = {
  readonly url: string;
  readonly port: number;
  /** Every CONNECT: its client id, user name and password. */
  readonly logins: readonly (readonly [string, string, string])[];
  /** Cuts every connection, as a broken network would: no goodbye, so last wills are said. */
  cut(): void;
  close(): Promise<void>;
};

export async function testBroker(port = 0): Promise<TestBroker> {
  const logins: [string, string, string][] = [];
  const aedes = await Aedes.createBroker({
    authenticate: (client, username, password, done) => {
      logins.push([client.id, username ?? "", String(password)]);
      done(null, true);
    },
  });
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    void aedes.handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const { port: bound } = server.address() as AddressInfo; // listening on TCP: never a path
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `mqtt://127.0.0.1:${bound}`,
    port: bound,
    logins,
    cut,
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
    },
  };
}

export type Keys = { readonly signer: Signer; readonly publicKey: KeyObject };
export function newKeys(kid: string): Keys {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { signer: { kid, privateKey }, publicKey };
}

export type HeardUp = { readonly message: Message; readonly n: number; readonly retain: boolean };

/** The cloud's end of one machine: hears everything that verifies, says what a test wants it to say. */
export class TestCloud {
  readonly heard: HeardUp[] = [];
  readonly refused: string[] = [];
  /** Everything that was said, as whoever has the broker could have kept it. */
  readonly said: (readonly [leaf: Down, payload: string])[] = [];
  readonly #client: MqttClient;
  readonly #machine: string;
  readonly #keys: Keys;
  #n = 0;

  private constructor(client: MqttClient, machine: string, keys: Keys, machineKey: KeyObject) {
    this.#client = client;
    this.#machine = machine;
    this.#keys = keys;
    client.on("message", (topic, payload, { retain }) => {
      const opened = open(topic, payload, () => machineKey);
      if (!opened.ok) this.refused.push(opened.refusal);
      else this.heard.push({ message: opened.message, n: opened.n, retain });
    });
  }
  static async connect(url: string, machine: string, keys: Keys, machineKey: KeyObject): Promise<TestCloud> {
    const client = await connectAsync(url, { clientId: `cloud-${machine}`, protocolVersion: 4 });
    const cloud = new TestCloud(client, machine, keys, machineKey);
    for (const leaf of ["status", "reserved", "report"] as const)
      await client.subscribeAsync(topicOf(machine, leaf), { qos: 1 });
    return cloud;
  }

  async say<L extends Down>(leaf: L, body: Body[L], signer = this.#keys.signer): Promise<string> {
    this.#n += 1;
    const payload = seal(this.#machine, leaf, this.#n, body, signer);
    this.said.push([leaf, payload]);
    return this.send(leaf, payload);
  }
  /** Bytes as they are: replayed, damaged, or made up. */
  async send(leaf: Down, payload: string): Promise<string> {
    await this.#client.publishAsync(topicOf(this.#machine, leaf), payload, { qos: 1 });
    return payload;
  }
  statuses(): Body["status"][] {
    return this.heard.flatMap(({ message }) => (message.leaf === "status" ? [message.body] : []));
  }
  reports(): Body["report"][] {
    return this.heard.flatMap(({ message }) => (message.leaf === "report" ? [message.body] : []));
  }
  reserved(): Body["reserved"][] {
    return this.heard.flatMap(({ message }) => (message.leaf === "reserved" ? [message.body] : []));
  }
  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
