/**
 * What a release says of itself, signed: its version, what it needs, and every file of it. The archive's first entry.
 *
 * Promises  a manifest is believed only when one of the keys that were given has signed it as a release of ours, and it names no path
 *           that leaves its directory.
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { compactVerify, CompactSign, errors } from "jose";
import { z } from "zod";
import { thumbprint } from "../../broker/protocol/key.js";
import { BadRelease } from "./bad-release.js";

export const MANIFEST = "release.jws";
/** 100,000 files of 64 MB, 1 GB in all: more than any release of ours will have. */
export const MOST_MANIFEST_BYTES = 32 * 1_048_576;
const MOST_FILES = 100_000;
const MOST_FILE_BYTES = 64 * 1_048_576;
const MOST_BYTES = 1_073_741_824;
/** So that a signature of the same key on something else is none on a release. */
const TYPE = "scanvend-release";

const path = z
  .string()
  .max(1_024)
  .refine(
    (text) =>
      text !== MANIFEST && text.split("/").every((part) => /^(?!\.{1,2}$)[^\\\p{Cc}]{1,255}$/u.test(part)),
    "must be a path of plain names",
  );
export const version = z
  .string()
  .max(64)
  .regex(/^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}(-[0-9A-Za-z.-]+)?$/, "must be a version such as 1.2.3");
const manifest = z.strictObject({
  product: z.literal("scanvend"),
  version,
  /** The oldest Node it runs on. */
  node: z.string().regex(/^[0-9]+\.[0-9]+\.[0-9]+$/),
  /** What its compiled parts run on; left out, it has none. */
  platform: z.string().max(64).optional(),
  files: z
    .array(
      z.strictObject({
        path,
        size: z.int().min(0).max(MOST_FILE_BYTES),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .max(MOST_FILES)
    .refine(
      (files) => new Set(files.map((file) => file.path)).size === files.length,
      "must not name a file twice",
    )
    .refine(
      (files) => files.reduce((sum, { size }) => sum + size, 0) <= MOST_BYTES,
      "must not be larger than 1 GB",
    ),
});
export type Manifest = z.infer<typeof manifest>;

const keysFile = z.strictObject({
  keys: z
    .array(z.strictObject({ kid: z.string().min(1).max(64), publicKey: z.record(z.string(), z.string()) }))
    .min(1, "must hold at least one key"),
});
export type Keys = ReadonlyMap<string, KeyObject>;

/** The keys file, `{"keys": [{"kid", "publicKey"}]}`. Throws an Error that says what is wrong with it. */
export function readKeys(text: string): Keys {
  const parsed = keysFile.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error(parsed.error.issues[0]?.message ?? "not a keys file");
  return new Map(
    parsed.data.keys.map(({ kid, publicKey }) => {
      const key = createPublicKey({ key: publicKey as JsonWebKey, format: "jwk" }); // or it throws
      if (key.asymmetricKeyType !== "ed25519") throw new Error(`${kid}: must be an Ed25519 key`);
      return [kid, key];
    }),
  );
}

export function sign(content: Manifest, privateKey: KeyObject): Promise<string> {
  const kid = thumbprint(createPublicKey(privateKey).export({ format: "jwk" }));
  return new CompactSign(Buffer.from(JSON.stringify(content)))
    .setProtectedHeader({ alg: "EdDSA", typ: TYPE, kid })
    .sign(privateKey);
}

export async function verify(jws: string, keys: Keys): Promise<Manifest> {
  let signed: { readonly payload: Uint8Array; readonly typ: unknown };
  try {
    const { payload, protectedHeader } = await compactVerify(
      jws,
      ({ kid = "" }) => {
        const key = keys.get(kid);
        if (key === undefined)
          throw new BadRelease(`signed by a key that is not in the keys file: ${kid.slice(0, 64)}`);
        return key;
      },
      { algorithms: ["EdDSA"] },
    );
    signed = { payload, typ: protectedHeader.typ };
  } catch (error) {
    if (error instanceof errors.JOSEError)
      throw new BadRelease(`the signature is not good (${error.message})`);
    throw error;
  }
  if (signed.typ !== TYPE) throw new BadRelease("signed, but not as a release");
  return readManifest(JSON.parse(new TextDecoder().decode(signed.payload)));
}

/** Also for whoever makes one: what no machine would take is not signed. */
export function readManifest(content: unknown): Manifest {
  const parsed = manifest.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new BadRelease(`manifest: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "wrong"}`);
}

/** Below zero: `a` is older. By Semantic Versioning 2.0.0, 11. */
export function compareVersions(a: string, b: string): number {
  const [coreA, preA] = parts(a);
  const [coreB, preB] = parts(b);
  for (let at = 0; at < 3; at += 1) {
    const difference = Number(coreA[at]) - Number(coreB[at]);
    if (difference !== 0) return difference;
  }
  if (preA === undefined || preB === undefined)
    return Number(preA === undefined) - Number(preB === undefined);
  const [idsA, idsB] = [preA.split("."), preB.split(".")];
  for (const [at, one] of idsA.entries()) {
    const other = idsB[at];
    if (other === undefined) return 1;
    if (one !== other) return compareIds(one, other);
  }
  return idsA.length - idsB.length;
}

/** Numbers before words, numbers by size, words by their letters. */
function compareIds(a: string, b: string): number {
  const [numberA, numberB] = [/^[0-9]+$/.test(a), /^[0-9]+$/.test(b)];
  if (numberA && numberB) return Number(a) - Number(b);
  if (numberA !== numberB) return numberA ? -1 : 1;
  return a < b ? -1 : 1;
}

function parts(text: string): readonly [core: readonly string[], pre: string | undefined] {
  const dash = text.indexOf("-");
  const core = dash === -1 ? text : text.slice(0, dash);
  return [core.split("."), dash === -1 ? undefined : text.slice(dash + 1)];
}
