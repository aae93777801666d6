/** What two readings say of the bus's items, and when the next one is due. */
import { expect, test } from "vitest";
import { MAX_COUNTED } from "../../broker/protocol/messages.js";
import { parseAudit, checksum, type Audit } from "../../controller/dex/audit.js";
import { countedSince } from "../../controller/dex/counted.js";
import { beginSchedule, dueMs, failed, read, vended } from "../../controller/dex/schedule.js";

type Product = readonly [id: string, cashless: number | undefined];
function auditOf(products: readonly Product[], serial = "a"): Audit {
  const lines = [
    "ST*001*0001",
    `ID1*${serial}`,
    ...products.flatMap(([id, vends]) => [
      `PA1*${id}*100*x`,
      ...(vends === undefined ? [] : [`PA7*${id}*DA*0*100*${vends}*${vends * 100}`]),
    ]),
  ];
  const text = [...lines, `G85*${checksum(lines)}`, ""].join("\r\n");
  const parsed = parseAudit(Buffer.from(text, "latin1"));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.fault));
  return parsed.audit;
}

// prettier-ignore
const cases: readonly [name: string, before: readonly Product[], after: readonly Product[], counted: ReturnType<typeof countedSince>][] = [
  ["what was sold and what was not",          [["11", 3], ["12", 5]],    [["11", 4], ["12", 5]],    [{ item: 11, vends: 1 }, { item: 12, vends: 0 }]],
  ["zeros before a number",                   [["007", 0]],              [["007", 2]],              [{ item: 7, vends: 2 }]],
  ["an item without cashless counts",         [["11", undefined]],       [["11", undefined]],       []],
  ["an item that was not there before",       [],                        [["11", 2]],               []],
  ["counters that were cleared",              [["11", 9]],               [["11", 2]],               []],
  ["names that are no numbers of the bus",    [["A1", 0], ["65536", 0]], [["A1", 1], ["65536", 1]], []],
  ["two names of one number",                 [["11", 0], ["011", 0]],   [["11", 1], ["011", 0]],   []],
];
for (const [name, before, after, counted] of cases)
  test(`${name}: ${JSON.stringify(counted)}`, () =>
    expect(countedSince(auditOf(before), auditOf(after))).toEqual(counted));

test("two machines have nothing in common, and no count is longer than a message may be", () => {
  expect(countedSince(auditOf([["11", 0]]), auditOf([["11", 1]], "b"))).toBeUndefined();
  const many = Array.from({ length: MAX_COUNTED + 9 }, (_, item): Product => [String(item), 0]);
  expect(countedSince(auditOf(many), auditOf(many))).toHaveLength(MAX_COUNTED);
});

test("a reading is due at once, then at its interval; sooner after a doubt, and never soon after a vend", () => {
  const everyMs = 3_600_000;
  expect(dueMs(beginSchedule(5))).toBe(5);
  const done = read(everyMs, 1_000);
  expect(dueMs(done)).toBe(1_000 + everyMs);
  const well = vended(done, { isInDoubt: false, quietForMs: 25_000, nowMs: 2_000 });
  expect(dueMs(well)).toBe(1_000 + everyMs);
  const doubt = vended(well, { isInDoubt: true, quietForMs: 25_000, nowMs: 3_000 });
  expect(dueMs(doubt)).toBe(28_000);
  expect(dueMs(vended(doubt, { isInDoubt: false, quietForMs: 25_000, nowMs: 20_000 }))).toBe(45_000);
});

test("what fails is tried again, ever more seldom, and never more seldom than its interval", () => {
  let schedule = beginSchedule(0);
  const waits = Array.from({ length: 9 }, () => {
    schedule = failed(schedule, 600_000, 0);
    return dueMs(schedule);
  });
  expect(waits).toEqual([30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000, 600_000, 600_000]);
});
