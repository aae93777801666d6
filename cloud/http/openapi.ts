/**
 * The OpenAPI 3.1 document of an API, made from the schemas that check its requests, and a page to read it at.
 *
 * Never     reaches out: whoever opens the page without internet sees all of it.
 */
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from "fastify-type-provider-zod";
import { finish } from "./document.js";
import type { Count } from "./request-counts.js";

const zodToJsonConfig = { unrepresentable: "any" } as const;
const transform = createJsonSchemaTransform({ zodToJsonConfig });
const withSchemas = createJsonSchemaTransformObject({ zodToJsonConfig });

export type Published = {
  readonly title: string;
  readonly description: string;
  /** Every group of operations, and what it is about. */
  readonly tags: Readonly<Record<string, string>>;
  /** Where the document is, and where its page. */
  readonly documentAt: string;
  readonly pageAt: string;
  readonly publicUrl: string;
  readonly experimental: boolean;
  /** Asked before either is shown. */
  readonly admitStranger: Count;
};

/** Swagger UI sets styles inline; its scripts are files. No upgrade to https: the page may well be opened on a plain address. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Registered before the endpoints it is to know of, in the scope they are in: it is theirs and nobody else's. */
export async function openApi(app: FastifyInstance, published: Published): Promise<void> {
  const { title, description, tags, documentAt, pageAt, publicUrl, experimental, admitStranger } = published;
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title, version: "1", description },
      servers: [{ url: publicUrl }],
      tags: Object.entries(tags).map(([name, about]) => ({ name, description: about })),
      components: {
        securitySchemes: { apiKey: { type: "apiKey", in: "header", name: "X-Api-Key" } },
      },
    },
    transform,
    transformObject: (document) => finish(withSchemas(document), { experimental }),
  });
  app.get(documentAt, { onRequest: admitStranger, schema: { hide: true } }, () => app.swagger());
  await app.register(async (page) => {
    page.addHook("onRequest", admitStranger); // its scripts and styles, too
    await page.register(swaggerUi, {
      routePrefix: pageAt,
      staticCSP: PAGE_POLICY,
      theme: { title },
      uiConfig: {
        layout: "BaseLayout",
        deepLinking: true,
        defaultModelsExpandDepth: 0,
        docExpansion: "list",
      },
    });
  });
}
