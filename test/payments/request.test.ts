/** The payment request as a pure machine: every state against every event, and where a refund goes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  MOST_PARTS,
  paidAt,
  preAuthStatusAt,
  statusAt,
  step,
  VOID_WINDOW_MS,
  type Condition,
  type Effect,
  type Event,
  type Hold,
  type Payment,
  type Pending,
  type Request,
  type Source,
  type Terms,
} from "../../cloud/payments/request.js";

const terms: Terms = {
  valueMinor: 100,
  currency: "NZD",
  options: [{ assetType: "centrapay.nzd.test", amountMinor: 100, walletId: "till" }],
  createdMs: 1_000,
  expiresMs: 121_000,
  preAuth: false,
  partialAllowed: false,
};
const preAuth = { ...terms, preAuth: true };
const payment = (id: string, amountMinor: number, refundedMinor = 0): Payment => ({
  id,
  assetId: `asset-${id}`,
  assetType: "centrapay.nzd.test",
  payerAccountId: "ada",
  sourceId: `asset-${id}`,
  walletId: "till",
  amountMinor,
  refundedMinor,
  lines: null,
  confirmationKey: null,
});
const hold: Hold = {
  id: "h1",
  assetType: "centrapay.nzd.test",
  assetId: "w",
  payerAccountId: "ada",
  sourceId: "w",
  walletId: "till",
  amountMinor: 100,
  expiresMs: 5_000_000,
};
const confirmed: Payment = { ...payment("c1", 60), confirmationKey: "k1" };
const conditions: readonly Condition[] = [
  { id: "1", name: "photo-id-check", message: "Please check ID", status: "awaiting-merchant" },
];
const none = { conditions: [] };
const pendingPart: Pending = {
  payment: { ...payment("u1", 60), assetType: "uplinkapi.test", assetId: null },
  isLast: false,
};
const states = {
  new: { kind: "new", terms, ...none, payments: [], pending: [] },
  part: { kind: "new", terms, ...none, payments: [payment("p1", 60)], pending: [] },
  waiting: { kind: "new", terms, conditions, payments: [], pending: [] },
  asked: { kind: "new", terms: preAuth, ...none, payments: [], pending: [] },
  // A provider elsewhere was asked for 60 of it.
  pending: { kind: "new", terms, ...none, payments: [], pending: [pendingPart] },
  both: { kind: "new", terms, ...none, payments: [payment("p1", 40)], pending: [pendingPart] },
  paid: { kind: "paid", terms, ...none, payments: [payment("p1", 100)] },
  authorized: { kind: "authorized", terms: preAuth, ...none, hold, payments: [] },
  confirmed: { kind: "authorized", terms: preAuth, ...none, hold, payments: [confirmed] },
  released: { kind: "released", terms: preAuth, ...none, hold, payments: [confirmed] },
  cancelled: { kind: "cancelled", terms, ...none, reason: "CANCELLED_BY_MERCHANT" },
  expired: { kind: "expired", terms, ...none },
} as const satisfies Record<string, Request>;
const asking = { nowMs: 2_000, activityId: "a1", nextActivityId: "a2", asked: "{}", earlier: undefined };
const source: Source = {
  id: "w",
  type: "centrapay.nzd.test",
  assetId: "w",
  accountId: "ada",
  active: true,
  availableMinor: 100,
  whole: false,
  lines: null,
  walletId: null,
};
const pay = {
  kind: "pay",
  isStopped: false,
  assetType: "centrapay.nzd.test",
  source,
  mode: undefined,
  amountMinor: undefined,
  ...asking,
} as const satisfies Event;
const refund = (valueMinor: number, confirmationKey?: string, skus: readonly string[] = []) =>
  ({
    kind: "refund",
    valueMinor,
    currency: "NZD",
    confirmationKey,
    skus,
    ...asking,
  }) as const satisfies Event;
const confirm = (valueMinor: number) =>
  ({
    kind: "confirm",
    isStopped: false,
    key: "k2",
    valueMinor,
    currency: "NZD",
    ...asking,
  }) as const satisfies Event;
const events = {
  pay,
  refund: refund(100),
  void: { kind: "void", ...asking },
  confirm: confirm(40),
  release: { kind: "release", ...asking },
  accept: { kind: "acceptCondition", conditionId: "1", by: "merchant", ...asking },
  decline: { kind: "declineCondition", conditionId: "1", by: "merchant", ...asking },
  raise: {
    kind: "raise",
    condition: { name: "photo-id-check", message: "Please check ID", by: "merchant" },
    conditionsEnabled: true,
    activityId: "a1",
    nextActivityId: "a2",
  },
  expire: { kind: "expire", nowMs: 121_000, activityId: "a1", nextActivityId: "a2" },
  taken: { kind: "taken", paymentId: "u1", activityId: "a1", nextActivityId: "a2" },
  refused: { kind: "declined", paymentId: "u1", activityId: "a1", nextActivityId: "a2" },
  lost: { kind: "lost", paymentId: "u1", activityId: "a1", nextActivityId: "a2" },
  late: { kind: "expire", nowMs: 5_000_000, activityId: "a1", nextActivityId: "a2" },
} as const satisfies Record<string, Event>;

/** What a step did, in a word. */
const said = (effects: readonly Effect[]): string =>
  effects
    .map((effect) =>
      effect.kind === "refuse" ? effect.code : effect.kind === "record" ? effect.facts.type : effect.kind,
    )
    .join(" ");

// prettier-ignore
test.each<[keyof typeof states, keyof typeof events, next: Request["kind"], effects: string]>([
  ["new",        "pay",     "paid",       "take payment"],
  ["new",        "refund",  "new",        "NOT_PAID"],
  ["new",        "void",    "cancelled",  "cancellation"],
  ["new",        "confirm", "new",        "INVALID_PAYMENT_REQUEST_TYPE"],
  ["new",        "release", "new",        "INVALID_PAYMENT_REQUEST_TYPE"],
  ["new",        "accept",  "new",        "FORBIDDEN"],
  ["new",        "raise",   "new",        ""],
  ["new",        "expire",  "expired",    "expiry"],
  ["part",       "pay",     "paid",       "take payment paid"],
  ["part",       "refund",  "new",        "NOT_PAID"],
  ["part",       "void",    "cancelled",  "giveBack refund cancellation"],
  ["part",       "expire",  "expired",    "giveBack refund expiry"],
  ["pending",    "pay",     "new",        "take payment"],
  ["pending",    "void",    "cancelled",  "callOff cancellation"],
  ["pending",    "expire",  "new",        "ignored"],
  ["pending",    "taken",   "new",        "settle take payment"],
  ["pending",    "refused", "new",        "settle"],
  ["pending",    "lost",    "new",        "callOff"],
  ["both",       "pay",     "new",        "REMAINING_AMOUNT_EXCEEDED"],
  ["both",       "void",    "cancelled",  "callOff giveBack refund cancellation"],
  ["both",       "expire",  "new",        "ignored"],
  ["both",       "taken",   "paid",       "settle take payment paid"],
  ["both",       "refused", "new",        "settle"],
  ["new",        "taken",   "new",        "callOff"],
  ["paid",       "taken",   "paid",       "callOff"],
  ["paid",       "refused", "paid",       "settle"],
  ["cancelled",  "taken",   "cancelled",  "callOff"],
  ["cancelled",  "lost",    "cancelled",  "callOff"],
  ["expired",    "taken",   "expired",    "callOff"],
  ["waiting",    "pay",     "new",        "PAYMENT_DECLINED"],
  ["waiting",    "accept",  "new",        "accept-condition"],
  ["waiting",    "decline", "cancelled",  "decline-condition cancellation"],
  ["asked",      "pay",     "authorized", "hold authorization"],
  ["asked",      "refund",  "new",        "PRE_AUTH_PENDING"],
  ["asked",      "confirm", "new",        "PRE_AUTH_PENDING"],
  ["asked",      "release", "cancelled",  "cancellation"],
  ["asked",      "expire",  "expired",    "expiry"],
  ["paid",       "pay",     "paid",       "REQUEST_PAID"],
  ["paid",       "refund",  "paid",       "giveBack refund"],
  ["paid",       "void",    "paid",       "giveBack refund"],
  ["paid",       "confirm", "paid",       "INVALID_PAYMENT_REQUEST_TYPE"],
  ["paid",       "release", "paid",       "INVALID_PAYMENT_REQUEST_TYPE"],
  ["paid",       "accept",  "paid",       "CONDITION_ALREADY_SET"],
  ["paid",       "raise",   "paid",       "ignored"],
  ["paid",       "late",    "paid",       "ignored"],
  ["authorized", "pay",     "authorized", "REQUEST_PAID"],
  ["authorized", "refund",  "authorized", "CONFIRMATION_NOT_FOUND"],
  ["authorized", "void",    "cancelled",  "letGo cancellation release"],
  ["authorized", "confirm", "authorized", "capture confirmation"],
  ["authorized", "release", "released",   "letGo release"],
  ["authorized", "raise",   "authorized", "ignored"],
  ["authorized", "expire",  "authorized", "ignored"],
  ["authorized", "late",    "released",   "letGo release"],
  ["confirmed",  "void",    "authorized", "PRE_AUTH_ALREADY_CONFIRMED"],
  ["confirmed",  "confirm", "authorized", "capture confirmation"],
  ["confirmed",  "release", "released",   "letGo release"],
  ["released",   "pay",     "released",   "REQUEST_PAID"],
  ["released",   "confirm", "released",   "PRE_AUTH_RELEASED"],
  ["released",   "release", "released",   "PRE_AUTH_RELEASED"],
  ["released",   "void",    "released",   "PRE_AUTH_ALREADY_CONFIRMED"],
  ["released",   "raise",   "released",   "ignored"],
  ["released",   "late",    "released",   "ignored"],
  ["cancelled",  "pay",     "cancelled",  "REQUEST_CANCELLED"],
  ["cancelled",  "refund",  "cancelled",  "NOT_PAID"],
  ["cancelled",  "void",    "cancelled",  "REQUEST_CANCELLED"],
  ["cancelled",  "confirm", "cancelled",  "REQUEST_CANCELLED"],
  ["cancelled",  "release", "cancelled",  "REQUEST_CANCELLED"],
  ["cancelled",  "decline", "cancelled",  "CONDITION_ALREADY_SET"],
  ["cancelled",  "raise",   "cancelled",  "ignored"],
  ["cancelled",  "expire",  "cancelled",  "ignored"],
  ["expired",    "pay",     "expired",    "REQUEST_EXPIRED"],
  ["expired",    "refund",  "expired",    "NOT_PAID"],
  ["expired",    "void",    "expired",    "REQUEST_EXPIRED"],
  ["expired",    "confirm", "expired",    "REQUEST_EXPIRED"],
  ["expired",    "release", "expired",    "REQUEST_EXPIRED"],
  ["expired",    "raise",   "expired",    "ignored"],
  ["expired",    "expire",  "expired",    "ignored"],
])("%s and %s: %s, %s", (state, event, next, effects) => {
  const [after, done] = step(states[state], events[event]);
  expect([after.kind, said(done)]).toEqual([next, effects]);
});

test.each<[what: string, event: Event, code: string]>([
  ["paid at the very moment it expires", { ...pay, nowMs: 121_000 }, "REQUEST_EXPIRED"],
  ["voided at the very moment it expires", { ...events.void, nowMs: 121_000 }, "REQUEST_EXPIRED"],
  ["expired a moment early", { ...events.expire, nowMs: 120_999 }, "ignored"],
  [
    "paid with a cent too little",
    { ...pay, source: { ...source, availableMinor: 99 } },
    "INSUFFICIENT_ASSET_VALUE",
  ],
  ["paid with an archived asset", { ...pay, source: { ...source, active: false } }, "INACTIVE_ASSET"],
  [
    "paid with an asset of another type",
    { ...pay, source: { ...source, type: "bitcoin.main" } },
    "INVALID_ASSET_TYPE",
  ],
  ["paid with a type it does not offer", { ...pay, assetType: "bitcoin.main" }, "INVALID_ASSET_TYPE"],
  [
    "paid from the wallet it is paid into",
    { ...pay, source: { ...source, id: "till" } },
    "INVALID_ASSET_TYPE",
  ],
])("a new request %s: %s", (_what, event, code) => {
  expect(step(states.new, event)).toEqual([
    states.new,
    [expect.objectContaining(code === "ignored" ? { kind: code } : { code })],
  ]);
});

test("a config without a wallet cannot be paid into", () => {
  const options = [{ assetType: "centrapay.nzd.test", amountMinor: 100 }];
  const [, effects] = step({ ...states.new, terms: { ...terms, options } }, pay);
  expect(said(effects)).toBe("INVALID_MERCHANT_CONFIG");
});

test.each([
  [0, "giveBack refund"],
  [VOID_WINDOW_MS, "giveBack refund"],
  [VOID_WINDOW_MS + 1, "VOID_WINDOW_EXCEEDED"],
])("a paid request voided %i ms after it was made: %s", (afterMs, effects) => {
  const [, done] = step(states.paid, { ...events.void, nowMs: terms.createdMs + afterMs });
  expect(said(done)).toBe(effects);
});

describe("a question asked before", () => {
  const earlier = { asked: "{}", activityId: "first" };
  test.each(["new", "paid", "cancelled", "expired"] as const)("is answered again while %s", (state) => {
    for (const event of [pay, refund(1), events.void])
      expect(step(states[state], { ...event, earlier })).toEqual([
        states[state],
        [{ kind: "answerAgain", activityId: "first" }],
      ]);
  });

  test("with other content is refused", () => {
    const other = { asked: '{"other":1}', activityId: "first" };
    expect(said(step(states.new, { ...pay, earlier: other })[1])).toBe("IDEMPOTENT_OPERATION_FAILED");
    expect(said(step(states.paid, { ...refund(1), earlier: other })[1])).toBe("REPEAT_REFERENCE");
  });
});

describe("a refund", () => {
  const mixed: Request = {
    kind: "paid",
    terms,
    ...none,
    payments: [payment("p1", 60, 10), payment("p2", 40)],
  };

  test("goes back to the payments in reverse order", () => {
    const [next, [gives]] = step(mixed, refund(70));
    expect(gives).toMatchObject({
      kind: "giveBack",
      returns: [
        { payment: { id: "p2" }, amountMinor: 40 },
        { payment: { id: "p1" }, amountMinor: 30 },
      ],
    });
    expect(next).toMatchObject({
      payments: [
        { id: "p1", refundedMinor: 40 },
        { id: "p2", refundedMinor: 40 },
      ],
    });
  });

  test("of what is left leaves nothing, and one cent more is refused", () => {
    expect(said(step(mixed, refund(91))[1])).toBe("INVALID_AMOUNT");
    const [next] = step(mixed, refund(90));
    expect(said(step(next, refund(1))[1])).toBe("ALREADY_REFUNDED");
    expect(said(step(next, events.void)[1])).toBe("ALREADY_REFUNDED");
  });

  const token = { ...payment("t1", 60), assetType: "centrapay.token.test", lines: [{ name: "Coffee" }] };
  // prettier-ignore
  test.each<[what: string, payments: readonly Payment[], minor: number, back: readonly (readonly [string, number])[]]>([
    ["money before a token, in part",  [payment("p1", 40), token], 30,  [["p1", 30]]],
    ["money before a token, all",      [payment("p1", 40), token], 40,  [["p1", 40]]],
    ["the token, which is worth it",   [payment("p1", 40), token], 60,  [["t1", 60]]],
    ["both",                           [payment("p1", 40), token], 90,  [["t1", 60], ["p1", 30]]],
    ["money after a token",            [token, payment("p1", 40)], 30,  [["p1", 30]]],
    ["half a token",                   [payment("p1", 40), token], 50,  []],
  ])("of what a token and money paid gives back %s", (_what, payments, minor, back) => {
    const [, [gives]] = step({ kind: "paid", terms, ...none, payments }, refund(minor));
    const returns = back.map(([id, amountMinor]) => ({ payment: { id }, amountMinor }));
    expect(gives).toMatchObject(
      back.length === 0
        ? { kind: "refuse", code: "PARTIAL_REFUNDS_NOT_ALLOWED" }
        : { kind: "giveBack", returns },
    );
  });

  const tokenOf = (id: string, amountMinor: number, sku = "coffee"): Payment => ({
    ...payment(id, amountMinor),
    assetType: "centrapay.token.test",
    lines: [{ name: sku, sku }],
  });
  const coffee = tokenOf("coffee", 40);
  const cake = tokenOf("cake", 40, "cake");
  // prettier-ignore
  test.each<[what: string, payments: readonly Payment[], minor: number, skus: readonly string[], back: readonly (readonly [string, number])[]]>([
    ["a token's value, though money paid last",   [coffee, payment("p1", 10)],                          40, [],                 [["coffee", 40]]],
    ["a token and a part of later money",         [coffee, payment("p1", 30)],                          45, [],                 [["coffee", 40], ["p1", 5]]],
    ["the earlier token, which alone is it",      [tokenOf("t1", 40), tokenOf("t2", 30)],               40, [],                 [["t1", 40]]],
    ["two tokens that are it, past the last",     [tokenOf("t1", 20), tokenOf("t2", 25), tokenOf("t3", 30)], 45, [],            [["t2", 25], ["t1", 20]]],
    ["the last of two, where either is it",       [coffee, cake, payment("p1", 10)],                    40, [],                 [["cake", 40]]],
    ["what a named product's token paid",         [coffee, cake],                                       40, ["coffee"],         [["coffee", 40]]],
    ["the same, past money",                      [coffee, cake, payment("p1", 10)],                    40, ["coffee"],         [["coffee", 40]]],
    ["a token of a name, and the last for none",  [coffee, cake],                                       40, ["tea"],            [["cake", 40]]],
    ["money, where a named token is worth more",  [coffee, payment("p1", 30)],                          30, ["coffee"],         [["p1", 30]]],
    ["nothing, where no tokens are it",           [coffee, cake, payment("p1", 10)],                    60, [],                 []],
    ["no token twice",                            [{ ...coffee, refundedMinor: 40 }, cake, payment("p1", 10)], 50, ["coffee"],  [["p1", 10], ["cake", 40]]],
  ])("gives back %s", (_what, payments, minor, skus, back) => {
    const [, [gives]] = step({ kind: "paid", terms, ...none, payments }, refund(minor, undefined, skus));
    const returns = back.map(([id, amountMinor]) => ({ payment: { id }, amountMinor }));
    expect(gives).toMatchObject(
      back.length === 0
        ? { kind: "refuse", code: "PARTIAL_REFUNDS_NOT_ALLOWED" }
        : { kind: "giveBack", returns },
    );
  });

  test("gives back whatever tokens and money can make up, and nothing that they cannot", () => {
    const part = fc.record({ amount: fc.integer({ min: 1, max: 12 }), isToken: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 7 }),
        fc.integer({ min: 1, max: 84 }),
        (parts, minor) => {
          const payments = parts.map(({ amount, isToken }, n) =>
            isToken ? tokenOf(`t${n}`, amount) : payment(`p${n}`, amount),
          );
          const sumOf = (some: readonly Payment[]) =>
            some.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
          if (minor > sumOf(payments)) return;
          const money = sumOf(payments.filter(({ lines }) => lines === null));
          let sums = new Set([0]);
          for (const { lines, amountMinor } of payments)
            if (lines !== null) sums = new Set([...sums, ...[...sums].map((sum) => sum + amountMinor)]);
          const canBe = [...sums].some((sum) => sum <= minor && minor <= sum + money);
          const [next, [gives]] = step({ kind: "paid", terms, ...none, payments }, refund(minor));
          expect(gives?.kind).toBe(canBe ? "giveBack" : "refuse");
          if (next.kind !== "paid" || gives?.kind !== "giveBack") return;
          expect(gives.returns.reduce((sum, { amountMinor }) => sum + amountMinor, 0)).toBe(minor);
          for (const { lines, amountMinor, refundedMinor } of next.payments) {
            expect(refundedMinor).toBeLessThanOrEqual(amountMinor);
            if (lines !== null) expect([0, amountMinor]).toContain(refundedMinor);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("in another currency is refused", () => {
    expect(said(step(mixed, { ...refund(1), currency: "AUD" })[1])).toBe("INVALID_AMOUNT");
  });
});

describe("what several assets pay", () => {
  const partial: Request = { ...states.new, terms: { ...terms, partialAllowed: true } };
  // prettier-ignore
  test.each<[what: string, state: Request, change: Partial<typeof pay> | object, effects: string, kind: Request["kind"]]>([
    ["less than is due, with no mode",           states.new,  { amountMinor: 40 },                                  "INVALID_AMOUNT",               "new"],
    ["more than is due",                         states.new,  { amountMinor: 101 },                                 "REMAINING_AMOUNT_EXCEEDED",    "new"],
    ["more than is left",                        states.part, { amountMinor: 41, mode: "multi-asset-payment" },     "REMAINING_AMOUNT_EXCEEDED",    "new"],
    ["a part, more to come",                     states.new,  { amountMinor: 40, mode: "multi-asset-payment" },     "take payment",                 "new"],
    ["what the asset has, more to come",         states.new,  { source: { ...source, availableMinor: 30 }, mode: "multi-asset-payment" }, "take payment", "new"],
    ["the last part",                            states.part, { mode: "multi-asset-payment" },                      "take payment paid",            "paid"],
    ["the last part, with no mode",              states.part, {},                                                   "take payment paid",            "paid"],
    ["all at once",                              states.new,  { mode: "multi-asset-payment" },                      "take payment",                 "paid"],
    ["a part and no more, not allowed",          states.new,  { amountMinor: 40, mode: "partial-payment" },         "INVALID_PAYMENT_REQUEST_TYPE", "new"],
    ["a part and no more, allowed",              partial,     { amountMinor: 40, mode: "partial-payment" },         "take payment",                 "paid"],
    ["more than the asset has",                  states.new,  { source: { ...source, availableMinor: 30 }, amountMinor: 40, mode: "multi-asset-payment" }, "INSUFFICIENT_ASSET_VALUE", "new"],
    ["an empty asset",                           states.new,  { source: { ...source, availableMinor: 0 }, mode: "multi-asset-payment" }, "INSUFFICIENT_ASSET_VALUE", "new"],
    ["a pre-authorisation in parts",             states.asked, { amountMinor: 40, mode: "multi-asset-payment" },    "INVALID_PAYMENT_REQUEST_TYPE", "new"],
    ["a thing spent whole, for less than is due", states.new, { source: { ...source, availableMinor: 30, whole: true } }, "INSUFFICIENT_ASSET_VALUE", "new"],
    ["a thing spent whole, worth more",          states.new,  { source: { ...source, availableMinor: 500, whole: true } }, "take payment",           "paid"],
  ])("%s", (_what, state, change, effects, kind) => {
    const [next, done] = step(state, { ...pay, ...change });
    expect([said(done), next.kind]).toEqual([effects, kind]);
  });

  describe("comes in a number of parts", () => {
    const cents = (count: number) => Array.from({ length: count }, (_, n) => payment(`p${n}`, 1));
    const more = { ...pay, amountMinor: 1, mode: "multi-asset-payment" } as const;
    // prettier-ignore
    test.each<[what: string, taken: number, state: Partial<typeof partial>, event: Event, effects: string]>([
      ["the last of them",                     MOST_PARTS - 1, {},                         more,                             "take payment"],
      ["one more",                             MOST_PARTS,     {},                         more,                             "INVALID_AMOUNT"],
      ["one more than with what is pending",   MOST_PARTS - 1, { pending: [pendingPart] }, more,                             "INVALID_AMOUNT"],
      ["what completes it",                    MOST_PARTS,     {},                         pay,                              "take payment paid"],
      ["what ends it",                         MOST_PARTS,     {},                         { ...more, mode: "partial-payment" }, "take payment paid"],
    ])("%s", (_what, taken, state, event, effects) => {
      expect(said(step({ ...partial, payments: cents(taken), ...state }, event)[1])).toBe(effects);
    });
  });

  test("is notified once, as a whole", () => {
    const [, effects] = step(states.part, pay);
    const notes = effects.flatMap((effect) =>
      effect.kind === "record" ? [[effect.amountMinor, effect.notify]] : [],
    );
    expect(notes).toEqual([
      [40, []],
      [100, ["payment-request:paid"]],
    ]);
  });
});

describe("a pre-authorisation", () => {
  test("is confirmed up to what is held and no further", () => {
    expect(said(step(states.confirmed, confirm(40))[1])).toBe("capture confirmation");
    expect(said(step(states.confirmed, confirm(41))[1])).toBe("INVALID_AMOUNT");
    expect(said(step(states.confirmed, { ...confirm(1), currency: "AUD" })[1])).toBe("INVALID_AMOUNT");
  });
  test("is confirmed until its time is over, whether or not that was written down", () => {
    expect(said(step(states.authorized, { ...confirm(40), nowMs: 4_999_999 })[1])).toBe(
      "capture confirmation",
    );
    expect(said(step(states.authorized, { ...confirm(40), nowMs: 5_000_000 })[1])).toBe("PRE_AUTH_RELEASED");
    const row = { pre_auth_status: "authorized", pre_auth_expires_ms: 10 } as const;
    expect(preAuthStatusAt(row, 9)).toBe("authorized");
    expect(preAuthStatusAt(row, 10)).toBe("released");
    expect(preAuthStatusAt({ pre_auth_status: null, pre_auth_expires_ms: null }, 10)).toBeNull();
  });
  test("counts as paid while it is held, and then what was confirmed, whether or not that was written down", () => {
    const money = { payments: ["confirmed"], hold: "held" };
    const ends = { pre_auth_expires_ms: 10, expires_ms: 5, pending_minor: 0 };
    const row = { ...ends, status: "paid", pre_auth_status: "authorized" } as const;
    expect(paidAt(row, money, 9)).toEqual(["held"]);
    expect(paidAt(row, money, 10)).toEqual(["confirmed"]);
    expect(paidAt({ ...row, pre_auth_status: "released" }, money, 9)).toEqual(["confirmed"]);
    expect(paidAt({ ...row, status: "cancelled" }, money, 9)).toEqual([]);
  });
  test("releases what was not confirmed, and moves nothing when all was", () => {
    expect(step(states.confirmed, events.release)[1]).toContainEqual(
      expect.objectContaining({ kind: "letGo", amountMinor: 40 }),
    );
    const [all] = step(states.confirmed, confirm(40));
    expect(said(step(all, events.release)[1])).toBe("release");
  });
  test("is refunded a confirmation at a time", () => {
    expect(said(step(states.released, refund(60, "k1"))[1])).toBe("giveBack refund");
    expect(said(step(states.released, refund(61, "k1"))[1])).toBe("INVALID_AMOUNT");
    expect(said(step(states.released, refund(1, "k9"))[1])).toBe("CONFIRMATION_NOT_FOUND");
    expect(said(step(states.paid, refund(1, "k1"))[1])).toBe("CONFIRMATION_NOT_FOUND");
  });
});

describe("a condition", () => {
  test("is the merchant's to set, or the patron's, and set once", () => {
    const byPatron = { ...events.accept, by: "patron" } as const;
    expect(said(step(states.waiting, byPatron)[1])).toBe("PATRON_NOT_AUTHORIZED");
    const [accepted] = step(states.waiting, events.accept);
    expect(said(step(accepted, events.decline)[1])).toBe("CONDITION_ALREADY_SET");
    expect(said(step(accepted, pay)[1])).toBe("take payment");
  });

  test("is raised for whom it waits, and numbered after those that were there", () => {
    const [raised] = step(states.new, events.raise);
    expect(raised.conditions).toEqual(conditions);
    const byPatron = { ...events.raise, condition: { ...events.raise.condition, by: "patron" } } as const;
    const [two] = step(raised, byPatron);
    expect(two.conditions).toMatchObject([
      { id: "1", status: "awaiting-merchant" },
      { id: "2", status: "awaiting-patron" },
    ]);
    const [one] = step(two, events.accept);
    expect(said(step(one, pay)[1])).toBe("PAYMENT_DECLINED");
  });

  test("that the merchant cannot settle ends the request, and gives back what was paid", () => {
    const unable = { ...events.raise, conditionsEnabled: false };
    expect(step(states.new, unable)[0]).toMatchObject({
      kind: "cancelled",
      reason: "PAYMENT_FAILED",
      conditions: [{ id: "1", name: "photo-id-check", status: "void" }],
    });
    expect(said(step(states.new, unable)[1])).toBe("cancellation");
    expect(said(step(states.part, unable)[1])).toBe("giveBack refund cancellation");
  });
});

test("a merchant that was stopped is paid nothing, not even what is held, and gives back as before", () => {
  const isStopped = true;
  expect(said(step(states.new, { ...pay, isStopped })[1])).toBe("INVALID_MERCHANT_CONFIG");
  expect(said(step(states.part, { ...pay, isStopped })[1])).toBe("INVALID_MERCHANT_CONFIG");
  expect(said(step(states.authorized, { ...confirm(40), isStopped })[1])).toBe("INVALID_MERCHANT_CONFIG");
  expect(said(step(states.paid, { ...pay, isStopped })[1])).toBe("REQUEST_PAID");
  const earlier = { asked: "{}", activityId: "a0" };
  expect(said(step(states.paid, { ...pay, isStopped, earlier })[1])).toBe("answerAgain");
});

test("what parts have paid of a request is said until it ends, whether or not that was written down", () => {
  const row = {
    status: "new",
    expires_ms: 10,
    pending_minor: 0,
    pre_auth_status: null,
    pre_auth_expires_ms: null,
  };
  const money = { payments: ["part"], hold: undefined };
  expect(paidAt(row, money, 9)).toEqual(["part"]);
  expect(paidAt(row, money, 10)).toEqual([]);
  expect(paidAt({ ...row, pending_minor: 1 }, money, 10)).toEqual(["part"]);
});

test("a stored `new` is not believed past its expiry", () => {
  const row = { status: "new", expires_ms: 10, pending_minor: 0 };
  expect(statusAt(row, 9)).toBe("new");
  expect(statusAt(row, 10)).toBe("expired");
  expect(statusAt({ ...row, pending_minor: 1 }, 10)).toBe("new");
  expect(statusAt({ ...row, status: "paid" }, 11)).toBe("paid");
});
