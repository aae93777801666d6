/** What proves to a receiver that a notification is ours: an ES256 JWT that carries the SHA-256 of its exact text. */
import { createHash } from "node:crypto";
import { SignJWT } from "jose";
import { ALGORITHM, type SigningKey } from "./signing-key.js";

const TOKEN_SECONDS = 5 * 60;

/** The address itself, without a query: a token for one receiver is worth nothing at another. */
export function audienceOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return pathname === "/" ? origin : origin + pathname;
}

/** The `Authorization` of `body` when it is sent to `url`. */
export function signWebhook(
  { kid, key }: SigningKey,
  { url, body, nowMs }: { readonly url: string; readonly body: string; readonly nowMs: number },
): Promise<string> {
  const iat = Math.floor(nowMs / 1000);
  return new SignJWT({ request_body_sha256: createHash("sha256").update(body).digest("hex") })
    .setProtectedHeader({ alg: ALGORITHM, kid })
    .setIssuedAt(iat)
    .setExpirationTime(iat + TOKEN_SECONDS)
    .setAudience(audienceOf(url))
    .sign(key);
}
