/** What the cloud's no means to these pages: its code, whether it is for good, and how long to leave it alone. Pure. */
import { fields, text } from "./shape.js";

export type Refusal = {
  readonly ok: false;
  readonly code: string;
  /**
   * False when asking again may be answered otherwise, or the cloud may yet have done what was asked: asking again must use the
   * same idempotency key.
   */
  readonly certain: boolean;
  /** How long the cloud wants not to be asked. */
  readonly waitMs?: number;
};

/** For what goes wrong on the page itself, and is our bug: the customer gets the button back, and the error goes on. */
export const OWN_FAULT: Refusal = { ok: false, code: "UNREADABLE", certain: false };

const TOO_MANY = 429;
const said = fields({ message: text });

/** Throws Unreadable. */
export function refusalOf(status: number, retryAfter: string | null, json: unknown): Refusal {
  const waitMs = 1_000 * Number(retryAfter ?? Number.NaN); // a date is no number, and is passed over
  return {
    ok: false,
    code: said(json, "refusal").message,
    certain: status < 500 && status !== TOO_MANY,
    ...(waitMs > 0 ? { waitMs } : {}),
  };
}
