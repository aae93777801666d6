/**
 * The lines of a Qibixx adapter, seen from the adapter: what a controller sends, and how it is answered. Pure.
 *
 * Reading never throws; what it cannot read is `unknown` and answered as such. A line is read without its terminator.
 */
import type { Word } from "./word.js";

export type Command =
  | { readonly kind: "blank" }
  | { readonly kind: "version" }
  | { readonly kind: "sniffOff" }
  | { readonly kind: "off" }
  | { readonly kind: "on" }
  | { readonly kind: "configure" }
  | { readonly kind: "address"; readonly value: string }
  | { readonly kind: "start"; readonly funds: string }
  | { readonly kind: "approve" }
  | { readonly kind: "deny" }
  | { readonly kind: "badPrice" }
  | { readonly kind: "stop" }
  | { readonly kind: "display"; readonly text: string }
  | { readonly kind: "unknown"; readonly text: string };

/** The whole alphabet of commands: the first pattern that fits decides. */
// prettier-ignore
const commands: readonly (readonly [RegExp, (match: RegExpExecArray) => Command])[] = [
  [/^$/,                                       () => ({ kind: "blank" })],
  [/^V$/,                                      () => ({ kind: "version" })],
  [/^X,0$/,                                    () => ({ kind: "sniffOff" })],
  [/^C,0$/,                                    () => ({ kind: "off" })],
  [/^C,1$/,                                    () => ({ kind: "on" })],
  [/^C,SETCONF,mdb-addr=([0-9A-Za-z.]+)$/,     ([, value = ""]) => ({ kind: "address", value })],
  [/^C,SETCONF,[a-z-]+=[0-9A-Za-z.]+$/,        () => ({ kind: "configure" })],
  [/^C,START,([^,]+)(?:,[^,]*)?$/,             ([, funds = ""]) => ({ kind: "start", funds })],
  [/^C,VEND,-1$/,                              () => ({ kind: "deny" })],
  [/^C,VEND,[0-9]+(?:\.[0-9]+)?(?:,[0-9]+)?$/, () => ({ kind: "approve" })],
  [/^C,VEND(?:,.*)?$/,                         () => ({ kind: "badPrice" })],
  [/^C,STOP$/,                                 () => ({ kind: "stop" })],
  [/^C,DISPLAY,(.{1,32})$/,                    ([, text = ""]) => ({ kind: "display", text })],
];

export function readCommand(line: string): Command {
  const text = line.trim();
  for (const [pattern, command] of commands) {
    const match = pattern.exec(text);
    if (match !== null) return command(match);
  }
  return { kind: "unknown", text };
}

/** Every line the adapter can say. Its quotes are the adapter's own: some errors have them, the vend results do not. */
export const say = {
  version: "v,4.0.2.0,5ca0ad1e7de0465536312316",
  sniffOff: "x,ACK",
  off: "c,0",
  on: "c,1",
  configured: "c,SET,OK",
  inactive: "c,STATUS,INACTIVE",
  disabled: "c,STATUS,DISABLED",
  enabled: "c,STATUS,ENABLED",
  /** Echoes what `C,START` was given: proof of nothing but that the line arrived. */
  idle: (funds: string): string => `c,STATUS,IDLE,${funds}`,
  requested: (price: string, item: number): string => `c,STATUS,VEND,${price},${item}`,
  succeeded: "c,VEND,SUCCESS",
  cancelled: "c,ERR,VEND 1",
  failed: "c,ERR,VEND 3",
  reset: "c,ERR,VEND 5",
  isOn: 'c,ERR,"cashless is on"',
  isOff: 'c,ERR,"cashless is off"',
  cannotStart: 'c,ERR,"START -3"',
  cannotStop: 'c,ERR,"STOP -3"',
  cannotVend: 'c,ERR,"VEND -3"',
  cannotDisplay: 'c,ERR,"DISPLAY -3"',
  badPrice: 'c,ERR,"VEND -2"',
  unknown: (text: string): string => `c,UNKNOWN,"${text}"`,
} as const;

export function lineOf(word: Word): string {
  switch (word.kind) {
    case "idle":
      return say.idle(word.funds);
    case "requested":
      return say.requested(word.price, word.item);
    case "unknown":
      return say.unknown(word.text);
    default:
      return say[word.kind];
  }
}
