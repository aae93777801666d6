/** The MDB codec on the standard's frames: what they say, the bytes they come back as, and what is wrong with bad ones. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  decodeCommand,
  decodeResponses,
  encode,
  tryEncode,
  type Command,
  type Response,
  type Signal,
} from "../../controller/mdb/codec.js";
import { closeBlock } from "../../controller/mdb/frame.js";
import { hexOf, readHex, type Context } from "../../controller/mdb/widths.js";

const L1: Context = { level: 1 };
const L2: Context = { level: 2 };
const L3: Context = { level: 3 };
const EXPANDED: Context = { level: 3, expanded: true };
const UNKNOWN_ID = 0xffffffff;

const hex = (text: string): Uint8Array => {
  const bytes = readHex(text);
  if (bytes === undefined) throw new Error(`${text} is not hex`);
  return bytes;
};
const cmd = (text: string, context?: Context): Command | Signal => {
  const decoded = decodeCommand(hex(text), context);
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.fault));
  return decoded.command;
};
const said = (text: string, context?: Context): readonly (Response | Signal)[] => {
  const decoded = decodeResponses(hex(text), context);
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.fault));
  return decoded.responses;
};
const closed = (body: string): string => hexOf(closeBlock(hex(body)));

const golden = z
  .object({
    frames: z.array(
      z.object({
        name: z.string(),
        from: z.enum(["machine", "reader"]),
        frame: z.string(),
        level: z.string(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL("mdb-frames.json", import.meta.url), "utf8"))).frames;

const requestId = {
  kind: "requestId",
  manufacturer: "TST",
  serial: "000000000001",
  model: "MODEL-000001",
  version: "0100",
};
/** What each golden frame says, #1 and #2 being one row. */
const meanings: Readonly<Record<string, object | readonly object[]>> = {
  RESET: { kind: "reset" },
  SETUP_MAXMIN: { kind: "setupPrices", maxScaled: 1345, minScaled: 50 },
  SETUP_MAXMIN_EXP: { kind: "setupPrices", maxScaled: 1000, minScaled: 50, currency: "1978" },
  VEND_REQUEST: { kind: "vendRequest", priceScaled: 150, item: 5 },
  VEND_REQUEST_EXP: { kind: "vendRequest", priceScaled: 150, item: 5 },
  VEND_SUCCESS: { kind: "vendSuccess", item: 5 },
  SESSION_COMPLETE: { kind: "sessionComplete" },
  CASH_SALE_FREE: { kind: "cashSale", priceScaled: 0, flags: ["free"], item: 5 },
  READER_DISABLE: { kind: "readerDisable" },
  READER_CANCEL: { kind: "readerCancel" },
  REVALUE_REQUEST: { kind: "revalueRequest", amountScaled: 500 },
  REQUEST_ID: requestId,
  JUST_RESET: [{ kind: "justReset" }],
  READER_CONFIG_L3_CHF: [
    {
      kind: "readerConfig",
      level: 3,
      country: "1756",
      scale: 1,
      decimals: 2,
      responseSeconds: 30,
      options: [],
    },
  ],
  BEGIN_L1: [{ kind: "beginSession", fundsScaled: 500 }],
  BEGIN_L2: [{ kind: "beginSession", fundsScaled: 500, mediaId: UNKNOWN_ID, paymentType: 0, paymentData: 0 }],
  SESSION_CANCEL: [{ kind: "sessionCancelRequest" }],
  VEND_APPROVED_TOKEN: [{ kind: "vendApproved", amountScaled: 0xffff }],
  VEND_DENIED: [{ kind: "vendDenied" }],
  CANCELLED: [{ kind: "cancelled" }],
  PERIPHERAL_ID_L3: [{ ...requestId, kind: "peripheralId", features: ["alwaysIdle"] }],
  OOS_L1: [{ kind: "outOfSequence" }],
  REVALUE_APPROVED: [{ kind: "revalueApproved" }],
  REVALUE_LIMIT: [{ kind: "revalueLimit", limitScaled: 5000 }],
  MULTI: [
    { kind: "vendDenied" },
    { kind: "malfunction", error: 0, detail: 7 },
    { kind: "sessionCancelRequest" },
  ],
};
const contexts: Readonly<Record<string, Context>> = { 1: L1, 2: L2, 3: L3, "3x": EXPANDED };

for (const { name, from, frame, level } of golden)
  test(`the standard's ${name} is read, with its level told and without`, () => {
    const [base = "", device] = name.split("#");
    const meaning = meanings[base];
    expect(meaning).toBeDefined();
    for (const context of [contexts[level], undefined])
      if (from === "machine")
        expect(cmd(frame, context)).toEqual(Object.assign({ device: Number(device) }, meaning));
      else expect(said(frame, context)).toEqual(meaning);
  });

// prettier-ignore
const machineSays: readonly [block: string, context: Context, command: Command][] = [
  ["10 10",                   L1, { kind: "reset", device: 1 }],
  ["60 60",                   L1, { kind: "reset", device: 2 }],
  ["11 00 03 10 01 01 26",    L1, { kind: "setupConfig", device: 1, level: 3, columns: 16, rows: 1, display: 1 }],
  ["11 01 FF FF 00 00 10",    L1, { kind: "setupPrices", device: 1, maxScaled: 0xffff, minScaled: 0 }],
  ["11 01 05 41 00 32 8A",    L1, { kind: "setupPrices", device: 1, maxScaled: 1345, minScaled: 50 }],
  ["12 12",                   L1, { kind: "poll", device: 1 }],
  ["13 00 00 96 00 05 AE",    L1, { kind: "vendRequest", device: 1, priceScaled: 150, item: 5 }],
  ["13 00 04 E3 00 01 FB",    L2, { kind: "vendRequest", device: 1, priceScaled: 1251, item: 1 }],
  ["63 00 00 96 00 05 FE",    L1, { kind: "vendRequest", device: 2, priceScaled: 150, item: 5 }],
  ["13 01 14",                L1, { kind: "vendCancel", device: 1 }],
  ["13 02 00 05 1A",          L1, { kind: "vendSuccess", device: 1, item: 5 }],
  ["13 03 16",                L1, { kind: "vendFailure", device: 1 }],
  ["13 04 17",                L1, { kind: "sessionComplete", device: 1 }],
  ["13 05 00 96 00 05 B3",    L1, { kind: "cashSale", device: 1, priceScaled: 150, flags: [], item: 5 }],
  ["14 00 14",                L1, { kind: "readerDisable", device: 1 }],
  ["14 01 15",                L1, { kind: "readerEnable", device: 1 }],
  ["14 02 16",                L1, { kind: "readerCancel", device: 1 }],
  ["15 00 01 F4 0A",          L2, { kind: "revalueRequest", device: 1, amountScaled: 500 }],
  ["15 01 16",                L2, { kind: "revalueLimitRequest", device: 1 }],
  ["17 04 00 00 00 20 3B",    L3, { kind: "enableOptions", device: 1, features: ["alwaysIdle"] }],
  ["17 04 00 00 00 60 7B",    L3, { kind: "enableOptions", device: 1, features: ["alwaysIdle", "remoteVend"] }],
];
// Bodies after the layouts of section 7; the checksum is the sum of what is written.
// prettier-ignore
const machineLayouts: readonly [body: string, context: Context, command: Command][] = [
  ["13 06 00 32 00 07",                L3,       { kind: "negativeVendRequest", device: 1, valueScaled: 50, item: 7 }],
  ["13 06 00 00 00 32 00 07",          EXPANDED, { kind: "negativeVendRequest", device: 1, valueScaled: 50, item: 7 }],
  ["13 05 00 01 00 00 50 05 19 78",    EXPANDED, { kind: "cashSale", device: 1, priceScaled: 65536, flags: ["token", "test"], item: 5, currency: "1978" }],
  ["15 00 00 01 00 00",                EXPANDED, { kind: "revalueRequest", device: 1, amountScaled: 65536 }],
  ["14 03 31 32 33 00 00 00 00 00",    L3,       { kind: "dataEntryResponse", device: 1, data: "123" }],
  ["14 03 FF FF FF FF FF FF FF FF",    L3,       { kind: "dataEntryResponse", device: 1, data: "ÿÿÿÿÿÿÿÿ" }],
  ["17 00 54 53 54 30 30 30 30 30 30 30 30 30 30 30 31 4D 4F 44 45 4C 2D 30 30 30 30 30 31 01 00 00 00 00 20", L1,
    { kind: "requestId", device: 1, manufacturer: "TST", serial: "000000000001", model: "MODEL-000001", version: "0100", features: ["alwaysIdle"] }],
  ["17 01 04",                         L2,       { kind: "readUserFile", device: 1, file: 4 }],
  ["17 02 04 02 AB CD",                L2,       { kind: "writeUserFile", device: 1, file: 4, data: "abcd" }],
  ["17 03 26 11 24 18 30 59 02 48 00 FF", L2,
    { kind: "writeTimeDate", device: 1, year: "26", month: "11", day: "24", hour: "18", minute: "30", second: "59", weekday: "02", week: "48", summer: "00", holiday: "FF" }],
  ["67 FA 10 00 01 20 00",             L3,       { kind: "machineRequestToReceive", device: 2, destination: 16, source: 0, file: 1, maxLength: 32, control: 0 }],
  ["17 FB 10 00 05",                   L3,       { kind: "machineRetryDeny", device: 1, destination: 16, source: 0, delay: 5 }],
  ["17 FC 10 01 AA BB",                L3,       { kind: "machineSendBlock", device: 1, destination: 16, block: 1, data: "aabb" }],
  ["17 FD 10 00",                      L3,       { kind: "machineOkToSend", device: 1, destination: 16, source: 0 }],
  ["17 FE 10 00 01 20 00",             L3,       { kind: "machineRequestToSend", device: 1, destination: 16, source: 0, file: 1, maxLength: 32, control: 0 }],
  ["17 FF 05 06 12 44 52 41 56 50",    L3,       { kind: "setAge", device: 1, age: 18 }],
  ["17 FF 06 06 00 44 52 41 56 53",    L3,       { kind: "checkAge", device: 1, value: 0 }],
  ["17 FF 01 02",                      L1,       { kind: "diagnostics", device: 1, data: "0102" }],
  ["17 FF 05 06 44 52 41 56 50",       L1,       { kind: "diagnostics", device: 1, data: "05064452415650" }],
  ["66 07",                            L3,       { kind: "unknownCommand", device: 2, code: 0x16, data: "07" }],
  ["13 07 00 01",                      L3,       { kind: "unknownCommand", device: 1, code: 0x13, data: "070001" }],
];
for (const [block, context, command] of [
  ...machineSays,
  ...machineLayouts.map(([body, context, command]) => [closed(body), context, command] as const),
])
  test(`${block} is ${command.kind} of the machine, both ways`, () => {
    expect(cmd(block, context)).toEqual(command);
    expect(cmd(block)).toEqual(command);
    expect(hexOf(encode(command, context))).toBe(hexOf(hex(block)));
  });

const spare = { mediaId: UNKNOWN_ID, paymentType: 0, paymentData: 0 };
// prettier-ignore
const readerSays: readonly [block: string, context: Context, response: Response][] = [
  ["00 00",                                              L1, { kind: "justReset" }],
  ["01 03 17 56 01 02 1E 00 92",                         L3, { kind: "readerConfig", level: 3, country: "1756", scale: 1, decimals: 2, responseSeconds: 30, options: [] }],
  ["01 01 19 78 01 02 05 09 A4",                         L1, { kind: "readerConfig", level: 1, country: "1978", scale: 1, decimals: 2, responseSeconds: 5, options: ["refund", "cashSale"] }],
  ["03 00 64 67",                                        L1, { kind: "beginSession", fundsScaled: 100 }],
  ["03 01 F4 F8",                                        L1, { kind: "beginSession", fundsScaled: 500 }],
  ["03 01 F4 FF FF FF FF 00 00 00 F4",                   L2, { kind: "beginSession", fundsScaled: 500, ...spare }],
  ["03 00 00 01 F4 FF FF FF FF 00 00 00 65 6E 19 78 00 58", EXPANDED, { kind: "beginSession", fundsScaled: 500, ...spare, language: "en", currency: "1978", cardOptions: [] }],
  ["05 00 96 9B",                                        L1, { kind: "vendApproved", amountScaled: 150 }],
  ["05 04 E3 EC",                                        L3, { kind: "vendApproved", amountScaled: 1251 }],
  ["06 06",                                              L1, { kind: "vendDenied" }],
  ["04 04",                                              L1, { kind: "sessionCancelRequest" }],
  ["07 07",                                              L1, { kind: "endSession" }],
  ["08 08",                                              L1, { kind: "cancelled" }],
  ["0B 0B",                                              L1, { kind: "outOfSequence" }],
  ["0B 05 10",                                           L2, { kind: "outOfSequence", state: 5 }],
  ["0A C0 CA",                                           L1, { kind: "malfunction", error: 12, detail: 0 }],
  ["0D 0D",                                              L2, { kind: "revalueApproved" }],
  ["0E 0E",                                              L2, { kind: "revalueDenied" }],
  ["0F 13 88 AA",                                        L2, { kind: "revalueLimit", limitScaled: 5000 }],
];
// prettier-ignore
const readerLayouts: readonly [body: string, context: Context, response: Response][] = [
  ["02 14 48 49",             L1,       { kind: "displayRequest", tenths: 20, text: "HI" }],
  ["05 00 01 00 00",          EXPANDED, { kind: "vendApproved", amountScaled: 65536 }],
  ["0F 00 01 00 00",          EXPANDED, { kind: "revalueLimit", limitScaled: 65536 }],
  ["03 00 00 01 F4 00 00 00 07 00 00 00 64 65 17 56 05", EXPANDED,
    { kind: "beginSession", fundsScaled: 500, mediaId: 7, paymentType: 0, paymentData: 0, language: "de", currency: "1756", cardOptions: ["hideCredit", "revalue"] }],
  ["09 54 53 54 30 30 30 30 30 30 30 30 30 30 30 31 4D 4F 44 45 4C 2D 30 30 30 30 30 31 01 00", L2,
    { kind: "peripheralId", manufacturer: "TST", serial: "000000000001", model: "MODEL-000001", version: "0100" }],
  ["10 04 02 AB CD",          L2,       { kind: "userFileData", file: 4, data: "abcd" }],
  ["11",                      L2,       { kind: "timeDateRequest" }],
  ["12 88",                   L3,       { kind: "dataEntryRequest", repeated: 1, length: 8 }],
  ["13",                      L3,       { kind: "dataEntryCancel" }],
  ["1B 00 10 01 20 00",       L3,       { kind: "readerRequestToReceive", destination: 0, source: 16, file: 1, maxLength: 32, control: 0 }],
  ["1C 00 10 05",             L3,       { kind: "readerRetryDeny", destination: 0, source: 16, delay: 5 }],
  ["1D 00 01 AA BB",          L3,       { kind: "readerSendBlock", destination: 0, block: 1, data: "aabb" }],
  ["1E 00 10",                L3,       { kind: "readerOkToSend", destination: 0, source: 16 }],
  ["1F 00 10 01 20 00",       L3,       { kind: "readerRequestToSend", destination: 0, source: 16, file: 1, maxLength: 32, control: 0 }],
  ["FF 05 06 00 44 52 41 56 50",    L3, { kind: "ageSet", status: 0 }],
  ["FF 06 07 9F 10 44 52 41 56 53", L3, { kind: "ageChecked", status: "9F10" }],
  ["FF 01",                   L1,       { kind: "diagnosticResponse", data: "01" }],
  ["14 01 02",                L3,       { kind: "unknownResponse", code: 0x14, data: "0102" }],
];
for (const [block, context, response] of [
  ...readerSays,
  ...readerLayouts.map(([body, context, response]) => [closed(body), context, response] as const),
])
  test(`${block} is ${response.kind} of the reader, both ways`, () => {
    expect(said(block, context)).toEqual([response]);
    expect(said(block)).toEqual([response]);
    expect(hexOf(encode(response, context))).toBe(hexOf(hex(block)));
  });

test("a byte alone is what the other side thinks of a block", () => {
  expect([cmd("00"), cmd("FF"), cmd("AA")]).toEqual([{ kind: "ack" }, { kind: "nak" }, { kind: "ret" }]);
  expect([said("00"), said("FF")]).toEqual([[{ kind: "ack" }], [{ kind: "nak" }]]);
  expect(decodeResponses(hex("AA"))).toEqual({ ok: false, fault: { kind: "tooShort", bytes: 1 } }); // a reader never asks again
});

test("what a block's lengths leave open is settled by the context", () => {
  const block = closed("0B 04");
  expect(said(block)).toEqual([{ kind: "outOfSequence", state: 4 }]);
  expect(said(block, L2)).toEqual([{ kind: "outOfSequence", state: 4 }]);
  expect(said(block, L1)).toEqual([{ kind: "outOfSequence" }, { kind: "sessionCancelRequest" }]);
  const approval = closed("05 00 00 07 04");
  expect(said(approval)).toEqual([{ kind: "vendApproved", amountScaled: 0x704 }]);
  expect(said(approval, L3)).toEqual([
    { kind: "vendApproved", amountScaled: 0 },
    { kind: "endSession" },
    { kind: "sessionCancelRequest" },
  ]);
});

test("a code that nobody has told us of keeps its bytes, behind what is known", () => {
  expect(said(closed("06 20 01 02"))).toEqual([
    { kind: "vendDenied" },
    { kind: "unknownResponse", code: 0x20, data: "0102" },
  ]);
});

// prettier-ignore
const badOnes: readonly [name: string, from: "machine" | "reader", block: string, context: Context | undefined, fault: object][] = [
  ["nothing",                  "machine", "",                        undefined, { kind: "tooShort", bytes: 0 }],
  ["a lone byte",              "machine", "12",                      undefined, { kind: "tooShort", bytes: 1 }],
  ["37 bytes",                 "machine", "17FF" + "00".repeat(34) + "16", undefined, { kind: "tooLong", bytes: 37 }],
  ["a flipped bit",            "machine", "13 00 00 97 00 05 AE",    undefined, { kind: "checksum", expected: 0xaf, got: 0xae }],
  ["another's address",        "machine", "30 30",                   undefined, { kind: "unknownAddress", address: 0x30 }],
  ["a price cut short",        "machine", closed("13 00 00 96 05"),  undefined, { kind: "wrongLength", message: "vendRequest", expected: [6, 8], got: 5 }],
  ["32-bit money unasked",     "machine", closed("13 00 00 00 00 96 00 05"), L3, { kind: "wrongLength", message: "vendRequest", expected: [6], got: 8 }],
  ["16-bit money, expanded",   "machine", "13 00 00 96 00 05 AE",    EXPANDED,  { kind: "wrongLength", message: "vendRequest", expected: [8], got: 6 }],
  ["an identity of 31 bytes",  "machine", closed("17 00" + "31".repeat(30)), L3, { kind: "wrongLength", message: "requestId", expected: [31, 35], got: 32 }],
  ["a reader's flipped bit",   "reader",  "06 07",                   undefined, { kind: "checksum", expected: 6, got: 7 }],
  ["a session without funds",  "reader",  closed("03 01"),           L1,        { kind: "wrongLength", message: "beginSession", expected: [3], got: 2 }],
];
for (const [name, from, block, context, fault] of badOnes)
  test(`${name} is refused, and it is said why`, () => {
    const decoded =
      from === "machine" ? decodeCommand(hex(block), context) : decodeResponses(hex(block), context);
    expect(decoded).toEqual({ ok: false, fault });
  });

test("what does not fit is named, with what would", () => {
  const misfit = (message: Parameters<typeof tryEncode>[0], context?: Context) => {
    const encoded = tryEncode(message, context);
    return encoded.ok ? undefined : encoded.misfit;
  };
  expect(misfit({ kind: "vendRequest", priceScaled: 2 ** 16, item: 1 }, L1)).toEqual({
    kind: "badValue",
    field: "priceScaled",
    may: "a number, 0 to 65535",
  });
  expect(misfit({ kind: "vendRequest", priceScaled: 2 ** 32, item: 1 })?.field).toBe("priceScaled");
  expect(misfit({ kind: "vendRequest", priceScaled: 1 })).toMatchObject({
    kind: "missingField",
    field: "item",
  });
  expect(misfit({ kind: "vendDenied", device: 1 })).toMatchObject({ kind: "unknownField", field: "device" });
  expect(misfit({ kind: "readerConfig", level: 1, country: "12G4" })).toMatchObject({ field: "country" });
  expect(misfit({ kind: "diagnostics", device: 1, data: "00".repeat(34) })).toMatchObject({
    kind: "tooLong",
  });
  expect(misfit({ kind: "unknownCommand", device: 1, code: 0x30, data: "" })).toMatchObject({
    field: "code",
  });
});

test("a block for the second cashless device is read, and left as it was", () => {
  const block = Buffer.from("6060", "hex");
  expect(decodeCommand(block)).toEqual({ ok: true, command: { kind: "reset", device: 2 } });
  expect(block.toString("hex")).toBe("6060");
});
