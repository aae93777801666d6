/**
 * Tokens: assets of a collection, each spent whole, for the products (or off the basket) that a merchant gives for it.
 *
 * Owns      the tables collection, redemption_condition and token, and the asset of each token.
 * Promises  a token is minted once a key; it pays for one unit of one line of a request, or takes its value off the basket;
 *           spent, it is archived, and it comes back whole if the payment is refunded. A unit that one token paid for, no
 *           other does; what is taken off the basket pays for none. A token that was minted with a code is spent by its owner
 *           or by whoever has that code, which is kept as its hash.
 *           What merchants were paid with tokens stands in the ledger as the issuer's debt.
 */
import { z } from "zod";
import { newId } from "../../broker/protocol/id.js";
import { toMinor, type Money } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import type { Reader, Store, Tx } from "../store/store.js";
import { accountNowMs } from "./account-rows.js";
import { permit, type Caller } from "./api-key.js";
import { describeAssetType, readAssetType } from "./asset-type.js";
import { findAsset, lockAsset } from "./assets.js";
import { openAccount } from "./ledger.js";
import type { Making } from "./making.js";
import { newestFirst, pageSize, toPage, type Page, type PageQuery } from "../http/page.js";
import type { AssetProvider, Spending } from "./provider.js";
import type { LineItems } from "./request-form.js";
import type { AcceptedCollection, Line } from "./request.js";
import { keepGood } from "./returned-value.js";
import { byTypedCode } from "./typed-codes.js";
import { hashOf, newVoucherCode } from "./voucher-code.js";
import { renderAsset, renderCollection, type AssetRow, type CollectionRow } from "./wire.js";

export type Product = { readonly sku: string; readonly name: string; readonly maxValue: Money };
const products = z.array(
  z.object({
    sku: z.string(),
    name: z.string(),
    maxValue: z.object({ amount: z.string(), currency: z.string() }),
  }),
);
const life = z.object({
  period: z.enum(["minute", "hour", "day", "week", "month", "year"]),
  duration: z.int().positive(),
});
export type NewCollection = {
  readonly name: string;
  readonly accountId: string;
  readonly type: "product" | "discount";
  readonly maxValue?: Money | undefined;
  readonly tokenExpiresAt?: string | undefined;
  readonly tokenExpiresAfter?: z.infer<typeof life> | undefined;
  readonly externalId?: string | undefined;
};

export class Tokens {
  readonly #parts: Making & { readonly store: Store };

  constructor(parts: Making & { readonly store: Store }) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN. */
  createCollection(caller: Caller, asked: NewCollection): Promise<object> {
    permit(caller, "collections:write", asked.accountId);
    return this.#parts.store.write(async (tx) =>
      renderCollection(await insertCollection(tx, this.#parts, asked)),
    );
  }

  /** Newest first. Raises FORBIDDEN. */
  async collectionsOf(caller: Caller, accountId: string, query: PageQuery): Promise<Page<object>> {
    permit(caller, "collections:read", accountId);
    const size = pageSize(query);
    const rows = await this.#parts.store.read
      .selectFrom("collection")
      .selectAll()
      .where("account_id", "=", accountId)
      .$call(newestFirst("id", query))
      .execute();
    return toPage(rows, size, (row) => row.id, renderCollection);
  }

  /** What a merchant gives for this collection's tokens; said again, it takes the place of what was said. Raises FORBIDDEN. */
  setProducts(
    caller: Caller,
    collectionId: string,
    {
      merchantId,
      allowedProducts,
    }: { readonly merchantId: string; readonly allowedProducts: readonly Product[] },
  ): Promise<object> {
    return this.#parts.store.write(async (tx) => {
      const collection = await findCollection(tx, collectionId);
      permit(caller, "collections:write", collection?.account_id);
      if (collection?.type !== "product")
        throw new Fault("MALFORMED", "collectionId: a discount is for a whole basket, not for products");
      const merchant = await tx
        .selectFrom("merchant")
        .select("id")
        .where("id", "=", merchantId)
        .executeTakeFirst();
      if (merchant === undefined) throw new Fault("FORBIDDEN");
      const id = await putCondition(tx, this.#parts, { collectionId, merchantId, allowedProducts });
      return { id, collectionId, merchantId, allowedProducts };
    });
  }

  /** Other products in the place of a condition's. Requests that were made before keep their options. Raises FORBIDDEN. */
  replaceProducts(
    caller: Caller,
    collectionId: string,
    conditionId: string,
    allowedProducts: readonly Product[],
  ): Promise<object> {
    return this.#parts.store.write(async (tx) => {
      permit(caller, "collections:write", (await findCollection(tx, collectionId))?.account_id);
      const condition = await tx
        .updateTable("redemption_condition")
        .set({ allowed_products: JSON.stringify(allowedProducts) })
        .where("id", "=", conditionId)
        .where("collection_id", "=", collectionId)
        .returning("merchant_id")
        .executeTakeFirst();
      if (condition === undefined) throw new Fault("FORBIDDEN");
      return { id: conditionId, collectionId, merchantId: condition.merchant_id, allowedProducts };
    });
  }

  /**
   * A token for `accountId` (or the caller); its code, if it is to have one, is answered here and nowhere again.
   * Raises FORBIDDEN, TOKEN_COLLECTION_NOT_FOUND, TOKEN_ALREADY_CREATED.
   */
  mint(
    caller: Caller,
    asked: Omit<NewToken, "accountId"> & {
      readonly collectionId: string;
      readonly accountId?: string | undefined;
    },
  ): Promise<object> {
    return this.#parts.store.write(async (tx) => {
      const collection = await findCollection(tx, asked.collectionId);
      if (collection === undefined) throw new Fault("TOKEN_COLLECTION_NOT_FOUND");
      permit(caller, "tokens:write", collection.account_id);
      const accountId = asked.accountId ?? caller.accountId;
      const { id, code } = await mintToken(tx, this.#parts, collection, { ...asked, accountId }, caller.crn);
      const asset = await findAsset(tx, id);
      if (asset === undefined) throw new Error("a token was made and is not there");
      return { ...renderAsset(asset), ...(code === undefined ? {} : { code }) };
    });
  }
}

export type NewToken = {
  readonly idempotencyKey: string;
  readonly accountId: string;
  readonly externalId?: string | undefined;
  /** Whether it gets a code, for people to type. */
  readonly withCode?: boolean | undefined;
};

/** A new token; its code is answered here and nowhere again. Raises FORBIDDEN, TOKEN_ALREADY_CREATED. */
export async function mintToken(
  tx: Tx,
  { clock, random }: Making,
  collection: CollectionRow,
  asked: NewToken,
  createdBy: string,
): Promise<{ readonly id: string; readonly code: string | undefined }> {
  const account = await tx
    .selectFrom("account")
    .select("test")
    .where("id", "=", asked.accountId)
    .executeTakeFirst();
  if (account === undefined) throw new Fault("FORBIDDEN");
  const nowMs = clock.nowMs();
  const id = newId(nowMs, random);
  const type = `centrapay.token.${account.test === 1 ? "test" : "main"}`;
  const code = asked.withCode === true ? newVoucherCode(random, "product") : undefined;
  await tx
    .insertInto("asset")
    .values({
      id,
      account_id: asked.accountId,
      type,
      description: `${collection.name}: ${describeAssetType(type)}`,
      status: "active",
      created_ms: nowMs,
    })
    .execute();
  const made = await tx
    .insertInto("token")
    .values({
      id,
      collection_id: collection.id,
      idempotency_key: asked.idempotencyKey,
      external_id: asked.externalId ?? null,
      expires_ms: expiryOf(collection, await accountNowMs(tx, collection.account_id, nowMs)),
      created_by: createdBy,
      code_hash: code === undefined ? null : hashOf(code.replaceAll(" ", "")),
    })
    .onConflict((conflict) => conflict.columns(["collection_id", "idempotency_key"]).doNothing())
    .returning("id")
    .executeTakeFirst();
  if (made === undefined) throw new Fault("TOKEN_ALREADY_CREATED");
  return { id, code };
}

export async function insertCollection(
  tx: Tx,
  { clock, random }: Making,
  asked: NewCollection,
): Promise<CollectionRow> {
  const nowMs = clock.nowMs();
  const row = {
    id: `c_${newId(nowMs, random)}`,
    account_id: asked.accountId,
    name: asked.name,
    type: asked.type,
    currency: asked.maxValue?.currency ?? null,
    max_value_minor: asked.maxValue === undefined ? null : toMinor(asked.maxValue),
    token_expires_ms: asked.tokenExpiresAt === undefined ? null : Date.parse(asked.tokenExpiresAt),
    token_life: asked.tokenExpiresAfter === undefined ? null : JSON.stringify(asked.tokenExpiresAfter),
    external_id: asked.externalId ?? null,
    created_ms: nowMs,
  };
  await tx.insertInto("collection").values(row).execute();
  return row;
}

/** What a merchant gives for a collection's tokens, in the place of what it gave. Answers the condition's id. */
export async function putCondition(
  tx: Tx,
  { clock, random }: Making,
  {
    collectionId,
    merchantId,
    allowedProducts,
  }: {
    readonly collectionId: string;
    readonly merchantId: string;
    readonly allowedProducts: readonly Product[];
  },
): Promise<string> {
  const nowMs = clock.nowMs();
  const allowed_products = JSON.stringify(allowedProducts);
  const { id } = await tx
    .insertInto("redemption_condition")
    .values({
      id: newId(nowMs, random),
      collection_id: collectionId,
      merchant_id: merchantId,
      allowed_products,
      created_ms: nowMs,
    })
    .onConflict((conflict) =>
      conflict.columns(["collection_id", "merchant_id"]).doUpdateSet({ allowed_products }),
    )
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

const PERIOD_MS = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 30 * 86_400_000,
  year: 365 * 86_400_000,
} as const;
function expiryOf({ token_expires_ms, token_life }: CollectionRow, nowMs: number): number | null {
  if (token_life === null) return token_expires_ms;
  const { period, duration } = life.parse(JSON.parse(token_life));
  return Math.min(nowMs + PERIOD_MS[period] * duration, token_expires_ms ?? Infinity);
}

export const findCollection = (db: Reader, id: string): Promise<CollectionRow | undefined> =>
  db.selectFrom("collection").selectAll().where("id", "=", id).executeTakeFirst();

/** Which of a config's collections take which lines of a basket, and for how much. */
export async function acceptedCollections(
  tx: Tx,
  merchantId: string,
  collectionIds: readonly string[],
  lineItems: LineItems,
  currency: string,
): Promise<readonly AcceptedCollection[]> {
  const accepted: AcceptedCollection[] = [];
  for (const id of collectionIds) {
    const collection = await findCollection(tx, id);
    if (collection === undefined) continue;
    const lines =
      collection.type === "discount"
        ? discounted(collection, lineItems, currency)
        : await redeemable(tx, collection, merchantId, lineItems, currency);
    if (lines.length > 0) accepted.push({ id, lines });
  }
  return accepted;
}

type Redeemable = AcceptedCollection["lines"];

async function redeemable(
  tx: Tx,
  { id }: CollectionRow,
  merchantId: string,
  lineItems: LineItems,
  currency: string,
): Promise<Redeemable> {
  const condition = await tx
    .selectFrom("redemption_condition")
    .select("allowed_products")
    .where("collection_id", "=", id)
    .where("merchant_id", "=", merchantId)
    .executeTakeFirst();
  if (condition === undefined) return [];
  const allowed = new Map(
    products.parse(JSON.parse(condition.allowed_products)).map((product) => [product.sku, product.maxValue]),
  );
  return lineItems.flatMap((line) => {
    const most = line.sku === undefined ? undefined : allowed.get(line.sku);
    if (most?.currency !== currency) return [];
    const amountMinor = Math.min(priceOf(unitOf(line, unitsOf(line) - 1)), Number(most.amount));
    return priceOf(unitOf(line, 0)) > 0 && amountMinor > 0 ? [{ line, amountMinor }] : [];
  });
}

/** How many units a line is. A quantity that counts nothing is one thing. */
function unitsOf(line: Line): number {
  const count = Number(line["qty"]);
  return Number.isSafeInteger(count) && count > 1 ? count : 1;
}
/** One unit of a line, counted from 0, with its share of the line's price: the last one's is what the others leave. */
function unitOf(line: Line, at: number): Line {
  const count = unitsOf(line);
  if (count === 1) return line;
  const share = Math.floor(Number(line["price"]) / count);
  const price = at < count - 1 ? share : Number(line["price"]) - share * (count - 1);
  return { ...line, qty: "1", price: String(price) };
}
const priceOf = (unit: Line): number => Number(unit["price"]);

/** Off the basket, whatever is in it: each line says the same. */
function discounted(
  { max_value_minor, currency: own }: CollectionRow,
  lineItems: LineItems,
  currency: string,
): Redeemable {
  if (max_value_minor === null || own !== currency) return [];
  return lineItems.flatMap((line) =>
    Number(line.price) > 0 ? [{ line, amountMinor: max_value_minor }] : [],
  );
}

export const tokenProvider: AssetProvider = {
  handles: (assetType) => readAssetType(assetType)?.category === "token",
  async find(tx, spending) {
    const { request, option, form, nowMs } = spending;
    const asset = await proven(tx, spending);
    const collection = option.acceptedCollections?.find(({ id }) => id === asset.collection_id);
    const { currency, merchant_account_id: merchant } = request;
    const isDiscount = asset.collection_type === "discount";
    const line = isDiscount
      ? collection?.lines[0]
      : collection && best(collection, await coveredLines(tx, request.id), form.lineItems);
    return {
      id: await openAccount(
        tx,
        "clearing",
        `tokens.${asset.collection_id ?? ""}.${currency.toLowerCase()}`,
        currency,
      ),
      type: asset.type,
      assetId: asset.id,
      accountId: form.assetId === undefined ? null : asset.account_id, // whoever has the code: nobody knows who that is
      active:
        asset.status === "active" && (asset.token_expires_ms === null || nowMs < asset.token_expires_ms),
      availableMinor: line?.amountMinor ?? 0,
      whole: true,
      lines: line === undefined || isDiscount ? [] : [line.line], // a discount pays for none
      walletId: await openAccount(tx, "clearing", `claims.${merchant}.${currency.toLowerCase()}`, currency),
    };
  },
  async taken(tx, { assetId }) {
    await tx.updateTable("asset").set({ status: "archived" }).where("id", "=", assetId).execute();
  },
  async returned(tx, { payment: { assetId }, nowMs }) {
    await tx.updateTable("asset").set({ status: "active" }).where("id", "=", assetId).execute();
    await keepGood(tx, "token", assetId, nowMs);
  },
};

/** The token that its owner names, or that somebody has the code of. */
async function proven(tx: Tx, spending: Spending): Promise<AssetRow> {
  const { caller, form } = spending;
  if (form.assetId !== undefined) {
    const asset = await lockAsset(tx, form.assetId);
    permit(caller, "assets:spend", asset?.account_id);
    if (asset === undefined) throw new Fault("FORBIDDEN");
    return asset;
  }
  if (form.authorization === undefined)
    throw new Fault(
      "MALFORMED",
      "assetId: is needed for this assetType, or the token's code as authorization",
    );
  return byTypedCode(tx, spending, form.authorization, async (codeHash) => {
    const token = await tx
      .selectFrom("token")
      .select("id")
      .where("code_hash", "=", codeHash)
      .executeTakeFirst();
    return token && lockAsset(tx, token.id);
  });
}

const textOf = (line: Line): string => JSON.stringify(line);

/** The unit worth most, of the lines that were asked for, that no other token has paid for. Of one line, the units go in turn. */
function best(
  { lines }: AcceptedCollection,
  covered: readonly string[],
  asked: LineItems | undefined,
): Redeemable[number] | undefined {
  const left = [...covered];
  const isTaken = (unit: Line): boolean => {
    const at = left.indexOf(textOf(unit));
    if (at !== -1) left.splice(at, 1); // two lines may be alike: each covered one hides one
    return at !== -1;
  };
  const free = lines.flatMap(({ line, amountMinor }) => {
    const count = unitsOf(line);
    let at = 0;
    while (at < count && isTaken(unitOf(line, at))) at += 1;
    if (at === count) return [];
    const unit = unitOf(line, at);
    return [{ line: unit, amountMinor: Math.min(amountMinor, priceOf(unit)) }];
  });
  const wanted =
    asked === undefined ? free : free.filter(({ line }) => asked.some(({ sku }) => sku === line["sku"]));
  return wanted.toSorted((a, b) => b.amountMinor - a.amountMinor)[0];
}

async function coveredLines(tx: Tx, requestId: string): Promise<readonly string[]> {
  const rows = await tx
    .selectFrom("payment")
    .select("lines")
    .where("payment_request_id", "=", requestId)
    .where("lines", "is not", null)
    .execute();
  return rows.flatMap(({ lines }) =>
    z
      .array(z.record(z.string(), z.unknown()))
      .parse(JSON.parse(lines ?? "[]"))
      .map(textOf),
  );
}
