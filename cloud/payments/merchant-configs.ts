/**
 * Merchant configs: what a merchant takes, and where each kind of money goes.
 *
 * Owns      the table merchant_config.
 * Promises  an option that is kept could be paid: its wallet was there, was the merchant's account's, and kept what the option
 *           takes; its collections were there; and it is of test money exactly when the merchant is a test. What has changed
 *           since, the next payment request leaves out.
 *           Payment requests that were made before a change keep the options they were made with.
 */
import { newId } from "../../broker/protocol/id.js";
import { Fault } from "../http/fault.js";
import { lockName } from "../store/locks.js";
import type { Store, Tx } from "../store/store.js";
import { permit, type Caller } from "./api-key.js";
import { paysIntoNone, readAssetType } from "./asset-type.js";
import { findAsset } from "./assets.js";
import type { Making } from "./making.js";
import { livenessOfType, type MerchantConfigForm, type PaymentOption } from "./merchant-form.js";
import { findMerchant } from "./merchants.js";
import { renderMerchantConfig, type MerchantConfigRow, type MerchantRow } from "./wire.js";

/** Configs of one merchant: the list is not paged. */
const QUOTA = 100;

export class MerchantConfigs {
  readonly #parts: Making & { readonly store: Store };

  constructor(parts: Making & { readonly store: Store }) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN, INVALID_WALLET_TYPE, LIVENESS_MISMATCH, COLLECTIONS_INVALID, QUOTA_EXCEEDED. */
  create(caller: Caller, merchantId: string, form: MerchantConfigForm): Promise<object> {
    const { store, clock, random } = this.#parts;
    return store.write(async (tx) => {
      const merchant = await findMerchant(tx, caller, "merchant-configs:write", merchantId);
      await check(tx, merchant, form.paymentOptions);
      await lockName(tx, `merchant_config ${merchantId}`); // so that none is added between the count and this one
      const { total } = await tx
        .selectFrom("merchant_config")
        .select((e) => e.fn.countAll<number>().as("total"))
        .where("merchant_id", "=", merchantId)
        .executeTakeFirstOrThrow();
      if (total >= QUOTA) throw new Fault("QUOTA_EXCEEDED", `a merchant has at most ${QUOTA} configs`);
      const nowMs = clock.nowMs();
      const row: MerchantConfigRow = {
        id: `mc_${newId(nowMs, random)}`,
        merchant_id: merchantId,
        payment_options: JSON.stringify(form.paymentOptions),
        allowed_redirect_urls: JSON.stringify(form.allowedRedirectUrls ?? []),
        created_ms: nowMs,
        created_by: caller.crn,
        modified_ms: nowMs,
        modified_by: caller.crn,
        version: 1,
      };
      await tx.insertInto("merchant_config").values(row).execute();
      return renderMerchantConfig(row);
    });
  }

  /** Every config of the merchant, oldest first. Raises FORBIDDEN. */
  async list(caller: Caller, merchantId: string): Promise<readonly object[]> {
    const { read } = this.#parts.store;
    await findMerchant(read, caller, "merchant-configs:read", merchantId);
    const rows = await read
      .selectFrom("merchant_config")
      .selectAll()
      .where("merchant_id", "=", merchantId)
      .orderBy("id")
      .execute();
    return rows.map(renderMerchantConfig);
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller, id: string): Promise<object> {
    const row = await this.#parts.store.read
      .selectFrom("merchant_config")
      .innerJoin("merchant", "merchant.id", "merchant_config.merchant_id")
      .selectAll("merchant_config")
      .select("merchant.account_id")
      .where("merchant_config.id", "=", id)
      .executeTakeFirst();
    permit(caller, "merchant-configs:read", row?.account_id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    return renderMerchantConfig(row);
  }

  /** Raises FORBIDDEN, INVALID_WALLET_TYPE, LIVENESS_MISMATCH, COLLECTIONS_INVALID. */
  update(caller: Caller, merchantId: string, id: string, form: MerchantConfigForm): Promise<object> {
    const { store, clock } = this.#parts;
    const { paymentOptions, allowedRedirectUrls } = form;
    return store.write(async (tx) => {
      const merchant = await findMerchant(tx, caller, "merchant-configs:write", merchantId);
      await check(tx, merchant, paymentOptions);
      const row = await tx
        .updateTable("merchant_config")
        .set((e) => ({
          payment_options: JSON.stringify(paymentOptions),
          ...(allowedRedirectUrls === undefined
            ? {}
            : { allowed_redirect_urls: JSON.stringify(allowedRedirectUrls) }),
          modified_ms: clock.nowMs(),
          modified_by: caller.crn,
          version: e("version", "+", 1),
        }))
        .where("id", "=", id)
        .where("merchant_id", "=", merchantId)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw new Fault("FORBIDDEN");
      return renderMerchantConfig(row);
    });
  }
}

async function check(tx: Tx, merchant: MerchantRow, options: readonly PaymentOption[]): Promise<void> {
  const liveness = merchant.test === 1 ? "test" : "main";
  for (const option of options) {
    if (livenessOfType(option.type) !== liveness)
      throw new Fault("LIVENESS_MISMATCH", `${option.type}: the merchant takes ${liveness} money only`);
    await checkWallet(tx, merchant, option);
    await checkCollections(tx, option);
  }
}

/** Into the wallet goes what the option takes: money of its currency, if it has one, and of its liveness. */
async function checkWallet(tx: Tx, merchant: MerchantRow, { type, walletId }: PaymentOption): Promise<void> {
  const taken = readAssetType(type);
  if (walletId === undefined) {
    if (taken?.category === "money" || taken?.category === "giftcard")
      throw new Fault("INVALID_WALLET_TYPE", `${type}: needs a walletId`);
    return;
  }
  if (taken !== undefined && paysIntoNone(taken))
    throw new Fault("INVALID_WALLET_TYPE", `${type}: is paid into no wallet; leave walletId out`);
  const wallet = await findAsset(tx, walletId);
  const kept = wallet && readAssetType(wallet.type);
  if (wallet?.account_id !== merchant.account_id || kept?.category !== "money" || wallet.status !== "active")
    throw new Fault("INVALID_WALLET_TYPE", `${type}: ${walletId} is not a wallet of the merchant's account`);
  const isOther = taken?.currency !== undefined && taken.currency !== kept.currency;
  if (isOther || kept.liveness !== livenessOfType(type))
    throw new Fault("INVALID_WALLET_TYPE", `${type}: ${walletId} keeps ${wallet.type}`);
}

/** Any account's collections: what is given for their tokens, each collection says itself. */
async function checkCollections(tx: Tx, { type, collectionIds }: PaymentOption): Promise<void> {
  if (collectionIds === undefined) return;
  if (readAssetType(type)?.category !== "token")
    throw new Fault("COLLECTIONS_INVALID", `${type}: takes no tokens`);
  const wanted = new Set(collectionIds);
  const known =
    wanted.size === 0
      ? []
      : await tx
          .selectFrom("collection")
          .select("id")
          .where("id", "in", [...wanted])
          .execute();
  if (known.length !== collectionIds.length)
    throw new Fault("COLLECTIONS_INVALID", `${type}: a collection is not there, or is named twice`);
}
