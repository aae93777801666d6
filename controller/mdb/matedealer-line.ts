/**
 * The lines a MateDealer prints, and the commands it reads (reference/mdb.md, 2.4; Bouni/MateDealer). Pure.
 *
 * Promises  `parseLine` never throws. What it does not know is `unknown`, what no adapter would print is `noise`. What we
 *           typed and it gives back is `echo`, also when it was cut in two by a line of the machine's.
 */
import { ITEM_UNDEFINED } from "./driver.js";

export type State = "inactive" | "disabled" | "enabled" | "session" | "vend";
export type Line =
  | { readonly kind: "blank" | "noise" | "unknown" | "echo" | "started" }
  | { readonly kind: "state"; readonly state: State }
  | { readonly kind: "vend"; readonly priceMinor: number; readonly item: number }
  | { readonly kind: "succeeded" | "cancelled" | "failed" | "complete" }
  | { readonly kind: "refused"; readonly command: "start" | "approve" | "deny" | "cancel" | "stillStarting" };

const echoes = ["mdb-state", "start-session", "approve-vend", "deny-vend", "cancel-session", "reset", "info"];

/** What the machine and the adapter say; the first pattern that fits decides. */
// prettier-ignore
const sayings: readonly (readonly [RegExp, (match: RegExpExecArray) => Line])[] = [
  [/State: INACTIVE$/,                        () => ({ kind: "state", state: "inactive" })],
  [/State: DISABLED$/,                        () => ({ kind: "state", state: "disabled" })],
  [/State: ENABLED$/,                         () => ({ kind: "state", state: "enabled" })],
  [/State: (?:SESSION IDLE|REVALUE)$/,        () => ({ kind: "state", state: "session" })],
  [/State: (?:NEGATIVE )?VEND$/,              () => ({ kind: "state", state: "vend" })],
  [/vend-request ([0-9]{1,5}) ([0-9]{1,5})$/, ([, price, item]) => requested(Number(price), Number(item))],
  [/vend-success(?: [0-9]{1,5})?$/,           () => ({ kind: "succeeded" })],
  [/vend-cancel$/,                            () => ({ kind: "cancelled" })],
  [/vend-failure$/,                           () => ({ kind: "failed" })],
  [/session-complete$/,                       () => ({ kind: "complete" })],
  [/MateDealer is up and running$/,           () => ({ kind: "started" })],
  [/Error: Session is already running$/,      () => ({ kind: "refused", command: "stillStarting" })],
  [/Error: .*not ready for a session$/,       () => ({ kind: "refused", command: "start" })],
  [/Error: .*to approve a vend$/,             () => ({ kind: "refused", command: "approve" })],
  [/Error: .*to deny a vend$/,                () => ({ kind: "refused", command: "deny" })],
  [/Error: .*to cancel a session$/,           () => ({ kind: "refused", command: "cancel" })],
];

/** One line, without its end. */
export function parseLine(text: string): Line {
  const line = text.trim();
  if (line === "") return { kind: "blank" };
  if (!/^[\x20-\x7e]+$/.test(line)) return { kind: "noise" };
  if (isEcho(line, true)) return { kind: "echo" };
  for (const [pattern, read] of sayings) {
    const match = pattern.exec(line);
    if (match !== null) return isHead(line.slice(0, match.index)) ? read(match) : { kind: "unknown" };
  }
  return { kind: "unknown" };
}

function requested(priceMinor: number, item: number): Line {
  return item <= ITEM_UNDEFINED ? { kind: "vend", priceMinor, item } : { kind: "unknown" };
}

/** What may stand before a saying on its line: half a command being typed, and the one error that the firmware does not end. */
const isHead = (head: string): boolean =>
  head === "" || head === "Error: no ACK received on [SETUP]" || isEcho(head, false);

function isEcho(text: string, isWhole: boolean): boolean {
  const typed = text.replace(/ [0-9]{0,5}$/, "");
  // The rest of a command that a line of the machine's cut in two.
  if (isWhole) return echoes.some((one) => one === typed || (text.length > 1 && one.endsWith(text)));
  return echoes.some((one) => one.startsWith(text) || one === typed);
}

export type Command =
  | { readonly kind: "clear" | "state" | "deny" | "cancel" | "reset" }
  | { readonly kind: "start" | "approve"; readonly amountMinor: number };

/** The line to send, without its end. */
export function encodeCommand(command: Command): string {
  switch (command.kind) {
    case "clear":
      return ""; // ends whatever a crash left half typed
    case "state":
      return "mdb-state";
    case "deny":
      return "deny-vend";
    case "cancel":
      return "cancel-session";
    case "reset":
      return "reset";
    case "start":
      return `start-session ${command.amountMinor}`;
    case "approve":
      return `approve-vend ${command.amountMinor}`;
  }
}
