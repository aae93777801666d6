/**
 * What clients send about payment requests, as schemas, and the checks between fields. Pure.
 *
 * Unknown fields are tolerated and dropped, as the API promises its clients. A field that would change what happens to the
 * money and that this platform does not do yet is refused by name, never ignored.
 */
import { z } from "zod";
import { amount, money } from "../../broker/protocol/money.js";
import { EXPERIMENTAL } from "../http/experimental.js";
import { Fault } from "../http/fault.js";

/** Text for a database column: bounded, and without the one character PostgreSQL cannot keep. */
export const text = (max: number) =>
  z
    .string()
    .min(1, "must not be empty")
    .max(max, `must be at most ${max} characters`)
    .refine((value) => !value.includes("\0"), "must not hold a NUL character");

const decimal = z
  .string("must be a number as a string")
  .regex(/^-?[0-9]{1,8}(\.[0-9]{1,12})?$/, "must be a number as a string");
const signedAmount = z
  .string("must be a string of digits")
  .regex(/^(0|-?[1-9][0-9]{0,7})$/, "must be a whole number of minor units, as a string of digits");
const expirySeconds = z
  .union(
    [
      z.int(),
      z
        .string()
        .regex(/^[1-9][0-9]{0,4}$/)
        .transform(Number),
    ],
    "must be a whole number",
  )
  .pipe(z.int().min(1, "must be from 1 to 86400").max(86_400, "must be from 1 to 86400"));

export const lineItem = z.object({
  name: text(255),
  sku: text(255).optional(),
  qty: decimal,
  price: signedAmount, // of the whole line; below zero for a discount on the basket
  tax: decimal.optional(),
  discount: signedAmount.optional(),
  productId: text(64).optional(),
  restricted: z.boolean().optional(),
  classification: z
    .object({
      type: text(32),
      code: text(64),
      name: text(255),
      props: z.record(z.string().max(64), z.string().max(255)).optional(),
    })
    .optional(),
});
const lineItems = z.array(lineItem).min(1, "must not be empty").max(500, "must be at most 500 lines");
export type LineItems = z.infer<typeof lineItems>;

const DEFAULT_EXPIRY_SECONDS = 120;

export const collectionId = text(64).startsWith("c_", "must begin with c_");

/** The optional fields that a request keeps as they came, and returns. */
const details = z.object({
  barcode: text(255).optional(),
  barcodeType: text(64).optional(),
  collectionId: collectionId.optional(),
  lineItems: lineItems.optional(),
  purchaseOrderRef: text(128).optional(),
  invoiceRef: text(128).optional(),
  redirectCancelUrl: z.url("must be a URL").max(2048).optional().meta(EXPERIMENTAL),
  redirectPaidUrl: z.url("must be a URL").max(2048).optional().meta(EXPERIMENTAL),
  terminalId: text(128).optional(),
  deviceId: text(128).optional(),
  operatorId: text(128).optional(),
  conditionsEnabled: z.boolean().optional(),
  patronNotPresent: z.boolean().optional(),
  preAuth: z.boolean().optional(),
  partialAllowed: z.boolean().optional(),
  basketAmount: amount.optional(),
  connectionId: text(64).optional().meta(EXPERIMENTAL),
  paymentLinkId: text(64).optional().meta(EXPERIMENTAL),
});
export type Details = z.infer<typeof details>;

export const createForm = details
  .extend({
    configId: text(64),
    value: money,
    expirySeconds: expirySeconds.default(DEFAULT_EXPIRY_SECONDS),
    externalRef: text(255).optional(),
    createdByAccountName: text(255).optional(),
  })
  .refine((form) => form.partialAllowed !== true || form.basketAmount !== undefined, {
    path: ["basketAmount"],
    message: "is required when partialAllowed is true",
  });
export type CreateForm = z.infer<typeof createForm>;

const PROOFS = ["assetId", "transactionId", "authorization"] as const;
export const payForm = z
  .object({
    assetType: text(64),
    idempotencyKey: text(255),
    /** One proof that the payer may spend it: an asset of theirs, a tender taken elsewhere, a code. */
    assetId: text(64).optional(),
    transactionId: text(255).optional(),
    authorization: text(255).optional(),
    mode: z.enum(["partial-payment", "multi-asset-payment"]).optional(),
    amount: amount.optional(),
    externalPaymentRef: text(255).optional(),
    lineItems: lineItems.optional(),
  })
  .refine((form) => PROOFS.filter((name) => form[name] !== undefined).length === 1, {
    path: ["assetId"],
    message: "exactly one of assetId, transactionId and authorization is needed",
  });
export type PayForm = z.infer<typeof payForm>;

export const confirmForm = z.object({
  idempotencyKey: text(255),
  invoiceRef: text(128),
  lineItems,
  value: money.optional(),
});
export type ConfirmForm = z.infer<typeof confirmForm>;

export const refundForm = z.object({
  value: money,
  externalRef: text(255),
  invoiceRef: text(128).optional(),
  lineItems: lineItems.optional(),
  confirmationIdempotencyKey: text(255).optional(),
});
export type RefundForm = z.infer<typeof refundForm>;

export const sumOf = (lines: LineItems): number =>
  lines.reduce((total, { price }) => total + Number(price), 0);

/** Raises LINE_ITEMS_SUM_CHECK_FAILED unless the lines add up to one of `totals`. */
export function checkLineItems(lines: LineItems | undefined, totals: readonly (string | undefined)[]): void {
  if (lines === undefined) return;
  const sum = sumOf(lines);
  if (!totals.includes(String(sum)))
    throw new Fault("LINE_ITEMS_SUM_CHECK_FAILED", `the line items' prices add up to ${sum}`);
}

/** A merchant's own address with the request named in its query, and the rest of it as it was. */
export function returnTo(url: string, requestId: string): string {
  const to = new URL(url);
  const query = to.search === "" ? "?" : `${to.search}&`;
  to.search = `${query}paymentRequestId=${requestId}`;
  return to.href;
}

/** Raises REDIRECT_URL_INVALID unless the URL starts with an allowed one: same origin, and a path under its path. */
export function checkRedirect(url: string | undefined, allowed: readonly string[]): void {
  if (url === undefined) return;
  const { origin, pathname } = new URL(url);
  const isUnder = (prefix: string): boolean => {
    const known = new URL(prefix);
    // Compared as URLs, so that https://shop.example does not allow https://shop.example.evil.
    return known.origin !== "null" && known.origin === origin && pathname.startsWith(known.pathname);
  };
  if (!allowed.some(isUnder)) throw new Fault("REDIRECT_URL_INVALID");
}
