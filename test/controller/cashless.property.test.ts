/**
 * Whatever the machine does, legal or not, and whatever our side wants meanwhile: an approval leaves only for the request
 * that is open, after our side gave it and before its deadline; each request that our side is asked about ends once, and a
 * late result follows only what was said to be unknown; there is one session at a time; a block has at most 36 bytes; after
 * a reset everything is off.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CashlessEffect } from "../../controller/mdb/cashless-state.js";
import { decodeResponses, type Response } from "../../controller/mdb/codec.js";
import { closeBlock, MAX_BLOCK } from "../../controller/mdb/frame.js";
import { readHex } from "../../controller/mdb/widths.js";
import { Bench, setUp, type Untimed } from "./cashless-bench.js";

type Move = Untimed | { readonly kind: "wait"; readonly ms: number };
const heard = (hex: string): Move => ({ kind: "heard", bytes: closeBlock(readHex(hex) ?? Uint8Array.of()) });
const lone = (byte: number): Move => ({ kind: "heard", bytes: Uint8Array.of(byte) });

const modes: readonly { readonly level: 1 | 2 | 3; readonly options: number }[] = [
  { level: 1, options: 0 },
  { level: 2, options: 0 },
  { level: 3, options: 0x28 }, // Always Idle, negative vend
  { level: 3, options: 0x2a }, // and 32-bit money
];
const features = ["money32", "alwaysIdle", "negativeVend"] as const;

const prices = fc.constantFrom("00 96", "01 F4", "00 00 00 96");
const items = fc.constantFrom("00 05", "00 06");
const machine: fc.Arbitrary<Move> = fc.oneof(
  { weight: 12, arbitrary: fc.constant(heard("12")) },
  { weight: 12, arbitrary: fc.constant(lone(0x00)) },
  { weight: 3, arbitrary: fc.constantFrom(lone(0xff), lone(0xaa), { kind: "silence" as const }) },
  { weight: 6, arbitrary: fc.tuple(prices, items).map(([price, item]) => heard(`13 00 ${price} ${item}`)) },
  { weight: 6, arbitrary: fc.constantFrom("13 01", "13 02 00 05", "13 03", "13 04").map(heard) },
  { weight: 2, arbitrary: fc.tuple(prices, items).map(([price, item]) => heard(`13 06 ${price} ${item}`)) },
  { weight: 2, arbitrary: prices.map((price) => heard(`15 00 ${price}`)) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(
        "14 00",
        "14 01",
        "14 01",
        "14 02",
        "15 01",
        "17 FF 01",
        "17 04 00 00 00 28",
        "17 04 00 00 00 2A",
      )
      .map(heard),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("10", "11 00 03 10 01 01", "11 00 01 00 00 00", "11 01 FF FF 00 00")
      .map(heard),
  },
  { weight: 1, arbitrary: fc.constant<Move>({ kind: "busReset" }) },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ minLength: 1, maxLength: 35 })
      .map((body): Move => ({ kind: "heard", bytes: closeBlock(body) })),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes): Move => ({ kind: "heard", bytes })) },
);
/** Our side answers a request by how far back it is: the open one is 0. */
type Answer = { readonly kind: "answer"; readonly how: "approve" | "deny"; readonly back: number };
const ours: fc.Arbitrary<Move | Answer> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Move>({ kind: "open", fundsScaled: 500 }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("answer" as const),
      how: fc.constantFrom("approve" as const, "approve" as const, "deny" as const),
      back: fc.constantFrom(0, 0, 0, 1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Move>({ kind: "close" }, { kind: "refreshFunds", fundsScaled: 70_000 }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Move>(
      { kind: "display", text: "Hello", tenths: 20 },
      { kind: "malfunction", error: 12, detail: 0 },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(10, 1_000, 6_000, 30_000, 400_000).map((ms): Move => ({ kind: "wait", ms })),
  },
);
/** A vend as it should go, up to some step of it: what comes next may come at any moment of it. */
const vend = fc.integer({ min: 1, max: 10 }).map((steps): readonly (Move | Answer)[] => {
  const whole: readonly (Move | Answer)[] = [
    { kind: "open", fundsScaled: 500 },
    heard("12"),
    lone(0),
    heard("13 00 00 96 00 05"),
    { kind: "answer", how: "approve", back: 0 },
    heard("12"),
    lone(0),
    heard("13 02 00 05"),
    heard("13 04"),
    heard("12"),
  ];
  return whole.slice(0, steps);
});
const moves = fc
  .array(
    fc.oneof(
      { weight: 1, arbitrary: vend },
      { weight: 4, arbitrary: fc.oneof(machine, ours).map((move) => [move]) },
    ),
    {
      maxLength: 60,
      size: "max",
    },
  )
  .map((chapters) => chapters.flat());

const isData = (effect: CashlessEffect): effect is Extract<CashlessEffect, { kind: "send" }> =>
  effect.kind === "send" && effect.bytes.length > 1;

/** What the promises say of a walk, kept beside the reader and told only what a bystander would see. */
class Witness {
  open: { readonly request: number; readonly scaled: number; readonly atMs: number } | undefined;
  isApproved = false; // by our side
  hasLeft = false; // on the bus
  isUnknown = false;
  inSession = false;
  mdb = "inactive";
  outcomes = 0;

  approve(request: number): void {
    if (this.open?.request === request) this.isApproved = true;
  }

  hear(effect: CashlessEffect, nowMs: number): void {
    if (effect.kind !== "say") return;
    const { told } = effect;
    switch (told.kind) {
      case "mdb":
        this.mdb = told.mdb;
        if (told.mdb !== "session" && told.mdb !== "vend") this.inSession = false;
        break;
      case "opened":
        assert(!this.inSession, "a second session began");
        this.inSession = true;
        break;
      case "vendRequested":
      case "negativeVendRequested":
        assert(this.open === undefined, "asked about a second request while one is open");
        this.open = { request: told.request, scaled: told.priceScaled, atMs: nowMs };
        [this.isApproved, this.hasLeft, this.isUnknown] = [false, false, false];
        break;
      case "vendCancelled":
        assert(
          this.open !== undefined && !this.hasLeft,
          "cancelled, though nothing was open or the approval had left",
        );
        this.close();
        break;
      case "vendSucceeded":
      case "vendFailed":
        if (this.open === undefined) {
          assert(this.isUnknown, `${told.kind} told of nothing`);
          this.isUnknown = false;
        } else {
          assert(this.hasLeft, `${told.kind} without an approval`);
          this.close();
        }
        break;
      case "reset":
        if (this.open !== undefined)
          assert(this.hasLeft, "a reset took a request with it that nobody answered");
        this.close();
        this.inSession = false;
        break;
      case "sessionEnded":
        if (this.open !== undefined) {
          assert(this.hasLeft, "unknown, though no approval had left");
          this.isUnknown = true;
          this.close();
        }
        this.inSession = false;
        break;
      default:
    }
  }

  close(): void {
    if (this.open !== undefined) this.outcomes += 1;
    this.open = undefined;
    this.isApproved = false;
  }

  /** A denial of ours ends a request too: our side knows, and nothing more is told. */
  denied(request: number): void {
    if (this.open?.request === request && !this.isApproved) this.close();
  }

  sees(responses: readonly { readonly kind: string }[], nowMs: number): void {
    for (const response of responses as readonly Response[]) {
      if (response.kind !== "vendApproved") continue;
      assert(this.open !== undefined, "an approval left for no request");
      assert(this.isApproved, "an approval left that our side did not give");
      assert.equal(response.amountScaled, this.open.scaled);
      if (!this.hasLeft) assert(nowMs < this.open.atMs + 27_000, "an approval left too late");
      this.hasLeft = true;
    }
  }
}

test("no approval without our side's, one outcome a vend, one session, nothing left after a reset", () => {
  const seen = { approvals: 0, outcomes: 0, unknown: 0 };
  fc.assert(
    fc.property(fc.constantFrom(...modes), moves, ({ level, options }, list) => {
      const reader = new Bench({ features, revalueLimitScaled: 400 });
      for (const line of setUp(level, options)) reader.say(line);
      const witness = new Witness();
      witness.mdb = "enabled";
      let requests = 0;
      for (const item of list) {
        const request = item.kind === "answer" ? requests - item.back : 0;
        const move: Move = item.kind === "answer" ? { kind: item.how, request } : item;
        if (move.kind === "approve") witness.approve(request);
        const effects = reader.step(move);
        for (const effect of effects) {
          if (effect.kind === "say" && "request" in effect.told) requests = effect.told.request;
          witness.hear(effect, reader.nowMs);
          if (isData(effect)) {
            assert(effect.bytes.length <= MAX_BLOCK);
            const decoded = decodeResponses(effect.bytes, reader.context);
            assert(decoded.ok, "a block that the machine cannot read");
            witness.sees(decoded.responses, reader.nowMs);
          }
        }
        if (move.kind === "deny") witness.denied(request);
        if (witness.mdb === "inactive") assert(witness.open === undefined, "a request outlived a reset");
        if (witness.hasLeft) seen.approvals += 1;
        if (witness.isUnknown) seen.unknown += 1;
      }
      seen.outcomes += witness.outcomes;
    }),
    { numRuns: 2_000 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50);
});

test("after a reset nothing is on: the next thing said is JUST RESET", () => {
  fc.assert(
    fc.property(fc.constantFrom(...modes), moves, ({ level, options }, list) => {
      const reader = new Bench({ features });
      for (const line of setUp(level, options)) reader.say(line);
      for (const item of list) reader.step(item.kind === "answer" ? { kind: item.how, request: 1 } : item);
      expect(reader.say("10")).toMatch(/^ACK/);
      expect(reader.say("open 500")).toBe("notOpened");
      expect(reader.say("12")).toBe("00");
      expect(reader.say("ack")).toBe("");
      expect(reader.say("12")).toBe("ACK");
    }),
  );
});
