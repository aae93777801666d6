/**
 * A vending machine controller (VMC), its coils, and the cashless reader as it sees one, as one machine. Pure.
 * What it says is in words; an adapter (`adapter.ts`) makes lines of them, in the dialect of a Qibixx or as MDB blocks.
 *
 * Owns      the coils: nothing else moves a product. `stock + fallen` of a coil never changes.
 * Promises  a motor turns only after an approval answered this machine's own VEND REQUEST, once for each, or for coins; and
 *           always to its end, whatever happens to the bus, the line or the VMC meanwhile. `succeeded` is said only after the drop sensor
 *           saw something, `failed` only when nothing fell.
 * Never     judges the credit: a selection is asked for whatever it costs (MDB/ICP 4.2, appendix 3).
 *
 * Time comes in with each event, on any clock that only rises. What was due before an event happens before it, in order,
 * so it does not matter how late or how seldom `tick` comes; `nextDueMs` says when it would first change something.
 */
import { decimalToMinor, minorToDecimal } from "../../broker/protocol/money.js";
import type { Command } from "./adapter-line.js";
import { withFaults, type Faults, type FaultsAsked } from "./faults.js";
import { word, type Word } from "./word.js";

export type VmcSettings = {
  readonly decimals: number;
  /** How long a coil turns. */
  readonly coilMs: number;
  /** How long each of the two steps of a set-up takes: inactive to disabled, disabled to enabled. */
  readonly setupMs: number;
  /** The VMC's own patience: a session nobody uses, a VEND REQUEST nobody answers. */
  readonly sessionIdleMs: number;
  readonly answerMs: number;
  /** When the reader is enabled again after a vend whose result was never said. */
  readonly lateEnableMs: number;
  /** Always Idle (MDB/ICP 4.2, 7.2.3): an item may be asked for without a session. */
  readonly selectsFirst: boolean;
  /** Where it polls for a reader; left out, at cashless device #1. */
  readonly address?: string;
  /** How long a notice stays on the display. */
  readonly noticeMs: number;
};

export type Coil = {
  readonly item: number;
  readonly name: string;
  readonly priceMinor: number;
  readonly stock: number;
  /** How many really dropped, and how many of these were paid for with coins. */
  readonly fallen: number;
  readonly forCash: number;
};

/** `funds` is the text of `C,START`; `creditMinor` is null when that text is not an amount. */
type Session = { readonly funds: string; readonly creditMinor: number | null };
/** The cashless reader as both sides see it; `dueMs` is when the VMC moves on by itself. */
type Reader =
  | { readonly kind: "off" }
  | { readonly kind: "inactive" | "disabled"; readonly dueMs: number | undefined } // undefined: the VMC polls another address, or never enables
  | { readonly kind: "enabled" }
  | { readonly kind: "session"; readonly session: Session; readonly dueMs: number }
  | { readonly kind: "requested"; readonly session: Session; readonly item: number; readonly dueMs: number }
  | { readonly kind: "approved"; readonly session: Session }
  | { readonly kind: "unreported"; readonly session: Session; readonly dueMs: number };

/** Cashless device #1 (MDB/ICP 4.2, 7.1). */
const ADDRESS = "0x10";

export type Vmc = {
  readonly settings: VmcSettings;
  readonly coils: readonly Coil[];
  readonly faults: Faults;
  readonly reader: Reader;
  /** Where the reader's adapter listens on the bus; it forgets with its power. */
  readonly address: string;
  /** The one motor that turns. It knows nothing of the reader. */
  readonly turning:
    | {
        readonly item: number;
        readonly forCash: boolean;
        readonly resetMs: number;
        readonly endMs: number;
      }
    | undefined;
  readonly notice: { readonly text: string; readonly dueMs: number } | undefined;
};

export type Event = { readonly nowMs: number } & (
  | { readonly kind: "command"; readonly command: Command }
  | { readonly kind: "lineLost" }
  | { readonly kind: "select"; readonly item: number }
  /** The price of an item in coins, and its key. */
  | { readonly kind: "coins"; readonly item: number }
  | { readonly kind: "cancel" }
  | { readonly kind: "faults"; readonly asked: FaultsAsked }
  | { readonly kind: "tick" }
);
/** Why a selection led to no VEND REQUEST. */
export type Refused = "NO_SUCH_ITEM" | "OUT_OF_ORDER" | "SOLD_OUT" | "BUSY" | "NO_SESSION";
export type Effect =
  | { readonly kind: "say"; readonly word: Word }
  | { readonly kind: "turns" | "falls" | "jams"; readonly item: number }
  | { readonly kind: "refused"; readonly reason: Refused };
export type Step = readonly [next: Vmc, effects: readonly Effect[]];

export function newVmc(
  settings: VmcSettings,
  coils: readonly Omit<Coil, "fallen" | "forCash">[],
  faults: Faults,
): Vmc {
  return {
    settings,
    coils: coils.map((coil) => ({ ...coil, fallen: 0, forCash: 0 })),
    faults,
    reader: { kind: "off" },
    address: ADDRESS,
    turning: undefined,
    notice: undefined,
  };
}

export function step(vmc: Vmc, event: Event): Step {
  const [current, before] = catchUp(vmc, event.nowMs);
  const [next, after] = happen(current, event);
  return [next, [...before, ...after]];
}

/** When time alone will next change something. */
export function nextDueMs(vmc: Vmc): number | undefined {
  return nextTimer(vmc)?.dueMs;
}

// ---- what happens ---------------------------------------------------------------------------------------------------

function happen(vmc: Vmc, event: Event): Step {
  switch (event.kind) {
    case "command":
      return obey(vmc, event.command, event.nowMs);
    case "lineLost":
      return to({ ...vmc, address: ADDRESS }, { kind: "off" }); // the adapter lives on the controller's USB: to the VMC the reader is dead
    case "select":
      return select(vmc, event.item, event.nowMs);
    case "coins":
      return sellForCash(vmc, event.item, event.nowMs);
    case "cancel":
      return pullLever(vmc);
    case "faults": {
      const next = { ...vmc, faults: withFaults(vmc.faults, event.asked) };
      const speaksAgain = vmc.faults.vmcSilent && !next.faults.vmcSilent; // as after its own power-up
      const { vmcReset, resetLoop, neverEnables } = event.asked;
      const mayEnable = vmc.faults.neverEnables && !next.faults.neverEnables;
      return vmcReset === true || resetLoop === true || neverEnables === true || mayEnable || speaksAgain
        ? reset(next, event.nowMs)
        : [next, []];
    }
    case "tick":
      return [vmc, []];
  }
}

/** The adapter's half: a command is carried out in the state it belongs to and refused in any other. */
function obey(vmc: Vmc, command: Command, nowMs: number): Step {
  const { reader } = vmc;
  const refuse = (why: Word): Step => to(vmc, reader, reader.kind === "off" ? word("isOff") : why);
  switch (command.kind) {
    case "blank":
      return [vmc, []];
    case "version":
      return to(vmc, reader, word("version"));
    case "sniffOff":
      return to(vmc, reader, word("sniffOff"));
    case "unknown":
      return to(vmc, reader, { kind: "unknown", text: command.text });
    case "off":
      return to(vmc, { kind: "off" }, word("off"));
    case "on":
      if (reader.kind !== "off") return refuse(word("isOn"));
      return to(vmc, setUp(vmc, nowMs), word("on"), word("inactive"));
    case "configure":
      return to(vmc, reader, reader.kind === "off" ? word("configured") : word("isOn"));
    case "address":
      if (reader.kind !== "off") return to(vmc, reader, word("isOn"));
      return to({ ...vmc, address: command.value }, reader, word("configured"));
    case "badPrice":
      return refuse(word("badPrice"));
    case "start":
      if (reader.kind !== "enabled") return refuse(word("cannotStart"));
      if (vmc.faults.vmcSilent) return [vmc, []]; // taken, and never polled for
      return begin(vmc, command.funds, nowMs);
    case "stop":
      if (reader.kind !== "session") return refuse(word("cannotStop"));
      if (vmc.faults.vmcSilent) return [vmc, []];
      return to(vmc, { kind: "enabled" }, word("enabled"));
    case "display":
      if (reader.kind !== "enabled") return refuse(word("cannotDisplay"));
      return vmc.faults.vmcSilent ? [vmc, []] : [notify(vmc, command.text, nowMs), []];
    case "deny":
      if (reader.kind !== "requested") return refuse(word("cannotVend"));
      if (vmc.faults.vmcSilent) return [vmc, []];
      // Nobody's session, of a selection that came first, ends with it.
      if (reader.session.funds === "") return to(vmc, { kind: "enabled" }, word("enabled"));
      return idle(vmc, reader.session, nowMs);
    case "approve":
      if (reader.kind !== "requested") return refuse(word("cannotVend"));
      if (vmc.faults.vmcSilent) return [vmc, []];
      return turn(
        { ...vmc, reader: { kind: "approved", session: reader.session } },
        reader.item,
        false,
        nowMs,
      );
  }
}

function begin(vmc: Vmc, funds: string, nowMs: number): Step {
  return idle(vmc, { funds, creditMinor: decimalToMinor(funds, vmc.settings.decimals) ?? null }, nowMs);
}

function idle(vmc: Vmc, session: Session, nowMs: number): Step {
  const dueMs = nowMs + vmc.settings.sessionIdleMs;
  return to(vmc, { kind: "session", session, dueMs }, { kind: "idle", funds: session.funds });
}

function turn(vmc: Vmc, item: number, forCash: boolean, nowMs: number): Step {
  const takesMs = vmc.faults.slowCoilMs > 0 ? vmc.faults.slowCoilMs : vmc.settings.coilMs;
  const turning = { item, forCash, resetMs: nowMs + takesMs / 2, endMs: nowMs + takesMs };
  return [{ ...vmc, turning }, [{ kind: "turns", item }]];
}

/** The customer's half: a key for an item. */
function select(vmc: Vmc, item: number, nowMs: number): Step {
  const { settings } = vmc;
  const coil = offered(vmc, item, nowMs);
  if ("refused" in coil) return coil.refused;
  const price = minorToDecimal(coil.priceMinor, settings.decimals);
  const session = sessionFor(vmc);
  if (session === undefined) return refuse(vmc, "NO_SESSION", `PRICE ${price}`, nowMs);
  return to(
    { ...vmc, notice: undefined },
    { kind: "requested", session, item, dueMs: nowMs + settings.answerMs },
    {
      kind: "requested",
      price: vmc.faults.priceTimesTen ? minorToDecimal(coil.priceMinor * 10, settings.decimals) : price,
      item,
    },
  );
}

/** The item's coil, or why there is none to be had now. */
function offered(vmc: Vmc, item: number, nowMs: number): Coil | { readonly refused: Step } {
  const no = (reason: Refused, text: string) => ({ refused: refuse(vmc, reason, text, nowMs) });
  const coil = vmc.coils.find((one) => one.item === item);
  if (coil === undefined) return no("NO_SUCH_ITEM", "NO SUCH ITEM");
  if (vmc.faults.vmcSilent) return no("OUT_OF_ORDER", "OUT OF ORDER");
  if (coil.stock === 0) return no("SOLD_OUT", "SOLD OUT"); // the VMC itself refuses: no VEND REQUEST
  if (vmc.turning !== undefined || isVend(vmc.reader)) return no("BUSY", "PLEASE WAIT");
  return coil;
}

/** No reader has a part in it, and none is asked while one has a customer. */
function sellForCash(vmc: Vmc, item: number, nowMs: number): Step {
  const coil = offered(vmc, item, nowMs);
  if ("refused" in coil) return coil.refused;
  if (vmc.reader.kind === "session") return refuse(vmc, "BUSY", "PLEASE WAIT", nowMs);
  return turn(vmc, item, true, nowMs);
}

const refuse = (vmc: Vmc, reason: Refused, text: string, nowMs: number): Step => [
  notify(vmc, text, nowMs),
  [{ kind: "refused", reason }],
];

function sessionFor({ reader, settings }: Vmc): Session | undefined {
  if (reader.kind === "session") return reader.session;
  return reader.kind === "enabled" && settings.selectsFirst ? { funds: "", creditMinor: null } : undefined;
}

/** The coin-return lever. MDB/ICP 4.2, 7.3.2: it ends a session, takes back a request, and does nothing else. */
function pullLever(vmc: Vmc): Step {
  if (vmc.faults.vmcSilent) return [vmc, []];
  if (vmc.reader.kind === "session") return to(vmc, { kind: "enabled" }, word("enabled"));
  if (vmc.reader.kind === "requested")
    return to(vmc, { kind: "enabled" }, word("cancelled"), word("enabled"));
  return [vmc, []];
}

/** The VMC starts again: the reader hears RESET and is set up anew. A motor that turns goes on turning. */
function reset(vmc: Vmc, nowMs: number): Step {
  const { reader } = vmc;
  if (vmc.faults.vmcSilent || reader.kind === "off") return [vmc, []];
  const words = isVend(reader) ? [word("reset"), word("inactive")] : [word("inactive")];
  return to(vmc, setUp(vmc, nowMs), ...words);
}

// ---- what time does -------------------------------------------------------------------------------------------------

type Timer = { readonly dueMs: number; readonly act: (vmc: Vmc, nowMs: number) => Step };

function nextTimer({ reader, turning, notice, faults }: Vmc): Timer | undefined {
  const timers: Timer[] = [];
  if (turning !== undefined) {
    timers.push({ dueMs: turning.endMs, act: stopTurning });
    if (faults.vmcReset && reader.kind === "approved" && !faults.vmcSilent)
      timers.push({ dueMs: turning.resetMs, act: reset });
  }
  if ("dueMs" in reader && reader.dueMs !== undefined && !faults.vmcSilent)
    timers.push({ dueMs: reader.dueMs, act: moveOn });
  if (notice !== undefined)
    timers.push({ dueMs: notice.dueMs, act: (vmc) => [{ ...vmc, notice: undefined }, []] });
  const [first, ...others] = timers;
  return first && others.reduce((next, timer) => (timer.dueMs < next.dueMs ? timer : next), first);
}

/** Each timer takes itself out of the state it acts on, so this ends. */
function catchUp(vmc: Vmc, nowMs: number): Step {
  const effects: Effect[] = [];
  let current = vmc;
  for (
    let timer = nextTimer(current);
    timer !== undefined && timer.dueMs <= nowMs;
    timer = nextTimer(current)
  ) {
    const [next, more] = timer.act(current, timer.dueMs);
    current = next;
    effects.push(...more);
  }
  return [current, effects];
}

/** The motor is at its end, the drop sensor knows, and the VMC says so if a reader still waits for it. */
function stopTurning(vmc: Vmc, nowMs: number): Step {
  const { faults, reader, turning } = vmc;
  if (turning === undefined) return [vmc, []];
  const { item } = turning;
  const drop = (coil: Coil): Coil => ({
    ...coil,
    stock: coil.stock - 1,
    fallen: coil.fallen + 1,
    forCash: coil.forCash + (turning.forCash ? 1 : 0),
  });
  const coils = faults.jam ? vmc.coils : vmc.coils.map((coil) => (coil.item === item ? drop(coil) : coil));
  const still: Vmc = { ...vmc, coils, turning: undefined };
  const seen: Effect = { kind: faults.jam ? "jams" : "falls", item };
  if (reader.kind !== "approved" || faults.vmcSilent) return [still, [seen]]; // nobody is left to hear of it
  const [next, said] = report(still, reader.session, nowMs);
  return [next, [seen, ...said]];
}

/** After each vend the VMC ends the session (SESSION COMPLETE), however the vend ended. */
function report(vmc: Vmc, session: Session, nowMs: number): Step {
  const { faults, settings } = vmc;
  if (faults.noReport) return to(vmc, { kind: "unreported", session, dueMs: nowMs + settings.lateEnableMs });
  if (faults.jam)
    return to(notify(vmc, "VEND FAILED", nowMs), { kind: "enabled" }, word("failed"), word("enabled"));
  const results = faults.duplicateReport ? [word("succeeded"), word("succeeded")] : [word("succeeded")];
  return to(notify(vmc, "THANK YOU", nowMs), { kind: "enabled" }, ...results, word("enabled"));
}

/** What the VMC does with a reader when its patience, or the set-up's next step, is due. */
function moveOn(vmc: Vmc, nowMs: number): Step {
  switch (vmc.reader.kind) {
    case "inactive":
      return to(vmc, { kind: "disabled", dueMs: nowMs + vmc.settings.setupMs }, word("disabled"));
    case "requested": // measured on a real machine: VEND FAILURE, then SESSION COMPLETE, 60 s after the request
      return to(notify(vmc, "TIME OUT", nowMs), { kind: "enabled" }, word("failed"), word("enabled"));
    case "disabled":
      if (vmc.faults.resetLoop) return reset(vmc, nowMs);
      if (vmc.faults.neverEnables) return to(vmc, { kind: "disabled", dueMs: undefined });
      return to(vmc, { kind: "enabled" }, word("enabled"));
    case "session":
    case "unreported":
      return to(vmc, { kind: "enabled" }, word("enabled"));
    case "off":
    case "enabled":
    case "approved":
      return [vmc, []]; // nothing is ever due in these
  }
}

// ---- what it looks like ---------------------------------------------------------------------------------------------

export type VmcWord = "off" | "inactive" | "disabled" | "enabled" | "session" | "vend" | "silent";

export function wordOf({ reader, faults }: Vmc): VmcWord {
  if (faults.vmcSilent) return "silent";
  return reader.kind === "requested" || reader.kind === "approved" || reader.kind === "unreported"
    ? "vend"
    : reader.kind;
}

/** The session's credit in minor units, as far as the machine was told one. */
export function creditOf({ reader, faults }: Vmc): number | null {
  return "session" in reader && !faults.vmcSilent ? reader.session.creditMinor : null;
}

/** What the machine's display shows. */
export function displayOf(vmc: Vmc): string {
  if (vmc.notice !== undefined) return vmc.notice.text;
  if (vmc.turning !== undefined) return "VENDING";
  const credit = creditOf(vmc);
  switch (wordOf(vmc)) {
    case "off":
    case "inactive":
    case "disabled":
    case "silent":
      return "OUT OF ORDER";
    case "enabled":
      return "READY";
    case "session":
      return credit === null ? "SELECT ITEM" : `CREDIT ${minorToDecimal(credit, vmc.settings.decimals)}`;
    case "vend":
      return "PLEASE WAIT";
  }
}

// ---- small parts ----------------------------------------------------------------------------------------------------

/** How a set-up begins. A reader at another address than the VMC's waits for ever. */
const setUp = ({ address, settings }: Vmc, nowMs: number): Reader => ({
  kind: "inactive",
  dueMs: address === (settings.address ?? ADDRESS) ? nowMs + settings.setupMs : undefined,
});

/** In MDB's Vend state: asked for, approved, or done and not yet said. */
const isVend = ({ kind }: Reader): boolean =>
  kind === "requested" || kind === "approved" || kind === "unreported";

const to = (vmc: Vmc, reader: Reader, ...words: readonly Word[]): Step => [
  { ...vmc, reader },
  words.map((said) => ({ kind: "say", word: said })),
];

const notify = (vmc: Vmc, text: string, nowMs: number): Vmc => ({
  ...vmc,
  notice: { text, dueMs: nowMs + vmc.settings.noticeMs },
});
