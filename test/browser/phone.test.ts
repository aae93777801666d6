/** What can come between a customer's phone and the machine, in a real browser. Needs Debian's chromium; says so where there is none. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { hasChromium, openChromium } from "./chromium.js";
import { Rig } from "../rig/rig.js";

const SHOP = "shop.test"; // a name of its own, without TLS: no secure context
let rig: Rig;
let browser: Browser;
beforeAll(async () => {
  if (!hasChromium) return;
  rig = await Rig.start();
  browser = await openChromium(SHOP);
});
afterAll(async () => {
  if (!hasChromium) return;
  await browser.close();
  await rig[Symbol.asyncDispose]();
});
beforeEach(async () => {
  if (hasChromium) await rig.ready();
});

/** The machine's address with a test wallet in it, on a phone of its own that has remembered nothing. */
async function scan(n: number, base = rig.file.cloudUrl): Promise<Page> {
  const wallet = Buffer.from(JSON.stringify({ ...rig.wallet(n), name: "Pocket money" }));
  const page = await browser.newPage({ viewport: { width: 360, height: 740 }, locale: "en-NZ" });
  await page.goto(`${base}/m/${rig.code}#wallet=${wallet.toString("base64url")}`);
  return page;
}
const press = (page: Page, name: string): Promise<void> =>
  page.getByRole("button", { name, exact: true }).click();

test.runIf(hasChromium)(
  "on plain http under a name of its own a customer buys and pays all the same",
  async () => {
    const page = await scan(0, rig.file.cloudUrl.replace(/\/\/[^:]+/, `//${SHOP}`));
    expect(await page.evaluate("isSecureContext")).toBe(false);
    await press(page, "$4.00");
    await press(page, "Continue with $4.00");
    await press(page, "Pay $4.00 from wallet");
    await page.getByText("Choose at the machine").first().waitFor();
    await press(page, "Cancel and refund");
    await page.getByText("$4.00 refunded").waitFor();
    await page.close();
  },
);

test.runIf(hasChromium)("what goes wrong on the page itself gives the button back, and is said", async () => {
  const page = await scan(0);
  await press(page, "$4.00");
  await page.evaluate("Crypto.prototype.getRandomValues = () => { throw new Error('no chance'); }");
  await press(page, "Continue with $4.00");
  await page.getByText("Something went wrong on our side").waitFor();
  expect(await page.getByRole("button", { name: "Continue with $4.00" }).isEnabled()).toBe(true);

  await page.reload();
  await press(page, "$4.00");
  await press(page, "Continue with $4.00");
  await page.getByRole("button", { name: "Pay $4.00 from wallet" }).waitFor();
  await page.evaluate("Crypto.prototype.getRandomValues = () => { throw new Error('no chance'); }");
  await press(page, "Pay $4.00 from wallet");
  await page.getByText("Something went wrong on our side").waitFor();
  expect(await page.getByRole("button", { name: "Pay $4.00 from wallet" }).isEnabled()).toBe(true);
  await press(page, "Cancel");
  await page.getByText("This purchase was stopped").waitFor();
  await page.close();
});
