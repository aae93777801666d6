/** What the merchant backend shows: machines and sales on the wire. The only place their public form is written. */
import { fromMinor, type Money } from "../../broker/protocol/money.js";
import { checkWords } from "./check-words.js";
import type { Item, Machine, MachineState } from "./machines.js";
import { isVended, type Note, type Sale, type SaleState } from "./sale.js";
import { moneyText, sentence } from "./words.js";

export type MachineView = {
  readonly code: string;
  readonly name: string;
  readonly place: string;
  /** Printed on the machine's label as well. */
  readonly checkWords: string;
  readonly state: MachineState;
  readonly currency: string;
  readonly suggestedCredit: readonly Money[];
  readonly items: readonly {
    readonly item: number;
    readonly name: string;
    readonly price: Money;
    readonly available: boolean;
  }[];
};

export const machineView = (
  machine: Machine,
  state: MachineState,
  items: readonly Item[],
  publicUrl: string,
): MachineView => ({
  code: machine.code,
  name: machine.name,
  place: machine.place,
  checkWords: checkWords(publicUrl, machine.code),
  state,
  currency: machine.currency,
  suggestedCredit: machine.suggestedCreditMinor.map((minor) => fromMinor(minor, machine.currency)),
  items: items.map(({ item, name, priceMinor, suspect }) => ({
    item,
    name,
    price: fromMinor(priceMinor, machine.currency),
    available: !suspect,
  })),
});

type PublicState =
  | "awaitingPayment"
  | "paid"
  | "open"
  | "vending"
  | "settling"
  | "settled"
  | "cancelled"
  | "expired"
  | "unknown";
/** What a customer sees of the states; the first three never leave the desk. */
const PUBLIC: Readonly<Record<SaleState, PublicState>> = {
  reserving: "awaitingPayment",
  requesting: "awaitingPayment",
  refused: "cancelled",
  awaitingPayment: "awaitingPayment",
  cancelling: "settling",
  paid: "paid",
  open: "open",
  vending: "vending",
  unknown: "unknown",
  settling: "settling",
  settled: "settled",
  cancelled: "cancelled",
  expired: "expired",
};

export type SaleView = {
  readonly id: string;
  readonly state: PublicState;
  readonly machine: { readonly code: string; readonly name: string; readonly place: string };
  readonly credit: Money;
  readonly paymentRequest: unknown;
  readonly vended: readonly { readonly item: number; readonly name: string; readonly price: Money }[];
  readonly refunded: Money;
  readonly timeline: readonly { readonly at: string; readonly text: string }[];
};

export function saleView(
  sale: Sale,
  machine: Machine,
  items: readonly Item[],
  story: readonly (Note & { readonly atMs: number })[],
  paymentRequest: unknown,
): SaleView {
  const nameOf = (number: number): string =>
    items.find(({ item }) => item === number)?.name ?? `Item ${number}`;
  const priced = (minor: number): string => moneyText(minor, sale.currency, machine.decimals);
  return {
    id: sale.id,
    state: PUBLIC[sale.state],
    machine: { code: machine.code, name: machine.name, place: machine.place },
    credit: fromMinor(sale.creditMinor, sale.currency),
    paymentRequest,
    vended: sale.vends.filter(isVended).map(({ item, priceMinor }) => ({
      item,
      name: nameOf(item),
      price: fromMinor(priceMinor, sale.currency),
    })),
    refunded: fromMinor(sale.refundedMinor, sale.currency),
    timeline: story.map(({ atMs, code, item, minor }) => ({
      at: new Date(atMs).toISOString(),
      text: sentence({
        code,
        ...(item === undefined ? {} : { item: nameOf(item) }),
        ...(minor === undefined ? {} : { money: priced(minor) }),
      }),
    })),
  };
}
