/** Setting up the merchant backend: its key for the bus, and machines. Each in the caller's transaction. */
import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { thumbprint } from "../../broker/protocol/key.js";
import { lockName } from "../store/locks.js";
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

export async function provisionMachine(tx: Tx, machine: NewMachine, nowMs: number): Promise<void> {
  await tx
    .insertInto("machine")
    .values({
      id: machine.id,
      code: machine.code,
      name: machine.name,
      place: machine.place,
      currency: machine.currency,
      decimals: machine.decimals,
      config_id: machine.configId,
      suggested_credit: JSON.stringify(machine.suggestedCreditMinor),
      min_credit_minor: machine.minCreditMinor,
      max_credit_minor: machine.maxCreditMinor,
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
  await tx
    .insertInto("machine_key")
    .values({
      kid: machine.key.kid,
      machine_id: machine.id,
      public_key: JSON.stringify(machine.key.publicKey),
      revoked_ms: null,
    })
    .execute();
}
