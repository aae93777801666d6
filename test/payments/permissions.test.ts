/**
 * The whole matrix: every operation that is published, by every role, on the account's own things and on another's. An
 * operation without a row is a failure, and so is a row without an operation.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../broker/protocol/id.js";
import type { ProvisionedMerchant } from "../../cloud/payments/provision.js";
import { ASSET_TYPE, CURRENCY, openPlatform, random, type Answer, type Platform } from "./platform.js";

let platform: Platform;
let other: ProvisionedMerchant;
let wallets: ReadonlyMap<string, string>;
let subscriptionId: string;
beforeAll(async () => {
  platform = await openPlatform();
  other = await platform.newMerchant();
  subscriptionId = await subscription();
  wallets = new Map(
    await Promise.all(
      [platform.merchant, other].map(async (one) => [one.ownerAccountId, await filled(one)] as const),
    ),
  );
});
afterAll(() => platform.close());

const nzd = (amount: string) => ({ amount, currency: CURRENCY });
const product = { sku: "s", name: "n", maxValue: nzd("1") };
const once = (): string => newId(platform.clock.nowMs(), random);

/** Made by whoever may, for the row to be tried on. */
async function made(path: string, body?: object, key = platform.merchant.ownerKey): Promise<Answer["body"]> {
  const answer = await platform.post(key, path, body);
  if (answer.status !== 200) throw new Error(`POST ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}
const idOf = async (path: string, body?: object, key?: string): Promise<string> =>
  String((await made(path, body, key))["id"]);

/** A second wallet: a merchant does not pay itself out of the one it is paid into. */
async function filled({ ownerAccountId: accountId, ownerKey }: ProvisionedMerchant): Promise<string> {
  const id = await idOf("/api/wallets", { accountId, currency: CURRENCY }, ownerKey);
  await made(`/api/assets/${id}/top-up`, { value: nzd("10000"), idempotencyKey: "k" }, ownerKey);
  return id;
}
const paid = async (more: object = {}): Promise<string> => {
  const id = await platform.request("10", more);
  await platform.pay(id);
  return id;
};
const conditional = async (): Promise<string> => {
  const code = await made("/api/patron-codes", { testScenarioName: "force-condition-check-photo-id" });
  return platform.request("10", { barcode: code["barcode"], conditionsEnabled: true });
};
const shortCode = async (): Promise<string> => {
  const { body } = await platform.get(
    platform.merchant.ownerKey,
    `/api/payment-requests/${await platform.request("1")}`,
  );
  return String(body["shortCode"]);
};
const voucher = (): Promise<string> =>
  idOf("/api/vouchers", { accountId: own(), type: "voucher.nzd.test", value: nzd("100") });
const collection = (): Promise<string> =>
  idOf("/api/collections", { name: "c", accountId: own(), type: "product" });
const condition = async (): Promise<string> => {
  const path = `/api/collections/${await collection()}/redemption-conditions`;
  return `${path}/${await idOf(path, { merchantId: merchantId(), allowedProducts: [product] })}`;
};
const subscription = (): Promise<string> =>
  idOf("/api/webhook-subscriptions", {
    accountId: own(),
    url: "http://127.0.0.1:9/",
    types: ["payment-request:paid"],
  });
const delivery = async (): Promise<string> => {
  await paid();
  const { id } = await platform.store.read
    .selectFrom("delivery")
    .select("id")
    .where("subscription_id", "=", subscriptionId)
    .executeTakeFirstOrThrow();
  return id;
};
const apiKey = async (): Promise<string> => {
  const name = once();
  await made(`/api/accounts/${own()}/api-keys`, { name, role: "merchant-terminal" });
  return name;
};
const own = (): string => platform.merchant.ownerAccountId;
const merchantId = (): string => platform.merchant.merchantId;
const merchant = () => ({ accountId: own(), name: "m", country: "NZ", test: true });
const options = () => ({ paymentOptions: [{ type: ASSET_TYPE, walletId: platform.merchant.walletId }] });
const barcode = async (): Promise<string> => String((await made("/api/patron-codes"))["barcode"]);

type Who = { readonly accountId: string };
type Asked = { readonly path: string; readonly body?: object };
type Row = readonly [allowed: string, ask: (who: Who) => Promise<Asked> | Asked];

/**
 * Whether a key of the account's [owner, terminal], and one of another account's [owner, terminal], may. An operation with a
 * star needs no key at all.
 */
// prettier-ignore
const matrix: Readonly<Record<string, Row>> = {
  "POST /api/payment-requests":                                      ["1 1 0 1", () => ({ path: "/api/payment-requests", body: { configId: platform.merchant.configId, value: nzd("1") } })],
  "GET /api/payment-requests/{id}":                                  ["1 1 1 1", async () => ({ path: `/api/payment-requests/${await platform.request("1")}` })],
  "GET /api/payment-requests/{id}/summary":                          ["*",       async () => ({ path: `/api/payment-requests/${await platform.request("1")}/summary` })],
  "GET /api/payment-requests/{id}/return":                          ["*",       async () => ({ path: `/api/payment-requests/${await platform.request("1", { redirectPaidUrl: "https://shop.example/return/a" })}/return` })],
  "GET /api/payment-requests/external-ref/{externalRef}":            ["1 1 0 0", () => ({ path: `/api/payment-requests/external-ref/r?merchantAccountId=${own()}` })],
  "GET /api/payment-requests/short-code/{shortCode}":                ["1 1 0 0", async () => ({ path: `/api/payment-requests/short-code/${await shortCode()}` })],
  "POST /api/payment-requests/{id}/pay":                             ["1 1 1 0", async ({ accountId }) => ({ path: `/api/payment-requests/${await platform.request("1")}/pay`, body: { assetType: ASSET_TYPE, assetId: wallets.get(accountId), idempotencyKey: "k" } })],
  "POST /api/payment-requests/{id}/refund":                          ["1 1 0 0", async () => ({ path: `/api/payment-requests/${await paid()}/refund`, body: { value: nzd("1"), externalRef: "r" } })],
  "POST /api/payment-requests/{id}/void":                            ["1 1 0 0", async () => ({ path: `/api/payment-requests/${await platform.request("1")}/void` })],
  "POST /api/payment-requests/{id}/confirm":                         ["1 1 0 0", async () => ({ path: `/api/payment-requests/${await paid({ preAuth: true })}/confirm`, body: { idempotencyKey: "k", invoiceRef: "i", lineItems: [{ name: "x", qty: "1", price: "1" }] } })],
  "POST /api/payment-requests/{id}/release":                         ["1 1 0 0", async () => ({ path: `/api/payment-requests/${await paid({ preAuth: true })}/release` })],
  "POST /api/payment-requests/{id}/conditions/{conditionId}/accept": ["1 1 0 0", async () => ({ path: `/api/payment-requests/${await conditional()}/conditions/1/accept` })],
  "POST /api/payment-requests/{id}/conditions/{conditionId}/decline": ["1 1 0 0", async () => ({ path: `/api/payment-requests/${await conditional()}/conditions/1/decline` })],
  "GET /api/payment-requests/{id}/activities":                       ["1 1 0 0", async () => ({ path: `/api/payment-requests/${await platform.request("1")}/activities` })],
  "GET /api/payment-activities":                                     ["1 1 0 0", () => ({ path: `/api/payment-activities?merchantId=${merchantId()}` })],

  "GET /api/assets/{id}":                                            ["1 0 0 0", () => ({ path: `/api/assets/${platform.merchant.walletId}` })],
  "GET /api/assets/{id}/summary":                                    ["*",       () => ({ path: `/api/assets/${platform.merchant.walletId}/summary` })],
  "GET /api/assets/{assetType}/external-id/{externalId}":            ["1 0 0 0", async () => { await made("/api/tokens", { collectionId: await collection(), idempotencyKey: once(), externalId: "e" }); return { path: `/api/assets/centrapay.token.test/external-id/e` }; }],
  "GET /api/assets/{id}/transactions":                               ["1 0 0 0", () => ({ path: `/api/assets/${platform.merchant.walletId}/transactions` })],
  "POST /api/assets/{id}/top-up":                                    ["1 0 0 0", () => ({ path: `/api/assets/${platform.merchant.walletId}/top-up`, body: { value: nzd("1"), idempotencyKey: once() } })],
  "POST /api/assets/{id}/archive":                                   ["1 0 0 0", async () => ({ path: `/api/assets/${await idOf("/api/wallets", { accountId: own(), currency: "AUD" })}/archive` })],
  "GET /api/accounts/{accountId}/assets":                            ["1 0 0 0", () => ({ path: `/api/accounts/${own()}/assets` })],
  "POST /api/wallets":                                               ["1 0 0 0", () => ({ path: "/api/wallets", body: { accountId: own(), currency: "AUD" } })],

  "POST /api/accounts":                                              ["1 0 0 0", () => ({ path: "/api/accounts", body: { name: "a", type: "individual", owner: own() } })],
  "GET /api/accounts/{accountId}":                                   ["1 0 0 0", () => ({ path: `/api/accounts/${own()}` })],
  "PUT /api/accounts/{accountId}":                                   ["1 0 0 0", () => ({ path: `/api/accounts/${own()}`, body: { name: "Snack Street Ltd" } })],
  "POST /api/accounts/{accountId}/api-keys":                         ["1 0 0 0", () => ({ path: `/api/accounts/${own()}/api-keys`, body: { name: once(), role: "merchant-terminal" } })],
  "GET /api/accounts/{accountId}/api-keys":                          ["1 0 0 0", () => ({ path: `/api/accounts/${own()}/api-keys` })],
  "PUT /api/accounts/{accountId}/api-keys/{name}":                   ["1 0 0 0", async () => ({ path: `/api/accounts/${own()}/api-keys/${await apiKey()}`, body: { enabled: false } })],

  "POST /api/merchants":                                             ["1 0 0 0", () => ({ path: "/api/merchants", body: merchant() })],
  "GET /api/merchants/search":                                       ["*",       () => ({ path: "/api/merchants/search" })],
  "GET /api/merchants/{id}":                                         ["1 0 0 0", () => ({ path: `/api/merchants/${merchantId()}` })],
  "PUT /api/merchants/{id}":                                         ["1 0 0 0", () => ({ path: `/api/merchants/${merchantId()}`, body: { name: "Snack Street" } })],
  "GET /api/accounts/{accountId}/merchants":                         ["1 0 0 0", () => ({ path: `/api/accounts/${own()}/merchants` })],
  "POST /api/merchants/{id}/configs":                                ["1 0 0 0", () => ({ path: `/api/merchants/${merchantId()}/configs`, body: options() })],
  "GET /api/merchants/{id}/configs":                                 ["1 0 0 0", () => ({ path: `/api/merchants/${merchantId()}/configs` })],
  "GET /api/merchant-configs/{configId}":                            ["1 0 0 0", () => ({ path: `/api/merchant-configs/${platform.merchant.configId}` })],
  "PUT /api/merchants/{id}/configs/{configId}":                      ["1 0 0 0", () => ({ path: `/api/merchants/${merchantId()}/configs/${platform.merchant.configId}`, body: options() })],

  // On the caller's own: another account's key acts for that account.
  "POST /api/patron-codes":                                          ["1 0 1 0", () => ({ path: "/api/patron-codes" })],
  "GET /api/patron-codes/{id}":                                      ["1 1 0 1", async () => ({ path: `/api/patron-codes/${await idOf("/api/patron-codes")}` })],
  "GET /api/patron-codes/barcode/{barcode}":                         ["1 1 0 1", async () => ({ path: `/api/patron-codes/barcode/${await barcode()}` })],
  "GET /api/patron-codes/{namespace}/external-id/{externalId}":      ["1 1 0 1", async () => { await made("/api/patron-codes", { namespace: "n", externalId: "e" }); return { path: "/api/patron-codes/n/external-id/e" }; }],
  "POST /api/patron-codes/{id}/metadata":                            ["1 0 0 0", async () => ({ path: `/api/patron-codes/${await idOf("/api/patron-codes")}/metadata`, body: { metadata: { a: "1" } } })],
  "GET /api/me/patron-code-payment-request":                         ["1 1 1 1", () => ({ path: "/api/me/patron-code-payment-request" })],
  "POST /api/decode":                                                ["1 1 0 0", async () => ({ path: "/api/decode", body: { code: await barcode(), scannedBy: "merchant", merchantConfigId: platform.merchant.configId } })],
  "GET /api/test/clock":                                             ["1 0 1 0", () => ({ path: "/api/test/clock" })],
  "POST /api/test/clock/advance":                                    ["1 0 1 0", () => ({ path: "/api/test/clock/advance", body: { seconds: 1 } })],

  "POST /api/vouchers":                                              ["1 0 0 0", () => ({ path: "/api/vouchers", body: { accountId: own(), type: "voucher.nzd.test", value: nzd("100") } })],
  "GET /api/vouchers/{id}":                                          ["1 0 0 0", async () => ({ path: `/api/vouchers/${await voucher()}` })],
  "GET /api/accounts/{accountId}/vouchers":                          ["1 0 0 0", () => ({ path: `/api/accounts/${own()}/vouchers` })],
  "POST /api/vouchers/{id}/cancel":                                  ["1 0 0 0", async () => ({ path: `/api/vouchers/${await voucher()}/cancel` })],
  "POST /api/collections":                                           ["1 0 0 0", () => ({ path: "/api/collections", body: { name: "c", accountId: own(), type: "product" } })],
  "GET /api/accounts/{accountId}/collections":                       ["1 0 0 0", () => ({ path: `/api/accounts/${own()}/collections` })],
  "POST /api/collections/{id}/redemption-conditions":                ["1 0 0 0", async () => ({ path: `/api/collections/${await collection()}/redemption-conditions`, body: { merchantId: merchantId(), allowedProducts: [product] } })],
  "POST /api/collections/{id}/redemption-conditions/{conditionId}/set-allowed-products": ["1 0 0 0", async () => ({ path: `${await condition()}/set-allowed-products`, body: { allowedProducts: [product] } })],
  "POST /api/tokens":                                                ["1 0 0 0", async () => ({ path: "/api/tokens", body: { collectionId: await collection(), idempotencyKey: once() } })],

  "GET /api/.well-known/jwks.json":                                  ["*",       () => ({ path: "/api/.well-known/jwks.json" })],
  "POST /api/webhook-subscriptions":                                 ["1 0 0 0", () => ({ path: "/api/webhook-subscriptions", body: { accountId: own(), url: "http://127.0.0.1:9/", types: ["payment-request:paid"] } })],
  "GET /api/accounts/{accountId}/webhook-subscriptions":             ["1 0 0 0", () => ({ path: `/api/accounts/${own()}/webhook-subscriptions` })],
  "GET /api/webhook-subscriptions/{id}":                             ["1 0 0 0", () => ({ path: `/api/webhook-subscriptions/${subscriptionId}` })],
  "PUT /api/webhook-subscriptions/{id}":                             ["1 0 0 0", () => ({ path: `/api/webhook-subscriptions/${subscriptionId}`, body: { description: "d" } })],
  "DELETE /api/webhook-subscriptions/{id}":                          ["1 0 0 0", async () => ({ path: `/api/webhook-subscriptions/${await subscription()}` })],
  "GET /api/webhook-subscriptions/{id}/deliveries":                  ["1 0 0 0", () => ({ path: `/api/webhook-subscriptions/${subscriptionId}/deliveries` })],
  "POST /api/webhook-deliveries/{id}/redeliver":                     ["1 0 0 0", async () => ({ path: `/api/webhook-deliveries/${await delivery()}/redeliver` })],
  "GET /api/notifications":                                          ["1 0 0 0", () => ({ path: `/api/notifications?accountId=${own()}` })],
};

describe("every published operation", () => {
  test("has a row, and no row is of something else", () => {
    expect(Object.keys(matrix).sort()).toEqual([...platform.contract.operations].sort());
  });

  const METHODS = { GET: "get", POST: "post", PUT: "put", DELETE: "del" } as const;
  test.each(Object.entries(matrix))("%s", async (operation, [allowed, ask]) => {
    const [name] = operation.split(" ");
    const method = Object.entries(METHODS).find(([known]) => known === name)?.[1];
    if (method === undefined) throw new Error(`${operation} has no method that is known here`);
    const { merchant: mine } = platform;
    const callers = [
      { accountId: mine.ownerAccountId, key: mine.ownerKey },
      { accountId: mine.ownerAccountId, key: mine.terminalKey },
      { accountId: other.ownerAccountId, key: other.ownerKey },
      { accountId: other.ownerAccountId, key: other.terminalKey },
    ];
    const statusFor = async (who: Who, key: string): Promise<number> => {
      const { path, body = {} } = await ask(who);
      return (
        await (method === "get" || method === "del"
          ? platform[method](key, path)
          : platform[method](key, path, body))
      ).status;
    };
    const statuses: number[] = [];
    for (const { key, ...who } of callers) {
      platform.clock.advance(1);
      statuses.push(await statusFor(who, key));
    }
    const isOpen = allowed === "*";
    const expected = isOpen
      ? [200, 200, 200, 200]
      : allowed.split(" ").map((may) => (may === "1" ? 200 : 403));
    expect(statuses).toEqual(expected);
    expect(await statusFor({ accountId: own() }, "")).toBe(isOpen ? 200 : 401);
  });
});
