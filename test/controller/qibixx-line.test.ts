/** The adapter's lines, against the vectors of the reference and against what a noisy line delivers. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeCommand, parseLine, type Command, type Line } from "../../controller/mdb/qibixx-line.js";

// prettier-ignore
const lines: readonly [line: string, meaning: Line][] = [
  // The reference's vectors.
  ["v,4.0.2.0,0123456789abcdef01234567", { kind: "version", version: "4.0.2.0,0123456789abcdef01234567" }],
  ["c,1",                        { kind: "on" }],
  ["c,STATUS,INACTIVE",          { kind: "inactive" }],
  ["c,STATUS,ENABLED",           { kind: "enabled" }],
  ["c,STATUS,IDLE,0",            { kind: "idle", echo: "0" }],
  ["c,STATUS,IDLE,-",            { kind: "idle", echo: "-" }],
  ["c,STATUS,VEND,1,5",          { kind: "vend", priceText: "1", priceMinor: 100, item: 5 }],
  ["c,VEND,SUCCESS",             { kind: "succeeded" }],
  ["c,ERR,VEND 3",               { kind: "failed" }],
  ['c,ERR,"START -3"',           { kind: "wrongState", command: "start" }],
  ['c,ERR,"VEND -3"',            { kind: "wrongState", command: "vend" }],
  ["c,ERR,-3",                   { kind: "denied" }],
  ['c,ERR,"cashless is off"',    { kind: "off" }],
  ["c,STATUS,ONLINE",            { kind: "on" }],
  ["r,ACK",                      { kind: "chatter" }],
  ["x,00,0000010000,12,",        { kind: "chatter" }],
  ["x,80,0000010058,0301f4",     { kind: "chatter" }],
  ["",                           { kind: "blank" }],
  // The rest of the grammar (mdb.md 2.1).
  ["c,0",                        { kind: "off" }],
  ["c,SET,OK",                   { kind: "settingTaken" }],
  ["x,ACK",                      { kind: "chatter" }],
  ["c,STATUS,DISABLED",          { kind: "disabled" }],
  ["c,STATUS,OFFLINE",           { kind: "off" }],
  ["c,STATUS,IDLE",              { kind: "idle", echo: "" }],
  ["c,STATUS,VEND,15.19,1",      { kind: "vend", priceText: "15.19", priceMinor: 1519, item: 1 }],
  ["c,STATUS,VEND,99.20,18",     { kind: "vend", priceText: "99.20", priceMinor: 9920, item: 18 }],
  ["c,STATUS,VEND,0.25,65535",   { kind: "vend", priceText: "0.25", priceMinor: 25, item: 65535 }],
  ["c,STATUS,VEND,1.00",         { kind: "vend", priceText: "1.00", priceMinor: 100, item: 65535 }],
  ["c,STATUS,VEND,-1,5",         { kind: "vend", priceText: "-1", item: 5 }],
  ["c,STATUS,VEND,1.005,5",      { kind: "vend", priceText: "1.005", item: 5 }],
  ["c,STATUS,VEND,99999999999,5", { kind: "vend", priceText: "99999999999", item: 5 }],
  ["c,ERR,VEND 1",               { kind: "cancelled" }],
  ["c,ERR,VEND 5",               { kind: "reset" }],
  ['c,ERR,"STOP -3"',            { kind: "wrongState", command: "stop" }],
  ['c,ERR,"VEND -2"',            { kind: "badParameter" }],
  ['c,ERR,"cashless is on"',     { kind: "on" }],
  ["c,STATUS,ENABLED\r",         { kind: "enabled" }],
  // What is not for us, cut, or damaged.
  ["c,UNKNOWN,\" C\"",           { kind: "unknown" }],
  ["c,STATUS,VEND,1.00,5,9",     { kind: "unknown" }],
  ["c,STATUS,VEND,1.00,65536",   { kind: "unknown" }],
  ["c,STATUS,VEND,1.00,5x",      { kind: "unknown" }],
  ["c,STATUS,VEND",              { kind: "unknown" }],
  ["c,STATUS,ENAB",              { kind: "unknown" }],
  ["d,STATUS,INIT,1",            { kind: "unknown" }],
  ["v,",                         { kind: "unknown" }],
  ["c",                          { kind: "unknown" }],
  ["\u0000c,STATUS,ENABLED",     { kind: "noise" }],
  ["c,VEND,SUCC\u00ffESS",       { kind: "noise" }],
  ["c,VEND,\u001bSUCCESS",       { kind: "noise" }],
];

for (const [line, meaning] of lines) {
  test(`reads ${JSON.stringify(line)} as ${meaning.kind}`, () => expect(parseLine(line, 2)).toEqual(meaning));
}

// prettier-ignore
const commands: readonly [Command, line: string][] = [
  [{ kind: "clear" },                                             ""],
  [{ kind: "version" },                                           "V"],
  [{ kind: "sniffOff" },                                          "X,0"],
  [{ kind: "off" },                                               "C,0"],
  [{ kind: "on" },                                                "C,1"],
  [{ kind: "set", parameter: "mdb-scale-factor", value: "1" },    "C,SETCONF,mdb-scale-factor=1"],
  [{ kind: "start", amountText: "4.00" },                         "C,START,4.00"],
  [{ kind: "approve", priceText: "1" },                           "C,VEND,1"],
  [{ kind: "deny" },                                              "C,VEND,-1"],
  [{ kind: "stop" },                                              "C,STOP"],
];

for (const [command, line] of commands) {
  test(`says ${command.kind} as ${JSON.stringify(line)}`, () => expect(encodeCommand(command)).toBe(line));
}

test("whatever is on the line is read without a throw, and a line with an odd byte is never believed", () => {
  const odd = fc.constantFrom("\u0000", "\u007f", "\u0080", "\u00ff", "\u001b");
  const known = fc.constantFrom(...lines.map(([line]) => line));
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      parseLine(text, 2);
    }),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(known, odd, fc.nat(60), (line, byte, at) => {
      const text = `${line.slice(0, at)}${byte}${line.slice(at)}x`;
      expect(parseLine(text, 2).kind).toBe("noise");
    }),
  );
});
