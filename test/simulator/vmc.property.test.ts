/**
 * Whatever a controller, a customer and the faults do, in any order and at any pace: a motor turns once for one approval
 * of one request, `stock + fallen` never changes, success is said only of what fell and failure only of what did not,
 * and how often the machine is looked at changes nothing.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { expect, test } from "vitest";
import { lineOf, readCommand, say } from "../../simulator/machine/adapter-line.js";
import { noFaults, type FaultsAsked } from "../../simulator/machine/faults.js";
import {
  creditOf,
  displayOf,
  newVmc,
  nextDueMs,
  step,
  wordOf,
  type Effect,
  type Event,
} from "../../simulator/machine/vmc.js";

type Untimed<E = Event> = E extends unknown ? Omit<E, "nowMs"> : never;
type Act = { readonly waitMs: number; readonly event: Untimed };

const start = newVmc(
  {
    decimals: 2,
    selectsFirst: false,
    coilMs: 600,
    setupMs: 100,
    sessionIdleMs: 5_000,
    answerMs: 4_000,
    lateEnableMs: 2_000,
    noticeMs: 1_000,
  },
  [
    { item: 1, name: "Water", priceMinor: 250, stock: 5 },
    { item: 2, name: "Bar", priceMinor: 400, stock: 1 },
  ],
  noFaults,
);

const flag = fc.boolean();
const faults = fc.oneof(
  fc.record(
    {
      jam: flag,
      noReport: flag,
      duplicateReport: flag,
      vmcReset: flag,
      vmcSilent: flag,
      slowCoilMs: fc.constantFrom(0, 50, 3_000),
    },
    { requiredKeys: [] },
  ),
  fc.constant(noFaults),
) satisfies fc.Arbitrary<FaultsAsked>;
const command = (text: string): Untimed => ({ kind: "command", command: readCommand(text) });
const line = fc.constantFrom("C,1", "C,START,4.00", "C,VEND,2.50", "C,VEND,-1", "C,STOP", "C,0", "?");
const alone = fc.oneof(
  { weight: 4, arbitrary: line.map(command) },
  { weight: 2, arbitrary: fc.constantFrom(1, 2, 3).map((item): Untimed => ({ kind: "select", item })) },
  { weight: 1, arbitrary: fc.constantFrom(1, 2, 3).map((item): Untimed => ({ kind: "coins", item })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Untimed>({ kind: "cancel" }, { kind: "lineLost" }, { kind: "tick" }),
  },
  { weight: 1, arbitrary: faults.map((asked): Untimed => ({ kind: "faults", asked })) },
);
const pause = fc.constantFrom(0, 0, 40, 200, 300, 700, 10_000);
/** A sale from its beginning to some step of it: what comes next may come at any moment of it. */
const sale = fc
  .tuple(fc.constantFrom(1, 2), fc.integer({ min: 1, max: 4 }), pause)
  .map(([item, steps, waitMs]) => {
    const whole: readonly Act[] = [
      { waitMs: 0, event: command("C,1") },
      { waitMs: 200, event: command("C,START,4.00") },
      { waitMs: 10, event: { kind: "select", item } },
      { waitMs, event: command("C,VEND,2.50") },
    ];
    return whole.slice(0, steps);
  });
const acts: fc.Arbitrary<readonly Event[]> = fc
  .array(
    fc.oneof(
      sale,
      fc.record({ waitMs: pause, event: alone }).map((act): readonly Act[] => [act]),
    ),
    {
      maxLength: 30,
      size: "max",
    },
  )
  .map((chapters) => {
    let nowMs = 0;
    return chapters.flat().map(({ waitMs, event }) => ({ ...event, nowMs: (nowMs += waitMs) }));
  });

test("products move only by approval, and the machine says what the drop sensor saw", () => {
  let sales = 0;
  fc.assert(
    fc.property(acts, (list) => {
      let vmc = start;
      let asked = false; // a VEND REQUEST was said and neither answered nor taken back
      let turns = 0;
      let falls = 0;
      let jams = 0;
      for (const event of list) {
        const [next, effects] = step(vmc, event);
        for (const [index, effect] of effects.entries()) {
          const before = effects[index - 1];
          if (effect.kind === "turns" && event.kind === "coins") {
            assert(!asked, "coins were taken while the reader had a customer");
            turns += 1;
          } else if (effect.kind === "turns") {
            assert(event.kind === "command" && event.command.kind === "approve", `turned on ${event.kind}`);
            assert(asked, "a motor turned that nobody had asked about");
            asked = false;
            turns += 1;
          } else if (effect.kind === "falls" || effect.kind === "jams") {
            if (effect.kind === "falls") falls += 1;
            else jams += 1;
          } else if (effect.kind === "say") {
            if (lineOf(effect.word).startsWith("c,STATUS,VEND,")) asked = true;
            else if (/^c,(0|ERR,VEND|STATUS)/.test(lineOf(effect.word))) asked = false;
            if (lineOf(effect.word) === say.succeeded) {
              const again = before?.kind === "say" && lineOf(before.word) === say.succeeded;
              assert(before?.kind === "falls" || again, "success was said of nothing");
              sales += 1;
            }
            if (lineOf(effect.word) === say.failed)
              assert(before?.kind !== "falls", "failure was said of what fell");
          }
        }
        if (event.kind === "lineLost") asked = false;
        for (const [index, { stock, fallen }] of next.coils.entries())
          assert(stock >= 0 && stock + fallen === start.coils[index]?.stock, "a product was made or lost");
        assert.equal(
          next.coils.reduce((sum, { fallen }) => sum + fallen, 0),
          falls,
          "fallen is not what fell",
        );
        assert.equal(
          turns,
          falls + jams + (next.turning === undefined ? 0 : 1),
          "a motor did not come to its end",
        );
        assert(
          creditOf(next) === null || ["session", "vend"].includes(wordOf(next)),
          "credit without a session",
        );
        assert(displayOf(next) !== "", "a dark display");
        vmc = next;
      }
    }),
    { numRuns: 500 },
  );
  expect(sales, "the walks never sold anything").toBeGreaterThan(100);
});

test("looking at it at every due moment, or never, gives the same machine and the same lines", () => {
  fc.assert(
    fc.property(acts, (list) => {
      let seldom = start;
      let often = start;
      const saidSeldom: Effect[] = [];
      const saidOften: Effect[] = [];
      for (const event of list) {
        for (
          let dueMs = nextDueMs(often);
          dueMs !== undefined && dueMs <= event.nowMs;
          dueMs = nextDueMs(often)
        ) {
          const [next, effects] = step(often, { kind: "tick", nowMs: dueMs });
          often = next;
          saidOften.push(...effects);
        }
        const [one, ones] = step(often, event);
        const [two, twos] = step(seldom, event);
        often = one;
        seldom = two;
        saidOften.push(...ones);
        saidSeldom.push(...twos);
      }
      expect(often).toEqual(seldom);
      expect(saidOften).toEqual(saidSeldom);
    }),
    { numRuns: 300 },
  );
});
