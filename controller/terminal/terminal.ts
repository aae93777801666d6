/**
 * The terminal: a scanner that reads a customer's barcode, a keypad a voucher's code is typed at, and a display that says what
 * came of it, or what is to be paid for a selection at the machine. Pure.
 *
 * Owns      which question the display waits for the answer of, and what it shows.
 * Promises  one question at a time; a code that is still held to the scanner is asked about once; whatever is shown gives
 *           way to the idle text in its time.
 * Never     knows of money: what a code means is the merchant's backend's to say, and a credit comes only by a grant.
 * Crash     forgets what was asked; the customer scans again.
 *
 * `nowMs` is the monotonic clock.
 */
import { ANSWER_MS } from "../sale/machine.js";

export type Terminal = {
  readonly asking: { readonly requestId: string; readonly untilMs: number } | undefined;
  readonly last: { readonly value: string; readonly untilMs: number } | undefined;
  /** The selection that waits to be paid for: until then nothing else is shown, and nothing is scanned. */
  readonly selection: { readonly requestId: string; readonly untilMs: number } | undefined;
  /** When what is shown gives way; `undefined` while it is the idle text. */
  readonly shownUntilMs: number | undefined;
  readonly shown: Shown;
  readonly words: Words;
};
export type Outcome = "succeeded" | "failed" | "unknown";
/** What the displays show; `qr` is what a QR code beside the text holds. */
export type Shown = { readonly text: string; readonly qr?: string | undefined };
export type TerminalEvent = { readonly nowMs: number } &
  /** `requestId`: for the question this may become. */
  (
    | { readonly kind: "scanned"; readonly text: string; readonly requestId: string }
    | { readonly kind: "typed"; readonly text: string; readonly requestId: string }
    | { readonly kind: "answered"; readonly requestId: string; readonly shown: Shown }
    /** The question could not be sent. */
    | { readonly kind: "unsent"; readonly requestId: string }
    /** The credit is at the machine: whoever was asked to pay has paid. `items`: the keys of the only ones it is for. */
    | { readonly kind: "opened"; readonly items?: readonly string[] | undefined }
    | { readonly kind: "selected"; readonly requestId: string; readonly forMs: number }
    /** The selection is over: denied, cancelled or not paid in time. */
    | { readonly kind: "withdrawn"; readonly requestId: string }
    /** The machine is giving something out. */
    | { readonly kind: "vending"; readonly item: string }
    /** What became of that. Of a product that came out nothing more need be said. */
    | { readonly kind: "vended"; readonly item: string; readonly outcome: Outcome }
    /** From here on it says this. */
    | { readonly kind: "words"; readonly words: Words }
    /** A display was connected: it knows nothing yet. */
    | { readonly kind: "displayConnected" }
    | { readonly kind: "tick" }
  );
export type TerminalEffect =
  | {
      readonly kind: "ask";
      readonly about: "scan" | "voucher";
      readonly requestId: string;
      readonly value: string;
    }
  | { readonly kind: "show"; readonly shown: Shown };
export type TerminalStep = readonly [next: Terminal, effects: readonly TerminalEffect[]];

/** What a scanner puts around a code (its own setting), and this machine takes off. */
export type Wrapping = { readonly prefix: string; readonly suffix: string };

const SAME_MS = 5_000;
const SHOWN_MS = 20_000;
const REFUSED_MS = 6_000;
/** Printable ASCII, and no longer than the bus takes. */
const READABLE = /^[ -~]{1,256}$/;
/** A code as it may be typed. Which codes there are is the merchant's backend's to say. */
const TYPED = /^[0-9A-Za-z -]{4,40}$/;

export const WORDS = {
  idle: "Scan the QR code, or show your barcode",
  asking: "One moment ...",
  choose: "Paid. Choose at the machine",
  chooseOnly: "Paid. Choose {items}",
  vending: "{item}: one moment ...",
  failed: "{item} did not come out: not charged",
  unknown: "{item}: not known yet, will be settled",
  unreadable: "That was not read. Show it again",
  incomplete: "Type the whole code, then OK",
  offline: "No connection. Try again later",
  noAnswer: "No answer. Try again",
} as const;
export type Words = Readonly<Record<keyof typeof WORDS, string>>;
const SHOWN_MOST = 64;

export const startWith = (words: Words): Terminal => ({
  asking: undefined,
  last: undefined,
  selection: undefined,
  shownUntilMs: undefined,
  shown: { text: words.idle },
  words,
});
export const initial: Terminal = startWith(WORDS);

export function step(before: Terminal, event: TerminalEvent, wrapping: Wrapping): TerminalStep {
  const [state, shown] = settle(before, event.nowMs);
  const [next, effects] = act(state, event, wrapping);
  return [next, [...shown, ...effects]];
}

/** When the state wants its next tick; `undefined`: not before something happens. */
export function dueMs({ asking, shownUntilMs }: Terminal): number | undefined {
  const due = [asking?.untilMs, shownUntilMs].filter((ms) => ms !== undefined);
  return due.length === 0 ? undefined : Math.min(...due);
}

/** What time alone has ended. */
function settle(state: Terminal, nowMs: number): TerminalStep {
  if (state.asking !== undefined && nowMs >= state.asking.untilMs)
    return show({ ...state, asking: undefined }, { text: state.words.noAnswer }, nowMs + REFUSED_MS);
  if (state.shownUntilMs !== undefined && nowMs >= state.shownUntilMs)
    return show(state, { text: state.words.idle }, undefined);
  return [state, []];
}

function act(state: Terminal, event: TerminalEvent, wrapping: Wrapping): TerminalStep {
  const { nowMs } = event;
  switch (event.kind) {
    case "scanned":
      return scanned(state, unwrapped(event.text, wrapping), event.requestId, nowMs);
    case "typed":
      return typed(state, event.text.trim(), event.requestId, nowMs);
    case "answered":
      if (state.asking?.requestId !== event.requestId) return [state, []]; // late, or somebody else's
      return show({ ...state, asking: undefined }, event.shown, shownUntil(state, event.shown, nowMs));
    case "unsent":
      if (state.asking?.requestId !== event.requestId) return [state, []];
      return show(
        { ...state, asking: undefined, last: undefined },
        { text: state.words.offline },
        nowMs + REFUSED_MS,
      );
    case "opened":
      return show(state, { text: choice(state.words, event.items) }, nowMs + SHOWN_MS);
    case "selected": {
      const { requestId } = event;
      const asking = { requestId, untilMs: nowMs + ANSWER_MS };
      const selection = { requestId, untilMs: nowMs + event.forMs };
      return show({ ...state, asking, selection }, { text: state.words.asking }, undefined);
    }
    case "withdrawn": {
      const { selection, asking } = state;
      if (selection?.requestId !== event.requestId) return [state, []];
      const over = { ...state, selection: undefined };
      // A refusal stays to be read; what was to be scanned goes at once.
      if (asking === undefined && state.shown.qr === undefined) return [over, []];
      return show({ ...over, asking: undefined }, { text: state.words.idle }, undefined);
    }
    case "vending":
      return show(
        { ...state, selection: undefined, asking: undefined },
        { text: about(state.words.vending, event.item) },
        nowMs + SHOWN_MS,
      );
    case "vended": {
      if (state.selection !== undefined || state.asking !== undefined) return [state, []]; // the next customer's
      if (event.outcome !== "succeeded")
        return show(state, { text: about(state.words[event.outcome], event.item) }, nowMs + SHOWN_MS);
      return state.shownUntilMs === undefined
        ? [state, []]
        : show(state, { text: state.words.idle }, undefined);
    }
    case "words": {
      const { words } = event;
      const idle = state.shownUntilMs === undefined && state.asking === undefined;
      return idle ? show({ ...state, words }, { text: words.idle }, undefined) : [{ ...state, words }, []];
    }
    case "displayConnected":
      return [state, [{ kind: "show", shown: state.shown }]];
    case "tick":
      return [state, []];
  }
}

/** As many items as there is room for: half a number would be another item. */
function choice({ choose, chooseOnly }: Words, items: readonly string[] | undefined): string {
  if (items === undefined) return choose;
  const naming = (count: number): string =>
    chooseOnly.replaceAll("{items}", () => items.slice(0, count).join(" or "));
  return naming(items.findLastIndex((_, index) => naming(index + 1).length <= SHOWN_MOST) + 1);
}

const about = (words: string, item: string): string =>
  words.replaceAll("{item}", () => item).slice(0, SHOWN_MOST);

/** What is to be paid for a selection is shown for as long as the machine waits. */
const shownUntil = ({ selection }: Terminal, { qr }: Shown, nowMs: number): number =>
  selection === undefined || qr === undefined ? nowMs + SHOWN_MS : selection.untilMs;

function scanned(state: Terminal, value: string, requestId: string, nowMs: number): TerminalStep {
  if (state.asking !== undefined || state.selection !== undefined) return [state, []];
  if (state.last?.value === value && nowMs < state.last.untilMs)
    return [{ ...state, last: { value, untilMs: nowMs + SAME_MS } }, []]; // still held there
  if (!READABLE.test(value)) return show(state, { text: state.words.unreadable }, nowMs + REFUSED_MS);
  const asked = { ...state, last: { value, untilMs: nowMs + SAME_MS } };
  return ask(asked, { about: "scan", requestId, value }, nowMs);
}

function typed(state: Terminal, value: string, requestId: string, nowMs: number): TerminalStep {
  if (state.asking !== undefined || state.selection !== undefined) return [state, []];
  if (!TYPED.test(value)) return show(state, { text: state.words.incomplete }, nowMs + REFUSED_MS);
  return ask(state, { about: "voucher", requestId, value }, nowMs);
}

type Question = Omit<Extract<TerminalEffect, { kind: "ask" }>, "kind">;
function ask(state: Terminal, question: Question, nowMs: number): TerminalStep {
  const asking = { requestId: question.requestId, untilMs: nowMs + ANSWER_MS };
  const [next, effects] = show({ ...state, asking }, { text: state.words.asking }, undefined);
  return [next, [...effects, { kind: "ask", ...question }]];
}

const show = (state: Terminal, shown: Shown, untilMs: number | undefined): TerminalStep => [
  { ...state, shown, shownUntilMs: untilMs },
  shown.text === state.shown.text && shown.qr === state.shown.qr ? [] : [{ kind: "show", shown }],
];

function unwrapped(text: string, { prefix, suffix }: Wrapping): string {
  const bare = prefix !== "" && text.startsWith(prefix) ? text.slice(prefix.length) : text;
  return (suffix !== "" && bare.endsWith(suffix) ? bare.slice(0, -suffix.length) : bare).trim();
}
