/** What the cloud says to these pages, and only the part of it that they show. `reference`: system.md 5.2. */
import { digits, fields, flag, id, instant, list, matching, maybe, oneOf, text, whole } from "./shape.js";
import type { Reader, Shape } from "./shape.js";

export const money = fields({ amount: digits, currency: text });
export type Money = Shape<typeof money>;

export const machineStates = ["ready", "busy", "offline", "outOfService"] as const;
export type MachineState = (typeof machineStates)[number];

export const saleStates = [
  "awaitingPayment",
  "paid",
  "open",
  "vending",
  "settling",
  "settled",
  "cancelled",
  "expired",
  "unknown",
] as const;
export type SaleState = (typeof saleStates)[number];

export const requestStatuses = ["new", "paid", "cancelled", "expired"] as const;
export type RequestStatus = (typeof requestStatuses)[number];

const item = fields({ item: whole, name: text, price: money, available: flag });
export type Item = Shape<typeof item>;

export const machine = fields({
  code: text,
  name: text,
  place: text,
  checkWords: text,
  state: oneOf(...machineStates),
  currency: text,
  suggestedCredit: list(money),
  items: list(item),
});
export type Machine = Shape<typeof machine>;

export const paymentRequest = fields({
  id,
  url: text,
  status: oneOf(...requestStatuses),
  value: money,
  expiresAt: instant,
  shortCode: maybe(text),
  merchantName: maybe(text),
  externalRef: maybe(text),
  paymentOptions: list(fields({ assetType: text, amount: digits })),
  lineItems: maybe(list(fields({ name: text, price: digits }))),
});
export type PaymentRequest = Shape<typeof paymentRequest>;

/** Where the merchant wants the browser back, and whether the request is paid. */
export const wayBack = fields({ status: oneOf(...requestStatuses), url: maybe(text) });
export type WayBack = Shape<typeof wayBack>;

export const vended = list(fields({ item: whole, name: text, price: money, inDoubt: flag }));

export const sale = fields({
  id,
  state: oneOf(...saleStates),
  machine: fields({ code: text, name: text, place: text }),
  credit: money,
  paymentRequest: maybe(paymentRequest),
  vended,
  refunded: maybe(money),
  takenOver: maybe(flag),
  owed: maybe(money),
  session: maybe(fields({ overBy: instant, givenUpBy: instant, stopAsked: flag })),
  timeline: list(fields({ at: instant, text })),
});
export type Sale = Shape<typeof sale>;

/** The outcomes after which a sale has nothing more to say. */
export const isOver = ({ state }: Pick<Sale, "state">): boolean =>
  state === "settled" || state === "cancelled" || state === "expired";

/** A wallet's barcode as the platform makes it. */
export const patronCode = fields({ barcode: matching(/^[0-9]{16}$/), expiresAt: instant });
export type PatronCode = Shape<typeof patronCode>;

const found = fields({ id: maybe(id) });
/** The payment request that a scan has led to; `{}` while there is none. */
export const scannedRequest: Reader<PaymentRequest | undefined> = (value, at) =>
  found(value, at).id === undefined ? undefined : paymentRequest(value, at);

export const asset = fields({
  id,
  type: text,
  currency: text,
  balance: digits,
  availableBalance: digits,
});
export type Asset = Shape<typeof asset>;

/** What moved money in or out of an asset. A kind that is new to these pages is shown as a movement. */
export const movementKinds = ["payment", "refund", "top-up"] as const;
export type MovementKind = (typeof movementKinds)[number];

export const transaction = fields({
  id,
  type: oneOf("increment-balance", "decrement-balance"),
  kind: text,
  createdAt: instant,
  value: money,
});
export type Transaction = Shape<typeof transaction>;
