/**
 * The last touch to the OpenAPI document: what its generator cannot know. Pure.
 *
 * Promises  every parameter says what it is, a body that may be left out says so, who must wait is told for how long, and no
 *           schema is there that nothing refers to. Switched off, no experimental field is there.
 */
import { z } from "zod";
import { isMarked } from "./experimental.js";

const schema = z.looseObject({ description: z.string().optional() });
const parameter = z.looseObject({ name: z.string(), description: z.string().optional(), schema });
const operation = z.looseObject({
  parameters: z.array(parameter).optional(),
  requestBody: z
    .looseObject({
      content: z.record(
        z.string(),
        z.looseObject({
          schema: z.looseObject({
            anyOf: z.array(z.looseObject({ type: z.string().optional() })).optional(),
          }),
        }),
      ),
    })
    .optional(),
  responses: z.record(z.string(), z.looseObject({})),
});
const document = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});
type Operation = z.infer<typeof operation>;

/** Parameters that are the same wherever they are. One with a word of its own keeps that. */
const PARAMETERS: Readonly<Record<string, string>> = {
  id: "Its id.",
  accountId: "The account's id.",
  merchantAccountId: "The merchant's account.",
  merchantId: "The merchant's id.",
  configId: "The merchant config's id.",
  conditionId: "The condition's id within the payment request.",
  externalRef: "The merchant's own reference.",
  shortCode: "As people read it, such as CP-C7F-ZS5.",
  barcode: "Sixteen digits.",
  namespace: "Whose the external id is.",
  externalId: "What it is called elsewhere.",
  name: "Its name in the account.",
  country: "A country code of two capital letters.",
  type: "Only of this type.",
  after: "Where to go on from: the `after` of an earlier answer, or `now`.",
  audience: "An address: what is answered is signed for it.",
};

const RETRY_AFTER = {
  "Retry-After": { description: "How many seconds to wait.", schema: { type: "integer", minimum: 1 } },
};

export function finish(generated: unknown, { experimental }: { readonly experimental: boolean }): object {
  const { paths, components, ...rest } = document.parse(experimental ? generated : withoutMarked(generated));
  const finished = Object.fromEntries(
    Object.entries(paths).map(([path, methods]) => [
      path,
      Object.fromEntries(Object.entries(methods).map(([method, one]) => [method, finishOperation(one)])),
    ]),
  );
  return {
    ...rest,
    paths: finished,
    components: { ...components, schemas: used(finished, components.schemas) },
  };
}

function finishOperation({ parameters, requestBody, responses, ...rest }: Operation): object {
  const tooMany = responses["429"];
  return {
    ...rest,
    ...(parameters === undefined ? {} : { parameters: parameters.map(described) }),
    ...(requestBody === undefined
      ? {}
      : { requestBody: { ...requestBody, required: !mayBeLeftOut(requestBody) } }),
    responses: {
      ...responses,
      ...(tooMany === undefined ? {} : { "429": { ...tooMany, headers: RETRY_AFTER } }),
    },
  };
}

const fields = z.looseObject({
  properties: z.record(z.string(), z.looseObject({})),
  required: z.array(z.string()).optional(),
});

/** Every object in it without the fields that are marked, and every operation without such parameters. */
function withoutMarked(json: unknown): unknown {
  if (Array.isArray(json)) return json.filter((item) => !isMarkedParameter(item)).map(withoutMarked);
  if (typeof json !== "object" || json === null) return json;
  const { data } = fields.safeParse(json);
  const marked = Object.entries(data?.properties ?? {}).flatMap(([name, said]) =>
    isMarked(said) ? [name] : [],
  );
  const stable =
    data === undefined || marked.length === 0
      ? json
      : {
          ...data,
          properties: Object.fromEntries(
            Object.entries(data.properties).filter(([name]) => !marked.includes(name)),
          ),
          ...(data.required === undefined
            ? {}
            : { required: data.required.filter((name) => !marked.includes(name)) }),
        };
  return Object.fromEntries(Object.entries(stable).map(([name, value]) => [name, withoutMarked(value)]));
}
const isMarkedParameter = (item: unknown): boolean => isMarked(parameter.safeParse(item).data?.schema);

function described(one: z.infer<typeof parameter>): object {
  const description = one.description ?? one.schema.description ?? PARAMETERS[one.name];
  return { ...one, ...(description === undefined ? {} : { description }) };
}

const mayBeLeftOut = ({ content }: NonNullable<Operation["requestBody"]>): boolean =>
  Object.values(content).some(({ schema: { anyOf } }) => anyOf?.some(({ type }) => type === "null") ?? false);

/** The schemas that the paths refer to, and those that they refer to in turn. */
function used(paths: object, schemas: Readonly<Record<string, unknown>>): object {
  const wanted = new Set<string>();
  const waiting: unknown[] = [paths];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
    for (const [, name = ""] of JSON.stringify(next).matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      if (!wanted.has(name)) {
        wanted.add(name);
        waiting.push(schemas[name]);
      }
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => wanted.has(name)));
}
