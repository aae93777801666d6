/**
 * Our own cashless device, rule by rule. A script is `in -> out`: what the machine (hex, without CHK) or our side says, then
 * the block that answers it and what our side is told; what was not acted upon is in brackets.
 */
import { expect, test } from "vitest";
import { Bench, setUp } from "./cashless-bench.js";
import type { CashlessSetup } from "../../controller/mdb/cashless-setup.js";

const ALWAYS_IDLE = 0x20;
const MONEY32 = 0x02;
const NEGATIVE = 0x08;
const SESSION = ["open 500", "12", "ack"];
const VEND = [...SESSION, "13 00 00 96 00 05"];
const APPROVED = [...VEND, "approve 1", "12", "ack"];

type Given = {
  readonly changes?: Partial<CashlessSetup>;
  readonly level?: 1 | 2 | 3;
  readonly options?: number;
  readonly first?: readonly string[];
};
function bench({ changes, level = 2, options = 0, first = [] }: Given): Bench {
  const reader = new Bench(changes);
  for (const line of [...setUp(level, options), ...first]) reader.say(line);
  return reader;
}

const rules: readonly [name: string, given: Given | "cold", script: string][] = [
  [
    "after power-on it says JUST RESET until it is acknowledged, and comes into service step by step",
    "cold",
    `12 -> 00
     silence ->
     12 -> 00
     ack ->
     12 -> ACK
     14 01 -> ACK
     12 -> 0B
     ack ->
     10 -> ACK
     12 -> 00
     ack ->
     11 00 03 10 01 01 -> ACK
     12 -> 01 03 19 78 01 02 1E 0A
     ack ->
     11 01 FF FF 00 00 -> ACK, mdb disabled
     17 00 56 45 49 30 30 30 30 30 30 30 30 30 30 30 31 30 30 30 30 30 30 30 30 30 30 30 31 01 00 -> ACK
     12 -> 09 54 53 54 30 30 30 30 30 30 30 30 30 30 30 31 4D 4F 44 45 4C 2D 30 30 30 30 30 31 01 00 00 00 00 22
     ack ->
     17 04 00 00 00 20 -> ACK
     14 01 -> ACK, mdb enabled
     14 01 -> ACK
     14 00 -> ACK, mdb disabled`,
  ],
  [
    "at level 1 the prices may be left out",
    "cold",
    `11 00 01 00 00 00 -> ACK, mdb disabled
     12 -> 00
     ack ->
     12 -> 01 01 19 78 01 02 1E 0A`,
  ],
  [
    "PERIPHERAL ID has its options for a machine of level 3 only, whatever we speak",
    { level: 2 },
    `17 00 56 45 49 30 30 30 30 30 30 30 30 30 30 30 31 30 30 30 30 30 30 30 30 30 30 30 31 01 00 00 00 00 00 -> ACK
     12 -> 09 54 53 54 30 30 30 30 30 30 30 30 30 30 30 31 4D 4F 44 45 4C 2D 30 30 30 30 30 31 01 00`,
  ],
  [
    "a machine of level 3 is spoken to at level 1 where we are told to",
    { level: 3, changes: { level: 1 } },
    `open 500 ->
     12 -> 03 01 F4`,
  ],
  [
    "a level above 3 is a level 3",
    "cold",
    `11 00 05 00 00 00 -> ACK
     12 -> 00
     ack ->
     12 -> 01 03 19 78 01 02 1E 0A`,
  ],
  [
    "one vend, from the session to its end (7.7)",
    {},
    `open 500 ->
     12 -> 03 01 F4 FF FF FF FF 00 00 00
     ack -> opened, mdb session
     13 00 00 96 00 05 -> ACK, vendRequested 1 5 150, mdb vend
     12 -> ACK
     approve 1 ->
     12 -> 05 00 96
     ack ->
     13 02 00 05 -> ACK, vendSucceeded, mdb session
     13 04 -> ACK, sessionEnded
     12 -> 07
     ack -> mdb enabled`,
  ],
  [
    "a denial (7.7), after which the session goes on",
    { first: VEND },
    `deny 1 ->
     12 -> 06
     ack -> mdb session
     13 00 00 64 00 06 -> ACK, vendRequested 2 6 100, mdb vend
     deny 1 -> (deny)
     approve 1 -> (approve)
     approve 2 ->
     12 -> 05 00 64`,
  ],
  [
    "a failure after the approval (7.4.8)",
    { first: APPROVED },
    `13 03 -> ACK, vendFailed, mdb session
     13 03 -> ACK, (vendFailed)
     12 -> ACK
     13 04 -> ACK, sessionEnded
     12 -> 07`,
  ],
  [
    "a failure before our answer is the machine giving up on it",
    { first: VEND },
    `13 03 -> ACK, vendCancelled, mdb session
     approve 1 -> (approve)
     12 -> ACK`,
  ],
  [
    "a success is told once, however often the machine says it",
    { first: APPROVED },
    `13 02 00 05 -> ACK, vendSucceeded, mdb session
     13 02 00 05 -> ACK, (vendSucceeded)
     13 04 -> ACK, sessionEnded
     13 02 00 05 -> ACK, (vendSucceeded)
     12 -> 07`,
  ],
  [
    "a success shows that an unacknowledged approval was heard",
    { first: [...VEND, "approve 1", "12"] },
    `silence ->
     13 02 00 05 -> ACK, vendSucceeded, mdb session
     12 -> ACK`,
  ],
  [
    "what nobody acknowledges is said again: after NAK and silence on a later poll, after RET at once",
    { first: [...VEND, "approve 1"] },
    `12 -> 05 00 96
     nak ->
     ret -> (ret)
     12 -> 05 00 96
     ret -> 05 00 96
     silence ->
     12 -> 05 00 96
     ack ->
     12 -> ACK
     ack -> (ack)`,
  ],
  [
    "an ACK that follows another's block is not ours",
    { first: ["open 500", "12"] },
    `60 -> (anotherDevice)
     ack -> (ack)
     12 -> 03 01 F4 FF FF FF FF 00 00 00
     noise -> (checksum)
     ack -> (ack)
     12 -> 03 01 F4 FF FF FF FF 00 00 00
     ack -> opened, mdb session`,
  ],
  [
    "what cannot be read and what is for another is not answered",
    {},
    `noise -> (checksum)
     30 -> (unknownAddress)
     13 00 00 96 -> (wrongLength)
     62 -> (anotherDevice)
     16 01 -> ACK, (unknownCommand)`,
  ],
  [
    "a reset after the approval is said to be one: it counts as sold (7.4.7)",
    { first: APPROVED },
    `10 -> ACK, reset, mdb inactive
     13 02 00 05 -> ACK, (vendSucceeded)
     12 -> 00`,
  ],
  [
    "so does a reset of the bus",
    { first: APPROVED },
    `busReset -> reset, mdb inactive
     12 -> 00`,
  ],
  [
    "nobody knows what a reset means for an approval that was never acknowledged",
    { first: [...VEND, "approve 1", "12"] },
    `10 -> ACK, sessionEnded, mdb inactive`,
  ],
  [
    "a reset before our answer ends the request, and the answer never leaves",
    { first: [...VEND, "approve 1"] },
    `10 -> ACK, vendCancelled, reset, mdb inactive
     12 -> 00
     ack ->
     12 -> ACK`,
  ],
  [
    "after a reset everything is off",
    { level: 3, options: ALWAYS_IDLE, first: SESSION },
    `10 -> ACK, reset, mdb inactive
     open 500 -> notOpened
     14 01 -> ACK
     12 -> 00
     ack ->
     12 -> 0B
     ack ->
     11 00 03 00 00 00 -> ACK
     12 -> 01 03 19 78 01 02 1E 0A
     ack ->
     11 01 FF FF 00 00 -> ACK, mdb disabled
     14 01 -> ACK, mdb enabled
     13 00 00 96 00 05 -> ACK
     12 -> 0B 03`,
  ],
  [
    "a cancel before our answer is answered DENIED (7.4.6)",
    { first: VEND },
    `13 01 -> ACK, vendCancelled
     approve 1 -> (approve)
     12 -> 06
     ack -> mdb session
     12 -> ACK`,
  ],
  [
    "a cancel takes back an approval that has not left",
    { first: [...VEND, "approve 1"] },
    `13 01 -> ACK, vendCancelled
     12 -> 06`,
  ],
  [
    "an approval that has left stands, heard or not",
    { first: [...VEND, "approve 1", "12"] },
    `13 01 -> ACK, (vendCancel)
     12 -> 05 00 96
     ack ->
     13 01 -> ACK, (vendCancel)
     12 -> ACK
     13 02 00 05 -> ACK, vendSucceeded, mdb session`,
  ],
  [
    "a session that ends without a word about an approved vend: nobody knows, and what comes late is told once",
    { first: APPROVED },
    `13 04 -> ACK, sessionEnded, mdb session
     12 -> 07
     13 02 00 05 -> ACK, vendSucceeded, mdb enabled
     13 02 00 05 -> ACK, (vendSucceeded)`,
  ],
  [
    "END SESSION is said again until it is heard; after that it answers a repeated SESSION COMPLETE",
    { first: SESSION },
    `13 04 -> ACK, sessionEnded
     13 04 -> ACK, (sessionComplete)
     12 -> 07
     silence ->
     13 04 -> ACK, (sessionComplete)
     12 -> 07
     ack -> mdb enabled
     12 -> ACK
     13 04 -> ACK
     12 -> 07`,
  ],
  [
    "SESSION COMPLETE in the middle of a request takes it back",
    { first: [...VEND, "approve 1"] },
    `13 04 -> ACK, vendCancelled, sessionEnded, mdb session
     12 -> 07
     ack -> mdb enabled`,
  ],
  [
    "READER DISABLE does not disturb a vend, and applies after the session",
    { first: VEND },
    `14 00 -> ACK
     approve 1 ->
     12 -> 05 00 96
     ack ->
     13 02 00 05 -> ACK, vendSucceeded, mdb session
     13 04 -> ACK, sessionEnded
     12 -> 07
     ack -> mdb disabled
     open 500 -> notOpened
     13 00 00 96 00 05 -> ACK
     12 -> 0B 02`,
  ],
  [
    "READER DISABLE takes back a session that has not begun",
    { first: ["open 500", "12"] },
    `14 00 -> ACK, notOpened, mdb disabled
     12 -> ACK`,
  ],
  [
    "READER CANCEL takes back a session that was not announced (7.4.13)",
    { first: ["open 500"] },
    `14 02 -> ACK, notOpened
     12 -> 08
     ack ->
     12 -> ACK`,
  ],
  [
    "an answer out of sequence names the state, and the request is over (7.7)",
    { first: VEND },
    `17 00 56 45 49 30 30 30 30 30 30 30 30 30 30 30 31 30 30 30 30 30 30 30 30 30 30 30 31 01 00 -> ACK, vendCancelled
     12 -> 0B 05
     ack ->
     approve 1 -> (approve)
     12 -> ACK
     10 -> ACK, reset, mdb inactive`,
  ],
  [
    "level 1 is told that it is out of sequence, and no state",
    { level: 1, first: VEND },
    `14 02 -> ACK, vendCancelled
     12 -> 0B`,
  ],
  [
    "a machine that goes on after its mistake is denied in the end",
    { first: [...VEND, "14 02", "12", "ack"] },
    `wait 27000 ->
     12 -> 06
     ack -> mdb session`,
  ],
  [
    "setup in a session is out of sequence",
    { first: SESSION },
    `11 00 02 00 00 00 -> ACK
     12 -> 0B 04`,
  ],
  [
    "a success that we have not approved is out of sequence",
    { first: VEND },
    `13 02 00 05 -> ACK, vendCancelled
     12 -> 0B 05`,
  ],
  [
    "a vend request whose ACK was lost is asked about once",
    { first: VEND },
    `13 00 00 96 00 05 -> ACK, (vendAgain)
     approve 1 ->
     12 -> 05 00 96
     13 00 00 96 00 05 -> ACK, (vendAgain)
     12 -> 05 00 96`,
  ],
  [
    "an approval never answers another request; what became of its own nobody knows",
    { first: [...VEND, "approve 1", "12"] },
    `13 00 01 F4 00 05 -> ACK, sessionEnded
     12 -> 0B 05
     ack ->
     13 02 00 05 -> ACK, vendSucceeded
     10 -> ACK, reset, mdb inactive`,
  ],
  [
    "a next request shows that a denial was heard",
    { first: [...VEND, "deny 1", "12"] },
    `13 00 00 64 00 06 -> ACK, vendRequested 2 6 100
     12 -> ACK`,
  ],
  [
    "a request without a session is out of sequence, and our side is not asked",
    {},
    `13 00 00 96 00 05 -> ACK
     12 -> 0B 03`,
  ],
  [
    "Always Idle: the customer selects first (7.2.5)",
    { level: 3, options: ALWAYS_IDLE },
    `13 00 00 96 00 05 -> ACK, vendRequested 1 5 150, mdb vend
     12 -> ACK
     approve 1 ->
     12 -> 05 00 96
     ack ->
     13 02 00 05 -> ACK, vendSucceeded, mdb session
     13 04 -> ACK, sessionEnded
     12 -> 07
     ack -> mdb enabled`,
  ],
  [
    "Always Idle: cash ends a request by a cancel (7.7)",
    { level: 3, options: ALWAYS_IDLE, first: ["13 00 00 96 00 05"] },
    `13 01 -> ACK, vendCancelled
     12 -> 06
     ack -> mdb session
     13 04 -> ACK
     12 -> 07
     ack -> mdb enabled`,
  ],
  [
    "Always Idle: after a denial the machine is asked to end the session that nobody holds, again and again",
    { level: 3, options: ALWAYS_IDLE, first: ["13 00 00 96 00 05"] },
    `deny 1 ->
     12 -> 06
     ack -> mdb session
     12 -> 04
     ack ->
     wait 5000 ->
     12 -> 04
     ack ->
     13 00 00 64 00 06 -> ACK, mdb vend
     12 -> 06
     ack -> mdb session
     12 -> 04
     13 04 -> ACK
     12 -> 07
     ack -> mdb enabled
     13 00 00 64 00 06 -> ACK, vendRequested 3 6 100, mdb vend`,
  ],
  [
    "Always Idle: so it is after a cancel, a deadline, and a machine that gives up on our answer",
    { level: 3, options: ALWAYS_IDLE },
    `13 00 00 96 00 05 -> ACK, vendRequested 1 5 150, mdb vend
     13 01 -> ACK, vendCancelled
     12 -> 06
     ack -> mdb session
     12 -> 04
     13 04 -> ACK
     12 -> 07
     ack -> mdb enabled
     13 00 00 96 00 05 -> ACK, vendRequested 2 5 150, mdb vend
     wait 27000 -> vendCancelled
     12 -> 06
     ack -> mdb session
     12 -> 04
     13 04 -> ACK
     12 -> 07
     ack -> mdb enabled
     13 00 00 96 00 05 -> ACK, vendRequested 3 5 150, mdb vend
     13 03 -> ACK, vendCancelled, mdb session
     12 -> 04`,
  ],
  [
    "Always Idle: what was approved is its sale's, which may sell again in the same session",
    { level: 3, options: ALWAYS_IDLE, first: ["13 00 00 96 00 05", "approve 1", "12", "ack"] },
    `13 02 00 05 -> ACK, vendSucceeded, mdb session
     12 -> ACK
     13 00 00 64 00 06 -> ACK, vendRequested 2 6 100, mdb vend
     deny 2 ->
     12 -> 06
     ack -> mdb session
     12 -> ACK
     close ->
     12 -> 04`,
  ],
  [
    "Always Idle: a session may begin first all the same, and a quicker customer is in it",
    { level: 3, options: ALWAYS_IDLE },
    `open 500 ->
     13 00 00 96 00 05 -> ACK, opened, vendRequested 1 5 150, mdb vend
     12 -> ACK`,
  ],
  [
    "Always Idle that we did not offer is not enabled",
    { level: 3, options: ALWAYS_IDLE, changes: { features: [] } },
    `13 00 00 96 00 05 -> ACK
     12 -> 0B 03`,
  ],
  [
    "32-bit money, once it is enabled, changes every length",
    { level: 3, options: MONEY32 },
    `11 01 00 01 86 A0 00 00 00 00 19 78 -> ACK
     open 100000 ->
     12 -> 03 00 01 86 A0 FF FF FF FF 00 00 00 65 6E 19 78 00
     ack -> opened, mdb session
     13 00 00 96 00 05 -> (wrongLength)
     13 00 00 01 86 A0 00 05 -> ACK, vendRequested 1 5 100000, mdb vend
     approve 1 ->
     12 -> 05 00 01 86 A0`,
  ],
  [
    "funds that a block cannot hold are announced as the most that is not 'unknown'",
    {},
    `open 70000 ->
     12 -> 03 FF FE FF FF FF FF 00 00 00`,
  ],
  [
    "funds are announced anew in a session",
    { first: SESSION },
    `refreshFunds 300 ->
     12 -> 03 01 2C FF FF FF FF 00 00 00
     ack ->
     open 100 -> notOpened`,
  ],
  [
    "several answers go into one block, in their order (7.3.1)",
    { first: VEND },
    `deny 1 ->
     malfunction 0 7 ->
     close ->
     12 -> 06 0A 07
     ack -> mdb session
     12 -> 04`,
  ],
  [
    "revalue is denied where it is not configured",
    { first: SESSION },
    `15 01 -> ACK
     12 -> 0E
     ack ->
     15 00 01 F4 -> ACK
     12 -> 0E
     ack ->
     13 00 00 96 00 05 -> ACK, vendRequested 2 5 150, mdb vend`,
  ],
  [
    "revalue where it is: the limit, a sum within it that our side answers, and one above",
    { changes: { revalueLimitScaled: 5000 }, first: SESSION },
    `15 01 -> ACK
     12 -> 0F 13 88
     ack ->
     15 00 01 F4 -> ACK, revalueRequested 1 500
     approve 1 ->
     12 -> 0D
     ack ->
     15 00 13 89 -> ACK
     12 -> 0E
     ack ->
     15 00 00 64 -> ACK, revalueRequested 3 100
     13 04 -> ACK, revalueCancelled, sessionEnded
     12 -> 07`,
  ],
  [
    "a negative vend is denied unless it was enabled",
    { level: 3, options: NEGATIVE, first: SESSION },
    `13 06 00 32 00 07 -> ACK, mdb vend
     12 -> 06
     ack -> mdb session`,
  ],
  [
    "a negative vend that was enabled is our side's to answer",
    { level: 3, options: NEGATIVE, changes: { features: ["negativeVend"] }, first: SESSION },
    `13 06 00 32 00 07 -> ACK, negativeVendRequested 1 7 50, mdb vend
     approve 1 ->
     12 -> 05 00 32
     ack ->
     13 02 00 07 -> ACK, vendSucceeded, mdb session`,
  ],
  [
    "a cash sale is told, and not twice when our ACK was lost",
    {},
    `13 05 00 96 80 05 -> ACK, cashSale 150 5 free
     13 05 00 96 80 05 -> ACK, (cashSaleAgain)
     wait 5000 ->
     13 05 00 96 80 05 -> ACK, cashSale 150 5 free
     13 05 00 96 FF FF -> ACK, cashSale 150 65535`,
  ],
  [
    "diagnostics are answered, and no age is ever said to be checked",
    {},
    `17 FF 01 02 -> ACK
     12 -> FF
     ack ->
     17 FF 05 06 12 44 52 41 56 50 -> ACK
     12 -> FF`,
  ],
  [
    "the clock, files and transfers are taken",
    { level: 3 },
    `17 03 26 11 24 18 30 59 02 48 00 FF -> ACK, (writeTimeDate)
     17 02 04 01 AB -> ACK, (writeUserFile)
     17 01 04 -> ACK
     12 -> 10 04 00
     ack ->
     17 FE 10 00 01 20 00 -> ACK, (machineRequestToSend)
     14 03 31 00 00 00 00 00 00 00 -> ACK, (dataEntryResponse)
     12 -> ACK`,
  ],
  [
    "a text fills the display, alone in its block",
    { first: VEND },
    `display Thanks, 谢谢 ->
     deny 1 ->
     12 -> 02 14 54 68 61 6E 6B 73 2C 20 3F 3F 20 20 20 20 20 20
     ack ->
     12 -> 06`,
  ],
  [
    "a machine without a display is shown nothing",
    "cold",
    `display early -> (display)
     11 00 01 00 00 00 -> ACK, mdb disabled
     display late -> (display)`,
  ],
  [
    "our side ends a session by asking, again and again; the machine's wish ends it",
    { first: SESSION },
    `close ->
     close -> (close)
     12 -> 04
     ack ->
     wait 5000 ->
     12 -> 04
     ack ->
     13 00 00 96 00 05 -> ACK, mdb vend
     12 -> 06
     ack -> mdb session
     12 -> 04
     13 04 -> ACK
     12 -> 07
     ack -> mdb enabled
     open 500 ->`,
  ],
  [
    "ending a session takes back an unanswered request",
    { first: VEND },
    `close -> vendCancelled
     12 -> 06
     ack -> mdb session
     12 -> 04`,
  ],
  [
    "ending a session lets an approved vend end first",
    { first: APPROVED },
    `close ->
     12 -> ACK
     13 02 00 05 -> ACK, vendSucceeded, mdb session
     12 -> 04`,
  ],
  [
    "a session that was not announced yet is closed without a word on the bus",
    {},
    `open 500 ->
     close ->
     12 -> ACK
     open 400 ->
     12 -> 03 01 90 FF FF FF FF 00 00 00
     close ->
     ack -> mdb session
     12 -> 04`,
  ],
  [
    "a session that the machine does not take is not opened",
    {},
    `open 500 ->
     open 400 -> notOpened
     12 -> 03 01 F4 FF FF FF FF 00 00 00
     nak ->
     wait 5000 -> notOpened, mdb inactive
     12 -> 00`,
  ],
  [
    "a request shows that an unacknowledged BEGIN SESSION was heard",
    { first: ["open 500", "12"] },
    `13 00 00 96 00 05 -> ACK, opened, vendRequested 1 5 150, mdb vend
     12 -> ACK`,
  ],
  [
    "an answer that comes too late is a denial, even one that waits to leave",
    { first: [...VEND, "approve 1"] },
    `wait 26999 ->
     wait 1 -> vendCancelled
     12 -> 06`,
  ],
  [
    "a machine that is no longer heard has to set us up again; an approved vend is nobody's to know",
    { first: APPROVED },
    `wait 326999 ->
     wait 1 -> sessionEnded, mdb inactive
     12 -> 00`,
  ],
  [
    "a product may take as long as we were told, with nothing heard of the machine meanwhile",
    { first: APPROVED, changes: { vendResultMs: 600_000 } },
    `wait 600000 ->
     13 02 00 05 -> ACK, vendSucceeded, mdb session
     wait 299999 ->
     wait 1 -> sessionEnded, mdb inactive`,
  ],
  [
    "what became of a vend may be said after we made the machine set us up again, once",
    { first: [...APPROVED, "wait 327000"] },
    `13 03 -> ACK, vendFailed
     13 03 -> ACK, (vendFailed)`,
  ],
  [
    "and so may what became of one that was unknown before",
    { first: [...APPROVED, "13 04", "12", "ack", "open 500", "12", "wait 5000"] },
    `12 -> 00
     ack ->
     13 02 00 05 -> ACK, vendSucceeded`,
  ],
];

const straight = (script: string): string =>
  script
    .split("\n")
    .map((line) => line.trim())
    .join("\n");
for (const [name, given, script] of rules)
  test(name, () => {
    const reader = given === "cold" ? new Bench() : bench(given);
    expect(reader.walk(script)).toBe(straight(script));
  });

/** Polled and acknowledged every five seconds, until it says something by itself. */
function untilSaid(reader: Bench): string {
  let said = "";
  for (let asked = 0; said === "" && asked < 100; asked += 1) {
    reader.say("12");
    reader.say("ack");
    said = reader.say("wait 5000");
  }
  return said;
}

test("a reader whose wish to end a session is not heard makes the machine set it up again, after a minute", () => {
  const reader = bench({ first: [...SESSION, "close"] });
  expect(untilSaid(reader)).toBe("sessionEnded, mdb inactive");
  expect(reader.nowMs).toBe(65_000);
  expect(reader.say("12")).toBe("00");
});

test("so does one whose denied selection left a session that the machine does not end", () => {
  const reader = bench({
    level: 3,
    options: ALWAYS_IDLE,
    first: ["13 00 00 96 00 05", "deny 1", "12", "ack"],
  });
  expect(untilSaid(reader)).toBe("sessionEnded, mdb inactive");
  expect(reader.nowMs).toBe(65_000);
});

test("cashless #2 answers to 60H and to nothing else", () => {
  const reader = new Bench({ device: 2 });
  expect(reader.walk("12 ->\n62 ->\n")).toBe("12 -> (anotherDevice)\n62 -> 00");
});

test("it says when it wants to be asked again", () => {
  const reader = bench({});
  expect(reader.dueMs).toBe(300_000);
  reader.say("open 500");
  expect(reader.dueMs).toBe(5_000);
  for (const line of ["12", "ack", "13 00 00 96 00 05"]) reader.say(line);
  expect(reader.dueMs).toBe(27_000);
  expect(new Bench().dueMs).toBeUndefined();
});
