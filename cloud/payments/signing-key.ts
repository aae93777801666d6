/**
 * The platform's signing keys: ES256, made once, kept in the database, named by `kid`.
 *
 * Promises  every process on one database signs with the same newest key, and publishes every key there is: a receiver
 *           that meets a new `kid` finds it.
 */
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type CryptoKey,
  type JWK,
} from "jose";
import { z } from "zod";
import { lockName } from "../store/locks.js";
import type { Reader, Store } from "../store/store.js";

export type SigningKey = { readonly kid: string; readonly key: CryptoKey };
export const ALGORITHM = "ES256";

const ecKey = z.looseObject({ kty: z.literal("EC"), crv: z.literal("P-256"), x: z.string(), y: z.string() });

/** The newest key; made when there is none. */
export async function openSigningKey(store: Store, nowMs: number): Promise<SigningKey> {
  const row = (await newest(store.read)) ?? (await make(store, nowMs));
  const key = await importJWK(ecKey.parse(JSON.parse(row.private_jwk)), ALGORITHM);
  if (key instanceof Uint8Array) throw new Error("the signing key is not a P-256 key");
  return { kid: row.kid, key };
}

/** Every public key, as receivers read them. */
export async function publicKeys(read: Reader): Promise<{ readonly keys: readonly JWK[] }> {
  const rows = await read.selectFrom("signing_key").selectAll().orderBy("created_ms", "desc").execute();
  return {
    keys: rows.map((row) => ({
      ...ecKey.parse(JSON.parse(row.public_jwk)),
      kid: row.kid,
      alg: ALGORITHM,
      use: "sig",
    })),
  };
}

const newest = (read: Reader) =>
  read
    .selectFrom("signing_key")
    .select(["kid", "private_jwk"])
    .orderBy("created_ms", "desc")
    .orderBy("kid")
    .limit(1)
    .executeTakeFirst();

async function make(
  store: Store,
  nowMs: number,
): Promise<{ readonly kid: string; readonly private_jwk: string }> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  const made = {
    kid: await calculateJwkThumbprint(publicJwk),
    private_jwk: JSON.stringify(await exportJWK(privateKey)),
    public_jwk: JSON.stringify(publicJwk),
    created_ms: nowMs,
  };
  return store.write(async (tx) => {
    await lockName(tx, "signing_key");
    const known = await newest(tx); // another process may have been first
    if (known !== undefined) return known;
    await tx.insertInto("signing_key").values(made).execute();
    return made;
  });
}
