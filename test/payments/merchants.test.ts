/** Merchants and their configs: where they may be, what they may take, and what strangers find. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASSET_TYPE, CURRENCY, openPlatform, type Answer, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const place = { street: "1 Quay Street", city: "Auckland", country: "NZ", lat: "-36.8442", lng: 174.768 };
const form = (more: object = {}): object => ({
  accountId: platform.merchant.ownerAccountId,
  name: "Corner Café",
  country: "NZ",
  test: true,
  ...more,
});
const create = (more: object = {}, key = platform.merchant.ownerKey): Promise<Answer> =>
  platform.post(key, "/api/merchants", form(more));
const newMerchant = async (more: object = {}): Promise<string> => String((await create(more)).body["id"]);
const search = async (query: string): Promise<Answer> => platform.get("", `/api/merchants/search?${query}`);

describe("a merchant", () => {
  test("is made with all that is said of it", async () => {
    const { ownerAccountId, ownerKey } = platform.merchant;
    const said = { type: "physical", location: place, categoryCode: "5814", metadata: { site: "7" } };
    const { status, body } = await create({ ...said, settlementConfig: {} });
    const crn = `crn:${ownerAccountId}:api-key:owner`;
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        id: expect.any(String) as unknown,
        accountId: ownerAccountId,
        name: "Corner Café",
        country: "NZ",
        test: true,
        ...said,
        onboardingStatus: "active",
        createdAt: "2026-11-23T00:00:00.000Z",
        createdBy: crn,
        modifiedAt: "2026-11-23T00:00:00.000Z",
        modifiedBy: crn,
        version: "1",
      },
    });
    expect((await platform.get(ownerKey, `/api/merchants/${String(body["id"])}`)).body).toEqual(body);
  });

  // prettier-ignore
  test.each<[what: string, more: object, status: number, message: string]>([
    ["a country that is not the account's",   { country: "AU" },                                     403, "ACCOUNT_REGION_MISMATCH"],
    ["live money in a test account",          { test: false },                                       403, "LIVENESS_MISMATCH"],
    ["a bank account that is not there",      { settlementConfig: { bankAccountId: "b" } },          403, "BANK_ACCOUNT_MISMATCH"],
    ["an account that is not there",          { accountId: "missing" },                              403, "Forbidden"],
    ["no liveness",                           { test: undefined },                                   400, "test: "],
    ["a country in words",                    { country: "New Zealand" },                            400, "country: must be a country code of two capital letters"],
    ["a category code that is none",          { categoryCode: "58a4" },                              400, "categoryCode: must be a merchant category code of four digits"],
    ["a place without a city",                { location: { street: "1 Quay Street", country: "NZ" } }, 400, "location.city: "],
    ["too much metadata",                     { metadata: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`k${n}`, "v"])) }, 400, "metadata: must have at most 10 keys"],
    ["metadata that is not text",             { metadata: { a: 1 } },                                400, "metadata.a: "],
    ["another type",                          { type: "kiosk" },                                     400, "type: must be one of physical, e-commerce"],
  ])("is not made with %s", async (_what, more, status, message) => {
    const answer = await create(more);
    expect(answer.status).toBe(status);
    expect(answer.body["message"]).toContain(message);
  });

  test("belongs to an org", async () => {
    const { accountId, apiKey } = platform.wallet;
    const answer = await create({ accountId }, apiKey);
    expect(answer).toMatchObject({ status: 403, body: { message: "Forbidden" } });
  });

  test("of a live account may be live, and is not active before it is looked at", async () => {
    const { ownerAccountId: accountId, ownerKey } = await platform.newMerchant();
    await platform.store.write((tx) =>
      tx.updateTable("account").set({ test: 0 }).where("id", "=", accountId).execute(),
    );
    const live = await create({ accountId, test: false, name: "Live One" }, ownerKey);
    expect(live.body).toMatchObject({ test: false, onboardingStatus: "applied" });
    expect((await create({ accountId, test: true }, ownerKey)).body).toMatchObject({
      test: true,
      onboardingStatus: "active",
    });
    expect((await search("name=live%20one")).body).toMatchObject({ items: [], totalItems: 0 });
  });

  test("changes what is said of it, and never whose it is, where it is, or whether it is a test", async () => {
    const { ownerKey, ownerAccountId } = platform.merchant;
    const id = await newMerchant({ categoryCode: "5814" });
    const put = (change: object) => platform.put(ownerKey, `/api/merchants/${id}`, change);
    const whole = (await platform.get(ownerKey, `/api/merchants/${id}`)).body;
    expect((await put({ ...whole, name: "Corner Store", type: "e-commerce" })).body).toMatchObject({
      name: "Corner Store",
      type: "e-commerce",
      categoryCode: "5814",
      accountId: ownerAccountId,
      version: "2",
    });
    expect((await put({ accountId: "other" })).body["message"]).toBe("accountId: cannot be changed");
    expect((await put({ test: false })).body["message"]).toBe("LIVENESS_MISMATCH");
    expect((await put({ country: "AU" })).body["message"]).toBe("ACCOUNT_REGION_MISMATCH");
    expect((await put({ settlementConfig: { bankAccountId: "b" } })).body["message"]).toBe(
      "BANK_ACCOUNT_MISMATCH",
    );
    expect((await search("name=corner%20store")).body).toMatchObject({ items: [{ id }] });
  });

  test("is listed with its account's others, newest first, a page at a time", async () => {
    const { ownerAccountId: accountId, ownerKey, merchantId } = await platform.newMerchant();
    const at = `/api/accounts/${accountId}/merchants?paginationLimit=1`;
    platform.clock.advance(1);
    const { id } = (await create({ accountId }, ownerKey)).body;
    const first = await platform.get(ownerKey, at);
    expect(first.body).toMatchObject({ items: [{ id }] });
    const second = await platform.get(ownerKey, `${at}&pageKey=${String(first.body["nextPageKey"])}`);
    expect(second.body).toMatchObject({ items: [{ id: merchantId }] });
    expect(second.body).not.toHaveProperty("nextPageKey");
  });
});

describe("a search", () => {
  test("needs no key, and shows only what anyone may know", async () => {
    const id = await newMerchant({ name: "Zephyr Kiosk", location: place, metadata: { secret: "s" } });
    const { status, body } = await search("name=ZEPHYR");
    expect(status).toBe(200);
    expect(body).toEqual({
      items: [{ id, name: "Zephyr Kiosk", country: "NZ", test: true, location: place }],
      totalItems: 1,
    });
  });

  test("goes by any part of the name in any case, and takes every character as it is", async () => {
    await newMerchant({ name: "Tī Kōuka 100%_Juice" });
    for (const name of ["TĪ KŌUKA", "100%_", "uice"])
      expect((await search(`name=${encodeURIComponent(name)}`)).body["totalItems"], name).toBe(1);
    for (const name of ["100__", "%%", "\\"])
      expect((await search(`name=${encodeURIComponent(name)}`)).body["totalItems"], name).toBe(0);
  });

  test("is paged, and says how many there are", async () => {
    for (let n = 0; n < 3; n += 1) {
      platform.clock.advance(1);
      await newMerchant({ name: `Paged ${n}` });
    }
    const names: unknown[] = [];
    for (let key = ""; ;) {
      const { body } = await search(`name=paged&paginationLimit=2${key}`);
      expect(body["totalItems"]).toBe(3);
      names.push(...(body["items"] as readonly { readonly name: string }[]).map(({ name }) => name)); // as published
      if (body["nextPageKey"] === undefined) break;
      key = `&pageKey=${body["nextPageKey"] as string}`; // as published
    }
    expect(names).toEqual(["Paged 2", "Paged 1", "Paged 0"]);
    expect((await search("name=paged&country=AU")).body).toEqual({ items: [], totalItems: 0 });
    expect((await search("paginationLimit=0")).status).toBe(400);
  });
});

describe("a merchant config", () => {
  const configs = (id = platform.merchant.merchantId): string => `/api/merchants/${id}/configs`;
  const make = (paymentOptions: unknown, more: object = {}) =>
    platform.post(platform.merchant.ownerKey, configs(), { paymentOptions, ...more });
  const wallet = async (currency: string, of = platform.merchant): Promise<string> => {
    const { body } = await platform.post(of.ownerKey, "/api/wallets", {
      accountId: of.ownerAccountId,
      currency,
    });
    return String(body["id"]);
  };

  test("is made, found, changed, and takes payments", async () => {
    const { ownerKey, walletId, merchantId, terminalKey } = platform.merchant;
    const paymentOptions = [
      { type: ASSET_TYPE, walletId },
      { type: "paypal.test", paypalStoreId: "store", paypalMerchantAccountId: "m" },
    ];
    const allowedRedirectUrls = ["https://shop.example/back"];
    const { status, body } = await make(paymentOptions, { allowedRedirectUrls });
    expect(status).toBe(200);
    expect(body).toMatchObject({ merchantId, paymentOptions, allowedRedirectUrls, version: "1" });
    const id = String(body["id"]);
    expect(id).toMatch(/^mc_/);
    expect((await platform.get(ownerKey, `/api/merchant-configs/${id}`)).body).toEqual(body);
    expect((await platform.get(ownerKey, configs())).body).toEqual(expect.arrayContaining([body]));

    const value = { amount: "350", currency: CURRENCY };
    const request = await platform.post(terminalKey, "/api/payment-requests", {
      configId: id,
      value,
      redirectPaidUrl: "https://shop.example/back?x=1",
    });
    expect(request.body).toMatchObject({ paymentOptions: [{ assetType: ASSET_TYPE, amount: "350" }] });
    const aud = { type: "centrapay.aud.test", walletId: await wallet("AUD") };
    const changed = await platform.put(ownerKey, `${configs()}/${id}`, { paymentOptions: [aud] });
    expect(changed.body).toMatchObject({ paymentOptions: [aud], allowedRedirectUrls, version: "2" });
    expect((await platform.pay(String(request.body["id"]))).status).toBe(200); // as it was made
    const again = await platform.post(terminalKey, "/api/payment-requests", { configId: id, value });
    expect(again.body).toMatchObject({ message: "NO_AVAILABLE_PAYMENT_OPTIONS" });
  });

  test("keeps only options that can be paid", async () => {
    const { walletId } = platform.merchant;
    const foreign = (await platform.newMerchant()).walletId;
    const aud = await wallet("AUD");
    const archived = await wallet("NZD");
    await platform.post(platform.merchant.ownerKey, `/api/assets/${archived}/archive`);
    // prettier-ignore
    const rows: readonly [option: object, message: string][] = [
      [{ type: ASSET_TYPE },                                          "INVALID_WALLET_TYPE"],
      [{ type: ASSET_TYPE, walletId: aud },                           "INVALID_WALLET_TYPE"],
      [{ type: ASSET_TYPE, walletId: foreign },                       "INVALID_WALLET_TYPE"],
      [{ type: ASSET_TYPE, walletId: "missing" },                     "INVALID_WALLET_TYPE"],
      [{ type: ASSET_TYPE, walletId: archived },                      "INVALID_WALLET_TYPE"],
      [{ type: "voucher.nzd.test" },                                  "INVALID_WALLET_TYPE"],
      [{ type: "voucher.nzd.test", walletId: aud },                   "INVALID_WALLET_TYPE"],
      [{ type: "external.test", walletId },                           "INVALID_WALLET_TYPE"],
      [{ type: "centrapay.token.test", walletId },                    "INVALID_WALLET_TYPE"],
      [{ type: "centrapay.nzd.main", walletId },                      "LIVENESS_MISMATCH"],
      [{ type: "bitcoin.main" },                                      "LIVENESS_MISMATCH"],
      [{ type: "centrapay.token.test", collectionIds: ["c_nothing"] }, "COLLECTIONS_INVALID"],
      [{ type: ASSET_TYPE, walletId, collectionIds: [] },             "COLLECTIONS_INVALID"],
    ];
    for (const [option, message] of rows)
      expect(await make([option]), JSON.stringify(option)).toMatchObject({ status: 403, body: { message } });
    for (const option of [
      { type: "external.test" },
      { type: "voucher.nzd.test", walletId },
      { type: "centrapay.token.test" },
    ])
      expect((await make([option])).status, JSON.stringify(option)).toBe(200);
  });

  test("whose wallet was put away since is paid by its other options alone", async () => {
    const { ownerKey, ownerAccountId: accountId, merchantId, terminalKey } = await platform.newMerchant();
    const form = { accountId, currency: "NZD" };
    const walletId = String((await platform.post(ownerKey, "/api/wallets", form)).body["id"]);
    const paymentOptions = [{ type: ASSET_TYPE, walletId }, { type: "external.test" }];
    const config = await platform.post(ownerKey, configs(merchantId), { paymentOptions });
    await platform.post(ownerKey, `/api/assets/${walletId}/archive`);
    const value = { amount: "350", currency: CURRENCY };
    const asked = { configId: config.body["id"], value };
    expect((await platform.post(terminalKey, "/api/payment-requests", asked)).body).toMatchObject({
      paymentOptions: [{ assetType: "external.test" }],
    });
  });

  test("names collections that are there, each once", async () => {
    const { ownerKey, ownerAccountId: accountId } = platform.merchant;
    const { body } = await platform.post(ownerKey, "/api/collections", {
      name: "Coffee",
      accountId,
      type: "product",
    });
    const option = (...ids: readonly unknown[]) => [{ type: "centrapay.token.test", collectionIds: ids }];
    expect((await make(option(body["id"]))).status).toBe(200);
    expect((await make(option(body["id"], body["id"]))).body).toMatchObject({
      message: "COLLECTIONS_INVALID",
    });
  });

  test("of a live merchant takes no test money", async () => {
    const { merchantId, ownerKey, walletId } = await platform.newMerchant();
    await platform.store.write((tx) =>
      tx.updateTable("merchant").set({ test: 0 }).where("id", "=", merchantId).execute(),
    );
    const post = (option: object) =>
      platform.post(ownerKey, configs(merchantId), { paymentOptions: [option] });
    expect((await post({ type: ASSET_TYPE, walletId })).body).toMatchObject({ message: "LIVENESS_MISMATCH" });
    expect((await post({ type: "centrapay.nzd.main", walletId })).body).toMatchObject({
      message: "INVALID_WALLET_TYPE",
    });
    expect((await post({ type: "external.main" })).status).toBe(200);
  });

  test("is refused when it says nothing that can be read", async () => {
    const { walletId, ownerKey } = platform.merchant;
    const option = { type: ASSET_TYPE, walletId };
    for (const wrong of [
      [],
      "x",
      [{}],
      [{ type: "nzd" }],
      [{ type: "Centrapay.nzd.test" }],
      [option, option],
    ])
      expect((await make(wrong)).status, JSON.stringify(wrong)).toBe(400);
    for (const url of ["ftp://shop.example", "shop.example", "javascript:alert(1)"])
      expect((await make([option], { allowedRedirectUrls: [url] })).status, url).toBe(400);
    const wrongId = await platform.get(ownerKey, "/api/merchant-configs/5ee168e8597be5002af7b454");
    expect(wrongId).toMatchObject({ status: 400, body: { message: "configId: must begin with mc_" } });
    expect((await platform.get(ownerKey, "/api/merchant-configs/mc_missing")).status).toBe(403);
  });

  test("is changed only under its own merchant", async () => {
    const { ownerKey, configId, walletId } = platform.merchant;
    const other = await newMerchant({ name: "Other" });
    const body = { paymentOptions: [{ type: ASSET_TYPE, walletId }] };
    const at = `${configs(other)}/${configId}`;
    expect(await platform.put(ownerKey, at, body)).toMatchObject({
      status: 403,
      body: { message: "Forbidden" },
    });
  });

  test("comes in a number that a list can hold", async () => {
    const id = await newMerchant({ name: "Many" });
    const paymentOptions = [{ type: "external.test" }];
    const post = () => platform.post(platform.merchant.ownerKey, configs(id), { paymentOptions });
    for (let n = 0; n < 100; n += 1) await post();
    expect((await post()).body).toMatchObject({ message: "QUOTA_EXCEEDED" });
  });
});
