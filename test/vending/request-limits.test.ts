/** How often an address may ask the vending backend without a key, and how many sales may be watched at once. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Cloud, Machine, MACHINE, type Relay } from "./cloud.js";

const CODE = MACHINE.toUpperCase();
const tooMany = { statusCode: 429, error: "Too Many Requests", message: "RATE_LIMIT_EXCEEDED" };
let ended: AbortController;
beforeEach(() => (ended = new AbortController()));
afterEach(() => ended.abort());

/** Begins to watch a sale: its stream's status, and the stream. */
const watch = (cloud: Cloud, id: string): Promise<Response> =>
  fetch(`${cloud.url}/api/vending/sales/${id}/events`, {
    headers: { accept: "text/event-stream" },
    signal: ended.signal,
  });
const statuses = async (streams: readonly Promise<Response>[]): Promise<readonly number[]> =>
  (await Promise.all(streams)).map(({ status }) => status).sort();

const places: readonly [name: string, method: "GET" | "POST" | "PUT", path: string, body?: object][] = [
  ["a machine", "GET", `/api/vending/machines/${CODE}`],
  ["a new sale", "POST", `/api/vending/machines/${CODE}/sales`, { credit: "400", idempotencyKey: "k" }],
  ["a sale", "GET", "/api/vending/sales/none"],
  ["a sale's stream", "GET", "/api/vending/sales/none/events"],
  ["a sale's cancel", "POST", "/api/vending/sales/none/cancel", {}],
  ["a machine's configuration", "GET", `/api/vending/machines/${CODE}/config`],
  ["setting it", "PUT", `/api/vending/machines/${CODE}/config`, {}],
  ["an owner's machines", "GET", "/api/vending/machines"],
  ["the document", "GET", "/api/vending/openapi.json"],
  ["its page", "GET", "/docs/vending"],
  ["its page's scripts", "GET", "/docs/vending/static/swagger-ui.css"],
  ["the payment platform's document", "GET", "/api/openapi.json"],
];

test("what needs no key is counted by address, all of it together, and past the number nothing of it is answered", async () => {
  await using cloud = await Cloud.start({ webhooks: false, openRequestsPerMinute: places.length + 1 });
  // One is gone: it was asked for its document.
  const ask = ([, method, path, body]: (typeof places)[number]): Promise<Response> =>
    fetch(cloud.url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  for (const place of places) {
    const answer = await ask(place);
    expect(answer.status, place[0]).not.toBe(429);
    await answer.text();
  }
  for (const place of places) {
    const answer = await ask(place);
    expect([answer.status, await answer.json()], place[0]).toEqual([429, tooMany]);
    expect(Number(answer.headers.get("retry-after")), place[0]).toBeGreaterThan(0);
  }
  const { apiKey, assetId } = cloud.wallet;
  expect((await cloud.call("GET", `/api/assets/${assetId}`, undefined, apiKey)).status).toBe(200);
});

test("of one sale the stream that began first ends when there are too many, and the newest goes on", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const { id } = await machine.sale("watched");
  const first = await watch(cloud, id);
  const others = [await watch(cloud, id), await watch(cloud, id), await watch(cloud, id)];
  const newest = await watch(cloud, id);
  const [, event = ""] = /^data: (.*"awaitingPayment".*)$/m.exec(await first.text()) ?? [];
  expect(
    cloud.contract.fault("GET", `/api/vending/sales/${id}/events`, 200, JSON.parse(event)),
  ).toBeUndefined();
  await cloud.call("POST", `/api/vending/sales/${id}/cancel`);
  for (const stream of [...others, newest]) {
    let heard = "";
    for await (const chunk of stream.body ?? []) {
      heard += Buffer.from(chunk as Uint8Array).toString(); // a body's chunks are bytes
      if (heard.includes('"state":"cancelled"')) break;
    }
    expect(heard).toContain('"state":"cancelled"');
  }
});

test("past the streams of an address, and past all there may be, the next is refused until one ends", async () => {
  await using cloud = await Cloud.start({ webhooks: true, streams: { perAddress: 2, inAll: 100 } });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const { id } = await machine.sale("watched");
  expect(await statuses([watch(cloud, id), watch(cloud, id)])).toEqual([200, 200]);
  const refused = await watch(cloud, id);
  expect([refused.status, await refused.json()]).toEqual([
    429,
    { ...tooMany, reason: "too many streams from this address" },
  ]);
  expect(refused.headers.get("retry-after")).toBe("30");
  expect((await cloud.call("GET", `/api/vending/sales/${id}`)).status, "asking still works").toBe(200);
  ended.abort();
  ended = new AbortController();
  await expect.poll(async () => (await watch(cloud, id)).status).toBe(200);
});

test("a stream that is refused because there is no such sale takes no place", async () => {
  await using cloud = await Cloud.start({ webhooks: true, streams: { perAddress: 10, inAll: 1 } });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const { id } = await machine.sale("watched");
  expect((await watch(cloud, "none")).status).toBe(403);
  expect((await watch(cloud, id)).status).toBe(200);
  const refused = await watch(cloud, id);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "30"]);
  expect(await refused.json()).toMatchObject({ message: "BUSY" });
});

test("a stream whose page is gone before it began is not watched, and takes no place", async () => {
  await using cloud = await Cloud.start({
    webhooks: true,
    streams: { perAddress: 1, inAll: 1 },
    terms: { againMs: 60_000 }, // nobody else asks the platform
  });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const { id, paymentRequestId } = await machine.sale("watched");
  await cloud.pay(paymentRequestId);
  await machine.grant(id); // how it was paid is still to be asked
  const begun = new Promise<void>((resolve) => {
    cloud.relay = async (): Promise<Relay> => {
      cloud.relay = () => "pass";
      ended.abort(); // and the cloud, which is still asking what to send, has heard it when it has answered another request
      await cloud.call("GET", `/api/vending/machines/${CODE}`);
      resolve();
      return "pass";
    };
  });
  await expect(watch(cloud, id)).rejects.toThrow("aborted");
  await begun;
  ended = new AbortController();
  await expect.poll(async () => (await watch(cloud, id)).status).toBe(200);
});
