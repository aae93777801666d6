/**
 * The payment platform's webhooks, verified before a single field is believed.
 *
 * A delivery is believed when its `Authorization` header is an ES256 JWT by a key of the platform's JWKS, made for our
 * address (`aud`), not run out, and `request_body_sha256` is the hash of the raw bytes that came.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { compactVerify, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import { money } from "../../broker/protocol/money.js";
import { paidBy } from "./payments-client.js";

/** `iat` and `exp` are numbers here, and strings at the public platform: both are seconds. */
const seconds = z.union([
  z.int(),
  z
    .string()
    .regex(/^[0-9]{1,12}$/)
    .transform(Number),
]);
const claims = z.looseObject({
  exp: seconds,
  aud: z.string(),
  request_body_sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const notification = z.looseObject({
  id: z.string().min(1).max(128),
  type: z.string(),
  data: z.unknown(),
});
const paidActivity = z.looseObject({
  paymentRequestId: z.string(),
  value: money,
  paidBy: paidBy.optional(),
});
export type Delivery = {
  readonly id: string;
  readonly type: string;
  readonly paid: z.infer<typeof paidActivity> | undefined;
};
export type Verified =
  { readonly ok: true; readonly delivery: Delivery } | { readonly ok: false; readonly reason: string };

export async function verifyWebhook(
  authorization: string | undefined,
  body: Uint8Array,
  expected: { readonly audience: string; readonly nowMs: number; readonly keys: JWTVerifyGetKey },
): Promise<Verified> {
  if (authorization === undefined) return { ok: false, reason: "no signature" };
  let said: unknown;
  try {
    const { payload } = await compactVerify(authorization, expected.keys, { algorithms: ["ES256"] });
    said = parse(payload);
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : "signature" };
  }
  const claimed = claims.safeParse(said);
  if (!claimed.success) return { ok: false, reason: "claims" };
  const { exp, aud, request_body_sha256: hash } = claimed.data;
  if (aud !== expected.audience) return { ok: false, reason: "audience" };
  if (exp * 1000 <= expected.nowMs) return { ok: false, reason: "expired" };
  if (!timingSafeEqual(createHash("sha256").update(body).digest(), Buffer.from(hash, "hex")))
    return { ok: false, reason: "body" };
  const read = notification.safeParse(parse(body));
  if (!read.success) return { ok: false, reason: "notification" };
  // `data` is an activity; some platforms send it as JSON text.
  const data: unknown =
    typeof read.data.data === "string" ? parse(Buffer.from(read.data.data)) : read.data.data;
  const paid = read.data.type === "payment-request:paid" ? paidActivity.safeParse(data) : undefined;
  if (paid?.success === false) return { ok: false, reason: "activity" };
  return { ok: true, delivery: { id: read.data.id, type: read.data.type, paid: paid?.data } };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined; // the schema refuses it
  }
}
