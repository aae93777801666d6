/**
 * Amounts on the wire: every field of every published operation that takes one refuses what is not plain digits, by name.
 * The fields are read from the document, so that one nobody thought of here is a failure.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { openPlatform, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const money = { amount: "1", currency: "NZD" };
const line = { name: "x", qty: "1", price: "1", discount: "0" };
const lineItems = [line];
const id = "x";

/** A body that each operation reads, with every amount it may have in it. */
// prettier-ignore
const bodies: Readonly<Record<string, object>> = {
  "POST /api/payment-requests":                       { configId: id, value: money, lineItems, partialAllowed: true, basketAmount: "1" },
  "POST /api/payment-requests/{id}/pay":              { assetType: id, assetId: id, idempotencyKey: id, amount: "1", lineItems },
  "POST /api/payment-requests/{id}/refund":           { value: money, externalRef: id, lineItems },
  "POST /api/payment-requests/{id}/confirm":          { idempotencyKey: id, invoiceRef: id, value: money, lineItems },
  "POST /api/assets/{id}/top-up":                     { value: money, idempotencyKey: id },
  "POST /api/vouchers":                               { accountId: id, type: id, value: money },
  "POST /api/collections":                            { name: id, accountId: id, type: "discount", maxValue: money },
  "POST /api/collections/{id}/redemption-conditions": { merchantId: id, allowedProducts: [{ sku: id, name: id, maxValue: money }] },
  "POST /api/collections/{id}/redemption-conditions/{conditionId}/set-allowed-products": { allowedProducts: [{ sku: id, name: id, maxValue: money }] },
};

const AMOUNTS: ReadonlySet<string> = new Set(["amount", "basketAmount", "price", "discount"]);
/** May be nothing or below zero: the price of a line, and what was taken off it. */
const SIGNED = /(price|discount)$/;

// prettier-ignore
const never: readonly unknown[] = [
  350, 0.5, null, true, [], {}, ["1"], "", " ", "1 ", " 1", "+1", "01", "1.0", "3,50", "1e2", "0x10", "1_000", "Infinity", "NaN", "--1",
  "١٢", "१२", "１２", "１", "²", "Ⅳ", "1\u0000", "1\n", "\u200b1", "1٠", "100000000", "99999999999999999999",
];
const neverUnsigned: readonly unknown[] = ["0", "-1", "-0"];

type Schema = {
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly items?: Schema | undefined;
};
const schema: z.ZodType<Schema> = z.lazy(() =>
  z.looseObject({ properties: z.record(z.string(), schema).optional(), items: schema.optional() }),
);
const published = z.looseObject({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        requestBody: z
          .looseObject({ content: z.looseObject({ "application/json": z.looseObject({ schema }) }) })
          .optional(),
      }),
    ),
  ),
});

/** The places in a body where an amount may be, as `lineItems.0.price`. */
function places(of: Schema, at: readonly string[] = []): readonly string[] {
  const here = Object.entries(of.properties ?? {}).flatMap(([name, inner]) =>
    AMOUNTS.has(name) ? [[...at, name].join(".")] : places(inner, [...at, name]),
  );
  return of.items === undefined ? here : [...here, ...places(of.items, [...at, "0"])];
}

/** The same body with something else in one place. */
function withValue(body: unknown, [name = "", ...rest]: readonly string[], value: unknown): unknown {
  const inner = (body as Readonly<Record<string, unknown>>)[name]; // of a body above
  const next = rest.length === 0 ? value : withValue(inner, rest, value);
  return Array.isArray(body) ? [next] : { ...(body as object), [name]: next };
}

test("an amount that is not plain digits is refused in every field of every operation, by the field's name", async () => {
  const { paths } = published.parse(await (await fetch(`${platform.url}/api/openapi.json`)).json());
  const taking = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { requestBody }]) => {
      const fields = requestBody === undefined ? [] : places(requestBody.content["application/json"].schema);
      return fields.length === 0 ? [] : [{ operation: `${method.toUpperCase()} ${path}`, path, fields }];
    }),
  );
  expect(taking.map(({ operation }) => operation).sort()).toEqual(Object.keys(bodies).sort());
  for (const { operation, path, fields } of taking) {
    const post = (body: unknown) =>
      platform.post(platform.merchant.ownerKey, path.replaceAll(/\{[^}]+\}/g, "x"), body);
    expect((await post(bodies[operation])).status, `${operation} as it should be`).not.toBe(400);
    for (const field of fields)
      for (const value of SIGNED.test(field) ? never : [...never, ...neverUnsigned]) {
        const { status, body } = await post(withValue(bodies[operation], field.split("."), value));
        const what = `${operation}: ${field} = ${JSON.stringify(value)}`;
        expect(status, what).toBe(400);
        expect(body["message"], what).toContain(`${field}: `);
      }
  }
});
