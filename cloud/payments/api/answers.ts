/**
 * What the payment API answers, as schemas: the document is made from them, and the tests hold every answer against it.
 * The rows become these in wire.ts.
 */
import { z } from "zod";
import { currency, money } from "../../../broker/protocol/money.js";
import { EXPERIMENTAL } from "../../http/experimental.js";
import { accountTypes, regions } from "../account-form.js";
import { lineItem } from "../request-form.js";
import { conditionStatuses, notificationTypes } from "../request.js";

export const timestamp = z.iso.datetime().meta({ description: "ISO 8601, UTC, with milliseconds." });
/** An amount that may be nothing: a balance, what remains to be paid. */
export const wholeMinor = z.string().regex(/^-?[0-9]+$/);
const liveness = z.enum(["main", "test"]);

const paymentOption = z.looseObject({ assetType: z.string(), amount: wholeMinor });
const assetTotal = z.object({
  type: z.string(),
  description: z.string(),
  settlementDate: timestamp,
  total: money,
  lineItems: z.array(lineItem).optional(),
  payerAccountId: z.string().optional(),
});
export const paidBy = z.object({ assetTotals: z.array(assetTotal) });

const paymentCondition = z.object({
  id: z.string(),
  name: z.string(),
  message: z.string(),
  status: z.enum(conditionStatuses),
});

const summaryFields = {
  id: z.string(),
  shortCode: z.string(),
  url: z.string(),
  value: money,
  paymentOptions: z.array(paymentOption),
  merchantId: z.string(),
  merchantName: z.string(),
  configId: z.string(),
  status: z.enum(["new", "paid", "cancelled", "expired"]),
  liveness,
  createdAt: timestamp,
  expiresAt: timestamp,
};
export const requestSummary = z.looseObject(summaryFields).meta({ id: "PaymentRequestSummary" });
export const wayBack = z
  .object({
    status: summaryFields.status,
    url: z
      .string()
      .optional()
      .meta({ description: "Of the merchant, with `paymentRequestId` in its query." }),
  })
  .meta({ id: "PaymentRequestReturn" });
export const paymentRequest = z
  .looseObject({
    ...summaryFields,
    updatedAt: timestamp,
    expirySeconds: z.int(),
    remainingAmount: wholeMinor,
    createdByAccountId: z.string(),
    createdByAccountName: z.string(),
    externalRef: z.string().optional(),
    barcode: z.string().optional(),
    patronCodeId: z.string().optional().meta({ description: "The patron code that the barcode was." }),
    merchantConditions: z.array(paymentCondition),
    cancellationReason: z.string().optional(),
    paidBy: paidBy.optional(),
    lineItems: z.array(lineItem).optional(),
    redirectCancelUrl: z.string().optional().meta(EXPERIMENTAL),
    redirectPaidUrl: z.string().optional().meta(EXPERIMENTAL),
    connectionId: z.string().optional().meta(EXPERIMENTAL),
    paymentLinkId: z.string().optional().meta(EXPERIMENTAL),
  })
  .meta({ id: "PaymentRequest" });

export const activity = z
  .looseObject({
    id: z.string(),
    type: z.string(),
    value: money,
    paymentRequestId: z.string(),
    merchantId: z.string(),
    merchantConfigId: z.string(),
    merchantAccountId: z.string(),
    merchantName: z.string(),
    createdAt: timestamp,
    createdBy: z.string(),
    paymentRequestCreatedBy: z.string(),
    activityNumber: z.string(),
    shortCode: z.string(),
    assetType: z.string().optional(),
    paidBy: paidBy.optional(),
    idempotencyKey: z.string().optional(),
  })
  .meta({ id: "PaymentActivity" });

const assetSummaryFields = {
  id: z.string(),
  category: z.enum(["money", "giftcard", "token"]),
  type: z.string(),
  liveness,
  description: z.string(),
  status: z.enum(["active", "archived"]),
  createdAt: timestamp,
  currency: currency.optional(),
};
export const assetSummary = z.object(assetSummaryFields).meta({ id: "AssetSummary" });
export const asset = z
  .looseObject({
    ...assetSummaryFields,
    accountId: z.string(),
    balance: wholeMinor.optional(),
    availableBalance: wholeMinor.optional(),
  })
  .meta({ id: "Asset" });
export const newToken = asset
  .extend({
    code: z
      .string()
      .optional()
      .meta({ ...EXPERIMENTAL, description: "What whoever has it can pay with. Shown this once." }),
  })
  .meta({ id: "NewToken" });
export const assetTransaction = z
  .object({
    id: z.string(),
    assetId: z.string(),
    type: z.enum(["increment-balance", "decrement-balance"]),
    kind: z.string(),
    value: money,
    ref: z.string(),
    refType: z.string(),
    createdAt: timestamp,
  })
  .meta({ id: "AssetTransaction" });

export const voucher = z
  .object({
    id: z.string(),
    accountId: z.string(),
    type: z.string(),
    liveness,
    status: z.enum(["active", "spent", "expired", "cancelled"]),
    value: money,
    balance: wholeMinor,
    createdAt: timestamp,
    expiresAt: timestamp.optional(),
  })
  .meta({ id: "Voucher" });
export const newVoucher = voucher
  .extend({ code: z.string().meta({ description: "What pays. Shown this once." }) })
  .meta({ id: "NewVoucher" });
export const collection = z
  .looseObject({
    id: z.string(),
    accountId: z.string(),
    name: z.string(),
    type: z.enum(["product", "discount"]),
    maxValue: money.optional(),
    tokenExpiresAt: timestamp.optional(),
    createdAt: timestamp,
  })
  .meta({ id: "Collection" });
export const redemptionCondition = z
  .object({
    id: z.string(),
    collectionId: z.string(),
    merchantId: z.string(),
    allowedProducts: z.array(z.object({ sku: z.string(), name: z.string(), maxValue: money })),
  })
  .meta({ id: "RedemptionCondition" });

/** Who made it, who changed it last, and how often. */
const story = {
  createdAt: timestamp,
  createdBy: z.string(),
  modifiedAt: timestamp,
  modifiedBy: z.string(),
  version: z.string(),
};

export const apiKey = z
  .object({
    accountId: z.string(),
    name: z.string(),
    role: z.string(),
    enabled: z.boolean(),
    ...story,
  })
  .meta({ id: "ApiKey" });
export const newApiKey = apiKey
  .extend({ secret: z.string().meta({ description: "The key in full. Shown this once." }) })
  .meta({ id: "NewApiKey" });

export const account = z
  .object({
    id: z.string(),
    type: z.enum(accountTypes),
    name: z.string(),
    region: z.enum(regions).optional(),
    test: z.boolean(),
    parentAccountId: z
      .string()
      .optional()
      .meta({ description: "The account that made it, and manages its keys." }),
    subscriptions: z.array(z.string()),
    ...story,
  })
  .meta({ id: "Account" });

const merchantSummaryFields = {
  id: z.string(),
  name: z.string(),
  country: z.string(),
  test: z.boolean(),
  type: z.enum(["physical", "e-commerce"]).optional(),
  location: z.looseObject({ street: z.string(), city: z.string(), country: z.string() }).optional(),
  categoryCode: z.string().optional(),
};
export const merchantSummary = z.object(merchantSummaryFields).meta({ id: "MerchantSummary" });
export const merchant = z
  .object({
    ...merchantSummaryFields,
    accountId: z.string(),
    metadata: z.record(z.string(), z.string()).optional(),
    onboardingStatus: z.enum(["applied", "provisioning", "active", "deactivated", "on-hold"]),
    onboardingStatusReason: z.string().optional(),
    ...story,
  })
  .meta({ id: "Merchant" });
export const merchantConfig = z
  .object({
    id: z.string(),
    merchantId: z.string(),
    paymentOptions: z.array(z.looseObject({ type: z.string(), walletId: z.string().optional() })),
    allowedRedirectUrls: z.array(z.string()).meta(EXPERIMENTAL),
    ...story,
  })
  .meta({ id: "MerchantConfig" });

export const patronCode = z
  .object({
    id: z.string(),
    accountId: z.string(),
    barcode: z.string().meta({ description: "Sixteen digits, the last a Luhn digit." }),
    createdAt: timestamp,
    expiresAt: timestamp,
    appName: z.string().meta({ deprecated: true }),
    metadata: z.record(z.string(), z.string()),
    assetId: z.string().optional(),
    testScenarioName: z.string().optional(),
    namespace: z.string().optional(),
    externalId: z.string().optional(),
  })
  .meta({ id: "PatronCode" });
export const patronCodeMetadata = z
  .object({
    patronCodeId: z.string(),
    createdAt: timestamp,
    createdBy: z.string(),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: "PatronCodeMetadata" });
/** Of the caller's patron code; nothing at all when there is none. */
export const patronCodeRequest = z.union([paymentRequest, z.strictObject({})]);
export const decodedCode = z
  .object({
    code: z.string(),
    scannedBy: z.literal("merchant"),
    merchantConfigId: z.string(),
    provider: z.enum(["centrapay"]),
    displayName: z.string(),
  })
  .meta({ id: "DecodedCode" });

export const testClock = z
  .object({
    accountId: z.string(),
    now: timestamp.meta({ description: "The account's own time." }),
    advancedSeconds: z.number().meta({ description: "How far it has been moved forward in all." }),
  })
  .meta({ id: "TestClock" });

export const webhookSubscription = z
  .object({
    id: z.string(),
    accountId: z.string(),
    url: z.string(),
    types: z.array(z.enum(notificationTypes)),
    description: z.string().optional(),
    enabled: z.boolean(),
    ...story,
  })
  .meta({ id: "WebhookSubscription" });
const deliveryAttempt = z.object({
  number: z.int(),
  at: timestamp,
  durationMs: z.int(),
  status: z.int().optional().meta({ description: "What the receiver answered." }),
  error: z.string().optional().meta({ description: "Why there was no answer." }),
});
export const webhookDelivery = z
  .object({
    id: z.string(),
    subscriptionId: z.string(),
    notificationId: z.string(),
    type: z.enum(notificationTypes),
    status: z.enum(["due", "delivered", "abandoned"]),
    createdAt: timestamp,
    nextAttemptAt: timestamp.optional(),
    settledAt: timestamp.optional(),
    lastError: z.string().optional(),
    attemptCount: z.int(),
    attempts: z.array(deliveryAttempt).meta({ description: "The latest twenty, the oldest of them first." }),
  })
  .meta({ id: "WebhookDelivery" });
export const notification = z
  .object({
    id: z.string().meta({ description: "The same in every delivery: what a receiver deduplicates by." }),
    type: z.enum(notificationTypes),
    accountId: z.string(),
    test: z.boolean(),
    createdAt: timestamp,
    data: activity,
    body: z
      .string()
      .optional()
      .meta({ description: "The exact text of a delivery, which `authorization` signs." }),
    authorization: z.string().optional().meta({ description: "The header of a delivery to `audience`." }),
  })
  .meta({ id: "Notification" });
export const notifications = z.object({
  items: z.array(notification),
  after: z.string().meta({ description: "Where to go on from, now or later." }),
});

/** A page of a list: `nextPageKey` is absent on the last. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextPageKey: z.string().optional() });
