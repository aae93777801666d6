/** Doubtful vends held against the machine's own counters: decided where there is one answer, and nowhere else. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { settleByAudit, type AuditedVend, type Verdict } from "../../cloud/vending/audit.js";

type Outcome = AuditedVend["outcome"];
const vendsOf = (outcomes: readonly Outcome[], item = 11): readonly AuditedVend[] =>
  outcomes.map((outcome, index) => ({ saleId: `s${index}`, vend: 1, item, outcome }));

// prettier-ignore
const cases: readonly [outcomes: readonly Outcome[], counted: number | undefined, verdict: Verdict["verdict"], why: Verdict["why"]][] = [
  [["unknown"],                               1,         "succeeded", "allCounted"],
  [["unknown"],                               0,         "failed",    "noneCounted"],
  [["assumed"],                               1,         "succeeded", "allCounted"],
  [["assumed"],                               0,         "failed",    "noneCounted"],
  [["presumed"],                              0,         "failed",    "noneCounted"],
  [["succeeded", "succeeded", "unknown"],     2,         "failed",    "noneCounted"],
  [["succeeded", "failed", "unknown"],        2,         "succeeded", "allCounted"],
  [["loss", "unknown"],                       2,         "succeeded", "allCounted"],
  [["unknown", "assumed"],                    2,         "succeeded", "allCounted"],
  [["unknown", "assumed"],                    1,         "undecided", "someCounted"],
  [["succeeded", "unknown"],                  0,         "undecided", "fewerThanVended"],
  [["failed", "unknown"],                     2,         "undecided", "moreThanAsked"],
  [["approved", "unknown"],                   1,         "undecided", "stillVending"],
  [["unknown"],                               undefined, "undecided", "notCounted"],
];
for (const [outcomes, vends, verdict, why] of cases)
  test(`${outcomes.join(", ")} with ${vends ?? "nothing"} counted: ${verdict} (${why})`, () => {
    const verdicts = settleByAudit(vendsOf(outcomes), [{ item: 11, vends }]);
    expect(verdicts.length).toBeGreaterThan(0);
    for (const one of verdicts) expect(one).toMatchObject({ verdict, why });
  });

test("each item is judged by its own counter, and only what is in doubt", () => {
  const vends = [...vendsOf(["unknown", "succeeded"], 11), ...vendsOf(["unknown"], 12)];
  expect(settleByAudit(vends, [{ item: 11, vends: 2 }])).toEqual([
    { saleId: "s0", vend: 1, verdict: "succeeded", why: "allCounted" },
    { saleId: "s0", vend: 1, verdict: "undecided", why: "notCounted" },
  ]);
});

test("a counter behind what the machine itself told us is not what we think it is: nothing of that reading is believed", () => {
  const vends = [...vendsOf(["succeeded"], 11), ...vendsOf(["unknown"], 12)];
  const counted = [
    { item: 11, vends: 0 },
    { item: 12, vends: 0 },
  ];
  expect(settleByAudit(vends, counted)).toMatchObject([{ verdict: "undecided", why: "fewerThanVended" }]);
});

test("whatever is true, a decided vend is decided as it was, while the counter and what we were told are right", () => {
  const told = fc.constantFrom<Outcome>("succeeded", "loss", "failed", "assumed", "unknown", "presumed");
  const vend = fc.record({ item: fc.constantFrom(11, 12), outcome: told, fell: fc.boolean() });
  let decided = 0;
  fc.assert(
    fc.property(fc.array(vend, { maxLength: 8 }), (list) => {
      const truth = list.map(({ outcome, fell }) =>
        outcome === "succeeded" || outcome === "loss" ? true : outcome === "failed" ? false : fell,
      );
      const vends = list.map(({ item, outcome }, index) => ({ saleId: `s${index}`, vend: 1, item, outcome }));
      const counted = [11, 12].map((item) => ({
        item,
        vends: truth.filter((fell, index) => fell && list[index]?.item === item).length,
      }));
      for (const { saleId, verdict } of settleByAudit(vends, counted)) {
        if (verdict === "undecided") continue;
        decided += 1;
        expect(verdict).toBe(truth[Number(saleId.slice(1))] === true ? "succeeded" : "failed");
      }
    }),
    { numRuns: 1_000 },
  );
  expect(decided).toBeGreaterThan(100);
});
