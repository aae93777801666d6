/**
 * Assets: the wallets of accounts, and the test money in them.
 *
 * Owns      the table asset, and who may read, open and fill a wallet.
 * Promises  topping up is done once a key, and only with test money.
 * Never     moves money itself: that is the ledger's.
 */
import { newId } from "../../broker/protocol/id.js";
import { toMinor, type Money } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import { forUpdate } from "../store/locks.js";
import type { Reader, Store, Tx } from "../store/store.js";
import { permit, type Caller } from "./api-key.js";
import { describeAssetType, readAssetType, testMoney } from "./asset-type.js";
import { openTestIssuance, openWallet, post } from "./ledger.js";
import type { Making } from "./making.js";
import { findOperation, insertOperation } from "./operation.js";
import { pageSize, toPage, type Page, type PageQuery } from "./page.js";
import { renderAsset, renderTransaction, type AssetRow } from "./wire.js";

export type AssetParts = Making & { readonly store: Store };

/** An asset as a payment sees it. */
export type Spendable = {
  readonly id: string;
  readonly accountId: string;
  readonly type: string;
  readonly active: boolean;
  readonly balanceMinor: number;
};

export async function findSpendable(tx: Tx, id: string): Promise<Spendable | undefined> {
  const row = await findAsset(tx, id);
  return (
    row && {
      id,
      accountId: row.account_id,
      type: row.type,
      active: row.status === "active",
      balanceMinor: row.balance_minor,
    }
  );
}

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
  await openWallet(tx, asset.id, currency);
  await tx.insertInto("asset").values(asset).execute();
  return { ...asset, currency, balance_minor: 0 };
}

/** Fills a wallet with test money. Answers the transfer's id. */
export async function issueTestMoney(
  tx: Tx,
  { clock, random }: Making,
  asset: Pick<AssetRow, "id" | "currency">,
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

  /** Newest first. Raises FORBIDDEN. */
  async ofAccount(caller: Caller, accountId: string, query: PageQuery): Promise<Page<object>> {
    permit(caller, "assets:read", accountId);
    const size = pageSize(query);
    const rows = await selectAssets(this.#parts.store.read)
      .where("asset.account_id", "=", accountId)
      .$if(query.pageKey !== undefined, (q) => q.where("asset.id", "<", query.pageKey ?? ""))
      .orderBy("asset.id", "desc")
      .limit(size + 1)
      .execute();
    return toPage(rows, size, (row) => row.id, renderAsset);
  }

  /** Newest first. Raises FORBIDDEN. */
  async transactions(caller: Caller, id: string, query: PageQuery): Promise<Page<object>> {
    await this.#find(caller, id);
    const size = pageSize(query);
    const rows = await selectEntries(this.#parts.store.read)
      .where("entry.account_id", "=", id)
      .$if(query.pageKey !== undefined, (q) => q.where("entry.transfer_id", "<", query.pageKey ?? ""))
      .orderBy("entry.transfer_id", "desc")
      .limit(size + 1)
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
      const transferId = await issueTestMoney(tx, this.#parts, asset, toMinor(value));
      await insertOperation(tx, operation, asked, transferId);
      return findTransaction(tx, id, transferId);
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
    .innerJoin("ledger_account", "ledger_account.id", "asset.id")
    .selectAll("asset")
    .select(["ledger_account.currency", "ledger_account.balance_minor"]);

const selectEntries = (db: Reader) =>
  db
    .selectFrom("entry")
    .innerJoin("transfer", "transfer.id", "entry.transfer_id")
    .select(["entry.account_id", "entry.amount_minor", "entry.currency"])
    .select(["transfer.id", "transfer.kind", "transfer.ref", "transfer.created_ms"]);

const findAsset = (db: Reader, id: string): Promise<AssetRow | undefined> =>
  selectAssets(db).where("asset.id", "=", id).executeTakeFirst();

/** Held until the transaction ends: a key of the asset's is asked for by one at a time. (Its balance is the ledger's to guard.) */
const lockAsset = (tx: Tx, id: string): Promise<AssetRow | undefined> =>
  selectAssets(tx).where("asset.id", "=", id).$call(forUpdate(tx, "asset")).executeTakeFirst();

const findTransaction = async (tx: Tx, assetId: string, transferId: string): Promise<object> =>
  renderTransaction(
    await selectEntries(tx)
      .where("entry.account_id", "=", assetId)
      .where("entry.transfer_id", "=", transferId)
      .executeTakeFirstOrThrow(),
  );
