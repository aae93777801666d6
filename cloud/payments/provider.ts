/**
 * Asset providers: who keeps the money (or the promise) that a payment request is paid with.
 *
 * One interface. A provider says what a proof is worth within the transaction that will spend it; the request's `step` decides;
 * the ledger moves. Whatever a provider has to remember of a payment, it writes in that same transaction.
 */
import type { Tx } from "../store/store.js";
import type { Caller } from "./api-key.js";
import type { PayForm } from "./request-form.js";
import type { Option, Payment, Source } from "./request.js";
import type { RequestRow } from "./wire.js";

/** What is to be spent on what. */
export type Spending = {
  readonly caller: Caller;
  readonly request: RequestRow;
  /** The request's option for the asset type; a provider is not asked without one. */
  readonly option: Option;
  readonly form: PayForm;
  /** The request's time: by it, what has an end is over. */
  readonly nowMs: number;
  /** The platform's, which nobody moves: by it, who must wait waits. */
  readonly realMs: number;
};

/** What is given back of a payment. */
export type Returning = {
  readonly payment: Payment;
  readonly amountMinor: number;
  /** The refund's activity, which may give back several payments. */
  readonly refundId: string;
  readonly request: RequestRow;
  /** The request's time: by it, what has an end is over. */
  readonly nowMs: number;
};

export interface AssetProvider {
  readonly handles: (assetType: string) => boolean;
  /** The source that the form's proof names. Raises FORBIDDEN for one that is not there or not the caller's to spend. */
  readonly find: (tx: Tx, spending: Spending) => Promise<Source>;
  /** After money was taken, or given back: what the provider keeps of it. */
  readonly taken?: (tx: Tx, payment: Payment, realMs: number) => Promise<void>;
  readonly returned?: (tx: Tx, returning: Returning, realMs: number) => Promise<void>;
}

/** The provider of an asset type, or `undefined` when nobody keeps such a thing. */
export const providerOf = (
  providers: readonly AssetProvider[],
  assetType: string,
): AssetProvider | undefined => providers.find(({ handles }) => handles(assetType));
