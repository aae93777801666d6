/** What must be true of a webhook before a field of it is believed; and that the same notification counts once. */
import { createHash, randomUUID } from "node:crypto";
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyWebhook, type Verified } from "../../cloud/vending/webhook.js";
import { Cloud, Machine } from "./cloud.js";

const AUDIENCE = "https://shop.example/api/vending/webhooks/payments";
const NOW_MS = Date.parse("2026-11-23T12:00:00.000Z");
const NOW_S = NOW_MS / 1000;
const activity = {
  type: "payment",
  paymentRequestId: "pr-1",
  value: { amount: "400", currency: "NZD" },
  paidBy: { assetTotals: [{ payerAccountId: "ada" }] },
};
const bodyOf = (data: unknown, type = "payment-request:paid"): Buffer =>
  Buffer.from(JSON.stringify({ id: "n-1", type, data, accountId: "a", test: true }));
const body = bodyOf(activity);
const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

let key: CryptoKey;
let foreign: CryptoKey;
let keys: ReturnType<typeof createLocalJWKSet>;
beforeAll(async () => {
  const pair = await generateKeyPair("ES256", { extractable: true });
  key = pair.privateKey;
  foreign = (await generateKeyPair("ES256")).privateKey;
  keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "ES256" }] });
});

type Claims = Readonly<Record<string, unknown>>;
const good = (bytes = body): Claims => ({
  iat: NOW_S,
  exp: NOW_S + 300,
  aud: AUDIENCE,
  request_body_sha256: hashOf(bytes),
});
const signed = (claims: Claims, by = key, kid = "k1"): Promise<string> =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: "ES256", kid }).sign(by);
const verify = (authorization: string | undefined, bytes: Uint8Array = body): Promise<Verified> =>
  verifyWebhook(authorization, bytes, { audience: AUDIENCE, nowMs: NOW_MS, keys });

test("one that is as it should be is believed, with what it says", async () => {
  expect(await verify(await signed(good()))).toMatchObject({
    ok: true,
    delivery: {
      id: "n-1",
      type: "payment-request:paid",
      paid: { paymentRequestId: "pr-1", value: activity.value },
    },
  });
});

test("times may be text, as the public platform writes them, and data may be JSON text", async () => {
  const bytes = bodyOf(JSON.stringify(activity));
  const claims = { ...good(bytes), iat: String(NOW_S), exp: String(NOW_S + 300) };
  expect(await verify(await signed(claims), bytes)).toMatchObject({
    ok: true,
    delivery: { paid: { paymentRequestId: "pr-1" } },
  });
});

test("another type of notification is believed and pays nothing", async () => {
  const bytes = bodyOf(activity, "payment-request:refund-completed");
  expect(await verify(await signed(good(bytes)), bytes)).toMatchObject({
    ok: true,
    delivery: { paid: undefined },
  });
});

describe("is refused:", () => {
  // prettier-ignore
  const wrong: readonly [what: string, make: () => Promise<readonly [string | undefined, Uint8Array]>][] = [
    ["no signature at all",            () => Promise.resolve([undefined, body])],
    ["no JWT",                         () => Promise.resolve(["Bearer x", body])],
    ["another's key under our kid",    async () => [await signed(good(), foreign), body]],
    ["an unknown kid",                 async () => [await signed(good(), key, "k2"), body]],
    ["no algorithm",                   () => Promise.resolve([new UnsecuredJWT(good()).encode(), body])],
    ["a shared secret for a key",      async () => [await new SignJWT(good()).setProtectedHeader({ alg: "HS256", kid: "k1" }).sign(Buffer.alloc(32)), body]],
    ["another audience",               async () => [await signed({ ...good(), aud: `${AUDIENCE}/other` }), body]],
    ["no audience",                    async () => [await signed({ ...good(), aud: undefined }), body]],
    ["run out to the second",          async () => [await signed({ ...good(), exp: NOW_S }), body]],
    ["no expiry",                      async () => [await signed({ ...good(), exp: undefined }), body]],
    ["no hash",                        async () => [await signed({ ...good(), request_body_sha256: undefined }), body]],
    ["one byte changed",               async () => [await signed(good()), Buffer.from(body.toString().replace("400", "401"))]],
    ["white space added",              async () => [await signed(good()), Buffer.concat([body, Buffer.from(" ")])]],
    ["no notification",                async () => [await signed(good(Buffer.from("{}"))), Buffer.from("{}")]],
    ["no JSON",                        async () => [await signed(good(Buffer.from("{"))), Buffer.from("{")]],
    ["a payment without its request",  async () => { const bytes = bodyOf({ ...activity, paymentRequestId: undefined }); return [await signed(good(bytes)), bytes]; }],
    ["a payment of a number",          async () => { const bytes = bodyOf({ ...activity, value: { amount: 400, currency: "NZD" } }); return [await signed(good(bytes)), bytes]; }],
  ];
  for (const [what, make] of wrong)
    test(what, async () => {
      const [authorization, bytes] = await make();
      expect(await verify(authorization, bytes)).toMatchObject({ ok: false });
    });
});

describe("over HTTP", () => {
  let cloud: Cloud;
  let machine: Machine;
  beforeAll(async () => {
    cloud = await Cloud.start({ webhooks: false }); // the platform sends none: those here are the test's own
    machine = await Machine.connect(cloud);
    await machine.online();
  });
  afterAll(async () => {
    await machine[Symbol.asyncDispose]();
    await cloud[Symbol.asyncDispose]();
  });

  test("a forged one pays nothing", async () => {
    const { id, paymentRequestId } = await machine.sale("forged");
    const bytes = bodyOf({ ...activity, paymentRequestId });
    const response = await fetch(`${cloud.url}/api/vending/webhooks/payments`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: await signed(good(bytes), foreign) },
      body: bytes,
    });
    expect(response.status).toBe(401);
    expect(await cloud.sale(id)).toMatchObject({ state: "awaitingPayment" });
    await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  });

  test("the platform's own, said twice and once more under another id, is one payment", async () => {
    const { id, paymentRequestId } = await machine.sale("twice");
    await cloud.pay(paymentRequestId);
    const deliver = async (notificationId: string): Promise<number> => {
      const bytes = Buffer.from(
        JSON.stringify({
          id: notificationId,
          type: "payment-request:paid",
          data: { ...activity, paymentRequestId },
        }),
      );
      const response = await fetch(`${cloud.url}/api/vending/webhooks/payments`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: await cloud.signWebhook(bytes) },
        body: bytes,
      });
      return response.status;
    };
    const first = randomUUID();
    expect(await Promise.all([deliver(first), deliver(first), deliver(randomUUID())])).toEqual([
      200, 200, 200,
    ]);
    const { grantId } = await machine.grant(id);
    await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
    await cloud.reaches(id, "settled");
    const timeline = (await cloud.sale(id))["timeline"] as readonly { readonly text: string }[];
    expect(timeline.filter(({ text }) => text.startsWith("Payment of"))).toHaveLength(1);
    const seen = await cloud.store.read.selectFrom("webhook_seen").selectAll().execute();
    expect(seen).toHaveLength(2);
  });
});
