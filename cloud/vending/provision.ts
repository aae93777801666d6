/** Setting up the merchant backend: its key for the bus, machines, and their keys. Each in the caller's transaction. */
import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { thumbprint } from "../../broker/protocol/key.js";
import { lockName, lockRow } from "../store/locks.js";
import type { Tx } from "../store/store.js";
import type { Item, Machine } from "./machines.js";

export type PublicKey = { readonly kid: string; readonly publicKey: JsonWebKey };
/** A machine as it is enrolled: what is in it, and the key that speaks for it. */
export type NewMachine = Omit<Machine, "status" | "statusAtMs" | "telemetry" | "configApplied"> & {
  readonly items: readonly Omit<Item, "suspect">[];
  readonly key: PublicKey;
};

/** As `scanvend install --cloud-key` takes it. */
export const keyText = ({ kid, publicKey }: PublicKey): string => `${kid}:${publicKey.x ?? ""}`;

/** The cloud's own key for the bus, made if there is none. Answers the public halves of all that are in force. */
export async function provisionBusKey(tx: Tx, nowMs: number): Promise<readonly PublicKey[]> {
  await lockName(tx, "bus_key");
  const inForce = await tx.selectFrom("bus_key").selectAll().where("retired_ms", "is", null).execute();
  if (inForce.length > 0)
    return inForce.map((row) => ({ kid: row.kid, publicKey: JSON.parse(row.public_key) as JsonWebKey })); // written below
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const jwk = publicKey.export({ format: "jwk" });
  const made = { kid: thumbprint(jwk), publicKey: jwk };
  await tx
    .insertInto("bus_key")
    .values({
      kid: made.kid,
      private_key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
      public_key: JSON.stringify(jwk),
      created_ms: nowMs,
      retired_ms: null,
    })
    .execute();
  return [made];
}

type Changeable = Omit<NewMachine, "id" | "code" | "items" | "key" | "maxVends">;

/** What customers read of a machine and may load. False where it would change what it has sold for, or for whom: nothing is changed then. */
export async function changeMachine(tx: Tx, id: string, machine: Changeable): Promise<boolean> {
  await lockRow(tx, "machine", "id", id);
  const { currency, decimals, configId } = machine;
  const before = await tx
    .selectFrom("machine")
    .select(["currency", "decimals", "config_id"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  const isSame =
    before.currency === currency && before.decimals === decimals && before.config_id === configId;
  if (!isSame && (await hasSale(tx, id))) return false;
  await tx.updateTable("machine").set(columnsOf(machine)).where("id", "=", id).execute();
  return true;
}

const columnsOf = (machine: Changeable) => ({
  name: machine.name,
  place: machine.place,
  currency: machine.currency,
  decimals: machine.decimals,
  config_id: machine.configId,
  suggested_credit: JSON.stringify(machine.suggestedCreditMinor),
  min_credit_minor: machine.minCreditMinor,
  max_credit_minor: machine.maxCreditMinor,
});

const hasSale = async (tx: Tx, machineId: string): Promise<boolean> =>
  (await tx
    .selectFrom("sale")
    .select("id")
    .where("machine_id", "=", machineId)
    .limit(1)
    .executeTakeFirst()) !== undefined;

export async function provisionMachine(tx: Tx, machine: NewMachine, nowMs: number): Promise<void> {
  await tx
    .insertInto("machine")
    .values({
      id: machine.id,
      code: machine.code,
      ...columnsOf(machine),
      max_vends: machine.maxVends,
      status: null,
      status_n: -1,
      status_at_ms: 0,
      created_ms: nowMs,
    })
    .execute();
  if (machine.items.length > 0)
    await tx
      .insertInto("machine_item")
      .values(
        machine.items.map(({ item, name, priceMinor, sku }) => ({
          machine_id: machine.id,
          item,
          name,
          price_minor: priceMinor,
          failures: 0,
          sku: sku ?? null,
        })),
      )
      .execute();
  await insertKey(tx, machine.id, machine.key);
}

/** From here on no key speaks for the machine. Answers how many did. */
export async function revokeKeys(tx: Tx, machineId: string, nowMs: number): Promise<number> {
  await lockRow(tx, "machine", "id", machineId);
  const revoked = await tx
    .updateTable("machine_key")
    .set({ revoked_ms: nowMs })
    .where("machine_id", "=", machineId)
    .where("revoked_ms", "is", null)
    .returning("kid")
    .execute();
  return revoked.length;
}

/** From here on this key alone speaks for the machine. It numbers its messages anew, and has said nothing yet. */
export async function replaceKeys(tx: Tx, machineId: string, key: PublicKey, nowMs: number): Promise<void> {
  await revokeKeys(tx, machineId, nowMs);
  await insertKey(tx, machineId, key);
  await tx
    .updateTable("machine")
    .set({ status: null, status_n: -1, status_at_ms: 0 })
    .where("id", "=", machineId)
    .execute();
}

async function insertKey(tx: Tx, machineId: string, { kid, publicKey }: PublicKey): Promise<void> {
  await tx
    .insertInto("machine_key")
    .values({ kid, machine_id: machineId, public_key: JSON.stringify(publicKey), revoked_ms: null })
    .execute();
}
