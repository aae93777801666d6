/** What each API publishes of itself says all that a reader needs, and nothing that is not used. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { Cloud } from "../vending/cloud.js";

const published = z.looseObject({
  tags: z.array(z.object({ name: z.string(), description: z.string() })),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        operationId: z.string(),
        summary: z.string().min(1),
        tags: z.array(z.string()).length(1),
        parameters: z
          .array(z.looseObject({ name: z.string(), description: z.string().optional() }))
          .optional(),
        requestBody: z.looseObject({ required: z.boolean() }).optional(),
        responses: z.record(
          z.string(),
          z.looseObject({ description: z.string(), headers: z.record(z.string(), z.unknown()).optional() }),
        ),
      }),
    ),
  ),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});
let cloud: Cloud;
beforeAll(async () => {
  cloud = await Cloud.start({ webhooks: false });
});
afterAll(() => cloud[Symbol.asyncDispose]());
// prettier-ignore
const apis: readonly [name: string, at: string, page: string, bodyMayBeLeftOut: readonly string[]][] = [
  ["the payment platform", "/api/openapi.json",         "/docs",         ["createPatronCode"]],
  ["the vending backend",  "/api/vending/openapi.json", "/docs/vending", []],
];

describe.each(apis)("the document of %s", (_name, at, page, bodyMayBeLeftOut) => {
  let document: z.infer<typeof published>;
  let text: string;
  beforeAll(async () => {
    text = await (await fetch(`${cloud.url}${at}`)).text();
    document = published.parse(JSON.parse(text));
  });
  const operations = () => Object.values(document.paths).flatMap((methods) => Object.values(methods));

  test("every operation has a name of its own, a sentence, and a group that is described", () => {
    const names = operations().map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    const described = document.tags.map(({ name }) => name);
    for (const { operationId, tags } of operations()) expect(described, operationId).toContain(tags[0]);
  });

  test("every parameter says what it is", () => {
    for (const { operationId, parameters = [] } of operations())
      for (const { name, description } of parameters)
        expect(description, `${operationId}: ${name}`).toBeTruthy();
  });

  test("a body that may be left out says so", () => {
    const optional = operations().filter(({ requestBody }) => requestBody?.required === false);
    expect(optional.map(({ operationId }) => operationId)).toEqual(bodyMayBeLeftOut);
  });

  test("who asks too often is told for how long to wait", () => {
    for (const { operationId, responses } of operations())
      expect(Object.keys(responses["429"]?.headers ?? {}), operationId).toEqual(
        responses["429"] === undefined ? [] : ["Retry-After"],
      );
  });

  test("every schema is referred to, and every reference leads somewhere", () => {
    const referred = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name);
    expect([...new Set(referred)].sort()).toEqual(Object.keys(document.components.schemas).sort());
  });

  test("the page asks for nothing that is elsewhere", async () => {
    const response = await fetch(`${cloud.url}${page}`);
    expect(response.status).toBe(200);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|upgrade-insecure-requests|script-src[^;]*unsafe/);
    expect(await response.text()).not.toMatch(/(src|href)="https?:/);
  });
});

test("every route of the vending backend is in its document, and what is in it is there", () => {
  const routes = cloud.routes
    .map((route) => route.replaceAll(/:([A-Za-z]+)/g, "{$1}"))
    .filter((route) => route.includes(" /api/vending/") && !route.endsWith("/openapi.json"));
  expect([...cloud.contract.operations].sort()).toEqual(routes.sort());
});
