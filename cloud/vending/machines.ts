/** The machines: who they are, what they sell, which keys speak for them, and what they last said of themselves. */
import type { Selectable } from "kysely";
import { z } from "zod";
import type { Body, Telemetry } from "../../broker/protocol/messages.js";
import { schemaOf, telemetry } from "../../broker/protocol/messages.js";
import { forUpdate } from "../store/locks.js";
import type { Reader, Tx } from "../store/store.js";
import type { Tables } from "../store/tables.js";
import type { MachineState } from "./shown.js";
import { isSuspect } from "./suspects.js";

export type Machine = {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly place: string;
  readonly currency: string;
  readonly decimals: number;
  readonly configId: string;
  readonly suggestedCreditMinor: readonly number[];
  readonly minCreditMinor: number;
  readonly maxCreditMinor: number;
  readonly maxVends: number;
  readonly status: Body["status"] | undefined;
  readonly statusAtMs: number;
  readonly telemetry: { readonly said: Telemetry; readonly atMs: number } | undefined;
  /** The configuration it goes by; 0 is its own file. */
  readonly configApplied: number;
};
export type Item = {
  readonly item: number;
  readonly name: string;
  readonly priceMinor: number;
  /** What tokens and the merchant's own books know the product by. */
  readonly sku?: string;
  readonly suspect: boolean;
};

/** A machine says its status every minute; three missed ones and it counts as gone, whatever the last one said. */
const STATUS_STALE_MS = 180_000;

/** The machine with this sticker code (or id), or `undefined`. */
export async function machineBy(db: Reader, by: "code" | "id", value: string): Promise<Machine | undefined> {
  const row = await db.selectFrom("machine").selectAll().where(by, "=", value).executeTakeFirst();
  return row && toMachine(row);
}

/** Machines of these merchant configs, by their codes, from after one of them on. */
export async function machinesOf(
  db: Reader,
  configIds: readonly string[],
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly Machine[]> {
  const rows = await db
    .selectFrom("machine")
    .selectAll()
    .where("config_id", "in", configIds)
    .$if(after !== undefined, (q) => q.where("code", ">", after ?? ""))
    .orderBy("code")
    .limit(limit)
    .execute();
  return rows.map(toMachine);
}

/** Up to `limit` of the merchant configs that machines here are of. */
export async function configIdsOf(db: Reader, limit: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("machine")
    .select("config_id")
    .distinct()
    .orderBy("config_id")
    .limit(limit)
    .execute();
  return rows.map((row) => row.config_id);
}

function toMachine(row: Selectable<Tables["machine"]>): Machine {
  return {
    id: row.id,
    code: row.code,
    name: row.name,
    place: row.place,
    currency: row.currency,
    decimals: row.decimals,
    configId: row.config_id,
    suggestedCreditMinor: z.array(z.int()).parse(JSON.parse(row.suggested_credit)),
    minCreditMinor: row.min_credit_minor,
    maxCreditMinor: row.max_credit_minor,
    maxVends: row.config_max_vends ?? row.max_vends,
    status: row.status === null ? undefined : schemaOf("status").parse(JSON.parse(row.status)),
    statusAtMs: row.status_at_ms,
    telemetry:
      row.telemetry === null
        ? undefined
        : { said: telemetry.parse(JSON.parse(row.telemetry)), atMs: row.telemetry_at_ms ?? 0 },
    configApplied: row.config_applied,
  };
}

export async function itemsOf(db: Reader, machineId: string): Promise<readonly Item[]> {
  const rows = await db
    .selectFrom("machine_item")
    .selectAll()
    .where("machine_id", "=", machineId)
    .orderBy("item")
    .execute();
  return rows.map((row) => ({
    item: row.item,
    name: row.name,
    priceMinor: row.price_minor,
    ...(row.sku === null ? {} : { sku: row.sku }),
    suspect: isSuspect(row.failures),
  }));
}

/** What a customer may be told before anything is charged. `held`: another customer's sale holds the machine. */
export function machineState({ status, statusAtMs }: Machine, held: boolean, nowMs: number): MachineState {
  if (status?.online !== true || nowMs - statusAtMs > STATUS_STALE_MS) return "offline";
  if (held || status.mdb === "session" || status.mdb === "vend") return "busy";
  return status.canSell ? "ready" : "outOfService";
}

/** A status that is newer than the one we had, and whether the machine has started anew in between. */
export type KeptStatus = { readonly hasRestarted: boolean };

/**
 * Keeps a status if it is newer than the one we have: a machine's numbers only rise. What a key says that has been revoked
 * meanwhile counts for nothing: its number could be one that the machine's new key never comes to.
 */
export async function keepStatus(
  tx: Tx,
  machineId: string,
  status: Body["status"],
  { kid, n }: { readonly kid: string; readonly n: number },
  nowMs: number,
): Promise<KeptStatus | "older" | "ignored"> {
  const before = await tx
    .selectFrom("machine")
    .selectAll()
    .where("id", "=", machineId)
    .$call(forUpdate(tx))
    .executeTakeFirst();
  const key = await tx
    .selectFrom("machine_key")
    .select("revoked_ms")
    .where("kid", "=", kid)
    .executeTakeFirst();
  if (before === undefined || key?.revoked_ms !== null) return "ignored";
  if (before.status_n > n) return "older";
  if (before.status_n === n) return "ignored"; // the very same: another cloud process has it
  await tx
    .updateTable("machine")
    .set({
      status: JSON.stringify(status),
      status_n: n,
      status_at_ms: nowMs,
      ...(status.telemetry === undefined
        ? {}
        : { telemetry: JSON.stringify(status.telemetry), telemetry_at_ms: nowMs }),
    })
    .where("id", "=", machineId)
    .execute();
  return { hasRestarted: toMachine(before).status?.bootId !== status.bootId };
}

export type KeptKey = { readonly kid: string; readonly machineId: string; readonly publicKey: string };

/** Every machine key in force. */
export async function keysInForce(db: Reader): Promise<readonly KeptKey[]> {
  const rows = await db.selectFrom("machine_key").selectAll().where("revoked_ms", "is", null).execute();
  return rows.map((row) => ({ kid: row.kid, machineId: row.machine_id, publicKey: row.public_key }));
}
