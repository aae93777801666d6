/**
 * A bad network between one controller and the broker: MQTT 3.1.1 passes through it, packet by packet.
 *
 * Promises  the order of packets is kept, under any delay. Only whole PUBLISH packets of QoS 0 and 1 are lost or doubled;
 *           everything else passes. A lost one is acknowledged to its sender: the worst loss there is, because whoever takes
 *           PUBACK for "it arrived" has now lost it. A doubled one is acknowledged once.
 * Never     verifies a message or changes one, but for the DUP flag of a copy.
 * Bounded   by `DelayedWriter`, each way: a full way stops reading its source.
 */
import type { Duplex } from "node:stream";
import { generate, parser, type IPublishPacket, type Packet } from "mqtt-packet";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import type { Faults } from "../machine/faults.js";
import type { Trace } from "../machine/trace.js";
import { DelayedWriter } from "./delayed-writer.js";
import { peek } from "./envelope-peek.js";
import type { Connect } from "./sockets.js";

export type NetworkFaults = Pick<
  Faults,
  "networkDown" | "networkDelayMs" | "networkDrop" | "networkDuplicate"
>;
type Fate = "passed" | "dropped" | "duplicated";

/** One way of one connection. */
type Way = {
  readonly dir: "up" | "down";
  readonly source: Duplex;
  readonly out: DelayedWriter;
  /** Ids of doubled messages that went this way: the first PUBACK of each stays here. */
  readonly doubled: Set<number>;
};
type Link = { readonly up: Way; readonly down: Way };

export class FaultProxy implements Disposable {
  readonly #connect: Connect;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #links = new Set<Link>();
  #faults: NetworkFaults;

  constructor(connect: Connect, faults: NetworkFaults, clock: Clock, random: Random, trace: Trace) {
    this.#connect = connect;
    this.#faults = faults;
    this.#clock = clock;
    this.#random = random;
    this.#trace = trace;
  }

  /** Takes one connection of the controller to the broker. */
  accept(client: Duplex): void {
    client.on("error", () => undefined); // `close` follows, here and below
    if (this.#faults.networkDown) {
      client.destroy();
      return;
    }
    const broker = this.#connect();
    broker.on("error", () => undefined);
    const link: Link = { up: this.#way("up", client, broker), down: this.#way("down", broker, client) };
    this.#links.add(link);
    this.#carry(link.up, link.down, link);
    this.#carry(link.down, link.up, link);
  }

  setFaults(faults: NetworkFaults): void {
    this.#faults = faults;
    if (faults.networkDown) for (const link of this.#links) this.#cut(link);
  }

  [Symbol.dispose](): void {
    for (const link of this.#links) this.#cut(link);
  }

  #way(dir: "up" | "down", source: Duplex, sink: Duplex): Way {
    const out = new DelayedWriter(sink, this.#clock, () => {
      if (!out.full) source.resume();
    });
    return { dir, source, out, doubled: new Set() };
  }

  #carry(way: Way, back: Way, link: Link): void {
    const packets = parser();
    packets.on("packet", (packet) => this.#pass(packet, way, back, link));
    packets.on("error", () => this.#cut(link)); // not MQTT: a broker would hang up as well
    way.source.on("data", (bytes: Buffer) => {
      packets.parse(bytes);
      if (way.out.full) way.source.pause();
    });
    way.source.once("close", () => {
      if (back.source.closed) this.#links.delete(link);
      way.out.end(this.#faults.networkDelayMs);
      back.source.resume(); // what it still says goes nowhere, but only a reader sees the end
    });
  }

  #pass(packet: Packet, way: Way, back: Way, link: Link): void {
    if (packet.cmd === "connect" && packet.protocolVersion === 5) {
      this.#cut(link); // packets are written again as 3.1.1: a newer one would come out damaged
    } else if (packet.cmd === "publish") {
      this.#publish(packet, way, back);
    } else if (
      packet.cmd === "puback" &&
      packet.messageId !== undefined &&
      back.doubled.delete(packet.messageId)
    ) {
      return;
    } else {
      this.#send(packet, way);
    }
  }

  #publish(packet: IPublishPacket, way: Way, back: Way): void {
    const { messageId, qos, topic, payload } = packet;
    const fate = qos === 2 ? "passed" : this.#fate();
    this.#trace.add({ kind: "mqtt", dir: way.dir, topic, ...peek(Buffer.from(payload)), fate });
    if (fate === "dropped") {
      if (messageId !== undefined) this.#send({ cmd: "puback", messageId }, back);
      return;
    }
    this.#send(packet, way);
    if (fate === "passed") return;
    if (messageId !== undefined) way.doubled.add(messageId);
    this.#send({ ...packet, dup: qos > 0 }, way);
  }

  #fate(): Fate {
    if (this.#random.fraction() < this.#faults.networkDrop) return "dropped";
    return this.#random.fraction() < this.#faults.networkDuplicate ? "duplicated" : "passed";
  }

  #send(packet: Packet, way: Way): void {
    way.out.write(generate(packet), this.#faults.networkDelayMs);
  }

  #cut(link: Link): void {
    this.#links.delete(link);
    link.up.out.cut();
    link.down.out.cut();
  }
}
