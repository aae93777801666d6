/**
 * The link to an adapter that only carries MDB blocks: our own cashless device (`cashless.ts`) behind it. Pure.
 *
 * A line is one block in hex, closed by its sum, or the lone byte with which the machine answers one of ours. The adapter
 * keeps the bus's milliseconds: it acknowledges commands, answers polls, and gives our last block to the next poll. So no
 * poll is heard here, and no acknowledgement of ours is sent: the device is polled whenever it has something to say.
 *
 * Owns      what has been given to the adapter and not acknowledged by the machine.
 * Promises  an approval leaves once per request, and only after the lines that were already on their way have been heard
 *           (a cancel may race it). Prices that are no whole number of minor units are not given at all.
 * Never     decides about money. Readers' refinements that no sale uses (revalue, negative vends) are not offered.
 * Bounded   by the device's own deadlines; what is not acknowledged is given again each `AGAIN_MS`.
 * Crash     nothing here survives one: the device begins with JUST RESET, and the machine sets it up anew.
 */
import { cashless } from "./cashless.js";
import type { CashlessSetup } from "./cashless-setup.js";
import {
  cancelledOf,
  isApproved,
  mdbOf,
  type Cashless,
  type CashlessEvent,
  type Told,
} from "./cashless-state.js";
import { encode } from "./codec.js";
import { isOwed } from "./delivery.js";
import type { Ask, Driver, DriverEffect, DriverEvent, MdbState, Said } from "./driver.js";
import { ACK, NAK } from "./frame.js";
import { minorOf, scaledOf, type Scale } from "./scale.js";
import { hexOf, readHex } from "./widths.js";

export const AGAIN_MS = 1_000; // a machine polls five times a second
export const ENABLE_MS = 30_000; // from here to READER ENABLE; longer is wiring, the address or a dead VMC
const ENABLE_MAX_MS = 300_000;
/** How long the machine's display shows what we have to say: the most there is (MDB/ICP 4.2, 7.4.4). */
const SHOWN_TENTHS = 255;

export type RawLink = {
  readonly isUp: boolean;
  readonly reader: Cashless;
  /** When what the device owes is given to the adapter, or given again. */
  readonly giveAtMs: number | undefined;
  readonly isDrained: boolean; // the line has been read once more since the wait before an approval ran out
  /** When the machine must have enabled us. */
  readonly enableByMs: number | undefined;
  readonly waits: number; // for READER ENABLE that ran out since the machine last enabled us
};
export type RawSetup = {
  /** What the kernel already holds of the line reaches us within this, and one more turn. */
  readonly drainMs: number;
  readonly cashless: CashlessSetup;
  readonly minorDecimals: number; // of the currency
};
type Out = readonly [RawLink, readonly DriverEffect[]];

export function raw(setup: RawSetup): Driver<RawLink> {
  const device = cashless(setup.cashless);
  const { scale, decimals } = setup.cashless;
  const money: Scale = { scale, decimals, minorDecimals: setup.minorDecimals };
  const poll = encode({ kind: "poll", device: setup.cashless.device }, { level: 1 });
  return {
    initial: {
      isUp: false,
      reader: device.initial,
      giveAtMs: undefined,
      isDrained: false,
      enableByMs: undefined,
      waits: 0,
    },
    dueMs(link) {
      if (!link.isUp) return undefined;
      const due = Math.min(
        device.dueMs(link.reader) ?? Infinity,
        link.giveAtMs ?? Infinity,
        link.enableByMs ?? Infinity,
      );
      return due === Infinity ? undefined : due;
    },
    step(link, event) {
      const [taken, first] = take(link, event);
      const [watched, second] = watch(taken, event.nowMs);
      const [next, third] = give(watched, event.nowMs);
      const mdb = stateOf(next);
      const changed = mdb === stateOf(link) ? [] : [say({ kind: "mdb", mdb })];
      return [next, [...first, ...second, ...third, ...changed]];
    },
  };

  function take(link: RawLink, event: DriverEvent): Out {
    const { nowMs } = event;
    if (event.kind === "connected") {
      return [{ ...begun(link), isUp: true, waits: 0 }, link.isUp ? lost(link) : []];
    }
    if (!link.isUp) return [link, ignored(link, event.kind)];
    switch (event.kind) {
      case "disconnected":
        return [{ ...link, isUp: false }, lost(link)];
      case "tick":
        return through(link, { kind: "tick", nowMs });
      case "ask":
        return onAsk(link, event.ask, nowMs);
      case "line":
        return onLine(link, event.text, nowMs);
    }
  }

  function onLine(link: RawLink, text: string, nowMs: number): Out {
    const bytes = readHex(text);
    if (bytes === undefined || bytes.length === 0) return [link, ignored(link, "noise")];
    if (hexOf(bytes) === hexOf(poll)) return [link, ignored(link, "poll")]; // the adapter has answered it
    if (bytes.length > 1) return through(link, { kind: "heard", bytes, nowMs });
    // The adapter hands on what the machine thinks of our block and of nobody else's.
    const { delivery } = link.reader;
    const flight = delivery.flight && { ...delivery.flight, isFresh: true };
    const isAnswer = bytes[0] === ACK || bytes[0] === NAK;
    const fresh = { ...link, reader: { ...link.reader, delivery: { ...delivery, flight } } };
    return through(isAnswer ? { ...fresh, giveAtMs: undefined } : fresh, { kind: "heard", bytes, nowMs });
  }

  function onAsk(link: RawLink, ask: Ask, nowMs: number): Out {
    switch (ask.kind) {
      case "openSession": {
        const most = device.contextOf(link.reader).expanded === true ? 0xfffffffe : 0xfffe;
        const fundsScaled = scaledOf(ask.amountMinor, money, most);
        if (fundsScaled !== undefined) return through(link, { kind: "open", fundsScaled, nowMs });
        const detail = `${ask.amountMinor} is no amount in steps of ${scale} with ${decimals} decimals up to ${most}`;
        return [link, [say({ kind: "notOpened" }), { kind: "alarm", code: "mdbAmount", detail }]];
      }
      case "approve":
      case "deny":
        return through(link, { kind: ask.kind, request: ask.request, nowMs });
      case "closeSession":
        return through(link, { kind: "close", nowMs });
      case "display":
        // Within a session the machine has words of its own for the customer.
        if (link.reader.phase.kind !== "enabled") return [link, ignored(link, ask.kind)];
        return through(link, { kind: "display", text: ask.text, tenths: SHOWN_TENTHS, nowMs });
    }
  }

  /** One event for the device, and what it wants said on the bus and to the sale. */
  function through(link: RawLink, event: CashlessEvent): Out {
    const [reader, effects] = device.step(link.reader, event);
    const next = { ...link, reader: resting(reader) };
    return effects.reduce<Out>(
      ([at, done], effect) => {
        switch (effect.kind) {
          case "send":
            return [at, [...done, ...sending(effect.bytes)]];
          case "say":
            return [at, [...done, ...saying(at, effect.told)]];
          case "ignored":
            return [at, [...done, effect]];
        }
      },
      [next, []],
    );
  }

  /** Gives the adapter what the device owes, and again what the machine has not acknowledged. */
  function give(link: RawLink, nowMs: number): Out {
    const { owed, flight } = link.reader.delivery;
    if (!link.isUp || (flight === undefined && owed.length === 0))
      return [{ ...link, giveAtMs: undefined, isDrained: false }, []];
    const waits = flight === undefined && isOwed(link.reader.delivery, "vendApproved");
    const giveAtMs = link.giveAtMs ?? nowMs + (waits ? setup.drainMs : 0);
    if (nowMs < giveAtMs) return [{ ...link, giveAtMs }, []];
    // A timer that is late may ring before the line is read: one more turn, so that what is there is heard first.
    if (waits && !link.isDrained) return [{ ...link, giveAtMs: nowMs, isDrained: true }, []];
    const [polled, effects] = through(link, { kind: "heard", bytes: poll, nowMs });
    // It was not the machine that polled: its silence goes on.
    const reader = { ...polled.reader, quietByMs: link.reader.quietByMs };
    return [{ ...polled, reader, giveAtMs: nowMs + AGAIN_MS, isDrained: false }, effects];
  }

  /** With JUST RESET, upon which the machine sets us up. */
  function begun(link: RawLink): RawLink {
    const { requests, phase } = link.reader; // a late answer must not meet a new request
    const isUnsettled = link.reader.isUnsettled || isApproved(phase); // and a late result is still heard
    const reader = { ...device.initial, requests, isUnsettled };
    return { ...link, reader, giveAtMs: undefined, isDrained: false, enableByMs: undefined };
  }

  /**
   * The machine does not take us into service: that is said once, and the reader begins anew, at growing intervals. A READER
   * ENABLE that was lost on our line has been acknowledged on the bus, and the machine does not say it again by itself.
   */
  function watch(link: RawLink, nowMs: number): Out {
    const mdb = stateOf(link);
    if (mdb === "lost") return [{ ...link, enableByMs: undefined }, []];
    if (mdb !== "inactive" && mdb !== "disabled") return [{ ...link, enableByMs: undefined, waits: 0 }, []];
    const enableByMs = link.enableByMs ?? nowMs + patienceMs(link.waits);
    if (nowMs < enableByMs) return [{ ...link, enableByMs }, []];
    const alarm: DriverEffect = { kind: "alarm", code: "mdbNotEnabled", detail: `VMC keeps us ${mdb}` };
    const again = { ...begun(link), enableByMs: nowMs + patienceMs(link.waits + 1), waits: link.waits + 1 };
    return [again, link.waits === 0 ? [alarm] : []];
  }

  function saying(link: RawLink, told: Told): readonly DriverEffect[] {
    switch (told.kind) {
      case "mdb":
        return []; // said once a step, with the line's own state
      case "vendRequested": {
        const { request, item } = told;
        const priceMinor = minorOf(told.priceScaled, money);
        return [
          say({ kind: "vendRequested", request, item, ...(priceMinor === undefined ? {} : { priceMinor }) }),
        ];
      }
      case "negativeVendRequested":
      case "revalueRequested":
      case "revalueCancelled":
        return ignored(link, told.kind);
      case "cashSale": {
        const { item, flags } = told;
        const priceMinor = minorOf(told.priceScaled, money);
        // A free, test or token vend is told in the same words, and brought no cash.
        if (flags.length > 0 || priceMinor === undefined) return ignored(link, told.kind);
        return [say({ kind: "cashSale", item, priceMinor })];
      }
      default:
        return [say(told)];
    }
  }
}

const patienceMs = (waits: number): number => Math.min(ENABLE_MS * 2 ** waits, ENABLE_MAX_MS);

/** Between two sessions the adapter keeps the machine's polls to itself: that nothing is heard then means nothing. */
function resting(reader: Cashless): Cashless {
  const { kind } = reader.phase;
  const isOpen = kind !== "inactive" && kind !== "disabled" && kind !== "enabled";
  return isOpen ? reader : { ...reader, quietByMs: Infinity };
}

const sending = (bytes: Uint8Array): readonly DriverEffect[] =>
  bytes.length === 1 ? [] : [{ kind: "send", text: hexOf(bytes).toUpperCase() }];

const lost = ({ reader }: RawLink): readonly DriverEffect[] => [
  ...(cancelledOf(reader.phase).length === 0 ? [] : [say({ kind: "vendCancelled" })]),
  say({ kind: "lost" }),
];

const stateOf = ({ isUp, reader }: RawLink): MdbState => (isUp ? mdbOf(reader.phase) : "lost");
const say = (said: Said): DriverEffect => ({ kind: "say", said });
const ignored = (link: RawLink, event: string): readonly DriverEffect[] => [
  { kind: "ignored", state: stateOf(link), event },
];
