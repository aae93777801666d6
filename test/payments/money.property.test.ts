/**
 * Whatever callers do to payment requests, in any order, together and again, and however a provider elsewhere answers: the ledger
 * balances, no wallet is overdrawn, a request is paid once, no more goes back than was paid, and the same question has the same
 * answer. Once the provider has said what it knows, it keeps to the cent what our books say it owes.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Secret } from "../../broker/protocol/configuration.js";
import { HOLD_MS } from "../../cloud/payments/request.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";
import {
  bare,
  closesAfter,
  closesBefore,
  openUplinkServer,
  says,
  silentAfter,
  silentBefore,
  works,
  type Manner,
  type UplinkServer,
} from "./uplink-server.js";

const TIMEOUT_MS = 10_000;
/** Longer than any back-off, and any lease. */
const LONG_MS = 3_600_000;
const KEY = "a-key-of-the-uplink-provider";
const UPLINK = "uplinkapi.test";
let platform: Platform;
let uplink: UplinkServer;
let configId: string;
beforeAll(async () => {
  uplink = await openUplinkServer(KEY);
  platform = await openPlatform({ uplink: { url: uplink.url, key: new Secret(KEY), timeoutMs: TIMEOUT_MS } });
  configId = await platform.newConfig([
    { type: ASSET_TYPE, walletId: platform.merchant.walletId },
    { type: UPLINK, externalMerchantId: "shop" },
  ]);
});
afterAll(async () => {
  await platform.close(); // and the books of all of it are read
  await uplink.close();
});

/** A silent provider is waited for in the platform's own time, which goes on as soon as it has heard the question. */
const waitedFor =
  (manner: Manner): Manner =>
  (response, work, call) => {
    manner(response, work, call);
    setImmediate(() => platform.clock.advance(TIMEOUT_MS));
  };
const declines: Manner = (...answering) => {
  uplink.isPoor = true;
  works(...answering);
  uplink.isPoor = false;
};
const refuses: Manner = (...answering) => {
  uplink.isStubborn = true;
  works(...answering);
  uplink.isStubborn = false;
};
const manners = {
  works,
  declines,
  refuses,
  pending: says({ status: "pending" }),
  silentBefore: waitedFor(silentBefore),
  silentAfter: waitedFor(silentAfter),
  closesBefore,
  closesAfter,
  errorBefore: bare(500, "{}"),
  errorAfter: bare(500, "{}", true),
} as const satisfies Readonly<Record<string, Manner>>;
const manner = fc.constantFrom(...(Object.keys(manners) as (keyof typeof manners)[])); // its own keys

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
/** As much as is left, by the provider, which is told in the payer's word how to answer. */
const payElsewhere = fc.record({
  kind: fc.constant("payElsewhere" as const),
  which,
  key: fc.nat(1),
  manner,
  mode: fc.constantFrom("whole" as const, "multi-asset-payment" as const),
  times,
});
const amount = fc.constantFrom(1, 40, 60, 100, 101);
const refund = fc.record({ kind: fc.constant("refund" as const), which, amount, ref: fc.nat(2), times });
const op = fc.oneof(
  { weight: 4, arbitrary: pay },
  { weight: 8, arbitrary: payElsewhere },
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
/** `asked`: how the provider answers whatever else it is asked meanwhile. */
const round = fc.record({ asked: manner, ops: fc.array(op, { minLength: 1, maxLength: 6, size: "max" }) });
const rounds = fc.array(round, { minLength: 2, maxLength: 6, size: "max" });
type Op = typeof op extends fc.Arbitrary<infer T> ? T : never;

const request = (more = {}): Promise<string> => platform.request("100", { configId, ...more });
/** What the provider has and owes, by our books. */
async function owed(): Promise<number> {
  const account = platform.store.read
    .selectFrom("ledger_account")
    .select("balance_minor")
    .where("id", "=", "uplink.nzd");
  return 0 - ((await account.executeTakeFirst())?.balance_minor ?? 0);
}
/** Lets time go on, for a provider that answers, until nothing is asked or owed any more. */
async function settled(): Promise<void> {
  uplink.manner = works;
  const open = platform.store.read.selectFrom("uplink_call").select("id").where("settled_ms", "is", null);
  await expect
    .poll(
      async () => {
        platform.clock.advance(LONG_MS);
        return open.execute();
      },
      { timeout: 15_000, interval: 20 }, // in which a question is answered, or time runs over it and it is asked again
    )
    .toEqual([]);
}

test("money is neither made nor lost", async () => {
  const { merchant } = platform;
  await fc.assert(
    fc.asyncProperty(rounds, async (played) => {
      const payers = [
        await platform.newWallet(150),
        await platform.newWallet(250),
        await platform.newWallet(0),
      ];
      const ids = [await request(), await request({ preAuth: true })];
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
          ids[next.which] = await request(next.form);
        } else if (next.kind === "payElsewhere") {
          const form = {
            assetType: UPLINK,
            authorization: next.manner,
            idempotencyKey: `elsewhere-${next.key}`,
            ...(next.mode === "whole" ? {} : { mode: next.mode }),
          };
          const sent = platform.post(platform.wallet.apiKey, `/api/payment-requests/${id}/pay`, form);
          await ask(`${id} pay elsewhere ${next.key} ${next.manner} ${next.mode}`, sent);
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
      for (const { asked, ops } of played) {
        uplink.manner = (response, work, call) => {
          const told = call.path === "/payments" ? String(call.body["authorization"]) : asked;
          manners[told as keyof typeof manners](response, work, call); // the payer's word is one of them
        };
        await Promise.all(ops.flatMap((next) => Array.from({ length: next.times }, () => act(next))));
      }
      await settled();
      expect(uplink.kept()).toBe(await owed());
    }),
    { numRuns: 40 },
  );
});
