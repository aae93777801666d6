/**
 * Merchants: whoever is paid, as customers know them. Each belongs to an account of an organisation.
 *
 * Owns      the table merchant.
 * Promises  a merchant is in its account's region, and a test account has test merchants only. Whose it is, where it is and
 *           whether it is a test never change: its payments were made by that.
 *           Strangers find its name and place, and nothing else.
 */
import { sql } from "kysely";
import { newId } from "../../broker/protocol/id.js";
import { Fault } from "../http/fault.js";
import { rowsOf } from "../store/statement.js";
import type { Reader, Store } from "../store/store.js";
import { findAccount } from "./account-rows.js";
import { permit, type Caller } from "./api-key.js";
import type { Making } from "./making.js";
import type { MerchantChange, MerchantForm, MerchantQuery } from "./merchant-form.js";
import { newestFirst, pageSize, toPage, type Page, type PageQuery } from "../http/page.js";
import type { Action } from "./permission.js";
import { renderMerchant, renderMerchantSummary, type MerchantRow } from "./wire.js";

/** The merchant, if it is there and the caller may do this with it. Raises FORBIDDEN. */
export async function findMerchant(
  db: Reader,
  caller: Caller,
  action: Action,
  id: string,
): Promise<MerchantRow> {
  const row = await db.selectFrom("merchant").selectAll().where("id", "=", id).executeTakeFirst();
  permit(caller, action, row?.account_id);
  if (row === undefined) throw new Fault("FORBIDDEN");
  return row;
}

const findStatus = rowsOf((db, { id }: { readonly id: string }) =>
  db.selectFrom("merchant").select("onboarding_status").where("id", "=", id),
);

/** Whether the merchant is paid nothing. What it was paid before it can still give back. */
export async function isStopped(db: Reader, id: string): Promise<boolean> {
  return (await findStatus(db, { id })).some(({ onboarding_status: status }) => isStop(status));
}
export const isStop = (status: MerchantRow["onboarding_status"]): boolean =>
  status === "deactivated" || status === "on-hold";

/** A name as it is looked for. */
export const toSearchName = (name: string): string => name.normalize("NFKC").toLowerCase();

export class Merchants {
  readonly #parts: Making & { readonly store: Store };

  constructor(parts: Making & { readonly store: Store }) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN, LIVENESS_MISMATCH, ACCOUNT_REGION_MISMATCH, BANK_ACCOUNT_MISMATCH. */
  create(caller: Caller, form: MerchantForm): Promise<object> {
    permit(caller, "merchants:create", form.accountId);
    checkBankAccount(form);
    const { store, clock, random } = this.#parts;
    return store.write(async (tx) => {
      const account = await findAccount(tx, form.accountId);
      if (account?.type !== "org") throw new Fault("FORBIDDEN", "a merchant belongs to an org");
      if (account.test === 1 && !form.test)
        throw new Fault("LIVENESS_MISMATCH", "a test account has test merchants only");
      if (account.region !== form.country)
        throw new Fault(
          "ACCOUNT_REGION_MISMATCH",
          `the account's region is ${account.region ?? "not known"}`,
        );
      const nowMs = clock.nowMs();
      const row: MerchantRow = {
        id: newId(nowMs, random),
        account_id: form.accountId,
        name: form.name,
        search_name: toSearchName(form.name),
        country: form.country,
        test: form.test ? 1 : 0,
        type: form.type ?? null,
        location: toJson(form.location),
        category_code: form.categoryCode ?? null,
        metadata: toJson(form.metadata),
        onboarding_status: form.test ? "active" : "applied",
        onboarding_status_reason: null,
        created_ms: nowMs,
        created_by: caller.crn,
        modified_ms: nowMs,
        modified_by: caller.crn,
        version: 1,
      };
      await tx.insertInto("merchant").values(row).execute();
      return renderMerchant(row);
    });
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller, id: string): Promise<object> {
    return renderMerchant(await findMerchant(this.#parts.store.read, caller, "merchants:read", id));
  }

  /** Raises FORBIDDEN, MALFORMED, LIVENESS_MISMATCH, ACCOUNT_REGION_MISMATCH, BANK_ACCOUNT_MISMATCH. */
  update(caller: Caller, id: string, change: MerchantChange): Promise<object> {
    const { store, clock } = this.#parts;
    return store.write(async (tx) => {
      const row = await findMerchant(tx, caller, "merchants:write", id);
      checkBankAccount(change);
      if (change.accountId !== undefined && change.accountId !== row.account_id)
        throw new Fault("MALFORMED", "accountId: cannot be changed");
      if (change.test !== undefined && change.test !== (row.test === 1))
        throw new Fault("LIVENESS_MISMATCH", "test: cannot be changed");
      if (change.country !== undefined && change.country !== row.country)
        throw new Fault("ACCOUNT_REGION_MISMATCH", `the account's region is ${row.country}`);
      const { name, type, location, categoryCode, metadata } = change;
      const changed = await tx
        .updateTable("merchant")
        .set((e) => ({
          ...(name === undefined ? {} : { name, search_name: toSearchName(name) }),
          ...(type === undefined ? {} : { type }),
          ...(location === undefined ? {} : { location: toJson(location) }),
          ...(categoryCode === undefined ? {} : { category_code: categoryCode }),
          ...(metadata === undefined ? {} : { metadata: toJson(metadata) }),
          modified_ms: clock.nowMs(),
          modified_by: caller.crn,
          version: e("version", "+", 1),
        }))
        .where("id", "=", id)
        .returningAll()
        .executeTakeFirstOrThrow();
      return renderMerchant(changed);
    });
  }

  /** Newest first. Raises FORBIDDEN. */
  async ofAccount(caller: Caller, accountId: string, query: PageQuery): Promise<Page<object>> {
    permit(caller, "merchants:read", accountId);
    const size = pageSize(query);
    const rows = await this.#parts.store.read
      .selectFrom("merchant")
      .selectAll()
      .where("account_id", "=", accountId)
      .$call(newestFirst("id", query))
      .execute();
    return toPage(rows, size, (row) => row.id, renderMerchant);
  }

  /** For anyone: the active merchants of a name, newest first, and how many there are. */
  async search(query: MerchantQuery): Promise<Page<object> & { readonly totalItems: number }> {
    const { name, country } = query;
    const size = pageSize(query);
    const found = this.#parts.store.read
      .selectFrom("merchant")
      .where("onboarding_status", "=", "active")
      .$if(country !== undefined, (q) => q.where("country", "=", country ?? ""))
      .$if(name !== undefined, (q) =>
        q.where(sql<boolean>`search_name like ${containing(name ?? "")} escape '\\'`),
      );
    const { total } = await found
      .select((e) => e.fn.countAll<number>().as("total"))
      .executeTakeFirstOrThrow();
    const rows = await found.selectAll().$call(newestFirst("id", query)).execute();
    return { ...toPage(rows, size, (row) => row.id, renderMerchantSummary), totalItems: total };
  }
}

/** No bank account belongs to any account here, so whichever is named is not this one's. */
function checkBankAccount({ settlementConfig }: Pick<MerchantChange, "settlementConfig">): void {
  if (settlementConfig?.bankAccountId !== undefined) throw new Fault("BANK_ACCOUNT_MISMATCH");
}

const toJson = (value: object | undefined): string | null =>
  value === undefined ? null : JSON.stringify(value);
const containing = (part: string): string => `%${toSearchName(part).replaceAll(/[\\%_]/g, "\\$&")}%`;
