/** The payment API's answers: the one place rows become what clients read. Pure. */
import type { Selectable } from "kysely";
import { fromMinor } from "../../broker/protocol/money.js";
import type { Tables } from "../store/tables.js";
import { describeAssetType, readAssetType } from "./asset-type.js";
import { preAuthStatusAt, statusAt, type Option } from "./request.js";
import type { Details } from "./request-form.js";
import { activityShortCode } from "./short-code.js";

type Row<T extends keyof Tables> = Readonly<Selectable<Tables[T]>>;
export type ApiKeyRow = Row<"api_key">;
export type RequestRow = Row<"payment_request">;
export type AccountRow = Row<"account">;
export type MerchantRow = Row<"merchant">;
export type MerchantConfigRow = Row<"merchant_config">;
export type PatronCodeRow = Row<"patron_code">;
export type PaymentRow = Row<"payment">;
export type ActivityRow = Row<"activity">;
/** Money has a currency and a balance; a token has a collection. */
export type AssetRow = Row<"asset"> & {
  readonly currency: string | null;
  readonly balance_minor: number | null;
  readonly collection_id: string | null;
  readonly collection_type: string | null;
  readonly token_expires_ms: number | null;
  readonly external_id: string | null;
};
export type VoucherRow = Row<"voucher"> & Pick<Row<"ledger_account">, "currency" | "balance_minor">;
export type CollectionRow = Row<"collection">;
export type SubscriptionRow = Row<"webhook_subscription">;
export type DeliveryRow = Row<"delivery"> & Pick<Row<"notification">, "type">;
export type AttemptRow = Row<"delivery_attempt">;
export type EntryRow = Pick<Row<"entry">, "account_id" | "amount_minor" | "currency"> &
  Pick<Row<"transfer">, "id" | "kind" | "ref" | "created_ms"> & {
    /** Of the voucher that asked for it, if one did: it is the `ref` then. */
    readonly voucher_id: string | null;
  };

export const timestamp = (ms: number): string => new Date(ms).toISOString();

/** How a request is looked at: from where, and by which clock. */
export type View = { readonly nowMs: number; readonly publicUrl: string };

export function renderRequest(
  row: RequestRow,
  options: readonly Option[],
  /** What was taken; while money is held, that. */
  payments: readonly PaidPart[],
  view: View,
): object {
  const paidMinor = payments.reduce((sum, payment) => sum + payment.amount_minor, 0);
  return {
    ...(JSON.parse(row.details) as Details), // written by create alone, from the schema's own output
    ...renderSummary(row, options, view),
    updatedAt: timestamp(row.updated_ms),
    expirySeconds: row.expiry_seconds,
    remainingAmount: String(row.value_minor - paidMinor - row.pending_minor),
    createdByAccountId: row.created_by_account_id,
    createdByAccountName: row.created_by_account_name,
    ...(row.external_ref === null ? {} : { externalRef: row.external_ref }),
    ...(row.patron_code_id === null ? {} : { patronCodeId: row.patron_code_id }),
    ...(row.cancellation_reason === null ? {} : { cancellationReason: row.cancellation_reason }),
    ...(row.pre_auth_status === null ? {} : { preAuthStatus: preAuthStatusAt(row, view.nowMs) }),
    ...(row.pre_auth_expires_ms === null ? {} : { preAuthExpiresAt: timestamp(row.pre_auth_expires_ms) }),
    ...(payments.length === 0 ? {} : { paidBy: renderPaidBy(payments, row.currency) }),
  };
}

/** What anyone may see of a request that waits to be paid. */
export function renderSummary(
  row: RequestRow,
  options: readonly Option[],
  { nowMs, publicUrl }: View,
): object {
  return {
    id: row.id,
    shortCode: row.short_code,
    url: `${publicUrl}/pay/${row.id}`,
    value: fromMinor(row.value_minor, row.currency),
    paymentOptions: options.map(({ assetType, amountMinor, acceptedCollections }) => ({
      assetType,
      amount: String(amountMinor),
      ...(acceptedCollections === undefined
        ? {}
        : {
            acceptedCollections: acceptedCollections.map(({ id, lines }) => ({
              id,
              lineItems: lines.map(({ line }) => line),
            })),
          }),
    })),
    merchantId: row.merchant_id,
    merchantName: row.merchant_name,
    configId: row.config_id,
    status: statusAt(row, nowMs),
    liveness: livenessOf(options),
    createdAt: timestamp(row.created_ms),
    expiresAt: timestamp(row.expires_ms),
    merchantConditions: JSON.parse(row.conditions) as unknown, // written by the request's own step
  };
}

/** Options of one request never mix test and main money. */
export const livenessOf = (options: readonly Option[]): string =>
  options.every(({ assetType }) => readAssetType(assetType)?.liveness === "main") ? "main" : "test";

/** One source of what was paid. */
export type PaidPart = Pick<
  PaymentRow,
  "asset_type" | "payer_account_id" | "amount_minor" | "lines" | "created_ms"
>;
export function renderPaidBy(payments: readonly PaidPart[], currency: string): object {
  return {
    assetTotals: payments.map((payment) => ({
      type: payment.asset_type,
      description: describeAssetType(payment.asset_type),
      settlementDate: timestamp(payment.created_ms),
      total: fromMinor(payment.amount_minor, currency),
      ...(payment.lines === null ? {} : { lineItems: JSON.parse(payment.lines) as unknown }), // as create read them
      ...(payment.payer_account_id === null ? {} : { payerAccountId: payment.payer_account_id }),
    })),
  };
}

/** `details`: what the row's own column says, for whoever has it at hand. */
export function renderActivity(
  row: ActivityRow,
  request: Pick<
    RequestRow,
    "short_code" | "currency" | "config_id" | "merchant_account_id" | "merchant_name" | "created_by"
  >,
  details = JSON.parse(row.details) as object, // written with the row, from the effect that made it
): object {
  return {
    ...details,
    id: row.id,
    type: row.type,
    value: fromMinor(row.amount_minor, request.currency),
    paymentRequestId: row.payment_request_id,
    merchantId: row.merchant_id,
    merchantConfigId: request.config_id,
    merchantAccountId: request.merchant_account_id,
    merchantName: request.merchant_name,
    createdAt: timestamp(row.created_ms),
    createdBy: row.created_by,
    paymentRequestCreatedBy: request.created_by,
    activityNumber: String(row.number),
    shortCode: activityShortCode(request.short_code, row.number),
  };
}

/** What anyone may see of an asset: what it is, and nothing of whose it is or how much it holds. */
export function renderAssetSummary(row: AssetRow): object {
  const type = readAssetType(row.type);
  return {
    id: row.id,
    category: type?.category,
    type: row.type,
    liveness: type?.liveness,
    description: row.description,
    status: row.status,
    createdAt: timestamp(row.created_ms),
    ...(row.balance_minor === null ? {} : { currency: row.currency }),
  };
}

export function renderAsset(row: AssetRow): object {
  return {
    ...renderAssetSummary(row),
    accountId: row.account_id,
    ...(row.balance_minor === null
      ? {}
      : {
          balance: String(row.balance_minor),
          availableBalance: String(row.balance_minor), // what is held for a pre-authorisation has left it
        }),
    ...(row.collection_id === null
      ? {}
      : { collectionId: row.collection_id, collectionType: row.collection_type }),
    ...(row.token_expires_ms === null ? {} : { expiresAt: timestamp(row.token_expires_ms) }),
    ...(row.external_id === null ? {} : { externalId: row.external_id }),
  };
}

export function renderVoucher(row: VoucherRow | undefined, nowMs: number): object {
  if (row === undefined) throw new Error("a voucher that was there is gone");
  const isPast = row.expires_ms !== null && nowMs >= row.expires_ms;
  return {
    id: row.id,
    accountId: row.account_id,
    type: row.type,
    liveness: readAssetType(row.type)?.liveness,
    status: row.status === "active" && isPast ? "expired" : row.status,
    value: fromMinor(row.value_minor, row.currency),
    balance: String(row.balance_minor),
    createdAt: timestamp(row.created_ms),
    ...(row.expires_ms === null ? {} : { expiresAt: timestamp(row.expires_ms) }),
  };
}

export const renderCollection = (row: CollectionRow): object => ({
  id: row.id,
  accountId: row.account_id,
  name: row.name,
  type: row.type,
  createdAt: timestamp(row.created_ms),
  ...(row.max_value_minor === null || row.currency === null
    ? {}
    : { maxValue: fromMinor(row.max_value_minor, row.currency) }),
  ...(row.token_expires_ms === null ? {} : { tokenExpiresAt: timestamp(row.token_expires_ms) }),
  ...(row.token_life === null ? {} : { tokenExpiresAfter: JSON.parse(row.token_life) as unknown }), // written from its schema
  ...(row.external_id === null ? {} : { externalId: row.external_id }),
});

export const renderTransaction = (row: EntryRow): object => ({
  id: row.id,
  assetId: row.account_id,
  type: row.amount_minor > 0 ? "increment-balance" : "decrement-balance",
  kind: row.kind,
  value: fromMinor(Math.abs(row.amount_minor), row.currency),
  ref: row.ref,
  refType: row.voucher_id !== null ? "voucher" : row.kind === "top-up" ? "asset" : "payment-request",
  createdAt: timestamp(row.created_ms),
});

/** Who made it, who changed it last, and how often. */
const renderStory = (
  row: Pick<AccountRow, "created_ms" | "created_by" | "modified_ms" | "modified_by" | "version">,
): object => ({
  createdAt: timestamp(row.created_ms),
  createdBy: row.created_by,
  modifiedAt: timestamp(row.modified_ms),
  modifiedBy: row.modified_by,
  version: String(row.version),
});

export const renderApiKey = (row: ApiKeyRow): object => ({
  accountId: row.account_id,
  name: row.name,
  role: row.role,
  enabled: row.enabled === 1,
  ...renderStory(row),
});

export const renderAccount = (row: AccountRow): object => ({
  id: row.id,
  type: row.type,
  name: row.name,
  ...(row.region === null ? {} : { region: row.region }),
  test: row.test === 1,
  ...(row.parent_account_id === null ? {} : { parentAccountId: row.parent_account_id }),
  subscriptions: [],
  ...renderStory(row),
});

/** What anyone may find of a merchant. */
export const renderMerchantSummary = (row: MerchantRow): object => ({
  id: row.id,
  name: row.name,
  country: row.country,
  test: row.test === 1,
  ...(row.type === null ? {} : { type: row.type }),
  ...(row.location === null ? {} : { location: JSON.parse(row.location) as unknown }), // as its form read it
  ...(row.category_code === null ? {} : { categoryCode: row.category_code }),
});

export const renderMerchant = (row: MerchantRow): object => ({
  ...renderMerchantSummary(row),
  accountId: row.account_id,
  ...(row.metadata === null ? {} : { metadata: JSON.parse(row.metadata) as unknown }), // as its form read it
  onboardingStatus: row.onboarding_status,
  ...(row.onboarding_status_reason === null ? {} : { onboardingStatusReason: row.onboarding_status_reason }),
  ...renderStory(row),
});

export const renderMerchantConfig = (row: MerchantConfigRow): object => ({
  id: row.id,
  merchantId: row.merchant_id,
  paymentOptions: JSON.parse(row.payment_options) as unknown, // as its form read them
  allowedRedirectUrls: JSON.parse(row.allowed_redirect_urls) as unknown,
  ...renderStory(row),
});

export const renderPatronCode = (row: PatronCodeRow): object => ({
  id: row.id,
  accountId: row.account_id,
  barcode: row.barcode,
  createdAt: timestamp(row.created_ms),
  expiresAt: timestamp(row.expires_ms),
  appName: "centrapay",
  metadata: JSON.parse(row.metadata) as unknown, // as its form read it
  ...(row.asset_id === null ? {} : { assetId: row.asset_id }),
  ...(row.test_scenario_name === null ? {} : { testScenarioName: row.test_scenario_name }),
  ...(row.external_id === null || row.namespace === null
    ? {}
    : { namespace: row.namespace, externalId: row.external_id }),
});

export const renderSubscription = (row: SubscriptionRow): object => ({
  id: row.id,
  accountId: row.account_id,
  url: row.url,
  types: row.types.split(" "),
  ...(row.description === null ? {} : { description: row.description }),
  enabled: row.enabled === 1,
  ...renderStory(row),
});

/** `attempts` are the latest of this delivery, the oldest of them first. */
export const renderDelivery = (row: DeliveryRow, attempts: readonly AttemptRow[]): object => ({
  id: row.id,
  subscriptionId: row.subscription_id,
  notificationId: row.notification_id,
  type: row.type,
  status: row.state,
  createdAt: timestamp(row.created_ms),
  ...(row.state === "due" ? { nextAttemptAt: timestamp(row.due_ms) } : {}),
  ...(row.settled_ms === null ? {} : { settledAt: timestamp(row.settled_ms) }),
  ...(row.last_error === null ? {} : { lastError: row.last_error }),
  attemptCount: row.attempts,
  attempts: attempts.map((attempt) => ({
    number: attempt.number,
    at: timestamp(attempt.at_ms),
    durationMs: attempt.duration_ms,
    ...(attempt.status === null ? {} : { status: attempt.status }),
    ...(attempt.error === null ? {} : { error: attempt.error }),
  })),
});
