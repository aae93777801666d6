/**
 * The machine's place on the bus: MQTT 3.1.1, every message in its signed envelope.
 *
 * Owns      the connection, when the next one is tried, and the numbers of what is sent.
 * Promises  a message is handed on only if a cloud key of ours signed it, for this machine and topic, and its number was
 *           not heard before. Every refusal is counted, and logged once a minute and reason at most.
 *           The last will says `offline`, signed beforehand with the last number of its connection.
 * Never     keeps a message for later: what is still owed is derived from the journal and said again by the service.
 * Bounded   `MAX_UNACKED` messages on the way, and `CONNECT_MS` for the broker to let us in: past either the connection is
 *           given up. The wait before the next one grows until one has lasted as long as the longest wait.
 * Crash     nothing here survives one; the count of connections has a file of its own, the highest numbers heard are the journal's.
 *
 * Why a new client for each connection: the will must be signed afresh, and mqtt.js keeps one for ever.
 */
import type { KeyObject } from "node:crypto";
import { Socket } from "node:net";
import { connect, type MqttClient } from "mqtt";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import type { Secret } from "../../broker/protocol/configuration.js";
import { open, seal, type Message, type Refusal, type Signer } from "../../broker/protocol/envelope.js";
import type { Body } from "../../broker/protocol/messages.js";
import { ReplayWindow } from "../../broker/protocol/replay-window.js";
import { RETAINED, topicOf, type Down, type Up } from "../../broker/protocol/topics.js";
import { waitMs, type BackOff } from "../back-off.js";
import type { Log } from "../log.js";
import { Numbers } from "./numbers.js";

export const MAX_UNACKED = 256;
const REFUSALS_EVERY_MS = 60_000;
const CONNECT_MS = 30_000; // from the first packet to the granted subscription, on a mobile network too
const GOODBYE_MS = 1_000;

/** What a machine has a use for. */
const HEARS: readonly Down[] = ["reserve", "grant", "go", "void", "heard", "answer", "config"];

/** What the service needs of a bus. */
export interface Bus {
  readonly connected: boolean;
  /** False when it was not sent. */
  publish<L extends Up>(leaf: L, body: Body[L]): boolean;
  /** Says goodbye with `last`, if anyone listens, and stays away. */
  close(last: Body["status"]): Promise<void>;
}
export type BusEvents = {
  readonly onConnected: () => void;
  readonly onMessage: (message: Message) => void;
};
/** Built by `main.ts`; a simulation builds its own. */
export type OpenBus = (events: BusEvents) => Bus;

export type MqttBusOptions = {
  readonly url: string;
  readonly machineId: string;
  readonly password: Secret;
  readonly signer: Signer;
  readonly cloudKeys: ReadonlyMap<string, KeyObject>;
  readonly replay: ReplayWindows;
  readonly nextConnection: () => number;
  /** After one and a half of these without a word a dead line is noticed, at either end. */
  readonly keepAliveSeconds: number;
  /** What the will says. */
  readonly offline: Body["status"];
  readonly clock: Clock;
  readonly random: Random;
  readonly backOff: BackOff;
  readonly log: Log;
};

/** One window of heard numbers for each cloud key. */
export class ReplayWindows {
  readonly #windows: ReadonlyMap<string, ReplayWindow>;

  /** `highest`: of each key's numbers, the highest that was heard before a restart. */
  constructor(kids: Iterable<string>, highest: ReadonlyMap<string, number>) {
    this.#windows = new Map([...kids].map((kid) => [kid, new ReplayWindow(highest.get(kid))]));
  }

  /** False for what was heard before, and for a key that is none of ours. */
  admit(kid: string, n: number): boolean {
    return this.#windows.get(kid)?.admit(n) === true;
  }

  highest(): ReadonlyMap<string, number> {
    return new Map([...this.#windows].map(([kid, window]) => [kid, window.highest]));
  }
}

type Connection = {
  readonly client: MqttClient;
  readonly numbers: Numbers;
  unacked: number;
  sinceMs: number; // monotonic: when it was ready; Infinity before
};

export class MqttBus implements Bus {
  readonly #options: MqttBusOptions;
  readonly #events: BusEvents;
  readonly #refused = new Map<Refusal | "replayed" | "notForUs", { count: number; loggedMs: number }>();
  #connection: Connection | undefined;
  #connected = false;
  #closed = false;
  #failures = 0;
  #cancelWait: () => void = () => undefined;

  constructor(options: MqttBusOptions, events: BusEvents) {
    this.#options = options;
    this.#events = events;
    this.#connect();
  }

  get connected(): boolean {
    return this.#connected;
  }

  publish<L extends Up>(leaf: L, body: Body[L]): boolean {
    const connection = this.#connection;
    if (connection === undefined || !this.#connected) return false;
    if (connection.unacked >= MAX_UNACKED) {
      this.#lost(connection, "the broker acknowledges nothing");
      return false;
    }
    const n = connection.numbers.next();
    if (n === undefined) {
      this.#lost(connection, "the connection's numbers are used up");
      return false;
    }
    const { machineId, signer } = this.#options;
    const payload = seal(machineId, leaf, n, body, signer);
    connection.unacked += 1;
    const retain = RETAINED.includes(leaf);
    connection.client.publish(topicOf(machineId, leaf), payload, { qos: 1, retain }, () => {
      connection.unacked -= 1; // acknowledged, or given up with its connection
    });
    return true;
  }

  async close(last: Body["status"]): Promise<void> {
    this.publish("status", last);
    this.#closed = true;
    this.#connected = false;
    this.#cancelWait();
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined) return;
    const { client } = connection;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(GOODBYE_MS, resolve);
      client.end(() => {
        cancel();
        resolve();
      });
    });
    client.stream.destroy(); // a second `end` would do nothing while the first still waits for the broker
  }

  #connect(): void {
    const { url, machineId, password, signer, keepAliveSeconds, offline, nextConnection, clock, log } =
      this.#options;
    let numbers: Numbers;
    try {
      numbers = new Numbers(nextConnection());
    } catch (error) {
      // Without a number of its own nothing may be signed. The disk may come back.
      this.#again(`the connection cannot be counted: ${String(error)}`);
      return;
    }
    const client = connect(url, {
      protocolVersion: 4,
      clean: true,
      clientId: machineId,
      username: machineId,
      password: password.reveal(),
      keepalive: keepAliveSeconds,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      writeCache: false, // else 65,536 Buffers are kept, one for each number there can be
      will: {
        topic: topicOf(machineId, "status"),
        payload: Buffer.from(seal(machineId, "status", numbers.will, offline, signer)),
        qos: 1,
        retain: true,
      },
    });
    const connection: Connection = { client, numbers, unacked: 0, sinceMs: Infinity };
    this.#connection = connection;
    this.#cancelWait = clock.after(CONNECT_MS, () => this.#lost(connection, "the broker does not let us in"));
    client.on("error", (error) => this.#lost(connection, error.message));
    client.on("close", () => this.#lost(connection, "closed"));
    client.on("message", (topic, payload) => {
      if (this.#connection === connection) this.#hear(topic, payload);
    });
    client.on("connect", () => {
      // Without it an answer waits for the broker's delayed ACK: 44 ms instead of one.
      if (client.stream instanceof Socket) client.stream.setNoDelay(true);
      client.subscribe(
        HEARS.map((leaf) => topicOf(machineId, leaf)),
        { qos: 1 },
        (error, granted) => {
          if (this.#connection !== connection) return;
          if (error !== null || granted?.some(({ qos }) => qos === 128) !== false) {
            this.#lost(connection, error?.message ?? "the broker refuses our topics");
            return;
          }
          this.#cancelWait();
          connection.sinceMs = clock.monoMs();
          this.#connected = true;
          log.info({ url }, "bus connected");
          this.#events.onConnected();
        },
      );
    });
  }

  #lost(connection: Connection, why: string): void {
    if (this.#connection !== connection) return;
    const { clock, backOff } = this.#options;
    // Thrown out at once is no better than not let in: a second box may have our name, or the broker minds what we say.
    if (clock.monoMs() - connection.sinceMs >= backOff.maxMs) this.#failures = 0;
    this.#connection = undefined;
    this.#connected = false;
    this.#cancelWait();
    connection.client.end(true);
    this.#again(why);
  }

  #again(why: string): void {
    if (this.#closed) return;
    this.#failures += 1;
    const { clock, random, backOff, log } = this.#options;
    const ms = waitMs(backOff, this.#failures, random.fraction());
    log[this.#failures === 1 ? "warn" : "debug"]({ why, againInMs: ms }, "bus lost");
    this.#cancelWait = clock.after(ms, () => this.#connect());
  }

  #hear(topic: string, payload: Uint8Array): void {
    const { machineId, cloudKeys, replay } = this.#options;
    const opened = open(topic, payload, (kid, machine) =>
      machine === machineId ? cloudKeys.get(kid) : undefined,
    );
    if (!opened.ok) this.#refuse(opened.refusal, opened.at);
    else if (!HEARS.some((leaf) => leaf === opened.message.leaf))
      this.#refuse("notForUs", opened.message.leaf);
    else if (!replay.admit(opened.kid, opened.n)) this.#refuse("replayed", opened.message.leaf);
    else this.#events.onMessage(opened.message);
  }

  #refuse(reason: Refusal | "replayed" | "notForUs", at: string): void {
    const nowMs = this.#options.clock.monoMs();
    const before = this.#refused.get(reason) ?? { count: 0, loggedMs: -Infinity };
    const count = before.count + 1;
    const due = nowMs - before.loggedMs >= REFUSALS_EVERY_MS;
    this.#refused.set(reason, { count, loggedMs: due ? nowMs : before.loggedMs });
    if (due) this.#options.log.warn({ reason, at, count }, "message refused");
  }
}
