/** Every sentence the merchant backend says about a sale, by code. One catalogue a language; the logic knows codes only. */
import { minorToDecimal } from "../../broker/protocol/money.js";

/** Where a sale was paid from, and what goes back goes to: a code for a product is worth nothing but that. */
export type Source = "wallet" | "voucher" | "productCode" | "elsewhere";
export type Told = {
  readonly code: string;
  readonly source: Source;
  readonly item?: string;
  readonly money?: string;
};
type Sentence = (told: { readonly item: string; readonly money: string; readonly source: Source }) => string;

const isBack: Readonly<Record<Source, (money: string) => string>> = {
  wallet: (money) => `${money} is back in your wallet.`,
  voucher: (money) => `${money} is back on your voucher.`,
  productCode: () => "Your code is good again.",
  elsewhere: (money) => `${money} is back where you paid from.`,
};

const en: Readonly<Record<string, Sentence>> = {
  awaitingPayment: ({ money }) => `The machine is reserved for you. Waiting for a payment of ${money}.`,
  cancelAsked: () => "You asked to cancel.",
  takenOver: () =>
    "Nobody had paid for some time, so somebody else who asked for the machine was let go first.",
  cancelled: () => "Cancelled. Nothing is owed.",
  expired: () => "Nobody paid in time. Nothing is owed.",
  paid: ({ money }) => `Payment of ${money} received. Sending the credit to the machine.`,
  latePayment: ({ money }) => `A payment of ${money} came after the sale was over. All of it goes back.`,
  accepted: () => "The machine has accepted the credit.",
  opened: ({ money }) => `The machine shows ${money}. Choose an item at its keypad.`,
  openedFor: ({ item }) => `${item} is paid for. Choose it at the machine's keypad.`,
  deniedNotGranted: ({ item }) => `What was paid for is something else than ${item}.`,
  deniedAboveCredit: ({ item, money }) =>
    `${item} costs ${money}, more than the credit. Choose something else.`,
  denied: ({ item }) =>
    `The machine asked for ${item} at a price that cannot be charged. Choose something else.`,
  deniedSuspended: ({ item }) => `${item} has not come out several times. Choose something else.`,
  approved: ({ item, money }) => `${item} for ${money}: the machine is giving it out.`,
  succeeded: ({ item, money }) => `${item} was given out for ${money}.`,
  assumed: ({ item, money }) =>
    `The machine restarted while giving out ${item} (${money}). That counts as given out; it is marked for a check.`,
  failed: ({ item }) => `${item} did not come out. You do not pay for it.`,
  unknown: () => "The machine could not say whether the product came out. It may still find out.",
  nothingVended: () => "The session ended and nothing was given out.",
  machineRefused: () => "The machine could not take the credit.",
  machineSilent: () => "The machine did not answer. Nothing can come out any more.",
  dark: () => "The machine has been silent for too long.",
  unknownRefunded: () => "Nobody could say whether the product came out, so it is decided for you.",
  unknownKept: () =>
    "Nobody could say whether the product came out. It was counted as given out. If it did not, tell the operator.",
  refunding: ({ money, source }) =>
    source === "productCode" ? "Giving your code back." : `Refunding ${money}.`,
  refunded: ({ money, source }) => isBack[source](money),
  givenBack: ({ item }) => `The operator does not charge you for ${item}.`,
  refundRefused: () => "The refund was not accepted. It is tried again by itself.",
  settled: () => "All settled.",
  auditFailed: ({ item }) =>
    `The machine's own count says that ${item} did not come out. You do not pay for it.`,
  auditSucceeded: ({ item, money }) => `The machine's own count says that ${item} (${money}) came out.`,
  auditRight: ({ item }) =>
    `The machine's own count says that ${item} did not come out: the refund was right.`,
  auditLoss: ({ item, money }) =>
    `The machine's own count says that ${item} (${money}) came out after all. You keep the refund.`,
  lateVend: ({ item, money }) =>
    `The machine reported later that ${item} (${money}) had come out. You keep the refund.`,
};

/** The sentence for a note. An unknown code is shown as it is: better a bare fact than none. */
export const sentence = (told: Told): string =>
  en[told.code]?.({ item: told.item ?? "", money: told.money ?? "", source: told.source }) ?? told.code;

/** "NZD 3.50". */
export const moneyText = (minor: number, currency: string, decimals: number): string =>
  `${currency} ${minorToDecimal(minor, decimals)}`;

/** "30 seconds", "2 minutes". */
export function waitText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds <= 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}

/** What a machine's display says of a scanned or typed code, or of a selection: at most 64 characters (messages.ts). */
const display: Readonly<Record<string, (detail: string) => string>> = {
  scan: (money) => `Scan to pay ${money}`,
  pay: (money) => `Pay ${money} in your wallet now`,
  voucher: (money) => `Voucher taken: ${money}. What you do not spend stays on it`,
  ASSET_REDEMPTION_DENIED: () => "No voucher has this code. Check it and try again",
  INVALID_ASSET_TYPE: () => "This machine does not take that voucher",
  INACTIVE_ASSET: () => "That voucher is used up or has expired",
  RATE_LIMIT_EXCEEDED: (wait) =>
    wait === "" ? "Too many tries. Wait a little" : `Too many tries. Wait ${wait}`,
  notHere: () => "This machine does not take that",
  CHECKSUM_FAILED: () => "That was not read well. Show it again",
  PATRON_CODE_INVALID: () => "That code is unknown or too old",
  MACHINE_BUSY: () => "Somebody is being served. One moment",
  MACHINE_OUT_OF_SERVICE: () => "Out of service. Nothing was charged",
  PAYMENTS_UNAVAILABLE: () => "Cannot pay just now. Try again",
};
/** `detail`: the amount or the wait that the words name. */
export const onDisplay = (code: string, detail = ""): string =>
  (display[code] ?? (() => "That did not work. Try again"))(detail);

const MOST = 64;
/** What a product's code is good for: "Choose 11 or 12: Salted crisps". */
export const productText = (items: readonly number[], name: string): string =>
  `Choose ${items.slice(0, 4).join(" or ")}: ${name}`.slice(0, MOST);
