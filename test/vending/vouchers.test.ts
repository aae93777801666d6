/** A voucher's code typed at the machine: what it opens, what goes back to it, and what a wrong one leaves behind: nothing. */
import { expect, test } from "vitest";
import { MACHINE, Cloud, Machine } from "./cloud.js";

const TAKEN = "Voucher taken: NZD 4.00. What you do not spend stays on it";
const UNKNOWN = "No voucher has this code. Check it and try again";
const wrong = "1111 1111 1111 1111 1117";

let questions = 0;
/** Types a code at a machine that says yes, and answers what its display is to show. */
async function type(machine: Machine, value: string, requestId = `r${(questions += 1)}`): Promise<string> {
  await machine.say("request", { requestId, kind: "voucher", value });
  const { reservationId } = await machine.next("reserve");
  await machine.say("reserved", { reservationId, ok: true });
  return (await machine.next("answer", (answer) => answer.requestId === requestId)).show;
}
async function rows(cloud: Cloud) {
  return cloud.store.read.selectFrom("sale").selectAll().orderBy("created_ms").execute();
}
/** The sale's story, a sentence a line. */
async function told(cloud: Cloud, saleId: string): Promise<readonly string[]> {
  const { timeline } = await cloud.sale(saleId);
  return (timeline as readonly { readonly text: string }[]).map(({ text }) => text);
}
async function free(cloud: Cloud): Promise<void> {
  await expect
    .poll(
      async () => (await cloud.call("GET", `/api/vending/machines/${MACHINE.toUpperCase()}`)).body["state"],
    )
    .toBe("ready");
}
/** Every payment request there is, by how it ended. */
async function requests(cloud: Cloud): Promise<readonly string[]> {
  const all = await cloud.store.read.selectFrom("payment_request").select("status").execute();
  return all.map(({ status }) => status);
}

test("a voucher gives the credit it holds; what is not vended goes back to it; its code is kept nowhere", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const code = await cloud.voucher(400);
  expect(await type(machine, code)).toBe(TAKEN);
  const { grantId, saleId, amountMinor } = await machine.next("grant");
  expect(amountMinor).toBe(400);
  const vend = { grantId, vend: 1, item: 11, priceMinor: 250 };
  await machine.report("j", 1, { kind: "accepted", grantId });
  await machine.report("j", 2, { kind: "approved", ...vend });
  await machine.report("j", 3, { kind: "succeeded", ...vend, assumed: false, late: false });
  await machine.report("j", 4, { kind: "closed", grantId, reason: "done" });
  expect(await cloud.reaches(saleId, "settled")).toMatchObject({
    credit: { amount: "400" },
    refunded: { amount: "150" },
  });
  expect(await told(cloud, saleId)).toContain("NZD 1.50 is back on your voucher.");
  const everything = JSON.stringify([
    await rows(cloud),
    await cloud.store.read.selectFrom("sale_note").selectAll().execute(),
    await cloud.store.read.selectFrom("payment_request").selectAll().execute(),
  ]);
  expect(everything).not.toContain(code);
  expect(await type(machine, code)).toBe(TAKEN.replace("4.00", "1.50"));
});

test("one worth more than the machine takes gives what it takes, and keeps the rest", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const code = await cloud.voucher(3_000);
  expect(await type(machine, code)).toContain("NZD 20.00");
  const { grantId, saleId, amountMinor } = await machine.next("grant");
  expect(amountMinor).toBe(2_000);
  await machine.report("j", 1, { kind: "refused", grantId, reason: "busy" });
  await cloud.reaches(saleId, "settled");
  const balances = await cloud.store.read
    .selectFrom("voucher")
    .innerJoin("ledger_account", "ledger_account.id", "voucher.id")
    .select(["balance_minor", "status"])
    .execute();
  expect(balances).toEqual([{ balance_minor: 3_000, status: "active" }]);
});

test("wrong codes are refused in words and leave nothing open; too many, and the terminal waits", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  for (let tries = 0; tries < 5; tries += 1) {
    expect(await type(machine, wrong)).toBe(UNKNOWN);
    await free(cloud);
  }
  expect(await type(machine, await cloud.voucher(400))).toMatch(/^Too many tries\. Wait [0-9]+ seconds$/);
  await expect.poll(() => requests(cloud)).toEqual(Array(6).fill("cancelled"));
  await expect
    .poll(async () => (await rows(cloud)).map(({ state }) => state))
    .toEqual(Array(6).fill("cancelled"));
  expect(JSON.stringify(await rows(cloud))).not.toContain(wrong);
});

test("one that is used up is told apart from one that never was", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const code = await cloud.voucher(400);
  expect(await type(machine, code)).toBe(TAKEN);
  const { grantId, saleId } = await machine.next("grant");
  const vend = { grantId, vend: 1, item: 11, priceMinor: 400 };
  await machine.report("j", 1, { kind: "accepted", grantId });
  await machine.report("j", 2, { kind: "approved", ...vend });
  await machine.report("j", 3, { kind: "succeeded", ...vend, assumed: false, late: false });
  await machine.report("j", 4, { kind: "closed", grantId, reason: "done" });
  await cloud.reaches(saleId, "settled");
  expect(await type(machine, code)).toBe("That voucher is used up or has expired");
});

test("a payment whose answer is lost is paid once", async () => {
  await using cloud = await Cloud.start({ webhooks: false });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const code = await cloud.voucher(400);
  let lost = 0;
  cloud.relay = ({ path }) => (path.endsWith("/pay") && (lost += 1) === 1 ? "loseAnswer" : "pass");
  expect(await type(machine, code)).toBe(TAKEN);
  expect((await machine.next("grant")).amountMinor).toBe(400);
  const paid = await cloud.store.read.selectFrom("payment").selectAll().execute();
  expect(paid).toHaveLength(1);
});

test("a voucher that cannot be tried in time is given up: what it may have paid comes back, and nothing vends", async () => {
  await using cloud = await Cloud.start({ webhooks: false, terms: { requestMs: 600 } });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  const code = await cloud.voucher(400);
  let hides = true;
  cloud.relay = ({ method, path }) => {
    if (!hides || path === "/api/payment-requests") return "pass";
    return path.endsWith("/pay")
      ? "loseAnswer"
      : method === "GET" && cloud.calls.some((call) => call.endsWith("/pay"))
        ? "down"
        : "pass";
  };
  expect(await type(machine, code)).toBe("Cannot pay just now. Try again");
  expect(JSON.stringify(await rows(cloud))).not.toContain(code);
  hides = false;
  await expect.poll(async () => (await rows(cloud)).map(({ state }) => state)).toEqual(["cancelled"]);
  expect(await type(machine, code)).toBe(TAKEN);
});

/** More in the machine than crisps at one place. */
async function fill(cloud: Cloud): Promise<void> {
  const of = { machine_id: MACHINE, failures: 0 };
  const more = [
    { ...of, item: 12, name: "Crisps", price_minor: 200, sku: "crisps" },
    { ...of, item: 21, name: "Cola", price_minor: 350, sku: "cola" },
    { ...of, item: 31, name: "Gum", price_minor: 150, sku: null },
  ];
  await cloud.store.write((tx) => tx.insertInto("machine_item").values(more).execute());
}

test("a product's code opens the machine for that product alone, and is spent whole", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  await fill(cloud);
  const code = await cloud.productCode();
  expect(await type(machine, code)).toBe("Choose 11 or 12: Crisps");
  const { grantId, saleId, amountMinor, items, maxVends } = await machine.next("grant");
  expect({ amountMinor, items, maxVends }).toEqual({ amountMinor: 250, items: [11, 12], maxVends: 1 });
  const vend = { grantId, vend: 1, item: 12, priceMinor: 200 };
  await machine.report("j", 1, { kind: "accepted", grantId });
  await machine.report("j", 2, { kind: "opened", grantId });
  await machine.report("j", 3, { kind: "denied", grantId, item: 21, priceMinor: 350, reason: "notGranted" });
  await machine.report("j", 4, { kind: "approved", ...vend });
  await machine.report("j", 5, { kind: "succeeded", ...vend, assumed: false, late: false });
  await machine.report("j", 6, { kind: "closed", grantId, reason: "done" });
  const sale = await cloud.reaches(saleId, "settled");
  expect(sale).toMatchObject({ credit: { amount: "250" }, refunded: { amount: "0" } });
  const texts = (sale["timeline"] as readonly { readonly text: string }[]).map(({ text }) => text);
  expect(texts).toContain("Crisps is paid for. Choose it at the machine's keypad.");
  expect(texts).toContain("What was paid for is something else than Cola.");
  expect(JSON.stringify(await rows(cloud))).not.toContain(code);
  expect(await type(machine, code)).toBe("That voucher is used up or has expired");
});

test("a product that did not fall leaves its code as it was", async () => {
  await using cloud = await Cloud.start({ webhooks: false }); // the request itself is asked what was paid for
  await using machine = await Machine.connect(cloud);
  await machine.online();
  await fill(cloud);
  const code = await cloud.productCode();
  expect(await type(machine, code)).toBe("Choose 11 or 12: Crisps");
  const { grantId, saleId } = await machine.next("grant");
  const vend = { grantId, vend: 1, item: 11, priceMinor: 250 };
  await machine.report("j", 1, { kind: "accepted", grantId });
  await machine.report("j", 2, { kind: "approved", ...vend });
  await machine.report("j", 3, { kind: "failed", ...vend, late: false });
  await machine.report("j", 4, { kind: "closed", grantId, reason: "failed" });
  expect(await cloud.reaches(saleId, "settled")).toMatchObject({ refunded: { amount: "250" } });
  expect(await told(cloud, saleId)).toContain("Your code is good again.");
  expect(await type(machine, code)).toBe("Choose 11 or 12: Crisps");
});

test("where its product is not, it is refused and stays good", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  await fill(cloud);
  const code = await cloud.productCode();
  const known = (sku: string | null) =>
    cloud.store.write((tx) => tx.updateTable("machine_item").set({ sku }).execute());
  const refusal = "This machine does not take that voucher";
  await known(null);
  await machine.say("request", { requestId: "none", kind: "voucher", value: code });
  expect((await machine.next("answer", ({ requestId }) => requestId === "none")).show).toBe(refusal);
  await known("cola");
  expect(await type(machine, code)).toBe(refusal);
  await free(cloud);
  await known("crisps");
  expect(await type(machine, code)).toMatch(/^Choose /);
});

test("a wrong code for a product is refused as any other", async () => {
  await using cloud = await Cloud.start({ webhooks: true });
  await using machine = await Machine.connect(cloud);
  await machine.online();
  expect(await type(machine, "9111 1111 1111 1111 1119")).toBe(UNKNOWN);
  await free(cloud);
});
