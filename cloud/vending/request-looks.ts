/**
 * Looks at payment requests for customers' pages, which need no key and may ask as often as they like.
 *
 * Promises  a sale as it now is costs the platform one call, whoever asks meanwhile and for a second after its answer: what is
 *           counted against the merchant's own account is needed to make payment requests and to refund.
 * Bounded   by the sales whose pages ask within a call and a second.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import type { Answer, PaymentRequest, PaymentsClient } from "./payments-client.js";

const AGAIN_MS = 1_000;

export class RequestLooks {
  readonly #payments: Pick<PaymentsClient, "get">;
  readonly #clock: Clock;
  readonly #looks = new Map<string, Promise<Answer<PaymentRequest>>>();

  constructor(payments: Pick<PaymentsClient, "get">, clock: Clock) {
    this.#payments = payments;
    this.#clock = clock;
  }

  /** `version`: of the sale that asks; what was answered before a change of it is not about this one. */
  look(paymentRequestId: string, version: number): Promise<Answer<PaymentRequest>> {
    const name = `${paymentRequestId} ${version}`;
    const known = this.#looks.get(name);
    if (known !== undefined) return known;
    const look = this.#payments.get(paymentRequestId).finally(() => {
      this.#clock.after(AGAIN_MS, () => this.#looks.delete(name));
    });
    this.#looks.set(name, look);
    return look;
  }
}
