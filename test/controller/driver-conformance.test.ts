/**
 * What every driver owes the sale, over its own wire, its own simulated adapter and the same machine: the same cases, the
 * same words, and the same entries in the journal when the sale is told them. A row for each driver, a case for each duty.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as sale from "../../controller/sale/machine.js";
import { NOTHING_HELD } from "../../controller/sale/durable.js";
import { DriverBench, ICE, WATER, wordsOf, type Kind } from "./driver-bench.js";

const kinds: readonly Kind[] = ["qibixx", "mdb-hex", "wafer", "matedealer"];
const carriers: readonly Kind[] = ["mdb-hex", "wafer"];

type Case = {
  readonly act: (bench: DriverBench) => void;
  /** What the driver says, but for its state. */
  readonly said: string;
  /** What the sale then writes down of a grant of 4.00. */
  readonly journal: string;
  readonly mdb: "enabled" | "disabled" | "session";
  readonly fallen: number;
  /** What a MateDealer says instead: it is asked where it is, and a reset that is over by then looks like a session's end. */
  readonly asked?: { readonly said: string; readonly journal: string };
};

const cases: Readonly<Record<string, Case>> = {
  "a sale that succeeds": {
    act: (bench) => {
      vend(bench);
      bench.pass(2_000);
    },
    said: "opened, vendRequested 1 11 250, vendSucceeded, sessionEnded",
    journal: "approved, succeeded, closed done",
    mdb: "enabled",
    fallen: 1,
  },
  "a jam is a vend that failed": {
    act: (bench) => {
      bench.machine.setFaults({ jam: true });
      vend(bench);
      bench.pass(2_000);
    },
    said: "opened, vendRequested 1 11 250, vendFailed, sessionEnded",
    journal: "approved, failed, closed failed",
    mdb: "enabled",
    fallen: 0,
  },
  "a session that ends with nothing said of its vend": {
    act: (bench) => {
      bench.machine.setFaults({ noReport: true });
      vend(bench);
      bench.pass(8_000);
    },
    said: "opened, vendRequested 1 11 250, sessionEnded",
    journal: "approved, unknown ended, closed unknown",
    mdb: "enabled",
    fallen: 1,
  },
  "a request above the credit is denied, and the session stays": {
    act: (bench) => {
      open(bench);
      bench.machine.select(ICE);
      bench.pass(500);
      bench.ask({ kind: "deny", request: 1 });
      bench.pass(500);
    },
    said: "opened, vendRequested 1 12 450",
    journal: "denied aboveCredit",
    mdb: "session",
    fallen: 0,
  },
  "after a denial the next request may be approved": {
    act: (bench) => {
      open(bench);
      bench.machine.select(ICE);
      bench.pass(500);
      bench.ask({ kind: "deny", request: 1 });
      bench.pass(500);
      bench.machine.select(WATER);
      bench.pass(500);
      bench.ask({ kind: "approve", request: 2 });
      bench.pass(2_000);
    },
    said: "opened, vendRequested 1 12 450, vendRequested 2 11 250, vendSucceeded, sessionEnded",
    journal: "denied aboveCredit, approved, succeeded, closed done",
    mdb: "enabled",
    fallen: 1,
  },
  "a cancel that is already on the line when the approval is given": {
    act: (bench) => {
      request(bench);
      bench.hold();
      bench.machine.cancel();
      bench.ask({ kind: "approve", request: 1 });
      bench.release();
      bench.pass(2_000);
    },
    said: "opened, vendRequested 1 11 250, vendCancelled, sessionEnded",
    journal: "approved, failed, closed ended",
    mdb: "enabled",
    fallen: 0,
  },
  "a request that nobody answers ends as cancelled": {
    act: (bench) => {
      request(bench);
      bench.pass(150_000);
    },
    said: "opened, vendRequested 1 11 250, vendCancelled, sessionEnded",
    journal: "approved, failed, closed ended",
    mdb: "enabled",
    fallen: 0,
  },
  "a reset between the approval and the result counts as sold": {
    act: (bench) => {
      bench.machine.setFaults({ vmcReset: true });
      bench.pass(2_000);
      vend(bench);
      bench.pass(3_000);
    },
    said: "opened, vendRequested 1 11 250, reset",
    journal: "approved, succeeded assumed, closed done",
    mdb: "enabled",
    fallen: 1,
  },
  "a reset before the approval sells nothing": {
    act: (bench) => {
      request(bench);
      bench.machine.setFaults({ vmcReset: true });
      bench.pass(3_000);
      bench.ask({ kind: "approve", request: 1 });
      bench.pass(3_000);
    },
    said: "opened, vendRequested 1 11 250, vendCancelled, reset",
    journal: "approved, failed, closed ended",
    mdb: "enabled",
    fallen: 0,
    asked: {
      said: "opened, vendRequested 1 11 250, vendCancelled, sessionEnded",
      journal: "approved, failed, closed ended",
    },
  },
  "an adapter lost in the middle of a vend, and back": {
    act: (bench) => {
      vend(bench);
      bench.pass(300);
      bench.unplug();
      bench.pass(3_000);
      expect(bench.mdb).toBe("lost");
      bench.plug();
      bench.pass(3_000);
    },
    said: "opened, vendRequested 1 11 250, lost",
    journal: "approved, unknown serial, closed unknown",
    mdb: "enabled",
    fallen: 1,
  },
  "an adapter lost before the approval left": {
    act: (bench) => {
      request(bench);
      bench.ask({ kind: "approve", request: 1 });
      bench.unplug();
      bench.plug();
      bench.pass(3_000);
    },
    said: "opened, vendRequested 1 11 250, vendCancelled, lost",
    journal: "approved, failed, closed ended",
    mdb: "enabled",
    fallen: 0,
  },
  "READER DISABLE in the middle of a vend leaves it alone": {
    act: (bench) => {
      vend(bench);
      bench.pass(300);
      bench.disable(() => bench.pass(2_000));
    },
    said: "opened, vendRequested 1 11 250, vendSucceeded, sessionEnded",
    journal: "approved, succeeded, closed done",
    mdb: "disabled",
    fallen: 1,
  },
  "a session that we close": {
    act: (bench) => {
      open(bench);
      bench.ask({ kind: "closeSession" });
      bench.pass(2_000);
    },
    said: "opened",
    journal: "",
    mdb: "enabled",
    fallen: 0,
  },
  "a session that we close while an item is asked for": {
    act: (bench) => {
      request(bench);
      bench.ask({ kind: "closeSession" });
      bench.pass(4_000);
    },
    said: "opened, vendRequested 1 11 250, vendCancelled",
    journal: "approved, failed, closed ended",
    mdb: "enabled",
    fallen: 0,
  },
  "a second session while one is open": {
    act: (bench) => {
      open(bench);
      bench.ask({ kind: "openSession", amountMinor: 300 });
      bench.pass(1_000);
      expect(bench.machine.face().credit?.amount).toBe("400");
    },
    said: "opened, notOpened",
    journal: "closed notOpened",
    mdb: "session",
    fallen: 0,
  },
  "a customer who pulls the lever": {
    act: (bench) => {
      open(bench);
      bench.machine.cancel();
      bench.pass(1_000);
    },
    said: "opened, sessionEnded",
    journal: "closed ended",
    mdb: "enabled",
    fallen: 0,
  },
  "a machine that is silent opens nothing": {
    act: (bench) => {
      bench.machine.setFaults({ vmcSilent: true });
      bench.ask({ kind: "openSession", amountMinor: 400 });
      bench.pass(30_000);
      bench.machine.setFaults({ vmcSilent: false });
      bench.pass(90_000);
    },
    said: "notOpened",
    journal: "closed notOpened",
    mdb: "enabled",
    fallen: 0,
  },
  "garbage on the line says nothing": {
    act: (bench) => {
      const garbage = ["\u00ff\u0080", "c,ST", "13", "1300", "zz", "130200051B", " ", "14 01"];
      const send = (): void => garbage.forEach((text) => bench.garbage(text));
      send();
      open(bench);
      send();
      bench.machine.select(WATER);
      bench.pass(500);
      send();
      bench.ask({ kind: "approve", request: 1 });
      bench.pass(2_000);
    },
    said: "opened, vendRequested 1 11 250, vendSucceeded, sessionEnded",
    journal: "approved, succeeded, closed done",
    mdb: "enabled",
    fallen: 1,
  },
};

describe.each(kinds)("%s", (kind) => {
  test("comes up: inactive, disabled, enabled", () => {
    const bench = new DriverBench(kind);
    bench.plug();
    bench.pass(3_000);
    const passed: readonly string[] = ["inactive", "disabled", "enabled"];
    const seen = bench.states.filter((mdb) => mdb !== "off");
    // Who is asked may have passed through a state unasked.
    expect(seen).toEqual(
      kind === "matedealer" ? passed.filter((mdb) => seen.some((one) => one === mdb)) : passed,
    );
    expect(bench.mdb).toBe("enabled");
    expect(bench.alarms).toEqual([]);
  });

  test.each(Object.entries(cases))("%s", (_, { act, said, journal, mdb, fallen, asked }) => {
    const bench = up(kind);
    act(bench);
    const words = [...bench.said];
    const expected = kind === "matedealer" && asked !== undefined ? asked : { said, journal };
    expect(bench.heard()).toBe(expected.said);
    expect(entriesOf(words)).toBe(expected.journal);
    expect(bench.mdb).toBe(mdb);
    expect(bench.fallen).toBe(fallen);
  });

  test("a success that the machine says twice is sold once", () => {
    const bench = up(kind);
    bench.machine.setFaults({ duplicateReport: true });
    vend(bench);
    bench.pass(2_000);
    expect(entriesOf(bench.said)).toBe("approved, succeeded, closed done");
    expect(bench.mdb).toBe("enabled");
  });

  test("a cancel that crosses the approval sells nothing, and nothing falls", () => {
    const bench = up(kind);
    request(bench);
    bench.machine.cancel();
    bench.ask({ kind: "approve", request: 1 });
    bench.pass(3_000);
    expect(entriesOf(bench.said)).toMatch(/^approved, (failed, closed ended|unknown ended, closed unknown)$/);
    expect([bench.mdb, bench.fallen]).toEqual(["enabled", 0]);
  });

  test("it sells again after each of them, and never answers an earlier request", () => {
    const bench = up(kind);
    bench.machine.setFaults({ jam: true });
    vend(bench);
    bench.pass(2_000);
    bench.machine.setFaults({ jam: false });
    bench.unplug();
    bench.plug();
    bench.pass(3_000);
    bench.heard();
    request(bench);
    bench.ask({ kind: "approve", request: 1 });
    bench.pass(2_000);
    expect(bench.fallen).toBe(0);
    bench.ask({ kind: "approve", request: 2 });
    bench.pass(2_000);
    expect(bench.heard()).toBe("opened, vendRequested 2 11 250, vendSucceeded, sessionEnded");
    expect(bench.fallen).toBe(1);
  });

  test("says once that no machine takes it into service", () => {
    const bench = new DriverBench(kind);
    bench.machine.setFaults({ vmcSilent: true });
    bench.plug();
    bench.pass(300_000);
    expect(bench.alarms).toEqual(["mdbNotEnabled"]);
    expect(bench.mdb).toBe("inactive");
  });
});

describe.each(carriers)("%s, on a bad bus", (kind) => {
  // Blocks are refused, asked for again and said twice, acknowledgements are lost: nothing of a sale is.
  test.each(Array.from({ length: 40 }, (_, seed) => seed))("seed %i: a sale succeeds, once", (seed) => {
    const bench = new DriverBench(kind, false, {}, seed);
    bench.machine.setFaults({ busErrors: 0.3 });
    bench.plug();
    bench.pass(60_000);
    expect(bench.mdb).toBe("enabled");
    bench.ask({ kind: "openSession", amountMinor: 400 });
    bench.pass(6_000);
    bench.machine.select(WATER);
    bench.pass(500);
    bench.ask({ kind: "approve", request: 1 });
    bench.pass(30_000);
    expect(entriesOf(bench.said)).toBe("approved, succeeded, closed done");
    expect([bench.mdb, bench.fallen]).toEqual(["enabled", 1]);
  });
});

/** A whole sale of somebody else's reader, cashless device #2: the same item at the same price, and a reset in the end. */
const theirSale = [
  ...["6101FFFF000060", "640165"], // SETUP prices, READER ENABLE
  ...["630000FA000B68", "6302000B70", "630467"], // VEND REQUEST 2.50 for item 11, VEND SUCCESS, SESSION COMPLETE
  ...["630000FA000B68", "630366", "6060"], // again, and VEND FAILURE; RESET
];
const theirsBehind: readonly (readonly [Kind, readonly string[]])[] = [
  ...carriers.map((kind) => [kind, theirSale] as const),
  // A Qibixx shows them only as chatter of the bus.
  [
    "qibixx",
    theirSale.map(
      (block, at) => `x,00,${String(at).padStart(10, "0")},${block.slice(0, 2)},${block.slice(2, -2)}`,
    ),
  ],
];

describe.each(theirsBehind)("%s, another reader on the bus that sells beside ours", (kind, lines) => {
  const theirs = (bench: DriverBench): void => lines.forEach((text) => bench.says(text));

  test("nothing of its sales is ours, wherever they fall into one of ours", () => {
    const bench = up(kind);
    theirs(bench);
    expect(bench.heard()).toBe("");
    open(bench);
    theirs(bench);
    bench.machine.select(WATER);
    bench.pass(500);
    theirs(bench);
    expect(bench.heard()).toBe("opened, vendRequested 1 11 250");
    bench.ask({ kind: "approve", request: 1 });
    bench.pass(200);
    theirs(bench); // our product is still falling
    expect(bench.heard()).toBe("");
    bench.pass(2_000);
    theirs(bench);
    expect(bench.heard()).toBe("vendSucceeded, sessionEnded");
    expect([bench.mdb, bench.fallen]).toEqual(["enabled", 1]);
  });

  test("a request of ours that nobody answers ends unsold, whatever the other one sells", () => {
    const bench = up(kind);
    request(bench);
    for (let n = 0; n < 30; n += 1) {
      theirs(bench);
      bench.pass(5_000);
    }
    expect(entriesOf(bench.said.filter((said) => said.kind !== "vendRequested"))).toBe("closed ended");
    expect([bench.mdb, bench.fallen]).toEqual(["enabled", 0]);
  });
});

test.each(carriers)(
  "%s: beside another reader's sale, a sale for cash is counted as one, and as nothing of ours",
  (kind) => {
    const bench = new DriverBench(kind, false, { reader: { options: ["cashSale"] } });
    bench.plug();
    bench.pass(3_000);
    for (const text of [...theirSale, "130500FA000B1D", "130500FA000B1D"]) bench.says(text); // said twice: our ACK was lost
    expect(bench.said).toEqual([{ kind: "cashSale", item: 11, priceMinor: 250 }]);
    vend(bench);
    bench.pass(2_000);
    expect(entriesOf(bench.said)).toBe("cashSale, approved, succeeded, closed done");
  },
);

describe.each(kinds)("%s, after a crash of the controller that the adapter has not noticed", (kind) => {
  test.each([
    ["a session", open, 0],
    ["a request that waits for its answer", request, 0],
    ["a vend", vend, 1],
  ] as const)("%s left open is closed before anything is armed", (_, leave, falls) => {
    const bench = up(kind);
    leave(bench);
    expect(bench.machine.face().credit?.amount).toBe("400");
    bench.said.splice(0);
    bench.states.splice(0);
    bench.crash();
    bench.ask({ kind: "openSession", amountMinor: 300 }); // too early: nothing is ready
    for (let n = 0; n < 100 && bench.mdb !== "enabled"; n += 1) bench.pass(100);
    expect(bench.mdb).toBe("enabled");
    expect(bench.machine.face()).toMatchObject({ credit: null, vmc: "enabled" });
    // At most the result of what was approved before, which the sale knows to be late; nothing is asked for anew.
    expect(bench.heard()).toMatch(falls === 0 ? /^notOpened$/ : /^notOpened(, vendSucceeded)?$/);
    bench.pass(5_000);
    expect(bench.fallen).toBe(falls);
    vend(bench);
    bench.pass(2_000);
    expect(bench.heard()).toMatch(/^opened, vendRequested [0-9]+ 11 250, vendSucceeded, sessionEnded$/);
    expect([bench.mdb, bench.fallen]).toEqual(["enabled", falls + 1]);
  });
});

/** A MateDealer knows neither a display nor Always Idle. */
const others = kinds.filter((kind) => kind !== "matedealer");

describe.each(others)("%s, the machine's display", (kind) => {
  test("shows for a while what it is told", () => {
    const bench = up(kind);
    bench.ask({ kind: "display", text: "Pay now" });
    bench.pass(500);
    expect(bench.machine.face().display).toMatch(/^pay now$/i);
    bench.pass(30_000);
    expect(bench.machine.face().display).toBe("READY");
  });

  test("keeps the machine's own words while a session is open", () => {
    const bench = up(kind);
    open(bench);
    bench.ask({ kind: "display", text: "Pay now" });
    bench.pass(500);
    expect(bench.machine.face().display).toBe("CREDIT 4.00");
    expect([bench.heard(), bench.mdb]).toEqual(["opened", "session"]);
  });
});

describe.each(others)("%s, select first", (kind) => {
  test("a request without a session is told, and approved it vends (Always Idle)", () => {
    const bench = up(kind, true);
    bench.machine.select(WATER);
    bench.pass(500);
    bench.ask({ kind: "approve", request: 1 });
    bench.pass(2_000);
    expect(bench.heard()).toBe("vendRequested 1 11 250, vendSucceeded, sessionEnded");
    expect([bench.mdb, bench.fallen]).toEqual(["enabled", 1]);
  });

  test("a request without a session that is denied leaves none behind", () => {
    const bench = up(kind, true);
    bench.machine.select(WATER);
    bench.pass(500);
    bench.ask({ kind: "deny", request: 1 });
    bench.pass(2_000);
    expect(bench.heard()).toMatch(/^vendRequested 1 11 250(, sessionEnded)?$/);
    expect([bench.mdb, bench.fallen]).toEqual(["enabled", 0]);
  });
});

type Act = readonly [name: string, act: (bench: DriverBench) => void];
const doing: readonly Act[] = [
  ["open", (bench) => bench.open()],
  ["select", (bench) => void bench.machine.select(WATER)],
  ["approve", (bench) => bench.approve()],
  ["close", (bench) => bench.close()],
  ["lever", (bench) => bench.machine.cancel()],
  ["display", (bench) => bench.ask({ kind: "display", text: "Pay now" })],
  ["unplug", (bench) => bench.unplug()],
  ["plug", (bench) => bench.plug()],
];
const lasting: readonly Act[] = [1, 100, 500, 700, 3_000, 20_000].map((ms) => [
  `${ms} ms`,
  (bench) => bench.pass(ms),
]);
/** A sale as far as it goes, so that most of what comes after it meets one. */
const selling: Act = [
  "sell",
  (bench) => {
    bench.pass(3_000);
    bench.open();
    bench.pass(1_000);
    bench.machine.select(WATER);
    bench.pass(500);
    bench.approve();
  },
];
const faults = fc
  .record({
    jam: fc.boolean(),
    noReport: fc.boolean(),
    vmcReset: fc.boolean(),
    duplicateReport: fc.boolean(),
    busErrors: fc.constantFrom(0, 0.3),
  })
  .map((asked): Act => [JSON.stringify(asked), (bench) => bench.machine.setFaults(asked)]);
const act = fc.oneof(fc.constantFrom(...doing), fc.constantFrom(...lasting), fc.constant(selling), faults);

// What the sale does with the money follows from the first thing that is said after its approval.
test.each(kinds)(
  "%s: whatever happens, what is charged fell, and what fell is charged or unknown",
  (kind) => {
    let [sold, unsold] = [0, 0];
    fc.assert(
      fc.property(fc.array(act, { minLength: 5, maxLength: 40 }), fc.nat(), (acts, seed) => {
        const bench = new DriverBench(kind, false, {}, seed);
        bench.plug();
        bench.pass(3_000);
        for (const [, one] of acts) one(bench);
        bench.machine.setFaults({ busErrors: 0 });
        bench.pass(400_000);
        const charged = bench.outcomes.filter((outcome) => outcome === "vendSucceeded").length;
        const refunded = bench.outcomes.filter((outcome) => /^vend(Failed|Cancelled)$/.test(outcome)).length;
        expect(charged).toBeLessThanOrEqual(bench.fallen);
        expect(bench.fallen).toBeLessThanOrEqual(bench.outcomes.length - refunded);
        sold += charged;
        unsold += refunded;
      }),
      { numRuns: 400 },
    );
    expect(Math.min(sold, unsold)).toBeGreaterThan(0);
  },
);

function up(kind: Kind, alwaysIdle = false): DriverBench {
  const bench = new DriverBench(kind, alwaysIdle);
  bench.plug();
  bench.pass(3_000);
  expect(bench.mdb).toBe("enabled");
  return bench;
}
function open(bench: DriverBench): void {
  bench.ask({ kind: "openSession", amountMinor: 400 });
  bench.pass(500);
  expect(bench.machine.face().credit?.amount).toBe("400");
}
function request(bench: DriverBench): void {
  open(bench);
  bench.machine.select(WATER);
  bench.pass(500);
}
function vend(bench: DriverBench): void {
  request(bench);
  const last = bench.said.findLast((said) => said.kind === "vendRequested");
  bench.ask({ kind: "approve", request: last?.request ?? 0 });
  bench.pass(200);
}

/** What a sale with a grant of 4.00 writes down when a driver tells it this. It answers requests by itself. */
function entriesOf(said: DriverBench["said"]): string {
  const grant = {
    grantId: "01890a5d-ac96-774b-bcce-b302099a8057",
    saleId: "sale",
    amountMinor: 400,
    currency: "NZD",
    sessionMs: 90_000,
    goMs: 10_000,
    maxVends: 1,
  };
  let [state] = sale.boot(
    NOTHING_HELD,
    { id: "j", last: 0 },
    { currency: "NZD", vendResultMs: 25_000, selectionMs: 45_000, suspendAfter: 3 },
  );
  const lines: string[] = [];
  const tell = (event: sale.SaleEvent): void => {
    const [next, effects] = sale.step(state, event);
    state = next;
    for (const effect of effects)
      if (effect.kind === "journal") lines.push(...effect.entries.map(({ line }) => lineWords(line)));
  };
  tell({ kind: "said", said: { kind: "mdb", mdb: "enabled" }, nowMs: 0 });
  tell({ kind: "grant", grant, nowMs: 0 });
  tell({ kind: "go", decision: { grantId: grant.grantId, journal: "j", entry: 1 }, nowMs: 0 });
  for (const one of said) tell({ kind: "said", said: one, nowMs: 0 });
  expect(lines.slice(0, 2), said.map(wordsOf).join(", ")).toEqual(["accepted", "opened"]);
  return lines.slice(2).join(", ");
}
function lineWords(line: sale.Entry["line"]): string {
  const assumed = line.kind === "succeeded" && line.assumed ? " assumed" : "";
  return `${line.kind}${assumed}${"reason" in line ? ` ${line.reason}` : ""}`;
}
