/** What a merchant's scanner read, and who pays by it. */
import { z } from "zod";
import { Fault } from "../http/fault.js";
import type { Reader, Tx } from "../store/store.js";
import type { Caller } from "./api-key.js";
import { checkBarcode, isBarcode } from "./patron-code.js";
import { findLivePatronCode, type LivePatronCode } from "./patron-code-rows.js";
import { may } from "./permission.js";
import type { Details } from "./request-form.js";

export type Scanned = {
  readonly code: string;
  readonly scannedBy: "merchant";
  readonly merchantConfigId: string;
};
const options = z.array(z.object({ type: z.string() }));

/**
 * A payment request's address is a merchant's to show and a customer's to scan: from a merchant it is unknown.
 * Raises MERCHANT_CONFIG_NOT_FOUND, UNKNOWN_CODE, INVALID_MERCHANT_CONFIG.
 */
export async function decode(read: Reader, caller: Caller, scanned: Scanned): Promise<object> {
  const config = await read
    .selectFrom("merchant_config")
    .innerJoin("merchant", "merchant.id", "merchant_config.merchant_id")
    .select(["merchant.account_id", "merchant_config.payment_options"])
    .where("merchant_config.id", "=", scanned.merchantConfigId)
    .executeTakeFirst();
  if (config === undefined || !may(caller.role, "codes:decode", config.account_id === caller.accountId))
    throw new Fault("MERCHANT_CONFIG_NOT_FOUND");
  if (!isBarcode(scanned.code)) throw new Fault("UNKNOWN_CODE");
  const takes = options.parse(JSON.parse(config.payment_options));
  if (!takes.some(({ type }) => type.startsWith("centrapay."))) throw new Fault("INVALID_MERCHANT_CONFIG");
  return { ...scanned, provider: "centrapay", displayName: "Centrapay" };
}

/**
 * The patron code that a payment request is made with. A barcode that comes with a type is another system's: kept, and nobody's.
 * Raises CHECKSUM_FAILED, PATRON_CODE_INVALID.
 */
export async function payerOf(
  tx: Tx,
  { barcode, barcodeType }: Pick<Details, "barcode" | "barcodeType">,
  nowMs: number,
): Promise<LivePatronCode | undefined> {
  if (barcode === undefined || barcodeType !== undefined) return undefined;
  checkBarcode(barcode);
  const code = await findLivePatronCode(tx, barcode, nowMs);
  if (code === undefined) throw new Fault("PATRON_CODE_INVALID", "unknown, or no longer shown");
  return code;
}
