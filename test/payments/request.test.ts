/** The payment request as a pure machine: every state against every event, and where a refund goes. */
import { describe, expect, test } from "vitest";
import {
  statusAt,
  step,
  VOID_WINDOW_MS,
  type Effect,
  type Event,
  type Payment,
  type Request,
  type Terms,
} from "../../cloud/payments/request.js";

const terms: Terms = {
  valueMinor: 100,
  currency: "NZD",
  options: [{ assetType: "centrapay.nzd.test", amountMinor: 100, walletId: "till" }],
  createdMs: 1_000,
  expiresMs: 121_000,
};
const payment = (id: string, amountMinor: number, refundedMinor = 0): Payment => ({
  id,
  assetId: `asset-${id}`,
  assetType: "centrapay.nzd.test",
  payerAccountId: "ada",
  walletId: "till",
  amountMinor,
  refundedMinor,
});
const states = {
  new: { kind: "new", terms },
  paid: { kind: "paid", terms, payments: [payment("p1", 100)] },
  cancelled: { kind: "cancelled", terms, reason: "CANCELLED_BY_MERCHANT" },
  expired: { kind: "expired", terms },
} as const satisfies Record<string, Request>;
const asking = { nowMs: 2_000, activityId: "a1", asked: "{}", earlier: undefined };
const asset = { id: "w", accountId: "ada", type: "centrapay.nzd.test", active: true, balanceMinor: 100 };
const pay = { kind: "pay", assetType: "centrapay.nzd.test", asset, ...asking } as const satisfies Event;
const refund = (valueMinor: number) =>
  ({ kind: "refund", valueMinor, currency: "NZD", ...asking }) as const satisfies Event;
const events = {
  pay,
  refund: refund(100),
  void: { kind: "void", ...asking },
  expire: { kind: "expire", nowMs: 121_000, activityId: "a1" },
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
  ["new",       "pay",    "paid",      "take payment"],
  ["new",       "refund", "new",       "NOT_PAID"],
  ["new",       "void",   "cancelled", "cancellation"],
  ["new",       "expire", "expired",   "expiry"],
  ["paid",      "pay",    "paid",      "REQUEST_PAID"],
  ["paid",      "refund", "paid",      "giveBack refund"],
  ["paid",      "void",   "paid",      "giveBack refund"],
  ["paid",      "expire", "paid",      "ignored"],
  ["cancelled", "pay",    "cancelled", "REQUEST_CANCELLED"],
  ["cancelled", "refund", "cancelled", "NOT_PAID"],
  ["cancelled", "void",   "cancelled", "REQUEST_CANCELLED"],
  ["cancelled", "expire", "cancelled", "ignored"],
  ["expired",   "pay",    "expired",   "REQUEST_EXPIRED"],
  ["expired",   "refund", "expired",   "NOT_PAID"],
  ["expired",   "void",   "expired",   "REQUEST_EXPIRED"],
  ["expired",   "expire", "expired",   "ignored"],
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
    { ...pay, asset: { ...asset, balanceMinor: 99 } },
    "INSUFFICIENT_ASSET_VALUE",
  ],
  ["paid with an archived asset", { ...pay, asset: { ...asset, active: false } }, "INACTIVE_ASSET"],
  [
    "paid with an asset of another type",
    { ...pay, asset: { ...asset, type: "bitcoin.main" } },
    "INVALID_ASSET_TYPE",
  ],
  ["paid with a type it does not offer", { ...pay, assetType: "bitcoin.main" }, "INVALID_ASSET_TYPE"],
  ["paid from the wallet it is paid into", { ...pay, asset: { ...asset, id: "till" } }, "INVALID_ASSET_TYPE"],
])("a new request %s: %s", (_what, event, code) => {
  expect(step(states.new, event)).toEqual([
    states.new,
    [expect.objectContaining(code === "ignored" ? { kind: code } : { code })],
  ]);
});

test("a config without a wallet cannot be paid into", () => {
  const options = [{ assetType: "centrapay.nzd.test", amountMinor: 100 }];
  const [, effects] = step({ kind: "new", terms: { ...terms, options } }, pay);
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
  const mixed: Request = { kind: "paid", terms, payments: [payment("p1", 60, 10), payment("p2", 40)] };

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

  test("in another currency is refused", () => {
    expect(said(step(mixed, { kind: "refund", valueMinor: 1, currency: "AUD", ...asking })[1])).toBe(
      "INVALID_AMOUNT",
    );
  });
});

test("a stored `new` is not believed past its expiry", () => {
  expect(statusAt("new", 10, 9)).toBe("new");
  expect(statusAt("new", 10, 10)).toBe("expired");
  expect(statusAt("paid", 10, 11)).toBe("paid");
});
