/** Accounts made by accounts: who manages whom, what never changes, and how a new one gets its first key. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPlatform, type Platform } from "./platform.js";

let platform: Platform;
beforeAll(async () => (platform = await openPlatform()));
afterAll(() => platform.close());

const forbidden = { status: 403, body: { message: "Forbidden" } };
const org = { name: "Corner Shop Ltd", type: "org", region: "NZ" };
const newAccount = async (form: object = org, key = platform.merchant.ownerKey): Promise<string> =>
  String((await platform.post(key, "/api/accounts", form)).body["id"]);
const newKey = async (
  key: string,
  accountId: string,
  name: string,
  role = "account-owner",
): Promise<string> =>
  String((await platform.post(key, `/api/accounts/${accountId}/api-keys`, { name, role })).body["secret"]);

describe("an account", () => {
  test("is made by another, and says so", async () => {
    const { ownerAccountId, ownerKey } = platform.merchant;
    const { status, body } = await platform.post(ownerKey, "/api/accounts", org);
    const crn = `crn:${ownerAccountId}:api-key:owner`;
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        id: expect.any(String) as unknown,
        ...org,
        test: true,
        parentAccountId: ownerAccountId,
        subscriptions: [],
        createdAt: "2026-11-23T00:00:00.000Z",
        createdBy: crn,
        modifiedAt: "2026-11-23T00:00:00.000Z",
        modifiedBy: crn,
        version: "1",
      },
    });
    expect((await platform.get(ownerKey, `/api/accounts/${String(body["id"])}`)).body).toEqual(body);
  });

  test("that was set up by hand can be read, too", async () => {
    const { ownerAccountId, ownerKey } = platform.merchant;
    expect((await platform.get(ownerKey, `/api/accounts/${ownerAccountId}`)).body).toMatchObject({
      id: ownerAccountId,
      type: "org",
      region: "NZ",
      test: true,
      createdBy: "crn::service:provision",
      modifiedAt: "2026-11-23T00:00:00.000Z",
      version: "1",
    });
  });

  test("of a person needs no region, and of an org needs one that there is", async () => {
    const post = (form: object) => platform.post(platform.merchant.ownerKey, "/api/accounts", form);
    expect((await post({ name: "Ada", type: "individual" })).body).not.toHaveProperty("region");
    expect((await post({ name: "x", type: "org" })).body["message"]).toBe("region: is required for an org");
    for (const wrong of [{ region: "GB" }, { type: "club" }, { name: "" }, { test: "yes" }])
      expect((await post({ ...org, ...wrong })).status, JSON.stringify(wrong)).toBe(400);
  });

  test("of a test account is a test account", async () => {
    const post = (test: boolean) =>
      platform.post(platform.merchant.ownerKey, "/api/accounts", { ...org, test });
    expect((await post(true)).body).toMatchObject({ test: true });
    expect(await post(false)).toMatchObject({ status: 403, body: { message: "LIVENESS_MISMATCH" } });
  });

  test("of a live account is a live account", async () => {
    const live = await platform.newMerchant();
    const { ownerAccountId: id, ownerKey } = live;
    await platform.store.write((tx) =>
      tx.updateTable("account").set({ test: 0 }).where("id", "=", id).execute(),
    );
    const post = (form: object) => platform.post(ownerKey, "/api/accounts", form);
    expect((await post(org)).body).toMatchObject({ test: false });
    expect((await post({ ...org, test: true })).body).toMatchObject({ message: "LIVENESS_MISMATCH" });
    expect(await platform.get(ownerKey, "/api/test/clock")).toMatchObject(forbidden);
  });

  test("belongs to nobody but its maker", async () => {
    const { ownerAccountId, ownerKey } = platform.merchant;
    const other = await platform.newMerchant();
    const post = (owner: string) => platform.post(ownerKey, "/api/accounts", { ...org, owner });
    expect((await post(ownerAccountId)).status).toBe(200);
    for (const owner of [other.ownerAccountId, "missing"]) expect(await post(owner)).toMatchObject(forbidden);
  });

  test("changes its name, keeps its type, liveness and region, and counts its versions", async () => {
    const { ownerKey } = platform.merchant;
    const id = await newAccount();
    const put = (change: object) => platform.put(ownerKey, `/api/accounts/${id}`, change);
    platform.clock.advance(1_000);
    const whole = (await platform.get(ownerKey, `/api/accounts/${id}`)).body;
    expect((await put({ ...whole, name: "Corner Store" })).body).toMatchObject({
      name: "Corner Store",
      region: "NZ",
      createdAt: whole["createdAt"],
      modifiedAt: new Date(platform.clock.nowMs()).toISOString(),
      version: "2",
    });
    expect((await put({ type: "individual" })).body["message"]).toBe("type: cannot be changed");
    expect((await put({ region: "AU" })).body["message"]).toBe("region: cannot be changed");
    expect((await put({ test: false })).body["message"]).toBe("LIVENESS_MISMATCH");
    const person = await newAccount({ name: "Ada", type: "individual" });
    const given = await platform.put(ownerKey, `/api/accounts/${person}`, { region: "AU" });
    expect(given.body).toMatchObject({ region: "AU", version: "2" });
  });
});

describe("an account's maker", () => {
  test("makes its first key, and that key is the account's own", async () => {
    const id = await newAccount();
    const key = await newKey(platform.merchant.ownerKey, id, "first");
    expect((await platform.get(key, `/api/accounts/${id}`)).body).toMatchObject({ id });
    const made = await platform.post(key, "/api/wallets", { accountId: id, currency: "NZD" });
    expect(made).toMatchObject({ status: 200, body: { accountId: id } });
    const keys = await platform.get(platform.merchant.ownerKey, `/api/accounts/${id}/api-keys`);
    expect(keys.body).toMatchObject([
      { name: "first", createdBy: `crn:${platform.merchant.ownerAccountId}:api-key:owner` },
    ]);
  });

  test("may disable its keys, for one that is lost", async () => {
    const id = await newAccount();
    const key = await newKey(platform.merchant.ownerKey, id, "lost");
    const at = `/api/accounts/${id}/api-keys/lost`;
    expect((await platform.put(platform.merchant.ownerKey, at, { enabled: false })).status).toBe(200);
    expect((await platform.get(key, `/api/accounts/${id}`)).status).toBe(401);
  });

  test("has no say in anything else of it, and none at all in what it makes in turn", async () => {
    const { ownerKey, ownerAccountId } = platform.merchant;
    const child = await newAccount();
    const childKey = await newKey(ownerKey, child, "owner");
    const grandchild = await newAccount(org, childKey);
    for (const path of [
      `/api/accounts/${child}/assets`,
      `/api/accounts/${child}/merchants`,
      `/api/accounts/${grandchild}`,
      `/api/accounts/${grandchild}/api-keys`,
    ])
      expect(await platform.get(ownerKey, path), path).toMatchObject(forbidden);
    expect(
      await platform.post(ownerKey, `/api/accounts/${grandchild}/api-keys`, {
        name: "k",
        role: "account-owner",
      }),
    ).toMatchObject(forbidden);
    expect(await platform.get(childKey, `/api/accounts/${ownerAccountId}`)).toMatchObject(forbidden);
    expect(await platform.get(childKey, `/api/accounts/${ownerAccountId}/api-keys`)).toMatchObject(forbidden);
  });

  test("must be its owner: a terminal makes no accounts and manages none", async () => {
    const id = await newAccount();
    const { terminalKey } = platform.merchant;
    expect(await platform.post(terminalKey, "/api/accounts", org)).toMatchObject(forbidden);
    expect(await platform.get(terminalKey, `/api/accounts/${id}`)).toMatchObject(forbidden);
    const till = await newKey(platform.merchant.ownerKey, id, "till", "merchant-terminal");
    expect(await platform.get(till, `/api/accounts/${id}`)).toMatchObject(forbidden);
  });

  test("makes no keys for an account that is not there", async () => {
    const form = { name: "k", role: "account-owner" };
    expect(
      await platform.post(platform.merchant.ownerKey, "/api/accounts/missing/api-keys", form),
    ).toMatchObject(forbidden);
  });
});
