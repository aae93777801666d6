/** The link to an adapter that carries blocks: what it gives the adapter, line by line, and how it counts money. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Ask, DriverEffect, DriverEvent } from "../../controller/mdb/driver.js";
import { closeBlock } from "../../controller/mdb/frame.js";
import { AGAIN_MS, ENABLE_MS, raw, type RawLink, type RawSetup } from "../../controller/mdb/raw.js";
import { minorOf, scaledOf } from "../../controller/mdb/scale.js";
import { hexOf, readHex } from "../../controller/mdb/widths.js";
import { setup } from "./cashless-bench.js";

/** `take` answers with what was given to the adapter (`> `, without CHK) and said (`! `). */
const DRAIN_MS = 5;

class Bench {
  nowMs = 0;
  #driver;
  #link: RawLink;
  constructor(changes: Partial<RawSetup["cashless"]> = {}) {
    const device = { ...setup, level: 1, features: [], ...changes } as const;
    this.#driver = raw({ cashless: device, minorDecimals: 2, drainMs: DRAIN_MS });
    this.#link = this.#driver.initial;
  }
  #step(event: DriverEvent): string[] {
    const [next, effects] = this.#driver.step(this.#link, event);
    this.#link = next;
    return effects.flatMap(words);
  }
  connected(): string[] {
    return this.#step({ kind: "connected", nowMs: this.nowMs });
  }
  ask(ask: Ask): string[] {
    return this.#step({ kind: "ask", ask, nowMs: this.nowMs });
  }
  /** Blocks without their CHK; lone bytes as they are. */
  hears(...texts: readonly string[]): string[] {
    return texts.flatMap((text) => {
      const bytes = readHex(text) ?? new Uint8Array();
      return this.line(bytes.length > 1 || text === "10" ? hexOf(closeBlock(bytes)) : text);
    });
  }
  line(text: string): string[] {
    return this.#step({ kind: "line", text, nowMs: this.nowMs });
  }
  pass(ms: number): string[] {
    const untilMs = this.nowMs + ms;
    const out: string[] = [];
    for (let due = this.#due(); due <= untilMs; due = this.#due()) {
      this.nowMs = Math.max(this.nowMs, due);
      out.push(...this.#step({ kind: "tick", nowMs: this.nowMs }));
    }
    this.nowMs = untilMs;
    return out;
  }
  /** The next timer alone, however late. */
  tick(): string[] {
    this.nowMs = Math.max(this.nowMs, this.#due());
    return this.#step({ kind: "tick", nowMs: this.nowMs });
  }
  #due(): number {
    return this.#driver.dueMs(this.#link) ?? Infinity;
  }
}

function words(effect: DriverEffect): string[] {
  switch (effect.kind) {
    case "send":
      return [`> ${effect.text.slice(0, -2)}`];
    case "say":
      return [
        `! ${effect.said.kind === "mdb" ? effect.said.mdb : effect.said.kind}${"priceMinor" in effect.said ? ` ${effect.said.priceMinor}` : ""}`,
      ];
    case "alarm":
      return [`alarm ${effect.code}`];
    case "reopen":
      return ["reopen"];
    case "ignored":
      return [];
  }
}

function enabled(changes: Partial<RawSetup["cashless"]> = {}): Bench {
  const bench = new Bench(changes);
  bench.connected();
  const at = changes.device === 2 ? 0x50 : 0;
  const address = (hex: string): string => (Number.parseInt(hex, 16) + at).toString(16);
  bench.hears("00", `${address("11")} 00 01 10 01 01`, "00", `${address("14")} 01`);
  return bench;
}
/** What the machine says of itself, and its acknowledgement of what we say of us. */
const SET_UP = ["11 00 01 10 01 01", "00", "11 01 FF FF 00 00"];
function inSession(changes: Partial<RawSetup["cashless"]> = {}): Bench {
  const bench = enabled(changes);
  bench.ask({ kind: "openSession", amountMinor: 400 });
  bench.hears("00");
  return bench;
}

test("it begins with JUST RESET, answers the setup, and never acknowledges by itself", () => {
  const bench = new Bench();
  expect(bench.connected()).toEqual(["> 00", "! inactive"]);
  expect(bench.hears("00")).toEqual([]);
  expect(bench.hears("11 00 03 10 01 01")).toEqual(["> 010119780102" + "1E0A", "! disabled"]);
  expect(bench.hears("00", "11 01 FF FF 00 00")).toEqual([]);
  expect(bench.hears("14 01")).toEqual(["! enabled"]);
});

test("what the machine does not acknowledge is given again, byte for byte, until it does", () => {
  const bench = enabled();
  expect(bench.ask({ kind: "openSession", amountMinor: 400 })).toEqual(["> 030190"]);
  expect(bench.pass(AGAIN_MS - 1)).toEqual([]);
  expect(bench.pass(1)).toEqual(["> 030190"]);
  expect(bench.hears("FF")).toEqual(["> 030190"]);
  expect(bench.hears("AA")).toEqual(["> 030190"]);
  expect(bench.hears("00")).toEqual(["! opened", "! session"]);
  expect(bench.pass(10_000)).toEqual([]);
});

test("an acknowledgement is about our block, whatever the machine said meanwhile", () => {
  const bench = enabled();
  bench.ask({ kind: "openSession", amountMinor: 400 });
  expect(bench.hears("14 01", "00")).toEqual(["! opened", "! session"]);
});

test("an approval waits until the line has been read, and a cancel that is there takes it back", () => {
  const bench = inSession();
  expect(bench.hears("13 00 00 FA 00 07")).toEqual(["! vendRequested 250", "! vend"]);
  expect(bench.ask({ kind: "approve", request: 1 })).toEqual([]);
  expect(bench.pass(DRAIN_MS - 1)).toEqual([]);
  expect(bench.hears("13 01")).toEqual(["! vendCancelled"]);
  expect(bench.pass(1)).toEqual(["> 06"]);
  bench.hears("00");
  bench.hears("13 00 00 FA 00 07");
  bench.ask({ kind: "approve", request: 2 });
  expect(bench.pass(DRAIN_MS)).toEqual(["> 0500FA"]);
});

test("a timer that rings late lets the line be read once more before the approval leaves", () => {
  const bench = inSession();
  bench.hears("13 00 00 FA 00 07");
  bench.ask({ kind: "approve", request: 1 });
  bench.nowMs += 1_000;
  expect(bench.tick()).toEqual([]);
  expect(bench.hears("13 01")).toEqual(["! vendCancelled", "> 06"]);
});

test("a poll that is handed on, a broken block and another device's are passed over", () => {
  const bench = enabled();
  expect(bench.line("1212")).toEqual([]);
  expect(bench.line("13 00 00 FA 00 07 FF")).toEqual([]);
  expect(bench.hears("64 00", "08")).toEqual([]);
  for (const text of ["", "1", "zz", "c,STATUS,ENABLED", "14 00 14 00"]) expect(bench.line(text)).toEqual([]);
  expect(bench.ask({ kind: "openSession", amountMinor: 400 })).toEqual(["> 030190"]);
});

test.each([
  ["does not acknowledge", []],
  ["refuses", ["FF"]],
])("a text for the display that the machine %s holds up no session", (_, answers) => {
  const bench = enabled();
  expect(bench.ask({ kind: "display", text: "Pay now" })[0]).toMatch(/^> 02/);
  bench.ask({ kind: "openSession", amountMinor: 400 });
  expect([...bench.hears(...answers), ...bench.pass(AGAIN_MS)]).toContain("> 030190");
  expect(bench.hears("00")).toEqual(["! opened", "! session"]);
});

test("nor an approval, which waits for the line as any other", () => {
  const bench = enabled({ level: 3, features: ["alwaysIdle"] });
  bench.hears("14 00", "11 00 03 10 01 01", "00", "11 01 FF FF 00 00", "17 04 00 00 00 20", "14 01");
  bench.ask({ kind: "display", text: "Pay now" });
  bench.pass(AGAIN_MS - 1);
  expect(bench.hears("13 00 00 FA 00 07")).toEqual(["! vendRequested 250", "! vend"]);
  bench.ask({ kind: "approve", request: 1 });
  expect(bench.pass(DRAIN_MS - 1)).toEqual([]);
  expect(bench.pass(1)).toEqual(["> 0500FA"]);
});

test("the second cashless device answers to its own address", () => {
  const bench = inSession({ device: 2 });
  expect(bench.hears("13 00 00 FA 00 07")).toEqual([]);
  expect(bench.hears("63 00 00 FA 00 07")).toEqual(["! vendRequested 250", "! vend"]);
});

test("a credit that is no whole number of the machine's steps opens nothing, and says why", () => {
  const bench = enabled({ scale: 10 });
  expect(bench.ask({ kind: "openSession", amountMinor: 405 })).toEqual(["! notOpened", "alarm mdbAmount"]);
  expect(bench.ask({ kind: "openSession", amountMinor: 400 })).toEqual(["> 030028"]);
  const dear = enabled();
  expect(dear.ask({ kind: "openSession", amountMinor: 0xffff })).toEqual(["! notOpened", "alarm mdbAmount"]);
});

test("a price that is no whole number of minor units is not given", () => {
  const bench = inSession({ decimals: 3 });
  expect(bench.hears("13 00 09 C5 00 07")).toEqual(["! vendRequested", "! vend"]); // 2.501
});

test("a vend whose machine falls silent ends, and one between sessions may be silent for ever", () => {
  const bench = enabled();
  expect(bench.pass(86_400_000)).toEqual([]);
  bench.ask({ kind: "openSession", amountMinor: 400 });
  bench.hears("00", "13 00 00 FA 00 07");
  bench.ask({ kind: "approve", request: 1 });
  // Whether the machine has heard the approval or not: we give it again, and our own saying it is no sign of life.
  const heard = bench.pass(330_000).filter((word) => word !== "> 0500FA");
  expect(heard.slice(0, 3)).toEqual(["! sessionEnded", "! inactive", "> 00"]);
});

test("a product takes as long as it was given, though the adapter keeps the machine's polls to itself", () => {
  const bench = inSession({ vendResultMs: 900_000 });
  bench.hears("13 00 00 FA 00 07");
  bench.ask({ kind: "approve", request: 1 });
  expect(bench.pass(DRAIN_MS)).toEqual(["> 0500FA"]);
  expect(bench.hears("00")).toEqual([]);
  expect(bench.pass(900_000)).toEqual([]);
  expect(bench.hears("13 02 00 07")).toEqual(["! vendSucceeded", "! session"]);
});

test.each<[string, (bench: Bench) => string[]]>([
  [
    "a machine that does not enable it",
    (bench) => {
      bench.hears("14 00", "13 04", "00");
      return bench.pass(ENABLE_MS);
    },
  ],
  ["a line that was lost in the middle of it", (bench) => bench.connected()],
])("the reader begins anew after %s, and still hears what became of a vend", (_, begin) => {
  const bench = inSession();
  bench.hears("13 00 00 FA 00 07");
  bench.ask({ kind: "approve", request: 1 });
  bench.pass(DRAIN_MS);
  bench.hears("00");
  expect(begin(bench)).toContain("> 00");
  bench.hears("00");
  expect(bench.hears("13 03")).toEqual(["! vendFailed"]);
  expect(bench.hears("13 03")).toEqual([]);
});

test("a machine that disables us for long is told of, and the reader begins anew at growing intervals", () => {
  const bench = enabled();
  expect(bench.hears("14 00")).toEqual(["! disabled"]);
  const said: [after: number, what: string][] = [];
  for (let after = 1; after <= 7; after += 1) {
    const heard = bench.pass(ENABLE_MS);
    for (const what of heard) said.push([after, what]);
    if (heard.includes("> 00")) bench.hears("00", ...SET_UP); // and not enabled
  }
  expect(said).toEqual([
    [1, "alarm mdbNotEnabled"],
    [1, "> 00"],
    [1, "! inactive"],
    [3, "> 00"],
    [3, "! inactive"],
    [7, "> 00"],
    [7, "! inactive"],
  ]);
  expect(bench.hears("14 01", "14 00")).toEqual(["! enabled", "! disabled"]);
  expect(bench.pass(ENABLE_MS)[0]).toBe("alarm mdbNotEnabled");
});

test("a READER ENABLE that was lost on our line is said again to a reader that begins anew", () => {
  const bench = new Bench();
  bench.connected();
  bench.hears("00", ...SET_UP); // and 14 01, acknowledged on the bus, does not reach us
  expect(bench.pass(ENABLE_MS)).toEqual(["alarm mdbNotEnabled", "> 00", "! inactive"]);
  expect(bench.hears("00", ...SET_UP, "14 01").slice(-1)).toEqual(["! enabled"]);
});

test("a machine that takes no session is not offered to the next customer", () => {
  const bench = enabled();
  bench.ask({ kind: "openSession", amountMinor: 400 }); // its power is gone; the adapter lives on ours
  const heard = bench.pass(60_000).filter((word) => !word.startsWith("> 03"));
  expect(heard.slice(0, 3)).toEqual(["! notOpened", "> 00", "! inactive"]);
  expect(heard).toContain("alarm mdbNotEnabled");
});

// prettier-ignore
const prices: readonly [scaled: number, scale: number, decimals: number, minorDecimals: number, minor: number | undefined][] = [
  [250,    1,   2, 2, 250],
  [1345,   10,  2, 2, 13_450], // AP113: raw/10
  [25,     1,   1, 2, 250],
  [3,      1,   0, 2, 300],
  [2_500,  1,   3, 2, 250],
  [2_501,  1,   3, 2, undefined],
  [5,      5,   3, 2, undefined],
  [50,     5,   3, 2, 25],
  [150,    1,   0, 0, 150],
  [0,      1,   2, 2, 0],
  [0xffff_ffff, 255, 0, 3, undefined], // above any amount
];
test.each(prices)(
  "%i in steps of %i with %i decimals, of %i",
  (scaled, scale, decimals, minorDecimals, minor) => {
    expect(minorOf(scaled, { scale, decimals, minorDecimals })).toBe(minor);
    if (minor !== undefined) expect(scaledOf(minor, { scale, decimals, minorDecimals }, 0xffff)).toBe(scaled);
  },
);

test("what goes over in one direction comes back in the other, to the unit", () => {
  const places = fc.integer({ min: 0, max: 3 });
  const scale = fc.record({
    scale: fc.integer({ min: 1, max: 255 }),
    decimals: places,
    minorDecimals: places,
  });
  fc.assert(
    fc.property(fc.nat(99_999_999), scale, (minor, one) => {
      const scaled = scaledOf(minor, one, 0xffff_fffe);
      if (scaled !== undefined) expect(minorOf(scaled, one)).toBe(minor);
      const exact = BigInt(minor) * 10n ** BigInt(one.decimals);
      const step = BigInt(one.scale) * 10n ** BigInt(one.minorDecimals);
      const fits = exact % step === 0n && exact / step <= 0xffff_fffen;
      expect(scaled !== undefined).toBe(fits);
    }),
  );
});

test("a sale for cash is told in the currency's smallest units, once; what brought no cash is not", () => {
  const bench = enabled({ scale: 5 });
  expect(bench.hears("13 05 00 1E 00 05")).toEqual(["! cashSale 150"]);
  expect(bench.hears("13 05 00 1E 00 05")).toEqual([]); // our ACK was lost
  expect(bench.hears("13 05 00 1E 80 05")).toEqual([]); // a free vend
});

test("several vends in one session are asked about one after the other, each with an approval of its own", () => {
  const bench = inSession();
  for (const request of [1, 2, 3]) {
    expect(bench.hears("13 00 00 64 00 07")).toEqual(["! vendRequested 100", "! vend"]);
    bench.ask({ kind: "approve", request });
    expect(bench.pass(DRAIN_MS)).toEqual(["> 050064"]);
    expect(bench.hears("00", "13 02 00 07")).toEqual(["! vendSucceeded", "! session"]);
  }
  bench.ask({ kind: "approve", request: 3 }); // once more
  expect(bench.pass(DRAIN_MS)).toEqual([]);
});
