/** What a simulated machine counts: what has really fallen, by item, and how it was paid for. */
import { expect, test } from "vitest";
import { parseAudit, type Audit } from "../../controller/dex/audit.js";
import { auditOf } from "../../simulator/machine/audit.js";
import { noFaults, type FaultsAsked } from "../../simulator/machine/faults.js";
import { newVmc, step, type Event, type Vmc } from "../../simulator/machine/vmc.js";

const settings = {
  decimals: 2,
  coilMs: 100,
  setupMs: 10,
  sessionIdleMs: 60_000,
  answerMs: 60_000,
  lateEnableMs: 100,
  noticeMs: 100,
  selectsFirst: false,
};
const coils = [
  { item: 11, name: "Still*water é", priceMinor: 250, stock: 9 },
  { item: 12, name: "Bar", priceMinor: 400, stock: 9 },
];
type Untimed = Event extends infer E ? (E extends Event ? Omit<E, "nowMs"> : never) : never;

/** Plays these a second apart from a machine whose reader is up. */
function play(...events: readonly Untimed[]): Audit {
  let nowMs = 0;
  const all: readonly Untimed[] = [{ kind: "command", command: { kind: "on" } }, ...events, { kind: "tick" }];
  const vmc = all.reduce<Vmc>(
    (at, event) => step(at, { ...event, nowMs: (nowMs += 1_000) })[0],
    newVmc(settings, coils, noFaults),
  );
  const parsed = parseAudit(auditOf(vmc, "m-1", "NZD"));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.fault));
  return parsed.audit;
}
const cashless = (item: number, asked: FaultsAsked = {}): readonly Untimed[] => [
  { kind: "faults", asked },
  { kind: "command", command: { kind: "start", funds: "9.00" } },
  { kind: "select", item },
  { kind: "command", command: { kind: "approve" } },
];

test("a new machine says who it is and that it has sold nothing", () => {
  expect(play()).toMatchObject({
    serial: "m-1",
    decimals: 2,
    currency: "NZD",
    paid: { vends: 0, valueMinor: 0 },
    cash: { vends: 0, valueMinor: 0 },
    cashless: { vends: 0, valueMinor: 0 },
    products: [
      { id: "11", name: "Still?water ?", priceMinor: 250, cashless: { vends: 0, valueMinor: 0 } },
      { id: "12", name: "Bar", priceMinor: 400, cashless: { vends: 0, valueMinor: 0 } },
    ],
  });
});

test("cash and cashless sales are counted apart, by item", () => {
  expect(play(...cashless(11), { kind: "coins", item: 11 }, { kind: "coins", item: 12 })).toMatchObject({
    paid: { vends: 3, valueMinor: 900 },
    cash: { vends: 2, valueMinor: 650 },
    cashless: { vends: 1, valueMinor: 250 },
    products: [
      { paid: { vends: 2, valueMinor: 500 }, cashless: { vends: 1, valueMinor: 250 } },
      { paid: { vends: 1, valueMinor: 400 }, cashless: { vends: 0, valueMinor: 0 } },
    ],
  });
});

test("what jams is not counted; what falls is, though nobody is told", () => {
  expect(play(...cashless(11, { jam: true })).cashless?.vends).toBe(0);
  expect(play(...cashless(11, { noReport: true })).cashless?.vends).toBe(1);
  expect(
    play(...cashless(11, { slowCoilMs: 2_000 }), { kind: "lineLost" }, { kind: "tick" }).cashless?.vends,
  ).toBe(1);
});
