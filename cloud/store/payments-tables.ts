/** The payment platform's tables. Times are ms since 1970; amounts are whole numbers of the currency's smallest unit. */
import type { Generated } from "kysely";

/** Who made a row and who changed it last. Left out, it was made by hand. */
type Story = {
  created_by: Generated<string>;
  modified_ms: Generated<number>;
  modified_by: Generated<string>;
  version: Generated<number>;
};

export type PaymentsTables = {
  account: Story & {
    id: string;
    type: "org" | "individual";
    name: string;
    test: number;
    created_ms: number;
    region: string | null;
    parent_account_id: string | null; // which made it, and manages it
    requests_per_minute: number | null; // null: as many as any account
    clock_offset_ms: Generated<number>; // how far a test account has moved its own time forward
  };
  api_key: {
    id: string; // the public part of the key, by which it is looked up
    account_id: string;
    name: string;
    role: string;
    secret_hash: string; // SHA-256 of the secret part, hex: the secret itself is nowhere
    enabled: number;
    created_ms: number;
    created_by: string;
    modified_ms: number;
    modified_by: string;
    version: number;
  };
  merchant: Story & {
    id: string;
    account_id: string;
    name: string;
    country: string;
    test: number;
    created_ms: number;
    type: "physical" | "e-commerce" | null;
    location: string | null; // JSON
    category_code: string | null;
    metadata: string | null; // JSON
    onboarding_status: Generated<"applied" | "provisioning" | "active" | "deactivated" | "on-hold">;
    onboarding_status_reason: string | null;
    search_name: Generated<string>; // the name in small letters
  };
  merchant_config: Story & {
    id: string;
    merchant_id: string;
    payment_options: string; // JSON: [{type, walletId?, collectionIds?, …}]
    allowed_redirect_urls: string; // JSON: text[]
    created_ms: number;
  };
  /**
   * What a balance is kept for. A wallet, a voucher and what is held for a pre-authorisation never go below zero; the
   * issuance of test money and what others owe us (or we them) may.
   */
  ledger_account: {
    id: string;
    kind: "wallet" | "issuance" | "hold" | "voucher" | "clearing";
    currency: string;
    balance_minor: number;
  };
  /** One movement of money. Rows are only added. */
  transfer: {
    id: string;
    kind: "payment" | "refund" | "top-up" | "issue" | "authorization" | "confirmation" | "release";
    ref: string; // what asked for it: a payment request, or the asset that was topped up
    created_ms: number;
  };
  /** What a transfer did to one account. Rows are only added; a transfer's rows sum to zero per currency. */
  entry: { transfer_id: string; account_id: string; currency: string; amount_minor: number };
  /** Something of an account's that can be spent. Of money, the balance is the ledger account of the same id. */
  asset: {
    id: string;
    account_id: string;
    type: string;
    description: string;
    status: "active" | "archived";
    created_ms: number;
  };
  payment_request: {
    id: string;
    short_code: string;
    config_id: string;
    merchant_id: string;
    merchant_account_id: string;
    merchant_name: string;
    value_minor: number;
    currency: string;
    payment_options: string; // JSON: [{assetType, amountMinor, walletId}]
    status: "new" | "paid" | "cancelled" | "expired";
    cancellation_reason: string | null;
    pre_auth_status: "authorized" | "released" | null;
    pre_auth_expires_ms: number | null;
    conditions: string; // JSON: [{id, name, message, status}]
    expiry_seconds: number;
    expires_ms: number;
    external_ref: string | null;
    details: string; // JSON: the optional fields that are only kept and returned
    activities: number; // how many were written; the next one's number is one more
    created_by: string;
    created_by_account_id: string;
    created_by_account_name: string;
    created_ms: number;
    updated_ms: number;
    patron_code_id: Generated<string | null>; // how its payer was found
    pending_minor: Generated<number>; // asked of a provider elsewhere, whose word is not known yet
  };
  /** Money a payment request took from one source, and how much of it went back. */
  payment: {
    id: string; // of its activity and its transfer
    payment_request_id: string;
    number: number; // of its activity: ids of one millisecond have no order
    asset_type: string;
    asset_id: string | null;
    payer_account_id: string | null;
    source_id: string; // ledger accounts: where it came from, and the merchant's
    wallet_id: string;
    amount_minor: number;
    refunded_minor: number;
    lines: string | null; // JSON: the line items a token paid for
    confirmation_key: string | null; // of a pre-authorised request's confirmation
    created_ms: number;
  };
  /** Money set aside for a pre-authorised request. What is confirmed of it are payments. */
  hold: {
    id: string; // of its activity and its transfer
    payment_request_id: string;
    asset_type: string;
    asset_id: string | null;
    payer_account_id: string | null;
    source_id: string;
    wallet_id: string;
    amount_minor: number;
    expires_ms: number;
    is_held: number;
    created_ms: number;
  };
  /** What was asked of a provider elsewhere. Not settled, its word is not known yet, and it is asked again when due. */
  uplink_call: {
    id: string; // what the provider knows it by
    payment_request_id: string;
    payment_id: string; // the payment it makes, takes back or refunds
    refund_id: string | null; // the refund's activity
    amount_minor: number;
    currency: string;
    state: "paying" | "cancelling" | "refunding" | "paid" | "declined" | "cancelled" | "refunded";
    asked: string | null; // JSON, of a payment: what it takes, and who asked for it
    due_ms: number;
    attempts: number;
    created_ms: number;
    settled_ms: number | null;
    last_error: string | null;
  };
  /** A payment request's story. Rows are only added. */
  activity: {
    id: string;
    payment_request_id: string;
    merchant_id: string;
    number: number;
    type: string;
    amount_minor: number;
    created_by: string;
    created_ms: number;
    details: string; // JSON: the fields only this type of activity has
  };
  /** What was asked under which key, and the id of what it made: asked again, it is answered again. Rows are only added. */
  operation: { subject_id: string; kind: string; key: string; asked: string; result_id: string };
  webhook_subscription: {
    id: string;
    account_id: string;
    url: string;
    types: string; // separated by spaces
    description: string | null;
    enabled: number;
    created_ms: number;
    created_by: string;
    modified_ms: number;
    modified_by: string;
    version: number;
    deleted_ms: number | null; // kept for its deliveries; nobody sees it any more
  };
  /** That an activity is told of, once for all its receivers. Rows never change; pruning.ts takes old ones away. */
  notification: {
    id: string; // what a receiver deduplicates by
    account_id: string;
    type: string;
    test: number;
    payment_request_id: string | null;
    number: number | null; // of the activity
    body: Generated<string | null>; // the whole text, of one made before there was a number
    created_ms: number;
  };
  /** The outbox: a notification on its way to one subscription. */
  delivery: {
    id: string;
    notification_id: string;
    subscription_id: string;
    state: "due" | "delivered" | "abandoned";
    due_ms: number;
    attempts: number; // all there were; the next one's number is one more
    round: number; // one, and one more each time it was asked for again
    begun_ms: number; // of this round: from here its two weeks run
    tries: number; // of this round
    created_ms: number;
    settled_ms: number | null;
    last_error: string | null;
  };
  /** How one attempt of a delivery ended. Rows never change, and go with their delivery once that was delivered and is old. */
  delivery_attempt: {
    delivery_id: string;
    number: number;
    at_ms: number;
    duration_ms: number;
    status: number | null; // what the receiver answered, or
    error: string | null; // why there was no answer
  };
  signing_key: { kid: string; private_jwk: string; public_jwk: string; created_ms: number };
  /** Money that a code pays with. Its balance is the ledger account of the same id. */
  voucher: {
    id: string;
    account_id: string; // whose it was to give out
    type: string;
    code_hash: string; // SHA-256 of the code, hex: the code itself is nowhere
    value_minor: number;
    funded_by: string; // the ledger account it was filled from
    status: "active" | "spent" | "cancelled";
    expires_ms: number | null;
    created_ms: number;
  };
  /** Wrong codes in a row from one terminal, and until when it must wait. */
  voucher_try: { terminal: string; wrong: number; until_ms: number };
  collection: {
    id: string;
    account_id: string;
    name: string;
    type: "product" | "discount";
    currency: string | null;
    max_value_minor: number | null;
    token_expires_ms: number | null;
    token_life: string | null; // JSON: {period, duration, ceil?}
    external_id: string | null;
    created_ms: number;
  };
  /** What one merchant gives for a token of a collection. */
  redemption_condition: {
    id: string;
    collection_id: string;
    merchant_id: string;
    allowed_products: string; // JSON: [{sku, name, maxValue}]
    created_ms: number;
  };
  /** An asset that is spent whole. */
  token: {
    id: string; // of its asset
    collection_id: string;
    idempotency_key: string;
    external_id: string | null;
    expires_ms: number | null;
    created_by: string;
    code_hash: string | null; // of the code that whoever has it can spend it with
  };
  /** What a wallet shows for a few minutes, for a merchant to scan. Times are its account's own. */
  patron_code: {
    id: string;
    account_id: string;
    barcode: string;
    asset_id: string | null;
    test_scenario_name: string | null;
    namespace: string | null;
    external_id: string | null;
    metadata: string; // JSON
    created_ms: number;
    created_by: string;
    expires_ms: number;
  };
  /** Whose a barcode is, or was last. */
  barcode_claim: { barcode: string; patron_code_id: string };
};
