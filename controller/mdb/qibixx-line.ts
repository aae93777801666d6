/**
 * The lines a Qibixx adapter prints, and the commands it reads (reference/mdb.md, 2.1). Pure.
 *
 * Owns      the dialect: nobody else knows what a comma means.
 * Promises  `parseLine` never throws. What it does not know is `unknown`; what no adapter would print (a byte that is not
 *           printable ASCII: a wrong baud rate, a motor's spark) is `noise` as a whole, never half believed.
 * Never     remembers: what a line means for the sale depends on the state, and is the link's.
 *
 * The price keeps its text, because the approval must echo it exactly as it was printed.
 */
import { decimalToMinor } from "../../broker/protocol/money.js";
import { ITEM_UNDEFINED } from "./driver.js";

export type Line =
  | { readonly kind: "blank" | "noise" | "unknown" | "chatter" }
  | { readonly kind: "version"; readonly version: string }
  | { readonly kind: "on" | "off" | "settingTaken" }
  | { readonly kind: "inactive" | "disabled" | "enabled" }
  | { readonly kind: "idle"; readonly echo: string } // the echo is our own C,START: it proves nothing about the VMC
  | { readonly kind: "vend"; readonly priceText: string; readonly priceMinor?: number; readonly item: number }
  | { readonly kind: "succeeded" | "cancelled" | "failed" | "reset" }
  | { readonly kind: "wrongState"; readonly command: "start" | "stop" | "vend" }
  | { readonly kind: "badParameter" | "denied" };

/** The fixed lines after `c,`. Quotes are taken off first: firmwares differ in them. */
// prettier-ignore
const answers: ReadonlyMap<string, Line> = new Map<string, Line>([
  ["0",                       { kind: "off" }],
  ["1",                       { kind: "on" }],
  ["STATUS,OFFLINE",          { kind: "off" }],       // older firmware's c,0
  ["STATUS,ONLINE",           { kind: "on" }],        // older firmware's c,1
  ["SET,OK",                  { kind: "settingTaken" }],
  ["STATUS,INACTIVE",         { kind: "inactive" }],
  ["STATUS,DISABLED",         { kind: "disabled" }],
  ["STATUS,ENABLED",          { kind: "enabled" }],
  ["VEND,SUCCESS",            { kind: "succeeded" }],
  ["ERR,VEND 1",              { kind: "cancelled" }],
  ["ERR,VEND 3",              { kind: "failed" }],
  ["ERR,VEND 5",              { kind: "reset" }],
  ["ERR,VEND -2",             { kind: "badParameter" }],
  ["ERR,START -3",            { kind: "wrongState", command: "start" }],
  ["ERR,STOP -3",             { kind: "wrongState", command: "stop" }],
  ["ERR,VEND -3",             { kind: "wrongState", command: "vend" }],
  ["ERR,-3",                  { kind: "denied" }],
  ["ERR,cashless is on",      { kind: "on" }],
  ["ERR,cashless is off",     { kind: "off" }],
]);

/** One line, without its end. */
export function parseLine(text: string, decimals: number): Line {
  const line = text.trim();
  if (line === "") return { kind: "blank" };
  if (!/^[\x20-\x7e]+$/.test(line)) return { kind: "noise" };
  const comma = line.indexOf(",");
  const group = comma === -1 ? line : line.slice(0, comma);
  const rest = comma === -1 ? "" : line.slice(comma + 1);
  if (group === "v")
    return /^\d+(\.\d+)+/.test(rest) ? { kind: "version", version: rest } : { kind: "unknown" };
  if (group === "r" || group === "x") return { kind: "chatter" }; // other people's traffic on the bus
  if (group !== "c") return { kind: "unknown" };
  return answers.get(rest.replaceAll('"', "")) ?? parseStatus(rest, decimals);
}

function parseStatus(rest: string, decimals: number): Line {
  const [status, state, first, second, ...more] = rest.split(",");
  if (status !== "STATUS") return { kind: "unknown" };
  if (state === "IDLE") return { kind: "idle", echo: rest.slice("STATUS,IDLE,".length) };
  if (state !== "VEND" || first === undefined || more.length > 0) return { kind: "unknown" };
  const item = second === undefined ? ITEM_UNDEFINED : parseItem(second);
  if (item === undefined) return { kind: "unknown" };
  const priceMinor = decimalToMinor(first, decimals);
  return { kind: "vend", priceText: first, item, ...(priceMinor === undefined ? {} : { priceMinor }) };
}

function parseItem(text: string): number | undefined {
  const item = /^\d{1,5}$/.test(text) ? Number(text) : ITEM_UNDEFINED + 1;
  return item <= ITEM_UNDEFINED ? item : undefined;
}

const DISPLAY_SIZE = 32;

export type Command =
  | { readonly kind: "clear" | "version" | "sniffOff" | "off" | "on" | "deny" | "stop" }
  | { readonly kind: "set"; readonly parameter: string; readonly value: string }
  | { readonly kind: "start"; readonly amountText: string }
  | { readonly kind: "approve"; readonly priceText: string }
  | { readonly kind: "display"; readonly text: string };

/** The line to send, without its end. */
export function encodeCommand(command: Command): string {
  switch (command.kind) {
    case "clear":
      return ""; // ends whatever a crash left half typed
    case "version":
      return "V";
    case "sniffOff":
      return "X,0";
    case "off":
      return "C,0";
    case "on":
      return "C,1";
    case "deny":
      return "C,VEND,-1";
    case "stop":
      return "C,STOP";
    case "set":
      return `C,SETCONF,${command.parameter}=${command.value}`;
    case "start":
      return `C,START,${command.amountText}`;
    case "approve":
      return `C,VEND,${command.priceText}`;
    case "display":
      return `C,DISPLAY,${command.text.replaceAll(/[^ -~]/gu, "?").slice(0, DISPLAY_SIZE)}`;
  }
}
