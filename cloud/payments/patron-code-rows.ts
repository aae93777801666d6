/**
 * Patron codes as rows.
 *
 * Owns      the tables patron_code and barcode_claim.
 * Promises  a barcode is one living code's at a time, however many are made at once: a code has its barcode only if it
 *           claimed it, and a claim is taken over only from a code that is seen to be dead.
 *           A code lives and dies in its account's own time.
 */
import { firstIdAt } from "../../broker/protocol/id.js";
import type { Reader, Tx } from "../store/store.js";
import { LIFE_MS } from "./patron-code.js";
import type { PatronCodeRow } from "./wire.js";

export type LivePatronCode = {
  readonly id: string;
  readonly accountId: string;
  readonly assetId?: string;
  readonly testScenarioName?: string;
};

/** The living code with this barcode. */
export async function findLivePatronCode(
  tx: Reader,
  barcode: string,
  nowMs: number,
): Promise<LivePatronCode | undefined> {
  const row = await findLiveRow(tx, barcode, nowMs);
  return (
    row && {
      id: row.id,
      accountId: row.account_id,
      ...(row.asset_id === null ? {} : { assetId: row.asset_id }),
      ...(row.test_scenario_name === null ? {} : { testScenarioName: row.test_scenario_name }),
    }
  );
}

export const findLiveRow = (db: Reader, barcode: string, nowMs: number): Promise<PatronCodeRow | undefined> =>
  selectLive(db, nowMs)
    .innerJoin("barcode_claim", "barcode_claim.patron_code_id", "patron_code.id")
    .where("barcode_claim.barcode", "=", barcode)
    .executeTakeFirst();

/** The account whose code a payment request was made with; nobody where it was made without one. */
export async function findPatron(db: Reader, paymentRequestId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("payment_request")
    .innerJoin("patron_code", "patron_code.id", "payment_request.patron_code_id")
    .select("patron_code.account_id")
    .where("payment_request.id", "=", paymentRequestId)
    .executeTakeFirst();
  return row?.account_id;
}

export const findPatronCode = (db: Reader, id: string): Promise<PatronCodeRow | undefined> =>
  db.selectFrom("patron_code").selectAll().where("id", "=", id).executeTakeFirst();

/** The newest with this name elsewhere, of one account if it is given. */
export const findByExternalId = (
  db: Reader,
  namespace: string,
  externalId: string,
  accountId: string | undefined,
): Promise<PatronCodeRow | undefined> =>
  db
    .selectFrom("patron_code")
    .selectAll()
    .where("namespace", "=", namespace)
    .where("external_id", "=", externalId)
    .$if(accountId !== undefined, (q) => q.where("account_id", "=", accountId ?? ""))
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();

/** The newest payment request that waits to be paid and was made with a living code of the account's. */
export async function findRequestToPay(
  db: Reader,
  accountId: string,
  nowMs: number,
): Promise<string | undefined> {
  const row = await db
    .selectFrom("patron_code as code")
    .innerJoin("account as patron", "patron.id", "code.account_id")
    .innerJoin("payment_request as request", "request.patron_code_id", "code.id")
    .innerJoin("account as merchant", "merchant.id", "request.merchant_account_id")
    .select("request.id")
    .where("code.account_id", "=", accountId)
    .where("code.id", ">=", firstIdAt(nowMs - LIFE_MS)) // what is older is dead, and is not looked at
    .where((e) => e("code.expires_ms", ">", e(e.val(nowMs), "+", e.ref("patron.clock_offset_ms"))))
    .where("request.status", "=", "new")
    .where((e) => e("request.expires_ms", ">", e(e.val(nowMs), "+", e.ref("merchant.clock_offset_ms"))))
    .orderBy("request.id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.id;
}

/** Writes the code down, unless a living one has its barcode: then nothing is written, and another barcode is to be tried. */
export async function insertPatronCode(tx: Tx, row: PatronCodeRow, nowMs: number): Promise<boolean> {
  const { barcode } = row;
  const claim = await tx
    .selectFrom("barcode_claim")
    .select("patron_code_id")
    .where("barcode", "=", barcode)
    .executeTakeFirst();
  if (claim !== undefined && (await findLiveRow(tx, barcode, nowMs)) !== undefined) return false;
  await tx.insertInto("patron_code").values(row).execute();
  const claimed = await tx
    .insertInto("barcode_claim")
    .values({ barcode, patron_code_id: row.id })
    .onConflict((conflict) =>
      conflict
        .column("barcode")
        .doUpdateSet({ patron_code_id: row.id })
        // From the dead code that was seen above, and from no other that came between.
        .where("barcode_claim.patron_code_id", "=", claim?.patron_code_id ?? ""),
    )
    .returning("barcode")
    .executeTakeFirst();
  if (claimed !== undefined) return true;
  await tx.deleteFrom("patron_code").where("id", "=", row.id).execute();
  return false;
}

const selectLive = (db: Reader, nowMs: number) =>
  db
    .selectFrom("patron_code")
    .innerJoin("account", "account.id", "patron_code.account_id")
    .selectAll("patron_code")
    .where((e) => e("patron_code.expires_ms", ">", e(e.val(nowMs), "+", e.ref("account.clock_offset_ms"))));
