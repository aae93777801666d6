/**
 * Our own cashless device on the MDB bus: hears the machine's blocks, answers them, opens sessions. Pure.
 * MDB/ICP 4.2, 7.2 to 7.4.
 *
 * Owns      the reader's state, and what it still has to say.
 * Promises  an approval leaves only for the request that is open, only when our side gave it, and not after its deadline.
 *           What has left is said again until it is acknowledged, so a cancel that crosses it changes nothing. Each vend
 *           that our side was asked about gets one outcome; one that nobody knows may get a result later, once.
 * Never     decides about money; never speaks a higher level than the machine; never claims to have checked an age.
 * Bounded   every wait has a time; a machine that is not heard, or does not end a session we ask it to end, is made to set us
 *           up again by JUST RESET.
 * Crash     nothing here survives one: the reader begins with JUST RESET, and the machine sets it up anew.
 */
import { decodeCommand, type Command, type Response, type Signal } from "./codec.js";
import {
  beginSession,
  displayRequest,
  peripheralId,
  readerConfig,
  type CashlessSetup,
} from "./cashless-setup.js";
import {
  ANSWERS,
  type Asking,
  type Cashless,
  type Out,
  type CashlessEvent,
  type Phase,
  STATES,
  type What,
  answered,
  cancelledOf,
  denialOf,
  dueMs,
  fresh,
  ignored,
  isAnswerDue,
  isApproved,
  isVend,
  isWaiting,
  lower,
  mdbOf,
  owing,
  say,
  send,
  silentByMs,
  tellOf,
  withdrawing,
} from "./cashless-state.js";
import * as post from "./delivery.js";
import { ITEM_UNDEFINED } from "./driver.js";
import { ACK } from "./frame.js";
import type { Context } from "./widths.js";

export const OPEN_MS = 5_000; // a machine that polls acknowledges well within its non-response time
export const ANSWER_MS = 45_000; // machines give up after a minute, whatever they were told (Z7)
export const CLOSE_AGAIN_MS = 5_000;
export const CLOSE_TRIES = 12;
export const QUIET_MS = 300_000; // ten times 30 s, which is longer than any vend leaves us unpolled
export const LATE_MS = 60_000; // a vend that the sale gave up on may still end
/** A sale for cash is told again when our ACK was lost; nobody buys the same twice as quickly. */
export const CASH_AGAIN_MS = 5_000;

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

export function cashless(setup: CashlessSetup): {
  readonly initial: Cashless;
  step(state: Cashless, event: CashlessEvent): Out;
  dueMs(state: Cashless): number | undefined;
  /** How its blocks are to be read. */
  contextOf(state: Cashless): Context;
} {
  const contextOf = ({ machine, features }: Cashless): Context => {
    const level = lower(setup.level, machine.level ?? 1);
    return {
      level,
      expanded: level === 3 && (features.includes("money32") || features.includes("multiCurrency")),
    };
  };
  const waitsSeconds = Math.min(setup.responseSeconds, setup.patienceSeconds ?? Infinity);
  const answerMs = Math.min(waitsSeconds * 900, ANSWER_MS);
  const resultMs = Math.max(QUIET_MS, setup.vendResultMs + LATE_MS);
  return { initial: fresh(0, Infinity), step, dueMs, contextOf };

  function step(state: Cashless, event: CashlessEvent): Out {
    const [timely, first] = due(state, event.nowMs);
    const [next, second] = take(timely, event);
    const mdb = mdbOf(next.phase);
    const changed = mdb === mdbOf(state.phase) ? [] : [say({ kind: "mdb", mdb })];
    return [next, [...first, ...second, ...changed]];
  }

  function take(state: Cashless, event: CashlessEvent): Out {
    switch (event.kind) {
      case "heard":
        return onHeard(state, event.bytes, event.nowMs);
      case "silence":
        return [{ ...state, delivery: post.unheard(state.delivery) }, []];
      case "busReset":
        return reset(state, event.nowMs, true);
      case "tick":
        return [state, []];
      case "open":
        return onOpen(state, event.fundsScaled, event.nowMs);
      case "refreshFunds":
        if (state.phase.kind !== "sessionIdle" || state.isEnding) return ignored(state, event.kind);
        return [owing(state, beginSession(setup, contextOf(state), event.fundsScaled)), []];
      case "approve":
      case "deny":
        return onAnswer(state, event.kind, event.request);
      case "close":
        return onClose(state, event.nowMs);
      case "display": {
        const { screen } = state.machine;
        const request = screen && displayRequest(screen, event.text, event.tenths);
        return request === undefined || state.phase.kind === "inactive"
          ? ignored(state, event.kind)
          : [owing(state, request), []];
      }
      case "malfunction":
        return [owing(state, { kind: "malfunction", error: event.error, detail: event.detail }), []];
    }
  }

  // What the machine says

  function onHeard(state: Cashless, bytes: Uint8Array, nowMs: number): Out {
    const decoded = decodeCommand(bytes, contextOf(state));
    const deaf = { ...state, delivery: post.unheard(state.delivery) };
    // Silence is the answer to what cannot be read: the machine says it again (App. 3).
    if (!decoded.ok) return ignored(deaf, decoded.fault.kind);
    const { command } = decoded;
    if (!("device" in command)) return onSignal(state, command, nowMs);
    if (command.device !== setup.device) return ignored(deaf, "anotherDevice");
    const heard = { ...deaf, quietByMs: nowMs + Math.max(QUIET_MS, setup.responseSeconds * 10_000) };
    if (command.kind === "poll") return onPoll(heard);
    const [next, effects] = onCommand(heard, command, nowMs);
    return [next, [send(Uint8Array.of(ACK)), ...effects]];
  }

  function onSignal(state: Cashless, { kind }: Signal, nowMs: number): Out {
    const { flight } = state.delivery;
    if (flight?.isFresh !== true) return ignored(state, kind);
    if (kind === "ret") return [state, [send(flight.block)]];
    if (kind === "nak") return [{ ...state, delivery: post.unheard(state.delivery) }, []];
    const [delivery, responses] = post.acknowledged(state.delivery);
    return responses.reduce<Out>(
      ([next, effects], response) => {
        const [after, more] = onTaken(next, response, nowMs);
        return [after, [...effects, ...more]];
      },
      [{ ...state, delivery }, []],
    );
  }

  function onPoll(state: Cashless): Out {
    const delivery = post.next(state.delivery, contextOf(state));
    const { flight } = delivery;
    if (flight === undefined) return [state, [send(Uint8Array.of(ACK))]];
    const { phase } = state;
    const left = "answer" in phase && phase.answer === "approving" && !isWaiting(delivery);
    return [{ ...state, delivery, phase: left ? { ...phase, answer: "sent" } : phase }, [send(flight.block)]];
  }

  /** The machine has acknowledged one of our answers. */
  function onTaken(state: Cashless, { kind }: Response, nowMs: number): Out {
    const { phase } = state;
    switch (kind) {
      case "beginSession":
        return state.openByMs === undefined ? [state, []] : opened(state, nowMs);
      case "vendApproved":
        return [answered(phase, "sent") ? { ...state, phase: { ...phase, answer: "taken" } } : state, []];
      case "vendDenied":
        return [isVend(phase) && phase.answer === "denied" ? idle(state, nowMs) : state, []];
      case "revalueDenied":
      case "revalueApproved":
        return [phase.kind === "revalue" && phase.answer !== "awaited" ? idle(state, nowMs) : state, []];
      case "endSession":
        return [state.isEnding ? ended(state) : state, []];
      default:
        return [state, []];
    }
  }

  function onCommand(state: Cashless, command: Exclude<Command, { kind: "poll" }>, nowMs: number): Out {
    // END SESSION was on its way, and something else than SESSION COMPLETE shows that it has arrived.
    if (state.isEnding && command.kind !== "sessionComplete" && command.kind !== "reset")
      if (post.hasLeft(state.delivery, "endSession")) return onCommand(ended(state), command, nowMs);
    switch (command.kind) {
      case "reset":
        return reset(state, nowMs, true);
      case "vendRequest":
        return onRequest(state, { kind: "vend", scaled: command.priceScaled, item: command.item }, nowMs);
      case "negativeVendRequest":
        return onRequest(
          state,
          { kind: "negativeVend", scaled: command.valueScaled, item: command.item },
          nowMs,
        );
      case "revalueRequest":
        return onRequest(state, { kind: "revalue", scaled: command.amountScaled, item: 0 }, nowMs);
      case "vendCancel":
        return onVendCancel(state);
      case "vendSuccess":
        return onResult(state, "vendSucceeded", nowMs);
      case "vendFailure":
        return onResult(state, "vendFailed", nowMs);
      case "sessionComplete":
        return onSessionComplete(state);
      case "readerDisable":
        return disabled({ ...state, isEnabled: false });
      case "readerEnable": {
        if (state.phase.kind === "inactive") return violated(state);
        const phase: Phase = state.phase.kind === "disabled" ? { kind: "enabled" } : state.phase;
        return [{ ...state, isEnabled: true, phase }, []];
      }
      case "unknownCommand":
        return ignored(state, command.kind);
      default:
        return "answer" in state.phase ? violated(state) : onMinor(state, command, nowMs);
    }
  }

  /** What has no place in a vend, a revalue or a negative vend. */
  function onMinor(state: Cashless, command: Command, nowMs: number): Out {
    const inSession = state.phase.kind === "sessionIdle";
    switch (command.kind) {
      case "setupConfig":
        return inSession ? violated(state) : onSetup(state, command);
      case "setupPrices":
        if (inSession) return violated(state);
        return [ready({ ...state, machine: { ...state.machine, hasPrices: true } }), []];
      case "enableOptions": {
        if (inSession) return violated(state);
        const [plain, effects] = respeak(state);
        const offered: readonly string[] = contextOf(state).level === 3 ? setup.features : [];
        return [{ ...plain, features: command.features.filter((name) => offered.includes(name)) }, effects];
      }
      case "requestId":
        return [owing(state, peripheralId(setup, contextOf(state))), []];
      case "readerCancel": {
        if (inSession || state.phase.kind === "inactive") return violated(state);
        const isEarly = post.isOwed(state.delivery, "beginSession");
        const [next, effects] = isEarly ? notOpened(state) : ([state, []] as const);
        return [owing(next, { kind: "cancelled" }), effects];
      }
      case "revalueLimitRequest":
        return [owing(state, revalueLimit(state)), []];
      case "cashSale":
        return onCashSale(state, command, nowMs);
      case "diagnostics":
      case "setAge":
      case "checkAge":
        return [owing(state, { kind: "diagnosticResponse", data: "" }), []];
      case "readUserFile":
        return [owing(state, { kind: "userFileData", file: command.file, data: "" }), []];
      default:
        return ignored(state, command.kind); // the clock, files and transfers: taken, and no use to us
    }
  }

  function onSetup(state: Cashless, { level, columns, rows, display }: Of<"setupConfig">): Out {
    const [plain, effects] = respeak(state);
    const screen = { columns, rows, isFull: (display & 7) === 1 };
    const spoken = level >= 3 ? 3 : level === 2 ? 2 : 1;
    const next = ready({ ...plain, machine: { ...plain.machine, level: spoken, screen } });
    return [owing(next, readerConfig(setup, contextOf(next))), effects];
  }

  /** All the setup that is needed is in; level 1 may leave out the prices (7.4.1). */
  function ready(state: Cashless): Cashless {
    const { level, hasPrices } = state.machine;
    const isComplete = level !== undefined && (hasPrices || contextOf(state).level === 1);
    return state.phase.kind === "inactive" && isComplete ? { ...state, phase: { kind: "disabled" } } : state;
  }

  /** The language changes: what was to be said in the old one is not said. */
  function respeak(state: Cashless): Out {
    const [next, effects] = state.openByMs === undefined ? ([state, []] as const) : notOpened(state);
    const kinds = ["outOfSequence", "peripheralId", "revalueLimit", "readerConfig"] as const;
    return [dropping(next, ...kinds), effects];
  }

  function revalueLimit(state: Cashless): Response {
    const { level, expanded } = contextOf(state);
    const limit = setup.revalueLimitScaled;
    if (level === 1 || limit === undefined) return { kind: "revalueDenied" };
    return { kind: "revalueLimit", limitScaled: Math.min(limit, expanded === true ? 0xffffffff : 0xffff) };
  }

  function onRequest(state: Cashless, what: What, nowMs: number): Out {
    const { phase } = state;
    if ("answer" in phase) return onRequestAgain(state, phase, what, nowMs);
    // BEGIN SESSION is unacknowledged, and a request shows that it was heard; or the customer was quicker (Always Idle).
    const isOpening = phase.kind === "enabled" && state.openByMs !== undefined;
    const selectsFirst = phase.kind === "enabled" && state.features.includes("alwaysIdle");
    if (isOpening && (selectsFirst || post.hasLeft(state.delivery, "beginSession"))) {
      const [open, effects] = opened(state, nowMs);
      const [next, more] = asked(open, what, nowMs);
      return [next, [...effects, ...more]];
    }
    const isOpen = phase.kind === "sessionIdle" && !state.isEnding;
    return isOpen || selectsFirst ? asked(state, what, nowMs, selectsFirst) : violated(state);
  }

  function onRequestAgain(state: Cashless, phase: Asking, what: What, nowMs: number): Out {
    const isSame = phase.kind === what.kind && phase.scaled === what.scaled && phase.item === what.item;
    if (phase.answer === "taken" || (phase.answer === "sent" && !isSame)) {
      // What was approved has ended, and its result was lost on the way: nobody knows it. The approval must not reach
      // this request.
      const lost = { ...dropping(state, ...ANSWERS), phase: { ...phase, answer: "void" } } as const;
      const [next, effects] = violated({ ...lost, isUnsettled: isVend(phase) });
      return [next, [say({ kind: "sessionEnded" }), ...effects]];
    }
    if (isSame && phase.answer !== "void") return ignored(state, `${what.kind}Again`); // our ACK was lost
    const hasHeard = phase.answer === "denied" && !post.isOwed(state.delivery, denialOf(phase).kind);
    return hasHeard ? asked(idle(state, nowMs), what, nowMs) : violated(state);
  }

  function asked(before: Cashless, what: What, nowMs: number, cameFirst = false): Out {
    // They would answer this request; and no text for the display holds up its answer.
    const state = dropping(before, ...ANSWERS, "revalueLimit", "displayRequest");
    const request = state.requests + 1;
    const asking: Asking = {
      ...what,
      request,
      cameFirst,
      answer: "awaited",
      answerByMs: nowMs + answerMs,
      resultByMs: nowMs + answerMs + resultMs,
    };
    const next = { ...state, phase: asking, requests: request, isUnsettled: false };
    if (state.closing !== undefined || !isPossible(state, what)) return [denied(next, asking), []];
    return [next, [say(tellOf(asking))]];
  }

  function isPossible(state: Cashless, { kind, scaled }: What): boolean {
    const { level } = contextOf(state);
    if (kind === "revalue") return level >= 2 && scaled <= (setup.revalueLimitScaled ?? -1);
    return kind === "vend" || (level === 3 && state.features.includes("negativeVend"));
  }

  function onVendCancel(state: Cashless): Out {
    const { phase } = state;
    if (phase.kind === "sessionIdle") return [owing(state, { kind: "vendDenied" }), []];
    if (!isVend(phase)) return violated(state);
    switch (phase.answer) {
      case "awaited":
      case "approving":
        return [denied(state, phase), [say({ kind: "vendCancelled" })]];
      case "void":
        return [denied(state, phase), []];
      case "sent":
      case "taken":
      case "denied":
        return ignored(state, "vendCancel"); // it crossed our answer, which stands
    }
  }

  function onResult(state: Cashless, kind: "vendSucceeded" | "vendFailed", nowMs: number): Out {
    const { phase } = state;
    if (isApproved(phase)) return [idle(state, nowMs), [say({ kind })]];
    if (state.isUnsettled) return [{ ...state, isUnsettled: false }, [say({ kind })]];
    if (!("answer" in phase)) return ignored(state, kind); // said twice
    if (kind === "vendSucceeded" || !isVend(phase)) return violated(state);
    // A failure without an approval is the machine giving up on our answer.
    const isOpen = phase.answer === "awaited" || phase.answer === "approving";
    return [idle(state, nowMs), isOpen ? [say({ kind: "vendCancelled" })] : []];
  }

  function onSessionComplete(state: Cashless): Out {
    const { phase } = state;
    const isSaid = post.isOwed(state.delivery, "endSession") || post.hasLeft(state.delivery, "endSession");
    if (phase.kind === "inactive") return violated(state);
    if (isSaid) return ignored(state, "sessionComplete");
    // BEGIN SESSION is unacknowledged, but was heard.
    const isOpening = state.openByMs !== undefined && post.hasLeft(state.delivery, "beginSession");
    if ((phase.kind === "enabled" && !isOpening) || phase.kind === "disabled")
      return [owing(state, { kind: "endSession" }), []]; // our ACK to the last one was lost
    const isUnsettled = isApproved(phase);
    const silent = state.closing !== undefined && !isUnsettled;
    const next = dropping(state, "beginSession", "sessionCancelRequest", ...ANSWERS);
    return [
      owing(
        {
          ...next,
          phase: { kind: "sessionIdle" },
          openByMs: undefined,
          closing: undefined,
          isEnding: true,
          isUnsettled: isUnsettled || state.isUnsettled,
        },
        { kind: "endSession" },
      ),
      [
        ...(isOpening && !silent ? [say({ kind: "opened" })] : []),
        ...cancelledOf(phase),
        ...(silent ? [] : [say({ kind: "sessionEnded" })]),
      ],
    ];
  }

  function onCashSale(state: Cashless, sale: Of<"cashSale">, nowMs: number): Out {
    const text = JSON.stringify(sale);
    const { cashSale } = state;
    const next = { ...state, cashSale: { text, atMs: nowMs } };
    if (cashSale?.text === text && nowMs < cashSale.atMs + CASH_AGAIN_MS)
      return ignored(next, "cashSaleAgain");
    // FFFF is "not known", and no flags.
    const isUnknown = sale.item === 0xfff && sale.flags.length === 4;
    const { priceScaled } = sale;
    const what = isUnknown ? { item: ITEM_UNDEFINED, flags: [] } : { item: sale.item, flags: sale.flags };
    return [next, [say({ kind: "cashSale", priceScaled, ...what })]];
  }

  /** Out of sequence (0BH): the machine will reset us. What our side was asked is over; nothing is approved any more. */
  function violated(state: Cashless): Out {
    const { phase } = state;
    const { level } = contextOf(state);
    const told: Response = { kind: "outOfSequence", ...(level >= 2 ? { state: STATES[phase.kind] } : {}) };
    const isOpen = "answer" in phase && (phase.answer === "awaited" || phase.answer === "approving");
    if (!isOpen) return [owing(state, told), []];
    const voided = { ...state, phase: { ...phase, answer: "void" } } as const;
    return [owing(withdrawing(voided, "vendApproved", "revalueApproved"), told), cancelledOf(phase)];
  }

  /** RESET, the bus reset, or our own: everything is off. */
  function reset(state: Cashless, nowMs: number, byMachine: boolean): Out {
    const { phase } = state;
    const next = {
      ...fresh(state.requests, byMachine ? nowMs + QUIET_MS : Infinity),
      cashSale: state.cashSale,
      // Our own reset tells nothing of the vend: the machine may still say what became of it.
      isUnsettled: !byMachine && (isApproved(phase) || state.isUnsettled),
    };
    if (state.openByMs !== undefined) return [next, notOpened(state)[1]];
    if (phase.kind !== "sessionIdle" && !("answer" in phase)) return [next, []];
    if (state.isEnding) return [next, []]; // said to have ended
    // 7.4.7: after the approval a reset is a success. But an approval that was not acknowledged may never have been heard.
    const isDoubtful = isVend(phase) && (phase.answer === "sent" || (phase.answer === "taken" && !byMachine));
    const kind = isDoubtful || !byMachine ? "sessionEnded" : "reset";
    return [next, [...cancelledOf(phase), say({ kind })]];
  }

  // What our side wants

  function onOpen(state: Cashless, fundsScaled: number, nowMs: number): Out {
    const { phase, openByMs } = state;
    if (phase.kind !== "enabled" || openByMs !== undefined) return [state, [say({ kind: "notOpened" })]];
    const begin = beginSession(setup, contextOf(state), fundsScaled);
    return [owing({ ...state, openByMs: nowMs + OPEN_MS }, begin), []];
  }

  function onAnswer(state: Cashless, kind: "approve" | "deny", request: number): Out {
    const { phase } = state;
    if (!answered(phase, "awaited") || phase.request !== request) return ignored(state, kind);
    if (kind === "deny") return [denied(state, phase), []];
    const approval: Response = isVend(phase)
      ? { kind: "vendApproved", amountScaled: phase.scaled }
      : { kind: "revalueApproved" };
    return [owing({ ...state, phase: { ...phase, answer: "approving" } }, approval), []];
  }

  function onClose(state: Cashless, nowMs: number): Out {
    const { phase } = state;
    if (state.openByMs !== undefined && post.isOwed(state.delivery, "beginSession")) {
      const withdrawn = withdrawing(state, "beginSession");
      return [{ ...withdrawn, openByMs: undefined }, []];
    }
    const isOpen = state.openByMs !== undefined || phase.kind === "sessionIdle" || "answer" in phase;
    if (!isOpen || state.isEnding || state.closing !== undefined) return ignored(state, "close");
    const closing = { ...state, closing: { tries: 0, againMs: nowMs + CLOSE_AGAIN_MS } };
    if (phase.kind === "sessionIdle") return [owing(closing, { kind: "sessionCancelRequest" }), []];
    const isAwaited = "answer" in phase && (phase.answer === "awaited" || phase.answer === "approving");
    return isAwaited ? [denied(closing, phase), cancelledOf(phase)] : [closing, []];
  }

  // What the clock brings about

  function due(state: Cashless, nowMs: number): Out {
    const { phase, closing } = state;
    if (nowMs >= silentByMs(state)) return reset(state, nowMs, false);
    // A machine that takes no session while it has us enabled is not there, or believes something else of us.
    if (state.openByMs !== undefined && nowMs >= state.openByMs) return reset(state, nowMs, false);
    if ("answer" in phase && isAnswerDue(phase) && nowMs >= phase.answerByMs)
      return dueAgain([denied(state, phase), cancelledOf(phase)], nowMs);
    if (closing === undefined || phase.kind !== "sessionIdle" || nowMs < closing.againMs) return [state, []];
    if (closing.tries >= CLOSE_TRIES) return reset(state, nowMs, false);
    const again = { tries: closing.tries + 1, againMs: nowMs + CLOSE_AGAIN_MS };
    const isSaid = post.hasLeft(state.delivery, "sessionCancelRequest");
    const next = { ...state, closing: again };
    return [isSaid ? next : owing(next, { kind: "sessionCancelRequest" }), []];
  }

  /** A deadline is over; another may be too. */
  function dueAgain([state, effects]: Out, nowMs: number): Out {
    const [next, more] = due(state, nowMs);
    return [next, [...effects, ...more]];
  }

  // Moves

  function opened(state: Cashless, nowMs: number): Out {
    const open = { ...dropping(state, "beginSession"), openByMs: undefined };
    return [idle(open, nowMs), state.closing === undefined ? [say({ kind: "opened" })] : []];
  }

  function notOpened(state: Cashless): Out {
    const next = { ...dropping(state, "beginSession"), openByMs: undefined, closing: undefined };
    return [next, state.closing === undefined ? [say({ kind: "notOpened" })] : []];
  }

  /** Into Session Idle. */
  function idle(state: Cashless, nowMs: number): Cashless {
    const { phase } = state;
    const next: Cashless = { ...dropping(state, ...ANSWERS), phase: { kind: "sessionIdle" } };
    // Whatever the machine opened around a selection goes with it; what was approved is the sale's, which closes it.
    const isNobodys = "answer" in phase && phase.cameFirst && !isApproved(phase);
    if (next.closing === undefined && !isNobodys) return next;
    const closing = { tries: 0, ...next.closing, againMs: nowMs + CLOSE_AGAIN_MS };
    return owing({ ...next, closing }, { kind: "sessionCancelRequest" });
  }

  /** The machine has END SESSION. */
  function ended(state: Cashless): Cashless {
    const kind = state.isEnabled ? "enabled" : "disabled";
    return { ...dropping(state, "endSession"), phase: { kind }, isEnding: false, closing: undefined };
  }

  function disabled(state: Cashless): Out {
    if (state.phase.kind !== "enabled") return [state, []];
    const [next, effects] = state.openByMs === undefined ? ([state, []] as const) : notOpened(state);
    return [{ ...next, phase: { kind: "disabled" } }, effects];
  }

  function denied(state: Cashless, phase: Asking): Cashless {
    const next = withdrawing(state, "vendApproved", "revalueApproved");
    return owing({ ...next, phase: { ...phase, answer: "denied" } }, denialOf(phase));
  }

  function dropping(state: Cashless, ...kinds: readonly Response["kind"][]): Cashless {
    return { ...state, delivery: post.drop(state.delivery, contextOf(state), ...kinds) };
  }
}
