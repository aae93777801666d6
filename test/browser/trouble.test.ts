/** What a customer and an owner read when a sale did not end as it should, in a real browser. Skipped without Debian's chromium. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Rig, type SaleView } from "../rig/rig.js";
import { hasChromium, openChromium } from "./chromium.js";

let rig: Rig;
let browser: Browser;
beforeAll(async () => {
  if (!hasChromium) return;
  rig = await Rig.start({ cloud: { unknownRefundCap: 0, unknownAfterMs: 1_000 } });
  browser = await openChromium();
});
afterAll(async () => {
  if (!hasChromium) return;
  await browser.close();
  await rig[Symbol.asyncDispose]();
});

/** A phone that scanned the sticker while this sale of its own was under way. */
async function phoneOf(sale: SaleView): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  await page.goto(`${rig.file.machines[0]?.url ?? ""}?sale=${sale.id}`);
  return page;
}
async function ownersPage(path: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  await page.goto(`${rig.file.cloudUrl}/owner${path}`);
  await page.getByLabel("API key").fill(rig.file.keys.owner);
  await page.getByRole("button", { name: "Show my machines" }).click();
  return page;
}

test.runIf(hasChromium)(
  "when the network goes in a session, the page says that it is over and what comes back, and lets go",
  async () => {
    await using cutOff = await Rig.start({ cloud: { sessionMs: 3_000, goMs: 2_000 } });
    await cutOff.ready();
    const sale = await cutOff.begun("400");
    await cutOff.vmc("session");
    await cutOff.faults({ networkDown: true });
    const phone = await browser.newPage({ viewport: { width: 360, height: 740 } });
    await phone.goto(`${cutOff.file.machines[0]?.url ?? ""}?sale=${sale.id}`);
    await phone.getByRole("button", { name: "Cancel and refund" }).click();
    await phone.getByText("You have asked to stop").waitFor();
    await phone.reload();
    await phone.getByText("You have asked to stop").waitFor();
    await phone.getByRole("heading", { name: "The machine cannot be reached" }).waitFor();
    const text = await phone.locator("main").innerText();
    expect(text).toContain("can no longer be used");
    expect(text).not.toMatch(/of credit|asked to stop\. /);
    await phone.getByRole("button", { name: "Buy something else" }).click();
    await phone.getByText("Check words").waitFor();
    await cutOff.heal();
    expect(await cutOff.reaches(sale.id, "settled")).toMatchObject({ refunded: { amount: "400" } });
    await phone.close();
  },
  180_000, // a rig of its own is started in it
);

test.runIf(hasChromium)(
  "who may have got nothing is not told to enjoy it, and is promised nothing",
  async () => {
    await rig.ready();
    await rig.faults({ slowCoilMs: 4_000, jam: true });
    const sale = await rig.begun("400");
    const phone = await phoneOf(sale);
    await rig.select(12);
    await rig.reaches(sale.id, "vending");
    await rig.power(false);
    await rig.power(true);
    await phone.getByRole("heading", { name: "Counted as given out" }).waitFor({ timeout: 45_000 });
    await phone.getByText(`tell the operator this reference: ${sale.id}`).waitFor();
    const text = await phone.locator("main").innerText();
    expect(text).not.toMatch(/Enjoy|will not lose|person/);
    expect(text.match(/could not say whether/g)).toHaveLength(1);
    await rig.heal();
    await phone.close();
  },
);

test.runIf(hasChromium)(
  // The last of them: it leaves the merchant with nothing to refund from.
  "a refund that is declined is owed: the customer reads it and can go on, the owner sees what to do",
  async () => {
    await rig.ready();
    const sale = await rig.begun("400");
    await rig.vmc("session");
    const { ownerAccountId: accountId, merchantWalletId: walletId, keys } = rig.file;
    const value = { amount: "400", currency: "NZD" };
    const emptied = { accountId, walletId, type: "voucher.nzd.test", value };
    expect((await rig.api("POST", "/api/vouchers", emptied, keys.owner)).status).toBe(200);
    await rig.sim("POST", "/cancel", {});

    const phone = await phoneOf(sale);
    await phone.getByRole("heading", { name: "NZ$4.00 is owed to you" }).waitFor();
    await phone.getByText(`tell the operator this reference: ${sale.id}`).waitFor();
    const owner = await ownersPage("");
    await owner.getByRole("link", { name: /1 sale to look at/ }).click();
    const owing = owner.getByRole("region", { name: "Owed to the customer, and the refund is refused" });
    await owing.getByText("is there enough in the merchant's wallet?").waitFor();

    await phone.getByRole("button", { name: "Buy something else" }).click();
    await phone.getByRole("button", { name: "NZ$4.00", exact: true }).click();
    await rig.begun("400"); // what the next customer pays is enough
    await owing.waitFor({ state: "detached" });
    expect(await rig.reaches(sale.id, "settled")).toMatchObject({ refunded: value });
    await Promise.all([phone.close(), owner.close()]);
  },
);
