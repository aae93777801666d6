/**
 * The link to a Qibixx adapter: brings it up, keeps it alive, opens and closes sessions, answers vend requests. Pure.
 *
 * Owns      what the adapter and the VMC behind it are believed to be doing.
 * Promises  an approval leaves once per request, and only after the lines that were already on their way have been heard
 *           (a cancel may race it). A session nobody asked for is closed; so is one a crash left open, since every
 *           bring-up begins with C,0. One command is in flight at a time.
 * Never     decides about money. A result that answers no open vend is still said: the sale may be waiting for it.
 * Bounded   every wait has a time and every retry a count; past them the adapter is armed again or the port reopened.
 * Crash     nothing here survives one, and nothing needs to: the bring-up starts from any state of the adapter.
 */
import { minorToDecimal } from "../../broker/protocol/money.js";
import type { Ask, Driver, DriverEffect, DriverEvent, MdbState, Said } from "./driver.js";
import { encodeCommand, parseLine, type Command, type Line } from "./qibixx-line.js";

export const SETTLE_MS = 500; // a freshly opened adapter may still be talking to whoever was there before
export const ANSWER_MS = 1_000;
export const HEARTBEAT_MS = 5_000; // an unplug under traffic may show in nothing but silence
export const VERSION_TRIES = 3;
export const SETTING_TRIES = 3;
/** What the adapter counts money by: with another value than ours it sells at ten times the price, or at a tenth. */
const COUNTS_MONEY: ReadonlySet<string> = new Set(["mdb-scale-factor", "mdb-decimal-places"]);
export const ENABLE_MS = 30_000; // C,1 to ENABLED; longer is wiring, a jumper or a dead VMC
const ENABLE_MAX_MS = 300_000;
export const START_PAUSE_MS = 400;
export const START_TRIES = 12;
export const STOP_TRIES = 5;
/** A vend that we gave up on may still end: its result is waited for, and C,0 would silence it. */
export const LATE_AGAIN_MS = 5_000;
export const LATE_TRIES = 36; // three minutes: a coffee takes two

type Vend = {
  readonly request: number;
  readonly priceText: string;
  readonly item: number;
  readonly cameFirst: boolean; // asked for without a session (Always Idle)
};
type Phase =
  | { readonly kind: "down" }
  | { readonly kind: "settling"; readonly dueMs: number }
  | { readonly kind: "preparing"; readonly at: number; readonly tries: number; readonly dueMs: number }
  | { readonly kind: "waiting"; readonly mdb: "inactive" | "disabled"; readonly dueMs: number }
  | { readonly kind: "ready" }
  | {
      readonly kind: "opening";
      readonly amountMinor: number;
      readonly tries: number;
      readonly sent: boolean;
      readonly dueMs: number;
    }
  | { readonly kind: "session" }
  | { readonly kind: "requested"; readonly vend: Vend }
  | {
      readonly kind: "answering";
      readonly vend: Vend;
      readonly answer: "approve" | "deny";
      readonly drained: boolean; // the line has been read once more since the wait ran out
      readonly dueMs: number;
    }
  | {
      readonly kind: "approved";
      readonly vend: Vend;
      readonly doubtful: boolean; // a line since then may have been the result, or shows that there was one
    }
  | {
      readonly kind: "stopping";
      readonly pending: boolean; // a vend request waits for its denial first
      readonly vending: boolean; // a refused C,STOP may then mean "in a vend" and not "no session"
      readonly tries: number;
      readonly dueMs: number;
    };

export type QibixxLink = {
  readonly phase: Phase;
  readonly requests: number; // vend requests heard so far
  readonly waits: number; // waits for ENABLED that ran out since the VMC last enabled us
  readonly untaken: number; // bring-ups that ended at a setting, since one that did not
  readonly pulse: { readonly asked: number; readonly dueMs: number }; // V sent and not answered
};

export type QibixxSetup = {
  /** What the kernel already holds of the line reaches us within this, and one more turn. */
  readonly drainMs: number;
  readonly decimals: number;
  /** `C,SETCONF` parameters in the order they are sent; volatile in the adapter, so sent at every bring-up. */
  readonly settings: readonly (readonly [parameter: string, value: string])[];
  /** Always Idle: a request without a session is somebody's selection, and not a session left over. */
  readonly selectsFirst: boolean;
};

type Out = readonly [Phase, readonly DriverEffect[]];

export function qibixx(setup: QibixxSetup): Driver<QibixxLink> {
  const script = bringUp(setup);
  return {
    initial: { phase: { kind: "down" }, requests: 0, waits: 0, untaken: 0, pulse: { asked: 0, dueMs: 0 } },
    dueMs,
    step(link, event) {
      const [heard, first] = take(link, event);
      const [timed, second] = due(heard, event.nowMs);
      const mdb = mdbOf(timed.phase);
      const changed = mdb === mdbOf(link.phase) ? [] : [say({ kind: "mdb", mdb })];
      return [timed, [...first, ...second, ...changed]];
    },
  };

  function take(link: QibixxLink, event: DriverEvent): readonly [QibixxLink, readonly DriverEffect[]] {
    const { nowMs } = event;
    switch (event.kind) {
      case "tick":
        return [link, []];
      case "connected":
        return [
          { ...link, phase: { kind: "settling", dueMs: nowMs + SETTLE_MS }, waits: 0 },
          link.phase.kind === "down" ? [] : lost(link.phase),
        ];
      case "disconnected":
        if (link.phase.kind === "down") return [link, ignored(link, event.kind)];
        return [{ ...link, phase: { kind: "down" } }, lost(link.phase)];
      case "ask":
        return arrive(link, onAsk(link, event.ask, nowMs), nowMs);
      case "line": {
        const line = parseLine(event.text, setup.decimals);
        if (link.phase.kind === "down") return [link, ignored(link, line.kind)];
        const alive =
          line.kind === "noise" || line.kind === "blank"
            ? link
            : { ...link, pulse: { asked: 0, dueMs: nowMs + HEARTBEAT_MS } };
        const requests = line.kind === "vend" ? link.requests + 1 : link.requests;
        return arrive({ ...alive, requests }, onLine(alive, line, requests, nowMs), nowMs);
      }
    }
  }

  /** Moves into a phase: what is counted on the way is counted here. */
  function arrive(
    link: QibixxLink,
    [phase, effects]: Out,
    nowMs: number,
  ): readonly [QibixxLink, typeof effects] {
    const ranOut = link.phase.kind === "waiting" && phase.kind === "preparing";
    const waits = phase.kind === "ready" ? 0 : link.waits + (ranOut ? 1 : 0);
    const wentBack =
      link.phase.kind === "preparing" && phase.kind === "preparing" && phase.at < link.phase.at;
    const untaken = beats(phase) ? 0 : link.untaken + (wentBack ? 1 : 0);
    const begins = beats(phase) && !beats(link.phase);
    const pulse = begins ? { asked: 0, dueMs: nowMs + HEARTBEAT_MS } : link.pulse;
    const longer =
      phase.kind === "waiting" && link.phase.kind === "preparing"
        ? { ...phase, dueMs: nowMs + Math.min(ENABLE_MS * 2 ** waits, ENABLE_MAX_MS) }
        : phase;
    return [{ ...link, phase: longer, waits, untaken, pulse }, effects];
  }

  /** What the clock alone brings about. */
  function due(link: QibixxLink, nowMs: number): readonly [QibixxLink, readonly DriverEffect[]] {
    if (nowMs < (dueMs(link) ?? Infinity)) return [link, []];
    if (beats(link.phase) && nowMs >= link.pulse.dueMs) {
      if (link.pulse.asked >= VERSION_TRIES) return silent(link);
      const pulse = { asked: link.pulse.asked + 1, dueMs: nowMs + ANSWER_MS };
      return [{ ...link, pulse }, [send({ kind: "version" })]];
    }
    return arrive(link, onDue(link, nowMs), nowMs);
  }

  function onDue(link: QibixxLink, nowMs: number): Out {
    const { phase } = link;
    switch (phase.kind) {
      case "settling": {
        const [next, effects] = prepare(0, nowMs);
        return [next, [send({ kind: "clear" }), ...effects]];
      }
      case "preparing":
        if (phase.at > 0) return unanswered(link, phase, nowMs);
        if (phase.tries >= VERSION_TRIES) return [{ kind: "down" }, gone(phase)];
        return [{ ...phase, tries: phase.tries + 1, dueMs: nowMs + ANSWER_MS }, [send({ kind: "version" })]];
      case "waiting": {
        const alarm: DriverEffect = {
          kind: "alarm",
          code: "mdbNotEnabled",
          detail: `VMC keeps us ${phase.mdb}`,
        };
        const [next, effects] = prepare(script.offAt, nowMs);
        return [next, link.waits === 0 ? [alarm, ...effects] : effects];
      }
      case "opening":
        if (phase.sent) return startRefused(phase, nowMs);
        return [
          { ...phase, sent: true, tries: phase.tries + 1, dueMs: nowMs + ANSWER_MS },
          [send({ kind: "start", amountText: minorToDecimal(phase.amountMinor, setup.decimals) })],
        ];
      case "answering":
        if (phase.answer === "deny") return [{ kind: "session" }, [send({ kind: "deny" })]];
        // A timer that is late may ring before the line is read: one more turn, so that what is there is heard first.
        if (!phase.drained) return [{ ...phase, drained: true, dueMs: nowMs }, []];
        return [
          { kind: "approved", vend: phase.vend, doubtful: false },
          [send({ kind: "approve", priceText: phase.vend.priceText })],
        ];
      case "stopping":
        if (phase.tries >= (phase.vending ? LATE_TRIES : STOP_TRIES)) return prepare(script.offAt, nowMs);
        return [
          {
            ...phase,
            pending: false,
            tries: phase.tries + 1,
            dueMs: nowMs + (phase.vending && !phase.pending ? LATE_AGAIN_MS : ANSWER_MS),
          },
          [send({ kind: phase.pending ? "deny" : "stop" })],
        ];
      default:
        return [phase, []];
    }
  }

  /** A step of the bring-up whose answer was lost, or is unknown to this firmware: most can be done without. */
  function unanswered(link: QibixxLink, phase: Extract<Phase, { kind: "preparing" }>, nowMs: number): Out {
    const command = script.commands[phase.at];
    if (command?.kind !== "set") return prepare(phase.at + 1, nowMs);
    if (phase.tries < SETTING_TRIES)
      return [{ ...phase, tries: phase.tries + 1, dueMs: nowMs + ANSWER_MS }, [send(command)]];
    if (!COUNTS_MONEY.has(command.parameter)) return prepare(phase.at + 1, nowMs);
    const detail = `the adapter does not take ${command.parameter}=${command.value}`;
    const [again, effects] = prepare(script.offAt, nowMs);
    return [
      again,
      link.untaken > 0 ? effects : [{ kind: "alarm", code: "adapterSetting", detail }, ...effects],
    ];
  }

  function onAsk(link: QibixxLink, ask: Ask, nowMs: number): Out {
    const { phase } = link;
    const nothing: Out = [phase, ignored(link, ask.kind)];
    switch (ask.kind) {
      case "openSession":
        if (phase.kind !== "ready") return [phase, [say({ kind: "notOpened" })]];
        return [{ kind: "opening", amountMinor: ask.amountMinor, tries: 0, sent: false, dueMs: nowMs }, []];
      case "approve":
      case "deny": {
        if (phase.kind !== "requested" || phase.vend.request !== ask.request) return nothing;
        // Whatever this firmware opens around a selection goes with it.
        if (ask.kind === "deny" && phase.vend.cameFirst)
          return [stopping(nowMs, { pending: true, vending: true }), []];
        const wait = ask.kind === "approve" ? setup.drainMs : 0;
        return [
          { kind: "answering", vend: phase.vend, answer: ask.kind, drained: false, dueMs: nowMs + wait },
          [],
        ];
      }
      case "display": // only between two sessions, and never beside a command that waits for its answer
        if (phase.kind !== "ready" || link.pulse.asked > 0) return nothing;
        return [phase, [send({ kind: "display", text: ask.text })]];
      case "closeSession":
        switch (phase.kind) {
          case "opening":
          case "session":
            return [stopping(nowMs, { pending: false, vending: false }), []];
          case "requested":
          case "answering":
            return [stopping(nowMs, { pending: true, vending: true }), [say({ kind: "vendCancelled" })]];
          case "approved":
            return [stopping(nowMs, { pending: false, vending: true }), []];
          default:
            return nothing;
        }
    }
  }

  function onLine(link: QibixxLink, line: Line, request: number, nowMs: number): Out {
    const { phase } = link;
    const nothing: Out = [phase, ignored(link, line.kind)];
    const none: readonly DriverEffect[] = [];
    switch (phase.kind) {
      case "down":
        return nothing;
      case "settling":
        return stray(phase, line) ?? nothing;
      case "preparing":
        if (script.answered(phase.at, line)) return prepare(phase.at + 1, nowMs, line);
        return stray(phase, line) ?? nothing;
      case "waiting":
        if (line.kind === "enabled") return [{ kind: "ready" }, none];
        if (line.kind === "inactive" || line.kind === "disabled") return [{ ...phase, mdb: line.kind }, none];
        return unasked(line, nowMs) ?? stray(phase, line) ?? nothing;
      case "ready":
        if (line.kind === "vend" && setup.selectsFirst) return requested(line, request, none, true);
        return unasked(line, nowMs) ?? leave(line, nowMs, none) ?? stray(phase, line) ?? nothing;
      case "opening":
        if (line.kind === "idle") return [{ kind: "session" }, [say({ kind: "opened" })]];
        if (line.kind === "vend") return requested(line, request, [say({ kind: "opened" })]);
        if (line.kind === "wrongState" && line.command === "start" && phase.sent)
          return startRefused(phase, nowMs);
        return leave(line, nowMs, [say({ kind: "notOpened" })]) ?? stray(phase, line) ?? nothing;
      case "session":
        if (line.kind === "vend") return requested(line, request, none);
        if (line.kind === "reset" || line.kind === "inactive")
          return [waiting("inactive", nowMs), [say({ kind: "reset" })]];
        return ended(line, nowMs, none) ?? stray(phase, line) ?? nothing;
      case "requested":
      case "answering": {
        const cancelled = [say({ kind: "vendCancelled" })];
        // VEND 3 without an approval is the VMC giving up on our answer: it, too, has vended nothing.
        if (line.kind === "cancelled" || line.kind === "failed" || line.kind === "idle")
          // Whatever this firmware opened around a selection goes with it: nobody holds a sale that would close it.
          return [phase.vend.cameFirst ? stopping(nowMs, HELD_BY_NOBODY) : { kind: "session" }, cancelled];
        if (line.kind === "reset" || line.kind === "inactive")
          return [waiting("inactive", nowMs), [...cancelled, say({ kind: "reset" })]];
        if (line.kind === "vend" && !same(line, phase.vend)) return requested(line, request, cancelled);
        // A success here can only repeat an earlier vend's: our approval has not left.
        return ended(line, nowMs, cancelled) ?? nothing;
      }
      case "approved":
        if (line.kind === "succeeded") return [{ kind: "session" }, [say({ kind: "vendSucceeded" })]];
        // The adapter never took the approval.
        if (line.kind === "badParameter" || isRefusedVend(line))
          return [{ kind: "session" }, [say({ kind: "vendCancelled" })]];
        if (line.kind === "failed" || line.kind === "cancelled") {
          // After a result we could not read it may speak of the next request, and the product may have fallen.
          if (phase.doubtful)
            return [stopping(nowMs, { pending: false, vending: false }), [say({ kind: "sessionEnded" })]];
          // A cancel was on its way before our approval.
          return [
            { kind: "session" },
            [say({ kind: line.kind === "failed" ? "vendFailed" : "vendCancelled" })],
          ];
        }
        // Counts as sold (7.4.7), unless a result may have been said that we could not read: then nobody knows.
        if (line.kind === "reset" || line.kind === "inactive")
          return [waiting("inactive", nowMs), [say({ kind: phase.doubtful ? "sessionEnded" : "reset" })]];
        // The VMC asks for something else, so the vend before it has ended: its result was lost on the way. What is said
        // from here on is about the new request, which is turned away with the session.
        if (line.kind === "vend" && (phase.doubtful || !same(line, phase.vend)))
          return [stopping(nowMs, { pending: true, vending: true }), [say({ kind: "sessionEnded" })]];
        if (["vend", "idle", "noise", "unknown"].includes(line.kind))
          return [{ ...phase, doubtful: true }, ignored(link, line.kind)];
        return ended(line, nowMs, none) ?? nothing;
      case "stopping":
        if (line.kind === "enabled") return [{ kind: "ready" }, none];
        if (line.kind === "vend") return [{ ...phase, pending: true, vending: true, dueMs: nowMs }, none];
        if (line.kind === "wrongState" && line.command === "stop" && !phase.vending)
          return [{ kind: "ready" }, none]; // there was no session
        if (line.kind === "reset") return [waiting("inactive", nowMs), none];
        return leave(line, nowMs, none) ?? stray(phase, line) ?? nothing;
    }
  }

  function startRefused(phase: Extract<Phase, { kind: "opening" }>, nowMs: number): Out {
    if (phase.tries < START_TRIES) return [{ ...phase, sent: false, dueMs: nowMs + START_PAUSE_MS }, []];
    // It may have opened all the same, its answer lost; or the VMC has taken us out of service, and we have not heard it.
    const [again, effects] = prepare(script.offAt, nowMs);
    return [again, [say({ kind: "notOpened" }), ...effects]];
  }

  function prepare(at: number, nowMs: number, answer?: Line): Out {
    const command = script.commands[at];
    if (command !== undefined) {
      return [{ kind: "preparing", at, tries: 1, dueMs: nowMs + ANSWER_MS }, [send(command)]];
    }
    if (answer?.kind === "enabled") return [{ kind: "ready" }, []];
    return (
      unasked(answer, nowMs) ?? [waiting(answer?.kind === "disabled" ? "disabled" : "inactive", nowMs), []]
    );
  }
}

function bringUp({ settings }: QibixxSetup): {
  readonly commands: readonly Command[];
  readonly offAt: number;
  answered(at: number, line: Line): boolean;
} {
  const steps: readonly (readonly [Command, readonly Line["kind"][]])[] = [
    [{ kind: "version" }, ["version"]],
    [{ kind: "sniffOff" }, ["chatter"]],
    [{ kind: "off" }, ["off"]],
    ...settings.map(([parameter, value]) => [{ kind: "set", parameter, value }, ["settingTaken"]] as const),
    [{ kind: "on" }, ["on", "inactive", "disabled", "enabled", "idle"]],
  ];
  return {
    commands: steps.map(([command]) => command),
    offAt: 2,
    answered: (at, line) => steps[at]?.[1].includes(line.kind) === true,
  };
}

/** A session or a request while we hold no sale: some firmwares also print IDLE right after C,1. */
function unasked(line: Line | undefined, nowMs: number): Out | undefined {
  if (line?.kind === "idle") return [stopping(nowMs, { pending: false, vending: false }), []];
  if (line?.kind === "vend") return [stopping(nowMs, { pending: true, vending: true }), []];
  return undefined;
}

/** The VMC or the adapter takes us out of service. */
function leave(line: Line, nowMs: number, saying: readonly DriverEffect[]): Out | undefined {
  if (line.kind === "inactive" || line.kind === "disabled") return [waiting(line.kind, nowMs), saying];
  // The adapter has restarted, or was switched off behind our back: from the beginning.
  if (line.kind === "off") return [{ kind: "settling", dueMs: nowMs + SETTLE_MS }, saying];
  return undefined;
}

/** The session is over and nothing was said about an open vend. */
function ended(line: Line, nowMs: number, saying: readonly DriverEffect[]): Out | undefined {
  const all = [...saying, say({ kind: "sessionEnded" })];
  return line.kind === "enabled" ? [{ kind: "ready" }, all] : leave(line, nowMs, all);
}

/** A result that answers nothing open here: late, repeated, or left over from before a restart. */
function stray(phase: Phase, line: Line): Out | undefined {
  if (line.kind === "succeeded") return [phase, [say({ kind: "vendSucceeded" })]];
  if (line.kind === "failed") return [phase, [say({ kind: "vendFailed" })]];
  return undefined;
}

function requested(
  line: Extract<Line, { kind: "vend" }>,
  request: number,
  saying: readonly DriverEffect[],
  cameFirst = false,
): Out {
  const { priceText, priceMinor, item } = line;
  const price = priceMinor === undefined ? {} : { priceMinor };
  return [
    { kind: "requested", vend: { request, priceText, item, cameFirst } },
    [...saying, say({ kind: "vendRequested", request, item, ...price })],
  ];
}

const HELD_BY_NOBODY = { pending: false, vending: false };
const stopping = (nowMs: number, how: { readonly pending: boolean; readonly vending: boolean }): Phase => ({
  kind: "stopping",
  ...how,
  tries: 0,
  dueMs: nowMs,
});
const waiting = (mdb: "inactive" | "disabled", nowMs: number): Phase => ({
  kind: "waiting",
  mdb,
  dueMs: nowMs + ENABLE_MS,
});

const same = (line: Extract<Line, { kind: "vend" }>, vend: Vend): boolean =>
  line.priceText === vend.priceText && line.item === vend.item;
const isRefusedVend = (line: Line): boolean => line.kind === "wrongState" && line.command === "vend";

/** The phases in which silence is checked: in the others a command of the bring-up is waited for anyway. */
const beats = ({ kind }: Phase): boolean => kind !== "down" && kind !== "settling" && kind !== "preparing";

/** While V is unanswered nothing else is sent: one command in flight. */
const holds = ({ phase, pulse }: QibixxLink): boolean =>
  pulse.asked > 0 && (phase.kind === "opening" || phase.kind === "answering" || phase.kind === "stopping");

function dueMs(link: QibixxLink): number | undefined {
  const { phase, pulse } = link;
  if (phase.kind === "down") return undefined;
  const own = "dueMs" in phase && !holds(link) ? phase.dueMs : Infinity;
  return Math.min(own, beats(phase) ? pulse.dueMs : Infinity);
}

function mdbOf(phase: Phase): MdbState {
  switch (phase.kind) {
    case "down":
      return "lost";
    case "settling":
    case "preparing":
      return "off";
    case "waiting":
      return phase.mdb;
    case "ready":
    case "opening":
      return "enabled";
    case "session":
    case "stopping":
      return "session";
    case "requested":
    case "answering":
    case "approved":
      return "vend";
  }
}

function silent(link: QibixxLink): readonly [QibixxLink, readonly DriverEffect[]] {
  return [{ ...link, phase: { kind: "down" } }, gone(link.phase)];
}

const gone = (phase: Phase): readonly DriverEffect[] => [
  { kind: "reopen", why: "the adapter does not answer V" },
  ...lost(phase),
];

function lost(phase: Phase): readonly DriverEffect[] {
  const unanswered = phase.kind === "requested" || phase.kind === "answering";
  return [...(unanswered ? [say({ kind: "vendCancelled" })] : []), say({ kind: "lost" })];
}

const say = (said: Said): DriverEffect => ({ kind: "say", said });
const send = (command: Command): DriverEffect => ({ kind: "send", text: encodeCommand(command) });
const ignored = (link: QibixxLink, event: string): readonly DriverEffect[] => [
  { kind: "ignored", state: link.phase.kind, event },
];
