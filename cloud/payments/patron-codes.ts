/**
 * Patron codes: made by a wallet, shown for a few minutes, scanned by a merchant.
 *
 * Promises  a code answers to its barcode while it lives, and to no other account's wallet. What a scan leads to is found by
 *           the code, not by its digits: those are used again.
 * Bounded   a new code tries TRIES barcodes; of a thousand million for each prefix, that many taken in a row is a bug. A merge
 *           that others come before so often gives up.
 */
import { newId } from "../../broker/protocol/id.js";
import { Fault } from "../http/fault.js";
import type { Store } from "../store/store.js";
import { accountNowMs } from "./account-rows.js";
import { permit, type Caller } from "./api-key.js";
import { findAsset } from "./assets.js";
import type { Making } from "./making.js";
import { isWithinMetadata, METADATA_BOUND } from "./merchant-form.js";
import { checkBarcode, LIFE_MS, newBarcode } from "./patron-code.js";
import {
  findByExternalId,
  findLiveRow,
  findPatronCode,
  findRequestToPay,
  insertPatronCode,
} from "./patron-code-rows.js";
import type { Action } from "./permission.js";
import { renderPatronCode, timestamp, type PatronCodeRow } from "./wire.js";

const TRIES = 10;

export type PatronCodeForm = {
  readonly assetId?: string | undefined;
  readonly testScenarioName?: string | undefined;
  readonly namespace?: string | undefined;
  readonly externalId?: string | undefined;
};

export class PatronCodes {
  readonly #parts: Making & { readonly store: Store };

  constructor(parts: Making & { readonly store: Store }) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN. */
  create(caller: Caller, form: PatronCodeForm): Promise<object> {
    permit(caller, "patron-codes:create", caller.accountId);
    const { store, clock, random } = this.#parts;
    return store.write(async (tx) => {
      if (form.assetId !== undefined)
        permit(caller, "assets:spend", (await findAsset(tx, form.assetId))?.account_id);
      const nowMs = clock.nowMs();
      const createdMs = await accountNowMs(tx, caller.accountId, nowMs);
      for (let tries = 0; tries < TRIES; tries += 1) {
        const row: PatronCodeRow = {
          id: newId(nowMs, random),
          account_id: caller.accountId,
          barcode: newBarcode(random),
          asset_id: form.assetId ?? null,
          test_scenario_name: form.testScenarioName ?? null,
          namespace: form.namespace ?? null,
          external_id: form.externalId ?? null,
          metadata: "{}",
          created_ms: createdMs,
          created_by: caller.crn,
          expires_ms: createdMs + LIFE_MS,
        };
        if (await insertPatronCode(tx, row, nowMs)) return renderPatronCode(row);
      }
      throw new Error(`${TRIES} barcodes in a row were taken`);
    });
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller, id: string): Promise<object> {
    return this.#show(caller, "patron-codes:read", await findPatronCode(this.#parts.store.read, id));
  }

  /** The living code that was scanned. Raises CHECKSUM_FAILED, PATRON_CODE_INVALID, FORBIDDEN. */
  async byBarcode(caller: Caller, barcode: string): Promise<object> {
    checkBarcode(barcode);
    const { store, clock } = this.#parts;
    const row = await findLiveRow(store.read, barcode, clock.nowMs());
    if (row === undefined) throw new Fault("PATRON_CODE_INVALID");
    return this.#show(caller, "patron-codes:read", row);
  }

  /** The newest code of this name elsewhere that the caller may see. Raises FORBIDDEN. */
  async byExternalId(caller: Caller, namespace: string, externalId: string): Promise<object> {
    const { read } = this.#parts.store;
    const own = await findByExternalId(read, namespace, externalId, caller.accountId);
    const row = own ?? (await findByExternalId(read, namespace, externalId, undefined));
    return this.#show(caller, "patron-codes:read", row);
  }

  /** Merges: an empty text takes its key away. Raises FORBIDDEN, MALFORMED. */
  setMetadata(caller: Caller, id: string, change: Readonly<Record<string, string>>): Promise<object> {
    const { store, clock } = this.#parts;
    return store.write(async (tx) => {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const row = await findPatronCode(tx, id);
        permit(caller, "patron-codes:write", row?.account_id);
        if (row === undefined) throw new Fault("FORBIDDEN");
        const before = JSON.parse(row.metadata) as Readonly<Record<string, string>>; // written here alone
        const metadata = Object.fromEntries(
          Object.entries({ ...before, ...change }).filter(([, value]) => value !== ""),
        );
        if (!isWithinMetadata(metadata)) throw new Fault("MALFORMED", `metadata: ${METADATA_BOUND}`);
        const merged = await tx
          .updateTable("patron_code")
          .set({ metadata: JSON.stringify(metadata) })
          .where("id", "=", id)
          .where("metadata", "=", row.metadata) // or another merge came between, and is merged with
          .returning("id")
          .executeTakeFirst();
        if (merged === undefined) continue;
        const nowMs = await accountNowMs(tx, row.account_id, clock.nowMs());
        return { patronCodeId: id, createdAt: timestamp(nowMs), createdBy: caller.crn, metadata };
      }
      throw new Fault("BUSY", "its metadata is being changed by others");
    });
  }

  /** The newest payment request that waits for the caller to pay it, and was made with a living code of the caller's. */
  paymentRequestOf(caller: Caller): Promise<string | undefined> {
    const { store, clock } = this.#parts;
    return findRequestToPay(store.read, caller.accountId, clock.nowMs());
  }

  #show(caller: Caller, action: Action, row: PatronCodeRow | undefined): object {
    permit(caller, action, row?.account_id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    return renderPatronCode(row);
  }
}
