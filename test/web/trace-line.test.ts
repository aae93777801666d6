/** The rig's trace, one short line an entry. */
import { expect, test } from "vitest";
import type { Happening } from "../../simulator/machine/trace.js";
import { traceLine } from "../../simulator/web/trace-line.js";

// prettier-ignore
const table: readonly [name: string, happening: Happening, arrow: string, text: string][] = [
  ["a line to the machine",   { kind: "serial", dir: "toMachine", line: "C,START,4.00" },        "→", "C,START,4.00"],
  ["noise from the machine",  { kind: "serial", dir: "toController", line: "c,\u0007ST" },        "←", "c,\\u0007ST"],
  ["a message down",          { kind: "mqtt", dir: "down", topic: "scanvend/m1/go", n: 4, body: { grantId: "g1", entry: 7 }, fate: "passed" },
                                                                                                 "→", "go grantId=g1 entry=7"],
  ["a message lost",          { kind: "mqtt", dir: "up", topic: "scanvend/m1/report", n: 9, body: { line: { kind: "closed" }, items: [1, 2] }, fate: "dropped" },
                                                                                                 "←", "report line={kind=closed} items=[2] (dropped)"],
  ["a payload not ours",      { kind: "mqtt", dir: "up", topic: "scanvend/m1/status", n: null, body: "12 bytes", fate: "passed" },
                                                                                                 "←", "status 12 bytes"],
  ["a journal entry",         { kind: "journal", entry: { kind: "accepted", reason: null } },     "",  "kind=accepted"],
  ["a lever",                 { kind: "machine", what: "lever", detail: null },                  "",  "lever"],
  ["a coil",                  { kind: "machine", what: "turns", detail: { item: 21 } },           "",  "turns item=21"],
  ["a process",               { kind: "process", what: "started", detail: { pid: 4711 } },        "",  "started pid=4711"],
];

for (const [name, happening, arrow, text] of table) {
  test(`${name} reads ${text}`, () => {
    const entry = { seq: 1, at: "2026-11-23T04:00:00.000Z", machine: "m1", ...happening };
    expect(traceLine(entry)).toMatchObject({ arrow, text });
  });
}
