/**
 * The sale at the machine: grant, go, session, vend, result. Pure.
 *
 * Owns      the one sale a machine can hold, and the numbers of the journal's entries.
 * Promises  an approval is asked for only under a grant that had its own `go` (bound to this journal and the entry that
 *           accepted it), that covers the price and is for the item, if it names items; at most `maxVends` times; and after its journal entry in the list of
 *           effects. Every `accepted` ends in exactly one `lapsed` or `closed`, every `approved` in one result. A selection
 *           that came before any credit waits for a grant of its own, and for no other, until it is approved or denied.
 * Never     resumes after a restart, guesses a result, or believes a wall clock: `nowMs` is monotonic.
 * Crash     `boot` ends whatever was held, from the durable state alone (system.md, 5.1).
 *
 * A reservation leaves nothing behind: the cloud holds at most one sale a machine, so the answer to "can you?" is all
 * there is to it, and the grant asks again.
 */
import { SUSPENDED_MS } from "../../broker/protocol/machine-configuration.js";
import type { Body, JournalLine } from "../../broker/protocol/messages.js";
import type { Ask, MdbState, Said } from "../mdb/driver.js";
import { ITEM_UNDEFINED } from "../mdb/driver.js";
import type { Durable, Vend } from "./durable.js";

type Grant = Body["grant"];
type Decision = Body["go"];
type Held =
  | { readonly kind: "none" }
  /** Nothing is promised: the customer has chosen, and is asked to pay. */
  | { readonly kind: "selected"; readonly selection: Selection }
  | {
      readonly kind: "accepted";
      readonly grant: Grant;
      readonly entry: number;
      readonly goByMs: number;
      /** What the grant was asked for; without one the customer chooses under the credit. */
      readonly selection?: Selection | undefined;
    }
  | ({ readonly kind: "open" } & Session)
  | ({
      readonly kind: "approved";
      readonly vend: Vend;
      readonly resultByMs: number;
      readonly voided: boolean;
    } & Session);
type Session = {
  readonly grant: Grant;
  readonly entry: number; // of `accepted`: what go and void answer
  readonly endsMs: number;
  readonly creditMinor: number; // what is left
  readonly vends: number; // approved so far
};
/** `request`: the driver's number of the machine's VEND REQUEST. */
type Selection = {
  readonly requestId: string;
  readonly request: number;
  readonly item: number;
  readonly priceMinor: number;
  readonly untilMs: number;
  /** Until somebody is asked to pay. */
  readonly answerByMs: number;
};
type Open = Extract<Held, { kind: "open" }>;
type Approved = Extract<Held, { kind: "approved" }>;
type Accepted = Extract<Held, { kind: "accepted" }>;

/** Why the machine cannot sell though its bus is fine. */
export type Trouble = "" | "journalFull" | "journalFailed";
/** `selectionMs`: how long a selection waits to be paid for, which must be less than the machine's own patience. */
export type Terms = {
  readonly currency: string;
  readonly vendResultMs: number;
  readonly selectionMs: number;
  /** After so many failures in a row an item is not sold for a while. */
  readonly suspendAfter: number;
  /** Fewer than a grant may say. */
  readonly maxVends?: number;
};

export type Sale = {
  readonly terms: Terms;
  readonly journal: { readonly id: string; readonly last: number };
  readonly mdb: MdbState;
  readonly trouble: Trouble;
  /** Somebody is about to stop the controller. */
  readonly paused: boolean;
  readonly held: Held;
  readonly past: Durable["past"];
  readonly alarmedMs: ReadonlyMap<string, number>;
  /** How often an item has failed since it last came out, and when it last did; forgotten at a restart. */
  readonly failures: ReadonlyMap<number, { readonly times: number; readonly lastMs: number }>;
};

export type SaleEvent = { readonly nowMs: number } & (
  | { readonly kind: "reserve"; readonly reserve: Body["reserve"] }
  | { readonly kind: "grant"; readonly grant: Grant }
  | { readonly kind: "go" | "void"; readonly decision: Decision }
  /** `requestId`: for the question a selection may become; without one there is nobody to ask, or nothing to ask with. */
  | { readonly kind: "said"; readonly said: Said; readonly requestId?: string | undefined }
  /** What is to become of a selection: somebody is asked to pay for it, or nobody will. */
  | { readonly kind: "answered"; readonly requestId: string; readonly isPayable: boolean }
  | { readonly kind: "alarm"; readonly code: string; readonly detail: string }
  /** The machine's own counters were read, with nothing held. */
  | { readonly kind: "audited"; readonly line: Extract<JournalLine, { kind: "audit" }> }
  | { readonly kind: "trouble"; readonly trouble: Trouble }
  /** Between two sales, both. */
  | { readonly kind: "terms"; readonly terms: Terms }
  | { readonly kind: "paused"; readonly paused: boolean }
  | { readonly kind: "tick" }
);

export type Entry = { readonly n: number; readonly line: JournalLine };
export type SaleEffect =
  /** One transaction; nothing after it in the list may happen before it is on disk. */
  | { readonly kind: "journal"; readonly entries: readonly Entry[]; readonly durable: Durable }
  | { readonly kind: "ask"; readonly ask: Ask }
  | { readonly kind: "reserved"; readonly reserved: Body["reserved"] }
  | { readonly kind: "selected"; readonly selection: Selection }
  /** A selection that nobody is to pay for any more. */
  | { readonly kind: "withdrawn"; readonly requestId: string }
  | { readonly kind: "ignored"; readonly state: Held["kind"]; readonly event: string };
export type SaleStep = readonly [next: Sale, effects: readonly SaleEffect[]];

/** How long the backend may take to say what is to be paid. */
export const ANSWER_MS = 15_000;
export const ALARM_EVERY_MS = 60_000; // a broken adapter must not fill the journal
const NONE: Held = { kind: "none" };

/** Starts from what the journal kept. Nothing is taken up again: what was held is over, and said to be. */
export function boot(
  durable: Durable,
  journal: { readonly id: string; readonly last: number },
  terms: Terms,
): SaleStep {
  const { held, past } = durable;
  const sale: Sale = {
    terms,
    journal,
    mdb: "lost",
    trouble: "",
    paused: false,
    held: NONE,
    past,
    alarmedMs: new Map(),
    failures: new Map(),
  };
  switch (held.kind) {
    case "none":
      return [sale, []];
    case "accepted":
      return lapse(sale, held.grantId, "boot");
    case "open":
      return commit(sale, { held: NONE, lines: [{ kind: "closed", grantId: held.grantId, reason: "boot" }] });
    case "approved":
      return commit(sale, {
        held: NONE,
        past: { vend: held.vend, known: false },
        lines: [
          { kind: "unknown", ...held.vend, reason: "boot" },
          { kind: "closed", grantId: held.grantId, reason: "unknown" },
        ],
      });
  }
}

export function step(sale: Sale, event: SaleEvent): SaleStep {
  if (!NEEDS_DISK[event.kind] || event.nowMs < (dueMs(sale) ?? Infinity)) return act(sale, event);
  const [expired, first] = expire(sale, event.nowMs);
  const [next, second] = act(expired, event);
  return [next, inOneTransaction(first, second)];
}

/** The others work while it is broken. */
// prettier-ignore
const NEEDS_DISK: Readonly<Record<SaleEvent["kind"], boolean>> = {
  grant: true, go: true, void: true, said: true, alarm: true, audited: true, tick: true,
  reserve: false, answered: false, trouble: false, terms: false, paused: false,
};

/** When the state wants its next tick. */
export function dueMs({ held }: Sale): number | undefined {
  switch (held.kind) {
    case "none":
      return undefined;
    case "selected":
      return Math.min(held.selection.untilMs, held.selection.answerByMs);
    case "accepted":
      return Math.min(held.goByMs, held.selection?.untilMs ?? Infinity);
    case "open":
      return held.endsMs;
    case "approved":
      return held.resultByMs;
  }
}

/** What the status says of it: the reason is a code, "" while the machine can sell. */
export function selling({ trouble, paused, mdb }: Pick<Sale, "trouble" | "paused" | "mdb">): {
  readonly canSell: boolean;
  readonly reason: string;
} {
  const reason = trouble !== "" ? trouble : paused ? "updating" : outOfService[mdb];
  return { canSell: reason === "", reason };
}

// prettier-ignore
const outOfService: Readonly<Record<MdbState, string>> = {
  lost: "serialLost", off: "adapterOff", inactive: "mdbInactive", disabled: "mdbDisabled",
  enabled: "", session: "", vend: "",
};

/** Between two sales, as far as the machine knows: nothing is held, and the bus has closed the last session. */
export const isFree = ({ held, mdb }: Sale): boolean =>
  held.kind === "none" && mdb !== "session" && mdb !== "vend";

/**
 * Busy ends by itself; out of service needs someone. Between two sessions the bus is still closing the last one. A selection
 * that waits is there for whoever pays for it, and for nobody else.
 */
function refusal(
  sale: Sale,
  requestId: string | undefined,
): "busy" | "outOfService" | "withdrawn" | undefined {
  const { held, mdb } = sale;
  if (!selling(sale).canSell) return "outOfService";
  if (requestId === undefined) return held.kind !== "none" || mdb !== "enabled" ? "busy" : undefined;
  return held.kind === "selected" && held.selection.requestId === requestId ? undefined : "withdrawn";
}

function act(sale: Sale, event: SaleEvent): SaleStep {
  switch (event.kind) {
    case "tick":
      return [sale, []];
    case "reserve":
      return [sale, [{ kind: "reserved", reserved: onReserve(sale, event.reserve) }]];
    case "grant":
      return onGrant(sale, event.grant, event.nowMs);
    case "go":
      return onGo(sale, event.decision, event.nowMs);
    case "void":
      return onVoid(sale, event.decision);
    case "said":
      return onSaid(sale, event.said, event.requestId, event.nowMs);
    case "answered":
      return onAnswered(sale, event);
    case "alarm":
      return alarm(sale, event.code, event.detail, event.nowMs);
    case "audited":
      if (sale.held.kind !== "none" || sale.trouble !== "") return ignore(sale, event.kind);
      return commit(sale, { held: sale.held, lines: [event.line] });
    case "trouble":
      return onTrouble({ ...sale, trouble: event.trouble });
    case "terms":
      return [{ ...sale, terms: event.terms }, []];
    case "paused":
      return [{ ...sale, paused: event.paused }, []];
  }
}

function onReserve(sale: Sale, { reservationId, requestId }: Body["reserve"]): Body["reserved"] {
  const reason = refusal(sale, requestId);
  if (reason === undefined) return { reservationId, ok: true };
  return { reservationId, ok: false, reason: reason === "withdrawn" ? "busy" : reason };
}

function onGrant(sale: Sale, grant: Grant, nowMs: number): SaleStep {
  const { held } = sale;
  const { grantId, requestId } = grant;
  if ("grant" in held && held.grant.grantId === grantId) return ignore(sale, "grant"); // delivered again
  const reason = grant.currency === sale.terms.currency ? refusal(sale, requestId) : "currency";
  if (reason !== undefined) return commit(sale, { held, lines: [{ kind: "refused", grantId, reason }] });
  const selection = held.kind === "selected" ? held.selection : undefined;
  return commit(sale, {
    held: { kind: "accepted", grant, entry: sale.journal.last + 1, goByMs: nowMs + grant.goMs, selection },
    lines: [{ kind: "accepted", grantId }],
  });
}

function onGo(sale: Sale, decision: Decision, nowMs: number): SaleStep {
  const { held } = sale;
  if (held.kind !== "accepted" || !answers(sale, held, decision)) return ignore(sale, "go");
  const { grant, entry, selection } = held;
  if (sale.mdb !== (selection === undefined ? "enabled" : "vend") || sale.trouble !== "")
    return letGo(sale, held, "notReady");
  const session = { grant, entry, endsMs: nowMs + grant.sessionMs, creditMinor: grant.amountMinor, vends: 0 };
  const opened: JournalLine = { kind: "opened", grantId: grant.grantId };
  // A word about an older vend would from here on be taken for this session's.
  if (selection === undefined)
    return commit(sale, {
      held: { kind: "open", ...session },
      past: null,
      lines: [opened],
      asks: [{ kind: "openSession", amountMinor: grant.amountMinor }],
    });
  const { request, item, priceMinor } = selection;
  if (priceMinor > grant.amountMinor || !isGranted(grant, item)) return letGo(sale, held, "notReady");
  const vend: Vend = { grantId: grant.grantId, vend: 1, item, priceMinor };
  return commit(sale, {
    held: approved(sale, session, vend, nowMs),
    past: null,
    lines: [opened, { kind: "approved", ...vend }],
    asks: [{ kind: "approve", request }],
  });
}

function onVoid(sale: Sale, decision: Decision): SaleStep {
  const { held } = sale;
  if (!("grant" in held) || !answers(sale, held, decision)) return ignore(sale, "void");
  switch (held.kind) {
    case "accepted":
      return letGo(sale, held, "void");
    case "open":
      return close(sale, held, "void");
    case "approved":
      return [{ ...sale, held: { ...held, voided: true } }, []]; // a vend under way runs to its end first
  }
}

/** An old decision can never open or close anything: it names the journal and the very entry it answers. */
const answers = (
  { journal }: Sale,
  held: Extract<Held, { grant: Grant }>,
  { grantId, journal: id, entry }: Decision,
): boolean => held.grant.grantId === grantId && journal.id === id && held.entry === entry;

function onSaid(sale: Sale, said: Said, requestId: string | undefined, nowMs: number): SaleStep {
  const { held } = sale;
  const selection = "selection" in held ? held.selection : undefined;
  if (selection !== undefined && endsSelection.has(said.kind)) return selectionEnded(sale, selection);
  switch (said.kind) {
    case "mdb":
      return [{ ...sale, mdb: said.mdb }, []];
    case "opened":
      // The sale ended while the session was being opened: nobody is there to use it.
      return "endsMs" in held ? [sale, []] : [sale, [closeSession]];
    case "notOpened":
      return held.kind === "open" ? close(sale, held, "notOpened", []) : ignore(sale, said.kind);
    case "vendRequested":
      return onVendRequested(sale, said, requestId, nowMs);
    case "vendSucceeded":
      return onSucceeded(sale, nowMs);
    case "vendFailed":
      return onNotVended(
        held.kind === "approved" ? remembering(sale, held.vend, false, nowMs) : sale,
        "failed",
        said.kind,
      );
    case "vendCancelled":
      return onNotVended(sale, "ended", said.kind);
    case "cashSale":
      // A full journal has no room for what is only counted; the machine's own counters have it too.
      if (sale.trouble !== "") return ignore(sale, said.kind);
      return commit(sale, { held, lines: [said] });
    case "reset":
      // MDB/ICP 7.4.7: a reset after the approval counts as sold; before it, nothing was.
      if (held.kind === "approved") {
        const { vend } = held;
        return commit(sale, {
          held: NONE,
          past: { vend, known: true },
          lines: [
            { kind: "succeeded", ...vend, assumed: true, late: false },
            { kind: "closed", grantId: vend.grantId, reason: "done" },
          ],
        });
      }
      return held.kind === "open" ? close(sale, held, "ended", []) : ignore(sale, said.kind);
    case "sessionEnded":
    case "lost":
      if (held.kind === "approved") return unknown(sale, held, said.kind === "lost" ? "serial" : "ended", []);
      return held.kind === "open" ? close(sale, held, "ended", []) : ignore(sale, said.kind);
  }
}

function onVendRequested(
  sale: Sale,
  { request, item, priceMinor = 0 }: Extract<Said, { kind: "vendRequested" }>,
  requestId: string | undefined,
  nowMs: number,
): SaleStep {
  const { held } = sale;
  if (held.kind !== "open") {
    if ("selection" in held && held.selection?.request === request) return ignore(sale, "vendRequested"); // said twice
    const isSold =
      held.kind === "none" &&
      requestId !== undefined &&
      priceMinor > 0 &&
      selling(sale).canSell &&
      !isSuspended(sale, item, nowMs);
    if (!isSold) return [sale, [deny({ request })]];
    const untilMs = nowMs + sale.terms.selectionMs;
    const selection = { requestId, request, item, priceMinor, untilMs, answerByMs: nowMs + ANSWER_MS };
    return [{ ...sale, held: { kind: "selected", selection } }, [{ kind: "selected", selection }]];
  }
  const { grantId } = held.grant;
  const reason = denial(sale, held, { item, priceMinor }, nowMs);
  if (reason !== undefined)
    return commit(sale, {
      held,
      lines: [{ kind: "denied", grantId, item, priceMinor, reason }],
      asks: [{ kind: "deny", request }],
    });
  const vends = held.vends + 1;
  const vend: Vend = { grantId, vend: vends, item, priceMinor };
  return commit(sale, {
    held: approved(sale, { ...held, vends }, vend, nowMs),
    lines: [{ kind: "approved", ...vend }],
    asks: [{ kind: "approve", request }],
  });
}

/** While the journal cannot be written nothing could be approved: whoever has chosen is not left waiting. */
function onTrouble(sale: Sale): SaleStep {
  const { held, trouble } = sale;
  if (trouble === "" || held.kind !== "selected") return [sale, []];
  return withdraw(sale, held.selection, [deny(held.selection)]);
}

function denial(
  sale: Sale,
  { grant, creditMinor }: Open,
  asked: { readonly item: number; readonly priceMinor: number },
  nowMs: number,
): Extract<JournalLine, { kind: "denied" }>["reason"] | undefined {
  if (!isGranted(grant, asked.item)) return "notGranted";
  if (asked.priceMinor === 0) return "badPrice";
  if (asked.priceMinor > creditMinor) return "aboveCredit";
  return isSuspended(sale, asked.item, nowMs) ? "suspended" : undefined;
}

const isGranted = ({ items }: Grant, item: number): boolean => items === undefined || items.includes(item);

function isSuspended({ failures, terms }: Sale, item: number, nowMs: number): boolean {
  const known = failures.get(item);
  return known !== undefined && known.times >= terms.suspendAfter && nowMs < known.lastMs + SUSPENDED_MS;
}

/** The same sale, that remembers how this vend ended. */
function remembering(sale: Sale, { item }: Vend, fell: boolean, nowMs: number): Sale {
  if (item === ITEM_UNDEFINED) return sale; // the machine does not say which: nobody knows what to suspend
  const failures = new Map(sale.failures);
  if (fell) failures.delete(item);
  else failures.set(item, { times: (failures.get(item)?.times ?? 0) + 1, lastMs: nowMs });
  return { ...sale, failures };
}

function onAnswered(
  sale: Sale,
  { requestId, isPayable, kind }: Extract<SaleEvent, { kind: "answered" }>,
): SaleStep {
  const { held } = sale;
  if (held.kind !== "selected" || held.selection.requestId !== requestId) return ignore(sale, kind);
  const { selection } = held;
  if (!isPayable) return withdraw(sale, selection, [deny(selection)]);
  return [{ ...sale, held: { kind: "selected", selection: { ...selection, answerByMs: Infinity } } }, []];
}

function onSucceeded(sale: Sale, nowMs: number): SaleStep {
  const { held, past } = sale;
  if (held.kind === "approved") return sold(remembering(sale, held.vend, true, nowMs), held, nowMs);
  if (past === null) return alarm(sale, "orphanSuccess", "a vend was reported that nobody asked for", nowMs);
  if (past.known) return ignore(sale, "vendSucceeded"); // said twice
  return commit(sale, {
    held,
    past: { ...past, known: true },
    lines: [{ kind: "succeeded", ...past.vend, assumed: false, late: true }],
  });
}

function sold(sale: Sale, held: Approved, nowMs: number): SaleStep {
  const { vend, grant, entry, endsMs, vends, voided } = held;
  const { grantId } = vend;
  const creditMinor = held.creditMinor - vend.priceMinor;
  const past = { vend, known: true };
  const succeeded: JournalLine = { kind: "succeeded", ...vend, assumed: false, late: false };
  if (
    vends < Math.min(grant.maxVends, sale.terms.maxVends ?? Infinity) &&
    creditMinor > 0 &&
    !voided &&
    nowMs < endsMs
  ) {
    const open: Open = { kind: "open", grant, entry, endsMs, creditMinor, vends };
    return commit(sale, { held: open, past, lines: [succeeded] });
  }
  return commit(sale, {
    held: NONE,
    past,
    lines: [succeeded, { kind: "closed", grantId, reason: "done" }],
    asks: [{ kind: "closeSession" }],
  });
}

/** Nothing fell: the VMC said so, or our approval never took hold. */
function onNotVended(sale: Sale, reason: "failed" | "ended", event: string): SaleStep {
  const { held, past } = sale;
  if (held.kind === "approved") {
    const { vend } = held;
    return commit(sale, {
      held: NONE,
      past: { vend, known: true },
      lines: [
        { kind: "failed", ...vend, late: false },
        { kind: "closed", grantId: vend.grantId, reason },
      ],
      asks: [{ kind: "closeSession" }],
    });
  }
  if (past === null || past.known) return ignore(sale, event);
  return commit(sale, {
    held,
    past: { ...past, known: true },
    lines: [{ kind: "failed", ...past.vend, late: true }],
  });
}

/** What is due has run out. */
function expire(sale: Sale, nowMs: number): SaleStep {
  const { held } = sale;
  switch (held.kind) {
    case "none":
      return [sale, []];
    case "selected":
      return withdraw(sale, held.selection, [deny(held.selection)]);
    case "accepted":
      return letGo(sale, held, nowMs >= held.goByMs ? "noGo" : "withdrawn");
    case "open":
      return close(sale, held, "timeout");
    case "approved":
      return unknown(sale, held, "timeout", [{ kind: "closeSession" }]);
  }
}

type CloseReason = Extract<JournalLine, { kind: "closed" }>["reason"];
type LapseReason = Extract<JournalLine, { kind: "lapsed" }>["reason"];
type UnknownReason = Extract<JournalLine, { kind: "unknown" }>["reason"];

const lapse = (sale: Sale, grantId: string, reason: LapseReason): SaleStep =>
  commit(sale, { held: NONE, lines: [{ kind: "lapsed", grantId, reason }] });

/** A grant that comes to nothing, and what it was asked for with it. */
function letGo(sale: Sale, { grant, selection }: Accepted, reason: LapseReason): SaleStep {
  const lapsed = lapse(sale, grant.grantId, reason);
  if (selection === undefined) return lapsed;
  return withMore(lapsed, [deny(selection), { kind: "withdrawn", requestId: selection.requestId }]);
}

/** The machine itself has ended the request: nothing is left to be denied. */
function selectionEnded(sale: Sale, selection: Selection): SaleStep {
  if (sale.held.kind !== "accepted") return withdraw(sale, selection, []);
  return withMore(lapse(sale, sale.held.grant.grantId, "withdrawn"), [
    { kind: "withdrawn", requestId: selection.requestId },
  ]);
}
const endsSelection: ReadonlySet<Said["kind"]> = new Set<Said["kind"]>([
  "vendCancelled",
  "sessionEnded",
  "reset",
  "lost",
]);

const withdraw = (sale: Sale, { requestId }: Selection, denying: readonly SaleEffect[]): SaleStep => [
  { ...sale, held: NONE },
  [...denying, { kind: "withdrawn", requestId }],
];

const approved = (sale: Sale, session: Session, vend: Vend, nowMs: number): Approved => ({
  ...session,
  kind: "approved",
  vend,
  vends: vend.vend,
  resultByMs: nowMs + sale.terms.vendResultMs,
  voided: false,
});

const close = (
  sale: Sale,
  { grant }: Open,
  reason: CloseReason,
  asks: readonly Ask[] = [{ kind: "closeSession" }],
): SaleStep =>
  commit(sale, { held: NONE, lines: [{ kind: "closed", grantId: grant.grantId, reason }], asks });

const unknown = (sale: Sale, { vend }: Approved, reason: UnknownReason, asks: readonly Ask[]): SaleStep =>
  commit(sale, {
    held: NONE,
    past: { vend, known: false },
    lines: [
      { kind: "unknown", ...vend, reason },
      { kind: "closed", grantId: vend.grantId, reason: "unknown" },
    ],
    asks,
  });

function alarm(sale: Sale, code: string, detail: string, nowMs: number): SaleStep {
  const lastMs = sale.alarmedMs.get(code) ?? -Infinity;
  if (sale.trouble !== "" || nowMs - lastMs < ALARM_EVERY_MS) return ignore(sale, `alarm ${code}`);
  const alarmed = { ...sale, alarmedMs: new Map([...sale.alarmedMs, [code, nowMs]]) };
  const line: JournalLine = { kind: "alarm", code: code.slice(0, 64), detail: detail.slice(0, 256) };
  return commit(alarmed, { held: sale.held, lines: [line] });
}

type Change = {
  readonly held: Held;
  readonly past?: Durable["past"];
  readonly lines: readonly JournalLine[];
  readonly asks?: readonly Ask[];
};

/** The one place where entries get their numbers, and where the durable state is told apart from the rest. */
function commit(sale: Sale, { held, past = sale.past, lines, asks = [] }: Change): SaleStep {
  const { id, last } = sale.journal;
  const entries = lines.map((line, index) => ({ n: last + 1 + index, line }));
  const next: Sale = { ...sale, journal: { id, last: last + lines.length }, held, past };
  return [
    next,
    [
      { kind: "journal", entries, durable: { held: keep(held), past } },
      ...asks.map((ask): SaleEffect => ({ kind: "ask", ask })),
    ],
  ];
}

function keep(held: Held): Durable["held"] {
  if (held.kind === "none" || held.kind === "selected") return { kind: "none" }; // a selection does not outlive a power cut
  const { entry, grant } = held;
  const of = { grantId: grant.grantId, entry };
  return held.kind === "approved" ? { kind: "approved", ...of, vend: held.vend } : { kind: held.kind, ...of };
}

/** Two commits of one step are one transaction: either all of the step is on disk or none of it. */
function inOneTransaction(
  first: readonly SaleEffect[],
  second: readonly SaleEffect[],
): readonly SaleEffect[] {
  const all = [...first, ...second];
  const journals = all.filter((effect) => effect.kind === "journal");
  const newest = journals.at(-1);
  if (newest === undefined) return all;
  const entries = journals.flatMap((journal) => journal.entries);
  return [{ ...newest, entries }, ...all.filter((effect) => effect.kind !== "journal")];
}

const withMore = ([next, effects]: SaleStep, more: readonly SaleEffect[]): SaleStep => [
  next,
  [...effects, ...more],
];
const deny = ({ request }: Pick<Selection, "request">): SaleEffect => ({
  kind: "ask",
  ask: { kind: "deny", request },
});
const closeSession: SaleEffect = { kind: "ask", ask: { kind: "closeSession" } };
const ignore = (sale: Sale, event: string): SaleStep => [
  sale,
  [{ kind: "ignored", state: sale.held.kind, event }],
];
