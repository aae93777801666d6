/** How a key of the bus is named. Pure. */
import { createHash } from "node:crypto";

/** An Ed25519 public key's own members, as RFC 8037 writes them. */
export type PublicKeyMembers = { readonly kty?: string; readonly crv?: string; readonly x?: string };

/** The `kid`: the key's thumbprint (RFC 7638), over its members in alphabetical order and nothing else. */
export const thumbprint = ({ crv, kty, x }: PublicKeyMembers): string =>
  createHash("sha256").update(JSON.stringify({ crv, kty, x })).digest("base64url");
