/** The link to the adapter: what it says on the line and to the sale, line by line, against scripts and any order. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Ask, Driver, DriverEffect, DriverEvent, MdbState, Said } from "../../controller/mdb/driver.js";
import {
  LATE_AGAIN_MS,
  LATE_TRIES,
  SETTING_TRIES,
  ENABLE_MS,
  HEARTBEAT_MS,
  qibixx,
  SETTLE_MS,
  START_PAUSE_MS,
  START_TRIES,
  STOP_TRIES,
  VERSION_TRIES,
  type QibixxLink,
  type QibixxSetup,
} from "../../controller/mdb/qibixx.js";
import { qibixxSetup } from "../../controller/mdb/qibixx-setup.js";

const DRAIN_MS = 5;
const driverWith = (settings: QibixxSetup["settings"], selectsFirst = false): Driver<QibixxLink> =>
  qibixx({ decimals: 2, drainMs: DRAIN_MS, selectsFirst, settings });
const driver = driverWith([["mdb-decimal-places", "2"]]);
const VERSION = "v,4.0.2.0,0123";

/** A link with its clock: `take` answers with what was sent (`> `), said (`! `) or done about the port. */
class Bench {
  nowMs = 0;
  link: QibixxLink = driver.initial;
  mdb: MdbState = "lost";
  readonly #driver: Driver<QibixxLink>;

  constructor(settings?: QibixxSetup["settings"], selectsFirst = false) {
    this.#driver = settings === undefined ? driver : driverWith(settings, selectsFirst);
  }

  #step(event: DriverEvent): string[] {
    const [next, effects] = this.#driver.step(this.link, event);
    this.link = next;
    for (const effect of effects)
      if (effect.kind === "say" && effect.said.kind === "mdb") this.mdb = effect.said.mdb;
    return effects.flatMap(render);
  }
  connected(): string[] {
    return this.#step({ kind: "connected", nowMs: this.nowMs });
  }
  disconnected(): string[] {
    return this.#step({ kind: "disconnected", nowMs: this.nowMs });
  }
  line(...texts: readonly string[]): string[] {
    return texts.flatMap((text) => this.#step({ kind: "line", text, nowMs: this.nowMs }));
  }
  ask(ask: Ask): string[] {
    return this.#step({ kind: "ask", ask, nowMs: this.nowMs });
  }
  /** Lets time pass, ticking whenever the link wants it. */
  pass(ms: number): string[] {
    const untilMs = this.nowMs + ms;
    const out: string[] = [];
    for (
      let due = this.#driver.dueMs(this.link);
      due !== undefined && due <= untilMs;
      due = this.#driver.dueMs(this.link)
    ) {
      this.nowMs = Math.max(this.nowMs, due);
      out.push(...this.#step({ kind: "tick", nowMs: this.nowMs }));
    }
    this.nowMs = untilMs;
    return out;
  }
}

function render(effect: DriverEffect): string[] {
  switch (effect.kind) {
    case "send":
      return [`> ${effect.text}`];
    case "say":
      return effect.said.kind === "mdb" ? [] : [`! ${words(effect.said)}`];
    case "alarm":
      return [`alarm ${effect.code}`];
    case "reopen":
      return ["reopen"];
    case "ignored":
      return [];
  }
}
const words = (said: Said): string =>
  said.kind === "vendRequested"
    ? `vendRequested ${said.request} ${said.item} ${said.priceMinor ?? "?"}`
    : said.kind;

function ready(): Bench {
  const bench = new Bench();
  bench.connected();
  bench.pass(SETTLE_MS);
  bench.line(VERSION, "x,ACK", "c,0", "c,SET,OK", "c,1", "c,STATUS,ENABLED");
  expect(bench.mdb).toBe("enabled");
  return bench;
}
function inSession(): Bench {
  const bench = ready();
  expect(bench.ask({ kind: "openSession", amountMinor: 400 })).toEqual(["> C,START,4.00"]);
  expect(bench.line("c,STATUS,IDLE,4.00")).toEqual(["! opened"]);
  expect(bench.mdb).toBe("session");
  return bench;
}
function inRequest(): Bench {
  const bench = inSession();
  expect(bench.line("c,STATUS,VEND,3.5,7")).toEqual(["! vendRequested 1 7 350"]);
  expect(bench.mdb).toBe("vend");
  return bench;
}
function afterApproval(): Bench {
  const bench = inRequest();
  expect(bench.ask({ kind: "approve", request: 1 })).toEqual([]);
  expect(bench.pass(DRAIN_MS)).toEqual(["> C,VEND,3.5"]);
  return bench;
}

test("the bring-up settles, clears the line, and says one command at a time", () => {
  const bench = new Bench();
  expect(bench.connected()).toEqual([]);
  expect(bench.line("c,STATUS,IDLE,9.00")).toEqual([]);
  expect(bench.pass(SETTLE_MS)).toEqual(["> ", "> V"]);
  expect(bench.line("r,ACK")).toEqual([]);
  expect(bench.line(VERSION)).toEqual(["> X,0"]);
  expect(bench.line("x,ACK")).toEqual(["> C,0"]);
  expect(bench.line("c,0")).toEqual(["> C,SETCONF,mdb-decimal-places=2"]);
  expect(bench.line("c,SET,OK")).toEqual(["> C,1"]);
  expect(bench.line("c,1")).toEqual([]);
  expect(bench.mdb).toBe("inactive");
  bench.line("c,STATUS,DISABLED");
  expect(bench.mdb).toBe("disabled");
  bench.line("c,STATUS,ENABLED");
  expect(bench.mdb).toBe("enabled");
});

// prettier-ignore
const lastWords: readonly [name: string, lines: readonly string[], sent: readonly string[], mdb: MdbState][] = [
  ["older firmware's ONLINE",            ["c,STATUS,ONLINE", "c,STATUS,ENABLED"],        [],           "enabled"],
  ["a firmware that skips c,1",          ["c,STATUS,ENABLED"],                           [],           "enabled"],
  ["a firmware that goes straight to IDLE", ["c,STATUS,IDLE", 'c,ERR,"STOP -3"'],        ["> C,STOP"], "enabled"],
  ["an adapter that was on already",     ['c,ERR,"cashless is on"', "c,STATUS,ENABLED"], [],           "enabled"],
  ["a session left open by a crash",     ["c,1", "c,STATUS,IDLE,4.00", "c,STATUS,ENABLED"], ["> C,STOP"], "enabled"],
];
for (const [name, texts, sent, mdb] of lastWords) {
  test(`comes up with ${name}`, () => {
    const bench = new Bench();
    bench.connected();
    bench.pass(SETTLE_MS);
    bench.line(VERSION, "x,ACK", "c,0", "c,SET,OK");
    expect(bench.line(...texts)).toEqual(sent);
    expect(bench.mdb).toBe(mdb);
  });
}

test("a setting that goes unanswered is said again, and then done without, as X,0 is; V that does reopens the port", () => {
  const bench = new Bench([["mdb-cashsale-enabled", "1"]]);
  bench.connected();
  bench.pass(SETTLE_MS);
  expect(bench.line(VERSION)).toEqual(["> X,0"]);
  const set = "> C,SETCONF,mdb-cashsale-enabled=1";
  expect(bench.pass(5_000)).toEqual(["> C,0", ...Array<string>(SETTING_TRIES).fill(set), "> C,1"]);

  const silent = new Bench();
  silent.connected();
  const heard = silent.pass(60_000);
  expect(heard).toEqual(["> ", ...Array<string>(VERSION_TRIES).fill("> V"), "reopen", "! lost"]);
  expect(silent.mdb).toBe("lost");
});

/** A damaged line, a firmware that does not know it, or one that has not been switched off: C,0 was lost. */
for (const answer of [undefined, 'c,UNKNOWN," C"', 'c,ERR,"cashless is on"'])
  test(`nothing is sold while what money is counted by is not taken (${answer ?? "no answer"})`, () => {
    const bench = new Bench();
    bench.connected();
    bench.pass(SETTLE_MS);
    bench.line(VERSION, "x,ACK", "c,0");
    const heard = Array.from({ length: 60 }, () => {
      if (answer !== undefined) bench.line(answer);
      return bench.pass(1_000);
    }).flat();
    expect(heard.filter((one) => one.startsWith("alarm"))).toEqual(["alarm adapterSetting"]);
    expect(heard.slice(0, 4)).toEqual([
      ...Array<string>(SETTING_TRIES - 1).fill("> C,SETCONF,mdb-decimal-places=2"),
      "alarm adapterSetting",
      "> C,0",
    ]);
    expect(heard).not.toContain("> C,1");
    expect(bench.mdb).toBe("off");

    bench.line("c,0");
    bench.pass(1_000);
    bench.line("c,SET,OK", "c,1", "c,STATUS,ENABLED");
    expect(bench.mdb).toBe("enabled");
  });

test("a VMC that never enables us is alarmed once, and armed again at growing intervals", () => {
  const bench = new Bench();
  bench.connected();
  bench.pass(SETTLE_MS);
  bench.line(VERSION, "x,ACK", "c,0", "c,SET,OK", "c,1");
  const said: [atMs: number, what: string][] = [];
  const began = bench.nowMs;
  while (bench.nowMs < began + 10 * ENABLE_MS) {
    for (const what of bench.pass(100)) {
      if (what === "> V") bench.line(VERSION);
      else if (what === "> C,0") bench.line("c,0");
      else if (what === "> C,1") bench.line("c,1");
      else if (what.startsWith("> C,SET")) bench.line("c,SET,OK");
      if (what.startsWith("alarm") || what === "> C,0")
        said.push([Math.round((bench.nowMs - began) / ENABLE_MS), what]);
    }
  }
  expect(said).toEqual([
    [1, "alarm mdbNotEnabled"],
    [1, "> C,0"],
    [3, "> C,0"],
    [7, "> C,0"],
  ]);
  bench.line("c,STATUS,ENABLED");
  expect(bench.mdb).toBe("enabled");
});

test("C,START is retried while the adapter is in another state, then given up, and the reader switched off and on", () => {
  const bench = ready();
  bench.ask({ kind: "openSession", amountMinor: 400 });
  const said = Array.from({ length: START_TRIES }, () => [
    ...bench.line('c,ERR,"START -3"'),
    ...bench.pass(START_PAUSE_MS),
  ]).flat();
  const again = Array<string>(START_TRIES - 1).fill("> C,START,4.00"); // the first went out with the ask
  expect(said).toEqual([...again, "! notOpened", "> C,0"]);
  // The VMC had disabled us, and that line was lost: it is heard now, and no customer is asked to pay.
  bench.line("c,0", "c,SET,OK", "c,1", "c,STATUS,DISABLED");
  expect(bench.mdb).toBe("disabled");
});

for (const end of ['c,ERR,"VEND 1"', "c,ERR,VEND 3", "c,STATUS,IDLE,2.50"])
  test(`a selection that the machine takes back leaves no session behind (${end})`, () => {
    const bench = new Bench([["mdb-always-idle", "1"]], true);
    bench.connected();
    bench.pass(SETTLE_MS);
    bench.line(VERSION, "x,ACK", "c,0", "c,SET,OK", "c,1", "c,STATUS,ENABLED");
    expect(bench.line("c,STATUS,VEND,2.50,11")).toEqual(["! vendRequested 1 11 250"]);
    expect([...bench.line(end), ...bench.pass(0)]).toEqual(["! vendCancelled", "> C,STOP"]);
    bench.line('c,ERR,"STOP -3"'); // this firmware had opened none
    expect(bench.mdb).toBe("enabled");
  });

test("C,START without any answer is said again, and IDLE opens", () => {
  const bench = ready();
  bench.ask({ kind: "openSession", amountMinor: 1 });
  expect(bench.pass(1_400)).toEqual(["> C,START,0.01"]);
  expect(bench.line("c,STATUS,IDLE,0.01")).toEqual(["! opened"]);
});

test("a session is not opened unless the VMC has enabled us", () => {
  const bench = ready();
  bench.line("c,STATUS,DISABLED");
  expect(bench.ask({ kind: "openSession", amountMinor: 400 })).toEqual(["! notOpened"]);
});

test("the approval echoes the price as it was printed, once, and only for the request it answers", () => {
  const bench = inRequest();
  expect(bench.ask({ kind: "approve", request: 9 })).toEqual([]);
  expect(bench.pass(100)).toEqual([]);
  bench.ask({ kind: "approve", request: 1 });
  expect(bench.pass(100)).toEqual(["> C,VEND,3.5"]);
  bench.ask({ kind: "approve", request: 1 });
  expect(bench.pass(100)).toEqual([]);
  expect(bench.line("c,STATUS,VEND,3.5,7")).toEqual([]); // printed again: not a second sale
  expect(bench.line("c,VEND,SUCCESS")).toEqual(["! vendSucceeded"]);
});

// prettier-ignore
const races: readonly [line: string, said: readonly string[], mdb: MdbState][] = [
  ["c,ERR,VEND 1",      ["! vendCancelled"],                     "session"],
  ["c,ERR,VEND 3",      ["! vendCancelled"],                     "session"],
  ["c,STATUS,IDLE",     ["! vendCancelled"],                     "session"],
  ["c,STATUS,ENABLED",  ["! vendCancelled", "! sessionEnded"],   "enabled"],
  ["c,ERR,VEND 5",      ["! vendCancelled", "! reset"],          "inactive"],
  ["c,STATUS,INACTIVE", ["! vendCancelled", "! reset"],          "inactive"],
  ["c,STATUS,DISABLED", ["! vendCancelled", "! sessionEnded"],   "disabled"],
  ["c,0",               ["! vendCancelled", "! sessionEnded"],   "off"],
];
for (const [line, said, mdb] of races) {
  test(`${line} on its way before the approval keeps the approval from leaving`, () => {
    const bench = inRequest();
    bench.ask({ kind: "approve", request: 1 });
    bench.nowMs += DRAIN_MS - 1;
    expect(bench.line(line)).toEqual(said);
    expect(bench.mdb).toBe(mdb);
    expect(bench.pass(100).filter((one) => one.startsWith("> C,VEND"))).toEqual([]);
  });
}

// prettier-ignore
const results: readonly [line: string, said: readonly string[], mdb: MdbState][] = [
  ["c,VEND,SUCCESS",    ["! vendSucceeded"],  "session"],
  ["c,ERR,VEND 3",      ["! vendFailed"],     "session"],
  ["c,ERR,VEND 1",      ["! vendCancelled"],  "session"],
  ['c,ERR,"VEND -3"',   ["! vendCancelled"],  "session"],
  ['c,ERR,"VEND -2"',   ["! vendCancelled"],  "session"],
  ["c,ERR,VEND 5",      ["! reset"],          "inactive"],
  ["c,STATUS,INACTIVE", ["! reset"],          "inactive"],
  ["c,STATUS,ENABLED",  ["! sessionEnded"],   "enabled"],
  ["c,STATUS,DISABLED", ["! sessionEnded"],   "disabled"],
  ["c,0",               ["! sessionEnded"],   "off"],
  ["c,STATUS,IDLE",     [],                   "vend"],
  ["\u0000c,VEND,SUCCESS", [],                "vend"],
];
for (const [line, said, mdb] of results) {
  test(`after the approval, ${JSON.stringify(line)} is ${said.join() || "no result"}`, () => {
    const bench = afterApproval();
    expect(bench.line(line)).toEqual(said);
    expect(bench.mdb).toBe(mdb);
  });
}

test("a result that answers nothing open is still said: the sale may be waiting for it", () => {
  const bench = ready();
  expect(bench.line("c,VEND,SUCCESS")).toEqual(["! vendSucceeded"]);
  expect(bench.line("c,ERR,VEND 3")).toEqual(["! vendFailed"]);
});

test("a success said twice does not answer the next request", () => {
  const bench = afterApproval();
  bench.line("c,VEND,SUCCESS", "c,STATUS,IDLE");
  bench.line("c,STATUS,VEND,0.50,2");
  expect(bench.line("c,VEND,SUCCESS")).toEqual([]);
});

test("another request while a result is awaited: that result was lost, and the request is turned away", () => {
  const bench = afterApproval();
  expect(bench.line("c,STATUS,VEND,0.50,2")).toEqual(["! sessionEnded", "> C,VEND,-1"]);
  expect(bench.pass(1_000)).toEqual(["> C,STOP"]);
  bench.line("c,STATUS,ENABLED");
  expect(bench.mdb).toBe("enabled");
});

// prettier-ignore
const unread: readonly [name: string, line: string][] = [
  ["a damaged line",            "c,VEND,SU\u00f8CESS"],
  ["half a line",               "c,VEND,"],
  ["the session open again",    "c,STATUS,IDLE,4.00"],
  ["the same request again",    "c,STATUS,VEND,3.5,7"],
];
for (const [name, line] of unread) {
  test(`after ${name} in place of a result, a failure may be the next request's: nobody knows`, () => {
    for (const end of ["c,ERR,VEND 1", "c,ERR,VEND 3"]) {
      const bench = afterApproval();
      expect(bench.line(line)).toEqual([]);
      expect(bench.line(end)).toEqual(["! sessionEnded", "> C,STOP"]);
      expect(bench.line('c,ERR,"STOP -3"')).toEqual([]);
      expect(bench.mdb).toBe("enabled");
    }
    const bench = afterApproval();
    bench.line(line);
    expect(bench.line("c,VEND,SUCCESS")).toEqual(["! vendSucceeded"]);
  });
}

test("a denial leaves the session open for another choice", () => {
  const bench = inRequest();
  expect(bench.ask({ kind: "deny", request: 1 })).toEqual(["> C,VEND,-1"]);
  expect(bench.line("c,STATUS,IDLE", "c,STATUS,VEND,1.00,2")).toEqual(["! vendRequested 2 2 100"]);
});

test("closing a session with a request in it denies the request first", () => {
  const bench = inRequest();
  expect(bench.ask({ kind: "closeSession" })).toEqual(["! vendCancelled", "> C,VEND,-1"]);
  expect(bench.pass(1_000)).toEqual(["> C,STOP"]);
  bench.line("c,STATUS,ENABLED");
  expect(bench.mdb).toBe("enabled");
});

test("a request that crosses our C,STOP is denied, and the refused C,STOP is not taken for an end", () => {
  const bench = inSession();
  expect(bench.ask({ kind: "closeSession" })).toEqual(["> C,STOP"]);
  expect(bench.line("c,STATUS,VEND,1.00,2", 'c,ERR,"STOP -3"')).toEqual(["> C,VEND,-1"]);
  expect(bench.mdb).toBe("session");
  expect(bench.pass(1_000)).toEqual(["> C,STOP"]);
});

test("a session that will not close is closed by switching the reader off and on", () => {
  const bench = inSession();
  bench.ask({ kind: "closeSession" });
  const stops = Array.from({ length: STOP_TRIES }, () => {
    bench.line(VERSION); // somebody is there, and says nothing of the session
    return bench.pass(1_000);
  }).flat();
  expect(stops).toEqual([...Array<string>(STOP_TRIES - 1).fill("> C,STOP"), "> C,0"]); // one more went out with the ask
});

/** The adapter is there, and in a vend: what is sent until the next try. */
function refusedStop(bench: Bench): string[] {
  bench.line('c,ERR,"STOP -3"');
  const first = bench.pass(LATE_AGAIN_MS / 2);
  bench.line(VERSION); // as after a heartbeat
  return [...first, ...bench.pass(LATE_AGAIN_MS / 2)];
}

test("a vend that was given up is still listened to: a coffee may come minutes later, and is told", () => {
  const bench = afterApproval();
  expect(bench.ask({ kind: "closeSession" })).toEqual(["> C,STOP"]);
  for (let waitedMs = 0; waitedMs < 120_000; waitedMs += LATE_AGAIN_MS) {
    expect(refusedStop(bench)).toEqual(["> C,STOP"]);
  }
  expect(bench.line("c,VEND,SUCCESS")).toEqual(["! vendSucceeded"]);
  expect(bench.line("c,STATUS,ENABLED")).toEqual([]);
  expect(bench.mdb).toBe("enabled");
});

test("one that never ends is closed by switching the reader off and on, after three minutes", () => {
  const bench = afterApproval();
  bench.ask({ kind: "closeSession" });
  const said = Array.from({ length: LATE_TRIES }, () => refusedStop(bench)).flat();
  expect(said).toEqual([...Array<string>(LATE_TRIES - 1).fill("> C,STOP"), "> C,0"]);
});

test("a reset counts as sold, but not when a line before it may have been the result", () => {
  expect(afterApproval().line("c,ERR,VEND 5")).toEqual(["! reset"]);
  const bench = afterApproval();
  bench.line("c,ERR,V\u0001ND 3");
  expect(bench.line("c,ERR,VEND 5")).toEqual(["! sessionEnded"]);
});

test("a request or a session nobody asked for is turned away", () => {
  const bench = ready();
  expect(bench.line("c,STATUS,VEND,1.00,2")).toEqual(["> C,VEND,-1"]);
  const other = ready();
  expect(other.line("c,STATUS,IDLE,-")).toEqual(["> C,STOP"]);
});

test("an adapter that falls silent is asked, then its port is opened again", () => {
  const bench = ready();
  expect(bench.pass(HEARTBEAT_MS)).toEqual(["> V"]);
  bench.line(VERSION);
  expect(bench.pass(HEARTBEAT_MS)).toEqual(["> V"]);
  expect(bench.pass(10_000)).toEqual(["> V", "> V", "reopen", "! lost"]);
  expect(bench.disconnected()).toEqual([]);
});

test("while V is unanswered nothing else is sent", () => {
  const bench = inRequest();
  expect(bench.pass(HEARTBEAT_MS)).toEqual(["> V"]);
  bench.ask({ kind: "approve", request: 1 });
  expect(bench.pass(DRAIN_MS)).toEqual([]);
  expect([...bench.line(VERSION), ...bench.pass(0)]).toEqual(["> C,VEND,3.5"]);
});

test("losing the line before the approval left is a cancel; after it, silence", () => {
  expect(inRequest().disconnected()).toEqual(["! vendCancelled", "! lost"]);
  const before = inRequest();
  before.ask({ kind: "approve", request: 1 });
  expect(before.disconnected()).toEqual(["! vendCancelled", "! lost"]);
  expect(afterApproval().disconnected()).toEqual(["! lost"]);
});

test("an adapter that restarts is brought up again", () => {
  const bench = inSession();
  expect(bench.line('c,ERR,"cashless is off"')).toEqual(["! sessionEnded"]);
  expect(bench.pass(SETTLE_MS)).toEqual(["> ", "> V"]);
});

test("the machine's currency is announced as MDB writes it, and settings of its own win", () => {
  expect(qibixxSetup("EUR", 2, 0, { "mdb-scale-factor": "10", "mdb-addr": "0x60" }).settings).toEqual([
    ["mdb-always-idle", "0"],
    ["mdb-currency-code", "0x1978"],
    ["mdb-decimal-places", "2"],
    ["mdb-scale-factor", "10"],
    ["mdb-addr", "0x60"],
  ]);
});

/**
 * Whatever the adapter prints, the sale asks and the clock does, in any order: an approval leaves only for the request
 * it was asked for, at most once each, never after the request was said to be cancelled; commands leave only while the
 * port is open; and the link never wants to be woken again and again at the same moment.
 */
test("an approval leaves once, for an open request, and never after its cancel", () => {
  const line = fc.constantFrom(
    ...results.map(([text]) => text),
    ...[
      "c,STATUS,VEND,1.00,2",
      "c,STATUS,VEND,3.5,7",
      "c,1",
      VERSION,
      "x,ACK",
      "c,SET,OK",
      'c,ERR,"START -3"',
      'c,ERR,"STOP -3"',
    ],
  );
  const move = fc.oneof(
    { weight: 8, arbitrary: line.map((text) => ({ kind: "line" as const, text })) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(0, 3, DRAIN_MS, 400, 1_000).map((ms) => ({ kind: "pass" as const, ms })),
    },
    { weight: 3, arbitrary: fc.constantFrom(-1, 0).map((back) => ({ kind: "approve" as const, back })) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom("openSession", "closeSession", "deny", "connected", "disconnected")
        .map((kind) => ({ kind })),
    },
  );
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80 }), (moves) => {
      const bench = inRequest();
      let latest = 1;
      let open = true; // the latest request: said, and neither cancelled nor answered
      let asked = false;
      let port = true;
      for (const one of moves) {
        const out =
          one.kind === "line"
            ? bench.line("text" in one ? one.text : "")
            : one.kind === "pass"
              ? bench.pass("ms" in one ? one.ms : 0)
              : one.kind === "connected"
                ? bench.connected()
                : one.kind === "disconnected"
                  ? bench.disconnected()
                  : one.kind === "openSession"
                    ? bench.ask({ kind: "openSession", amountMinor: 400 })
                    : one.kind === "closeSession"
                      ? bench.ask({ kind: "closeSession" })
                      : bench.ask({
                          kind: one.kind === "approve" ? "approve" : "deny",
                          request: latest + ("back" in one ? one.back : 0),
                        });
        if (one.kind === "approve" && "back" in one && one.back === 0) asked = open;
        if (one.kind === "connected") port = true;
        for (const what of out) {
          if (what.startsWith("> C,VEND") && what !== "> C,VEND,-1") {
            expect(open && asked, "an approval nobody asked for").toBe(true);
            open = false;
          }
          if (what.startsWith(">")) expect(port, "sent to a closed port").toBe(true);
          if (what === "! vendCancelled") open = false;
          if (what === "reopen") port = false;
          const request = /^! vendRequested (\d+)/.exec(what)?.[1];
          if (request !== undefined) {
            expect(Number(request)).toBeGreaterThan(latest);
            [latest, open, asked] = [Number(request), true, false];
          }
        }
        if (one.kind === "disconnected") port = false;
      }
    }),
    { numRuns: 3_000 },
  );
});
