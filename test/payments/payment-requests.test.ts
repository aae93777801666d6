/** Payment requests over HTTP: made, read, paid, refunded, voided, expired; and every way each is refused. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isShortCode } from "../../cloud/payments/short-code.js";
import { ASSET_TYPE, CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const nzd = (amount: unknown) => ({ amount, currency: CURRENCY });
const at = (id: string, verb = ""): string => `/api/payment-requests/${id}${verb}`;
const create = (more: object, key = platform.merchant.terminalKey): Promise<Answer> =>
  platform.post(key, "/api/payment-requests", {
    configId: platform.merchant.configId,
    value: nzd("350"),
    ...more,
  });
const refund = (id: string, amount: unknown, externalRef: string, more: object = {}): Promise<Answer> =>
  platform.post(platform.merchant.terminalKey, at(id, "/refund"), {
    value: nzd(amount),
    externalRef,
    ...more,
  });
const voided = (id: string): Promise<Answer> => platform.post(platform.merchant.terminalKey, at(id, "/void"));
const read = async (id: string) => (await platform.get(platform.merchant.terminalKey, at(id))).body;
const forbidden = (message: string) => ({
  status: 403,
  body: { statusCode: 403, error: "Forbidden", message },
});
/** An answer without its `reason`, which is for people. */
const outcome = ({ status, body: { statusCode, error, message } }: Answer) => ({
  status,
  body: { statusCode, error, message },
});

describe("creating", () => {
  test("answers the request as the API writes it", async () => {
    const { merchant } = platform;
    const { status, body } = await create({ externalRef: "sale-1", terminalId: "T1", deviceId: "D1" });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9A-Za-z]{25}$/) as unknown,
      shortCode: expect.stringMatching(/^CP-/) as unknown,
      url: `https://pay.example/pay/${String(body["id"])}`,
      value: nzd("350"),
      paymentOptions: [{ assetType: ASSET_TYPE, amount: "350" }],
      merchantId: merchant.merchantId,
      merchantName: "Snack Street",
      configId: merchant.configId,
      status: "new",
      liveness: "test",
      createdAt: "2026-11-23T00:00:00.000Z",
      updatedAt: "2026-11-23T00:00:00.000Z",
      expiresAt: "2026-11-23T00:02:00.000Z",
      expirySeconds: 120,
      merchantConditions: [],
      remainingAmount: "350",
      externalRef: "sale-1",
      terminalId: "T1",
      deviceId: "D1",
      createdByAccountId: merchant.ownerAccountId,
      createdByAccountName: "Snack Street Ltd",
    });
    expect(isShortCode(String(body["shortCode"]))).toBe(true);
    expect(await read(String(body["id"]))).toEqual(body);
  });

  test("shows its merchant's reference to whoever pays it, and not to whoever has seen its address", async () => {
    const id = await platform.request("1", { externalRef: "sale-9" });
    const seenBy = async (key: string) =>
      (await platform.get(key, `/api/payment-requests/${id}`)).body["externalRef"];
    const { apiKey } = await platform.newWallet(5);
    for (const key of [platform.merchant.ownerKey, platform.merchant.terminalKey])
      expect(await seenBy(key)).toBe("sale-9");
    for (const key of [platform.wallet.apiKey, apiKey]) expect(await seenBy(key)).toBeUndefined();
    await platform.pay(id);
    expect(await seenBy(platform.wallet.apiKey)).toBe("sale-9");
    expect(await seenBy(apiKey)).toBeUndefined();
  });

  test("sends the payer's browser back with its id, to where its merchant says, by whether it is paid", async () => {
    const [paid, no] = ["https://shop.example/return/yes?order=7%20a#top", "https://shop.example/return/no"];
    const way = async (id: string) => platform.get("", `/api/payment-requests/${id}/return`);
    const id = await platform.request("1", { redirectPaidUrl: paid, redirectCancelUrl: no });
    expect((await way(id)).body).toEqual({ status: "new", url: `${no}?paymentRequestId=${id}` });
    await platform.pay(id);
    expect((await way(id)).body).toEqual({
      status: "paid",
      url: `https://shop.example/return/yes?order=7%20a&paymentRequestId=${id}#top`,
    });
    const off = await platform.request("1", { redirectPaidUrl: paid });
    await platform.post(platform.merchant.terminalKey, `/api/payment-requests/${off}/void`, {});
    expect((await way(off)).body).toEqual({ status: "cancelled" });
    for (const other of [await platform.request("1"), "none"])
      expect(await way(other)).toMatchObject({ status: 403, body: { message: "Forbidden" } });
  });

  test("keeps and returns every optional field", async () => {
    const { ownerKey, ownerAccountId: accountId } = platform.merchant;
    const collection = { name: "Free coffee", accountId, type: "product" };
    const { body: made } = await platform.post(ownerKey, "/api/collections", collection);
    const optional = {
      barcode: "9990001234567890",
      barcodeType: "ticketek",
      collectionId: made["id"],
      purchaseOrderRef: "PO 7",
      invoiceRef: "INV 7",
      redirectCancelUrl: "https://shop.example/return/no",
      redirectPaidUrl: "https://shop.example/return/yes?order=7",
      externalRef: "order 7/ä",
      terminalId: "T1",
      deviceId: "D1",
      operatorId: "O1",
      createdByAccountName: "Till 7",
      conditionsEnabled: true,
      patronNotPresent: false,
      partialAllowed: true,
      basketAmount: "900",
      connectionId: "cn_1",
      paymentLinkId: "pl_1",
      lineItems: [
        {
          name: "Cola",
          qty: "1",
          price: "400",
          sku: "C",
          tax: "15.00",
          discount: "0",
          productId: "94",
          restricted: true,
          classification: { type: "GS1", code: "1", name: "Drinks", props: { size: "330" } },
        },
        { name: "Off", qty: "1", price: "-50" },
      ],
    };
    const { body } = await create(optional);
    expect(body).toMatchObject(optional);
    expect(await read(String(body["id"]))).toMatchObject(optional);
  });

  test.each(["-1", "0.33333", "1.000000000001", "0"])("takes and returns a quantity of %s", async (qty) => {
    const line = { name: "Cola", qty, price: "350", tax: qty };
    expect((await create({ lineItems: [line] })).body).toMatchObject({ lineItems: [line] });
  });

  test.each(["", "-", "+1", "1.", ".5", "1e3", "1.0000000000001", "123456789"])(
    "refuses a quantity of %j",
    async (qty) => {
      const { status, body } = await create({ lineItems: [{ name: "Cola", qty, price: "350" }] });
      expect([status, body["message"]]).toEqual([400, "lineItems.0.qty: must be a number as a string"]);
    },
  );

  test.each([
    ["a number", 60, 60],
    ["a string", "60", 60],
    ["the longest", 86_400, 86_400],
  ])("takes expirySeconds as %s", async (_name, sent, expirySeconds) => {
    const { body } = await create({ expirySeconds: sent });
    expect(body).toMatchObject({ expirySeconds, createdAt: "2026-11-23T00:00:00.000Z" });
    expect(Date.parse(String(body["expiresAt"])) - Date.parse(String(body["createdAt"]))).toBe(
      expirySeconds * 1000,
    );
  });

  test("tolerates fields it does not know", async () => {
    const { status, body } = await create({ status: "paid", paidBy: {}, somethingNew: 1 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "new" });
    expect(body).not.toHaveProperty("somethingNew");
  });

  // prettier-ignore
  test.each<[unknown]>([
    [-1], [0], ["0"], ["-1"], [0.1], ["0.1"], [1e21], ["1e2"], [" 1"], ["1 "], ["+1"], ["１２"], ["٣"], ["01"], [""], [true],
    [null], [[150]], [{}], [150], ["100000000"], ["9007199254740993"], ["0x10"], ["1_000"], ["NaN"],
  ])("refuses %j as an amount, naming the field", async (amount) => {
    const { status, body } = await create({ value: nzd(amount) });
    expect(status).toBe(400);
    expect(body).toMatchObject({ statusCode: 400, message: expect.stringMatching(/^value\.amount: /) as unknown });
  });

  const line = { name: "Cola", qty: "1", price: "350" };
  test.each<[field: string, form: object]>([
    ["value", { value: undefined }],
    ["value", { value: "350" }],
    ["value.currency", { value: { amount: "350", currency: "nzd" } }],
    ["value.currency", { value: { amount: "350" } }],
    ["configId", { configId: undefined }],
    ["configId", { configId: 7 }],
    ["expirySeconds", { expirySeconds: 0 }],
    ["expirySeconds", { expirySeconds: -1 }],
    ["expirySeconds", { expirySeconds: 86_401 }],
    ["expirySeconds", { expirySeconds: "86401" }],
    ["expirySeconds", { expirySeconds: "2m" }],
    ["expirySeconds", { expirySeconds: 1.5 }],
    ["expirySeconds", { expirySeconds: true }],
    ["externalRef", { externalRef: "" }],
    ["externalRef", { externalRef: "x".repeat(256) }],
    ["externalRef", { externalRef: "a\0b" }],
    ["invoiceRef", { invoiceRef: "x".repeat(129) }],
    ["redirectPaidUrl", { redirectPaidUrl: "not a url" }],
    ["patronNotPresent", { patronNotPresent: "true" }],
    ["preAuth", { preAuth: 1 }],
    ["basketAmount", { partialAllowed: true }],
    ["basketAmount", { basketAmount: 900 }],
    ["lineItems", { lineItems: {} }],
    ["lineItems", { lineItems: [] }],
    ["lineItems.0.name", { lineItems: [{ ...line, name: undefined }] }],
    ["lineItems.0.qty", { lineItems: [{ ...line, qty: 1 }] }],
    ["lineItems.0.price", { lineItems: [{ ...line, price: "3.50" }] }],
    ["lineItems.0.price", { lineItems: [{ ...line, price: 350 }] }],
  ])("refuses a wrong %s: %j", async (field, form) => {
    const { status, body } = await create(form);
    expect(status).toBe(400);
    expect(String(body["message"]).startsWith(`${field}: `), String(body["message"])).toBe(true);
  });

  test("names every wrong field at once", async () => {
    const { body } = await create({ value: nzd(1), expirySeconds: 0, externalRef: "" });
    for (const field of ["value.amount", "expirySeconds", "externalRef"])
      expect(body["message"]).toContain(`${field}: `);
  });

  test.each<[what: string, body: string | undefined]>([
    ["no body", undefined],
    ["half a body", '{"configId":'],
    ["a list", "[]"],
    ["null", "null"],
  ])("refuses %s", async (_what, body) => {
    const answer = await platform.post(platform.merchant.terminalKey, "/api/payment-requests", body);
    expect(answer.status).toBe(400);
  });

  test.each<[name: string, code: string, status: number, form: object]>([
    ["line items that do not add up", "LINE_ITEMS_SUM_CHECK_FAILED", 400, { lineItems: [line, line] }],
    ["an unknown config", "Forbidden", 403, { configId: "mc_unknown" }],
    [
      "a currency the config has no option for",
      "NO_AVAILABLE_PAYMENT_OPTIONS",
      403,
      { value: { amount: "1", currency: "AUD" } },
    ],
    ["a redirect elsewhere", "REDIRECT_URL_INVALID", 403, { redirectPaidUrl: "https://evil.example/return" }],
    [
      "a redirect to a look-alike",
      "REDIRECT_URL_INVALID",
      403,
      { redirectPaidUrl: "https://shop.example.evil/return" },
    ],
    [
      "a redirect to another path",
      "REDIRECT_URL_INVALID",
      403,
      { redirectCancelUrl: "https://shop.example/other" },
    ],
    ["a redirect that is a script", "REDIRECT_URL_INVALID", 403, { redirectPaidUrl: "javascript:alert(1)" }],
  ])("refuses %s with %s", async (_name, code, status, form) => {
    expect(await create(form)).toMatchObject({ status, body: { statusCode: status, message: code } });
  });

  test("takes line items that add up to the basket, but only of a part payment", async () => {
    const basket = { basketAmount: "700", lineItems: [line, line] };
    expect((await create({ ...basket, partialAllowed: true })).status).toBe(200);
    expect((await create(basket)).body).toMatchObject({ message: "LINE_ITEMS_SUM_CHECK_FAILED" });
  });
});

describe("reading", () => {
  test("shows a summary to anyone, only while the request is new", async () => {
    const id = await platform.request("350", { externalRef: "private", operatorId: "private" });
    const { status, body } = await platform.get("", at(id, "/summary"));
    expect(status).toBe(200);
    expect(body).toMatchObject({ id, status: "new", value: nzd("350"), merchantName: "Snack Street" });
    expect(JSON.stringify(body)).not.toContain("private");
    await platform.pay(id);
    expect(outcome(await platform.get("", at(id, "/summary")))).toEqual(forbidden("Forbidden"));
    expect(outcome(await platform.get("", at("nobody", "/summary")))).toEqual(forbidden("Forbidden"));
  });

  test("lists by external reference, newest first, a page at a time", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      platform.clock.advance(1);
      ids.unshift(await platform.request("100", { externalRef: "paged / ref" }));
    }
    const list = (more: string): Promise<Answer> =>
      platform.get(
        platform.merchant.terminalKey,
        at(
          `external-ref/${encodeURIComponent("paged / ref")}?merchantAccountId=${platform.merchant.ownerAccountId}${more}`,
        ),
      );
    const seen: unknown[] = [];
    let pageKey = "";
    for (let page = 1; page <= 3; page += 1) {
      const { body } = await list(`&paginationLimit=2${pageKey}`);
      const items = body["items"] as { readonly id: string }[]; // asserted below
      seen.push(...items.map(({ id }) => id));
      expect("nextPageKey" in body).toBe(page < 3);
      pageKey = `&pageKey=${encodeURIComponent(String(body["nextPageKey"]))}`;
    }
    expect(seen).toEqual(ids);
    expect((await list("&paginationLimit=0")).status).toBe(400);
    expect((await list("&paginationLimit=101")).status).toBe(400);
  });

  test("finds a reference of every length and letter that a request may have", async () => {
    const externalRef = "語".repeat(255);
    const { body } = await create({ externalRef });
    const { ownerAccountId, ownerKey } = platform.merchant;
    const path = `/api/payment-requests/external-ref/${encodeURIComponent(externalRef)}?merchantAccountId=${ownerAccountId}`;
    expect((await platform.get(ownerKey, path)).body).toEqual({ items: [body] });
  });

  test("answers a missing request and one of nobody alike", async () => {
    expect(outcome(await platform.get(platform.merchant.ownerKey, at("missing")))).toEqual(
      forbidden("Forbidden"),
    );
  });

  test("answers an unknown route with 404", async () => {
    const { status, body } = await platform.get(platform.merchant.ownerKey, "/api/nothing");
    expect({ status, body }).toEqual({
      status: 404,
      body: { statusCode: 404, error: "Not Found", message: "Not Found" },
    });
  });
});

describe("paying", () => {
  test("moves the money and shows who paid", async () => {
    const { wallet, merchant } = platform;
    const before = [
      await platform.balance(wallet.assetId),
      await platform.balance(merchant.walletId),
    ] as const;
    const id = await platform.request("350");
    const { status, body } = await platform.pay(id, wallet, "key-1");
    expect(status).toBe(200);
    const paidBy = {
      assetTotals: [
        {
          type: ASSET_TYPE,
          description: "NZD (test)",
          settlementDate: expect.any(String) as unknown,
          total: nzd("350"),
          payerAccountId: wallet.accountId,
        },
      ],
    };
    expect(body).toMatchObject({
      type: "payment",
      value: nzd("350"),
      paymentRequestId: id,
      merchantId: merchant.merchantId,
      merchantConfigId: merchant.configId,
      merchantAccountId: merchant.ownerAccountId,
      merchantName: "Snack Street",
      createdBy: `crn:${wallet.accountId}:api-key:owner`,
      paymentRequestCreatedBy: `crn:${merchant.ownerAccountId}:api-key:terminal`,
      activityNumber: "2",
      shortCode: expect.stringMatching(/^CP-.{3}-.{3}-026$/) as unknown,
      assetType: ASSET_TYPE,
      idempotencyKey: "key-1",
      paidBy,
    });
    expect(await read(id)).toMatchObject({ status: "paid", remainingAmount: "0", paidBy });
    expect(await platform.balance(wallet.assetId)).toBe(before[0] - 350);
    expect(await platform.balance(merchant.walletId)).toBe(before[1] + 350);
  });

  test("answers the same key and content again as the first time, even when paid, expired or refunded", async () => {
    const id = await platform.request("10");
    const first = await platform.pay(id, platform.wallet, "again");
    const balance = await platform.balance(platform.wallet.assetId);
    expect((await platform.pay(id, platform.wallet, "again")).body).toEqual(first.body);
    platform.clock.advance(121_000);
    expect((await platform.pay(id, platform.wallet, "again")).body).toEqual(first.body);
    expect(await platform.balance(platform.wallet.assetId)).toBe(balance);
  });

  test("keeps the keys of different requests apart", async () => {
    const [one, two] = [await platform.request("1"), await platform.request("1")];
    expect((await platform.pay(one, platform.wallet, "shared")).status).toBe(200);
    expect((await platform.pay(two, platform.wallet, "shared")).body).toMatchObject({
      paymentRequestId: two,
    });
  });

  test("refuses with the code of each case, and moves nothing", async () => {
    const { merchant, wallet } = platform;
    const other = await platform.newWallet(5_000);
    const poor = await platform.newWallet(349);
    const aud = await platform.newWallet(5_000, "AUD");
    const frozen = await platform.newWallet(5_000);
    await platform.store.write((tx) =>
      tx.updateTable("asset").set({ status: "archived" }).where("id", "=", frozen.assetId).execute(),
    );
    const paid = await platform.request();
    await platform.pay(paid, wallet, "mine");
    const cancelled = await platform.request();
    await voided(cancelled);
    const late = await platform.request("350", { expirySeconds: 1 });
    platform.clock.advance(1_000);
    const open = await platform.request();
    const form = { assetType: ASSET_TYPE, assetId: wallet.assetId, idempotencyKey: "k" };
    const rows: readonly [code: string, id: string, key: string, form: object][] = [
      ["REQUEST_PAID", paid, wallet.apiKey, form],
      [
        "IDEMPOTENT_OPERATION_FAILED",
        paid,
        other.apiKey,
        { ...form, assetId: other.assetId, idempotencyKey: "mine" },
      ],
      ["REQUEST_CANCELLED", cancelled, wallet.apiKey, form],
      ["REQUEST_EXPIRED", late, wallet.apiKey, form],
      ["INSUFFICIENT_ASSET_VALUE", open, poor.apiKey, { ...form, assetId: poor.assetId }],
      ["INVALID_ASSET_TYPE", open, wallet.apiKey, { ...form, assetType: "bitcoin.main" }],
      ["INVALID_ASSET_TYPE", open, aud.apiKey, { ...form, assetId: aud.assetId }],
      ["INVALID_ASSET_TYPE", open, merchant.ownerKey, { ...form, assetId: merchant.walletId }],
      ["INACTIVE_ASSET", open, frozen.apiKey, { ...form, assetId: frozen.assetId }],
      ["Forbidden", open, other.apiKey, form],
      ["Forbidden", open, wallet.apiKey, { ...form, assetId: "missing" }],
      ["Forbidden", "missing", wallet.apiKey, form],
    ];
    const sum = async (): Promise<readonly number[]> =>
      Promise.all([wallet, other, poor, aud, frozen].map(({ assetId }) => platform.balance(assetId)));
    const before = await sum();
    for (const [code, id, key, body] of rows)
      expect(outcome(await platform.post(key, at(id, "/pay"), body)), code).toEqual(forbidden(code));
    expect(await sum()).toEqual(before);
  });

  test.each<[field: string, more: object]>([
    ["idempotencyKey", { idempotencyKey: undefined }],
    ["idempotencyKey", { idempotencyKey: "" }],
    ["idempotencyKey", { idempotencyKey: "x".repeat(256) }],
    ["assetId", { assetId: undefined }],
    ["assetType", { assetType: null }],
    ["mode", { mode: "some of it" }],
    ["amount", { amount: 1 }],
    ["amount", { amount: "-1" }],
    ["assetId", { authorization: "voucher" }],
    ["assetId", { transactionId: "t" }],
  ])("refuses a wrong %s: %j", async (field, more) => {
    const id = await platform.request();
    const form = { assetType: ASSET_TYPE, assetId: platform.wallet.assetId, idempotencyKey: "k", ...more };
    const { status, body } = await platform.post(platform.wallet.apiKey, at(id, "/pay"), form);
    expect(status).toBe(400);
    expect(String(body["message"]).startsWith(`${field}: `), String(body["message"])).toBe(true);
    expect(await read(id)).toMatchObject({ status: "new" });
  });

  test("lets one of many concurrent payers through, and charges only that one", async () => {
    const id = await platform.request("100");
    const payers = await Promise.all(Array.from({ length: 8 }, () => platform.newWallet(100)));
    const answers = await Promise.all(payers.map((payer) => platform.pay(id, payer)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body["message"] === "REQUEST_PAID")).toHaveLength(7);
    const left = await Promise.all(payers.map(({ assetId }) => platform.balance(assetId)));
    expect(left.reduce((total, balance) => total + balance, 0)).toBe(700);
  });

  test("cannot spend one balance twice, however many try at once", async () => {
    const payer = await platform.newWallet(250);
    const ids = await Promise.all(Array.from({ length: 6 }, () => platform.request("100")));
    const answers = await Promise.all(ids.map((id) => platform.pay(id, payer)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2);
    expect(await platform.balance(payer.assetId)).toBe(50);
  });
});

describe("refunding", () => {
  test("gives back in parts up to what was paid, once a reference", async () => {
    const payer = await platform.newWallet(1_000);
    const id = await platform.request("600");
    const payment = await platform.pay(id, payer);
    const first = await refund(id, "250", "r1", { invoiceRef: "INV" });
    expect(first.body).toMatchObject({
      type: "refund",
      value: nzd("250"),
      externalRef: "r1",
      invoiceRef: "INV",
      activityNumber: "3",
      strategy: {
        refunds: [
          {
            assetId: payer.assetId,
            assetType: ASSET_TYPE,
            completedPaymentId: payment.body["id"],
            amount: "250",
          },
        ],
      },
    });
    expect(await platform.balance(payer.assetId)).toBe(650);
    expect((await refund(id, "250", "r1", { invoiceRef: "INV" })).body).toEqual(first.body);
    expect((await refund(id, "250", "r1", { invoiceRef: "other" })).body).toEqual(first.body);
    expect(outcome(await refund(id, "251", "r1"))).toEqual(forbidden("REPEAT_REFERENCE"));
    expect(outcome(await refund(id, "351", "r2"))).toEqual(forbidden("INVALID_AMOUNT"));
    expect((await refund(id, "350", "r2")).status).toBe(200);
    expect(outcome(await refund(id, "1", "r3"))).toEqual(forbidden("ALREADY_REFUNDED"));
    expect((await refund(id, "250", "r1", { invoiceRef: "INV" })).body).toEqual(first.body);
    expect(await platform.balance(payer.assetId)).toBe(1_000);
    expect(await read(id)).toMatchObject({ status: "paid" }); // refunds are activities; the request stays paid
  });

  test("gives back no more than was paid to a hundred refunds at once", async () => {
    const payer = await platform.newWallet(1_000);
    const id = await platform.request("1000");
    await platform.pay(id, payer);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => refund(id, "30", `r${n}`)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(33);
    expect(await platform.balance(payer.assetId)).toBe(990);
  });

  test("refuses what was not paid, other money, other lines and what the merchant no longer has", async () => {
    const open = await platform.request();
    expect(outcome(await refund(open, "1", "r"))).toEqual(forbidden("NOT_PAID"));
    await platform.pay(open);
    const aud = { value: { amount: "1", currency: "AUD" } };
    expect(outcome(await refund(open, "1", "r", aud))).toEqual(forbidden("INVALID_AMOUNT"));
    const lines = { lineItems: [{ name: "Cola", qty: "1", price: "2" }] };
    expect((await refund(open, "1", "r", lines)).body).toMatchObject({
      message: "LINE_ITEMS_SUM_CHECK_FAILED",
    });
    const confirmation = { confirmationIdempotencyKey: "c" };
    expect(outcome(await refund(open, "1", "r", confirmation))).toEqual(forbidden("CONFIRMATION_NOT_FOUND"));
    expect((await refund(open, 1, "r")).status).toBe(400);
    expect((await refund(open, "1", "")).status).toBe(400);
    expect(outcome(await refund("missing", "1", "r"))).toEqual(forbidden("Forbidden"));

    const spender = await platform.newMerchant();
    const { body } = await platform.post(spender.terminalKey, "/api/payment-requests", {
      configId: spender.configId,
      value: nzd("200"),
    });
    const id = String(body["id"]);
    await platform.pay(id);
    const elsewhere = await platform.request("150");
    const spent = await platform.post(spender.ownerKey, at(elsewhere, "/pay"), {
      assetType: ASSET_TYPE,
      assetId: spender.walletId,
      idempotencyKey: "k",
    });
    expect(spent.status).toBe(200);
    const form = { value: nzd("200"), externalRef: "r" };
    const declined = await platform.post(spender.terminalKey, at(id, "/refund"), form);
    expect(outcome(declined)).toEqual(forbidden("REFUND_DECLINED"));
    expect(await platform.balance(spender.walletId)).toBe(50);
  });
});

describe("voiding", () => {
  test("cancels what is not paid, and says so again when asked again", async () => {
    const id = await platform.request();
    const { status, body } = await voided(id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ type: "cancellation", cancellationReason: "CANCELLED_BY_MERCHANT" });
    expect((await voided(id)).body).toEqual(body);
    expect(await read(id)).toMatchObject({
      status: "cancelled",
      cancellationReason: "CANCELLED_BY_MERCHANT",
    });
    expect(outcome(await refund(id, "1", "r"))).toEqual(forbidden("NOT_PAID"));
  });

  test("takes no body, even from a client that announces JSON", async () => {
    const id = await platform.request();
    expect((await platform.post(platform.merchant.terminalKey, at(id, "/void"), "")).status).toBe(200);
    expect(await read(id)).toMatchObject({ status: "cancelled" });
  });

  test("gives back what is left of what is paid, once", async () => {
    const payer = await platform.newWallet(500);
    const id = await platform.request("500");
    await platform.pay(id, payer);
    await refund(id, "200", "part");
    const { body } = await voided(id);
    expect(body).toMatchObject({ type: "refund", value: nzd("300") });
    expect((await voided(id)).body).toEqual(body);
    expect(await platform.balance(payer.assetId)).toBe(500);
  });

  test("refuses what is expired, refunded, a day old, or not there", async () => {
    const late = await platform.request("350", { expirySeconds: 1 });
    const refunded = await platform.request("10");
    await platform.pay(refunded);
    await refund(refunded, "10", "all");
    const old = await platform.request("10");
    await platform.pay(old);
    platform.clock.advance(1_000);
    expect(outcome(await voided(late))).toEqual(forbidden("REQUEST_EXPIRED"));
    expect(outcome(await voided(refunded))).toEqual(forbidden("ALREADY_REFUNDED"));
    platform.clock.advance(24 * 60 * 60 * 1000);
    expect(outcome(await voided(old))).toEqual(forbidden("VOID_WINDOW_EXCEEDED"));
    expect(outcome(await voided("missing"))).toEqual(forbidden("Forbidden"));
  });
});

describe("expiring", () => {
  test("counts from the moment the time is over, and is written down by the sweep", async () => {
    const id = await platform.request("350", { expirySeconds: 5 });
    platform.clock.advance(4_999);
    expect(await read(id)).toMatchObject({ status: "new" });
    platform.clock.advance(1);
    expect(await read(id)).toMatchObject({ status: "expired" });
    await expect
      .poll(async () => {
        platform.clock.advance(1_000);
        const { body } = await platform.get(platform.merchant.terminalKey, at(id, "/activities"));
        return (body["items"] as { readonly type: string }[]).map(({ type }) => type); // a list of activities
      })
      .toEqual(["expiry", "request"]);
    expect(await read(id)).toMatchObject({ status: "expired" });
  });
});

describe("activities", () => {
  test("tell the request's story, newest first, with codes of their own", async () => {
    const id = await platform.request("300");
    await platform.pay(id);
    await refund(id, "100", "r1");
    const { body } = await platform.get(platform.merchant.terminalKey, at(id, "/activities"));
    expect(body).toMatchObject({
      items: [
        { type: "refund", activityNumber: "3", shortCode: expect.stringMatching(/-034$/) as unknown },
        { type: "payment", activityNumber: "2", shortCode: expect.stringMatching(/-026$/) as unknown },
        { type: "request", activityNumber: "1", shortCode: expect.stringMatching(/-018$/) as unknown },
      ],
    });
  });

  test("of a request are listed a page at a time", async () => {
    const id = await platform.request("300");
    await platform.pay(id);
    for (let n = 1; n <= 23; n += 1) await refund(id, "10", `r${n}`);
    const list = async (query = "") => {
      const { body } = await platform.get(platform.merchant.terminalKey, at(id, `/activities${query}`));
      const items = body["items"] as { readonly activityNumber: string }[]; // a list of activities
      return {
        numbers: items.map(({ activityNumber }) => Number(activityNumber)),
        next: body["nextPageKey"],
      };
    };
    const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, n) => from - n);
    expect(await list()).toEqual({ numbers: down(25, 6), next: "6" });
    expect(await list("?pageKey=6")).toEqual({ numbers: down(5, 1), next: undefined });
    expect(await list("?paginationLimit=9&pageKey=12")).toEqual({ numbers: down(11, 3), next: "3" });
    expect(await list("?paginationLimit=100")).toEqual({ numbers: down(25, 1), next: undefined });
    for (const query of ["?pageKey=x", "?pageKey=0", "?paginationLimit=101"])
      expect((await platform.get(platform.merchant.terminalKey, at(id, `/activities${query}`))).status).toBe(
        400,
      );
  });

  test("of a merchant are listed a page at a time", async () => {
    const merchant = await platform.newMerchant();
    const made: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      platform.clock.advance(1);
      const { body } = await platform.post(merchant.ownerKey, "/api/payment-requests", {
        configId: merchant.configId,
        value: nzd("5"),
      });
      made.unshift(String(body["id"]));
    }
    const list = async (more: string) =>
      (
        await platform.get(
          merchant.ownerKey,
          `/api/payment-activities?merchantId=${merchant.merchantId}${more}`,
        )
      ).body;
    const first = await list("&paginationLimit=2");
    const second = await list(`&paginationLimit=2&pageKey=${String(first["nextPageKey"])}`);
    const requestOf = (page: typeof first): unknown[] =>
      (page["items"] as { readonly paymentRequestId: string }[]).map((item) => item.paymentRequestId); // activities
    expect([...requestOf(first), ...requestOf(second)]).toEqual(made);
    expect(second).not.toHaveProperty("nextPageKey");
  });
});
