/** A wallet's barcode as the platform makes it, and what comes of its being scanned. */
import { fields, id, instant, matching, maybe, type Reader, type Shape } from "./shape.js";
import { paymentRequest, type PaymentRequest } from "./wire.js";

export const patronCode = fields({ barcode: matching(/^[0-9]{16}$/), expiresAt: instant });
export type PatronCode = Shape<typeof patronCode>;

const found = fields({ id: maybe(id) });
/** The payment request that a scan has led to; `{}` while there is none. */
export const scannedRequest: Reader<PaymentRequest | undefined> = (value, at) =>
  found(value, at).id === undefined ? undefined : paymentRequest(value, at);
