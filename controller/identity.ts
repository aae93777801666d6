/**
 * Who this machine is: its Ed25519 key and its broker password, made once on the box.
 *
 * Owns      `{dataDir}/identity.json`, mode 0600.
 * Promises  the private key never leaves the machine; `publicHalf` is all that an enrolment needs to hand over.
 * Crash     the file is whole or absent: it is written beside its place, synced, then given its name.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Random } from "../broker/protocol/clock.js";
import { Secret } from "../broker/protocol/configuration.js";
import { thumbprint } from "../broker/protocol/key.js";
import { machineId } from "../broker/protocol/topics.js";

/** An Ed25519 public key as RFC 8037 writes it. */
export const publicJwk = z.strictObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/, "must be 32 bytes in base64url"),
});
export type PublicJwk = z.infer<typeof publicJwk>;

const file = z.strictObject({
  machineId,
  privateKey: publicJwk.extend({ d: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }),
  mqttPassword: z.string().min(43),
});

export type Identity = {
  readonly machineId: string;
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: PublicJwk;
  readonly mqttPassword: Secret;
};
/** What the cloud and the broker need to know of a machine. */
export type PublicHalf = {
  readonly machineId: string;
  readonly kid: string;
  readonly publicKey: PublicJwk;
  readonly mqttPasswordSha256: string;
};

/** Throws when there is no readable identity in `dir`. */
export function readIdentity(dir: string): Identity {
  const {
    machineId: id,
    privateKey,
    mqttPassword,
  } = file.parse(JSON.parse(readFileSync(place(dir), "utf8")));
  const publicKey: PublicJwk = { kty: privateKey.kty, crv: privateKey.crv, x: privateKey.x };
  return {
    machineId: id,
    kid: thumbprint(publicKey),
    privateKey: createPrivateKey({ key: privateKey, format: "jwk" }),
    publicKey,
    mqttPassword: new Secret(mqttPassword),
  };
}

/** Makes the machine's identity. Throws when there is one already: nothing may take its place unasked. */
export function createIdentity(dir: string, id: string, random: Random): Identity {
  mkdirSync(dir, { recursive: true });
  const seed = random.bytes(32);
  const key = createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, seed]), format: "der", type: "pkcs8" });
  const { x } = createPublicKey(key).export({ format: "jwk" });
  const text = JSON.stringify(
    file.parse({
      machineId: id,
      privateKey: { kty: "OKP", crv: "Ed25519", x, d: Buffer.from(seed).toString("base64url") },
      mqttPassword: Buffer.from(random.bytes(32)).toString("base64url"),
    }),
  );
  const draft = `${place(dir)}.new`;
  rmSync(draft, { force: true });
  const fd = openSync(draft, "wx", 0o600);
  writeSync(fd, text);
  fsyncSync(fd);
  closeSync(fd);
  linkSync(draft, place(dir)); // unlike a rename, this fails where the name is taken
  rmSync(draft);
  return readIdentity(dir);
}

export function publicHalf({ machineId: id, kid, publicKey, mqttPassword }: Identity): PublicHalf {
  const mqttPasswordSha256 = createHash("sha256").update(mqttPassword.reveal()).digest("hex");
  return { machineId: id, kid, publicKey, mqttPasswordSha256 };
}

const place = (dir: string): string => join(dir, "identity.json");
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex"); // RFC 8410, 7: the seed follows
