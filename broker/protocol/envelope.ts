/**
 * The envelope of every message on the bus: a compact JWS (RFC 7515), EdDSA over Ed25519 (RFC 8037).
 *
 * Owns      the form: header `{alg, kid}`, payload `{v, topic, n, body}`.
 * Promises  `open` never throws and never answers with a body whose signature, topic or schema it has not checked:
 *           signature before a single field is believed, then topic, then body.
 * Never     decides whether a number is too old: that needs memory, and is the `ReplayWindow`'s.
 *
 * Why node:crypto and not a JOSE library here: both ends sign inside synchronous steps, and it is fifteen times faster.
 * The algorithm is fixed, so there is no algorithm to confuse.
 */
import { isUtf8 } from "node:buffer";
import { sign, verify, type KeyObject } from "node:crypto";
import { z } from "zod";
import { schemaOf, type Body } from "./messages.js";
import { readTopic, topicOf, type Leaf } from "./topics.js";

export type Signer = { readonly kid: string; readonly privateKey: KeyObject };
/** The public key a `kid` stands for, if that key may speak for (or to) this machine. */
export type KeyOf = (kid: string, machine: string) => KeyObject | undefined;

/** A JWS of a full report is well under 2 KB; a configuration of 200 items under 90. Anything larger is nobody's message. */
export const MAX_PAYLOAD_BYTES = 128 * 1024;

export type Refusal =
  | "tooLarge"
  | "notJws"
  | "unknownKey"
  | "badSignature"
  | "notJson"
  | "schema"
  | "wrongTopic"
  | "unknownTopic";
export type Message = {
  [L in Leaf]: { readonly leaf: L; readonly machine: string; readonly body: Body[L] };
}[Leaf];
export type Opened =
  | { readonly ok: true; readonly kid: string; readonly n: number; readonly message: Message }
  | { readonly ok: false; readonly refusal: Refusal; readonly at: string };

const header = z.strictObject({ alg: z.literal("EdDSA"), kid: z.string().min(1).max(64) });
const payload = z.strictObject({
  v: z.literal(1),
  topic: z.string(),
  n: z.int().nonnegative(),
  body: z.unknown(),
});

/** Signs `body` for one topic under one number. */
export function seal<L extends Leaf>(
  machine: string,
  leaf: L,
  n: number,
  body: Body[L],
  signer: Signer,
): string {
  const head = encode({ alg: "EdDSA", kid: signer.kid });
  const text = `${head}.${encode({ v: 1, topic: topicOf(machine, leaf), n, body })}`;
  return `${text}.${sign(null, Buffer.from(text), signer.privateKey).toString("base64url")}`;
}

/** The only way bytes from the bus become a message. `at` names the field or part that was wrong. */
export function open(topic: string, bytes: Uint8Array, keyOf: KeyOf): Opened {
  const place = readTopic(topic);
  if (place === undefined) return refuse("unknownTopic", topic);
  if (bytes.length > MAX_PAYLOAD_BYTES) return refuse("tooLarge", `${String(bytes.length)} bytes`);
  const parts = Buffer.from(bytes).toString("latin1").split(".");
  const [head, body, signature] = parts;
  if (parts.length !== 3 || head === undefined || body === undefined || signature === undefined)
    return refuse("notJws", "parts");
  if (!parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) return refuse("notJws", "base64url");
  const said = header.safeParse(decode(head));
  if (!said.success) return refuse("notJws", "header");
  const key = keyOf(said.data.kid, place.machine);
  if (key === undefined) return refuse("unknownKey", "kid");
  if (!verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url")))
    return refuse("badSignature", "signature");
  const json = decode(body);
  if (json === undefined) return refuse("notJson", "payload");
  const signed = payload.safeParse(json);
  if (!signed.success) return refuse("schema", pathOf(signed.error));
  if (signed.data.topic !== topic) return refuse("wrongTopic", "topic");
  const parsed = schemaOf(place.leaf).safeParse(signed.data.body);
  if (!parsed.success) return refuse("schema", `body.${pathOf(parsed.error)}`);
  const message = { ...place, body: parsed.data } as Message; // the schema was picked by the leaf
  return { ok: true, kid: said.data.kid, n: signed.data.n, message };
}

const refuse = (refusal: Refusal, at: string): Opened => ({ ok: false, refusal, at });
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const pathOf = (error: z.ZodError): string => error.issues.map((issue) => issue.path.join(".")).join(" ");

function decode(part: string): unknown {
  const bytes = Buffer.from(part, "base64url");
  if (!isUtf8(bytes)) return undefined;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined; // not JSON: the caller says so in its own words
  }
}
