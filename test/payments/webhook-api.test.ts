/** Webhooks as part of the API: subscriptions, the delivery log, sending once more, and notifications from any point on. */
import { createHash } from "node:crypto";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { firstIdAt } from "../../broker/protocol/id.js";
import { noticeWrites } from "../../cloud/payments/outbox.js";
import { writeAll } from "../../cloud/store/statement.js";
import { notificationTypes } from "../../cloud/payments/request.js";
import { setWebhookUrl, type ProvisionedMerchant } from "../../cloud/payments/provision.js";
import { CURRENCY, openPlatform, random, type Answer, type Body, type Platform } from "./platform.js";
import { ok, openReceiver, silence, status, type Received, type Receiver } from "./receiver.js";

let platform: Platform;
let receiver: Receiver;
beforeEach(async () => {
  platform = await openPlatform();
  receiver = await openReceiver();
});
afterEach(async () => {
  await platform.close();
  await receiver.close();
});

const AT = "/api/webhook-subscriptions";
const PAID = "payment-request:paid";
const forbidden = { status: 403, body: { statusCode: 403, error: "Forbidden", message: "Forbidden" } };
const create = (more: object = {}, { ownerKey, ownerAccountId } = platform.merchant): Promise<Answer> =>
  platform.post(ownerKey, AT, { accountId: ownerAccountId, url: receiver.url, types: [PAID], ...more });
const created = async (more: object = {}, merchant = platform.merchant): Promise<string> => {
  const { status: code, body } = await create(more, merchant);
  if (code !== 200) throw new Error(`no subscription: ${JSON.stringify(body)}`);
  return String(body["id"]);
};
const paid = async (value = "350"): Promise<string> => {
  const id = await platform.request(value);
  await platform.pay(id);
  return id;
};
const heard = async (count: number): Promise<readonly Received[]> => {
  await expect.poll(() => receiver.received.length, { timeout: 45_000, interval: 5 }).toBe(count);
  return receiver.received;
};
/** The delivery log once it is as expected. */
const log = async (id: string, expected: object): Promise<Body> => {
  const ask = async () => (await platform.get(platform.merchant.ownerKey, `${AT}/${id}/deliveries`)).body;
  await expect.poll(ask, { timeout: 45_000, interval: 5 }).toMatchObject(expected);
  return ask();
};
const items = (body: Body): readonly Body[] => body["items"] as readonly Body[]; // a list's answer
const redeliver = (id: unknown, key = platform.merchant.ownerKey): Promise<Answer> =>
  platform.post(key, `/api/webhook-deliveries/${String(id)}/redeliver`);

describe("a subscription", () => {
  test("is made, listed, read, changed and ended, and each change has a version", async () => {
    const { ownerKey, ownerAccountId } = platform.merchant;
    const url = `${receiver.url}/hook?tenant=7`;
    const by = `crn:${ownerAccountId}:api-key:owner`;
    const made = await create({ url, description: "the till", colour: "red" });
    expect(made.headers.get("x-experimental")).not.toBeNull();
    expect(made.body).toEqual({
      id: expect.stringMatching(/^[0-9A-Za-z]{25}$/) as unknown,
      accountId: ownerAccountId,
      url,
      types: [PAID],
      description: "the till",
      enabled: true,
      createdAt: "2026-11-23T00:00:00.000Z",
      createdBy: by,
      modifiedAt: "2026-11-23T00:00:00.000Z",
      modifiedBy: by,
      version: "1",
    });
    platform.clock.advance(1_000);
    const id = String(made.body["id"]);
    const second = await create({ types: notificationTypes });
    const list = () => platform.get(ownerKey, `/api/accounts/${ownerAccountId}/webhook-subscriptions`);
    expect((await list()).body).toEqual([made.body, second.body]);
    expect((await platform.get(ownerKey, `${AT}/${id}`)).body).toEqual(made.body);
    const change = { url: `${receiver.url}/new`, types: [...notificationTypes], enabled: false };
    const changed = await platform.put(ownerKey, `${AT}/${id}`, change);
    expect(changed.body).toEqual({
      ...made.body,
      ...change,
      modifiedAt: "2026-11-23T00:00:01.000Z",
      version: "2",
    });
    const { description, ...plain } = changed.body;
    expect(description).toBe("the till");
    expect((await platform.put(ownerKey, `${AT}/${id}`, { description: "", enabled: true })).body).toEqual({
      ...plain,
      enabled: true,
      version: "3",
    });
    const gone = await platform.del(ownerKey, `${AT}/${id}`);
    expect(gone.body).toMatchObject({ id, enabled: false, version: "4" });
    expect((await list()).body).toEqual([second.body]);
    for (const answer of [
      await platform.get(ownerKey, `${AT}/${id}`),
      await platform.get(ownerKey, `${AT}/${id}/deliveries`),
      await platform.put(ownerKey, `${AT}/${id}`, { enabled: true }),
      await platform.del(ownerKey, `${AT}/${id}`),
    ])
      expect(answer).toMatchObject(forbidden);
  });

  test("made wrongly is 400, naming the field", async () => {
    // prettier-ignore
    const wrong: readonly [what: string, form: object, says: RegExp][] = [
      ["no account",                 { accountId: undefined },                            /^accountId/],
      ["no address",                 { url: undefined },                                  /^url/],
      ["an address of another kind", { url: "ftp://shop.example" },                       /^url: must be an http/],
      ["an address with a password", { url: "https://u:p@shop.example" },                 /^url: must be an http/],
      ["a long address",             { url: `https://shop.example/${"a".repeat(2028)}` }, /^url: must be at most 2048/],
      ["an address that is no text", { url: 7 },                                          /^url/],
      ["no types",                   { types: undefined },                                /^types/],
      ["none of the types",          { types: [] },                                       /^types: must name at least one/],
      ["a type there is not",        { types: [PAID, "payment-request:made"] },           /^types\.1: must be of payment-request:paid/],
      ["a type twice",               { types: [PAID, PAID] },                             /^types: must not name one twice/],
      ["types as text",              { types: PAID },                                     /^types/],
      ["a long description",         { description: "x".repeat(256) },                    /^description/],
      ["an empty description",       { description: "" },                                 /^description/],
    ];
    for (const [what, form, says] of wrong) {
      const { status: code, body } = await create(form);
      expect({ code, message: body["message"] }, what).toEqual({
        code: 400,
        message: expect.stringMatching(says) as unknown,
      });
    }
  });

  test("changed wrongly is 400, and stays as it was", async () => {
    // prettier-ignore
    const wrong: readonly [what: string, change: object, says: RegExp][] = [
      ["nothing",                {},                           /must have url, types, enabled or description/],
      ["only what is not known", { colour: "red" },            /must have url, types, enabled or description/],
      ["a switch that is text",  { enabled: "no" },            /^enabled/],
      ["a bad address",          { url: "file:///etc/hosts" }, /^url/],
      ["no types",               { types: [] },                /^types/],
    ];
    const { ownerKey } = platform.merchant;
    const { body: made } = await create();
    const at = `${AT}/${String(made["id"])}`;
    for (const [what, change, says] of wrong) {
      const { status: code, body } = await platform.put(ownerKey, at, change);
      expect({ code, message: body["message"] }, what).toEqual({
        code: 400,
        message: expect.stringMatching(says) as unknown,
      });
    }
    expect((await platform.get(ownerKey, at)).body).toEqual(made);
  });

  test("is one of twenty at most, and one that is ended makes room", async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => created()));
    expect(await create()).toMatchObject({ status: 403, body: { message: "QUOTA_EXCEEDED" } });
    await platform.del(platform.merchant.ownerKey, `${AT}/${ids[0] ?? ""}`);
    expect((await create()).status).toBe(200);
  });

  test("gets what it asked for, at its newest address", async () => {
    const { ownerKey } = platform.merchant;
    const id = await created({ url: `${receiver.url}/old` });
    await created({ url: `${receiver.url}/refunds`, types: ["payment-request:refund-completed"] });
    await platform.put(ownerKey, `${AT}/${id}`, { url: `${receiver.url}/new` });
    await paid();
    expect(await heard(1)).toMatchObject([{ path: "/new", notification: { type: PAID } }]);
  });

  test("stays where it is when the account's provisioned webhook is pointed elsewhere", async () => {
    const { store, clock, merchant } = platform;
    const { body } = await create();
    const point = (url: string) =>
      store.write((tx) => setWebhookUrl(tx, { clock, random }, merchant.ownerAccountId, url, [PAID]));
    await point("https://a.example/");
    await point("https://b.example/");
    const list = `/api/accounts/${merchant.ownerAccountId}/webhook-subscriptions`;
    expect((await platform.get(merchant.ownerKey, list)).body).toEqual(
      expect.arrayContaining([
        body,
        expect.objectContaining({
          url: "https://b.example/",
          createdBy: "crn::service:provision",
          version: "2",
        }),
      ]),
    );
  });

  test("that is disabled or ended gets nothing more, and what waited for it is abandoned", async () => {
    const { ownerKey } = platform.merchant;
    const [off, gone] = [await created(), await created()];
    receiver.manner = status(500);
    await paid();
    await log(off, { items: [{ status: "due", attemptCount: 1, lastError: "status 500" }] });
    await log(gone, { items: [{ status: "due", attemptCount: 1, lastError: "status 500" }] });
    await platform.put(ownerKey, `${AT}/${off}`, { enabled: false });
    await platform.del(ownerKey, `${AT}/${gone}`);
    receiver.manner = ok;
    await paid();
    platform.clock.advance(24 * 60 * 60 * 1000);
    const body = await log(off, {
      items: [{ status: "abandoned", lastError: "the subscription was disabled" }],
    });
    expect(items(body)).toHaveLength(1);
    expect(receiver.received).toHaveLength(2);
    await platform.put(ownerKey, `${AT}/${off}`, { enabled: true });
    await paid();
    await heard(3);
  });

  test("that is disabled in the middle of a delivery still has what was heard", async () => {
    const waiting: (() => void)[] = [];
    receiver.manner = (response) => void waiting.push(() => ok(response));
    const id = await created();
    await paid();
    await heard(1);
    await platform.put(platform.merchant.ownerKey, `${AT}/${id}`, { enabled: false });
    await log(id, { items: [{ status: "abandoned" }] });
    for (const answer of waiting) answer();
    await log(id, { items: [{ status: "delivered", attempts: [{ number: 1, status: 204 }] }] });
  });
});

describe("the delivery log", () => {
  test("tells each attempt, why it failed, when it will be made again and when it was heard", async () => {
    const id = await created();
    receiver.manner = status(503);
    await paid();
    const failed = await log(id, { items: [{ status: "due", attempts: [{ number: 1 }] }] });
    const [first] = items(failed);
    expect(Date.parse(String(first?.["nextAttemptAt"]))).toBeGreaterThan(platform.clock.nowMs());
    receiver.manner = silence;
    platform.clock.advance(1_000);
    await heard(2);
    platform.clock.advance(5_000);
    await log(id, { items: [{ lastError: "no answer in 5000 ms", attempts: { length: 2 } }] });
    receiver.manner = ok;
    platform.clock.advance(2_000);
    const body = await log(id, { items: [{ status: "delivered" }] });
    expect(items(body)).toEqual([
      {
        id: expect.any(String) as unknown,
        subscriptionId: id,
        notificationId: receiver.received[0]?.notification.id,
        type: PAID,
        status: "delivered",
        createdAt: "2026-11-23T00:00:00.000Z",
        settledAt: "2026-11-23T00:00:08.000Z",
        attemptCount: 3,
        attempts: [
          { number: 1, at: "2026-11-23T00:00:00.000Z", durationMs: 0, status: 503 },
          { number: 2, at: "2026-11-23T00:00:01.000Z", durationMs: 5_000, error: "no answer in 5000 ms" },
          { number: 3, at: "2026-11-23T00:00:08.000Z", durationMs: 0, status: 204 },
        ],
      },
    ]);
    expect(new Set(receiver.received.map(({ raw }) => raw.toString())).size).toBe(1);
  });

  test("is newest first, a page at a time, and shows the latest twenty attempts", async () => {
    const { ownerKey } = platform.merchant;
    const id = await created();
    receiver.manner = status(500);
    await paid("1");
    const [waiting] = items(await log(id, { items: [{ attempts: { length: 1 } }] }));
    for (let n = 2; n <= 25; n += 1) {
      platform.clock.advance(60 * 60 * 1000);
      await log(id, { items: [{ attemptCount: n, attempts: { length: Math.min(n, 20) } }] });
    }
    const [row] = items(await log(id, {}));
    const numbers = (row?.["attempts"] as readonly Body[]).map(({ number }) => number); // of a delivery
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, n) => n + 6));
    receiver.manner = ok;
    platform.clock.advance(60_000);
    await paid("2");
    platform.clock.advance(1);
    await paid("3");
    await heard(27);
    const first = await platform.get(ownerKey, `${AT}/${id}/deliveries?paginationLimit=2`);
    const next = String(first.body["nextPageKey"]);
    const rest = await platform.get(ownerKey, `${AT}/${id}/deliveries?pageKey=${next}`);
    expect(rest.body).not.toHaveProperty("nextPageKey");
    const ids = [...items(first.body), ...items(rest.body)].map((delivery) => String(delivery["id"]));
    expect(ids).toHaveLength(3);
    expect(ids).toEqual([...ids].sort().reverse());
    expect(ids[2]).toBe(waiting?.["id"]);
    expect((await platform.get(ownerKey, `${AT}/${id}/deliveries?paginationLimit=0`)).status).toBe(400);
  });

  test("is kept as it was written", async () => {
    const id = await created();
    receiver.manner = status(503);
    await paid();
    await log(id, { items: [{ status: "due", attemptCount: 1, attempts: [{ status: 503 }] }] });
    const { store } = platform;
    await expect(
      store.write((tx) => tx.updateTable("delivery_attempt").set({ status: 500 }).execute()),
    ).rejects.toThrow(/append-only/);
    await expect(store.write((tx) => tx.deleteFrom("delivery_attempt").execute())).rejects.toThrow(
      /append-only/,
    );
    await expect(
      store.write((tx) => tx.updateTable("notification").set({ body: "{}" }).execute()),
    ).rejects.toThrow(/append-only/);
    await expect(store.write((tx) => tx.deleteFrom("notification").execute())).rejects.toThrow(
      /foreign key/i,
    );
  });
});

describe("sending once more", () => {
  test("sends the same words after they were heard, as a further attempt", async () => {
    const id = await created();
    await paid();
    const [delivery] = items(await log(id, { items: [{ status: "delivered" }] }));
    platform.clock.advance(60_000);
    const again = await redeliver(delivery?.["id"]);
    expect(again).toMatchObject({
      status: 200,
      body: { id: delivery?.["id"], status: "due", attemptCount: 1, attempts: [{ number: 1 }] },
    });
    const [first, second] = await heard(2);
    expect(second?.raw).toEqual(first?.raw);
    expect(second?.authorization).not.toBe(first?.authorization);
    await log(id, {
      items: [
        { status: "delivered", attemptCount: 2, attempts: [{ status: 204 }, { number: 2, status: 204 }] },
      ],
    });
  });

  test("gives what was abandoned two weeks again, with short waits at first", async () => {
    const id = await created();
    receiver.manner = status(500);
    await paid();
    await log(id, { items: [{ attempts: { length: 1 } }] });
    platform.clock.advance(14 * 24 * 60 * 60 * 1000);
    const [delivery] = items(await log(id, { items: [{ status: "abandoned", attemptCount: 2 }] }));
    await redeliver(delivery?.["id"]);
    await log(id, { items: [{ status: "due", attempts: { length: 3 } }] });
    receiver.manner = ok;
    platform.clock.advance(1_000); // as after a first attempt
    await log(id, { items: [{ status: "delivered", attemptCount: 4 }] });
    const sent = new Set(receiver.received.map(({ notification }) => notification.id));
    expect([...sent]).toEqual([delivery?.["notificationId"]]);
  });

  test("is not forgotten when it has to wait for the attempt that is under way, and that is heard", async () => {
    const waiting: (() => void)[] = [];
    receiver.manner = (response) => void waiting.push(() => ok(response));
    const id = await created();
    await Promise.all(Array.from({ length: 4 }, () => paid("1"))); // as many as are sent at a time
    await heard(4);
    const [delivery] = items(await log(id, { items: { length: 4 } }));
    await redeliver(delivery?.["id"]);
    receiver.manner = ok;
    for (const answer of waiting) answer();
    const sent = (await heard(5)).map(({ notification }) => notification.id);
    expect(sent.filter((one) => one === delivery?.["notificationId"])).toHaveLength(2);
    const twice = { id: delivery?.["id"], status: "delivered", attemptCount: 2, attempts: { length: 2 } };
    await expect
      .poll(async () =>
        items((await platform.get(platform.merchant.ownerKey, `${AT}/${id}/deliveries`)).body).find(
          (one) => one["id"] === twice.id,
        ),
      )
      .toMatchObject(twice);
  });

  test("is refused while the subscription is disabled", async () => {
    const id = await created();
    await paid();
    const [delivery] = items(await log(id, { items: [{ status: "delivered" }] }));
    await platform.put(platform.merchant.ownerKey, `${AT}/${id}`, { enabled: false });
    expect(await redeliver(delivery?.["id"])).toMatchObject({
      status: 403,
      body: { message: "SUBSCRIPTION_DISABLED" },
    });
    expect(await redeliver("missing")).toMatchObject(forbidden);
    await platform.del(platform.merchant.ownerKey, `${AT}/${id}`);
    expect(await redeliver(delivery?.["id"])).toMatchObject(forbidden);
  });
});

describe("notifications", () => {
  const list = (query = "", key = platform.merchant.ownerKey): Promise<Answer> =>
    platform.get(key, `/api/notifications?${query}`);
  const refunded = async (): Promise<void> => {
    const id = await paid();
    await platform.post(platform.merchant.terminalKey, `/api/payment-requests/${id}/refund`, {
      value: { amount: "100", currency: CURRENCY },
      externalRef: "r",
    });
  };

  test("are all there, oldest first, without any subscription, as a delivery would have them", async () => {
    await paid();
    platform.clock.advance(1);
    await created();
    await paid();
    const [sent] = await heard(1);
    const { body } = await list(`accountId=${platform.merchant.ownerAccountId}`);
    expect(items(body)).toHaveLength(2);
    expect(items(body)[1]).toEqual(sent?.notification);
    expect((await list()).body).toEqual(body);
  });

  test("are of the types asked for", async () => {
    await refunded();
    expect(items((await list()).body)).toHaveLength(3);
    for (const type of notificationTypes)
      expect(items((await list(`type=${type}`)).body).map((one) => one["type"])).toEqual([type]);
  });

  test("go on from where the last answer ended, from now, or from the beginning", async () => {
    await paid("1");
    platform.clock.advance(10_000);
    const now = await list("after=now");
    expect(now.body).toEqual({ items: [], after: firstIdAt(platform.clock.nowMs()) });
    await paid("2");
    const later = await list(`after=${String(now.body["after"])}`);
    expect(items(later.body)).toMatchObject([{ data: { value: { amount: "2" } } }]);
    platform.clock.advance(10_000);
    await paid("3");
    platform.clock.advance(10_000);
    const seen: unknown[] = [];
    let after = "";
    for (let asked = 0; asked < 4; asked += 1) {
      const { body } = await list(`paginationLimit=1${after === "" ? "" : `&after=${after}`}`);
      seen.push(
        ...items(body).map(
          ({ data }) => (data as { readonly value: { readonly amount: string } }).value.amount,
        ),
      );
      after = String(body["after"]);
    }
    expect(seen).toEqual(["1", "2", "3"]);
  });

  test("are not missed when one is committed behind a younger one", async () => {
    const { store, clock, merchant } = platform;
    const activity = { payment_request_id: await platform.request(), number: 1 };
    const notice = { accountId: merchant.ownerAccountId, test: true, types: [PAID] as const, activity };
    const madeMs = clock.nowMs();
    clock.advance(1_000);
    await store.write((tx) => writeAll(tx, noticeWrites(random, clock.nowMs(), notice, [])));
    const idsAfter = async (cursor: string) => {
      const answer = await fetch(`${platform.url}/api/notifications?after=${cursor}`, {
        headers: { "x-api-key": merchant.ownerKey },
      });
      const body = (await answer.json()) as { items: { id: string }[]; after: string };
      return { ids: body.items.map(({ id }) => id), after: body.after };
    };
    const first = await idsAfter(firstIdAt(madeMs));
    expect(first.ids).toHaveLength(1);
    await store.write((tx) => writeAll(tx, noticeWrites(random, madeMs, notice, []))); // waited long for its turn
    const second = await idsAfter(first.after);
    expect(second.ids).toHaveLength(2);
    expect(second.ids[1]).toBe(first.ids[0]); // come again: its id tells
    clock.advance(10_000);
    const third = await idsAfter(second.after);
    expect(await idsAfter(third.after)).toEqual({ ids: [], after: third.after });
  });

  test("carry for an audience the very text and signature of a delivery to it", async () => {
    await created({ url: `${receiver.url}/hook?tenant=7` });
    await paid();
    const [sent] = await heard(1);
    const audience = encodeURIComponent("http://127.0.0.1:4242/hook?secret=1");
    const { body } = await list(`audience=${audience}`);
    const [item] = items(body);
    const text = String(item?.["body"]);
    expect(text).toBe(sent?.raw.toString());
    const keys = createRemoteJWKSet(new URL(`${platform.url}/api/.well-known/jwks.json`));
    const { payload } = await jwtVerify(String(item?.["authorization"]), keys, {
      algorithms: ["ES256"],
      audience: "http://127.0.0.1:4242/hook",
      currentDate: new Date(platform.clock.nowMs()),
    });
    const seconds = platform.clock.nowMs() / 1000;
    expect(payload).toEqual({
      iat: seconds,
      exp: seconds + 300,
      aud: "http://127.0.0.1:4242/hook",
      request_body_sha256: createHash("sha256").update(text).digest("hex"),
    });
    expect(items((await list()).body)[0]).not.toHaveProperty("authorization");
  });

  test("asked for wrongly are 400, naming the field", async () => {
    // prettier-ignore
    const wrong: readonly [query: string, field: string][] = [
      ["after=", "after"], ["after=a b", "after"], ["after=x&after=y", "after"], [`after=${"a".repeat(65)}`, "after"], ["type=payment", "type"],
      ["audience=ftp://x", "audience"], ["audience=http://u@x", "audience"], ["paginationLimit=101", "paginationLimit"], ["accountId=", "accountId"],
    ];
    for (const [query, field] of wrong) {
      const { status: code, body } = await list(query);
      expect({ code, message: body["message"] }, query).toEqual({
        code: 400,
        message: expect.stringContaining(`${field}: `) as unknown,
      });
    }
  });
});

describe("a role", () => {
  // prettier-ignore
  const acts: readonly [what: string, act: (key: string, at: { readonly account: string; readonly id: string; readonly delivery: string }) => Promise<Answer>][] = [
    ["make a subscription",  (key, { account }) => platform.post(key, AT, { accountId: account, url: receiver.url, types: [PAID] })],
    ["list subscriptions",   (key, { account }) => platform.get(key, `/api/accounts/${account}/webhook-subscriptions`)],
    ["read a subscription",  (key, { id }) => platform.get(key, `${AT}/${id}`)],
    ["change one",           (key, { id }) => platform.put(key, `${AT}/${id}`, { enabled: true })],
    ["read its deliveries",  (key, { id }) => platform.get(key, `${AT}/${id}/deliveries`)],
    ["send one once more",   (key, { delivery }) => redeliver(delivery, key)],
    ["read notifications",   (key, { account }) => platform.get(key, `/api/notifications?accountId=${account}`)],
    ["end a subscription",   (key, { id }) => platform.del(key, `${AT}/${id}`)],
  ];
  test("other than the account's owner may do none of it, and a stranger cannot tell whether it is there", async () => {
    const { merchant } = platform;
    const other: ProvisionedMerchant = await platform.newMerchant();
    const id = await created();
    await paid();
    const [delivery] = items(await log(id, { items: [{ status: "delivered" }] }));
    const at = { account: merchant.ownerAccountId, id, delivery: String(delivery?.["id"]) };
    const missing = { account: "missing", id: "missing", delivery: "missing" };
    for (const [what, act] of acts) {
      for (const key of [merchant.terminalKey, other.ownerKey, other.terminalKey])
        expect(await act(key, at), what).toMatchObject(forbidden);
      expect((await act("", at)).status, what).toBe(401);
      expect(await act(merchant.ownerKey, missing), what).toMatchObject(forbidden);
      expect((await act(merchant.ownerKey, at)).status, what).toBe(200);
    }
  });
});
