/** The adapter's language, both ways: what it takes as which command, and its sentences letter by letter. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readCommand, say, type Command } from "../../simulator/machine/adapter-line.js";

// prettier-ignore
const golden: readonly [line: string, command: Command][] = [
  ["",                                  { kind: "blank" }],
  ["V",                                 { kind: "version" }],
  ["X,0",                               { kind: "sniffOff" }],
  ["C,0",                               { kind: "off" }],
  ["C,1",                               { kind: "on" }],
  ["C,SETCONF,mdb-currency-code=0x1978", { kind: "configure" }],
  ["C,SETCONF,mdb-scale-factor=1",      { kind: "configure" }],
  ["C,SETCONF,mdb-addr=0x60",           { kind: "address", value: "0x60" }],
  ["C,START,4.00",                      { kind: "start", funds: "4.00" }],
  ["C,START,-",                         { kind: "start", funds: "-" }],
  ["C,START,4.00,1",                    { kind: "start", funds: "4.00" }],
  ["C,VEND,2.50",                       { kind: "approve" }],
  ["C,VEND,2",                          { kind: "approve" }],
  ["C,VEND,2.50,11",                    { kind: "approve" }],
  ["C,VEND,-1",                         { kind: "deny" }],
  ["C,VEND",                            { kind: "badPrice" }],
  ["C,VEND,",                           { kind: "badPrice" }],
  ["C,VEND,2,50,1",                     { kind: "badPrice" }],
  ["C,VEND,-2",                         { kind: "badPrice" }],
  ["C,STOP",                            { kind: "stop" }],
  ["  C,STOP \r",                       { kind: "stop" }],
  ["c,stop",                            { kind: "unknown", text: "c,stop" }],
  ["C,START",                           { kind: "unknown", text: "C,START" }],
  ["C",                                 { kind: "unknown", text: "C" }],
  ["VV",                                { kind: "unknown", text: "VV" }],
];

for (const [line, command] of golden) {
  test(`reads ${JSON.stringify(line)} as ${command.kind}`, () => expect(readCommand(line)).toEqual(command));
}

/** As adapters in the field say them: quotes around some errors, none around the results of a vend. */
// prettier-ignore
const sentences: readonly [said: string, line: string][] = [
  [say.off,                 "c,0"],
  [say.on,                  "c,1"],
  [say.configured,          "c,SET,OK"],
  [say.inactive,            "c,STATUS,INACTIVE"],
  [say.disabled,            "c,STATUS,DISABLED"],
  [say.enabled,             "c,STATUS,ENABLED"],
  [say.idle("-"),           "c,STATUS,IDLE,-"],
  [say.requested("1.00", 5), "c,STATUS,VEND,1.00,5"],
  [say.succeeded,           "c,VEND,SUCCESS"],
  [say.cancelled,           "c,ERR,VEND 1"],
  [say.failed,              "c,ERR,VEND 3"],
  [say.reset,               "c,ERR,VEND 5"],
  [say.isOn,                'c,ERR,"cashless is on"'],
  [say.isOff,               'c,ERR,"cashless is off"'],
  [say.cannotStart,         'c,ERR,"START -3"'],
  [say.cannotStop,          'c,ERR,"STOP -3"'],
  [say.cannotVend,          'c,ERR,"VEND -3"'],
  [say.badPrice,            'c,ERR,"VEND -2"'],
  [say.unknown(" C"),       'c,UNKNOWN," C"'],
];

for (const [said, line] of sentences) test(`says ${line}`, () => expect(said).toBe(line));

test("says its version as four numbers and a chip id", () => {
  expect(say.version).toMatch(/^v,\d+\.\d+\.\d+\.\d+,[0-9a-f]{24}$/);
});

test("reading never throws, whatever the line", () => {
  fc.assert(fc.property(fc.string(), (line) => readCommand(line).kind.length > 0));
});
