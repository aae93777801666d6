/** Tokens: minted of a collection, spent whole, for the products a merchant gives for them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASSET_TYPE, CURRENCY, openPlatform, type Answer, type Body, type Platform } from "./platform.js";

const TYPE = "centrapay.token.test";
let platform: Platform;
let collectionId: string;
let configId: string;
const nzd = (minor: number) => ({ amount: String(minor), currency: CURRENCY });
const post = (path: string, body: object, key = platform.merchant.ownerKey): Promise<Answer> =>
  platform.post(key, path, body);
const made = async (path: string, body: object): Promise<Body> => {
  const answer = await post(path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body;
};
beforeAll(async () => {
  platform = await openPlatform();
  const { ownerAccountId, merchantId, walletId } = platform.merchant;
  const collection = { name: "Free coffee", accountId: ownerAccountId, type: "product" };
  collectionId = String((await made("/api/collections", collection))["id"]);
  await made(`/api/collections/${collectionId}/redemption-conditions`, {
    merchantId,
    allowedProducts: [{ sku: "coffee", name: "Coffee", maxValue: nzd(450) }],
  });
  configId = await platform.newConfig([
    { type: ASSET_TYPE, walletId },
    { type: TYPE, collectionIds: [collectionId] },
  ]);
});
afterAll(() => platform.close());

let keys = 0;
const mint = async (accountId = platform.wallet.accountId, of = collectionId): Promise<string> =>
  String(
    (await made("/api/tokens", { collectionId: of, accountId, idempotencyKey: `mint-${(keys += 1)}` }))["id"],
  );
const line = (sku: string, minor: number) => ({ name: sku, sku, qty: "1", price: String(minor) });
const request = (lines: readonly ReturnType<typeof line>[], config = configId): Promise<string> =>
  platform.request(String(lines.reduce((sum, { price }) => sum + Number(price), 0)), {
    configId: config,
    lineItems: lines,
  });
const at = (id: string, verb = ""): string => `/api/payment-requests/${id}${verb}`;
const read = async (id: string): Promise<Body> =>
  (await platform.get(platform.merchant.terminalKey, at(id))).body;
const pay = (id: string, token: string, more: object = {}): Promise<Answer> =>
  post(
    at(id, "/pay"),
    { assetType: TYPE, assetId: token, idempotencyKey: `pay-${(keys += 1)}`, ...more },
    platform.wallet.apiKey,
  );

test("a token pays for its product, whole, and the answer says which line must not be sold again", async () => {
  const token = await mint();
  const id = await request([line("coffee", 450)]);
  expect(await read(id)).toMatchObject({
    paymentOptions: [
      { assetType: ASSET_TYPE },
      { assetType: TYPE, amount: "450", acceptedCollections: [{ id: collectionId }] },
    ],
  });
  expect((await pay(id, token)).status).toBe(200);
  expect(await read(id)).toMatchObject({
    status: "paid",
    paidBy: { assetTotals: [{ type: TYPE, total: nzd(450), lineItems: [{ sku: "coffee" }] }] },
  });
  expect((await platform.get(platform.wallet.apiKey, `/api/assets/${token}`)).body).toMatchObject({
    category: "token",
    collectionId,
    status: "archived",
  });
  expect((await pay(await request([line("coffee", 450)]), token)).body).toMatchObject({
    message: "INACTIVE_ASSET",
  });
});

test("a token is found by what it is called elsewhere, by its owner alone", async () => {
  const { accountId, apiKey } = platform.wallet;
  const asked = { collectionId, accountId, externalId: "card 7/1" };
  await made("/api/tokens", { ...asked, idempotencyKey: "named" });
  platform.clock.advance(1); // ids of one millisecond have no order
  const { id } = await made("/api/tokens", { ...asked, idempotencyKey: "named-again" });
  await mint();
  const name = encodeURIComponent("card 7/1");
  const named = `/api/assets/${TYPE}/external-id/${name}`;
  expect((await platform.get(apiKey, named)).body).toMatchObject({ id, externalId: "card 7/1" });
  const listed = await platform.get(apiKey, `/api/accounts/${accountId}/assets?externalId=${name}`);
  expect(listed.body["items"]).toMatchObject([{ id }, { externalId: "card 7/1" }]);
  expect(listed.body["items"]).toHaveLength(2);

  const forbidden = { status: 403, body: { message: "Forbidden" } };
  expect(await platform.get(platform.merchant.ownerKey, named)).toMatchObject(forbidden);
  for (const other of [`${named}x`, `/api/assets/centrapay.token.main/external-id/${name}`])
    expect(await platform.get(apiKey, other)).toMatchObject(forbidden);
});

test("of many requests that one token is to pay at once, it pays one", async () => {
  const token = await mint();
  const ids = await Promise.all([1, 2, 3, 4, 5, 6].map(() => request([line("coffee", 450)])));
  const answers = await Promise.all(ids.map((id) => pay(id, token)));
  expect(answers.map(({ status, body }) => [status, body["message"]]).sort()).toEqual([
    [200, undefined],
    ...Array.from({ length: 5 }, () => [403, "INACTIVE_ASSET"]),
  ]);
});

test("beside other things it pays its line, and money the rest", async () => {
  const id = await request([line("coffee", 400), line("cake", 300)]);
  const token = await mint();
  expect((await pay(id, token)).body).toMatchObject({ message: "INSUFFICIENT_ASSET_VALUE" });
  expect((await pay(id, token, { mode: "multi-asset-payment" })).body).toMatchObject({ value: nzd(400) });
  expect((await platform.pay(id)).body).toMatchObject({ value: nzd(300) });
  expect(await read(id)).toMatchObject({ status: "paid" });
});

test("a line that one token paid for, another does not; of two alike, each token pays one", async () => {
  const one = await request([line("coffee", 400), line("cake", 300)]);
  await pay(one, await mint(), { mode: "multi-asset-payment" });
  expect((await pay(one, await mint(), { mode: "multi-asset-payment" })).body).toMatchObject({
    message: "INSUFFICIENT_ASSET_VALUE",
  });
  const two = await request([line("coffee", 400), line("coffee", 400)]);
  for (let n = 0; n < 2; n += 1)
    expect((await pay(two, await mint(), { mode: "multi-asset-payment" })).status).toBe(200);
  expect(await read(two)).toMatchObject({ status: "paid" });
});

describe("of a line of several units", () => {
  const mode = "multi-asset-payment";
  const of = (qty: string, minor: number, sku = "coffee") => ({ ...line(sku, minor), qty });
  const spend = async (id: string): Promise<Answer> => pay(id, await mint(), { mode });
  const none = { message: "INSUFFICIENT_ASSET_VALUE" };
  /** What each token paid: its amount, and the quantity and price of its line. */
  const covered = async (id: string): Promise<unknown> =>
    ((await read(id))["paidBy"] as { readonly assetTotals: readonly Body[] }).assetTotals.map(
      ({ total, lineItems }) => [
        (total as Body)["amount"],
        ...(lineItems as readonly Body[]).flatMap(({ qty, price }) => [qty, price]),
      ],
    );

  test("each token pays for one, until they are used up", async () => {
    const id = await request([of("2", 800), line("cake", 300)]);
    expect(await read(id)).toMatchObject({ paymentOptions: [{ amount: "1100" }, { amount: "400" }] });
    for (let n = 0; n < 2; n += 1) expect((await spend(id)).body).toMatchObject({ value: nzd(400) });
    expect((await spend(id)).body).toMatchObject(none);
    expect(await covered(id)).toEqual([
      ["400", "1", "400"],
      ["400", "1", "400"],
    ]);
    expect((await platform.pay(id)).body).toMatchObject({ value: nzd(300) });
  });

  test("the last takes what does not divide, and the units' prices are the line's", async () => {
    const id = await request([of("3.0", 1000)]);
    for (let n = 0; n < 3; n += 1) expect((await spend(id)).status).toBe(200);
    expect(await read(id)).toMatchObject({ status: "paid", remainingAmount: "0" });
    expect(await covered(id)).toEqual([
      ["333", "1", "333"],
      ["333", "1", "333"],
      ["334", "1", "334"],
    ]);
  });

  test("a token is worth no more to one than its product's most", async () => {
    const id = await request([of("2", 1200)]);
    expect((await spend(id)).body).toMatchObject({ value: nzd(450) });
    expect(await covered(id)).toEqual([["450", "1", "600"]]);
  });

  test("and of lines alike, no unit is paid for twice", async () => {
    const id = await request([of("2", 801), of("2", 801), line("coffee", 400)]);
    for (let n = 0; n < 5; n += 1) expect((await spend(id)).status).toBe(200);
    expect(await read(id)).toMatchObject({ status: "paid" });
  });

  test("a quantity that counts nothing is one thing, and a unit that costs nothing is paid by none", async () => {
    const id = await request([of("0.5", 400), line("cake", 300)]);
    expect((await spend(id)).body).toMatchObject({ value: nzd(400) });
    expect(await covered(id)).toEqual([["400", "0.5", "400"]]);
    expect((await spend(id)).body).toMatchObject(none);
    const cheap = await request([of("10", 5), line("cake", 300)]);
    expect(await read(cheap)).toMatchObject({ paymentOptions: [{ assetType: ASSET_TYPE }] });
  });
});

test("a token comes back whole or not at all", async () => {
  const token = await mint();
  const id = await request([line("coffee", 450)]);
  await pay(id, token);
  const refund = (minor: number) =>
    post(
      at(id, "/refund"),
      { value: nzd(minor), externalRef: `back-${minor}` },
      platform.merchant.terminalKey,
    );
  expect((await refund(100)).body).toMatchObject({ message: "PARTIAL_REFUNDS_NOT_ALLOWED" });
  expect((await refund(450)).status).toBe(200);
  expect((await pay(await request([line("coffee", 450)]), token)).status).toBe(200);
});

test("a token comes back though money paid last, and of two alike the one whose product is named", async () => {
  const { terminalKey } = platform.merchant;
  const mode = "multi-asset-payment";
  const refund = (id: string, externalRef: string, lineItems?: readonly object[]): Promise<Answer> =>
    post(at(id, "/refund"), { value: nzd(400), externalRef, lineItems }, terminalKey);
  const one = await request([line("coffee", 400), line("cake", 100)]);
  const first = await mint();
  await pay(one, first, { mode });
  await platform.pay(one);
  expect((await refund(one, "r")).body).toMatchObject({
    strategy: { refunds: [{ assetId: first, amount: "400" }] },
  });

  const { ownerAccountId, merchantId } = platform.merchant;
  const tea = { name: "Free tea", accountId: ownerAccountId, type: "product" };
  const of = String((await made("/api/collections", tea))["id"]);
  const allowedProducts = [{ sku: "tea", name: "Tea", maxValue: nzd(400) }];
  await made(`/api/collections/${of}/redemption-conditions`, { merchantId, allowedProducts });
  const config = await platform.newConfig([{ type: TYPE, collectionIds: [collectionId, of] }]);
  const two = await request([line("coffee", 400), line("tea", 400)], config);
  const coffee = await mint();
  await pay(two, coffee, { mode });
  await pay(two, await mint(platform.wallet.accountId, of), { mode });
  const named = await refund(two, "r", [line("coffee", 400)]);
  expect(named.body).toMatchObject({ strategy: { refunds: [{ assetId: coffee, amount: "400" }] } });
});

test("a token fills no wallet, whatever wallet its option was kept with", async () => {
  const { walletId } = await platform.newMerchant();
  const config = await platform.newConfig([{ type: TYPE, walletId, collectionIds: [collectionId] }]);
  expect((await pay(await request([line("coffee", 450)], config), await mint())).status).toBe(200);
  expect(await platform.balance(walletId)).toBe(0);
});

describe("a discount", () => {
  const mode = "multi-asset-payment";
  /** A discount's collection, and a config that takes it, coffee for a token, and money. */
  const discounting = async (minor: number): Promise<{ readonly of: string; readonly config: string }> => {
    const { ownerAccountId: accountId, walletId } = platform.merchant;
    const discount = { name: "A little off", accountId, type: "discount", maxValue: nzd(minor) };
    const of = String((await made("/api/collections", discount))["id"]);
    const config = await platform.newConfig([
      { type: ASSET_TYPE, walletId },
      { type: TYPE, collectionIds: [of, collectionId] },
    ]);
    return { of, config };
  };
  const off = async (id: string, of: string): Promise<Answer> =>
    pay(id, await mint(platform.wallet.accountId, of), { mode });

  test("takes its value off any basket, and pays for no line of it", async () => {
    const { of, config } = await discounting(200);
    const id = await request([line("cake", 150), line("bun", 150)], config);
    expect((await off(id, of)).body).toMatchObject({ value: nzd(200) });
    expect((await platform.pay(id)).body).toMatchObject({ value: nzd(100) });
    const { assetTotals } = (await read(id))["paidBy"] as { readonly assetTotals: readonly Body[] }; // as published
    expect(assetTotals[0]).toMatchObject({ type: TYPE, total: nzd(200), lineItems: [] });
  });

  test("leaves the line that a product's token is good for", async () => {
    const { of, config } = await discounting(50);
    const id = await request([line("coffee", 450), line("cake", 300)], config);
    expect((await off(id, of)).body).toMatchObject({ value: nzd(50) });
    expect((await pay(id, await mint(), { mode })).body).toMatchObject({ value: nzd(450) });
    expect((await pay(id, await mint(), { mode })).body).toMatchObject({
      message: "INSUFFICIENT_ASSET_VALUE",
    });
    expect((await off(id, of)).body).toMatchObject({ value: nzd(50) });
    expect((await platform.pay(id)).body).toMatchObject({ value: nzd(200) });
  });

  test("is spent once, and never for more than is due", async () => {
    const { of, config } = await discounting(200);
    const id = await request([line("cake", 300)], config);
    const token = await mint(platform.wallet.accountId, of);
    expect((await pay(id, token, { mode })).body).toMatchObject({ value: nzd(200) });
    expect((await pay(id, token, { mode })).body).toMatchObject({ message: "INACTIVE_ASSET" });
    expect((await off(id, of)).body).toMatchObject({ value: nzd(100) });
    expect((await off(id, of)).body).toMatchObject({ message: "REQUEST_PAID" });
  });

  test("and a product's token are offered for no more than the request", async () => {
    const { config } = await discounting(50);
    for (const sku of ["cake", "coffee"])
      expect(await read(await request([line(sku, 100), line("off", -70)], config))).toMatchObject({
        value: nzd(30),
        paymentOptions: [
          { assetType: ASSET_TYPE, amount: "30" },
          { assetType: TYPE, amount: "30" },
        ],
      });
  });

  test("is for no product", async () => {
    const { of } = await discounting(100);
    const answer = await post(`/api/collections/${of}/redemption-conditions`, {
      merchantId: platform.merchant.merchantId,
      allowedProducts: [{ sku: "tea", name: "Tea", maxValue: nzd(450) }],
    });
    expect(answer.status).toBe(400);
    expect(answer.body["message"]).toContain("collectionId");
  });
});

test("no product that it is good for, no such option", async () => {
  expect(await read(await request([line("cake", 300)]))).toMatchObject({
    paymentOptions: [{ assetType: ASSET_TYPE }],
  });
});

test("a request that names a collection takes that one's tokens, of those its config takes", async () => {
  const { ownerAccountId: accountId, terminalKey, walletId } = platform.merchant;
  const discount = { name: "A little off", accountId, type: "discount", maxValue: nzd(50) };
  const of = String((await made("/api/collections", discount))["id"]);
  const other = String((await made("/api/collections", discount))["id"]);
  const config = await platform.newConfig([
    { type: ASSET_TYPE, walletId },
    { type: TYPE, collectionIds: [collectionId, of] },
  ]);
  const ask = (named: string): Promise<Answer> =>
    platform.post(terminalKey, "/api/payment-requests", {
      configId: config,
      value: nzd(450),
      lineItems: [line("coffee", 450)],
      collectionId: named,
    });
  const money = { assetType: ASSET_TYPE };
  const { body } = await ask(of);
  const accepted = { assetType: TYPE, amount: "50", acceptedCollections: [{ id: of }] };
  expect(body).toMatchObject({ collectionId: of, paymentOptions: [money, accepted] });
  const mode = "multi-asset-payment";
  const id = String(body["id"]);
  expect((await pay(id, await mint(), { mode })).body).toMatchObject({ message: "INSUFFICIENT_ASSET_VALUE" });
  expect((await pay(id, await mint(platform.wallet.accountId, of), { mode })).status).toBe(200);
  expect((await ask(other)).body["paymentOptions"]).toMatchObject([money]);
  expect((await ask(other)).body["paymentOptions"]).toHaveLength(1);

  const unknown = { status: 403, body: { message: "TOKEN_COLLECTION_NOT_FOUND" } };
  expect(await ask("c_none")).toMatchObject(unknown);
  const wrong = { status: 400, body: { message: "collectionId: must begin with c_" } };
  expect(await ask(of.slice(2))).toMatchObject(wrong);
});

test("other products take the place of a condition's, for requests that are made after", async () => {
  const { ownerAccountId, merchantId } = platform.merchant;
  const of = String(
    (await made("/api/collections", { name: "Free tea", accountId: ownerAccountId, type: "product" }))["id"],
  );
  const path = `/api/collections/${of}/redemption-conditions`;
  const product = (sku: string) => ({ sku, name: sku, maxValue: nzd(450) });
  const condition = await made(path, { merchantId, allowedProducts: [product("coffee")] });
  const config = await platform.newConfig([{ type: TYPE, collectionIds: [of] }]);
  const before = await request([line("coffee", 450)], config);

  const change = `${path}/${String(condition["id"])}/set-allowed-products`;
  const form = { allowedProducts: [product("tea")] };
  expect(await made(change, form)).toEqual({ ...condition, ...form });
  expect((await pay(before, await mint(platform.wallet.accountId, of))).status).toBe(200);
  const after = await request([line("tea", 450)], config);
  expect((await pay(after, await mint(platform.wallet.accountId, of))).status).toBe(200);
  await expect(request([line("coffee", 450)], config)).rejects.toThrow("NO_AVAILABLE_PAYMENT_OPTIONS");

  const elsewhere = `/api/collections/${collectionId}/redemption-conditions/${String(condition["id"])}`;
  expect((await post(`${elsewhere}/set-allowed-products`, form)).status).toBe(403);
  expect((await post(change, { allowedProducts: [] })).status).toBe(400);
});

test("a token is minted once a key, of a collection there is, and runs out when its collection says", async () => {
  const form = { collectionId, accountId: platform.wallet.accountId, idempotencyKey: "same" };
  expect((await post("/api/tokens", form)).status).toBe(200);
  expect((await post("/api/tokens", form)).body).toMatchObject({ message: "TOKEN_ALREADY_CREATED" });
  expect((await post("/api/tokens", { ...form, collectionId: "c_none" })).body).toMatchObject({
    message: "TOKEN_COLLECTION_NOT_FOUND",
  });
  expect((await post("/api/tokens", { ...form, collectionId: "none" })).status).toBe(400);
  expect(
    (await post("/api/tokens", { ...form, idempotencyKey: "other" }, platform.wallet.apiKey)).status,
  ).toBe(403);
  const { ownerAccountId, merchantId } = platform.merchant;
  const short = {
    name: "Today",
    accountId: ownerAccountId,
    type: "product",
    tokenExpiresAfter: { period: "hour", duration: 1 },
  };
  const of = String((await made("/api/collections", short))["id"]);
  await made(`/api/collections/${of}/redemption-conditions`, {
    merchantId,
    allowedProducts: [{ sku: "coffee", name: "Coffee", maxValue: nzd(450) }],
  });
  const config = await platform.newConfig([{ type: TYPE, collectionIds: [of] }]);
  const token = await mint(platform.wallet.accountId, of);
  platform.clock.advance(3_600_000);
  expect((await pay(await request([line("coffee", 450)], config), token)).body).toMatchObject({
    message: "INACTIVE_ASSET",
  });
});

test("a token that comes back after its end can be spent for thirty days more, and one without an end for ever", async () => {
  const { ownerAccountId, merchantId, terminalKey } = platform.merchant;
  const DAY_MS = 86_400_000;
  const tokenExpiresAfter = { period: "hour", duration: 1 };
  const short = { name: "Today", accountId: ownerAccountId, type: "product", tokenExpiresAfter };
  const of = String((await made("/api/collections", short))["id"]);
  const allowedProducts = [{ sku: "coffee", name: "Coffee", maxValue: nzd(450) }];
  await made(`/api/collections/${of}/redemption-conditions`, { merchantId, allowedProducts });
  const config = await platform.newConfig([{ type: TYPE, collectionIds: [of, collectionId] }]);
  const spent = async (token: string): Promise<string> => {
    const id = await request([line("coffee", 450)], config);
    expect((await pay(id, token)).status).toBe(200);
    return id;
  };
  const back = async (id: string): Promise<void> => {
    const answer = await post(at(id, "/refund"), { value: nzd(450), externalRef: "late" }, terminalKey);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  };
  const asset = async (id: string): Promise<Body> =>
    (await platform.get(platform.wallet.apiKey, `/api/assets/${id}`)).body;
  const ended = await mint(platform.wallet.accountId, of);
  const endless = await mint();
  const paid = [await spent(ended), await spent(endless)];
  platform.clock.advance(DAY_MS);
  for (const id of paid) await back(id);
  const expiresAt = new Date(platform.clock.nowMs() + 30 * DAY_MS).toISOString();
  expect(await asset(ended)).toMatchObject({ status: "active", expiresAt });
  expect(await asset(endless)).not.toHaveProperty("expiresAt");
  platform.clock.advance(30 * DAY_MS - 1);
  await spent(ended);
  await spent(endless);
});

test("assets are listed together, and an empty wallet or a token can be put away", async () => {
  const token = await mint();
  const { body } = await platform.get(
    platform.wallet.apiKey,
    `/api/accounts/${platform.wallet.accountId}/assets?paginationLimit=100`,
  );
  const items = body["items"] as readonly { readonly category: string }[];
  expect(new Set(items.map(({ category }) => category))).toEqual(new Set(["money", "token"]));
  const archive = (id: string) => post(`/api/assets/${id}/archive`, {}, platform.wallet.apiKey);
  expect((await archive(token)).body).toMatchObject({ status: "archived" });
  expect((await archive(platform.wallet.assetId)).body).toMatchObject({ message: "UNSUPPORTED_ASSET_TYPE" });
  const { body: list } = await platform.get(
    platform.merchant.ownerKey,
    `/api/accounts/${platform.merchant.ownerAccountId}/collections`,
  );
  expect(list["items"]).not.toHaveLength(0);
});

describe("a token with a code", () => {
  const minted = async (): Promise<{ readonly id: string; readonly code: string }> => {
    const form = { collectionId, idempotencyKey: `mint-${(keys += 1)}`, withCode: true };
    const { id, code } = await made("/api/tokens", form);
    return { id: String(id), code: String(code) };
  };
  const redeem = (id: string, authorization: string, assetType = TYPE): Promise<Answer> =>
    post(
      at(id, "/pay"),
      { assetType, authorization, idempotencyKey: `pay-${(keys += 1)}`, mode: "partial-payment" },
      platform.merchant.terminalKey,
    );
  const basket = (terminalId: string, lines = [line("coffee", 450), line("cake", 300)]): Promise<string> => {
    const total = String(lines.reduce((sum, { price }) => sum + Number(price), 0));
    const partial = { partialAllowed: true, basketAmount: total };
    return platform.request(total, { configId, lineItems: lines, terminalId, ...partial });
  };

  test("is spent by whoever has it, for its line alone, and comes back whole", async () => {
    const { id: token, code } = await minted();
    expect(code).toMatch(/^9[0-9]{3}( [0-9]{4}){4}$/);
    const id = await basket("A");
    expect((await redeem(id, code)).body).toMatchObject({ type: "payment", value: nzd(450) });
    const paid = await read(id);
    expect(paid).toMatchObject({
      status: "paid",
      remainingAmount: "300",
      paidBy: { assetTotals: [{ type: TYPE, lineItems: [{ sku: "coffee" }] }] },
    });
    expect(JSON.stringify(paid)).not.toContain("payerAccountId"); // nobody knows whose hand it was in
    expect((await redeem(await basket("A"), code)).body).toMatchObject({ message: "INACTIVE_ASSET" });
    const back = { value: nzd(450), externalRef: "not vended" };
    expect((await post(at(id, "/refund"), back, platform.merchant.terminalKey)).status).toBe(200);
    expect((await redeem(await basket("A"), code.replaceAll(" ", ""))).status).toBe(200);
    expect((await platform.get(platform.merchant.ownerKey, `/api/assets/${token}`)).body).toMatchObject({
      status: "archived",
    });
  });

  test("its text is nowhere in the database, and no later answer shows it", async () => {
    const { id, code } = await minted();
    await redeem(await basket("A"), code);
    const rows = await Promise.all(
      (["token", "operation", "activity", "payment"] as const).map((table) =>
        platform.store.read.selectFrom(table).selectAll().execute(),
      ),
    );
    expect(JSON.stringify(rows)).not.toContain(code.replaceAll(" ", ""));
    expect(JSON.stringify(rows)).not.toContain(code);
    expect((await platform.get(platform.merchant.ownerKey, `/api/assets/${id}`)).body).not.toHaveProperty(
      "code",
    );
  });

  test("is no use where none of its products are", async () => {
    const { code } = await minted();
    const other = [line("cake", 300)];
    expect((await redeem(await basket("A", other), code)).body).toMatchObject({
      message: "INVALID_ASSET_TYPE",
    });
  });

  test("wrong ones slow their terminal down, and no other", async () => {
    for (let tries = 0; tries < 5; tries += 1)
      expect((await redeem(await basket("slow"), "9111 1111 1111 1111 1119")).body).toMatchObject({
        message: "ASSET_REDEMPTION_DENIED",
      });
    const { code } = await minted();
    expect((await redeem(await basket("slow"), code)).body).toMatchObject({ message: "RATE_LIMIT_EXCEEDED" });
    expect((await redeem(await basket("quick"), code)).status).toBe(200);
  });

  test("only who asks for a code gets one, and neither its code nor an asset pays for the other's type", async () => {
    expect(
      await made("/api/tokens", { collectionId, idempotencyKey: `mint-${(keys += 1)}` }),
    ).not.toHaveProperty("code");
    const { code } = await minted();
    expect((await redeem(await basket("A"), code, ASSET_TYPE)).status).toBe(400);
  });
});
