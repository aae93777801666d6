/**
 * Accounts: made by other accounts, read and changed by themselves and by the one that made them.
 *
 * Promises  a test account makes test accounts, and only those. An account's type, liveness and, once it has one, its region
 *           never change: merchants, wallets and keys were made by them.
 */
import { newId } from "../../broker/protocol/id.js";
import { Fault } from "../http/fault.js";
import type { Store } from "../store/store.js";
import type { AccountChange, AccountForm } from "./account-form.js";
import { findAccount, insertAccount } from "./account-rows.js";
import { permit, permitOnAccount, type Caller } from "./api-key.js";
import type { Making } from "./making.js";
import { renderAccount, type AccountRow } from "./wire.js";

export class Accounts {
  readonly #parts: Making & { readonly store: Store };

  constructor(parts: Making & { readonly store: Store }) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN, LIVENESS_MISMATCH. */
  create(caller: Caller, form: AccountForm): Promise<object> {
    permit(caller, "accounts:create", form.owner ?? caller.accountId);
    const { store, clock, random } = this.#parts;
    return store.write(async (tx) => {
      const parent = await findAccount(tx, caller.accountId);
      if (parent === undefined) throw new Error("a caller's account is not there");
      if (form.test !== undefined && form.test !== (parent.test === 1))
        throw new Fault(
          "LIVENESS_MISMATCH",
          `test: is ${String(parent.test === 1)} for the caller's account`,
        );
      const nowMs = clock.nowMs();
      const row: AccountRow = {
        id: newId(nowMs, random),
        type: form.type,
        name: form.name,
        test: parent.test,
        region: form.region ?? null,
        parent_account_id: parent.id,
        requests_per_minute: null,
        clock_offset_ms: 0,
        created_ms: nowMs,
        created_by: caller.crn,
        modified_ms: nowMs,
        modified_by: caller.crn,
        version: 1,
      };
      await insertAccount(tx, row);
      return renderAccount(row);
    });
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller, id: string): Promise<object> {
    const row = await findAccount(this.#parts.store.read, id);
    permitOnAccount(caller, "accounts:read", row);
    return renderAccount(row);
  }

  /** Raises FORBIDDEN, MALFORMED, LIVENESS_MISMATCH. */
  update(caller: Caller, id: string, change: AccountChange): Promise<object> {
    const { store, clock } = this.#parts;
    return store.write(async (tx) => {
      const row = await findAccount(tx, id);
      permitOnAccount(caller, "accounts:write", row);
      if (change.type !== undefined && change.type !== row.type)
        throw new Fault("MALFORMED", "type: cannot be changed");
      if (change.test !== undefined && change.test !== (row.test === 1))
        throw new Fault("LIVENESS_MISMATCH", "test: cannot be changed");
      const { name = row.name, region } = change;
      const changed = await tx
        .updateTable("account")
        .set((e) => ({
          name,
          ...(region === undefined ? {} : { region }),
          modified_ms: clock.nowMs(),
          modified_by: caller.crn,
          version: e("version", "+", 1),
        }))
        .where("id", "=", id)
        .$if(region !== undefined, (q) =>
          q.where((e) => e.or([e("region", "is", null), e("region", "=", region ?? null)])),
        )
        .returningAll()
        .executeTakeFirst();
      if (changed === undefined) throw new Fault("MALFORMED", "region: cannot be changed");
      return renderAccount(changed);
    });
  }
}
