/**
 * The OpenAPI 3.1 document of the payment API, made from the schemas that check its requests: `/api/openapi.json`, and a page
 * to read it at `/docs`.
 *
 * Never     reaches out: whoever opens the page without internet sees all of it.
 */
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from "fastify-type-provider-zod";
import { finish } from "./document.js";

const zodToJsonConfig = { unrepresentable: "any" } as const;
const transform = createJsonSchemaTransform({ zodToJsonConfig });
const withSchemas = createJsonSchemaTransformObject({ zodToJsonConfig });

const TITLE = "Payments";
const DESCRIPTION = `Payment requests, assets, vouchers, refunds and webhooks.

An API key goes in \`X-Api-Key\`. Amounts are whole minor units, as strings of digits. Lists come a page at a time: ask again with
\`pageKey\` as the \`nextPageKey\` of the page before, until there is none.

What is missing and what is not yours are one answer, with status 403. An error's \`message\` is a code that a program may rely on,
and in a 400 the sentence itself with the field's name in front.

An account may ask so many times a minute, over all of its keys, and an address so many times what needs no key. Past that the status is 429, with the seconds to wait in
\`Retry-After\`. What is experimental answers with \`X-Experimental\`,
and so does a request that has an experimental field.`;

const TAGS: Readonly<Record<string, string>> = {
  "Payment requests":
    "What a merchant asks for and a customer pays: from the first moment to the last refund.",
  "Patron codes": "What a customer's wallet shows for a merchant to scan.",
  Assets: "What can be spent: wallets of money, and tokens.",
  Vouchers: "Money that a code pays with.",
  Tokens: "Assets that are spent whole, for what their collection says.",
  Accounts: "Whoever has keys, assets and merchants.",
  "API keys": "Who may act for an account, and as what.",
  Merchants: "Whoever is paid, as customers know them.",
  "Merchant configs": "What a merchant takes, and where it goes.",
  Webhooks: "What happens, told to a server of yours.",
  "Test clock": "A test account's own time, for what happens later.",
};

/** Swagger UI sets styles inline; its scripts are files. No upgrade to https: the page may well be opened on a plain address. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Registered before the endpoints it is to know of, in the scope they are in. */
export async function openApi(
  app: FastifyInstance,
  { publicUrl, experimental }: { readonly publicUrl: string; readonly experimental: boolean },
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: TITLE, version: "1", description: DESCRIPTION },
      servers: [{ url: publicUrl }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: { apiKey: { type: "apiKey", in: "header", name: "X-Api-Key" } },
      },
    },
    transform,
    transformObject: (document) => finish(withSchemas(document), { experimental }),
  });
  app.get("/api/openapi.json", { schema: { hide: true } }, () => app.swagger());
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: PAGE_POLICY,
    theme: { title: TITLE },
    uiConfig: { layout: "BaseLayout", deepLinking: true, defaultModelsExpandDepth: 0, docExpansion: "list" },
  });
}
