/** What the merchant backend shows: machines and sales on the wire. The only place their public form is written. */
import { z } from "zod";
import { fromMinor } from "../../broker/protocol/money.js";
import type { Terms } from "./attendant.js";
import { checkWords } from "./check-words.js";
import type { Item, Machine } from "./machines.js";
import type { OwnedMachine, OwnedSale } from "./owned.js";
import type { PaymentRequest } from "./payments-client.js";
import {
  wasTakenOver,
  isInDoubt,
  isReturnable,
  isVended,
  sessionEnds,
  wasPaid,
  type Note,
  type Sale,
  type SaleState,
  type Vend,
} from "./sale.js";
import type { DatedSale } from "./sales.js";
import type { MachineState, MachineView, PublicState, SaleView } from "./shown.js";
import { moneyText, sentence, type Source } from "./words.js";

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

export function saleView(
  sale: Sale,
  machine: Machine,
  items: readonly Item[],
  story: readonly (Note & { readonly atMs: number })[],
  paymentRequest: PaymentRequest | null,
  terms: Terms,
): SaleView {
  const nameOf = namesOf(items);
  const source = sourceOf(sale, paymentRequest);
  const priced = (minor: number): string => moneyText(minor, sale.currency, machine.decimals);
  return {
    id: sale.id,
    state: PUBLIC[sale.state],
    machine: { code: machine.code, name: machine.name, place: machine.place },
    credit: fromMinor(sale.creditMinor, sale.currency),
    paymentRequest,
    vended: vendedOf(sale, nameOf),
    refunded: fromMinor(sale.refundedMinor, sale.currency),
    takenOver: wasTakenOver(sale),
    ...(sale.refundRefusal === null ? {} : { owed: fromMinor(sale.refundDueMinor, sale.currency) }),
    ...sessionOf(sale, terms),
    timeline: story.map(({ atMs, code, item, minor }) => ({
      at: new Date(atMs).toISOString(),
      text: sentence({
        code,
        source,
        ...(item === undefined ? {} : { item: nameOf(item) }),
        ...(minor === undefined ? {} : { money: priced(minor) }),
      }),
    })),
  };
}

function sessionOf(sale: Sale, { policy, goMs, sessionMs }: Terms): Pick<SaleView, "session"> {
  const ends = sessionEnds(sale, { goMs, sessionMs, darkAfterMs: policy.darkAfterMs });
  if (ends === undefined) return {};
  return {
    session: {
      overBy: isoOf(ends.overMs),
      givenUpBy: isoOf(ends.givenUpMs),
      stopAsked: sale.voiding,
    },
  };
}

/** The platform's names for money of its own, and for vouchers. */
const WALLET = /^centrapay\.[a-z]{3}\.(main|test)$/;
const VOUCHER = /^voucher\.[a-z]{3}\.(main|test)$/;

function sourceOf({ products, byVoucher }: Sale, paymentRequest: unknown): Source {
  if (products !== null) return "productCode";
  if (byVoucher) return "voucher";
  const types = paidFrom.safeParse(paymentRequest).data?.paidBy.assetTotals.map(({ type }) => type) ?? [];
  if (types.length === 0) return "elsewhere";
  if (types.every((type) => WALLET.test(type))) return "wallet";
  return types.every((type) => VOUCHER.test(type)) ? "voucher" : "elsewhere";
}
const paidFrom = z.object({
  paidBy: z.object({ assetTotals: z.array(z.object({ type: z.string() })) }),
});

const namesOf =
  (items: readonly Item[]) =>
  (number: number): string =>
    items.find(({ item }) => item === number)?.name ?? `Item ${number}`;

type NameOf = (item: number) => string;
const productOf = ({ currency }: Sale, { item, priceMinor }: Vend, nameOf: NameOf) => ({
  item,
  name: nameOf(item),
  price: fromMinor(priceMinor, currency),
});
const vendedOf = (sale: Sale, nameOf: NameOf): SaleView["vended"] =>
  sale.vends
    .filter(isVended)
    .map((vend) => ({ ...productOf(sale, vend, nameOf), inDoubt: isInDoubt(sale, vend) }));

const isoOf = (ms: number): string => new Date(ms).toISOString();

/** A machine as its owner sees it. */
export function ownedMachineView(machine: Machine, state: MachineState, doubtful: number): OwnedMachine {
  const { status, telemetry } = machine;
  return {
    code: machine.code,
    name: machine.name,
    place: machine.place,
    currency: machine.currency,
    state,
    ...(status === undefined ? {} : { heardAt: isoOf(machine.statusAtMs), version: status.version }),
    ...(status === undefined || state === "offline" ? {} : { mdb: status.mdb }),
    ...(status === undefined || state !== "outOfService" ? {} : { reason: status.reason }),
    configuration: { applied: machine.configApplied, ...status?.config },
    doubtful,
    ...(telemetry === undefined ? {} : { telemetry: { at: isoOf(telemetry.atMs), ...telemetry.said } }),
  };
}

/** A sale as its machine's owner sees it. */
export function ownedSaleView({ sale, atMs }: DatedSale, items: readonly Item[]): OwnedSale {
  const nameOf = namesOf(items);
  return {
    id: sale.id,
    at: isoOf(atMs),
    state: PUBLIC[sale.state],
    credit: fromMinor(sale.creditMinor, sale.currency),
    paid: wasPaid(sale),
    ...(sale.paymentRequestId === null ? {} : { paymentRequestId: sale.paymentRequestId }),
    vended: vendedOf(sale, nameOf),
    refunded: fromMinor(sale.refundedMinor, sale.currency),
    returnable: sale.vends
      .filter((vend) => isReturnable(sale, vend))
      .map((one) => ({ vend: one.vend, ...productOf(sale, one, nameOf) })),
    flags: sale.flags,
  };
}
