/** The topics of the bus, both ways, and how one is read. Pure. MQTT 3.1.1, QoS 1. */
import { z } from "zod";

/** A machine's id: its MQTT user name, its client id, its certificate's CN. Nothing that MQTT gives a meaning to. */
export const machineId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{2,31}$/, "must be 3 to 32 of a-z, 0-9 and -, beginning with a letter or digit");

/** What a machine says, and what the cloud says to it. The broker's access list and both ends read these two lists. */
export const UP = ["status", "reserved", "report", "request"] as const;
export const DOWN = ["reserve", "grant", "go", "void", "heard", "answer", "config"] as const;
export type Up = (typeof UP)[number];
export type Down = (typeof DOWN)[number];
export type Leaf = Up | Down;

/** Kept by the broker for whoever subscribes later. */
export const RETAINED: readonly Leaf[] = ["status", "config"];

export const topicOf = (machine: string, leaf: Leaf): string => `scanvend/${machine}/${leaf}`;

/** The parts of a topic of ours, or `undefined` for anything else (wildcards, `$SYS`, other trees, odd ids). */
export function readTopic(topic: string): { readonly machine: string; readonly leaf: Leaf } | undefined {
  const [root, machine, leaf, ...rest] = topic.split("/");
  if (root !== "scanvend" || rest.length > 0 || !machineId.safeParse(machine).success) return undefined;
  const known = [...UP, ...DOWN].find((one) => one === leaf);
  return known === undefined || machine === undefined ? undefined : { machine, leaf: known };
}

export const isUp = (leaf: Leaf): leaf is Up => UP.some((one) => one === leaf);
