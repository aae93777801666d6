/** Wallets: money that this platform's own ledger keeps, named by `assetId`. */
import { Fault } from "../../http/fault.js";
import { permit } from "../api-key.js";
import { readAssetType } from "../asset-type.js";
import { findAsset, reopenWallet } from "../assets.js";
import type { AssetProvider } from "../provider.js";

export const wallets: AssetProvider = {
  handles: (assetType) => readAssetType(assetType)?.category === "money",
  async find(tx, { caller, form }) {
    if (form.assetId === undefined) throw new Fault("MALFORMED", "assetId: is needed for this assetType");
    const asset = await findAsset(tx, form.assetId);
    permit(caller, "assets:spend", asset?.account_id);
    if (asset === undefined) throw new Fault("FORBIDDEN");
    return {
      id: asset.id,
      type: asset.type,
      assetId: asset.id,
      accountId: asset.account_id,
      active: asset.status === "active",
      availableMinor: asset.balance_minor ?? 0,
      whole: false,
      lines: null,
      walletId: null,
    };
  },
  /** Archived meanwhile, it is opened again: money that nobody can spend would be kept. */
  returned: (tx, { payment: { sourceId } }) => reopenWallet(tx, sourceId),
};
