/** The machine's shell on a clock that a test moves: whole sales without a socket or a wait. */
import { expect, test } from "vitest";
import { noFaults } from "../../simulator/machine/faults.js";
import { Machine } from "../../simulator/machine/machine.js";
import { Trace } from "../../simulator/machine/trace.js";
import { newVmc } from "../../simulator/machine/vmc.js";
import { VirtualClock } from "./virtual-clock.js";

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

function bench(): { machine: Machine; clock: VirtualClock; said: string[] } {
  const clock = new VirtualClock();
  const said: string[] = [];
  const vmc = newVmc(settings, [{ item: 11, name: "Water", priceMinor: 250, stock: 3 }], noFaults);
  const machine = new Machine(vmc, "NZD", clock, new Trace("m-1", clock), (word) => said.push(word.kind));
  return { machine, clock, said };
}

test("runs on any clock, and holds one timer at most", () => {
  const { machine, clock, said } = bench();
  machine.obey({ kind: "on" });
  expect(clock.waiting).toBe(1);
  clock.advance(200);
  expect(clock.waiting).toBe(0);
  machine.obey({ kind: "start", funds: "4.00" });
  machine.select(11);
  machine.obey({ kind: "approve" });
  expect(clock.waiting).toBe(1);
  clock.advance(600);
  expect(said.slice(-2)).toEqual(["succeeded", "enabled"]);
  expect(machine.face()).toEqual({ display: "THANK YOU", credit: null, vmc: "enabled" });
  clock.advance(2_000);
  expect(machine.face().display).toBe("READY");
  expect(clock.waiting).toBe(0);
});

test("put away, it waits for nothing", () => {
  const { machine, clock } = bench();
  machine.obey({ kind: "on" });
  machine[Symbol.dispose]();
  expect(clock.waiting).toBe(0);
});
