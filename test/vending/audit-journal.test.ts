/** The machine's own count over a real broker and database: what it gives back, what it leaves, and that it does so once. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JournalLine } from "../../broker/protocol/messages.js";
import { Cloud, Machine, OTHER } from "./cloud.js";

let cloud: Cloud;
let machine: Machine;
beforeAll(async () => {
  cloud = await Cloud.start({ webhooks: true });
  machine = await Machine.connect(cloud);
  await machine.online();
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
});

/** One machine's journal, line by line. */
class Journal {
  #entry = 0;
  readonly id: string;
  readonly #of: Machine;
  constructor(id: string, of = machine) {
    this.id = id;
    this.#of = of;
  }
  get last(): number {
    return this.#entry;
  }
  async say(...lines: readonly JournalLine[]): Promise<void> {
    for (const line of lines) await this.#of.report(this.id, (this.#entry += 1), line);
    await this.#of.heard(this.id, this.#entry);
  }
  count(vends: number, since = 0): Promise<void> {
    return this.say({ kind: "audit", since, items: [{ item: 11, vends }] });
  }
}
type How = "unknown" | "assumed" | "succeeded";
/** A sale of 4.00 whose vend of 2.50 ended so. */
async function vended(
  journal: Journal,
  how: How,
): Promise<{ readonly id: string; readonly paymentRequestId: string }> {
  const sale = await machine.sale(`${journal.id}-${journal.last}`);
  await cloud.pay(sale.paymentRequestId);
  const { grantId } = await machine.grant(sale.id);
  await journal.say({ kind: "accepted", grantId });
  await machine.next("go", (go) => go.grantId === grantId);
  const vend = { grantId, vend: 1, item: 11, priceMinor: 250 };
  await journal.say(
    { kind: "opened", grantId },
    { kind: "approved", ...vend },
    how === "unknown"
      ? { kind: "unknown", ...vend, reason: "serial" }
      : { kind: "succeeded", ...vend, assumed: how === "assumed", late: false },
    { kind: "closed", grantId, reason: how === "unknown" ? "unknown" : "done" },
  );
  await cloud.reaches(sale.id, how === "unknown" ? "unknown" : "settled");
  return sale;
}
const story = async (id: string): Promise<string> => JSON.stringify((await cloud.sale(id))["timeline"]);

test("an unknown vend that was not counted is refunded at once, and one that was counted is paid", async () => {
  const before = await cloud.balance();
  const journal = new Journal("unknown");
  const { id } = await vended(journal, "unknown");
  await journal.count(0);
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" }, vended: [] });
  expect(await story(id)).toContain("own count says that Crisps did not come out");
  expect(await cloud.balance()).toBe(before);

  const since = journal.last;
  const other = await vended(journal, "unknown");
  await journal.count(1, since);
  expect(await cloud.reaches(other.id, "settled")).toMatchObject({ refunded: { amount: "150" } });
  expect(await story(other.id)).toContain("own count says that Crisps (NZD 2.50) came out");
  expect(await cloud.balance()).toBe(before - 250);
});

test("an assumed vend that was not counted is given back, and only once however often it is counted", async () => {
  const before = await cloud.balance();
  const journal = new Journal("assumed");
  const { id } = await vended(journal, "assumed");
  expect(await cloud.balance()).toBe(before - 250);
  await journal.count(0);
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" }, vended: [] });
  await journal.count(0);
  await journal.count(1);
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" } });
  expect(await cloud.balance()).toBe(before);
});

test("what the merchant gave back by hand, whole or in part, is not given twice", async () => {
  for (const byHand of [250, 100]) {
    const before = await cloud.balance();
    const journal = new Journal(`by-hand-${byHand}`);
    const { id, paymentRequestId } = await vended(journal, "assumed");
    const refund = await cloud.call(
      "POST",
      `/api/payment-requests/${paymentRequestId}/refund`,
      { value: { amount: String(byHand), currency: "NZD" }, externalRef: "by hand" },
      cloud.merchant.ownerKey,
    );
    expect(refund.status).toBe(200);
    await journal.count(0);
    expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" } });
    expect(await cloud.balance()).toBe(before);
  }
});

test("a platform that loses its answers or is away is asked again, and gives back once", async () => {
  const before = await cloud.balance();
  const journal = new Journal("lost-answers");
  const { id } = await vended(journal, "assumed");
  let calls = 0;
  cloud.relay = ({ path }) => {
    if (path.includes("/activities")) return (calls += 1) <= 1 ? "down" : "pass";
    return path.endsWith("/refund") && calls <= 2 ? "loseAnswer" : "pass";
  };
  await journal.count(0);
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" } });
  cloud.relay = () => "pass";
  expect(calls).toBeGreaterThan(1);
  expect(await cloud.balance()).toBe(before);
});

test("a count is about the vends between two readings, in this journal of this machine, and about no others", async () => {
  const journal = new Journal("between");
  const { id } = await vended(journal, "unknown");
  const afterwards = journal.last;
  await journal.count(0, afterwards);
  await using other = await Machine.connect(cloud, OTHER);
  await other.online();
  await new Journal("between", other).count(0);
  await new Journal("another").count(0);
  expect(await cloud.sale(id)).toMatchObject({ state: "unknown" });
  await journal.count(1, 0);
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "150" } });
});

test("counts that do not add up decide nothing", async () => {
  const journal = new Journal("strange");
  await vended(journal, "succeeded");
  const { id } = await vended(journal, "unknown");
  await journal.count(0); // behind what the machine itself said
  await journal.count(3); // somebody else sells, too
  expect(await cloud.sale(id)).toMatchObject({ state: "unknown" });
  await journal.count(1);
  expect(await cloud.reaches(id, "settled")).toMatchObject({ refunded: { amount: "400" } });
});
