/**
 * Every word the pages say. Components hold codes and amounts; sentences are here, so that another language is another
 * catalogue of this shape and nothing else.
 */
import type { MachineState, MovementKind, RequestStatus, SaleState } from "./wire.js";

/** A short line, and what it means or what to do about it. */
export type Said = { readonly title: string; readonly detail: string };

/** The codes by which the cloud refuses, and the two ways in which an answer fails to come. */
export const refusalCodes = [
  "MACHINE_OFFLINE",
  "MACHINE_BUSY",
  "MACHINE_OUT_OF_SERVICE",
  "CREDIT_OUT_OF_RANGE",
  "PAYMENTS_UNAVAILABLE",
  "REQUEST_PAID",
  "REQUEST_EXPIRED",
  "REQUEST_CANCELLED",
  "INSUFFICIENT_ASSET_VALUE",
  "INVALID_ASSET_TYPE",
  "INACTIVE_ASSET",
  "IDEMPOTENT_OPERATION_FAILED",
  "NO_AVAILABLE_PAYMENT_OPTIONS",
  "RATE_LIMIT_EXCEEDED",
  "BUSY",
  "Missing authentication",
  "Forbidden",
  "Not Found",
  "NO_ANSWER",
  "UNREADABLE",
] as const;
type RefusalCode = (typeof refusalCodes)[number];

const machineState: Record<MachineState, string> = {
  ready: "Ready",
  busy: "In use",
  offline: "Offline",
  outOfService: "Out of service",
};

const notSelling: Record<Exclude<MachineState, "ready">, Said> = {
  busy: {
    title: "Somebody else is buying",
    detail: "It is usually less than a minute. This page says when the machine is free.",
  },
  offline: {
    title: "The machine cannot be reached",
    detail: "It cannot take a payment from your phone, so nothing can be charged. Try again in a minute.",
  },
  outOfService: {
    title: "The machine is not selling",
    detail: "Nothing can be charged. Please use another machine.",
  },
};

const saleState: Record<Exclude<SaleState, "settled">, Said> = {
  awaitingPayment: { title: "Pay to start", detail: "The machine is being held for you." },
  paid: {
    title: "Payment received",
    detail: "Handing your credit to the machine. This takes a second or two.",
  },
  open: {
    title: "Choose at the machine",
    detail: "Enter the number of what you want on the machine's keypad.",
  },
  vending: { title: "On its way", detail: "Watch the tray. If nothing drops, you get your money back." },
  settling: { title: "Finishing up", detail: "Working out what to give back." },
  cancelled: { title: "Cancelled", detail: "This purchase was stopped." },
  expired: { title: "Time ran out", detail: "The payment was not made in time, so nothing was charged." },
  unknown: {
    title: "Checking with the machine",
    detail:
      "The machine lost its connection or its power at a bad moment, and nobody knows yet whether your item dropped. You need not do anything: it will be settled, and this page will say how.",
  },
};

const requestStatus: Record<RequestStatus, Said> = {
  new: { title: "Waiting for payment", detail: "" },
  paid: { title: "Paid", detail: "Thank you. Go on at the machine." },
  expired: {
    title: "Too late for this one",
    detail: "The time to pay is over and nothing was charged. Scan the machine again.",
  },
  cancelled: { title: "Cancelled", detail: "This payment was called off and nothing was charged." },
};

const refusal: Record<RefusalCode, Said> = {
  MACHINE_OFFLINE: {
    title: "The machine cannot be reached",
    detail: "You have not been charged. Try again in a minute, or use another machine.",
  },
  MACHINE_BUSY: {
    title: "Somebody else is buying",
    detail: "You have not been charged. Try again when they are done; it is usually less than a minute.",
  },
  MACHINE_OUT_OF_SERVICE: {
    title: "The machine is not selling",
    detail: "You have not been charged. Please use another machine.",
  },
  CREDIT_OUT_OF_RANGE: {
    title: "That amount does not work here",
    detail: "You have not been charged. Choose another amount.",
  },
  PAYMENTS_UNAVAILABLE: {
    title: "Payments are down for a moment",
    detail: "You have not been charged. Try again in a minute.",
  },
  REQUEST_PAID: { title: "Already paid", detail: "It was paid once and cannot be paid twice." },
  REQUEST_EXPIRED: {
    title: "Too late for this one",
    detail: "The time to pay is over. You have not been charged. Start again.",
  },
  REQUEST_CANCELLED: { title: "This payment was called off", detail: "You have not been charged." },
  INSUFFICIENT_ASSET_VALUE: {
    title: "Not enough in the wallet",
    detail: "You have not been charged. Choose a smaller amount or pay another way.",
  },
  INVALID_ASSET_TYPE: {
    title: "This wallet is not accepted here",
    detail: "You have not been charged. Pay another way.",
  },
  INACTIVE_ASSET: { title: "This wallet is closed", detail: "You have not been charged. Pay another way." },
  IDEMPOTENT_OPERATION_FAILED: {
    title: "That did not work",
    detail: "You have not been charged twice. Reload the page and look again.",
  },
  NO_AVAILABLE_PAYMENT_OPTIONS: {
    title: "There is no way to pay here",
    detail: "You have not been charged. Please use another machine.",
  },
  RATE_LIMIT_EXCEEDED: {
    title: "Please wait a little",
    detail:
      "Many people ask at once, or this machine was held again and again and nobody paid. Nothing was lost. Give it a few minutes; if nothing happens, try again.",
  },
  BUSY: { title: "Very busy right now", detail: "Try again in a few seconds." },
  "Missing authentication": {
    title: "The wallet's key is not accepted",
    detail: "Forget this wallet and add it again.",
  },
  Forbidden: { title: "Nothing here", detail: "It does not exist, or it is not yours to see." },
  "Not Found": { title: "Nothing here", detail: "The address may be mistyped. Scan the code again." },
  NO_ANSWER: {
    title: "No connection",
    detail: "Check your phone's connection and try again. Trying again never charges you twice.",
  },
  UNREADABLE: {
    title: "Something went wrong on our side",
    detail: "Try again in a minute. Trying again never charges you twice.",
  },
};

const movement: Record<MovementKind, string> = { payment: "Paid", refund: "Refunded", "top-up": "Added" };
const isMovementKind = (kind: string): kind is MovementKind => Object.hasOwn(movement, kind);

const isRefusalCode = (code: string): code is RefusalCode => refusalCodes.some((known) => known === code);

export const english = {
  machineState,
  notSelling,
  requestStatus,
  /** A code without words of its own is a fault of ours. */
  refusal: (code: string): Said => refusal[isRefusalCode(code) ? code : "UNREADABLE"],

  sale: {
    state: (state: Exclude<SaleState, "settled">): Said => saleState[state],
    credit: (amount: string) => `${amount} of credit`,
    settled: {
      vended: { title: "Enjoy!", detail: "All done." },
      nothing: { title: "Nothing was sold", detail: "You have not paid for anything." },
    },
    owed: (amount: string, id: string): Said => ({
      title: `${amount} is owed to you`,
      detail: `It could not be given back yet, and is tried again by itself. If it does not come, tell the operator this reference: ${id}`,
    }),
    inDoubt: (id: string): Said => ({
      title: "Counted as given out",
      detail: `Nobody could see whether it came out. If nothing did, tell the operator this reference: ${id}`,
    }),
    takenOver: {
      title: "Somebody else went first",
      detail:
        "You had not paid yet, and somebody else asked for the machine. Nothing was charged. Start again when they are done.",
    },
    refunded: (amount: string) => `${amount} refunded`,
    refundedDetail: "It is back where you paid from.",
    charged: "You paid",
    back: "Returned to you",
    steps: { label: "How far along you are", pay: "Pay", choose: "Choose", collect: "Collect", done: "Done" },
    timeline: "What happened",
    again: "Buy something else",
    chosen: "Your choice",
    cancel: "Cancel",
    cancelPaid: "Cancel and refund",
    cancelling: "Stopping",
    cancelAsked:
      "You have asked to stop. When the machine has heard it, what was not used comes back to you.",
    silent: (latest: string): Said => ({
      title: "The machine cannot be reached",
      detail: `Your credit can no longer be used. What was not given out comes back as soon as the machine is heard again, at the latest ${latest}.`,
    }),
    reference: (id: string) => `Reference ${id}`,
    gone: "This purchase can no longer be found",
    goneDetail: "It may be very old, or the address may be mistyped.",
  },

  barcode: {
    show: "Show my barcode",
    making: "Making a barcode",
    title: "Your barcode",
    hint: "Hold it to the machine's scanner. By itself it pays nothing: you are asked here first.",
    qr: "QR code of your barcode",
    left: (clock: string) => `Good for ${clock}`,
    over: "This barcode is too old",
    renew: "Make a new one",
    asked: (amount: string, by: string | undefined) => `${by ?? "A machine"} asks for ${amount}`,
    askedDetail: "It read your barcode. Nothing is charged before you pay.",
    pay: (amount: string) => `Go on to pay ${amount}`,
  },

  machine: {
    loading: "Finding the machine",
    checkWords: "Check words",
    checkWordsHint: "Are they printed on the machine too? If not, pay nothing here.",
    unknown: (code: string) => ({
      title: "No machine has this code",
      detail: `Look at the sticker again: this one says ${code}. Pay nothing here if it looks stuck over another.`,
    }),
    promise: "You only pay for what drops. The rest comes back by itself.",
    items: "What is inside",
    itemsHint: "Tap one to load exactly its price, or choose an amount below.",
    noItems: "The machine has not said what is inside. Choose an amount and look behind the glass.",
    tile: (item: number, name: string, price: string) => `Number ${item}, ${name}, ${price}`,
    notToBeHad: "Not to be had now",
    credit: "How much to load",
    start: (amount: string) => `Continue with ${amount}`,
    starting: "Asking the machine",
    choose: "Choose an item or an amount",
    stickyItem: (item: number, name: string) => `${name}: press ${item} on the machine afterwards`,
    stickyCredit: "Choose at the machine after paying",
    stale: "Connection lost. Trying again.",
    crowded: "Very busy right now. This page goes on by itself.",
  },

  pay: {
    heading: "How to pay",
    amount: "To pay",
    wallet: (amount: string) => `Pay ${amount} from wallet`,
    paying: "Paying",
    walletName: (name: string | undefined) => name ?? "Test wallet",
    testMoney: "Test money",
    tooLittle: "There is not enough in this wallet.",
    notAccepted: "This wallet is not accepted here.",
    other: "Pay with another phone or app",
    otherOnly: "Scan this with the phone or app that pays",
    otherDetail: "Let it scan this code, or open the payment there.",
    open: "Open the payment page",
    qr: "QR code of this payment",
    code: (shortCode: string) => `Code ${shortCode}`,
    left: (clock: string) => `${clock} left to pay`,
    over: "The time to pay is over",
    closed: {
      title: "No longer open",
      detail:
        "This payment is paid, called off or too old, or it never existed. Nothing more can be charged.",
    },
    loading: "Finding the payment",
    back: (merchant: string | undefined) => `Back to ${merchant ?? "the shop"}`,
    lines: "What it is for",
  },

  wallet: {
    heading: "Test wallet",
    test: "This wallet holds test money for trying things out. It is worth nothing elsewhere.",
    balance: "Balance",
    recent: "Last movements",
    movement: (kind: string): string => (isMovementKind(kind) ? movement[kind] : "Moved"),
    none: "Nothing yet. Scan a machine's code to buy something.",
    forget: "Forget this wallet",
    forgetSure: "Yes, forget it on this phone",
    forgetDetail: "The money stays in the wallet, but this phone can no longer spend it without its link.",
    keep: "Keep it",
    empty: "No wallet on this phone",
    emptyDetail: "Open the link of a test wallet and it is kept here.",
    added: (name: string | undefined) => `${name ?? "Test wallet"} added to this phone`,
    addedDetail: "It holds test money, worth nothing elsewhere.",
    damaged: "That wallet link is damaged",
    damagedDetail: "Copy the whole link and open it again.",
    open: "Wallet",
    back: "Back to the machine",
    close: "Close this message",
  },

  lost: { title: "There is nothing here", detail: "Scan the code on a machine to start." },
  retry: "Try again",
};

export type Words = typeof english;

const catalogues: ReadonlyMap<string, Words> = new Map([["en", english]]);

/** The first catalogue that one of the reader's languages has, in the reader's order; English otherwise. */
export function wordsFor(languages: readonly string[]): Words {
  for (const language of languages) {
    const found = catalogues.get(language.split("-")[0] ?? language);
    if (found !== undefined) return found;
  }
  return english;
}
