/** The machine as a table: what a controller and a customer do, and what the adapter answers, line by line. */
import { expect, test } from "vitest";
import { lineOf, readCommand } from "../../simulator/machine/adapter-line.js";
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
  type Vmc,
} from "../../simulator/machine/vmc.js";

const settings = {
  decimals: 2,
  selectsFirst: false,
  coilMs: 600,
  setupMs: 100,
  sessionIdleMs: 60_000,
  answerMs: 60_000,
  lateEnableMs: 5_000,
  noticeMs: 2_000,
};
const coils = [
  { item: 11, name: "Water", priceMinor: 250, stock: 2 },
  { item: 12, name: "Bar", priceMinor: 400, stock: 0 },
];

/** One machine and the time: each act answers with the lines the adapter said because of it. */
class Bench {
  vmc: Vmc = newVmc(settings, coils, noFaults);
  nowMs = 0;
  effects: readonly Effect[] = [];

  send(line: string): readonly string[] {
    return this.#take({ kind: "command", command: readCommand(line), nowMs: this.nowMs });
  }
  select(item: number): readonly string[] {
    return this.#take({ kind: "select", item, nowMs: this.nowMs });
  }
  cancel(): readonly string[] {
    return this.#take({ kind: "cancel", nowMs: this.nowMs });
  }
  loseLine(): readonly string[] {
    return this.#take({ kind: "lineLost", nowMs: this.nowMs });
  }
  faults(asked: FaultsAsked): readonly string[] {
    return this.#take({ kind: "faults", asked, nowMs: this.nowMs });
  }
  wait(ms: number): readonly string[] {
    this.nowMs += ms;
    return this.#take({ kind: "tick", nowMs: this.nowMs });
  }

  /** Switched on, set up, a session of 4.00 open. */
  session(): this {
    this.send("C,1");
    this.wait(200);
    this.send("C,START,4.00"); // C,1 and this are refused where they already hold
    return this;
  }
  /** …and item 11 asked for and approved. */
  approved(): this {
    this.session().select(11);
    this.send("C,VEND,2.50");
    return this;
  }

  #take(event: Event): readonly string[] {
    [this.vmc, this.effects] = step(this.vmc, event);
    return this.effects.flatMap((effect) => (effect.kind === "say" ? [lineOf(effect.word)] : []));
  }
  get shows(): string {
    return displayOf(this.vmc);
  }
  get word(): string {
    return wordOf(this.vmc);
  }
  coil(item: number): readonly [stock: number | undefined, fallen: number | undefined] {
    const coil = this.vmc.coils.find((one) => one.item === item);
    return [coil?.stock, coil?.fallen];
  }
  get refused(): string | undefined {
    return this.effects.find((effect) => effect.kind === "refused")?.reason;
  }
}

test("is brought up: off, configured, on, inactive, disabled, enabled", () => {
  const bench = new Bench();
  expect(bench.word).toBe("off");
  expect(bench.shows).toBe("OUT OF ORDER");
  expect(bench.send("")).toEqual([]);
  expect(bench.send("V")).toHaveLength(1);
  expect(bench.send("X,0")).toEqual(["x,ACK"]);
  expect(bench.send("C,0")).toEqual(["c,0"]);
  expect(bench.send("C,SETCONF,mdb-decimal-places=2")).toEqual(["c,SET,OK"]);
  expect(bench.send("C,1")).toEqual(["c,1", "c,STATUS,INACTIVE"]);
  expect(bench.word).toBe("inactive");
  expect(bench.wait(100)).toEqual(["c,STATUS,DISABLED"]);
  expect(bench.word).toBe("disabled");
  expect(bench.wait(100)).toEqual(["c,STATUS,ENABLED"]);
  expect([bench.word, bench.shows]).toEqual(["enabled", "READY"]);
});

test("a reader at another address than the machine polls is never set up, until its adapter has lost power", () => {
  const bench = new Bench();
  expect(bench.send("C,SETCONF,mdb-addr=0x60")).toEqual(["c,SET,OK"]);
  bench.send("C,1");
  expect(bench.wait(60_000)).toEqual([]);
  expect([bench.word, bench.shows]).toEqual(["inactive", "OUT OF ORDER"]);
  bench.loseLine();
  bench.send("C,1");
  bench.wait(200);
  expect(bench.word).toBe("enabled");
});

test("sells: session, request, approval, coil, drop, success, session complete", () => {
  const bench = new Bench().session();
  expect([bench.word, bench.shows, creditOf(bench.vmc)]).toEqual(["session", "CREDIT 4.00", 400]);
  expect(bench.select(11)).toEqual(["c,STATUS,VEND,2.50,11"]);
  expect([bench.word, bench.shows]).toEqual(["vend", "PLEASE WAIT"]);
  expect(bench.send("C,VEND,2.50")).toEqual([]);
  expect(bench.shows).toBe("VENDING");
  expect(bench.wait(599)).toEqual([]);
  expect(bench.coil(11)).toEqual([2, 0]);
  expect(bench.wait(1)).toEqual(["c,VEND,SUCCESS", "c,STATUS,ENABLED"]);
  expect(bench.coil(11)).toEqual([1, 1]);
  expect([bench.word, bench.shows, creditOf(bench.vmc)]).toEqual(["enabled", "THANK YOU", null]);
  bench.wait(2_000);
  expect(bench.shows).toBe("READY");
});

test("a denied vend leaves the session open and drops nothing", () => {
  const bench = new Bench().session();
  bench.select(11);
  expect(bench.send("C,VEND,-1")).toEqual(["c,STATUS,IDLE,4.00"]);
  expect(bench.wait(10_000)).toEqual([]);
  expect(bench.coil(11)).toEqual([2, 0]);
  expect(bench.select(11)).toEqual(["c,STATUS,VEND,2.50,11"]);
});

test("a selection is asked for whatever the announced credit", () => {
  const bench = new Bench();
  bench.send("C,1");
  bench.wait(200);
  expect(bench.send("C,START,0.10")).toEqual(["c,STATUS,IDLE,0.10"]);
  expect(bench.select(11)).toEqual(["c,STATUS,VEND,2.50,11"]);
});

test("funds that are no amount open a session without a credit to show", () => {
  const bench = new Bench();
  bench.send("C,1");
  bench.wait(200);
  expect(bench.send("C,START,-")).toEqual(["c,STATUS,IDLE,-"]);
  expect([creditOf(bench.vmc), bench.shows]).toEqual([null, "SELECT ITEM"]);
});

// prettier-ignore
const wrongStates: readonly [where: string, prepare: (bench: Bench) => void, line: string, answer: string][] = [
  ["off",      () => undefined,                            "C,START,1",    'c,ERR,"cashless is off"'],
  ["off",      () => undefined,                            "C,VEND,1",     'c,ERR,"cashless is off"'],
  ["off",      () => undefined,                            "C,STOP",       'c,ERR,"cashless is off"'],
  ["inactive", (b) => void b.send("C,1"),                  "C,START,1",    'c,ERR,"START -3"'],
  ["inactive", (b) => void b.send("C,1"),                  "C,1",          'c,ERR,"cashless is on"'],
  ["inactive", (b) => void b.send("C,1"),                  "C,SETCONF,mdb-addr=0x10", 'c,ERR,"cashless is on"'],
  ["disabled", (b) => { b.send("C,1"); b.wait(100); },     "C,START,1",    'c,ERR,"START -3"'],
  ["enabled",  (b) => { b.send("C,1"); b.wait(200); },     "C,STOP",       'c,ERR,"STOP -3"'],
  ["enabled",  (b) => { b.send("C,1"); b.wait(200); },     "C,VEND,2.50",  'c,ERR,"VEND -3"'],
  ["enabled",  (b) => { b.send("C,1"); b.wait(200); },     "C,VEND,-1",    'c,ERR,"VEND -3"'],
  ["session",  (b) => void b.session(),                    "C,START,1",    'c,ERR,"START -3"'],
  ["session",  (b) => void b.session(),                    "C,VEND,2.50",  'c,ERR,"VEND -3"'],
  ["requested", (b) => void b.session().select(11),        "C,VEND,x",     'c,ERR,"VEND -2"'],
  ["requested", (b) => void b.session().select(11),        "C,STOP",       'c,ERR,"STOP -3"'],
  ["approved", (b) => void b.approved(),                   "C,VEND,2.50",  'c,ERR,"VEND -3"'],
  ["approved", (b) => void b.approved(),                   "C,VEND,-1",    'c,ERR,"VEND -3"'],
  ["approved", (b) => void b.approved(),                   "C,STOP",       'c,ERR,"STOP -3"'],
  ["enabled",  (b) => { b.send("C,1"); b.wait(200); },     "C,HELLO",      'c,UNKNOWN,"C,HELLO"'],
];
for (const [where, prepare, line, answer] of wrongStates) {
  test(`when ${where}, ${line} is answered ${answer} and changes nothing`, () => {
    const bench = new Bench();
    prepare(bench);
    const before = bench.vmc;
    expect(bench.send(line)).toEqual([answer]);
    expect(bench.vmc).toEqual(before);
  });
}

// prettier-ignore
const endings: readonly [how: string, end: (bench: Bench) => readonly string[], lines: readonly string[], word: string][] = [
  ["C,STOP",                    (b) => b.send("C,STOP"), ["c,STATUS,ENABLED"], "enabled"],
  ["the lever",                 (b) => b.cancel(),       ["c,STATUS,ENABLED"], "enabled"],
  ["a minute of nobody",        (b) => b.wait(60_000),   ["c,STATUS,ENABLED"], "enabled"],
  ["C,0",                       (b) => b.send("C,0"),    ["c,0"],              "off"],
  ["a line that is lost",       (b) => b.loseLine(),     [],                   "off"],
  ["a reset of the VMC",        (b) => b.faults({ vmcReset: true }), ["c,STATUS,INACTIVE"], "inactive"],
];
for (const [how, end, lines, word] of endings) {
  test(`${how} ends a session`, () => {
    const bench = new Bench().session();
    expect(end(bench)).toEqual(lines);
    expect(bench.word).toBe(word);
    expect(creditOf(bench.vmc)).toBeNull();
  });
}

// prettier-ignore
const giveUps: readonly [how: string, end: (bench: Bench) => readonly string[], lines: readonly string[]][] = [
  ["the lever is VEND CANCEL",           (b) => b.cancel(),     ["c,ERR,VEND 1", "c,STATUS,ENABLED"]],
  ["no answer in a minute is VEND FAILURE", (b) => b.wait(60_000), ["c,ERR,VEND 3", "c,STATUS,ENABLED"]],
  ["a reset is VEND 5",                  (b) => b.faults({ vmcReset: true }), ["c,ERR,VEND 5", "c,STATUS,INACTIVE"]],
];
for (const [how, end, lines] of giveUps) {
  test(`before the answer ${how}, and a late approval moves nothing`, () => {
    const bench = new Bench().session();
    bench.select(11);
    expect(end(bench)).toEqual(lines);
    expect(bench.send("C,VEND,2.50")).toEqual(['c,ERR,"VEND -3"']);
    bench.faults({ vmcReset: false });
    bench.wait(5_000);
    expect(bench.coil(11)).toEqual([2, 0]);
  });
}

test("the lever does nothing once the coil turns", () => {
  const bench = new Bench().approved();
  expect(bench.cancel()).toEqual([]);
  expect(bench.wait(600)).toEqual(["c,VEND,SUCCESS", "c,STATUS,ENABLED"]);
});

// prettier-ignore
const refusals: readonly [when: string, prepare: (bench: Bench) => void, item: number, refused: string, shows: string][] = [
  ["there is no session",   (b) => { b.send("C,1"); b.wait(200); }, 11, "NO_SESSION",   "PRICE 2.50"],
  ["there is no controller", () => undefined,                       11, "NO_SESSION",   "PRICE 2.50"],
  ["the coil is empty",     (b) => void b.session(),                12, "SOLD_OUT",     "SOLD OUT"],
  ["there is no such item", (b) => void b.session(),                13, "NO_SUCH_ITEM", "NO SUCH ITEM"],
  ["another vend is asked", (b) => void b.session().select(11),     11, "BUSY",         "PLEASE WAIT"],
  ["a coil turns",          (b) => void b.approved(),               11, "BUSY",         "PLEASE WAIT"],
  ["the VMC is dead",       (b) => void b.session().faults({ vmcSilent: true }), 11, "OUT_OF_ORDER", "OUT OF ORDER"],
];
for (const [when, prepare, item, refused, shows] of refusals) {
  test(`a key does nothing when ${when}, and the display says ${shows}`, () => {
    const bench = new Bench();
    prepare(bench);
    expect(bench.select(item)).toEqual([]);
    expect([bench.refused, bench.shows]).toEqual([refused, shows]);
  });
}

test("the last one sold leaves the coil sold out", () => {
  const bench = new Bench().approved();
  bench.wait(600);
  for (const stock of [1, 0]) {
    expect(bench.coil(11)).toEqual([stock, 2 - stock]);
    bench.send("C,START,4.00");
    bench.select(11);
    bench.send("C,VEND,2.50");
    bench.wait(600);
  }
  expect(bench.refused).toBeUndefined();
  expect(bench.coil(11)).toEqual([0, 2]);
  bench.select(11);
  expect(bench.refused).toBe("SOLD_OUT");
});

test("a jam turns the motor, drops nothing and fails the vend", () => {
  const bench = new Bench();
  bench.faults({ jam: true });
  bench.approved();
  expect(bench.wait(600)).toEqual(["c,ERR,VEND 3", "c,STATUS,ENABLED"]);
  expect(bench.effects[0]).toEqual({ kind: "jams", item: 11 });
  expect(bench.coil(11)).toEqual([2, 0]);
  expect(bench.shows).toBe("VEND FAILED");
});

test("without a report the product falls and the reader is enabled late", () => {
  const bench = new Bench();
  bench.faults({ noReport: true });
  bench.approved();
  expect(bench.wait(600)).toEqual([]);
  expect([bench.coil(11), bench.word]).toEqual([[1, 1], "vend"]);
  expect(bench.wait(5_000)).toEqual(["c,STATUS,ENABLED"]);
});

test("a duplicate report says success twice for one product", () => {
  const bench = new Bench();
  bench.faults({ duplicateReport: true });
  bench.approved();
  expect(bench.wait(600)).toEqual(["c,VEND,SUCCESS", "c,VEND,SUCCESS", "c,STATUS,ENABLED"]);
  expect(bench.coil(11)).toEqual([1, 1]);
});

test("a slow coil takes as long as the fault says", () => {
  const bench = new Bench();
  bench.faults({ slowCoilMs: 30_000 });
  bench.approved();
  expect(bench.wait(29_999)).toEqual([]);
  expect(bench.wait(1)).toEqual(["c,VEND,SUCCESS", "c,STATUS,ENABLED"]);
});

test("a resetting VMC resets in the middle of a vend, the product still falls, and nobody says so", () => {
  const bench = new Bench();
  bench.send("C,1");
  bench.wait(200);
  expect(bench.faults({ vmcReset: true })).toEqual(["c,STATUS,INACTIVE"]);
  expect(bench.wait(200)).toEqual(["c,STATUS,DISABLED", "c,STATUS,ENABLED"]);
  bench.send("C,START,4.00");
  bench.select(11);
  bench.send("C,VEND,2.50");
  expect(bench.wait(300)).toEqual(["c,ERR,VEND 5", "c,STATUS,INACTIVE"]);
  expect(bench.coil(11)).toEqual([2, 0]);
  expect(bench.wait(300)).toEqual(["c,STATUS,DISABLED", "c,STATUS,ENABLED"]);
  expect(bench.coil(11)).toEqual([1, 1]);
});

test("a line lost after the approval does not stop the coil, and the result has nobody to hear it", () => {
  const bench = new Bench().approved();
  bench.loseLine();
  expect([bench.word, bench.shows]).toEqual(["off", "VENDING"]);
  expect(bench.wait(600)).toEqual([]);
  expect(bench.coil(11)).toEqual([1, 1]);
});

test("C,0 and C,1 while the coil turns give a fresh reader that hears nothing of the old vend", () => {
  const bench = new Bench().approved();
  expect(bench.send("C,0")).toEqual(["c,0"]);
  expect(bench.send("C,1")).toEqual(["c,1", "c,STATUS,INACTIVE"]);
  expect(bench.wait(600)).toEqual(["c,STATUS,DISABLED", "c,STATUS,ENABLED"]);
  expect(bench.coil(11)).toEqual([1, 1]);
});

test("a coil that outlives its session keeps the keys locked, and its end is not told to the next session", () => {
  const bench = new Bench();
  bench.faults({ slowCoilMs: 10_000 });
  bench.approved().send("C,0");
  bench.session();
  expect(bench.word).toBe("session");
  expect(bench.select(11)).toEqual([]);
  expect(bench.refused).toBe("BUSY");
  expect(bench.wait(10_000)).toEqual([]);
  expect([bench.coil(11), bench.word]).toEqual([[1, 1], "session"]);
});

test("with no VMC on the bus the adapter answers and nothing else happens", () => {
  const bench = new Bench();
  bench.faults({ vmcSilent: true });
  expect(bench.send("V")).toHaveLength(1);
  expect(bench.send("C,1")).toEqual(["c,1", "c,STATUS,INACTIVE"]);
  expect(bench.wait(60_000)).toEqual([]);
  expect([bench.word, bench.shows]).toEqual(["silent", "OUT OF ORDER"]);
  expect(bench.send("C,START,4.00")).toEqual(['c,ERR,"START -3"']);
  expect(bench.faults({ vmcSilent: false })).toEqual(["c,STATUS,INACTIVE"]);
  expect(bench.wait(200)).toEqual(["c,STATUS,DISABLED", "c,STATUS,ENABLED"]);
});

for (const line of ["C,STOP", "C,VEND,2.50", "C,VEND,-1"]) {
  test(`a VMC that went silent does not hear ${line}`, () => {
    const bench = new Bench().session();
    if (line !== "C,STOP") bench.select(11);
    bench.faults({ vmcSilent: true });
    expect(bench.send(line)).toEqual([]);
    expect(bench.wait(120_000)).toEqual([]);
    expect([bench.coil(11), creditOf(bench.vmc)]).toEqual([[2, 0], null]);
  });
}

test("a VMC that fell silent over a turning coil resets the reader when it is back", () => {
  const bench = new Bench().approved();
  bench.faults({ vmcSilent: true });
  expect(bench.wait(10_000)).toEqual([]);
  expect(bench.coil(11)).toEqual([1, 1]);
  expect(bench.faults({ vmcSilent: false })).toEqual(["c,ERR,VEND 5", "c,STATUS,INACTIVE"]);
});

test("a VMC that would reset in mid-vend but is silent by then does not, and the coil still ends", () => {
  const bench = new Bench();
  bench.session().faults({ vmcReset: true });
  bench.approved();
  bench.faults({ vmcSilent: true });
  expect(bench.wait(600)).toEqual([]);
  expect(bench.coil(11)).toEqual([1, 1]);
});

test("waits for nothing when nothing is due", () => {
  const bench = new Bench();
  expect(nextDueMs(bench.vmc)).toBeUndefined();
  bench.send("C,1");
  expect(nextDueMs(bench.vmc)).toBe(100);
  bench.wait(200);
  expect(nextDueMs(bench.vmc)).toBeUndefined();
  bench.approved();
  expect(nextDueMs(bench.vmc)).toBe(bench.nowMs + 600);
});
