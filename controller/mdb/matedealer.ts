/**
 * The link to a MateDealer: asks it again and again where it is, since it announces no states; opens and closes sessions,
 * answers vend requests. Pure.
 *
 * Owns      what the adapter and the machine behind it are believed to be doing.
 * Promises  an approval leaves once per request, and only after the lines that were already on their way have been heard
 *           (a cancel may race it). A session nobody asked for is closed. An echo is never taken for an answer.
 * Never     decides about money. A result that answers no open vend is still said: the sale may be waiting for it.
 * Bounded   every wait has a time and every retry a count; past them the Arduino is reset or the port reopened.
 * Crash     nothing here survives one: the first answer says where the adapter is, and an open session is closed.
 *
 * A reset that is over before the next question cannot be told from a session that ended: then the vend is unknown.
 */
import type { Ask, Driver, DriverEffect, DriverEvent, MdbState, Said } from "./driver.js";
import { encodeCommand, parseLine, type Command, type Line, type State } from "./matedealer-line.js";

export const SETTLE_MS = 2_000; // opening the port restarts most Arduinos
export const ASK_MS = 1_000;
export const ASK_SOON_MS = 200; // while something is waited for
export const ANSWER_MS = 1_000;
export const ASK_TRIES = 4;
export const OPEN_MS = 5_000;
export const ENABLE_MS = 30_000;
export const STOP_MS = 1_000;
export const STOP_TRIES = 10;
export const LATE_TRIES = 180; // three minutes: a vend that we gave up on may still end
export const MOST_MINOR = 32_767; // its whole numbers have 16 bits and a sign

type Vend = { readonly request: number; readonly priceMinor: number; readonly item: number };
type Phase =
  | { readonly kind: "down" | "ready" }
  /** `isVending`: the last answer said so, though no request was heard. */
  | { readonly kind: "session"; readonly isVending?: boolean }
  | { readonly kind: "settling"; readonly dueMs: number }
  | {
      readonly kind: "waiting";
      readonly mdb: "off" | "inactive" | "disabled";
      readonly isSaid: boolean;
      readonly dueMs: number;
    }
  | { readonly kind: "opening"; readonly dueMs: number }
  | { readonly kind: "requested"; readonly vend: Vend }
  | { readonly kind: "answering"; readonly vend: Vend; readonly isDrained: boolean; readonly dueMs: number }
  /** `isDoubtful`: a line since then may have been the result, or shows that there was one. */
  | { readonly kind: "approved"; readonly vend: Vend; readonly isDoubtful: boolean }
  | {
      readonly kind: "stopping";
      readonly isPending: boolean; // a request waits for its denial
      readonly isVending: boolean; // a vend may still end
      readonly tries: number;
      readonly dueMs: number;
    };

export type MateDealerLink = {
  readonly phase: Phase;
  readonly requests: number;
  readonly asked: number; // questions since the last answer
  readonly askMs: number;
};
type Out = readonly [Phase, readonly DriverEffect[]];

/** `drainMs`: what the kernel already holds of the line reaches us within this, and one more turn. */
export const mateDealer = (drainMs: number): Driver<MateDealerLink> => ({
  initial: { phase: { kind: "down" }, requests: 0, asked: 0, askMs: 0 },
  dueMs,
  step(link, event) {
    const [taken, first] = take(link, event, drainMs);
    const [timed, second] = due(taken, event.nowMs);
    const mdb = mdbOf(timed.phase);
    const changed = mdb === mdbOf(link.phase) ? [] : [say({ kind: "mdb", mdb })];
    return [timed, [...first, ...second, ...changed]];
  },
});

function take(
  link: MateDealerLink,
  event: DriverEvent,
  drainMs: number,
): readonly [MateDealerLink, readonly DriverEffect[]] {
  const { phase } = link;
  const { nowMs } = event;
  switch (event.kind) {
    case "tick":
      return [link, []];
    case "connected":
      return [
        { ...link, phase: { kind: "settling", dueMs: nowMs + SETTLE_MS }, asked: 0 },
        phase.kind === "down" ? [] : lost(phase),
      ];
    case "disconnected":
      if (phase.kind === "down") return [link, ignored(phase, event.kind)];
      return [{ ...link, phase: { kind: "down" } }, lost(phase)];
    case "ask":
      return arrive(link, onAsk(phase, event.ask, nowMs, drainMs), nowMs);
    case "line": {
      const line = parseLine(event.text);
      if (phase.kind === "down") return [link, ignored(phase, line.kind)];
      const requests = line.kind === "vend" ? link.requests + 1 : link.requests;
      const heard = { ...link, requests };
      const answered = line.kind === "state" ? { ...heard, asked: 0, askMs: nowMs + everyMs(phase) } : heard;
      return arrive(answered, onLine(phase, line, requests, nowMs), nowMs);
    }
  }
}

/** Into a phase; where something is waited for, the next question comes sooner. */
function arrive(
  link: MateDealerLink,
  [phase, effects]: Out,
  nowMs: number,
): readonly [MateDealerLink, readonly DriverEffect[]] {
  const askMs = link.asked === 0 ? Math.min(link.askMs, nowMs + everyMs(phase)) : link.askMs;
  return [{ ...link, phase, askMs }, effects];
}

function due(link: MateDealerLink, nowMs: number): readonly [MateDealerLink, readonly DriverEffect[]] {
  if (nowMs < (dueMs(link) ?? Infinity)) return [link, []];
  const own = ownDueMs(link.phase);
  if (own !== undefined && nowMs >= own) return onDue(link, nowMs);
  if (link.asked >= ASK_TRIES) {
    const gone: DriverEffect = { kind: "reopen", why: "the adapter does not answer mdb-state" };
    return [{ ...link, phase: { kind: "down" } }, [gone, ...lost(link.phase)]];
  }
  return [{ ...link, asked: link.asked + 1, askMs: nowMs + ANSWER_MS }, [send({ kind: "state" })]];
}

function onDue(link: MateDealerLink, nowMs: number): readonly [MateDealerLink, readonly DriverEffect[]] {
  const { phase } = link;
  switch (phase.kind) {
    case "settling": {
      const waiting: Phase = { kind: "waiting", mdb: "off", isSaid: false, dueMs: nowMs + ENABLE_MS };
      const asking = { ...link, phase: waiting, asked: 1, askMs: nowMs + ANSWER_MS };
      return [asking, [send({ kind: "clear" }), send({ kind: "state" })]];
    }
    case "waiting": {
      const alarm: DriverEffect = {
        kind: "alarm",
        code: "mdbNotEnabled",
        detail: `VMC keeps us ${phase.mdb}`,
      };
      return [{ ...link, phase: { ...phase, isSaid: true } }, [alarm]];
    }
    case "opening":
      return arrive(link, [stopping(nowMs, false, false), [say({ kind: "notOpened" })]], nowMs);
    case "answering":
      // A timer that is late may ring before the line is read: one more turn, so that what is there is heard first.
      if (!phase.isDrained) return [{ ...link, phase: { ...phase, isDrained: true, dueMs: nowMs } }, []];
      return [
        { ...link, phase: { kind: "approved", vend: phase.vend, isDoubtful: false } },
        [send({ kind: "approve", amountMinor: phase.vend.priceMinor })],
      ];
    case "stopping": {
      if (phase.tries >= (phase.isVending ? LATE_TRIES : STOP_TRIES))
        return [{ ...link, ...restarting(nowMs) }, [send({ kind: "reset" })]];
      const next = { ...phase, isPending: false, tries: phase.tries + 1, dueMs: nowMs + STOP_MS };
      const first = phase.isPending ? [send({ kind: "deny" })] : [];
      return arrive(link, [next, [...first, send({ kind: "cancel" })]], nowMs);
    }
    default:
      return [link, []];
  }
}

function onAsk(phase: Phase, ask: Ask, nowMs: number, drainMs: number): Out {
  const nothing: Out = [phase, ignored(phase, ask.kind)];
  switch (ask.kind) {
    case "openSession": {
      if (phase.kind !== "ready") return [phase, [say({ kind: "notOpened" })]];
      const { amountMinor } = ask;
      if (amountMinor <= MOST_MINOR)
        return [{ kind: "opening", dueMs: nowMs + OPEN_MS }, [send({ kind: "start", amountMinor })]];
      const detail = `${amountMinor} is above ${MOST_MINOR}, the most that a MateDealer can say`;
      return [phase, [say({ kind: "notOpened" }), { kind: "alarm", code: "mdbAmount", detail }]];
    }
    case "approve":
    case "deny":
      if (phase.kind !== "requested" || phase.vend.request !== ask.request) return nothing;
      if (ask.kind === "deny") return [{ kind: "session" }, [send({ kind: "deny" })]];
      return [{ kind: "answering", vend: phase.vend, isDrained: false, dueMs: nowMs + drainMs }, []];
    case "closeSession":
      if (phase.kind === "opening" || phase.kind === "session") return [stopping(nowMs, false, false), []];
      if (phase.kind === "requested" || phase.kind === "answering")
        return [stopping(nowMs, true, true), [say({ kind: "vendCancelled" })]];
      return phase.kind === "approved" ? [stopping(nowMs, false, true), []] : nothing;
    case "display": // it has no word for that
      return nothing;
  }
}

function onLine(phase: Phase, line: Line, request: number, nowMs: number): Out {
  const nothing: Out = [phase, ignored(phase, line.kind)];
  if (line.kind === "echo" || line.kind === "blank") return nothing;
  if (line.kind === "started") return [restarting(nowMs).phase, ended(phase)];
  switch (phase.kind) {
    case "down":
    case "settling":
      return stray(phase, line) ?? nothing;
    case "waiting":
    case "ready":
      if (line.kind === "vend") return [stopping(nowMs, true, true), []];
      return line.kind === "state"
        ? [between(phase, line.state, nowMs), []]
        : (stray(phase, line) ?? nothing);
    case "opening":
      if (line.kind === "vend") return requested(line, request, [say({ kind: "opened" })]);
      if (line.kind === "state" && line.state === "session")
        return [{ kind: "session" }, [say({ kind: "opened" })]];
      if (line.kind === "state" && isOut(line.state))
        return [waiting(line.state, nowMs), [say({ kind: "notOpened" })]];
      // A start that no machine took, from before: nothing but a restart makes the firmware forget it.
      if (line.kind === "refused" && line.command === "stillStarting")
        return [restarting(nowMs).phase, [send({ kind: "reset" }), say({ kind: "notOpened" })]];
      if (line.kind === "refused" && line.command === "start")
        return [stopping(nowMs, false, false), [say({ kind: "notOpened" })]];
      return stray(phase, line) ?? nothing;
    case "session":
      if (line.kind === "vend") return requested(line, request, []);
      if (line.kind === "state" && line.state === "inactive")
        return [waiting("inactive", nowMs), [say({ kind: "reset" })]];
      if (line.kind === "state" && line.state === "session") return [{ kind: "session" }, []];
      // The request's line was lost: nobody can be asked about it, and the machine waits for its answer.
      if (line.kind === "state" && line.state === "vend")
        return phase.isVending === true
          ? [{ kind: "session" }, [send({ kind: "deny" })]]
          : [{ kind: "session", isVending: true }, ignored(phase, line.kind)];
      return over(phase, line, nowMs) ?? stray(phase, line) ?? nothing;
    case "requested":
    case "answering":
      return whileAsked(phase, line, request, nowMs) ?? nothing;
    case "approved":
      return whileApproved(phase, line, nowMs) ?? nothing;
    case "stopping":
      if (line.kind === "state" && line.state === "enabled") return [{ kind: "ready" }, []];
      if (line.kind === "state" && isOut(line.state)) return [waiting(line.state, nowMs), []];
      // A request, or one whose line was lost; what we approved is not denied.
      if (line.kind === "vend" || (line.kind === "state" && line.state === "vend" && !phase.isVending))
        return [{ ...phase, isPending: true, isVending: true, dueMs: nowMs }, []];
      return stray(phase, line) ?? nothing;
  }
}

function whileAsked(
  phase: Extract<Phase, { kind: "requested" | "answering" }>,
  line: Line,
  request: number,
  nowMs: number,
): Out | undefined {
  const cancelled = say({ kind: "vendCancelled" });
  // A failure without an approval is the machine giving up on our answer: it, too, has vended nothing.
  if (line.kind === "cancelled" || line.kind === "failed") return [{ kind: "session" }, [cancelled]];
  if (line.kind === "vend")
    return isSame(line, phase.vend) ? undefined : requested(line, request, [cancelled]);
  if (line.kind === "state" && line.state === "session") return [{ kind: "session" }, [cancelled]];
  if (line.kind === "state" && line.state === "inactive")
    return [waiting("inactive", nowMs), [cancelled, say({ kind: "reset" })]];
  const out = over(phase, line, nowMs);
  return out && [out[0], [cancelled, ...out[1]]];
}

function whileApproved(
  phase: Extract<Phase, { kind: "approved" }>,
  line: Line,
  nowMs: number,
): Out | undefined {
  const unknown = say({ kind: "sessionEnded" });
  switch (line.kind) {
    case "succeeded":
      return [{ kind: "session" }, [say({ kind: "vendSucceeded" })]];
    case "refused":
      // It was not in a vend when the approval came, so the approval never took hold.
      return line.command === "approve" ? [{ kind: "session" }, [say({ kind: "vendCancelled" })]] : undefined;
    case "cancelled":
    case "failed":
      // After a result that we could not read it may speak of the next request, and the product may have fallen.
      if (phase.isDoubtful) return [stopping(nowMs, false, false), [unknown]];
      return [{ kind: "session" }, [say({ kind: line.kind === "failed" ? "vendFailed" : "vendCancelled" })]];
    case "vend":
      // Said again, our ACK lost; or the same once more, after a result that was lost: what comes next tells.
      if (isSame(line, phase.vend) && !phase.isDoubtful)
        return [{ ...phase, isDoubtful: true }, ignored(phase, line.kind)];
      return [stopping(nowMs, true, true), [unknown]]; // the result of the one before was lost on the way
    case "state":
      // Counts as sold (7.4.7), unless a result may have been said that we could not read.
      if (line.state === "inactive")
        return [waiting("inactive", nowMs), [phase.isDoubtful ? unknown : say({ kind: "reset" })]];
      if (line.state === "enabled") return [{ kind: "ready" }, [unknown]];
      // READER DISABLE leaves a vend alone; after a reset it is disabled too. Nobody knows until more is said.
      return line.state === "vend" ? undefined : [{ ...phase, isDoubtful: true }, []];
    case "complete":
      return [stopping(nowMs, false, false), [unknown]];
    case "noise":
    case "unknown":
      return [{ ...phase, isDoubtful: true }, ignored(phase, line.kind)];
    default:
      return undefined;
  }
}

/** The session is over, and nothing was said about an open vend. Where the machine now is, the next answer says. */
function over(phase: Phase, line: Line, nowMs: number): Out | undefined {
  const said = [say({ kind: "sessionEnded" })];
  if (line.kind === "complete") return [stopping(nowMs, false, false), said];
  if (line.kind !== "state" || line.state === "vend" || line.state === "session") return undefined;
  return [between(phase, line.state, nowMs), said];
}

/** Where an answer says we are while there is no session of ours. */
function between(phase: Phase, state: State, nowMs: number): Phase {
  if (state === "enabled") return { kind: "ready" };
  if (isOut(state)) return phase.kind === "waiting" ? { ...phase, mdb: state } : waiting(state, nowMs);
  return stopping(nowMs, state === "vend", state === "vend");
}

/** A result that answers nothing open here: late, repeated, or left over from before a restart. */
function stray(phase: Phase, line: Line): Out | undefined {
  if (line.kind === "succeeded") return [phase, [say({ kind: "vendSucceeded" })]];
  return line.kind === "failed" ? [phase, [say({ kind: "vendFailed" })]] : undefined;
}

function requested(
  { priceMinor, item }: Extract<Line, { kind: "vend" }>,
  request: number,
  saying: readonly DriverEffect[],
): Out {
  return [
    { kind: "requested", vend: { request, priceMinor, item } },
    [...saying, say({ kind: "vendRequested", request, item, priceMinor })],
  ];
}

/** The machine says a request again when our ACK to it was lost. */
const isSame = (line: Extract<Line, { kind: "vend" }>, vend: Vend): boolean =>
  line.priceMinor === vend.priceMinor && line.item === vend.item;
const restarting = (nowMs: number) => ({
  phase: { kind: "settling", dueMs: nowMs + SETTLE_MS } as const,
  asked: 0,
});
const waiting = (mdb: "inactive" | "disabled", nowMs: number): Phase => ({
  kind: "waiting",
  mdb,
  isSaid: false,
  dueMs: nowMs + ENABLE_MS,
});
const stopping = (nowMs: number, isPending: boolean, isVending: boolean): Phase => ({
  kind: "stopping",
  isPending,
  isVending,
  tries: 0,
  dueMs: nowMs,
});
const isOut = (state: State): state is "inactive" | "disabled" =>
  state === "inactive" || state === "disabled";
const everyMs = ({ kind }: Phase): number =>
  kind === "opening" || kind === "stopping" || kind === "waiting" ? ASK_SOON_MS : ASK_MS;

function ownDueMs(phase: Phase): number | undefined {
  if (phase.kind === "waiting" && phase.isSaid) return undefined;
  return "dueMs" in phase ? phase.dueMs : undefined;
}
function dueMs({ phase, askMs }: MateDealerLink): number | undefined {
  if (phase.kind === "down") return undefined;
  if (phase.kind === "settling") return phase.dueMs;
  return Math.min(ownDueMs(phase) ?? Infinity, askMs);
}

function mdbOf(phase: Phase): MdbState {
  switch (phase.kind) {
    case "down":
      return "lost";
    case "settling":
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

const isUnanswered = ({ kind }: Phase): boolean => kind === "requested" || kind === "answering";
const lost = (phase: Phase): readonly DriverEffect[] => [
  ...(isUnanswered(phase) ? [say({ kind: "vendCancelled" })] : []),
  say({ kind: "lost" }),
];
/** The adapter restarted: whatever was open is not any more. */
function ended(phase: Phase): readonly DriverEffect[] {
  if (phase.kind === "opening") return [say({ kind: "notOpened" })];
  if (isUnanswered(phase)) return [say({ kind: "vendCancelled" }), say({ kind: "sessionEnded" })];
  return phase.kind === "session" || phase.kind === "approved" ? [say({ kind: "sessionEnded" })] : [];
}

const say = (said: Said): DriverEffect => ({ kind: "say", said });
const send = (command: Command): DriverEffect => ({ kind: "send", text: encodeCommand(command) });
const ignored = ({ kind }: Phase, event: string): readonly DriverEffect[] => [
  { kind: "ignored", state: kind, event },
];
