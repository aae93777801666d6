/**
 * Vouchers: money that whoever has the code can pay with, once.
 *
 * Owns      the table voucher.
 * Promises  a code is shown once, when it is made, and kept as its hash; a voucher's money is in the ledger from its issue on;
 *           it pays once, and what comes back of that payment can be spent with the same code again.
 * Never     pays more than it holds, and never pays change: what a request does not need stays on the voucher, for its issuer to
 *           take back.
 */
import { newId } from "../../broker/protocol/id.js";
import { toMinor, type Money } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import { lockRow } from "../store/locks.js";
import { writeAll } from "../store/statement.js";
import type { Reader, Store, Tx } from "../store/store.js";
import { accountNowMs } from "./account-rows.js";
import { permit, type Caller } from "./api-key.js";
import { readAssetType } from "./asset-type.js";
import { findAsset, reopenWallet } from "./assets.js";
import { openAccount, openTestIssuance, post, postings, type Transfer } from "./ledger.js";
import type { Making } from "./making.js";
import { newestFirst, pageSize, toPage, type Page, type PageQuery } from "../http/page.js";
import type { AssetProvider } from "./provider.js";
import { keepGood } from "./returned-value.js";
import { byTypedCode } from "./typed-codes.js";
import { hashOf, newVoucherCode } from "./voucher-code.js";
import { renderVoucher, type VoucherRow } from "./wire.js";

export type NewVoucher = {
  readonly accountId: string;
  readonly type: string;
  readonly value: Money;
  /** The issuer's own wallet that fills it; test vouchers may do without. */
  readonly walletId?: string | undefined;
  readonly expiresAt?: string | undefined;
};

export class Vouchers {
  readonly #parts: Making & { readonly store: Store };

  constructor(parts: Making & { readonly store: Store }) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN, INVALID_ASSET_TYPE, INVALID_WALLET_TYPE, INACTIVE_ASSET, INVALID_AMOUNT, INSUFFICIENT_ASSET_VALUE. */
  create(caller: Caller, asked: NewVoucher): Promise<object> {
    permit(caller, "vouchers:write", asked.accountId);
    const { clock, store } = this.#parts;
    const type = readAssetType(asked.type);
    if (type?.category !== "giftcard") throw new Fault("INVALID_ASSET_TYPE");
    if (type.currency !== asked.value.currency) throw new Fault("INVALID_AMOUNT", "not the type's currency");
    return store.write(async (tx) => {
      const funded = await this.#source(tx, asked, type.liveness === "test");
      const { id, code } = await issueVoucher(tx, this.#parts, asked, funded);
      const atMs = await accountNowMs(tx, asked.accountId, clock.nowMs());
      return { ...renderVoucher(await findVoucher(tx, "id", id), atMs), code };
    });
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller, id: string): Promise<object> {
    const { clock, store } = this.#parts;
    const row = await findVoucher(store.read, "id", id);
    permit(caller, "vouchers:read", row?.account_id);
    return renderVoucher(row, await accountNowMs(store.read, caller.accountId, clock.nowMs()));
  }

  /** Newest first. Raises FORBIDDEN. */
  async ofAccount(caller: Caller, accountId: string, query: PageQuery): Promise<Page<object>> {
    permit(caller, "vouchers:read", accountId);
    const { clock, store } = this.#parts;
    const size = pageSize(query);
    const rows = await selectVouchers(store.read)
      .where("voucher.account_id", "=", accountId)
      .$call(newestFirst("voucher.id", query))
      .execute();
    const nowMs = await accountNowMs(store.read, accountId, clock.nowMs());
    return toPage(
      rows,
      size,
      (row) => row.id,
      (row) => renderVoucher(row, nowMs),
    );
  }

  /**
   * Takes what is left on it back to where it came from; of one that is spent, the change. Cancelled again, it is answered
   * again. Raises FORBIDDEN.
   */
  cancel(caller: Caller, id: string): Promise<object> {
    const { clock, random, store } = this.#parts;
    return store.write(async (tx) => {
      const row = await lockVoucher(tx, "id", id);
      permit(caller, "vouchers:write", row?.account_id);
      if (row === undefined) throw new Fault("FORBIDDEN");
      const nowMs = clock.nowMs();
      const { balance_minor: left, currency, funded_by: funded } = row;
      if (left > 0) {
        await post(tx, {
          id: newId(nowMs, random),
          kind: "release",
          ref: id,
          createdMs: nowMs,
          entries: [
            { accountId: id, currency, amountMinor: -left },
            { accountId: funded, currency, amountMinor: left },
          ],
        });
        await reopenWallet(tx, funded);
      }
      await tx
        .updateTable("voucher")
        .set({ status: "cancelled" })
        .where("id", "=", id)
        .where("status", "=", "active") // one that is spent stays so: only its change was taken
        .execute();
      return renderVoucher(await findVoucher(tx, "id", id), nowMs);
    });
  }

  async #source(tx: Tx, { walletId, accountId, value }: NewVoucher, test: boolean): Promise<string> {
    if (walletId === undefined) {
      if (!test)
        throw new Fault("INVALID_WALLET_TYPE", "walletId: is needed, for money that is not test money");
      return openTestIssuance(tx, value.currency);
    }
    const wallet = await findAsset(tx, walletId);
    if (wallet?.account_id !== accountId) throw new Fault("FORBIDDEN");
    const known = readAssetType(wallet.type);
    if (
      known?.category !== "money" ||
      known.currency !== value.currency ||
      (known.liveness === "test") !== test
    )
      throw new Fault("INVALID_WALLET_TYPE");
    if (wallet.status !== "active") throw new Fault("INACTIVE_ASSET");
    return walletId;
  }
}

/** A new voucher, filled from `funded`; its code is answered here and nowhere again. Raises INSUFFICIENT_ASSET_VALUE. */
export async function issueVoucher(
  tx: Tx,
  { clock, random }: Making,
  asked: NewVoucher,
  funded: string,
): Promise<{ readonly id: string; readonly code: string }> {
  const nowMs = clock.nowMs();
  const id = newId(nowMs, random);
  const code = newVoucherCode(random, "money");
  const valueMinor = toMinor(asked.value);
  const { currency } = asked.value;
  await openAccount(tx, "voucher", id, currency);
  const filling: Transfer = {
    id: newId(nowMs, random),
    kind: "issue",
    ref: id,
    createdMs: nowMs,
    entries: [
      { accountId: funded, currency, amountMinor: -valueMinor },
      { accountId: id, currency, amountMinor: valueMinor },
    ],
  };
  await writeAll(
    tx,
    postings(filling, () => new Fault("INSUFFICIENT_ASSET_VALUE")),
  );
  await tx
    .insertInto("voucher")
    .values({
      id,
      account_id: asked.accountId,
      type: asked.type,
      code_hash: hashOf(code.replaceAll(" ", "")),
      value_minor: valueMinor,
      funded_by: funded,
      status: "active",
      expires_ms: asked.expiresAt === undefined ? null : Date.parse(asked.expiresAt),
      created_ms: nowMs,
    })
    .execute();
  return { id, code };
}

export const voucherProvider: AssetProvider = {
  handles: (assetType) => readAssetType(assetType)?.category === "giftcard",
  async find(tx, spending) {
    const { form, nowMs } = spending;
    if (form.authorization === undefined)
      throw new Fault("MALFORMED", "authorization: the voucher's code is needed for this assetType");
    const row = await byTypedCode(tx, spending, form.authorization, (hash) =>
      lockVoucher(tx, "code_hash", hash),
    );
    return {
      id: row.id,
      type: row.type,
      assetId: null,
      accountId: null, // whoever has the code: nobody knows who that is
      active: row.status === "active" && (row.expires_ms === null || nowMs < row.expires_ms),
      availableMinor: row.balance_minor,
      whole: true,
      lines: null,
      walletId: null,
    };
  },
  async taken(tx, { sourceId }) {
    await tx.updateTable("voucher").set({ status: "spent" }).where("id", "=", sourceId).execute();
  },
  /** Whatever its issuer did meanwhile, and however late it is: what comes back is what a customer paid. */
  async returned(tx, { payment: { sourceId }, nowMs }) {
    await tx.updateTable("voucher").set({ status: "active" }).where("id", "=", sourceId).execute();
    await keepGood(tx, "voucher", sourceId, nowMs);
  },
};

const selectVouchers = (db: Reader) =>
  db
    .selectFrom("voucher")
    .innerJoin("ledger_account", "ledger_account.id", "voucher.id")
    .selectAll("voucher")
    .select(["ledger_account.currency", "ledger_account.balance_minor"]);
type By = "id" | "code_hash";
const findVoucher = (db: Reader, by: By, value: string): Promise<VoucherRow | undefined> =>
  selectVouchers(db).where(`voucher.${by}`, "=", value).executeTakeFirst();
async function lockVoucher(tx: Tx, by: By, value: string): Promise<VoucherRow | undefined> {
  await lockRow(tx, "voucher", by, value);
  return findVoucher(tx, by, value);
}
