/** The sale at the machine: each thing it may hear, in each state it may be in. */
import { describe, expect, test } from "vitest";
import type { Body } from "../../broker/protocol/messages.js";
import type { MdbState, Said } from "../../controller/mdb/driver.js";
import { NOTHING_HELD, readDurable, type Durable } from "../../controller/sale/durable.js";
import { SUSPENDED_MS } from "../../broker/protocol/machine-configuration.js";
import { ITEM_UNDEFINED } from "../../controller/mdb/driver.js";
import * as machine from "../../controller/sale/machine.js";

const terms = { currency: "NZD", vendResultMs: 25_000, selectionMs: 45_000, suspendAfter: 3 };
const grant = (id: string, more: Partial<Body["grant"]> = {}): Body["grant"] => ({
  grantId: id,
  saleId: `sale-${id}`,
  amountMinor: 400,
  currency: "NZD",
  sessionMs: 60_000,
  goMs: 10_000,
  maxVends: 1,
  ...more,
});

/** A sale with its clock and its disk. What it does is told in short: `accepted g1`, `ask approve 1`, `yes r1`. */
class Till {
  nowMs = 1_000;
  sale: machine.Sale;
  durable: Durable;
  entries: machine.Entry[] = [];
  booted: string[];

  constructor(durable = NOTHING_HELD, mdb: MdbState = "enabled") {
    this.durable = durable;
    const [sale, effects] = machine.boot(durable, { id: "j1", last: 10 }, terms);
    this.sale = sale;
    this.booted = this.#perform(effects);
    this.said({ kind: "mdb", mdb });
  }
  #perform(effects: readonly machine.SaleEffect[]): string[] {
    return effects.flatMap((effect) => {
      switch (effect.kind) {
        case "journal":
          this.entries.push(...effect.entries);
          this.durable = readDurable(JSON.stringify(effect.durable));
          return effect.entries.map(({ line }) => words(line));
        case "ask":
          return [`ask ${effect.ask.kind}${"request" in effect.ask ? ` ${effect.ask.request}` : ""}`];
        case "reserved":
          return [effect.reserved.ok ? "yes" : effect.reserved.reason];
        case "selected":
          return [`selected ${effect.selection.requestId}`];
        case "withdrawn":
          return [`withdrawn ${effect.requestId}`];
        case "ignored":
          return ["ignored"];
      }
    });
  }
  hear(
    event: machine.SaleEvent extends infer E ? (E extends unknown ? Omit<E, "nowMs"> : never) : never,
  ): string[] {
    const timed = { ...event, nowMs: this.nowMs } as machine.SaleEvent; // only nowMs was left out
    const [next, effects] = machine.step(this.sale, timed);
    this.sale = next;
    return this.#perform(effects);
  }
  said(said: Said): string[] {
    return this.hear({ kind: "said", said });
  }
  reserve(): string[] {
    return this.hear({ kind: "reserve", reserve: { reservationId: "r1", ttlMs: 30_000 } });
  }
  grant(id = "g1", more: Partial<Body["grant"]> = {}): string[] {
    return this.hear({ kind: "grant", grant: grant(id, more) });
  }
  decide(kind: "go" | "void", decision: Partial<Body["go"]> = {}): string[] {
    return this.hear({ kind, decision: { grantId: "g1", journal: "j1", entry: 11, ...decision } });
  }
  request(priceMinor: number | undefined, request = 1, item = 7): string[] {
    const price = priceMinor === undefined ? {} : { priceMinor };
    return this.said({ kind: "vendRequested", request, item, ...price });
  }
  pass(ms: number): string[] {
    this.nowMs += ms;
    return this.hear({ kind: "tick" });
  }
  restart(): Till {
    const next = new Till(this.durable);
    return next;
  }
}

function words(line: machine.Entry["line"]): string {
  const flags = [
    ...("reason" in line ? [line.reason] : []),
    ...("assumed" in line && line.assumed ? ["assumed"] : []),
    ...("late" in line && line.late ? ["late"] : []),
  ];
  const what = "grantId" in line ? line.grantId : line.kind === "alarm" ? line.code : "";
  return [line.kind, what, ...flags].join(" ");
}

function accepted(): Till {
  const till = new Till();
  expect(till.grant()).toEqual(["accepted g1"]);
  return till;
}
function open(more: Partial<Body["grant"]> = {}): Till {
  const till = new Till();
  till.grant("g1", more);
  expect(till.decide("go")).toEqual(["opened g1", "ask openSession"]);
  till.said({ kind: "opened" });
  return till;
}
function approved(more: Partial<Body["grant"]> = {}): Till {
  const till = open(more);
  expect(till.request(350)).toEqual(["approved g1", "ask approve 1"]);
  return till;
}

test("one sale: granted, gone, approved, vended, closed", () => {
  const till = approved();
  expect(till.said({ kind: "vendSucceeded" })).toEqual([
    "succeeded g1",
    "closed g1 done",
    "ask closeSession",
  ]);
  expect(till.entries.map(({ n }) => n)).toEqual([11, 12, 13, 14, 15]);
  expect(till.durable.held.kind).toBe("none");
  expect(till.entries[2]?.line).toEqual({
    kind: "approved",
    grantId: "g1",
    vend: 1,
    item: 7,
    priceMinor: 350,
  });
});

// prettier-ignore
const answers: readonly [name: string, till: () => Till, reserve: string, grant: string][] = [
  ["idle and enabled",      () => new Till(),                          "yes",          "accepted g9"],
  ["serving someone",       () => open(),                              "busy",         "refused g9 busy"],
  ["between two sessions",  () => new Till(NOTHING_HELD, "session"),   "busy",         "refused g9 busy"],
  ["disabled by the VMC",   () => new Till(NOTHING_HELD, "disabled"),  "outOfService", "refused g9 outOfService"],
  ["without a serial line", () => new Till(NOTHING_HELD, "lost"),      "outOfService", "refused g9 outOfService"],
];
for (const [name, till, reserve, granted] of answers) {
  test(`a machine ${name} answers ${reserve}, and to a grant ${granted}`, () => {
    expect(till().reserve()).toEqual([reserve]);
    expect(till().grant("g9")).toEqual([granted]);
  });
}

test("a refused grant leaves the held one as it was", () => {
  const till = approved();
  expect(till.grant("g9")).toEqual(["refused g9 busy"]);
  expect(till.durable.held).toMatchObject({ kind: "approved", grantId: "g1" });
});

test("a full or broken journal sells nothing, and says which", () => {
  const till = new Till();
  till.hear({ kind: "trouble", trouble: "journalFull" });
  expect(till.reserve()).toEqual(["outOfService"]);
  expect(machine.selling(till.sale)).toEqual({ canSell: false, reason: "journalFull" });
  till.hear({ kind: "trouble", trouble: "" });
  expect(machine.selling(till.sale)).toEqual({ canSell: true, reason: "" });
});

test("another currency is refused", () => {
  expect(new Till().grant("g1", { currency: "AUD" })).toEqual(["refused g1 currency"]);
});

test("a grant delivered again is ignored in every state", () => {
  for (const till of [accepted(), open(), approved()]) expect(till.grant()).toEqual(["ignored"]);
});

// prettier-ignore
const strangers: readonly [name: string, decision: Partial<Body["go"]>][] = [
  ["another grant",   { grantId: "g0" }],
  ["another journal", { journal: "j0" }],
  ["another entry",   { entry: 9 }],
];
for (const [name, decision] of strangers) {
  test(`go and void that name ${name} change nothing`, () => {
    for (const till of [accepted(), open(), approved()]) {
      expect(till.decide("go", decision)).toEqual(["ignored"]);
      expect(till.decide("void", decision)).toEqual(["ignored"]);
    }
  });
}

test("go is heard once", () => {
  expect(open().decide("go")).toEqual(["ignored"]);
  expect(new Till().decide("go")).toEqual(["ignored"]);
});

test("a go that comes too late meets a lapsed grant", () => {
  const till = accepted();
  till.nowMs += 10_000;
  expect(till.decide("go")).toEqual(["lapsed g1 noGo", "ignored"]);
  expect(accepted().pass(9_999)).toEqual([]);
  expect(accepted().pass(10_000)).toEqual(["lapsed g1 noGo"]);
});

test("a go to a machine that can no longer sell lets the grant lapse", () => {
  const till = accepted();
  till.said({ kind: "mdb", mdb: "disabled" });
  expect(till.decide("go")).toEqual(["lapsed g1 notReady"]);
});

test("a session that does not open closes the sale", () => {
  const till = new Till();
  till.grant();
  till.decide("go");
  expect(till.said({ kind: "notOpened" })).toEqual(["closed g1 notOpened"]);
});

// prettier-ignore
const prices: readonly [price: number | undefined, answer: readonly string[]][] = [
  [400,       ["approved g1", "ask approve 1"]],
  [1,         ["approved g1", "ask approve 1"]],
  [401,       ["denied g1 aboveCredit", "ask deny 1"]],
  [0,         ["denied g1 badPrice", "ask deny 1"]],
  [undefined, ["denied g1 badPrice", "ask deny 1"]],
];
for (const [price, answer] of prices) {
  test(`a price of ${price ?? "nothing readable"} under a credit of 400 is ${answer[0] ?? ""}`, () =>
    expect(open().request(price)).toEqual(answer));
}

test("what the grant is not for is denied, whatever it costs, and what it is for is sold", () => {
  const till = open({ items: [7, 8] });
  expect(till.request(100, 1, 9)).toEqual(["denied g1 notGranted", "ask deny 1"]);
  expect(till.request(0, 2, 9)).toEqual(["denied g1 notGranted", "ask deny 2"]);
  expect(till.request(100, 3, 8)).toEqual(["approved g1", "ask approve 3"]);
});

test("a denial leaves the session open for a cheaper choice", () => {
  const till = open();
  till.request(500, 1);
  expect(till.request(300, 2)).toEqual(["approved g1", "ask approve 2"]);
});

test("a request without an open sale is denied and journals nothing", () => {
  for (const till of [new Till(), accepted(), approved()])
    expect(till.request(100, 5)).toEqual(["ask deny 5"]);
});

// prettier-ignore
const endings: readonly [said: Said["kind"], whenOpen: readonly string[], whenApproved: readonly string[]][] = [
  ["vendSucceeded", ["alarm orphanSuccess"], ["succeeded g1", "closed g1 done", "ask closeSession"]],
  ["vendFailed",    ["ignored"],             ["failed g1", "closed g1 failed", "ask closeSession"]],
  ["vendCancelled", ["ignored"],             ["failed g1", "closed g1 ended", "ask closeSession"]],
  ["reset",         ["closed g1 ended"],     ["succeeded g1 assumed", "closed g1 done"]],
  ["sessionEnded",  ["closed g1 ended"],     ["unknown g1 ended", "closed g1 unknown"]],
  ["lost",          ["closed g1 ended"],     ["unknown g1 serial", "closed g1 unknown"]],
];
for (const [kind, whenOpen, whenApproved] of endings) {
  test(`${kind} before and after the approval`, () => {
    expect(open().said({ kind } as Said)).toEqual(whenOpen); // the kinds of this table have no other field
    expect(approved().said({ kind } as Said)).toEqual(whenApproved);
  });
}

test("a success said again is ignored; one that nobody asked for is an alarm, once a minute", () => {
  const till = approved();
  till.said({ kind: "vendSucceeded" });
  expect(till.said({ kind: "vendSucceeded" })).toEqual(["ignored"]);
  expect(till.restart().said({ kind: "vendSucceeded" })).toEqual(["ignored"]);
  const stranger = new Till();
  expect(stranger.said({ kind: "vendSucceeded" })).toEqual(["alarm orphanSuccess"]);
  expect(stranger.said({ kind: "vendSucceeded" })).toEqual(["ignored"]);
  stranger.nowMs += machine.ALARM_EVERY_MS;
  expect(stranger.said({ kind: "vendSucceeded" })).toEqual(["alarm orphanSuccess"]);
});

test("silence after an approval is unknown, and a later word corrects it, once", () => {
  for (const kind of ["vendSucceeded", "vendFailed"] as const) {
    const till = approved();
    expect(till.pass(24_999)).toEqual([]);
    expect(till.pass(1)).toEqual(["unknown g1 timeout", "closed g1 unknown", "ask closeSession"]);
    const later = till.restart();
    expect(later.said({ kind })).toEqual([kind === "vendSucceeded" ? "succeeded g1 late" : "failed g1 late"]);
    expect(later.said({ kind })).toEqual(["ignored"]);
  }
});

test("a late word is not taken for an older vend once a new session is open", () => {
  const till = approved();
  till.pass(25_000);
  till.grant("g2");
  till.decide("go", { grantId: "g2", entry: till.sale.journal.last });
  expect(till.said({ kind: "vendSucceeded" })).toEqual(["alarm orphanSuccess"]);
});

test("the session ends in its time, a vend under way is waited for", () => {
  expect(open().pass(60_000)).toEqual(["closed g1 timeout", "ask closeSession"]);
  const till = open();
  till.nowMs += 50_000;
  till.request(100);
  expect(till.pass(15_000)).toEqual([]);
  expect(till.said({ kind: "vendSucceeded" })).toEqual([
    "succeeded g1",
    "closed g1 done",
    "ask closeSession",
  ]);
});

test("a void ends what has not vended, and waits for a vend under way", () => {
  expect(accepted().decide("void")).toEqual(["lapsed g1 void"]);
  expect(open().decide("void")).toEqual(["closed g1 void", "ask closeSession"]);
  const till = approved({ maxVends: 3 });
  expect(till.decide("void")).toEqual([]);
  expect(till.said({ kind: "vendSucceeded" })).toEqual([
    "succeeded g1",
    "closed g1 done",
    "ask closeSession",
  ]);
});

test("several vends share one credit, up to the number granted", () => {
  const till = open({ maxVends: 2 });
  till.request(150, 1);
  expect(till.said({ kind: "vendSucceeded" })).toEqual(["succeeded g1"]);
  expect(till.request(251, 2)).toEqual(["denied g1 aboveCredit", "ask deny 2"]);
  expect(till.request(250, 3)).toEqual(["approved g1", "ask approve 3"]);
  expect(till.said({ kind: "vendSucceeded" })).toEqual([
    "succeeded g1",
    "closed g1 done",
    "ask closeSession",
  ]);
});

// prettier-ignore
const restarts: readonly [name: string, till: () => Till, booted: readonly string[]][] = [
  ["nothing held", () => new Till(), []],
  ["accepted",     accepted,         ["lapsed g1 boot"]],
  ["open",         open,             ["closed g1 boot"]],
  ["approved",     approved,         ["unknown g1 boot", "closed g1 unknown"]],
];
for (const [name, till, booted] of restarts) {
  test(`a restart with ${name} resumes nothing`, () => {
    const next = till().restart();
    expect(next.booted).toEqual(booted);
    expect(next.decide("go")).toEqual(["ignored"]);
    expect(next.request(100)).toEqual(["ask deny 1"]);
  });
}

test("a session that opens after its sale is over is closed", () => {
  expect(new Till().said({ kind: "opened" })).toEqual(["ask closeSession"]);
});

test("one step is one transaction: what expired and what was heard are journaled together, before anything is done", () => {
  const till = open();
  till.nowMs += 60_000;
  const [, effects] = machine.step(till.sale, { kind: "grant", grant: grant("g2"), nowMs: till.nowMs });
  expect(effects.map(({ kind }) => kind)).toEqual(["journal", "ask"]);
  expect(effects[0]).toMatchObject({
    entries: [{ line: { kind: "closed" } }, { line: { kind: "accepted" } }],
  });
});

test("a sale for cash is written down, changes nothing that is held, and takes no room in a full journal", () => {
  const cash = { kind: "cashSale", item: 7, priceMinor: 150 } as const;
  const till = approved();
  const { held } = till.sale;
  expect(till.said(cash)).toEqual(["cashSale "]);
  expect(till.entries.at(-1)).toEqual({ n: 14, line: cash });
  expect(till.sale.held).toEqual(held);
  till.hear({ kind: "trouble", trouble: "journalFull" });
  expect(till.said(cash)).toEqual(["ignored"]);
});

describe("a selection before any credit", () => {
  /** Chosen, with somebody asked to pay for it. */
  function selected(): Till {
    const till = new Till();
    till.said({ kind: "mdb", mdb: "vend" });
    expect(select(till)).toEqual(["selected q1"]);
    expect(till.hear({ kind: "answered", requestId: "q1", isPayable: true })).toEqual([]);
    return till;
  }
  const select = (till: Till, requestId: string | undefined = "q1", priceMinor = 350): string[] =>
    till.hear({ kind: "said", said: { kind: "vendRequested", request: 1, item: 7, priceMinor }, requestId });
  function granted(): Till {
    const till = selected();
    expect(till.grant("g1", { requestId: "q1", amountMinor: 350 })).toEqual(["accepted g1"]);
    return till;
  }

  test("is approved by the go of its own grant, and vends", () => {
    const till = granted();
    expect(till.decide("go")).toEqual(["opened g1", "approved g1", "ask approve 1"]);
    expect(till.said({ kind: "vendSucceeded" })).toEqual([
      "succeeded g1",
      "closed g1 done",
      "ask closeSession",
    ]);
  });

  test("says yes to whoever asks for it, and is busy for everybody else", () => {
    const till = selected();
    const reserve = (requestId?: string): string[] =>
      till.hear({
        kind: "reserve",
        reserve: { reservationId: "r", ttlMs: 1, ...(requestId && { requestId }) },
      });
    expect([reserve("q1"), reserve("q2"), reserve()]).toEqual([["yes"], ["busy"], ["busy"]]);
    expect(till.grant("g8")).toEqual(["refused g8 busy"]);
    expect(till.grant("g9", { requestId: "q2" })).toEqual(["refused g9 withdrawn"]);
    expect(till.grant("g1", { requestId: "q1", amountMinor: 350 })).toEqual(["accepted g1"]);
  });

  test.each([
    ["nobody can be asked", undefined, 350],
    ["its price could not be read", "q1", 0],
  ])("is denied when %s", (_why, requestId, priceMinor) => {
    const till = new Till();
    till.said({ kind: "mdb", mdb: "vend" });
    expect(
      till.hear({
        kind: "said",
        said: { kind: "vendRequested", request: 1, item: 7, priceMinor },
        requestId,
      }),
    ).toEqual(["ask deny 1"]);
    expect(till.reserve()).toEqual(["busy"]); // the bus is still in its vend
  });

  test("is denied when the backend says that nobody will pay, or says nothing", () => {
    expect(selected().hear({ kind: "answered", requestId: "q1", isPayable: false })).toEqual([
      "ask deny 1",
      "withdrawn q1",
    ]);
    const unanswered = new Till();
    unanswered.said({ kind: "mdb", mdb: "vend" });
    select(unanswered);
    expect(unanswered.pass(machine.ANSWER_MS - 1)).toEqual([]);
    expect(unanswered.pass(1)).toEqual(["ask deny 1", "withdrawn q1"]);
  });

  test("waits as long as it is told, and a payment that comes later is refused", () => {
    const till = selected();
    expect(till.pass(terms.selectionMs)).toEqual(["ask deny 1", "withdrawn q1"]);
    expect(till.grant("g1", { requestId: "q1" })).toEqual(["refused g1 withdrawn"]);
  });

  test("lets its grant lapse when the go comes too late, is a void, or the machine has ended it", () => {
    const late = granted();
    expect(late.pass(terms.selectionMs)[0]).toMatch(/^lapsed g1/);
    expect(late.decide("go")).toEqual(["ignored"]);
    expect(granted().decide("void")).toEqual(["lapsed g1 void", "ask deny 1", "withdrawn q1"]);
    for (const kind of ["vendCancelled", "reset", "sessionEnded", "lost"] as const) {
      const till = granted();
      expect(till.said({ kind })).toEqual(["lapsed g1 withdrawn", "withdrawn q1"]);
      expect(till.decide("go")).toEqual(["ignored"]);
    }
  });

  test("is not approved for less than its price", () => {
    const till = selected();
    till.grant("g1", { requestId: "q1", amountMinor: 349 });
    expect(till.decide("go")).toEqual(["lapsed g1 notReady", "ask deny 1", "withdrawn q1"]);
  });

  test("does not outlive a power cut: its grant lapses, and a late one is refused", () => {
    expect(granted().restart().booted).toEqual(["lapsed g1 boot"]);
    const till = selected().restart();
    expect(till.booted).toEqual([]);
    expect(till.grant("g1", { requestId: "q1" })).toEqual(["refused g1 withdrawn"]);
  });

  test("is denied at once when the journal can no longer be written", () => {
    expect(selected().hear({ kind: "trouble", trouble: "journalFailed" })).toEqual([
      "ask deny 1",
      "withdrawn q1",
    ]);
  });

  test("taken back at the machine is over at once", () => {
    const till = selected();
    expect(till.said({ kind: "vendCancelled" })).toEqual(["withdrawn q1"]);
    expect(till.grant("g1", { requestId: "q1" })).toEqual(["refused g1 withdrawn"]);
  });
});

describe("an item that fails again and again", () => {
  const fail = (till: Till, grantId: string, item = 7): void => {
    till.grant(grantId);
    till.decide("go", { grantId, entry: till.entries.at(-1)?.n ?? 0 });
    expect(till.request(350, 1, item).at(-1)).toBe("ask approve 1");
    till.said({ kind: "vendFailed" });
  };
  function failing(times: number): Till {
    const till = new Till();
    for (let n = 0; n < times; n += 1) fail(till, `f${n}`);
    till.grant("g");
    till.decide("go", { grantId: "g", entry: till.entries.at(-1)?.n ?? 0 });
    return till;
  }

  test("is denied, while another one is sold", () => {
    const till = failing(3);
    expect(till.request(350, 2, 7)).toEqual(["denied g suspended", "ask deny 2"]);
    expect(till.request(350, 3, 8)).toEqual(["approved g", "ask approve 3"]);
  });

  test("is sold until then, and again after a success, a restart or a while", () => {
    const twice = failing(2);
    expect(twice.request(350, 2, 7)).toEqual(["approved g", "ask approve 2"]);
    twice.said({ kind: "vendSucceeded" });
    fail(twice, "f9");
    expect(twice.sale.failures.get(7)?.times).toBe(1);
    expect(failing(3).restart().sale.failures.size).toBe(0);
    const later = failing(3);
    later.said({ kind: "sessionEnded" });
    later.nowMs += SUSPENDED_MS;
    fail(later, "f9");
  });

  test("is not taken as a selection either", () => {
    const till = failing(3);
    till.said({ kind: "sessionEnded" });
    till.said({ kind: "mdb", mdb: "vend" });
    const said = { kind: "vendRequested", request: 5, item: 7, priceMinor: 350 } as const;
    expect(till.hear({ kind: "said", said, requestId: "q" })).toEqual(["ask deny 5"]);
  });

  test("is not known where the machine names none: the others are sold", () => {
    const till = new Till();
    for (let n = 0; n < 5; n += 1) fail(till, `f${n}`, ITEM_UNDEFINED);
    expect(till.sale.failures.size).toBe(0);
  });

  test("is not blamed for a cancel", () => {
    const till = approved();
    till.said({ kind: "vendCancelled" });
    expect(till.sale.failures.size).toBe(0);
  });
});
