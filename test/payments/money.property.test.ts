/**
 * Whatever callers do to payment requests, in any order, together and again: the ledger balances, no wallet is overdrawn, a
 * request is paid once, no more goes back than was paid, and the same question has the same answer.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { audit } from "./audit.js";
import { HOLD_MS } from "../../cloud/payments/request.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

// Few requests, payers, amounts and keys, so that everything collides often; and every question may be asked twice at once.
const which = fc.nat(1);
const times = fc.constantFrom(1, 2);
const pay = fc.record({
  kind: fc.constant("pay" as const),
  which,
  payer: fc.nat(2),
  key: fc.nat(1),
  mode: fc.constantFrom("whole" as const, "multi-asset-payment" as const, "partial-payment" as const),
  times,
});
const amount = fc.constantFrom(1, 40, 60, 100, 101);
const refund = fc.record({ kind: fc.constant("refund" as const), which, amount, ref: fc.nat(2), times });
const op = fc.oneof(
  { weight: 4, arbitrary: pay },
  { weight: 6, arbitrary: refund },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("confirm" as const), which, amount, ref: fc.nat(2), times }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("release" as const), which, times: fc.constant(1) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("void" as const), which, times }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("create" as const),
      which,
      form: fc.constantFrom({}, { preAuth: true }, { partialAllowed: true, basketAmount: "100" }),
      times: fc.constant(1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 30_000, 86_400_000, HOLD_MS),
      times: fc.constant(1),
    }),
  },
);
const rounds = fc.array(fc.array(op, { minLength: 1, maxLength: 6 }), {
  minLength: 2,
  maxLength: 6,
  size: "max",
});
type Op = typeof op extends fc.Arbitrary<infer T> ? T : never;

test("money is neither made nor lost", async () => {
  const { merchant } = platform;
  await fc.assert(
    fc.asyncProperty(rounds, async (played) => {
      const payers = [
        await platform.newWallet(150),
        await platform.newWallet(250),
        await platform.newWallet(0),
      ];
      const ids = [await platform.request("100"), await platform.request("100", { preAuth: true })];
      const answers = new Map<string, unknown>();
      /** A question that succeeded once has that answer for ever. */
      const ask = async (question: string, send: Promise<Answer>): Promise<void> => {
        const first = answers.get(question);
        const { status, body } = await send;
        expect([200, 403], `${question}: ${JSON.stringify(body)}`).toContain(status);
        if (first !== undefined) expect(body, question).toEqual(first);
        if (status !== 200) return;
        if (answers.has(question)) expect(body, question).toEqual(answers.get(question));
        answers.set(question, body);
      };
      const act = async (next: Op): Promise<void> => {
        if (next.kind === "wait") {
          platform.clock.advance(next.ms);
          return;
        }
        const id = ids[next.which] ?? "";
        if (next.kind === "create") {
          ids[next.which] = await platform.request("100", next.form);
        } else if (next.kind === "pay") {
          const payer = payers[next.payer];
          if (payer === undefined) throw new Error("there are three payers");
          const form = {
            assetType: ASSET_TYPE,
            assetId: payer.assetId,
            idempotencyKey: `key-${next.key}`,
            ...(next.mode === "whole" ? {} : { mode: next.mode }),
          };
          const sent = platform.post(payer.apiKey, `/api/payment-requests/${id}/pay`, form);
          await ask(`${id} pay ${next.payer} ${next.key} ${next.mode}`, sent);
        } else if (next.kind === "refund") {
          const value = { amount: String(next.amount), currency: CURRENCY };
          const form = { value, externalRef: `ref-${next.ref}` };
          const sent = platform.post(merchant.terminalKey, `/api/payment-requests/${id}/refund`, form);
          await ask(`${id} refund ${next.amount} ${next.ref}`, sent);
          const { status, body } = await sent;
          if (status === 200) expect(body).toMatchObject({ value });
        } else if (next.kind === "confirm") {
          const form = {
            idempotencyKey: `confirm-${next.ref}`,
            invoiceRef: "i",
            lineItems: [{ name: "Item", qty: "1", price: String(next.amount) }],
          };
          const url = `/api/payment-requests/${id}/confirm`;
          await ask(
            `${id} confirm ${next.amount} ${next.ref}`,
            platform.post(merchant.terminalKey, url, form),
          );
          const back = {
            value: { amount: String(Math.min(next.amount, 40)), currency: CURRENCY },
            externalRef: `back-${next.ref}`,
            confirmationIdempotencyKey: `confirm-${next.ref}`,
          };
          const { status } = await platform.post(
            merchant.terminalKey,
            `/api/payment-requests/${id}/refund`,
            back,
          );
          expect([200, 403]).toContain(status);
        } else if (next.kind === "release") {
          const { status } = await platform.post(merchant.terminalKey, `/api/payment-requests/${id}/release`);
          expect([200, 403]).toContain(status);
        } else {
          await ask(`${id} void`, platform.post(merchant.terminalKey, `/api/payment-requests/${id}/void`));
        }
      };
      for (const round of played)
        await Promise.all(round.flatMap((next) => Array.from({ length: next.times }, () => act(next))));
    }),
    { numRuns: 40 },
  );
  await audit(platform.store);
});
