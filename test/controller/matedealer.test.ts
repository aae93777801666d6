/** The MateDealer's lines and what the driver makes of them, where the simulated adapter does not lead. */
import { describe, expect, test } from "vitest";
import type { DriverEvent, Said } from "../../controller/mdb/driver.js";
import { mateDealer, SETTLE_MS, STOP_MS, type MateDealerLink } from "../../controller/mdb/matedealer.js";
import { parseLine, type Line } from "../../controller/mdb/matedealer-line.js";

// prettier-ignore
const lines: readonly (readonly [text: string, line: Line])[] = [
  ["State: ENABLED",                      { kind: "state", state: "enabled" }],
  ["State: SESSION IDLE\r",               { kind: "state", state: "session" }],
  ["State: VEND",                         { kind: "state", state: "vend" }],
  ["vend-request 250 11",                 { kind: "vend", priceMinor: 250, item: 11 }],
  ["vend-request 250 99999",              { kind: "unknown" }],
  ["vend-request 2x0 11",                 { kind: "unknown" }],
  ["vend-success 11",                     { kind: "succeeded" }],
  ["vend-cancel",                         { kind: "cancelled" }],
  ["vend-failure",                        { kind: "failed" }],
  ["session-complete",                    { kind: "complete" }],
  // what was typed, whole and around a line of the machine's
  ["mdb-state",                           { kind: "echo" }],
  ["approve-vend 250",                    { kind: "echo" }],
  ["mdb-stvend-request 250 11",           { kind: "vend", priceMinor: 250, item: 11 }],
  ["approve-vend 25vend-cancel",          { kind: "cancelled" }],
  ["ate",                                 { kind: "echo" }],
  // nobody typed that
  ["xvend-success 11",                    { kind: "unknown" }],
  ["Error: invalid checksum [VEND]",      { kind: "unknown" }],
  ["Error: no ACK received on [SETUP]State: DISABLED", { kind: "state", state: "disabled" }],
  ["Error: Session is already running",   { kind: "refused", command: "stillStarting" }],
  ["Error: MateDealer is not in a suitable state to approve a vend", { kind: "refused", command: "approve" }],
  ["\u0080State: ENABLED",                { kind: "noise" }],
];
test.each(lines)("%j", (text, line) => expect(parseLine(text)).toEqual(line));

const DRAIN_MS = 5;
const driver = mateDealer(DRAIN_MS);
class Bench {
  nowMs = 0;
  readonly sent: string[] = [];
  readonly said: Said[] = [];
  #link: MateDealerLink = driver.initial;

  take(event: DriverEvent extends infer E ? (E extends unknown ? Omit<E, "nowMs"> : never) : never): void {
    const timed = { ...event, nowMs: this.nowMs } as DriverEvent; // only nowMs was away
    const [next, effects] = driver.step(this.#link, timed);
    this.#link = next;
    for (const effect of effects) {
      if (effect.kind === "send") this.sent.push(effect.text);
      if (effect.kind === "say" && effect.said.kind !== "mdb") this.said.push(effect.said);
    }
  }
  pass(ms: number): void {
    this.nowMs += ms;
    this.take({ kind: "tick" });
  }
  hear(...texts: readonly string[]): void {
    for (const text of texts) this.take({ kind: "line", text });
  }
  get words(): string {
    return this.said.map(({ kind }) => kind).join(" ");
  }
}
function inSession(): Bench {
  const line = new Bench();
  line.take({ kind: "connected" });
  line.pass(SETTLE_MS);
  line.hear("State: ENABLED");
  line.take({ kind: "ask", ask: { kind: "openSession", amountMinor: 400 } });
  line.hear("State: SESSION IDLE");
  return line;
}
function approved(): Bench {
  const line = inSession();
  line.hear("vend-request 250 11");
  line.take({ kind: "ask", ask: { kind: "approve", request: 1 } });
  line.pass(10);
  line.pass(10);
  expect(line.sent.filter((text) => text.startsWith("approve"))).toEqual(["approve-vend 250"]);
  return line;
}

describe("after an approval", () => {
  test.each([
    ["a state that is asked for says nothing", ["State: VEND"], ""],
    ["INACTIVE is a reset: sold", ["State: INACTIVE"], "reset"],
    ["ENABLED without a result: nobody knows", ["State: ENABLED"], "sessionEnded"],
    ["a restart of the adapter: nobody knows", ["MateDealer is up and running"], "sessionEnded"],
    [
      "a refused approval never took hold",
      ["Error: MateDealer is not in a suitable state to approve a vend"],
      "vendCancelled",
    ],
    ["a failure", ["vend-failure"], "vendFailed"],
    ["a failure after a line nobody could read", ["vend-succ\u0080ess", "vend-failure"], "sessionEnded"],
    ["a reset after a line nobody could read", ["vend-succ\u0080ess", "State: INACTIVE"], "sessionEnded"],
    [
      "a request that is said again, its ACK lost, is no other",
      ["vend-request 250 11", "vend-success 11"],
      "vendSucceeded",
    ],
    ["a failure after that, which may be another's", ["vend-request 250 11", "vend-failure"], "sessionEnded"],
    ["a request for something else: nobody knows", ["vend-request 250 12"], "sessionEnded"],
    ["the echo of the approval is no result", ["approve-vend 250", "reset"], ""],
  ])("%s", (_, texts, words) => {
    const line = approved();
    line.hear(...texts);
    expect(line.words).toBe(`opened vendRequested ${words}`.trim());
  });
});

test("a request whose ACK was lost is asked about once, and approved once", () => {
  const line = inSession();
  line.hear("vend-request 250 11", "vend-request 250 11");
  line.take({ kind: "ask", ask: { kind: "approve", request: 1 } });
  line.hear("vend-request 250 11");
  line.pass(10);
  line.pass(10);
  expect(line.sent.filter((text) => /^(approve|deny|cancel)/.test(text))).toEqual(["approve-vend 250"]);
  expect(line.words).toBe("opened vendRequested");
  line.hear("vend-success 11");
  expect(line.words).toBe("opened vendRequested vendSucceeded");
});

test("a request whose line was lost is denied, and the session goes on", () => {
  const line = inSession();
  line.hear("State: VEND", "State: SESSION IDLE", "State: VEND");
  expect(line.sent).not.toContain("deny-vend");
  line.hear("mdb-state", "State: VEND");
  expect(line.sent.at(-1)).toBe("deny-vend");
  line.hear("State: SESSION IDLE", "vend-request 250 11");
  expect(line.words).toBe("opened vendRequested");
});

test("a session that is closed with such a request in it ends without a restart of the adapter", () => {
  const line = inSession();
  line.take({ kind: "ask", ask: { kind: "closeSession" } });
  line.pass(0);
  line.hear("State: VEND");
  line.pass(0);
  expect(line.sent.slice(-2)).toEqual(["deny-vend", "cancel-session"]);
  line.hear("State: VEND");
  line.pass(0);
  line.hear("State: ENABLED");
  expect(line.sent.filter((text) => /^(deny|reset)/.test(text))).toEqual(["deny-vend"]);
});

test("an approved vend is not denied when its session is to be closed", () => {
  const line = approved();
  line.take({ kind: "ask", ask: { kind: "closeSession" } });
  line.pass(0);
  line.hear("State: VEND");
  line.pass(STOP_MS);
  expect(line.sent).not.toContain("deny-vend");
});

test("a request for something else takes the place of one that waits", () => {
  const line = inSession();
  line.hear("vend-request 250 11", "vend-request 250 12");
  expect(line.words).toBe("opened vendRequested vendCancelled vendRequested");
});

test("an approval waits for what the kernel still holds of the line, and for one more turn", () => {
  const line = inSession();
  line.hear("vend-request 250 11");
  line.take({ kind: "ask", ask: { kind: "approve", request: 1 } });
  line.pass(DRAIN_MS - 1);
  line.pass(1);
  expect(line.sent.at(-1)).not.toBe("approve-vend 250");
  line.pass(0);
  expect(line.sent.at(-1)).toBe("approve-vend 250");
});

test("a start that the firmware never forgot is ended by a restart", () => {
  const line = new Bench();
  line.take({ kind: "connected" });
  line.pass(SETTLE_MS);
  line.hear("State: ENABLED");
  line.take({ kind: "ask", ask: { kind: "openSession", amountMinor: 400 } });
  line.hear("start-session 400", "Error: Session is already running");
  expect([line.words, line.sent.at(-1)]).toEqual(["notOpened", "reset"]);
});

test("an adapter that does not answer is reopened, after four questions", () => {
  const line = new Bench();
  line.take({ kind: "connected" });
  line.pass(SETTLE_MS);
  for (let i = 0; i < 10; i += 1) line.pass(1_000);
  expect(line.sent.filter((text) => text === "mdb-state").length).toBe(4);
  expect(line.words).toBe("lost");
});
