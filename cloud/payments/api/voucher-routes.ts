/** `/api/vouchers`, `/api/collections` and `/api/tokens`. */
import { z } from "zod";
import { money } from "../../../broker/protocol/money.js";
import type { Endpoints } from "../../http/endpoint.js";
import { EXPERIMENTAL } from "../../http/experimental.js";
import type { Caller } from "../api-key.js";
import { pageQuery } from "../../http/page.js";
import { collectionId, text } from "../request-form.js";
import type { Tokens } from "../tokens.js";
import type { Vouchers } from "../vouchers.js";
import { collection, newToken, newVoucher, pageOf, redemptionCondition, voucher } from "./answers.js";

const byId = z.object({ id: z.string() });
const ofAccount = z.object({ accountId: z.string() });
const later = z.iso.datetime({ error: "must be a time, as 2026-12-31T00:00:00.000Z" });
const product = z.object({ sku: text(255), name: text(255), maxValue: money });
const allowedProducts = z.array(product).min(1, "must not be empty").max(500, "must be at most 500 products");

export function voucherRoutes({ keyed }: Endpoints<Caller>, vouchers: Vouchers): void {
  const usual = { tag: "Vouchers", experimental: true } as const;
  keyed(
    {
      ...usual,
      method: "POST",
      url: "/api/vouchers",
      name: "createVoucher",
      says: "Issue a voucher. Its code is shown this once.",
      body: z.object({
        accountId: text(64),
        type: text(64),
        value: money,
        walletId: text(64).optional(),
        expiresAt: later.optional(),
      }),
      answer: newVoucher,
      faults: [
        "INVALID_ASSET_TYPE",
        "INVALID_WALLET_TYPE",
        "INACTIVE_ASSET",
        "INVALID_AMOUNT",
        "INSUFFICIENT_ASSET_VALUE",
      ],
    },
    ({ caller, body }) => vouchers.create(caller, body),
  );
  keyed(
    {
      ...usual,
      method: "GET",
      url: "/api/vouchers/:id",
      name: "getVoucher",
      says: "A voucher, without its code.",
      params: byId,
      answer: voucher,
    },
    ({ caller, params }) => vouchers.get(caller, params.id),
  );
  keyed(
    {
      ...usual,
      method: "GET",
      url: "/api/accounts/:accountId/vouchers",
      name: "listVouchers",
      says: "The vouchers an account has issued, newest first.",
      params: ofAccount,
      query: pageQuery,
      answer: pageOf(voucher),
    },
    ({ caller, params, query }) => vouchers.ofAccount(caller, params.accountId, query),
  );
  keyed(
    {
      ...usual,
      method: "POST",
      url: "/api/vouchers/:id/cancel",
      name: "cancelVoucher",
      says: "Take what is left on a voucher back.",
      params: byId,
      answer: voucher,
    },
    ({ caller, params }) => vouchers.cancel(caller, params.id),
  );
}

export function tokenRoutes({ keyed }: Endpoints<Caller>, tokens: Tokens): void {
  const tag = "Tokens";
  keyed(
    {
      method: "POST",
      url: "/api/collections",
      name: "createCollection",
      says: "Make a collection that tokens can be minted of.",
      tag,
      body: z
        .object({
          name: text(255),
          accountId: text(64),
          type: z.enum(["product", "discount"]),
          maxValue: money.optional(),
          tokenExpiresAt: later.optional(),
          tokenExpiresAfter: z
            .object({
              period: z.enum(["minute", "hour", "day", "week", "month", "year"]),
              duration: z.int().positive().max(1_000),
            })
            .optional(),
          externalId: text(255).optional(),
        })
        .refine(({ type, maxValue }) => type === "product" || maxValue !== undefined, {
          path: ["maxValue"],
          message: "is required for a discount",
        }),
      answer: collection,
    },
    ({ caller, body }) => tokens.createCollection(caller, body),
  );
  keyed(
    {
      method: "GET",
      url: "/api/accounts/:accountId/collections",
      name: "listCollections",
      says: "The account's collections, newest first.",
      tag,
      params: ofAccount,
      query: pageQuery,
      answer: pageOf(collection),
    },
    ({ caller, params, query }) => tokens.collectionsOf(caller, params.accountId, query),
  );
  keyed(
    {
      method: "POST",
      url: "/api/collections/:id/redemption-conditions",
      name: "setRedemptionConditions",
      says: "Say what a merchant gives for the collection's tokens.",
      tag,
      params: byId,
      body: z.object({ merchantId: text(64), allowedProducts }),
      answer: redemptionCondition,
    },
    ({ caller, params, body }) => tokens.setProducts(caller, params.id, body),
  );
  keyed(
    {
      method: "POST",
      url: "/api/collections/:id/redemption-conditions/:conditionId/set-allowed-products",
      name: "setAllowedProducts",
      says: "Put other products in the place of a redemption condition's. Payment requests already made keep theirs.",
      tag,
      params: byId.extend({
        conditionId: text(64).meta({ description: "The redemption condition's id." }),
      }),
      body: z.object({ allowedProducts }),
      answer: redemptionCondition,
    },
    ({ caller, params, body: { allowedProducts: products } }) =>
      tokens.replaceProducts(caller, params.id, params.conditionId, products),
  );
  keyed(
    {
      method: "POST",
      url: "/api/tokens",
      name: "createToken",
      says: "Mint a token of a collection, into an account.",
      tag,
      body: z.object({
        collectionId,
        idempotencyKey: text(255),
        accountId: text(64).optional(),
        externalId: text(255).optional(),
        withCode: z
          .boolean()
          .optional()
          .meta({
            ...EXPERIMENTAL,
            description: "Whether it gets a code, for people to type: whoever has it can spend the token.",
          }),
      }),
      answer: newToken,
      faults: ["TOKEN_COLLECTION_NOT_FOUND", "TOKEN_ALREADY_CREATED"],
    },
    ({ caller, body }) => tokens.mint(caller, body),
  );
}
