/** The scanner and the display: what is asked, once, and what is shown, for how long. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  dueMs,
  initial,
  step,
  WORDS,
  type Terminal,
  type TerminalEffect,
  type TerminalEvent,
} from "../../controller/terminal/terminal.js";

const BARE = { prefix: "", suffix: "" };
type Untimed<E> = E extends { readonly nowMs: number } ? Omit<E, "nowMs"> : never;

/** A terminal with a clock that is moved by hand. */
class Bench {
  state: Terminal = initial;
  nowMs = 0;
  #asked = 0;
  readonly #wrapping: { readonly prefix: string; readonly suffix: string };
  constructor(wrapping = BARE) {
    this.#wrapping = wrapping;
  }
  take(event: Untimed<TerminalEvent>): readonly TerminalEffect[] {
    const [next, effects] = step(this.state, { ...event, nowMs: this.nowMs }, this.#wrapping);
    this.state = next;
    return effects;
  }
  scan(text: string): readonly TerminalEffect[] {
    this.#asked += 1;
    return this.take({ kind: "scanned", text, requestId: `r${this.#asked}` });
  }
  type(text: string): readonly TerminalEffect[] {
    this.#asked += 1;
    return this.take({ kind: "typed", text, requestId: `r${this.#asked}` });
  }
  after(ms: number): readonly TerminalEffect[] {
    this.nowMs += ms;
    return this.take({ kind: "tick" });
  }
}
const show = (text: string): TerminalEffect => ({ kind: "show", shown: { text } });

test("a code becomes one question, and its answer is shown for a while", () => {
  const bench = new Bench();
  expect(bench.scan("9990001234567890")).toEqual([
    show(WORDS.asking),
    { kind: "ask", about: "scan", requestId: "r1", value: "9990001234567890" },
  ]);
  expect(bench.take({ kind: "answered", requestId: "r1", shown: { text: "Pay now" } })).toEqual([
    show("Pay now"),
  ]);
  expect(bench.after(19_999)).toEqual([]);
  expect(bench.after(1)).toEqual([show(WORDS.idle)]);
  expect(dueMs(bench.state)).toBeUndefined();
});

test("a code that is still held there is asked about once, and again when it was taken away", () => {
  const bench = new Bench();
  bench.scan("A");
  bench.take({ kind: "answered", requestId: "r1", shown: { text: "unknown" } });
  for (let times = 0; times < 10; times += 1) {
    bench.nowMs += 4_000;
    expect(bench.scan("A").some(({ kind }) => kind === "ask")).toBe(false);
  }
  bench.nowMs += 5_000;
  expect(bench.scan("A")).toContainEqual({ kind: "ask", about: "scan", requestId: "r12", value: "A" });
});

test("while one is being asked about, others wait for the customer to show them again", () => {
  const bench = new Bench();
  bench.scan("A");
  expect(bench.scan("B")).toEqual([]);
  expect(bench.take({ kind: "answered", requestId: "r2", shown: { text: "not ours" } })).toEqual([]);
  expect(bench.after(15_000)).toEqual([show(WORDS.noAnswer)]);
  expect(bench.take({ kind: "answered", requestId: "r1", shown: { text: "too late" } })).toEqual([]);
  expect(bench.scan("B")).toContainEqual({ kind: "ask", about: "scan", requestId: "r3", value: "B" });
});

test("who has paid is not asked to pay any more", () => {
  const bench = new Bench();
  bench.scan("A");
  bench.take({ kind: "answered", requestId: "r1", shown: { text: "Pay now" } });
  expect(bench.take({ kind: "opened" })).toEqual([show(WORDS.choose)]);
  expect(bench.take({ kind: "opened", items: ["11", "B2"] })).toEqual([show("Paid. Choose 11 or B2")]);
  expect(bench.after(20_000)).toEqual([show(WORDS.idle)]);
});

test("of more items than the display takes the last are left out, whole", () => {
  const bench = new Bench();
  const items = ["101", "102", "103", "104", "105", "106", "107", "108"];
  expect(bench.take({ kind: "opened", items })).toEqual([
    show("Paid. Choose 101 or 102 or 103 or 104 or 105 or 106 or 107"),
  ]);
  const words = { ...WORDS, chooseOnly: `${"x".repeat(57)}{items}` }; // the longest there may be
  bench.take({ kind: "words", words });
  expect(bench.take({ kind: "opened", items: ["65535", "1"] })).toEqual([show(`${"x".repeat(57)}65535`)]);
});

test("new words are said from the next text on, and at once where it says nothing but the idle text", () => {
  const bench = new Bench();
  const words = { ...WORDS, idle: "Kia ora", vending: "{item} ({item})" };
  expect(bench.take({ kind: "words", words })).toEqual([show("Kia ora")]);
  expect(bench.take({ kind: "vending", item: "$& crisps" })).toEqual([show("$& crisps ($& crisps)")]);
  expect(bench.take({ kind: "words", words: WORDS })).toEqual([]);
  expect(bench.after(20_000)).toEqual([show(WORDS.idle)]);
  const [said] = bench.take({ kind: "vending", item: "x".repeat(64) });
  expect(said).toEqual(show(WORDS.vending.replace("{item}", "x".repeat(64)).slice(0, 64)));
});

test("a typed code is asked about as a voucher, and again as soon as the last answer is there", () => {
  const bench = new Bench({ prefix: "12", suffix: "90" }); // a scanner's, and no keypad's
  const ask = { kind: "ask", about: "voucher", value: "1234 5678-90" } as const;
  expect(bench.type(" 1234 5678-90\t")).toEqual([show(WORDS.asking), { ...ask, requestId: "r1" }]);
  expect(bench.type("9999")).toEqual([]);
  expect(bench.scan("A")).toEqual([]);
  bench.take({ kind: "answered", requestId: "r1", shown: { text: "No such voucher" } });
  expect(bench.type("1234 5678-90")).toContainEqual({ ...ask, requestId: "r4" });
});

test.each(["123", "a".repeat(41), "12;34", "\u00e9\u00e9\u00e9\u00e9"])("%j is no whole code", (text) => {
  const bench = new Bench();
  expect(bench.type(text)).toEqual([show(WORDS.incomplete)]);
  expect(bench.after(6_000)).toEqual([show(WORDS.idle)]);
});

test("without a connection it says so, and the same code may be shown again at once", () => {
  const bench = new Bench();
  bench.scan("A");
  expect(bench.take({ kind: "unsent", requestId: "r1" })).toEqual([show(WORDS.offline)]);
  expect(bench.scan("A")).toContainEqual({ kind: "ask", about: "scan", requestId: "r2", value: "A" });
});

test.each([
  ["]C1123456789012", "]C1", "", "123456789012"],
  ["#123#", "#", "#", "123"],
  ["  123 \t", "", "", "123"],
  ["123", "X", "Y", "123"],
])("%j between %j and %j is %j", (text, prefix, suffix, value) => {
  expect(new Bench({ prefix, suffix }).scan(text)).toContainEqual({
    kind: "ask",
    about: "scan",
    requestId: "r1",
    value,
  });
});

test.each(["", "\u0007", "caf\u00e9", "a".repeat(257)])("%j is not read", (text) => {
  const bench = new Bench();
  expect(bench.scan(text)).toEqual([show(WORDS.unreadable)]);
  expect(bench.after(6_000)).toEqual([show(WORDS.idle)]);
});

test("a display that was just plugged in is told what the others show", () => {
  const bench = new Bench();
  expect(bench.take({ kind: "displayConnected" })).toEqual([show(WORDS.idle)]);
  bench.scan("A");
  expect(bench.take({ kind: "displayConnected" })).toEqual([show(WORDS.asking)]);
});

describe("a selection at the machine", () => {
  const QR = "https://pay.example/pay/r9";
  const toPay = { text: "Scan to pay NZD 2.50", qr: QR };
  function selected(): Bench {
    const bench = new Bench();
    expect(bench.take({ kind: "selected", requestId: "r9", forMs: 45_000 })).toEqual([show(WORDS.asking)]);
    return bench;
  }
  function shown(): Bench {
    const bench = selected();
    expect(bench.take({ kind: "answered", requestId: "r9", shown: toPay })).toEqual([
      { kind: "show", shown: toPay },
    ]);
    return bench;
  }

  test("is shown with its code for as long as the machine waits, and nothing is scanned meanwhile", () => {
    const bench = shown();
    expect(bench.scan("123")).toEqual([]);
    bench.nowMs += 44_999;
    expect(bench.take({ kind: "tick" })).toEqual([]);
    expect(bench.take({ kind: "displayConnected" })).toEqual([{ kind: "show", shown: toPay }]);
  });

  test("that is over is shown no longer", () => {
    expect(shown().take({ kind: "withdrawn", requestId: "r9" })).toEqual([show(WORDS.idle)]);
    expect(selected().take({ kind: "withdrawn", requestId: "r9" })).toEqual([show(WORDS.idle)]);
    expect(shown().take({ kind: "withdrawn", requestId: "r8" })).toEqual([]);
  });

  test("that was refused keeps the words for it a while", () => {
    const bench = selected();
    expect(bench.take({ kind: "answered", requestId: "r9", shown: { text: "Out of service" } })).toEqual([
      show("Out of service"),
    ]);
    expect(bench.take({ kind: "withdrawn", requestId: "r9" })).toEqual([]);
    expect(bench.scan("123")).toHaveLength(2); // asked about, and shown
  });

  test("that is paid says so", () => {
    expect(shown().take({ kind: "vending", item: "Crisps" })).toEqual([show("Crisps: one moment ...")]);
  });
});

describe("what is given out", () => {
  const vending = (): Bench => {
    const bench = new Bench();
    bench.take({ kind: "vending", item: "Crisps" });
    return bench;
  };

  test("and came out needs no more words", () => {
    expect(vending().take({ kind: "vended", item: "Crisps", outcome: "succeeded" })).toEqual([
      show(WORDS.idle),
    ]);
    expect(new Bench().take({ kind: "vended", item: "Crisps", outcome: "succeeded" })).toEqual([]);
  });

  test.each([
    ["failed", "Crisps did not come out: not charged"],
    ["unknown", "Crisps: not known yet, will be settled"],
  ] as const)("and %s is told of for a while", (outcome, text) => {
    const bench = vending();
    expect(bench.take({ kind: "vended", item: "Crisps", outcome })).toEqual([show(text)]);
    expect(bench.after(20_000)).toEqual([show(WORDS.idle)]);
  });

  test("is not told over what the next customer is told", () => {
    const bench = vending();
    bench.scan("123");
    expect(bench.take({ kind: "vended", item: "Crisps", outcome: "failed" })).toEqual([]);
  });
});

test("hammered with anything, it asks one thing at a time and always comes back to rest", () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant("scanned" as const), text: fc.string({ maxLength: 300 }) }),
    fc.record({ kind: fc.constant("typed" as const), text: fc.string({ maxLength: 45 }) }),
    fc.record({
      kind: fc.constant("answered" as const),
      of: fc.nat(40),
      shown: fc.record({ text: fc.string({ maxLength: 64 }) }),
    }),
    fc.record({ kind: fc.constant("unsent" as const), of: fc.nat(40) }),
    fc.record({ kind: fc.constant("selected" as const), of: fc.nat(40), forMs: fc.constant(45_000) }),
    fc.record({ kind: fc.constant("withdrawn" as const), of: fc.nat(40) }),
    fc.record({ kind: fc.constant("vending" as const), item: fc.string({ maxLength: 64 }) }),
    fc.record({
      kind: fc.constant("vended" as const),
      item: fc.string({ maxLength: 64 }),
      outcome: fc.constantFrom("succeeded", "failed", "unknown"),
    }),
    fc.record({ kind: fc.constantFrom("displayConnected", "opened", "tick") }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20_000), event), { maxLength: 60 }), (walk) => {
      const bench = new Bench();
      let open: string | undefined;
      for (const [ms, happens] of walk) {
        bench.nowMs += ms;
        const effects =
          happens.kind === "scanned"
            ? bench.scan(happens.text)
            : happens.kind === "typed"
              ? bench.type(happens.text)
              : "of" in happens
                ? bench.take({ ...happens, requestId: `r${happens.of}` })
                : bench.take(happens);
        if (bench.state.asking?.requestId !== open) open = undefined;
        for (const effect of effects)
          if (effect.kind === "ask") {
            expect(open).toBeUndefined();
            open = effect.requestId;
          } else expect(effect.shown.text.length).toBeLessThanOrEqual(64);
      }
      for (let due = dueMs(bench.state); due !== undefined; due = dueMs(bench.state)) {
        bench.nowMs = due;
        bench.take({ kind: "tick" });
      }
      expect(bench.state).toMatchObject({ asking: undefined, shown: { text: WORDS.idle } });
    }),
  );
});
