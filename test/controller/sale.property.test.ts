/**
 * Whatever is heard, in any order and at any time, with power cuts anywhere: an approval leaves only under a grant that
 * had its own `go` since the last boot, within its credit, its number of vends and its items, and is on disk before; every accepted
 * grant ends in exactly one `lapsed` or `closed`; every approved vend has exactly one first result, and at most one late
 * correction after `unknown`; entries are numbered without gaps. A selection that came first ends once, paid under a grant of
 * its own or withdrawn, and is denied unless the machine itself has ended it. A count is journaled with nothing held.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { JournalLine } from "../../broker/protocol/messages.js";
import type { Said } from "../../controller/mdb/driver.js";
import { NOTHING_HELD, type Durable } from "../../controller/sale/durable.js";
import {
  boot,
  step,
  type Entry,
  type Sale,
  type SaleEffect,
  type SaleEvent,
} from "../../controller/sale/machine.js";

const CREDIT = 400;
const MAX_VENDS = 2;
const terms = { currency: "NZD", vendResultMs: 25_000, selectionMs: 45_000, suspendAfter: 3 };
const ids = fc.constantFrom("a", "b", "c");
const questions = fc.constantFrom(undefined, "q", "r");

type Move =
  | { readonly kind: "event"; readonly event: SaleEvent }
  | {
      readonly kind: "decide";
      readonly what: "go" | "void";
      readonly stranger: boolean;
      readonly back: number;
    }
  /** A selection as far as it goes: asked about, and granted what it was asked for. */
  | { readonly kind: "choose" }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "cut"; readonly after: number }; // power: how many effects of the next event still happen

const said: fc.Arbitrary<Said> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("vendRequested" as const),
      request: fc.nat(5),
      item: fc.nat(9),
      priceMinor: fc.constantFrom(0, 1, 150, 250, CREDIT, CREDIT + 1),
    }),
  },
  fc.record({
    kind: fc.constantFrom("vendSucceeded" as const, "vendFailed" as const, "vendCancelled" as const),
  }),
  fc.record({ kind: fc.constantFrom("reset" as const, "sessionEnded" as const, "lost" as const) }),
  fc.record({ kind: fc.constantFrom("opened" as const, "notOpened" as const) }),
  fc.constant({ kind: "cashSale" as const, item: 7, priceMinor: 150 }),
  fc.record({
    kind: fc.constant("mdb" as const),
    mdb: fc.constantFrom("enabled" as const, "enabled" as const, "vend" as const, "disabled" as const),
  }),
);
const grant = fc.record({
  grantId: ids,
  saleId: ids,
  amountMinor: fc.constant(CREDIT),
  currency: fc.constantFrom("NZD", "NZD", "NZD", "AUD"),
  sessionMs: fc.constant(60_000),
  goMs: fc.constant(10_000),
  maxVends: fc.constantFrom(1, MAX_VENDS),
  requestId: questions,
  items: fc.constantFrom<number[] | undefined>(undefined, [1, 2, 3, 4, 5, 6, 7]),
});
const GRANT = {
  grantId: "s",
  saleId: "s",
  amountMinor: CREDIT,
  currency: "NZD",
  sessionMs: 60_000,
  goMs: 10_000,
  maxVends: 1,
};
const nowMs = 0; // set when it happens
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(said, questions)
      .map(([s, requestId]): Move => ({ kind: "event", event: { kind: "said", said: s, requestId, nowMs } })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({
        kind: fc.constant("answered" as const),
        requestId: fc.constantFrom("q", "r"),
        isPayable: fc.boolean(),
        nowMs: fc.constant(nowMs),
      })
      .map((event): Move => ({ kind: "event", event })),
  },
  { weight: 1, arbitrary: fc.constant<Move>({ kind: "choose" }) },
  {
    weight: 1,
    arbitrary: fc.constant<Move>({
      kind: "event",
      event: { kind: "audited", line: { kind: "audit", since: 0, items: [] }, nowMs },
    }),
  },
  {
    weight: 3,
    arbitrary: grant.map((g): Move => ({ kind: "event", event: { kind: "grant", grant: g, nowMs } })),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("decide" as const),
      what: fc.constantFrom("go" as const, "go" as const, "go" as const, "void" as const),
      stranger: fc.constantFrom(false, false, false, true), // names a grant the entry is not of
      back: fc.constantFrom(0, 0, 0, 1, 2), // which of the accepted entries it answers: 0 is the newest
    }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1, 9_999, 25_000, 60_000).map((ms): Move => ({ kind: "pass", ms })),
  },
  { weight: 1, arbitrary: fc.nat(2).map((after): Move => ({ kind: "cut", after })) },
);

test("no approval without its own go, above the credit or beyond the number; every grant and every vend ends once", () => {
  let approvals = 0;
  let paid = 0;
  let narrow = 0;
  fc.assert(
    fc.property(fc.array(move, { minLength: 40, maxLength: 120, size: "max" }), (moves) => {
      let time = 0;
      let durable: Durable = NOTHING_HELD;
      const entries: Entry[] = [];
      const gone = new Map<
        number,
        { spent: number; vends: number; max: number; items: readonly number[] | undefined }
      >(); // by accepted entry, since boot
      let cut = Infinity;
      let waits: { requestId: string; request: number; denied: boolean } | undefined; // the selection that came first

      const perform = (effects: readonly SaleEffect[]): boolean => {
        for (const effect of effects) {
          if (cut === 0) return false;
          cut -= 1;
          if (effect.kind === "journal") {
            entries.push(...effect.entries);
            durable = effect.durable;
          }
          if (effect.kind === "selected") {
            expect(waits).toBeUndefined();
            const { requestId, request } = effect.selection;
            waits = { requestId, request, denied: false };
          }
          if (effect.kind === "ask" && effect.ask.kind === "deny" && effect.ask.request === waits?.request)
            waits.denied = true;
          if (effect.kind === "withdrawn") {
            expect(effect.requestId).toBe(waits?.requestId);
            waits = undefined;
          }
          if (effect.kind === "ask" && effect.ask.kind === "approve" && waits !== undefined) {
            expect([effect.ask.request, waits.denied]).toEqual([waits.request, false]);
            paid += 1;
            waits = undefined;
          }
          if (effect.kind === "ask" && effect.ask.kind === "approve") {
            approvals += 1;
            const newest = entries.at(-1)?.line;
            if (newest?.kind !== "approved") throw new Error("approved before it was on disk");
            const entry = lastAccepted(entries, newest.grantId);
            const under = gone.get(entry);
            if (under === undefined) throw new Error("approved without a go of its own");
            under.spent += newest.priceMinor;
            under.vends += 1;
            expect(under.spent).toBeLessThanOrEqual(CREDIT);
            expect(under.vends).toBeLessThanOrEqual(under.max);
            if (under.items !== undefined) {
              expect(under.items).toContain(newest.item);
              narrow += 1;
            }
          }
        }
        return true;
      };
      const restart = (): Sale => {
        cut = Infinity;
        waits = undefined;
        gone.clear();
        const [booted, effects] = boot(durable, { id: "j", last: entries.length }, terms);
        perform(effects);
        return step(booted, { kind: "said", said: { kind: "mdb", mdb: "enabled" }, nowMs: time })[0];
      };
      let sale = restart();
      const hear = (event: SaleEvent): void => {
        const [next, effects] = step(sale, { ...event, nowMs: time });
        const lines = effects.flatMap((effect) => (effect.kind === "journal" ? effect.entries : []));
        if (lines.some(({ line }) => line.kind === "opened")) {
          const { held } = sale;
          if (event.kind !== "go" || !("endsMs" in next.held)) throw new Error("opened without a go");
          const { requestId } = next.held.grant;
          expect(next.held.kind).toBe(requestId === undefined ? "open" : "approved");
          expect(requestId).toBe(held.kind === "accepted" ? held.selection?.requestId : "");
          expect(next.held.entry, "opened by a go that answers another entry").toBe(event.decision.entry);
          const { maxVends: max, items } = next.held.grant;
          gone.set(next.held.entry, { spent: 0, vends: 0, max, items });
        }
        if (!perform(effects)) {
          sale = restart();
          return;
        }
        sale = next;
      };

      for (const one of moves) {
        if (one.kind === "event") hear(one.event);
        else if (one.kind === "cut") cut = one.after;
        else if (one.kind === "choose") {
          const asked = { request: 9, item: 1, priceMinor: 250 };
          hear({ kind: "said", said: { kind: "mdb", mdb: "vend" }, nowMs });
          hear({ kind: "said", said: { kind: "vendRequested", ...asked }, requestId: "q", nowMs });
          hear({ kind: "answered", requestId: "q", isPayable: true, nowMs });
          hear({ kind: "grant", grant: { ...GRANT, requestId: "q" }, nowMs });
        } else if (one.kind === "pass") {
          time += one.ms;
          hear({ kind: "tick", nowMs });
        } else {
          const answered = entries.filter(({ line }) => line.kind === "accepted").at(-1 - one.back);
          if (answered?.line.kind !== "accepted") continue;
          const grantId = one.stranger ? "x" : answered.line.grantId;
          hear({ kind: one.what, decision: { grantId, journal: "j", entry: answered.n }, nowMs });
        }
      }
      sale = restart(); // and whatever was still held ends here
      expect(sale.held.kind).toBe("none");
      expect(entries.map(({ n }) => n)).toEqual(entries.map((_, index) => index + 1));
      checkStory(entries.map(({ line }) => line));
    }),
    { numRuns: 1_500 },
  );
  expect(approvals, "the walk must reach what it is about").toBeGreaterThan(500);
  expect(paid, "and selections that are paid").toBeGreaterThan(50);
  expect(narrow, "and grants for some items only").toBeGreaterThan(10);
});

const lastAccepted = (entries: readonly Entry[], grantId: string): number =>
  entries.findLast(({ line }) => line.kind === "accepted" && line.grantId === grantId)?.n ?? 0;

/** The journal read as its reader will: one grant at a time, each vend with its result. */
function checkStory(lines: readonly JournalLine[]): void {
  let held: string | undefined;
  let vend: string | undefined; // approved, no result yet
  let unknown: string | undefined; // may still be corrected
  for (const line of lines) {
    const key = "vend" in line ? `${line.grantId}/${line.vend}` : "";
    switch (line.kind) {
      case "accepted":
        expect(held).toBeUndefined();
        held = line.grantId;
        break;
      case "audit": // never during a vend
        expect([held, vend]).toEqual([undefined, undefined]);
        break;
      case "opened":
        expect(held).toBe(line.grantId);
        unknown = undefined;
        break;
      case "approved":
        expect([held, vend]).toEqual([line.grantId, undefined]);
        vend = key;
        break;
      case "succeeded":
      case "failed":
        expect(key).toBe(line.late ? unknown : vend);
        if (line.late) unknown = undefined;
        else vend = undefined;
        break;
      case "unknown":
        expect(key).toBe(vend);
        [vend, unknown] = [undefined, key];
        break;
      case "lapsed":
      case "closed":
        expect([held, vend]).toEqual([line.grantId, undefined]);
        held = undefined;
        break;
      default:
        break;
    }
  }
  expect([held, vend]).toEqual([undefined, undefined]);
}
