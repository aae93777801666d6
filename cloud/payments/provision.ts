/**
 * Setting up merchants and wallets, each in the caller's transaction.
 *
 * API keys are answered in full here and nowhere again: whoever calls keeps them.
 */
import type { Money } from "../../broker/protocol/money.js";
import { newId } from "../../broker/protocol/id.js";
import type { Tx } from "../store/store.js";
import { regions } from "./account-form.js";
import { insertAccount } from "./account-rows.js";
import { insertApiKey } from "./api-key.js";
import { testMoney, testVoucher } from "./asset-type.js";
import { insertWallet, issueTestMoney } from "./assets.js";
import { openTestIssuance } from "./ledger.js";
import type { Making } from "./making.js";
import { toSearchName } from "./merchants.js";
import type { NotificationType } from "./request.js";
import { findCollection, insertCollection, mintToken, putCondition, type Product } from "./tokens.js";
import { lockSubscriptions } from "./webhook-subscriptions.js";
import { issueVoucher } from "./vouchers.js";
import type { AccountRow } from "./wire.js";

export type { Making };
export type NewMerchant = {
  /** The account's name; its API keys are called "owner" and "terminal". */
  readonly name: string;
  /** What customers read. */
  readonly merchantName: string;
  readonly country: string;
  readonly currency: string;
  /** Where a customer's browser may be sent back to. */
  readonly allowedRedirectUrls: readonly string[];
  /** Whether it is paid with vouchers too. */
  readonly vouchers?: boolean;
  /** What it gives for tokens of a collection of its own. */
  readonly gives?: readonly Product[];
};
export type ProvisionedMerchant = {
  readonly ownerAccountId: string;
  readonly ownerKey: string;
  readonly terminalKey: string;
  readonly merchantId: string;
  readonly configId: string;
  readonly walletId: string;
  /** Of the tokens it gives something for. */
  readonly collectionId: string | undefined;
};

/** An account with a merchant, a wallet to be paid into, a config that names it, and a key for each role. */
export async function provisionMerchant(
  tx: Tx,
  making: Making,
  asked: NewMerchant,
): Promise<ProvisionedMerchant> {
  const nowMs = making.clock.nowMs();
  const region = regions.find((known) => known === asked.country) ?? null;
  const { ownerAccountId, ownerKey } = await provisionAccount(tx, making, {
    type: "org",
    name: asked.name,
    region,
  });
  const terminal = { name: "terminal", role: "merchant-terminal", createdBy: PROVISIONED } as const;
  const terminalKey = await insertApiKey(tx, making, ownerAccountId, terminal);
  const walletId = (await insertWallet(tx, making, ownerAccountId, asked.currency)).id;
  const merchantId = newId(nowMs, making.random);
  await tx
    .insertInto("merchant")
    .values({
      id: merchantId,
      account_id: ownerAccountId,
      name: asked.merchantName,
      search_name: toSearchName(asked.merchantName),
      country: asked.country,
      test: 1,
      created_ms: nowMs,
      modified_ms: nowMs,
    })
    .execute();
  const types = [
    testMoney(asked.currency),
    ...(asked.vouchers === true ? [testVoucher(asked.currency)] : []),
  ];
  const options: object[] = types.map((type) => ({ type, walletId }));
  const { gives } = asked;
  let collectionId: string | undefined;
  if (gives !== undefined) {
    const collection = { name: gives.map(({ name }) => name).join(", "), accountId: ownerAccountId } as const;
    collectionId = (await insertCollection(tx, making, { ...collection, type: "product" })).id;
    await putCondition(tx, making, { collectionId, merchantId, allowedProducts: gives });
    options.push({ type: TEST_TOKEN, collectionIds: [collectionId] });
  }
  const configId = `mc_${newId(nowMs, making.random)}`;
  await tx
    .insertInto("merchant_config")
    .values({
      id: configId,
      merchant_id: merchantId,
      payment_options: JSON.stringify(options),
      allowed_redirect_urls: JSON.stringify(asked.allowedRedirectUrls),
      created_ms: nowMs,
      modified_ms: nowMs,
    })
    .execute();
  return { ownerAccountId, ownerKey, terminalKey, merchantId, configId, walletId, collectionId };
}

export type NewWallet = { readonly name: string; readonly currency: string; readonly topUpMinor: number };
export type ProvisionedWallet = {
  readonly accountId: string;
  readonly apiKey: string;
  readonly assetId: string;
};

/** A person's account with one wallet of test money, filled with `topUpMinor` (0 leaves it empty). */
export async function provisionWallet(tx: Tx, making: Making, asked: NewWallet): Promise<ProvisionedWallet> {
  const { ownerAccountId, ownerKey } = await provisionAccount(tx, making, {
    type: "individual",
    name: asked.name,
    region: null,
  });
  const asset = await insertWallet(tx, making, ownerAccountId, asked.currency);
  if (asked.topUpMinor > 0)
    await issueTestMoney(tx, making, { id: asset.id, currency: asked.currency }, asked.topUpMinor);
  return { accountId: ownerAccountId, apiKey: ownerKey, assetId: asset.id };
}

/** A voucher of test money that this account issues; answers its code. */
export async function provisionVoucher(
  tx: Tx,
  making: Making,
  { accountId, value }: { readonly accountId: string; readonly value: Money },
): Promise<string> {
  const type = testVoucher(value.currency);
  const funded = await openTestIssuance(tx, value.currency);
  return (await issueVoucher(tx, making, { accountId, type, value }, funded)).code;
}

/** A token of this collection that whoever has its code can spend; answers the code. */
export async function provisionToken(
  tx: Tx,
  making: Making,
  of: { readonly accountId: string; readonly collectionId: string; readonly idempotencyKey: string },
): Promise<string> {
  const collection = await findCollection(tx, of.collectionId);
  if (collection === undefined) throw new Error(`there is no collection ${of.collectionId}`);
  const { code } = await mintToken(tx, making, collection, { ...of, withCode: true }, PROVISIONED);
  if (code === undefined) throw new Error("a token was to have a code and has none");
  return code;
}

/**
 * Points the account's provisioned webhook at `url`, for these types; subscriptions made through the API stay as they are.
 * What already waits in the outbox goes there too.
 */
export async function setWebhookUrl(
  tx: Tx,
  { clock, random }: Making,
  accountId: string,
  url: string,
  types: readonly NotificationType[],
): Promise<void> {
  const nowMs = clock.nowMs();
  const wanted = { url, types: types.join(" "), modified_ms: nowMs, modified_by: PROVISIONED };
  await lockSubscriptions(tx, accountId);
  const known = await tx
    .updateTable("webhook_subscription")
    .set((e) => ({ ...wanted, version: e("version", "+", 1) }))
    .where("account_id", "=", accountId)
    .where("created_by", "=", PROVISIONED)
    .where("deleted_ms", "is", null)
    .returning("id")
    .execute();
  if (known.length > 0) return;
  await tx
    .insertInto("webhook_subscription")
    .values({
      id: newId(nowMs, random),
      account_id: accountId,
      ...wanted,
      description: null,
      enabled: 1,
      created_ms: nowMs,
      created_by: PROVISIONED,
      version: 1,
      deleted_ms: null,
    })
    .execute();
}

const TEST_TOKEN = "centrapay.token.test";
const PROVISIONED = "crn::service:provision";

/** Whoever is set up by hand runs a backend, which asks for many machines and customers. */
const REQUESTS_PER_MINUTE = 1_000_000;

async function provisionAccount(
  tx: Tx,
  making: Making,
  account: Pick<AccountRow, "type" | "name" | "region">,
): Promise<{ readonly ownerAccountId: string; readonly ownerKey: string }> {
  const nowMs = making.clock.nowMs();
  const ownerAccountId = newId(nowMs, making.random);
  await insertAccount(tx, {
    ...account,
    id: ownerAccountId,
    test: 1,
    parent_account_id: null,
    requests_per_minute: REQUESTS_PER_MINUTE,
    clock_offset_ms: 0,
    created_ms: nowMs,
    created_by: PROVISIONED,
    modified_ms: nowMs,
    modified_by: PROVISIONED,
    version: 1,
  });
  const owner = { name: "owner", role: "account-owner", createdBy: PROVISIONED } as const;
  return { ownerAccountId, ownerKey: await insertApiKey(tx, making, ownerAccountId, owner) };
}
