/** `/api/assets` and `/api/wallets`. */
import { z } from "zod";
import { currency, money } from "../../../broker/protocol/money.js";
import type { Endpoints } from "../../http/endpoint.js";
import type { Caller } from "../api-key.js";
import type { Assets } from "../assets.js";
import { pageQuery } from "../../http/page.js";
import { text } from "../request-form.js";
import { asset, assetSummary, assetTransaction, pageOf } from "./answers.js";

const byId = z.object({ id: z.string() });
const tag = "Assets";

export function assetRoutes({ keyed, open }: Endpoints<Caller>, assets: Assets): void {
  keyed(
    {
      method: "GET",
      url: "/api/assets/:id",
      name: "getAsset",
      says: "An asset and its balance.",
      tag,
      params: byId,
      answer: asset,
    },
    ({ caller, params }) => assets.get(caller, params.id),
  );
  open(
    {
      method: "GET",
      url: "/api/assets/:id/summary",
      name: "getAssetSummary",
      says: "What anyone may see of an asset: not whose it is, and not how much it holds.",
      tag,
      params: byId,
      answer: assetSummary,
      faults: ["FORBIDDEN"],
    },
    ({ params }) => assets.summary(params.id),
  );
  keyed(
    {
      method: "GET",
      url: "/api/assets/:assetType/external-id/:externalId",
      name: "getAssetByExternalId",
      says: "The caller's newest asset of this type that has this name elsewhere.",
      tag,
      params: z.object({
        assetType: text(64).meta({ description: "Such as centrapay.token.test." }),
        externalId: text(255).meta({ description: "What the asset is called elsewhere." }),
      }),
      answer: asset,
    },
    ({ caller, params }) => assets.byExternalId(caller, params.assetType, params.externalId),
  );
  keyed(
    {
      method: "GET",
      url: "/api/assets/:id/transactions",
      name: "listAssetTransactions",
      says: "What went in and out of an asset, newest first.",
      tag,
      params: byId,
      query: pageQuery,
      answer: pageOf(assetTransaction),
    },
    ({ caller, params, query }) => assets.transactions(caller, params.id, query),
  );
  keyed(
    {
      method: "POST",
      url: "/api/assets/:id/top-up",
      name: "topUpTestAsset",
      says: "Put test money into a wallet of test money.",
      tag,
      params: byId,
      body: z.object({ value: money, idempotencyKey: text(255) }),
      answer: assetTransaction,
      faults: ["INVALID_ASSET_TYPE", "INACTIVE_ASSET", "INVALID_AMOUNT", "IDEMPOTENT_OPERATION_FAILED"],
      experimental: true,
    },
    ({ caller, params, body }) => assets.topUp(caller, params.id, body),
  );
  keyed(
    {
      method: "POST",
      url: "/api/assets/:id/archive",
      name: "archiveAsset",
      says: "Put an empty wallet or a token away.",
      tag,
      params: byId,
      answer: asset,
      faults: ["UNSUPPORTED_ASSET_TYPE"],
    },
    ({ caller, params }) => assets.archive(caller, params.id),
  );
  keyed(
    {
      method: "GET",
      url: "/api/accounts/:accountId/assets",
      name: "listAssets",
      says: "The account's assets, newest first.",
      tag,
      params: z.object({ accountId: z.string() }),
      query: pageQuery.extend({
        externalId: text(255).optional().meta({ description: "Only what has this name elsewhere." }),
      }),
      answer: pageOf(asset),
    },
    ({ caller, params, query }) => assets.ofAccount(caller, params.accountId, query),
  );
  keyed(
    {
      method: "POST",
      url: "/api/wallets",
      name: "createWallet",
      says: "Open a wallet.",
      tag,
      body: z.object({ accountId: text(64), currency }),
      answer: asset,
    },
    ({ caller, body }) => assets.createWallet(caller, body.accountId, body.currency),
  );
}
