/** The cloud's end of one machine's bus, as the bench needs it: it hears reports in order, and says what a sale needs. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { Socket } from "node:net";
import { connectAsync, type MqttClient } from "mqtt";
import { open, seal } from "../broker/protocol/envelope.js";
import type { Body, JournalLine } from "../broker/protocol/messages.js";
import { topicOf, type Down } from "../broker/protocol/topics.js";

export const CLOUD_KID = "bench-cloud";
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
export const cloudPublicKey = publicKey.export({ format: "jwk" });

type Reported = { readonly journal: string; readonly entry: number; readonly line: JournalLine };
type Wait = { readonly holds: () => boolean; readonly done: () => void };

export class MachineBus {
  readonly #client: MqttClient;
  readonly #machine: string;
  #heard = 0;
  #n = 0;
  #status: Body["status"] | undefined;
  #latest = new Map<JournalLine["kind"], Reported>();
  #waits: Wait[] = [];

  private constructor(client: MqttClient, machine: string, machineKey: KeyObject) {
    this.#client = client;
    this.#machine = machine;
    client.on("message", (topic, payload) => {
      const opened = open(topic, payload, () => machineKey);
      if (!opened.ok) throw new Error(`${topic}: ${opened.refusal} ${opened.at}`);
      const { message } = opened;
      if (message.leaf === "status") this.#status = message.body;
      if (message.leaf === "report") this.#take(message.body);
      this.#look();
    });
  }

  static async connect(url: string, password: string, machine: string, key: KeyObject): Promise<MachineBus> {
    const login = { clientId: "cloud", username: "cloud", password };
    const client = await connectAsync(url, { ...login, protocolVersion: 4, queueQoSZero: false });
    if (client.stream instanceof Socket) client.stream.setNoDelay(true); // as both real ends do
    const bus = new MachineBus(client, machine, key);
    for (const leaf of ["status", "report"] as const)
      await client.subscribeAsync(topicOf(machine, leaf), { qos: 1 });
    return bus;
  }

  say<L extends Down>(leaf: L, body: Body[L]): void {
    this.#n += 1;
    const sealed = seal(this.#machine, leaf, this.#n, body, { kid: CLOUD_KID, privateKey });
    this.#client.publish(topicOf(this.#machine, leaf), sealed, { qos: 1 });
  }

  async canSell(): Promise<void> {
    await this.#until(() => this.#status?.canSell === true);
  }

  /** Says goodbye, or the broker says it for it: what is heard from here on is the next one's. */
  async hasLeft(): Promise<void> {
    await this.#until(() => this.#status?.online === false);
  }

  /** The report of this kind about this grant. */
  async reported(kind: JournalLine["kind"], grantId: string): Promise<Reported> {
    const find = (): Reported | undefined => {
      const found = this.#latest.get(kind);
      return found !== undefined && "grantId" in found.line && found.line.grantId === grantId
        ? found
        : undefined;
    };
    await this.#until(() => find() !== undefined);
    const found = find();
    if (found === undefined) throw new Error(`${kind} of ${grantId} came and went`);
    return found;
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }

  /** As the cloud does: only the next entry is taken, and how far that goes is said after what came of it. */
  #take(report: Reported): void {
    if (report.entry === this.#heard + 1) {
      this.#heard += 1;
      this.#latest.set(report.line.kind, report);
    }
    setImmediate(() => this.say("heard", { journal: report.journal, upTo: this.#heard }));
  }

  async #until(holds: () => boolean): Promise<void> {
    if (!holds()) await new Promise<void>((done) => this.#waits.push({ holds, done }));
  }

  #look(): void {
    const over = this.#waits.filter(({ holds }) => holds());
    this.#waits = this.#waits.filter((wait) => !over.includes(wait));
    for (const { done } of over) done();
  }
}
