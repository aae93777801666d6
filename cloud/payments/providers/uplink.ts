/**
 * Money that a provider elsewhere keeps, and moves when it is called; `authorization` is the payer's word to it.
 *
 * The ledger books it between two clearing accounts: what the provider owes, and what the merchant is owed of it. (With a
 * `walletId`, the option pays into that instead.) What is given back is owed to the provider as a call, written with the refund.
 */
import { Fault } from "../../http/fault.js";
import { readAssetType } from "../asset-type.js";
import { openAccount } from "../ledger.js";
import type { AssetProvider } from "../provider.js";
import { insertRefunding } from "../uplink-rows.js";

export const uplinkProvider: AssetProvider = {
  handles: (assetType) => readAssetType(assetType)?.category === "uplink",
  async find(tx, { request, form, option }) {
    if (form.authorization === undefined)
      throw new Fault("MALFORMED", "authorization: is needed for this assetType");
    const { currency, merchant_account_id: merchant } = request;
    return {
      id: await openAccount(tx, "clearing", `uplink.${currency.toLowerCase()}`, currency),
      type: form.assetType,
      assetId: null,
      accountId: null, // whose money it is, the provider knows
      active: true,
      availableMinor: option.amountMinor,
      whole: false,
      lines: null,
      walletId:
        option.walletId ??
        (await openAccount(tx, "clearing", `uplink.${merchant}.${currency.toLowerCase()}`, currency)),
    };
  },
  returned: insertRefunding,
};
