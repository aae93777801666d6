/**
 * A VMC's half of the MDB bus, and the adapter on it that carries its blocks to a cashless reader in the controller. Pure.
 * MDB/ICP 4.2, 7.4.1 (setup) and 7.7.
 *
 * Owns      the reader's setup: it is told to the machine as an adapter that is on once the bus has done its part.
 * Promises  commands leave one at a time, in the machine's order; none before the answer to one that needs it. The last
 *           block from the controller, and only that one, is given to the next poll.
 * Bounded   an answer that does not come in time, an END SESSION above all, ends in RESET.
 */
import { decimalToMinor, minorToDecimal } from "../../broker/protocol/money.js";
import {
  decodeResponses,
  encode,
  type Command as Block,
  type Response,
  type Signal,
} from "../../controller/mdb/codec.js";
import { hexOf, readHex, type Context } from "../../controller/mdb/widths.js";
import type { Command } from "./adapter-line.js";
import type { Word } from "./word.js";

export type CarrierSettings = {
  readonly level: 1 | 2 | 3; // the highest this machine speaks
  readonly address: "0x10" | "0x60";
  readonly alwaysIdle: boolean;
  readonly pollMs: number;
  /** A box that tells the machine of its reader by itself, with what it keeps, whatever ours says; it shows that. */
  readonly stored?: Omit<Extract<Response, { kind: "readerConfig" }>, "kind">;
};
export const ANSWER_MS = 5_000; // the non-response time of a cashless reader
export const RESET_MS = 10_000; // how often a reader that is not there is reset

type Untold<B = Block> = B extends Block ? Omit<B, "device"> : never;
type Saying = { readonly block: Untold; readonly awaits: readonly Response["kind"][] };
export type Carrier = {
  readonly settings: CarrierSettings;
  readonly minorDecimals: number;
  readonly context: Context;
  readonly money: { readonly scale: number; readonly decimals: number }; // from READER CONFIG
  readonly toSay: readonly Saying[];
  readonly awaited: { readonly kinds: readonly Response["kind"][]; readonly byMs: number } | undefined;
  /** What the reader gave the adapter for the next poll. */
  readonly held: { readonly text: string; readonly pollMs: number } | undefined;
  /** `setUp`: the bus has done its part, and the machine has not: it takes the reader, and then enables it. */
  readonly stage: "setup" | "setUp" | "taken" | "enabled";
  readonly item: number;
};
/** What becomes of a poll's answer on a bad bus; `ackLost`: the machine has it, and the adapter does not know. */
export const MISHEARD = ["nak", "ret", "ackLost"] as const;
export type Misheard = (typeof MISHEARD)[number];
export type CarrierEvent = { readonly nowMs: number } & (
  | { readonly kind: "heard"; readonly text: string }
  | { readonly kind: "say"; readonly word: Word }
  | { readonly kind: "lost" }
  | { readonly kind: "tick"; readonly misheard?: Misheard }
);
export type CarrierEffect =
  { readonly kind: "line"; readonly text: string } | { readonly kind: "obey"; readonly command: Command };
type Step = readonly [next: Carrier, effects: readonly CarrierEffect[]];

export const newCarrier = (settings: CarrierSettings, minorDecimals: number, nowMs: number): Carrier => ({
  settings,
  minorDecimals,
  context: { level: 1 },
  money: { scale: 1, decimals: minorDecimals },
  toSay: [],
  awaited: { kinds: ["justReset"], byMs: nowMs + RESET_MS },
  held: undefined,
  stage: "setup",
  item: 0,
});

/** When time alone will next change something. */
export function dueMs({ held, awaited }: Carrier): number | undefined {
  const due = Math.min(held?.pollMs ?? Infinity, awaited?.byMs ?? Infinity);
  return due === Infinity ? undefined : due;
}

export function step(carrier: Carrier, event: CarrierEvent): Step {
  const { nowMs } = event;
  switch (event.kind) {
    case "heard": {
      const pollMs = carrier.held?.pollMs ?? nowMs + carrier.settings.pollMs;
      return [{ ...carrier, held: { text: event.text, pollMs } }, []];
    }
    case "say":
      return tell(carrier, event.word, nowMs);
    case "lost":
      return [newCarrier(carrier.settings, carrier.minorDecimals, nowMs), []];
    case "tick": {
      const { held, awaited } = carrier;
      if (awaited !== undefined && nowMs >= awaited.byMs) return startOver(carrier, nowMs);
      return held !== undefined && nowMs >= held.pollMs
        ? poll(carrier, held.text, event.misheard, nowMs)
        : [carrier, []];
    }
  }
}

// ---- what the machine says ------------------------------------------------------------------------------------------

function tell(carrier: Carrier, word: Word, nowMs: number): Step {
  const { stage, minorDecimals } = carrier;
  const say = (next: Carrier, block: Untold, ...awaits: readonly Response["kind"][]): Step =>
    pump({ ...next, toSay: [...next.toSay, { block, awaits }] }, nowMs);
  switch (word.kind) {
    case "inactive": // said when the machine takes a reader, and when it resets one
      return stage === "taken" || stage === "enabled" ? startOver(carrier, nowMs) : [carrier, []];
    case "disabled":
      return [{ ...carrier, stage: "taken" }, []];
    case "enabled":
      if (stage === "enabled") return say(carrier, { kind: "sessionComplete" }, "endSession");
      return say({ ...carrier, stage: "enabled" }, { kind: "readerEnable" });
    case "requested": {
      const priceScaled = scaledOf(carrier, decimalToMinor(word.price, minorDecimals) ?? 0);
      return say({ ...carrier, item: word.item }, { kind: "vendRequest", priceScaled, item: word.item });
    }
    case "succeeded":
      return say(carrier, { kind: "vendSuccess", item: carrier.item });
    case "failed":
      return say(carrier, { kind: "vendFailure" });
    case "cancelled":
      return say(carrier, { kind: "vendCancel" }, "vendDenied", "vendApproved");
    default:
      return [carrier, []]; // an adapter's word that is none on the bus
  }
}

/** Says what may be said now. When the setup is through, the machine may take the reader. */
function pump(carrier: Carrier, nowMs: number): Step {
  if (carrier.awaited !== undefined) return [carrier, []];
  const [first, ...toSay] = carrier.toSay;
  if (first === undefined) {
    if (carrier.stage !== "setup") return [carrier, []];
    return [{ ...carrier, stage: "setUp" }, [{ kind: "obey", command: { kind: "on" } }]];
  }
  const { block, awaits } = first;
  const awaited = awaits.length === 0 ? undefined : { kinds: awaits, byMs: nowMs + ANSWER_MS };
  const [next, effects] = pump({ ...carrier, toSay, awaited }, nowMs);
  return [next, [line(carrier, block), ...effects]];
}

/** RESET, and everything from the beginning. */
function startOver(carrier: Carrier, nowMs: number): Step {
  return [
    newCarrier(carrier.settings, carrier.minorDecimals, nowMs),
    [line(carrier, { kind: "reset" }), { kind: "obey", command: { kind: "off" } }],
  ];
}

// ---- what the reader says -------------------------------------------------------------------------------------------

/** The reader's block reaches the machine, which acknowledges it before it acts; or says that it has not understood. */
function poll(carrier: Carrier, text: string, misheard: Misheard | undefined, nowMs: number): Step {
  const taken = { ...carrier, held: undefined };
  const decoded = decodeResponses(readHex(text) ?? new Uint8Array(), carrier.context);
  if (misheard === "ret") return [taken, [{ kind: "line", text: "AA" }]];
  if (misheard === "nak" || !decoded.ok) return [taken, [{ kind: "line", text: "FF" }]];
  return decoded.responses.reduce<Step>(
    ([next, effects], response) => {
      const [after, more] = answer(next, response, nowMs);
      return [after, [...effects, ...more]];
    },
    [taken, misheard === "ackLost" ? [] : [{ kind: "line", text: "00" }]],
  );
}

function answer(carrier: Carrier, response: Response | Signal, nowMs: number): Step {
  const isAwaited = carrier.awaited?.kinds.some((kind) => kind === response.kind) === true;
  const [next, effects] = act(isAwaited ? { ...carrier, awaited: undefined } : carrier, response, nowMs);
  const [after, more] = pump(next, nowMs);
  return [after, [...effects, ...more]];
}

function act(carrier: Carrier, response: Response | Signal, nowMs: number): Step {
  const obey = (command: Command): Step => [carrier, [{ kind: "obey", command }]];
  switch (response.kind) {
    case "justReset": {
      const { settings, minorDecimals } = carrier;
      const { level } = settings;
      const block: Untold = { kind: "setupConfig", level, columns: 16, rows: 1, display: 1 };
      const fresh = { ...newCarrier(settings, minorDecimals, nowMs), awaited: undefined };
      const { stored } = settings;
      const shown = stored && encode({ kind: "readerConfig", ...stored }, { level });
      return [
        { ...fresh, toSay: [{ block, awaits: ["readerConfig"] }] },
        [
          { kind: "obey", command: { kind: "off" } },
          ...(shown === undefined ? [] : [{ kind: "line", text: hexOf(shown).toUpperCase() } as const]),
        ],
      ];
    }
    case "readerConfig": {
      const { level: highest, scale, decimals } = carrier.settings.stored ?? response;
      const spoken = Math.min(highest, carrier.settings.level);
      const level = spoken === 3 ? 3 : spoken === 2 ? 2 : 1;
      return [
        { ...carrier, context: { level }, money: { scale, decimals }, toSay: restOfSetup(carrier, level) },
        [],
      ];
    }
    case "beginSession": {
      const funds = minorToDecimal(minorOf(carrier, response.fundsScaled), carrier.minorDecimals);
      return obey({ kind: "start", funds });
    }
    case "vendApproved":
      return obey({ kind: "approve" });
    case "vendDenied":
      return obey({ kind: "deny" });
    case "sessionCancelRequest":
      return obey({ kind: "stop" });
    case "displayRequest":
      return obey({ kind: "display", text: response.text.trimEnd() });
    case "outOfSequence":
      return startOver(carrier, nowMs);
    default:
      return [carrier, []];
  }
}

function restOfSetup({ settings }: Carrier, level: 1 | 2 | 3): readonly Saying[] {
  const id = { manufacturer: "VMC", serial: "000000000001", model: "SIMULATOR-01", version: "0100" };
  const features = settings.alwaysIdle ? ["alwaysIdle"] : [];
  const all: readonly (Saying & { readonly from: number })[] = [
    { from: 1, block: { kind: "setupPrices", maxScaled: 0xffff, minScaled: 0 }, awaits: [] },
    { from: 2, block: { kind: "requestId", ...id }, awaits: ["peripheralId"] },
    { from: 3, block: { kind: "enableOptions", features }, awaits: [] },
  ];
  return all.filter(({ from }) => from <= level);
}

// ---- small parts ----------------------------------------------------------------------------------------------------

function line({ settings, context }: Carrier, block: Untold): CarrierEffect {
  const device = settings.address === "0x60" ? 2 : 1;
  return { kind: "line", text: hexOf(encode({ ...block, device }, context)).toUpperCase() };
}

/** A machine's own prices are in the steps it was told. */
const scaledOf = ({ money, minorDecimals }: Carrier, minor: number): number =>
  Math.min(0xffff, Math.round((minor * 10 ** money.decimals) / (money.scale * 10 ** minorDecimals)));
const minorOf = ({ money, minorDecimals }: Carrier, scaled: number): number =>
  Math.round((scaled * money.scale * 10 ** minorDecimals) / 10 ** money.decimals);
