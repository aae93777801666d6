/** What holds for every route: unknown places, missing things, bodies that are too much, and what is still experimental. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXPERIMENTAL_HEADER } from "../../cloud/http/endpoint.js";
import { newDatabase } from "../store/database.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Body, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const url = "/api/payment-requests";
const post = (text: string, at = url) => platform.post(platform.merchant.terminalKey, at, text);

describe("a request", () => {
  test("to no route is 404, whoever asks and however", async () => {
    const notFound = { statusCode: 404, error: "Not Found", message: "Not Found" };
    for (const key of ["", platform.merchant.ownerKey])
      for (const at of ["/api/nowhere", "/api/payment-requests/x/y/z", "/API/payment-requests"])
        for (const answer of [
          await platform.get(key, at),
          await platform.post(key, at, {}),
          await platform.put(key, at, {}),
        ])
          expect(answer, at).toMatchObject({ status: 404, body: notFound });
    expect((await platform.del(platform.merchant.ownerKey, url)).status).toBe(404);
  });

  test("for something that is not there is 403, as for something that is another's", async () => {
    for (const at of [
      `${url}/missing`,
      "/api/assets/missing",
      "/api/accounts/missing",
      "/api/merchants/missing",
      "/api/patron-codes/missing",
    ])
      expect(await platform.get(platform.merchant.ownerKey, at), at).toMatchObject({
        status: 403,
        body: { statusCode: 403, error: "Forbidden", message: "Forbidden" },
      });
  });

  test("has an id of its own in every answer, whatever it is", async () => {
    const answers = [
      await platform.get(platform.merchant.ownerKey, "/api/accounts/missing"),
      await platform.get("", "/api/accounts/x"),
      await platform.get("", "/api/nowhere"),
      await post("{"),
    ];
    const ids = answers.map(({ headers }) => headers.get("x-request-id"));
    for (const { headers } of answers) {
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^[0-9A-Za-z]{25}$/);
  });
});

describe("a body", () => {
  // prettier-ignore
  test.each<[what: string, body: string, status: number, message: string]>([
    ["with a key twice",               '{"configId":"x","value":{"amount":"1","amount":"999","currency":"NZD"}}', 400, "amount: is there twice"],
    ["with a key twice, as escapes",   '{"configId":"x","c\\u006fnfigId":"y"}',                                    400, "configId: is there twice"],
    ["with a prototype",               '{"configId":"x","__proto__":{"value":1}}',                                 400, "__proto__: is not a name for a field"],
    ["with a constructor",             '{"lineItems":[{"constructor":{"prototype":{}}}]}',                         400, "constructor: is not a name for a field"],
    ["as deep as may be",              `{"a":${"[".repeat(31)}${"]".repeat(31)}}`,                                 400, "configId: "],
    ["deeper",                         `{"a":${"[".repeat(32)}${"]".repeat(32)}}`,                                 400, "body: is nested deeper than 32"],
    ["deeper than any parser goes",    "[".repeat(200_000),                                                        400, "body: is nested deeper than 32"],
    ["that is no JSON",                '{"configId":',                                                             400, "body: "],
    ["that is no object",              "[]",                                                                       400, "body: "],
    ["that is nothing",                "null",                                                                     400, "body: "],
    ["that is too large",              JSON.stringify({ configId: "x".repeat(300_000) }),                          413, "BODY_TOO_LARGE"],
  ])("%s is refused", async (_what, body, status, message) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect(answer.body["message"]).toContain(message);
  });

  test("just below the limit is read, and one that is not JSON by its own word is not", async () => {
    expect((await post(JSON.stringify({ configId: "x".repeat(250_000) }))).status).toBe(400);
    const response = await fetch(platform.url + url, {
      method: "POST",
      headers: { "x-api-key": platform.merchant.terminalKey, "content-type": "text/xml" },
      body: "<x/>",
    });
    expect(response.status).toBe(415);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "application/octet-stream"])(
    "is read as JSON alone, and nothing is nothing, also by the name of %s",
    async (type) => {
      const { terminalKey } = platform.merchant;
      const send = (path: string, body: string): Promise<Response> => {
        const headers = { "x-api-key": terminalKey, "content-type": type };
        return fetch(platform.url + path, { method: "POST", headers, body });
      };
      const form = { configId: platform.merchant.configId, value: { amount: "100", currency: "NZD" } };
      const written = await send("/api/payment-requests", JSON.stringify(form));
      expect([written.status, await written.json()]).toMatchObject([
        415,
        { message: "UNSUPPORTED_MEDIA_TYPE" },
      ]);
      for (const [verb, more] of [
        ["void", {}],
        ["release", { preAuth: true }],
      ] as const) {
        const ended = await send(`/api/payment-requests/${await platform.request("100", more)}/${verb}`, "");
        expect([ended.status, await ended.json()]).toMatchObject([200, { type: "cancellation" }]);
      }
      const missing = await send("/api/payment-requests", "");
      expect([missing.status, await missing.json()]).toMatchObject([400, { message: "body: is required" }]);
    },
  );

  // prettier-ignore
  test.each<[what: string, form: object, message: string]>([
    ["an amount",             { configId: "c", value: { currency: "NZD" } }, "value.amount: is required"],
    ["a currency and config", { value: { amount: "1" } },                    "value.currency: is required; configId: is required"],
    ["what only goes with another field", { configId: "c", value: { amount: "1", currency: "NZD" }, partialAllowed: true }, "basketAmount: is required when partialAllowed is true"],
  ])("without %s says so", async (_what, form, message) => {
    const { status, body } = await platform.post(platform.merchant.terminalKey, "/api/payment-requests", form);
    expect(status).toBe(400);
    expect(String(body["message"]).split("; ").sort()).toEqual(message.split("; ").sort());
  });

  test("that is announced as too large is refused before it is sent", async () => {
    const { hostname, port } = new URL(platform.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          `POST ${url} HTTP/1.1\r\nhost: x\r\nx-api-key: ${platform.merchant.terminalKey}\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n`,
        ),
      );
      socket.once("data", (bytes) => {
        socket.destroy();
        resolve(bytes.toString());
      });
      socket.once("error", reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("is not looked at before its sender is known", async () => {
    for (const body of ["{", '{"a":1,"a":2}']) expect((await platform.post("", url, body)).status).toBe(401);
  });
});

describe("what is experimental", () => {
  test("says so in each answer and in the document, and nothing else does", async () => {
    const { apiKey } = platform.wallet;
    const clock = await platform.get(apiKey, "/api/test/clock");
    expect(clock.headers.get(EXPERIMENTAL_HEADER)).toBe("may be changed or removed without warning");
    const assets = await platform.get(apiKey, `/api/accounts/${platform.wallet.accountId}/assets`);
    expect(assets.headers.get(EXPERIMENTAL_HEADER)).toBeNull();
  });

  const fields = {
    redirectCancelUrl: "https://shop.example/return/cancelled",
    redirectPaidUrl: "https://shop.example/return/paid",
    connectionId: "cn_1",
    paymentLinkId: "pl_1",
  };
  const marked = [...Object.keys(fields), "allowedRedirectUrls"];
  const asked = ({ merchant: { configId } }: Platform, more: object) => ({
    configId,
    value: { amount: "100", currency: CURRENCY },
    ...more,
  });
  const options = ({ merchant: { walletId } }: Platform) => ({
    paymentOptions: [{ type: ASSET_TYPE, walletId }],
    allowedRedirectUrls: ["https://other.example/"],
  });

  test("as a field says so in the answer to who sends it, whatever the answer, and in the document", async () => {
    const { terminalKey, ownerKey, merchantId } = platform.merchant;
    const create = (more: object) =>
      platform.post(terminalKey, "/api/payment-requests", asked(platform, more));
    for (const [name, value] of Object.entries(fields)) {
      const { status, headers, body } = await create({ [name]: value });
      expect([status, body[name], headers.has(EXPERIMENTAL_HEADER)], name).toEqual([200, value, true]);
    }
    expect((await create({ redirectPaidUrl: 1 })).headers.has(EXPERIMENTAL_HEADER)).toBe(true);
    expect((await create({ invoiceRef: "1" })).headers.has(EXPERIMENTAL_HEADER)).toBe(false);
    const config = await platform.post(ownerKey, `/api/merchants/${merchantId}/configs`, options(platform));
    expect(config.headers.has(EXPERIMENTAL_HEADER)).toBe(true);
    const document = await (await fetch(`${platform.url}/api/openapi.json`)).text();
    for (const name of marked)
      expect(document).toMatch(new RegExp(`"${name}":\\{[^}]*"x-experimental":true`));
  });

  test("as a field is not taken, answered or written of when it is switched off, as if nobody knew it", async () => {
    const kept = await newDatabase();
    const on = await openPlatform({ kept });
    const before = await on.request("100", fields);
    const off = await openPlatform({ kept, experimental: false });
    try {
      const { terminalKey, ownerKey, merchantId, configId } = on.merchant;
      const sent = asked(on, { ...fields, redirectPaidUrl: 1, invoiceRef: "1" });
      const made = await off.post(terminalKey, "/api/payment-requests", sent);
      expect([made.status, made.body["invoiceRef"]]).toEqual([200, "1"]);
      expect(made.headers.has(EXPERIMENTAL_HEADER)).toBe(false);
      const after = (await on.get(terminalKey, `/api/payment-requests/${String(made.body["id"])}`)).body;
      for (const name of marked) expect(after).not.toHaveProperty(name);
      const { body } = await off.get(terminalKey, `/api/payment-requests/${before}`);
      expect(body).toMatchObject({ id: before, status: "new" });
      for (const name of marked) expect(body).not.toHaveProperty(name);

      const at = `/api/merchants/${merchantId}/configs`;
      expect((await off.put(ownerKey, `${at}/${configId}`, options(on))).status).toBe(200);
      const listed = (await (
        await fetch(off.url + at, { headers: { "x-api-key": ownerKey } })
      ).json()) as Body[];
      expect(listed).toHaveLength(1);
      expect(listed[0]).not.toHaveProperty("allowedRedirectUrls");
      expect((await on.get(ownerKey, `/api/merchant-configs/${configId}`)).body).toMatchObject({
        allowedRedirectUrls: ["https://shop.example/return"],
      });
      const document = await (await fetch(`${off.url}/api/openapi.json`)).text();
      for (const word of [...marked, "x-experimental"]) expect(document).not.toContain(`"${word}"`);
    } finally {
      await off.close();
      await on.close();
      await kept.drop();
    }
  });

  test("is not there when it is switched off: no route, no word in the document, everything else as before", async () => {
    const off = await openPlatform({ experimental: false });
    try {
      const gone = platform.contract.operations.filter((one) => !off.contract.operations.includes(one));
      expect(gone).toContain("POST /api/test/clock/advance");
      expect(gone).toContain("POST /api/vouchers");
      expect(off.contract.operations).toEqual(
        platform.contract.operations.filter((one) => !gone.includes(one)),
      );
      expect(off.contract.operations).toContain("POST /api/payment-requests");
      const { apiKey } = off.wallet;
      expect((await off.post(apiKey, "/api/test/clock/advance", { seconds: 1 })).status).toBe(404);
      expect((await off.get(apiKey, "/api/test/clock")).status).toBe(404);
      const document = await (await fetch(`${off.url}/api/openapi.json`)).text();
      expect(document).not.toContain("/api/test/clock");
      const id = await off.request();
      expect((await off.pay(id)).status).toBe(200);
    } finally {
      await off.close();
    }
  });
});
