/**
 * External tenders: cash in the till, a card terminal of somebody else's. The merchant vouches for them with a `transactionId`.
 *
 * The ledger books them between two accounts of the merchant's: what customers have paid outside, and what is in the till.
 * No wallet's balance changes, and a refund is for the merchant to hand out.
 */
import { Fault } from "../../http/fault.js";
import { readAssetType } from "../asset-type.js";
import { openAccount } from "../ledger.js";
import type { AssetProvider } from "../provider.js";

export const external: AssetProvider = {
  handles: (assetType) => readAssetType(assetType)?.category === "external",
  async find(tx, { caller, request, form, option }) {
    if (form.transactionId === undefined)
      throw new Fault("MALFORMED", "transactionId: is needed for this assetType");
    // Only who is owed the money may say that it was paid elsewhere.
    if (caller.accountId !== request.merchant_account_id) throw new Fault("FORBIDDEN");
    const { currency } = request;
    const of = `${request.merchant_account_id}.${currency.toLowerCase()}`;
    return {
      id: await openAccount(tx, "clearing", `outside.${of}`, currency),
      type: form.assetType,
      assetId: null,
      accountId: null,
      active: true,
      availableMinor: option.amountMinor,
      whole: false,
      lines: null,
      walletId: await openAccount(tx, "clearing", `till.${of}`, currency),
    };
  },
};
