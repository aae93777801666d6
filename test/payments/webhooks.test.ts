/** Webhooks: what leaves, how it is signed, and that it gets there whatever the receiver or we do in between. */
import { createHash } from "node:crypto";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { setWebhookUrl, type ProvisionedMerchant } from "../../cloud/payments/provision.js";
import { notificationTypes } from "../../cloud/payments/request.js";
import { openSigningKey } from "../../cloud/payments/signing-key.js";
import { Webhooks } from "../../cloud/payments/webhooks.js";
import { newDatabase } from "../store/database.js";
import { anywhere, CURRENCY, openPlatform, random, type Platform } from "./platform.js";
import { ok, openReceiver, silence, status, type Manner, type Received, type Receiver } from "./receiver.js";

let platform: Platform;
let receiver: Receiver;
beforeEach(async () => {
  platform = await openPlatform();
  receiver = await openReceiver();
  await subscribe(platform, `${receiver.url}/hooks/payments?tenant=7`);
});
afterEach(async () => {
  await platform.close();
  await receiver.close();
});

const subscribe = (at: Platform, url: string, accountId = platform.merchant.ownerAccountId): Promise<void> =>
  at.store.write((tx) => setWebhookUrl(tx, { clock: at.clock, random }, accountId, url, notificationTypes));
const paid = async (value = "350"): Promise<string> => {
  const id = await platform.request(value);
  await platform.pay(id);
  return id;
};
const paidTo = async ({ configId, terminalKey }: ProvisionedMerchant): Promise<void> => {
  const value = { amount: "10", currency: CURRENCY };
  const { body } = await platform.post(terminalKey, "/api/payment-requests", { configId, value });
  expect((await platform.pay(String(body["id"]))).status).toBe(200);
};
const heard = async (count: number): Promise<readonly Received[]> => {
  await expect.poll(() => receiver.received.length, { timeout: 45_000, interval: 5 }).toBe(count);
  return receiver.received;
};
const deliveries = (at = platform) =>
  at.store.read.selectFrom("delivery").selectAll().orderBy("id").execute();
const settled = async (state: string): Promise<void> => {
  await expect
    .poll(async () => (await deliveries()).every((row) => row.state === state), { interval: 5 })
    .toBe(true);
};
const failedOnce = async (): Promise<void> => {
  await expect.poll(async () => (await deliveries())[0]?.last_error, { interval: 5 }).not.toBe(null);
};

test("an account whose receivers are silent holds up nobody else's, however many it is owed", async () => {
  const dead = await openReceiver();
  dead.manner = silence;
  const other = await platform.newMerchant();
  for (let n = 0; n < 20; n += 1)
    await platform.post(other.ownerKey, "/api/webhook-subscriptions", {
      accountId: other.ownerAccountId,
      url: dead.url,
      types: ["payment-request:paid"],
    });
  await Promise.all(Array.from({ length: 15 }, () => paidTo(other)));
  platform.clock.advance(1);
  await paid();
  await heard(1); // the clock stands still again: none of the silent ones has run out of time
  expect(dead.peak()).toBeLessThanOrEqual(4);
  expect(await deliveries()).toHaveLength(15 * 20 + 1);
  await dead.close();
});

describe("a notification", () => {
  test("leaves right after the commit, with the activity that was answered", async () => {
    const id = await platform.request("350");
    const { body } = await platform.pay(id);
    const [first] = await heard(1); // the clock stands still: no timer brought it
    expect(first).toMatchObject({
      contentType: "application/json",
      path: "/hooks/payments?tenant=7",
      notification: {
        id: expect.stringMatching(/^[0-9A-Za-z]{25}$/) as unknown,
        type: "payment-request:paid",
        accountId: platform.merchant.ownerAccountId,
        test: true,
        createdAt: "2026-11-23T00:00:00.000Z",
        data: body,
      },
    });
    await settled("delivered");
  });

  test("of a refund says that it was begun and that it is done", async () => {
    const id = await paid();
    const { body } = await platform.post(
      platform.merchant.terminalKey,
      `/api/payment-requests/${id}/refund`,
      {
        value: { amount: "100", currency: CURRENCY },
        externalRef: "r",
      },
    );
    const received = await heard(3);
    const byType = new Map(received.map(({ notification }) => [notification.type, notification]));
    expect([...byType.keys()].sort()).toEqual([...notificationTypes].sort());
    expect(byType.get("payment-request:refund-initiated")?.data).toEqual(body);
    expect(byType.get("payment-request:refund-completed")?.data).toEqual(body);
    expect(new Set(received.map(({ notification }) => notification.id)).size).toBe(3);
  });

  test("goes only to the account it is about, and only for the types it asked for", async () => {
    const other = await platform.newMerchant();
    await subscribe(platform, `${receiver.url}/other`, other.ownerAccountId);
    await platform.store.write((tx) =>
      setWebhookUrl(
        tx,
        { clock: platform.clock, random },
        platform.merchant.ownerAccountId,
        `${receiver.url}/mine`,
        ["payment-request:refund-completed"],
      ),
    );
    const id = await paid();
    await platform.post(platform.merchant.terminalKey, `/api/payment-requests/${id}/void`);
    const [only] = await heard(1);
    expect(only).toMatchObject({ path: "/mine", notification: { type: "payment-request:refund-completed" } });
    expect(await deliveries()).toHaveLength(1);
  });

  test("of what was refused does not exist", async () => {
    const id = await platform.request("350");
    await platform.pay(id, await platform.newWallet(1));
    expect(await deliveries()).toEqual([]);
  });
});

describe("the signature", () => {
  test("is an ES256 JWT over the exact body, by a key of the published set", async () => {
    await paid();
    const [first] = await heard(1);
    if (first === undefined) throw new Error("nothing came");
    expect(first.authorization).not.toContain("Bearer");
    const jwks = `${platform.url}/api/.well-known/jwks.json`;
    const { payload } = await jwtVerify(first.authorization, createRemoteJWKSet(new URL(jwks)), {
      algorithms: ["ES256"],
      audience: `${receiver.url}/hooks/payments`,
      currentDate: new Date(platform.clock.nowMs()),
    });
    const nowSeconds = platform.clock.nowMs() / 1000;
    expect(payload).toEqual({
      iat: nowSeconds,
      exp: nowSeconds + 300,
      aud: `${receiver.url}/hooks/payments`,
      request_body_sha256: createHash("sha256").update(first.raw).digest("hex"),
    });
  });

  test("names a key that is published with cache headers and without its private half", async () => {
    await paid();
    const [first] = await heard(1);
    const { body, headers } = await platform.get("", "/api/.well-known/jwks.json");
    expect(headers.get("cache-control")).toBe("public, max-age=300");
    expect(body).toEqual({
      keys: [
        {
          kty: "EC",
          crv: "P-256",
          alg: "ES256",
          use: "sig",
          kid: decodeProtectedHeader(first?.authorization ?? "").kid,
          x: expect.any(String) as unknown,
          y: expect.any(String) as unknown,
        },
      ],
    });
  });

  test("is by the same key after a restart", async () => {
    const before = await openSigningKey(platform.store, platform.clock.nowMs());
    const after = await openSigningKey(platform.store, platform.clock.nowMs() + 1);
    expect(after.kid).toBe(before.kid);
  });
});

describe("a receiver that does not hear", () => {
  test.each<[name: string, manner: Manner]>([
    ["says 500", status(500)],
    ["says 404", status(404)],
    ["sends us elsewhere", status(302, { location: "/elsewhere" })],
    ["hangs up", (response) => void response.socket?.destroy()],
  ])("and %s is tried again, later, with the very same words", async (_name, manner) => {
    receiver.manner = manner;
    await paid();
    await heard(1);
    await failedOnce();
    receiver.manner = ok;
    platform.clock.advance(1_000);
    const [first, second] = await heard(2);
    expect(second?.raw).toEqual(first?.raw);
    expect(second?.path).toBe(first?.path);
    await settled("delivered");
    platform.clock.advance(60 * 60 * 1000);
    expect(receiver.received).toHaveLength(2);
  });

  test("and never answers is given up on after five seconds, and tried again", async () => {
    receiver.manner = silence;
    await paid();
    await heard(1);
    platform.clock.advance(5_000);
    await failedOnce();
    expect(await deliveries()).toMatchObject([{ last_error: "no answer in 5000 ms", attempts: 1 }]);
    receiver.manner = ok;
    platform.clock.advance(1_000);
    await heard(2);
    await settled("delivered");
  });

  test("for two weeks is not tried any more", async () => {
    receiver.manner = status(500);
    await paid();
    await failedOnce();
    platform.clock.advance(14 * 24 * 60 * 60 * 1000);
    await heard(2);
    await settled("abandoned");
    platform.clock.advance(24 * 60 * 60 * 1000);
    expect(receiver.received).toHaveLength(2);
  });
});

describe("the outbox", () => {
  test("survives a restart: what was not heard is sent to where the receiver is now", async () => {
    await receiver.close();
    await paid();
    await failedOnce();
    const [row] = await deliveries();
    const elsewhere = await openReceiver();
    const kept = await platform.database.copy();
    const again = await openPlatform({ kept });
    await subscribe(again, elsewhere.url);
    again.clock.advance(60_000);
    await expect
      .poll(() => elsewhere.received.map(({ notification }) => notification.id))
      .toEqual([row?.notification_id]);
    await again.close();
    await elsewhere.close();
    await kept.drop();
    receiver = await openReceiver();
  });

  test("survives dying in the middle of a delivery: the lease runs out and it is sent again with its id", async () => {
    receiver.manner = silence;
    await paid();
    const [first] = await heard(1); // claimed, sent, and never answered: now the power goes
    const kept = await platform.database.copy();
    const again = await openPlatform({ kept });
    receiver.manner = ok;
    expect(await deliveries(again)).toMatchObject([{ state: "due", attempts: 1 }]);
    again.clock.advance(10_000);
    const [, second] = await heard(2);
    expect(second?.raw).toEqual(first?.raw);
    await again.close();
    await kept.drop();
  });

  test("stopped in the middle of a delivery sends it again at once at the next start", async () => {
    const kept = await newDatabase();
    const stopped = await openPlatform({ kept });
    await subscribe(stopped, receiver.url, stopped.merchant.ownerAccountId);
    receiver.manner = silence;
    await stopped.pay(await stopped.request());
    const [first] = await heard(1);
    await stopped.close();
    receiver.manner = ok;
    const again = await openPlatform({ kept });
    const [, second] = await heard(2);
    expect(second?.raw).toEqual(first?.raw);
    await again.close();
    await kept.drop();
  });

  test("is shared by three deliverers without any sending what another has", async () => {
    const { store, clock } = platform;
    const key = await openSigningKey(store, clock.nowMs());
    const parts = { store, clock, random, targets: anywhere, log: pino({ level: "silent" }) };
    const more = [new Webhooks(parts), new Webhooks(parts)]; // beside the platform's own
    for (const deliverer of more) deliverer.start(key);
    await Promise.all(Array.from({ length: 60 }, () => paid("1")));
    for (const deliverer of more) deliverer.kick();
    const received = await heard(60);
    await settled("delivered");
    expect(new Set(received.map(({ notification }) => notification.id)).size).toBe(60);
    expect(received).toHaveLength(60);
    await Promise.all(more.map((deliverer) => deliverer.close()));
  });

  test("sends no more than 4 of an account at a time, and 32 of all, and all of them in the end", async () => {
    const waiting: (() => void)[] = [];
    receiver.manner = (response) => void waiting.push(() => ok(response));
    const merchants = await Promise.all(Array.from({ length: 9 }, () => platform.newMerchant()));
    for (const { ownerAccountId } of merchants) await subscribe(platform, receiver.url, ownerAccountId);
    await Promise.all(merchants.flatMap((merchant) => [1, 2, 3, 4, 5].map(() => paidTo(merchant))));
    await heard(32);
    const first = receiver.received.map(({ notification }) => notification.accountId);
    for (const account of new Set(first))
      expect(first.filter((one) => one === account).length).toBeLessThanOrEqual(4);
    receiver.manner = ok;
    for (const answer of waiting.splice(0)) answer();
    await heard(45);
    await settled("delivered");
    expect(receiver.peak()).toBe(32);
  });
});
