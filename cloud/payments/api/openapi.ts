/**
 * The OpenAPI 3.1 document of the payment API, made from the schemas that check its requests: `/api/openapi.json`, and a page
 * to read it at `/docs`.
 */
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from "fastify-type-provider-zod";

const zodToJsonConfig = { unrepresentable: "any" } as const;
const transform = createJsonSchemaTransform({ zodToJsonConfig });
const transformObject = createJsonSchemaTransformObject({ zodToJsonConfig });

/** Registered before the endpoints it is to know of, in the scope they are in. */
export async function openApi(app: FastifyInstance, publicUrl: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Payments",
        version: "1",
        description:
          "Payment requests, assets, vouchers, refunds and webhooks. Amounts are whole minor units, as strings of digits. What is missing and what is not yours are one answer: 403.",
      },
      servers: [{ url: publicUrl }],
      components: {
        securitySchemes: { apiKey: { type: "apiKey", in: "header", name: "X-Api-Key" } },
      },
    },
    transform,
    transformObject,
  });
  app.get("/api/openapi.json", { schema: { hide: true } }, () => app.swagger());
  await app.register(swaggerUi, { routePrefix: "/docs", staticCSP: true });
}
