/** Every word the owner's pages say, for the same reason as `words.ts`: another language is another catalogue. */
import type { SaleState } from "./wire.js";
import type { Said } from "./words.js";

/** Why a machine does not sell, by the code of its status. */
const reasons: Readonly<Record<string, Said>> = {
  serialLost: {
    title: "The adapter is not connected",
    detail: "Look at its cable and its power; the controller opens the line again by itself.",
  },
  adapterOff: { title: "The adapter does not answer", detail: "Switch it off and on." },
  mdbInactive: {
    title: "The vending machine does not talk to the reader",
    detail: "Is it switched on, and is the reader on its MDB bus?",
  },
  mdbDisabled: {
    title: "The vending machine has switched the reader off",
    detail: "Its door may be open, or it is out of change or out of order.",
  },
  journalFull: {
    title: "Too much has not been heard by the cloud",
    detail: "It sells again as soon as its reports have come through.",
  },
  journalFailed: { title: "Its disk cannot be written", detail: "It may be full, or the card is worn out." },
  updating: { title: "It is being updated", detail: "It sells again in a moment." },
};

const saleStates: Readonly<Record<SaleState, string>> = {
  awaitingPayment: "Waiting for payment",
  paid: "Paid",
  open: "Choosing",
  vending: "Being given out",
  unknown: "In doubt",
  settling: "Refunding",
  settled: "Done",
  cancelled: "Cancelled",
  expired: "Not paid",
};

/** What a person should look at, by its code. */
const flags: Readonly<Record<string, string>> = {
  assumedVend: "Counted as given out: the machine restarted in the middle",
  unknownRefunded: "Nobody knew whether it came out: refunded",
  unknownKept: "Nobody knew whether it came out: kept, the customer had several of these",
  dark: "The machine was silent for too long: refunded",
  givenBack: "You gave back what it cost",
  lateVend: "It came out after the refund: your loss",
  journalReplaced: "The machine has a new memory card",
  amountMismatch: "Another amount was paid than was asked for",
  takenOver: "Nobody had paid, and somebody else wanted the machine",
  latePayment: "Paid after it was over: refunded",
  refundedByHand: "Some of it was refunded by hand",
  overspent: "The machine gave out more than was paid for",
  auditRefunded: "The machine's own count says that it did not come out: refunded",
  auditLoss: "The machine's own count says that it came out after the refund: your loss",
  ALREADY_REFUNDED: "It had been refunded by hand",
  REFUND_DECLINED: "The refund was declined: is there enough in the merchant's wallet?",
};

const own = <T>(table: Readonly<Record<string, T>>, code: string): T | undefined =>
  Object.hasOwn(table, code) ? table[code] : undefined;

export const english = {
  title: "Your machines",
  key: "API key",
  keyHint: "An owner's key. It stays in this tab, and is forgotten when you close it.",
  enter: "Show my machines",
  entering: "Asking",
  leave: "Forget the key",
  loading: "Asking",
  stale: "Connection lost. Trying again.",
  none: { title: "No machines yet", detail: "None is registered for this key's merchant." },
  refused: {
    key: { title: "This key is not accepted", detail: "Look whether all of it was copied." },
    notYours: {
      title: "Nothing here is this key's",
      detail: "It needs the key of an owner whose merchant has machines here.",
    },
    machine: { title: "There is no such machine of yours", detail: "Go back to the list." },
    other: { title: "That did not work", detail: "It is tried again in a few seconds." },
  },
  all: "All machines",
  more: "Show more",
  counts: (selling: number, not: number) =>
    `${selling} ${selling === 1 ? "sells" : "sell"}, ${not} ${not === 1 ? "does not" : "do not"}`,
  state: {
    ready: "Selling",
    busy: "Selling: a customer is there",
    outOfService: "Not selling",
    offline: "Offline",
  },
  reason: (code: string): Said =>
    own(reasons, code) ?? { title: code === "" ? "It does not say why" : code, detail: "" },
  since: (at: string | undefined) => (at === undefined ? "It was never heard" : `Since ${at}`),
  heard: (at: string) => `Last heard ${at}`,
  telemetry: {
    heading: "The box",
    none: "It has not said yet how its box is.",
    at: (at: string) => `As of ${at}`,
    uptime: "Controller runs for",
    boxUptime: "Box runs for",
    temperature: "Temperature",
    degrees: (celsius: number) => `${celsius} °C`,
    disk: "Free on its disk",
    memory: "Memory used",
    megabytes: (count: number) => (count < 10_000 ? `${count} MB` : `${Math.round(count / 1_000)} GB`),
    vends: "Given out",
    failed: "Did not come out",
    unknown: "In doubt",
    mdbResets: "Resets by the machine",
    serialLosses: "Losses of the adapter",
    commits: "Writes to the card",
    since: "Counted since the controller started.",
    version: "Version",
    configuration: "Configuration",
    applied: (version: number) => (version === 0 ? "its own file" : `version ${version}`),
    trying: (version: number) => `trying version ${version}`,
    refused: (version: number, at: string) => `version ${version} was refused: ${at}`,
  },
  duration: (seconds: number): string => {
    const [days, hours, minutes] = [
      Math.floor(seconds / 86_400),
      Math.floor(seconds / 3_600) % 24,
      Math.floor(seconds / 60) % 60,
    ];
    if (days > 0) return `${days} d ${hours} h`;
    return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min`;
  },
  doubtful: (count: number) => (count === 1 ? "1 sale to look at" : `${count} sales to look at`),
  doubts: "Nobody knows yet whether this came out",
  doubtsHint: "Each is decided by your policy, or earlier when the machine says it, or by you.",
  owing: "Owed to the customer, and the refund is refused",
  owingHint: "It is tried again every minute, and goes back as soon as it is accepted.",
  sales: {
    heading: "Last sales",
    none: "Nothing has been sold by phone yet.",
    nothing: "Nothing given out",
    paid: (money: string) => `paid ${money}`,
    asked: (money: string) => `asked for ${money}`,
    refunded: (money: string) => `${money} back`,
    reference: (id: string) => `Reference ${id}`,
    request: (id: string) => `Payment request ${id}`,
  },
  giveBack: {
    offer: (money: string, name: string) => `Give ${money} back for ${name}`,
    sure: (money: string) =>
      `The customer gets ${money} back, to where it was paid from. It cannot be taken back again.`,
    yes: "Give it back",
    no: "Keep it",
    notCharged: "The customer does not pay for it any more.",
    refused: "That did not work. Try again.",
  },
  saleState: (state: SaleState): string => saleStates[state],
  flag: (code: string): string => own(flags, code) ?? code,
};
export type OwnerWords = typeof english;

const catalogues: ReadonlyMap<string, OwnerWords> = new Map([["en", english]]);

export function ownerWordsFor(languages: readonly string[]): OwnerWords {
  const known = languages.map((language) => catalogues.get(language.split("-")[0] ?? language));
  return known.find((words) => words !== undefined) ?? english;
}
