/** A sale in the cloud, step by step: what each event does in each state, and to whom the money goes. */
import { describe, expect, test } from "vitest";
import type { JournalLine } from "../../broker/protocol/messages.js";
import {
  attendAfterMs,
  basket,
  begin,
  holdsMachine,
  isForProduct,
  owed,
  refundReference,
  step,
  type Event,
  type NewSale,
  type Policy,
  type Sale,
} from "../../cloud/vending/sale.js";

const policy: Policy = {
  againMs: 2_000,
  reserveMs: 3_000,
  requestMs: 10_000,
  heldUnpaidMs: 45_000,
  grantMs: 20_000,
  darkAfterMs: 86_400_000,
  unknownAfterMs: 900_000,
  unknownRefundCap: 3,
};
type Untimed<E = Event> = E extends Event ? Omit<E, "nowMs"> : never;

/** Plays events one a second from a new sale of 4.00. */
function play(...events: readonly Untimed[]): Sale {
  let nowMs = 0;
  return events.reduce<Sale>(
    (sale, event) => step(sale, { ...event, nowMs: (nowMs += 1_000) }, policy)[0],
    begin({ id: "s", machineId: "machine-1", creditMinor: 400, currency: "NZD", grantId: "g" }, 0),
  );
}
const then = (sale: Sale, nowMs: number, ...events: readonly Untimed[]): Sale =>
  events.reduce<Sale>((at, event) => step(at, { ...event, nowMs }, policy)[0], sale);

const grantId = "g";
let entry = 0;
const line = (what: JournalLine, journal = "j", n = (entry += 1)): Untimed => ({
  kind: "line",
  journal,
  entry: n,
  line: what,
});
const paid = {
  kind: "paid",
  amountMinor: 400,
  currency: "NZD",
  payer: "p",
  skus: null,
} as const satisfies Untimed;
const toPayment: readonly Untimed[] = [{ kind: "reserved" }, { kind: "requested", paymentRequestId: "pr" }];
const accepted = line({ kind: "accepted", grantId });
const opened = line({ kind: "opened", grantId });
const approved = line({ kind: "approved", grantId, vend: 1, item: 11, priceMinor: 250 });
const succeeded = line({
  kind: "succeeded",
  grantId,
  vend: 1,
  item: 11,
  priceMinor: 250,
  assumed: false,
  late: false,
});
const assumed = line({
  kind: "succeeded",
  grantId,
  vend: 1,
  item: 11,
  priceMinor: 250,
  assumed: true,
  late: false,
});
const failed = line({ kind: "failed", grantId, vend: 1, item: 11, priceMinor: 250, late: false });
const unknown = line({ kind: "unknown", grantId, vend: 1, item: 11, priceMinor: 250, reason: "boot" });
const closed = line({ kind: "closed", grantId, reason: "done" });
const lapsed = line({ kind: "lapsed", grantId, reason: "boot" });
const late = line({
  kind: "succeeded",
  grantId,
  vend: 1,
  item: 11,
  priceMinor: 250,
  assumed: false,
  late: true,
});
const lateFailure = line({ kind: "failed", grantId, vend: 1, item: 11, priceMinor: 250, late: true });
const fell: Untimed = { kind: "audited", vend: 1, fell: true };
const jammed: Untimed = { kind: "audited", vend: 1, fell: false };
const givenBack: Untimed = { kind: "givenBack", vend: 1 };
const tick: Untimed = { kind: "tick", unknownRefunds: 0 };
const refunded = (reference = "s"): Untimed => ({ kind: "refunded", reference });
const toVend: readonly Untimed[] = [...toPayment, paid, accepted, opened, approved];

// prettier-ignore
const endings: readonly [name: string, events: readonly Untimed[], state: Sale["state"], refundDueMinor: number][] = [
  ["a vend pays its price and the rest goes back",      [...toVend, succeeded, closed],                       "settling", 150],
  ["a jam gives everything back",                       [...toVend, failed, closed],                          "settling", 400],
  ["a session with nothing picked gives all back",      [...toPayment, paid, accepted, opened, closed],       "settling", 400],
  ["a grant that lapses at the machine gives all back", [...toPayment, paid, accepted, lapsed],               "settling", 400],
  ["a reset after the approval counts as sold",         [...toVend, assumed, closed],                         "settling", 150],
  ["a result nobody knows stays unknown",               [...toVend, unknown, closed],                         "unknown",  0],
  ["an approval that just ends is unknown too",         [...toVend, closed],                                  "unknown",  0],
  ["unknown, then the machine remembers a success",     [...toVend, unknown, closed, late],                   "settling", 150],
  ["unknown, then the machine remembers a failure",     [...toVend, unknown, closed, lateFailure],            "settling", 400],
  ["a refused grant gives all back",                    [...toPayment, paid, line({ kind: "refused", grantId, reason: "busy" })], "settling", 400],
  ["a refund done settles",                             [...toVend, succeeded, closed, refunded()],           "settled",  0],
  ["paying less than the credit grants nothing and is given back", [...toPayment, { ...paid, amountMinor: 399 }], "cancelling", 0],
  ["paying in another currency grants nothing and is given back",  [...toPayment, { ...paid, currency: "AUD" }],  "cancelling", 0],
  ["a payment that comes twice is one payment",         [...toPayment, paid, paid],                           "paid",     0],
  ["a cancel before payment voids the request",         [...toPayment, { kind: "cancelAsked" }],              "cancelling", 0],
  ["a payment that raced the cancel is given back by the void", [...toPayment, { kind: "cancelAsked" }, paid, { kind: "requestVoided", refundedMinor: 400 }], "cancelled", 0],
  ["a payment that can be voided no more is refunded",  [...toPayment, { kind: "cancelAsked" }, { kind: "voidRefused" }], "settling", 400],
  ["what somebody gave back by hand is settled",        [...toVend, failed, closed, { kind: "refundRefused", reference: "s", code: "ALREADY_REFUNDED" }], "settled", 0],
  ["a refund refused for another reason stays due",     [...toVend, failed, closed, { kind: "refundRefused", reference: "s", code: "REFUND_DECLINED" }], "settling", 400],
  ["a cancel before the go refunds at once",            [...toPayment, paid, { kind: "cancelAsked" }],        "settling", 400],
  ["a cancel after the go is a wish",                   [...toPayment, paid, accepted, { kind: "cancelAsked" }], "open", 0],
  ["a cancel in mid-vend waits for the vend",           [...toVend, { kind: "cancelAsked" }, succeeded, closed], "settling", 150],
  ["a payment after the time was up goes back",         [...toPayment, { kind: "requestExpired" }, paid],     "settling", 400],
  ["a payment after a cancel goes back",                [...toPayment, { kind: "cancelAsked" }, { kind: "requestVoided", refundedMinor: 0 }, paid], "settling", 400],
  ["a payment that the void gave back is not given back again", [...toPayment, { kind: "cancelAsked" }, { kind: "requestVoided", refundedMinor: 400 }, paid], "cancelled", 0],
  ["part given back by hand leaves the rest due",       [...toVend, failed, closed, { kind: "refundsFound", refundedMinor: 100 }], "settling", 300],
  ["all given back by hand leaves nothing",             [...toVend, succeeded, closed, { kind: "refundsFound", refundedMinor: 400 }], "settled", 0],
  ["our own refunds, found, change nothing",            [...toVend, failed, closed, { kind: "refundsFound", refundedMinor: 0 }], "settling", 400],
  ["unknown, and the machine's own count has it",       [...toVend, unknown, closed, fell],                   "settling", 150],
  ["unknown, and the machine's own count has it not",   [...toVend, unknown, closed, jammed],                 "settling", 400],
  ["assumed, and counted",                              [...toVend, assumed, closed, refunded(), fell],       "settled",  0],
  ["assumed, and not counted: back it goes",            [...toVend, assumed, closed, refunded(), jammed],     "settling", 250],
  ["assumed, not counted, while the rest is going back", [...toVend, assumed, closed, jammed, refunded()],    "settling", 250],
  ["assumed, not counted, twice over: back it goes once", [...toVend, assumed, closed, refunded(), jammed, jammed, refunded("s-2"), jammed], "settled", 0],
  ["assumed, not counted, and given back by hand meanwhile", [...toVend, assumed, closed, refunded(), jammed, { kind: "refundsFound", refundedMinor: 400 }], "settled", 0],
  ["a vend that nobody doubts is not touched by a count", [...toVend, succeeded, closed, refunded(), jammed], "settled",  0],
  ["nor one that still goes on",                        [...toVend, jammed],                                  "vending",  0],
  ["nor one that there was not",                        [...toVend, unknown, closed, { ...jammed, vend: 2 }], "unknown",  0],
  ["given back by the owner, it goes back once",        [...toVend, succeeded, closed, refunded(), givenBack, givenBack, refunded("s-2"), givenBack], "settled", 0],
  ["given back by the owner, only what it cost goes",   [...toVend, succeeded, closed, refunded(), givenBack], "settling", 250],
  ["given back while the rest is going back",           [...toVend, succeeded, closed, givenBack, refunded()], "settling", 250],
  ["given back while nobody knows: all goes back",      [...toVend, unknown, closed, givenBack],              "settling", 400],
  ["given back, and then a failure is heard",           [...toVend, unknown, closed, givenBack, refunded(), lateFailure], "settled", 0],
  ["given back, and by hand as well",                   [...toVend, succeeded, closed, refunded(), givenBack, { kind: "refundsFound", refundedMinor: 400 }], "settled", 0],
  ["what jammed is not given back once more",           [...toVend, failed, closed, refunded(), givenBack],   "settled",  0],
  ["nor what still goes on",                            [...toVend, givenBack],                               "vending",  0],
  ["nor what was not vended",                           [...toVend, succeeded, closed, refunded(), { ...givenBack, vend: 2 }], "settled", 0],
  ["nobody pays",                                       [...toPayment, { kind: "requestExpired" }],           "expired",  0],
];
for (const [name, events, state, refundDueMinor] of endings) {
  test(name, () => {
    const sale = play(...events);
    expect({ state: sale.state, refundDueMinor: sale.refundDueMinor }).toEqual({ state, refundDueMinor });
  });
}

/** Unknown, and refunded as the policy has it. */
const favoured = (): Sale => then(play(...toVend, unknown, closed), 1_000_000, tick, refunded());

test("a count that proves a refund right takes it off the payer's account; one that proves it wrong is the merchant's loss", () => {
  const before = favoured();
  expect(before).toMatchObject({ state: "settled", refundedMinor: 400, flags: ["unknownRefunded"] });
  expect(then(before, 1_000_001, jammed)).toMatchObject({
    state: "settled",
    refundedMinor: 400,
    lossMinor: 0,
    flags: [],
    vends: [{ outcome: "failed" }],
  });
  expect(then(before, 1_000_001, fell, fell)).toMatchObject({
    state: "settled",
    refundedMinor: 400,
    refundDueMinor: 0,
    lossMinor: 250,
    vends: [{ outcome: "loss" }],
  });
});

test("what was kept because the payer's cap was used up goes back when the count says that nothing fell, and stays when it did", () => {
  const kept = then(play(...toVend, unknown, closed), 1_000_000, { ...tick, unknownRefunds: 3 }, refunded());
  expect(kept).toMatchObject({ state: "settled", refundedMinor: 150, vends: [{ outcome: "presumed" }] });
  expect(then(kept, 1_000_001, jammed)).toMatchObject({ state: "settling", refundDueMinor: 250 });
  expect(then(kept, 1_000_001, fell)).toMatchObject({ state: "settled", vends: [{ outcome: "succeeded" }] });
});

test("a dark machine's approval, refunded whole, is the merchant's loss if it was counted", () => {
  const dark = then(play(...toVend), 100_000_000, tick, refunded());
  expect(dark).toMatchObject({ state: "settled", refundedMinor: 400, vends: [{ outcome: "approved" }] });
  expect(then(dark, 100_000_001, fell)).toMatchObject({ state: "settled", lossMinor: 250 });
  expect(then(dark, 100_000_001, jammed)).toMatchObject({ state: "settled", lossMinor: 0 });
});

test("what the owner gave back is their loss, whatever is heard of it later", () => {
  const before = then(play(...toVend, unknown, closed), 2_000_000, givenBack, refunded());
  const given = { state: "settled", refundedMinor: 400, lossMinor: 250, flags: ["givenBack"] };
  expect(before).toMatchObject(given);
  for (const news of [late, lateFailure, fell, jammed, tick])
    expect(then(before, 2_000_001, news)).toMatchObject(given);
});

test("of two that nobody knows of, the one that is given back leaves the other in doubt", () => {
  const second = { grantId, vend: 2, item: 12, priceMinor: 100 };
  const two = play(
    ...[...toVend, unknown, line({ kind: "approved", ...second })],
    ...[line({ kind: "unknown", ...second, reason: "boot" }), closed],
  );
  const one = then(two, 1_000_000, givenBack);
  expect(one).toMatchObject({ state: "unknown", vends: [{ outcome: "loss" }, { outcome: "unknown" }] });
  const counted = then(one, 1_000_001, { kind: "audited", vend: 2, fell: true });
  expect(counted).toMatchObject({ state: "settling", refundDueMinor: 300 });
});

/** Somebody else asks for the machine so long after the sale began to wait for its payment. */
const takeover = (sale: Sale, afterMs: number) =>
  step(sale, { kind: "takeoverAsked", nowMs: sale.sinceMs + afterMs }, policy);

test("a phone's sale that nobody has paid for long enough makes room for whoever else asks, and says so", () => {
  const waiting = play(...toPayment);
  expect(takeover(waiting, policy.heldUnpaidMs - 1)).toEqual([waiting, []]);
  const [sale, notes] = takeover(waiting, policy.heldUnpaidMs);
  expect(sale).toMatchObject({ state: "cancelling", flags: ["takenOver"] });
  expect(notes).toEqual([{ code: "takenOver" }]);
  expect(holdsMachine(sale)).toBe(false);
  expect(owed(sale)).toEqual([{ kind: "voidRequest" }]);
});

test("what is paid in the moment of a takeover is given back, and what was paid before it is not taken over", () => {
  const [letGo] = takeover(play(...toPayment), policy.heldUnpaidMs);
  const back = then(letGo, 60_000, paid, { kind: "requestVoided", refundedMinor: 400 });
  expect(back).toMatchObject({ state: "cancelled", refundedMinor: 400 });
  expect(then(letGo, 60_000, { kind: "voidRefused" })).toMatchObject({
    state: "settling",
    refundDueMinor: 400,
  });
  for (const events of [
    [paid],
    [paid, accepted],
    toVend.slice(2),
    [paid, { kind: "cancelAsked" } as const],
  ]) {
    const sale = play(...toPayment, ...events);
    expect(takeover(sale, 10 * policy.heldUnpaidMs), sale.state).toEqual([sale, []]);
  }
});

// prettier-ignore
const atMachine: readonly [name: string, what: Partial<NewSale>][] = [
  ["a selection", { selection: { requestId: "q", item: 11, forMs: 45_000 } }],
  ["a barcode",   { barcode: "1234" }],
  ["a voucher",   { voucher: "1234" }],
];
for (const [name, what] of atMachine)
  test(`${name} at the machine itself gives way to nobody`, () => {
    const fresh = begin(
      { id: "s", machineId: "m", creditMinor: 250, currency: "NZD", grantId: "g", ...what },
      0,
    );
    const waiting = then(fresh, 1_000, ...toPayment);
    expect(waiting.state).toBe("awaitingPayment");
    expect(takeover(waiting, 10 * policy.heldUnpaidMs)).toEqual([waiting, []]);
  });

test("a selection taken back before anybody could be shown what to pay is over at once", () => {
  const selection = { requestId: "q", item: 11, forMs: 45_000 };
  const chosen = begin(
    { id: "s", machineId: "m", creditMinor: 250, currency: "NZD", grantId: "g", selection },
    0,
  );
  for (const before of [[], [{ kind: "reserved" }]] as const) {
    const sale = then(chosen, 1, ...before, { kind: "cancelAsked" });
    expect(sale.state).toBe("refused");
    expect(owed(then(sale, 2, { kind: "reserved" }, { kind: "requested", paymentRequestId: "pr" }))).toEqual(
      [],
    );
  }
});

test("a refund that was refused is asked for on and on, said once, and nothing to look at once it is done", () => {
  const refused = { kind: "refundRefused", reference: "s", code: "REFUND_DECLINED" } as const;
  const due = play(...toVend, failed, closed);
  const [owing, notes] = step(due, { ...refused, nowMs: 20_000 }, policy);
  expect(owing).toMatchObject({ refundRefusal: "REFUND_DECLINED", flags: ["REFUND_DECLINED"] });
  expect(notes).toEqual([{ code: "refundRefused" }]);
  expect(owed(owing)).toEqual([{ kind: "refund" }]);
  expect(step(owing, { ...refused, nowMs: 30_000 }, policy)).toEqual([owing, []]);
  expect(then(owing, 40_000, refunded())).toMatchObject({
    state: "settled",
    refundRefusal: null,
    flags: [],
  });
});

test("more vended than was granted is flagged for a person", () => {
  const over = line({ kind: "approved", grantId, vend: 1, item: 11, priceMinor: 401 });
  const sale = play(...toPayment, paid, accepted, opened, over, succeeded, closed);
  expect(sale).toMatchObject({ state: "settled", refundDueMinor: 0, flags: ["overspent"] });
});

test("a go is said once, to the entry that was accepted, and again only until the machine has heard it", () => {
  const open = play(...toPayment, paid, accepted);
  const go = { kind: "go", journal: "j", entry: open.go?.entry };
  expect(owed(open)).toEqual([go]);
  expect(owed(then(open, 9_000, opened))).toEqual([]);
});

test("an accepted that comes too late is answered with void until the machine lets it go", () => {
  const settling = then(play(...toPayment, paid), 60_000, tick);
  expect(settling.state).toBe("settling");
  const stray = then(settling, 61_000, line({ kind: "accepted", grantId }, "j", 700));
  expect(owed(stray)).toEqual([{ kind: "refund" }, { kind: "void", journal: "j", entry: 700 }]);
  expect(owed(then(stray, 62_000, line({ kind: "lapsed", grantId, reason: "void" }, "j", 701)))).toEqual([
    { kind: "refund" },
  ]);
});

test("a line of another journal, or from before the go, changes nothing", () => {
  const open = play(...toPayment, paid, line({ kind: "accepted", grantId }, "j", 800));
  for (const stale of [
    line({ kind: "closed", grantId, reason: "done" }, "other", 900),
    line({ kind: "closed", grantId, reason: "done" }, "j", 799),
  ])
    expect(then(open, 9_000, stale).state).toBe("open");
});

test("a silent machine is refunded after its patience, and nothing was ever opened", () => {
  const waiting = play(...toPayment, paid);
  expect(then(waiting, waiting.sinceMs + policy.grantMs - 1, tick).state).toBe("paid");
  expect(then(waiting, waiting.sinceMs + policy.grantMs, tick)).toMatchObject({
    state: "settling",
    refundDueMinor: 400,
    go: null,
  });
});

test("a dark machine is given up after a day; what it says later is the merchant's loss, never a new charge", () => {
  const dark = then(play(...toVend), 90_000_000, tick);
  expect(dark).toMatchObject({ state: "settling", refundDueMinor: 400, dark: true });
  const settled = then(dark, 90_001_000, refunded());
  expect(then(settled, 90_002_000, succeeded)).toMatchObject({
    state: "settled",
    refundedMinor: 400,
    lossMinor: 250,
  });
});

test("an unknown vend is decided for the customer, but only so often for one wallet", () => {
  const waiting = play(...toVend, unknown, closed);
  const atMs = waiting.sinceMs + policy.unknownAfterMs;
  expect(then(waiting, atMs - 1, tick).state).toBe("unknown");
  expect(then(waiting, atMs, tick)).toMatchObject({
    state: "settling",
    refundDueMinor: 400,
    flags: ["unknownRefunded"],
  });
  const capped = then(waiting, atMs, { kind: "tick", unknownRefunds: 3 });
  expect(capped).toMatchObject({ state: "settling", refundDueMinor: 150, flags: ["unknownKept"] });
});

test("that nobody knows is said once, whether the machine says it or just ends", () => {
  const said = (...events: readonly Untimed[]): number => {
    let sale = play();
    let count = 0;
    for (const [index, event] of events.entries()) {
      const [next, notes] = step(sale, { ...event, nowMs: index }, policy);
      sale = next;
      count += notes.filter(({ code }) => code === "unknown").length;
    }
    return count;
  };
  expect(said(...toVend, unknown, closed)).toBe(1);
  expect(said(...toVend, closed)).toBe(1);
});

test("a vend counted as given out that turns out to have failed is refunded, under a reference of its own", () => {
  const waiting = play(...toVend, unknown, closed);
  const kept = then(
    waiting,
    waiting.sinceMs + policy.unknownAfterMs,
    { kind: "tick", unknownRefunds: 3 },
    refunded(),
  );
  expect(refundReference(waiting)).toBe("s");
  const corrected = then(kept, 2_000_000, lateFailure);
  expect(corrected).toMatchObject({ state: "settling", refundDueMinor: 250 });
  expect(refundReference(corrected)).toBe("s-2");
  const again = [refunded(), { kind: "refundRefused", reference: "s", code: "ALREADY_REFUNDED" }] as const;
  expect(then(corrected, 2_000_500, ...again), "a late word about the first refund").toEqual(corrected);
  expect(then(corrected, 2_001_000, refunded("s-2"))).toMatchObject({ state: "settled", refundedMinor: 400 });
});

test("a sale holds its machine from the asking to the end of the session, and no longer", () => {
  expect(holdsMachine(play())).toBe(true);
  expect(holdsMachine(play(...toVend))).toBe(true);
  expect(holdsMachine(play(...toVend, unknown, closed))).toBe(false);
  expect(holdsMachine(play(...toVend, failed, closed))).toBe(false);
});

test("a machine with a new journal serves the next customer, while the old one's money waits", () => {
  const open = play(...toPayment, paid, accepted, opened);
  const left = then(open, 9_000, { kind: "journalReplaced", journal: "new" });
  expect(holdsMachine(left)).toBe(false);
  expect(left).toMatchObject({ state: "open", flags: ["journalReplaced"] });
  expect(then(open, 9_000, { kind: "journalReplaced", journal: "j" })).toEqual(open);
  expect(then(left, 90_000_000, tick)).toMatchObject({ state: "settling", refundDueMinor: 400, dark: true });
});

test("what was decided while nobody knew is corrected by a later row, and moves no money twice", () => {
  const waiting = play(...toVend, unknown, closed);
  const atMs = waiting.sinceMs + policy.unknownAfterMs;
  const kept = then(waiting, atMs, { kind: "tick", unknownRefunds: 3 }, refunded());
  expect(then(kept, atMs + 1, late)).toMatchObject({
    state: "settled",
    refundedMinor: 150,
    vends: [{ outcome: "succeeded" }],
  });
  const given = then(waiting, atMs, tick, refunded());
  expect(then(given, atMs + 1, lateFailure)).toMatchObject({
    state: "settled",
    refundedMinor: 400,
    vends: [{ outcome: "failed" }],
  });
});

test("what is owed is said again soon at first and then ever more slowly, but never past a deadline", () => {
  const waiting = play(...toPayment, paid);
  expect(attendAfterMs(waiting, waiting.sinceMs, policy)).toBe(2_000);
  expect(attendAfterMs(waiting, waiting.sinceMs + 19_500, policy)).toBe(500);
  const refunding = then(waiting, 100_000, tick);
  expect(attendAfterMs(refunding, 100_000 + 100_000, policy)).toBe(25_000);
  expect(attendAfterMs(then(refunding, 101_000, refunded()), 102_000, policy)).toBeUndefined();
});

/** Plays events one a second from a new sale by voucher, of a machine that takes 20.00. */
function voucher(...events: readonly Untimed[]): Sale {
  const what = { id: "s", machineId: "machine-1", creditMinor: 2_000, currency: "NZD", grantId: "g" };
  return then(begin({ ...what, voucher: "1234" }, 0), 1_000, ...events);
}
const asked = [{ kind: "reserved" }, { kind: "requested", paymentRequestId: "pr" }] as const;
const gives = (amountMinor: number, ...skus: readonly string[]): Untimed => ({
  kind: "paid",
  amountMinor,
  currency: "NZD",
  payer: null,
  skus: skus.length === 0 ? null : skus,
});

test("a voucher is tried until its sale knows what came of it, and then its code is forgotten", () => {
  expect(owed(voucher(...asked))).toEqual([{ kind: "payByVoucher", code: "1234" }]);
  const unknown = {
    kind: "voucherRefused",
    code: "ASSET_REDEMPTION_DENIED",
    retryAfterSeconds: null,
  } as const;
  for (const end of [gives(400), unknown, { kind: "requestExpired" }, { kind: "cancelAsked" }] as const)
    expect(voucher(...asked, end).voucherCode).toBeNull();
  expect(owed(voucher(...asked, unknown))).toEqual([{ kind: "voidRequest" }]);
  expect(holdsMachine(voucher(...asked, unknown))).toBe(false);
});

test("what a voucher paid is the credit, and no more than was asked for", () => {
  expect(voucher(...asked, gives(400))).toMatchObject({ state: "paid", creditMinor: 400 });
  expect(voucher(...asked, gives(2_000))).toMatchObject({ state: "paid", creditMinor: 2_000 });
  expect(voucher(...asked, gives(2_001))).toMatchObject({ state: "cancelling", flags: ["amountMismatch"] });
});

test("a voucher that paid after its sale was given up gets all of it back", () => {
  const over = voucher(...asked, { kind: "cancelAsked" }, { kind: "requestVoided", refundedMinor: 0 });
  expect(then(over, 2_000, gives(400))).toMatchObject({ state: "settling", refundDueMinor: 400 });
});

test("a voucher that could not be tried in time is not tried later", () => {
  const waiting = voucher(...asked);
  expect(attendAfterMs(waiting, 1_000, policy)).toBeLessThanOrEqual(500);
  const late = then(waiting, 1_000 + policy.requestMs, { kind: "tick", unknownRefunds: 0 });
  expect(late).toMatchObject({ state: "cancelling", refusal: "PAYMENTS_UNAVAILABLE", voucherCode: null });
});

test("nobody else's sale is refused for a voucher", () => {
  const sale = play(...asked);
  const event = { kind: "voucherRefused", code: "INACTIVE_ASSET", retryAfterSeconds: null } as const;
  expect(then(sale, 3_000, event)).toBe(sale);
});

describe("a product's code", () => {
  const products = [
    { item: 11, sku: "crisps", priceMinor: 250 },
    { item: 12, sku: "crisps", priceMinor: 200 },
    { item: 21, sku: "cola", priceMinor: 350 },
  ];
  const what = { id: "s", machineId: "machine-1", creditMinor: 600, currency: "NZD", grantId: "g" };
  const typed = (...events: readonly Untimed[]): Sale =>
    then(begin({ ...what, voucher: "9234", products }, 0), 1_000, ...asked, ...events);
  const given = (item: number, priceMinor: number, ...then: readonly Untimed[]): readonly Untimed[] => [
    accepted,
    line({ kind: "opened", grantId }),
    line({ kind: "approved", grantId, vend: 1, item, priceMinor }),
    ...then,
  ];
  const fell = (item: number, priceMinor: number): Untimed =>
    line({ kind: "succeeded", grantId, vend: 1, item, priceMinor, assumed: false, late: false });

  test("is asked to pay for each product once, at the most it costs", () =>
    expect(basket(products).map(({ item, priceMinor }) => [item, priceMinor])).toEqual([
      [11, 250],
      [21, 350],
    ]));

  test("is known by its first digit", () => {
    expect(isForProduct("9234 5678")).toBe(true);
    expect(isForProduct(" 9234")).toBe(true);
    expect(isForProduct("8999")).toBe(false);
  });

  test("is for what it paid for, in every place that has it, and spent whole by the cheapest of them", () => {
    const paidFor = typed(gives(250, "crisps"));
    expect(paidFor).toMatchObject({ state: "paid", creditMinor: 250 });
    expect(paidFor.products?.map(({ item }) => item)).toEqual([11, 12]);
    const sold = then(paidFor, 2_000, ...given(12, 200, fell(12, 200), closed));
    expect(sold).toMatchObject({ state: "settled", refundDueMinor: 0, refundedMinor: 0, flags: [] });
  });

  test("comes back whole when nothing fell, and when a presumed vend turns out to have failed", () => {
    const failedVend = line({ kind: "failed", grantId, vend: 1, item: 12, priceMinor: 200, late: false });
    const jammed = then(typed(gives(250, "crisps")), 2_000, ...given(12, 200, failedVend, closed));
    expect(jammed).toMatchObject({ state: "settling", refundDueMinor: 250 });
    const dunno = line({ kind: "unknown", grantId, vend: 1, item: 12, priceMinor: 200, reason: "boot" });
    const kept = then(typed(gives(250, "crisps")), 2_000, ...given(12, 200, dunno, closed));
    const presumed = then(kept, 2_000_000, { kind: "tick", unknownRefunds: 99 });
    expect(presumed).toMatchObject({ state: "settled", refundDueMinor: 0 });
    const late = line({ kind: "failed", grantId, vend: 1, item: 12, priceMinor: 200, late: true });
    expect(then(presumed, 3_000_000, late)).toMatchObject({ state: "settling", refundDueMinor: 250 });
  });

  test("that is worth less than the product costs here is refused, and what it paid is voided", () => {
    const refused = typed(gives(150, "cola"));
    expect(refused).toMatchObject({ state: "cancelling", refusal: "INVALID_ASSET_TYPE", voucherCode: null });
    expect(owed(refused)).toEqual([{ kind: "voidRequest" }]);
  });

  test("waits for the request itself where a notification does not say what was paid for", () => {
    expect(typed(gives(250))).toMatchObject({ state: "awaitingPayment", voucherCode: "9234" });
    expect(typed(gives(250), gives(250, "crisps"))).toMatchObject({ state: "paid" });
    // Money off a basket, and for no product at all.
    const off = typed({ ...paid, amountMinor: 50, skus: [] });
    expect(off).toMatchObject({ state: "cancelling", refusal: "INVALID_ASSET_TYPE" });
  });

  test("that pays after the sale was given up comes back whole", () =>
    expect(typed({ kind: "requestExpired" }, gives(250, "crisps"))).toMatchObject({
      state: "settling",
      refundDueMinor: 250,
    }));
});
