/** What our reader is, and the answers that follow from it: READER CONFIG, PERIPHERAL ID, BEGIN SESSION, DISPLAY REQUEST. Pure. */
import type { Device, Response } from "./codec.js";
import type { Context } from "./widths.js";

/** The options of PERIPHERAL ID that we know how to keep (7.4.19). */
export type Feature = "money32" | "multiCurrency" | "negativeVend" | "alwaysIdle";
export type CashlessSetup = {
  readonly device: Device;
  /** The highest we speak; some machines want 1 whatever they say of themselves. */
  readonly level: 1 | 2 | 3;
  readonly country: string; // "1978": 1 and ISO 4217's number
  readonly language: string; // "en"
  readonly scale: number;
  readonly decimals: number;
  /** Z7: how long the machine waits for our answers. */
  readonly responseSeconds: number;
  /** How long it really waits, where that was measured. */
  readonly patienceSeconds?: number | undefined;
  /** How long a product may take. */
  readonly vendResultMs: number;
  readonly options: readonly ("refund" | "multivend" | "display" | "cashSale")[];
  readonly features: readonly Feature[];
  readonly identity: {
    readonly manufacturer: string; // 3 characters
    readonly serial: string; // 12
    readonly model: string; // 12
    readonly version: string; // 4 digits
  };
  /** What may be paid in at once; without one, nothing may. */
  readonly revalueLimitScaled?: number;
};

/** What the machine told of its display (SETUP). */
export type Screen = { readonly columns: number; readonly rows: number; readonly isFull: boolean };

export const readerConfig = (setup: CashlessSetup, { level }: Context): Response => ({
  kind: "readerConfig",
  level,
  country: setup.country,
  scale: setup.scale,
  decimals: setup.decimals,
  responseSeconds: setup.responseSeconds,
  options: setup.options,
});

export const peripheralId = ({ identity, features }: CashlessSetup, { level }: Context): Response => ({
  kind: "peripheralId",
  ...identity,
  ...(level === 3 ? { features } : {}),
});

/** The highest sum is kept for "not determined", which some machines show as money. */
export function beginSession(
  { country, language }: CashlessSetup,
  context: Context,
  funds: number,
): Response {
  const { level, expanded } = context;
  const fundsScaled = Math.min(funds, expanded === true ? 0xfffffffe : 0xfffe);
  const card = { mediaId: 0xffffffff, paymentType: 0, paymentData: 0 };
  const money = { language, currency: country, cardOptions: [] };
  return {
    kind: "beginSession",
    fundsScaled,
    ...(level >= 2 ? card : {}),
    ...(expanded === true ? money : {}),
  };
}

/** The text must fill the display; `undefined` for a machine without one. */
export function displayRequest(
  { columns, rows, isFull }: Screen,
  text: string,
  tenths: number,
): Response | undefined {
  const size = Math.min(columns * rows, 32);
  if (size === 0) return undefined;
  const readable = (isFull ? text : text.toUpperCase()).replaceAll(/[^\x20-\x7e]/gu, "?");
  return { kind: "displayRequest", tenths, text: readable.slice(0, size).padEnd(size) };
}
