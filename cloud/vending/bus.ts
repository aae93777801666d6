/**
 * The cloud's end of the bus.
 *
 * Owns      the cloud's MQTT connection and the memory of which numbers each machine has used.
 * Promises  a message is handed on only when its machine signed it, for its topic, with a number not heard before.
 *           Everything said is signed, under a number drawn from the database, so it rises across restarts.
 * Never     keeps a message for later: while the broker is away `say` does nothing, because whatever is owed is derived
 *           from rows and said again (`onUp` tells when).
 */
import { createPublicKey, type JsonWebKey } from "node:crypto";
import { Socket } from "node:net";
import type { MqttClient } from "mqtt";
import { open, seal, type KeyOf, type Message, type Signer } from "../../broker/protocol/envelope.js";
import type { Body } from "../../broker/protocol/messages.js";
import { ReplayWindow } from "../../broker/protocol/replay-window.js";
import { Tally } from "../../broker/protocol/tally.js";
import { RETAINED, topicOf, UP, type Down } from "../../broker/protocol/topics.js";
import type { Log } from "./log.js";
import { OldNumbers } from "./old-numbers.js";

export type Heard = { readonly kid: string; readonly n: number; readonly message: Message };
export interface Bus {
  say<L extends Down>(machine: string, leaf: L, body: Body[L]): Promise<void>;
  readonly up: boolean;
  close(): Promise<void>;
}
export type BusParts = {
  readonly client: MqttClient;
  readonly signer: Signer;
  readonly keyOf: KeyOf;
  /** The next unused number; each is given once, ever. */
  readonly nextNumber: () => Promise<number>;
  readonly hear: (heard: Heard) => void;
  readonly onUp: () => void;
  readonly log: Log;
};

/** A machine forgets nothing of ours by being away, so a window each is kept for as long as we run. */
export function makeBus({ client, signer, keyOf, nextNumber, hear, onUp, log }: BusParts): Bus {
  const windows = new Map<string, ReplayWindow>();
  const refusals = new Tally();
  const oldNumbers = new OldNumbers(log);
  let up = false;

  client.on("connect", () => {
    // mqtt.js leaves Nagle on: 44 ms a message on an external broker.
    if (client.stream instanceof Socket) client.stream.setNoDelay(true);
    client.subscribe(
      UP.map((leaf) => `scanvend/+/${leaf}`),
      { qos: 1 },
      (error) => {
        if (error !== null) {
          log.error({ err: error }, "the broker refused our subscriptions");
          return;
        }
        up = true;
        onUp();
      },
    );
  });
  client.on("close", () => (up = false));
  client.on("error", (error) => log.warn({ err: error }, "bus"));
  client.on("message", (topic, payload) => {
    const opened = open(topic, payload, keyOf);
    if (!opened.ok) {
      refuse(topic, opened.refusal, opened.at);
      return;
    }
    let window = windows.get(opened.kid);
    if (window === undefined) windows.set(opened.kid, (window = new ReplayWindow()));
    const { machine } = opened.message;
    if (!window.admit(opened.n)) {
      refuse(topic, "replayed", String(opened.n));
      oldNumbers.refused(machine, opened.n);
      return;
    }
    oldNumbers.taken(machine);
    hear(opened);
  });

  function refuse(topic: string, refusal: string, at: string): void {
    const count = refusals.count(refusal);
    if (count !== undefined) log.warn({ topic: topic.slice(0, 128), refusal, at, count }, "message refused");
  }

  return {
    get up() {
      return up;
    },
    async say(machine, leaf, body) {
      if (!up) return;
      const n = await nextNumber();
      const retain = RETAINED.includes(leaf);
      await client.publishAsync(topicOf(machine, leaf), seal(machine, leaf, n, body, signer), {
        qos: 1,
        retain,
      });
    },
    close: () => client.endAsync(true),
  };
}

/** A machine's public key as it was enrolled. */
export const publicKey = (jwk: string): ReturnType<typeof createPublicKey> =>
  createPublicKey({ key: JSON.parse(jwk) as JsonWebKey, format: "jwk" }); // written by the enrolment, which made it from a key
