/** What clients send about merchants and their configs, as schemas. Pure. */
import { z } from "zod";
import { isElsewhere } from "./asset-type.js";
import { EXPERIMENTAL } from "../http/experimental.js";
import { pageQuery } from "../http/page.js";
import { text } from "./request-form.js";

const MOST_METADATA = 10;

/** Remarks of a client's own. */
export const metadata = z.record(
  z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, - or _"),
  z
    .string()
    .max(256, "must be at most 256 characters")
    .refine((value) => !value.includes("\0"), "must not hold a NUL character"),
);
export const isWithinMetadata = (all: object): boolean => Object.keys(all).length <= MOST_METADATA;
export const METADATA_BOUND = `must have at most ${MOST_METADATA} keys`;

const degrees = z.union(
  [z.number().min(-180).max(180), z.string().regex(/^-?[0-9]{1,3}(\.[0-9]{1,15})?$/)],
  "must be in degrees",
);
const location = z.object({
  street: text(255),
  suburb: text(255).optional(),
  city: text(255),
  postCode: text(32).optional(),
  state: text(64).optional(),
  country: text(64),
  lat: degrees.optional(),
  lng: degrees.optional(),
});

const remarks = {
  type: z.enum(["physical", "e-commerce"], "must be one of physical, e-commerce").optional(),
  location: location.optional(),
  categoryCode: z
    .string()
    .regex(/^[0-9]{4}$/, "must be a merchant category code of four digits")
    .optional(),
  metadata: metadata.refine(isWithinMetadata, METADATA_BOUND).optional(),
  settlementConfig: z
    .object({ bankAccountId: text(64).optional() })
    .optional()
    .meta({ description: "This platform keeps no bank accounts: one that is named is refused." }),
};
const country = z.string().regex(/^[A-Z]{2}$/, "must be a country code of two capital letters");

export const merchantForm = z.object({
  accountId: text(64),
  name: text(255),
  country: country.meta({ description: "The region of its account." }),
  test: z.boolean(),
  ...remarks,
});
export type MerchantForm = z.infer<typeof merchantForm>;

/** What is left out stays as it is. What cannot change may be said, but only as it is. */
export const merchantChange = z.object({
  accountId: text(64).optional(),
  name: text(255).optional(),
  country: country.optional(),
  test: z.boolean().optional(),
  ...remarks,
});
export type MerchantChange = z.infer<typeof merchantChange>;

export const merchantQuery = pageQuery.extend({
  name: text(255)
    .optional()
    .meta({ description: "A part of the merchant's name, in large or small letters." }),
  country: country.optional(),
});
export type MerchantQuery = z.infer<typeof merchantQuery>;

/** Whether a type is of test or of main money is in its last part. */
const ASSET_TYPE = /^[a-z0-9-]+(\.[a-z0-9-]+)*\.(main|test)$/;
export const livenessOfType = (type: string): "main" | "test" => (type.endsWith(".main") ? "main" : "test");

export const paymentOption = z
  .object({
    type: text(64).regex(ASSET_TYPE, "must be an asset type, such as centrapay.nzd.test"),
    walletId: text(64).optional().meta({ description: "Where the merchant is paid." }),
    collectionIds: z.array(text(64)).max(100, "must be at most 100 collections").optional(),
    paypalMerchantAccountId: text(255).optional(),
    paypalStoreId: text(255).optional(),
    farmlandsMerchantNumber: text(255).optional(),
    externalMerchantId: text(255)
      .optional()
      .meta({ description: "What a provider elsewhere knows the merchant by." }),
  })
  .refine(({ type, externalMerchantId }) => !isElsewhere(type) || externalMerchantId !== undefined, {
    path: ["externalMerchantId"],
    message: "is needed for this type",
  });
export type PaymentOption = z.infer<typeof paymentOption>;

const redirectUrl = z
  .url({ protocol: /^https?$/, error: "must be an http(s) address" })
  .max(2048, "must be at most 2048 characters");
export const merchantConfigForm = z.object({
  paymentOptions: z
    .array(paymentOption)
    .min(1, "must not be empty")
    .max(50, "must be at most 50 options")
    .refine(
      (options) => new Set(options.map(({ type }) => type)).size === options.length,
      "must not name a type twice",
    ),
  allowedRedirectUrls: z
    .array(redirectUrl)
    .max(50, "must be at most 50 addresses")
    .optional()
    .meta({ ...EXPERIMENTAL, description: "Where a customer's browser may be sent back to." }),
});
export type MerchantConfigForm = z.infer<typeof merchantConfigForm>;
export const configId = text(64).startsWith("mc_", "must begin with mc_");
