/**
 * Assets: the wallets of accounts, and the test money in them.
 *
 * Owns      the table asset, and who may read, open and fill a wallet.
 * Promises  topping up is done once a key, and only with test money.
 * Never     moves money itself: that is the ledger's.
 */
import { sql } from "kysely";
import { newId } from "../../broker/protocol/id.js";
import { toMinor, type Money } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import { lockRow } from "../store/locks.js";
import { rowsOf, writeAll, writeOf } from "../store/statement.js";
import type { Reader, Store, Tx } from "../store/store.js";
import { permit, type Caller } from "./api-key.js";
import { describeAssetType, readAssetType, testMoney } from "./asset-type.js";
import { openAccount, openTestIssuance, post } from "./ledger.js";
import type { Making } from "./making.js";
import { findOperation, operationWrite } from "./operation.js";
import { newestFirst, pageSize, toPage, type Page, type PageQuery } from "../http/page.js";
import { renderAsset, renderAssetSummary, renderTransaction, type AssetRow } from "./wire.js";

export type AssetParts = Making & { readonly store: Store };

export async function insertWallet(
  tx: Tx,
  { clock, random }: Making,
  accountId: string,
  currency: string,
): Promise<AssetRow> {
  const nowMs = clock.nowMs();
  const type = testMoney(currency);
  const asset = {
    id: newId(nowMs, random),
    account_id: accountId,
    type,
    description: describeAssetType(type),
    status: "active" as const,
    created_ms: nowMs,
  };
  await openAccount(tx, "wallet", asset.id, currency);
  await tx.insertInto("asset").values(asset).execute();
  return { ...asset, ...NO_TOKEN, currency, balance_minor: 0 };
}

const NO_TOKEN = { collection_id: null, collection_type: null, token_expires_ms: null, external_id: null };

/** Fills a wallet with test money. Answers the transfer's id. */
export async function issueTestMoney(
  tx: Tx,
  { clock, random }: Making,
  asset: { readonly id: string; readonly currency: string },
  amountMinor: number,
): Promise<string> {
  const nowMs = clock.nowMs();
  const id = newId(nowMs, random);
  const { currency } = asset;
  await post(tx, {
    id,
    kind: "top-up",
    ref: asset.id,
    createdMs: nowMs,
    entries: [
      { accountId: await openTestIssuance(tx, currency), currency, amountMinor: -amountMinor },
      { accountId: asset.id, currency, amountMinor },
    ],
  });
  return id;
}

export class Assets {
  readonly #parts: AssetParts;

  constructor(parts: AssetParts) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller, id: string): Promise<object> {
    return renderAsset(await this.#find(caller, id));
  }

  /** For anyone. Raises FORBIDDEN. */
  async summary(id: string): Promise<object> {
    const row = await findAsset(this.#parts.store.read, id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    return renderAssetSummary(row);
  }

  /** The caller's newest of this type that has this name elsewhere. Raises FORBIDDEN. */
  async byExternalId(caller: Caller, assetType: string, externalId: string): Promise<object> {
    const row = await selectAssets(this.#parts.store.read)
      .where("token.external_id", "=", externalId)
      .where("asset.type", "=", assetType)
      .where("asset.account_id", "=", caller.accountId)
      .orderBy("asset.id", "desc")
      .limit(1)
      .executeTakeFirst();
    permit(caller, "assets:read", row?.account_id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    return renderAsset(row);
  }

  /** Newest first; where `externalId` is given, only what has this name elsewhere. Raises FORBIDDEN. */
  async ofAccount(
    caller: Caller,
    accountId: string,
    query: PageQuery & { readonly externalId?: string | undefined },
  ): Promise<Page<object>> {
    permit(caller, "assets:read", accountId);
    const size = pageSize(query);
    const { externalId } = query;
    const rows = await selectAssets(this.#parts.store.read)
      .where("asset.account_id", "=", accountId)
      .$if(externalId !== undefined, (q) => q.where("token.external_id", "=", externalId ?? ""))
      .$call(newestFirst("asset.id", query))
      .execute();
    return toPage(rows, size, (row) => row.id, renderAsset);
  }

  /** Newest first. Raises FORBIDDEN. */
  async transactions(caller: Caller, id: string, query: PageQuery): Promise<Page<object>> {
    await this.#find(caller, id);
    const size = pageSize(query);
    const rows = await selectEntries(this.#parts.store.read)
      .where("entry.account_id", "=", id)
      .$call(newestFirst("entry.transfer_id", query))
      .execute();
    return toPage(rows, size, (row) => row.id, renderTransaction);
  }

  /** Raises FORBIDDEN. */
  createWallet(caller: Caller, accountId: string, currency: string): Promise<object> {
    permit(caller, "wallets:create", accountId);
    return this.#parts.store.write(async (tx) =>
      renderAsset(await insertWallet(tx, this.#parts, accountId, currency)),
    );
  }

  /** Raises FORBIDDEN, INVALID_ASSET_TYPE, INACTIVE_ASSET, INVALID_AMOUNT, IDEMPOTENT_OPERATION_FAILED. */
  topUp(
    caller: Caller,
    id: string,
    { value, idempotencyKey }: { readonly value: Money; readonly idempotencyKey: string },
  ): Promise<object> {
    return this.#parts.store.write(async (tx) => {
      const asset = await lockAsset(tx, id);
      permit(caller, "assets:top-up", asset?.account_id);
      if (asset === undefined) throw new Fault("FORBIDDEN");
      const operation = { subjectId: id, kind: "top-up", key: idempotencyKey } as const;
      const asked = JSON.stringify(value);
      const before = await findOperation(tx, operation);
      if (before !== undefined && before.asked !== asked) throw new Fault("IDEMPOTENT_OPERATION_FAILED");
      if (before !== undefined) return findTransaction(tx, id, before.resultId);
      if (readAssetType(asset.type)?.liveness !== "test") throw new Fault("INVALID_ASSET_TYPE");
      if (asset.status !== "active") throw new Fault("INACTIVE_ASSET");
      if (value.currency !== asset.currency) throw new Fault("INVALID_AMOUNT");
      const into = { id, currency: asset.currency };
      const transferId = await issueTestMoney(tx, this.#parts, into, toMinor(value));
      await writeAll(tx, [operationWrite(operation, asked, transferId)]);
      return findTransaction(tx, id, transferId);
    });
  }

  /**
   * Puts an asset away: it pays no more. A wallet must be empty, and none of its money held. Archived again, it is answered again.
   * Raises FORBIDDEN, UNSUPPORTED_ASSET_TYPE.
   */
  archive(caller: Caller, id: string): Promise<object> {
    return this.#parts.store.write(async (tx) => {
      await lockRow(tx, "asset", "id", id);
      await lockRow(tx, "ledger_account", "id", id); // a payment changes the balance without the asset's lock
      const asset = await findAsset(tx, id);
      permit(caller, "assets:archive", asset?.account_id);
      if (asset === undefined) throw new Fault("FORBIDDEN");
      if (asset.balance_minor !== null && asset.balance_minor !== 0)
        throw new Fault("UNSUPPORTED_ASSET_TYPE", "it still holds money");
      if (await isHeld(tx, id))
        throw new Fault("UNSUPPORTED_ASSET_TYPE", "money of it is held for a request");
      await tx.updateTable("asset").set({ status: "archived" }).where("id", "=", id).execute();
      return renderAsset({ ...asset, status: "archived" });
    });
  }

  async #find(caller: Caller, id: string): Promise<AssetRow> {
    const row = await findAsset(this.#parts.store.read, id);
    permit(caller, "assets:read", row?.account_id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    return row;
  }
}

const selectAssets = (db: Reader) =>
  db
    .selectFrom("asset")
    .leftJoin("ledger_account", "ledger_account.id", "asset.id")
    .leftJoin("token", "token.id", "asset.id")
    .leftJoin("collection", "collection.id", "token.collection_id")
    .selectAll("asset")
    .select(["ledger_account.currency", "ledger_account.balance_minor"])
    .select(["token.collection_id", "token.expires_ms as token_expires_ms", "token.external_id"])
    .select("collection.type as collection_type");

const selectEntries = (db: Reader) =>
  db
    .selectFrom("entry")
    .innerJoin("transfer", "transfer.id", "entry.transfer_id")
    .select(["entry.account_id", "entry.amount_minor", "entry.currency"])
    .leftJoin("voucher", "voucher.id", "transfer.ref")
    .select([
      "transfer.id",
      "transfer.kind",
      "transfer.ref",
      "transfer.created_ms",
      "voucher.id as voucher_id",
    ]);

export const findAsset = async (db: Reader, id: string): Promise<AssetRow | undefined> =>
  (await findById(db, { id }))[0];
const findById = rowsOf((db, { id }: { readonly id: string }) => selectAssets(db).where("asset.id", "=", id));

/** The same for whoever is about to change it, or to spend it whole. */
export async function lockAsset(tx: Tx, id: string): Promise<AssetRow | undefined> {
  await lockRow(tx, "asset", "id", id);
  return findAsset(tx, id);
}

/** Whether money of a wallet is set aside for a pre-authorised request. */
const isHeld = async (tx: Tx, id: string): Promise<boolean> =>
  undefined !==
  (await tx
    .selectFrom("hold")
    .select("id")
    .where("source_id", "=", id)
    .where("is_held", "=", sql.lit(1)) // a literal, or SQLite does not take the partial index
    .limit(1)
    .executeTakeFirst());

/** Money has come back into a wallet: archived, it could not be spent. Said once the balance is written, and not with it. */
export const reopenWallet = (tx: Tx, id: string): Promise<void> => writeAll(tx, [reopen({ id })]);
const reopen = writeOf((tx, { id }: { readonly id: string }) =>
  tx.updateTable("asset").set({ status: "active" }).where("id", "=", id).where("status", "=", "archived"),
);

const findTransaction = async (tx: Tx, assetId: string, transferId: string): Promise<object> =>
  renderTransaction(
    await selectEntries(tx)
      .where("entry.account_id", "=", assetId)
      .where("entry.transfer_id", "=", transferId)
      .executeTakeFirstOrThrow(),
  );
