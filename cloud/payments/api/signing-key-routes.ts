/** `/api/.well-known/jwks.json`: the keys that webhooks are signed with. */
import { z } from "zod";
import type { Endpoints } from "../../http/endpoint.js";
import type { Reader } from "../../store/store.js";
import type { Caller } from "../api-key.js";
import { publicKeys } from "../signing-key.js";

const JWKS_SECONDS = 300;

export function signingKeyRoutes({ open }: Endpoints<Caller>, read: Reader): void {
  open(
    {
      method: "GET",
      url: "/api/.well-known/jwks.json",
      name: "getSigningKeys",
      says: "The public keys of webhook signatures, named by kid (RFC 7517).",
      tag: "Webhooks",
      answer: z.object({ keys: z.array(z.looseObject({ kid: z.string(), alg: z.string() })) }),
    },
    ({ reply }) => {
      reply.header("cache-control", `public, max-age=${JWKS_SECONDS}`);
      return publicKeys(read);
    },
  );
}
