/** An owner with an API key, on a phone and at a desk, in a real browser. Needs Debian's chromium; says so where there is none. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, Rig } from "../rig/rig.js";
import { hasChromium, openChromium } from "./chromium.js";

/** Where pictures of the pages are put, if somebody wants to look at them. */
const pictures = process.env["PICTURES"];
let rig: Rig;
let browser: Browser;
beforeAll(async () => {
  if (!hasChromium) return;
  rig = await Rig.start({ machines: 3 });
  browser = await openChromium();
  await Promise.all(["SNACK1", "SNACK2", "SNACK3"].map((code) => rig.ready(code)));
  const sale = await rig.begun("400");
  await rig.select(11);
  await rig.reaches(sale.id, "settled");
  const simulator = `${rig.file.simulatorUrl}/api/machines`;
  await call("POST", `${simulator}/SNACK2/power`, { on: false });
  await call("POST", `${simulator}/SNACK3/faults`, { serialUnplugged: true });
});
afterAll(async () => {
  if (!hasChromium) return;
  await browser.close();
  await rig[Symbol.asyncDispose]();
});

async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}
const isWide = (page: Page): Promise<unknown> =>
  page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth");

test.runIf(hasChromium).each([
  ["a phone", 360, 740],
  ["a desk", 1280, 800],
])(
  "on %s the owner sees which machines sell and why one does not, and what one has sold",
  async (_, width, height) => {
    const page = await browser.newPage({ viewport: { width, height } });
    const errors: string[] = [];
    const asked: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(`${rig.file.cloudUrl}/owner`);

    await page.getByLabel("API key").fill("nobody.key");
    await page.getByRole("button", { name: "Show my machines" }).click();
    await page.getByText("This key is not accepted").waitFor();
    await page.getByLabel("API key").fill(rig.wallet().apiKey);
    await page.getByRole("button", { name: "Show my machines" }).click();
    await page.getByText("Nothing here is this key's").waitFor();
    await picture(page, `owner-refused-${width}`);
    await page.getByRole("button", { name: "Forget the key" }).click();
    await page.getByLabel("API key").fill(rig.file.keys.owner);
    await picture(page, `owner-door-${width}`);
    await page.getByRole("button", { name: "Show my machines" }).click();

    await page.getByRole("link", { name: /Snack machine 1.*Selling/s }).waitFor();
    await page.getByRole("link", { name: /Snack machine 2.*Offline.*Since/s }).waitFor();
    await page.getByRole("link", { name: /Snack machine 3.*Not selling/s }).waitFor();
    await page.getByText("The adapter is not connected").waitFor();
    await page.getByText("1 sells, 2 do not").waitFor();
    expect(await isWide(page)).toBe(false);
    await picture(page, `owner-list-${width}`);

    await page.getByRole("link", { name: /Snack machine 1/ }).click();
    await page.getByRole("heading", { name: "Snack machine 1" }).waitFor();
    const sale = page.getByRole("listitem").filter({ hasText: "Salted crisps" });
    await sale.getByText("NZ$1.50 back").waitFor();
    await page.getByText("Controller runs for").waitFor();
    expect(await isWide(page)).toBe(false);
    await picture(page, `owner-machine-${width}`);

    await page
      .getByText(/^Reference /)
      .last()
      .click(); // as the customer read it out
    await page.getByText("NZ$1.50 refunded").waitFor();
    await page.goBack();

    await page.reload(); // the tab still knows the key
    await page.getByRole("heading", { name: "Snack machine 1" }).waitFor();
    await page.getByRole("link", { name: "All machines" }).click();
    await page.getByRole("link", { name: /Snack machine 3/ }).click();
    await page.getByText(/Look at its cable and its power/).waitFor();
    await page.goto(`${rig.file.cloudUrl}/owner/NOWHERE`);
    await page.getByText("There is no such machine of yours").waitFor();
    await page.getByRole("button", { name: "Forget the key" }).click();
    await page.reload();
    await page.getByLabel("API key").waitFor();

    for (const address of [page.url(), ...asked]) expect(address).not.toContain(rig.file.keys.owner);
    expect(errors).toEqual([]);
    await page.close();
  },
);

test.runIf(hasChromium)("the owner gives back what a product cost, after a second thought", async () => {
  const sale = await rig.begun("400");
  await rig.select(11);
  await rig.reaches(sale.id, "settled");
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  await page.goto(`${rig.file.cloudUrl}/owner/SNACK1`);
  await page.getByLabel("API key").fill(rig.file.keys.owner);
  await page.getByRole("button", { name: "Show my machines" }).click();
  const listed = page.getByRole("listitem").filter({ hasText: sale.id });
  const offer = listed.getByRole("button", { name: "Give NZ$2.50 back for Salted crisps" });
  await offer.click();
  await listed.getByRole("button", { name: "Keep it" }).click();
  await offer.click();
  await picture(page, "owner-give-back-360");
  expect(await isWide(page)).toBe(false);
  await listed.getByRole("button", { name: "Give it back" }).click();
  await listed.getByText("NZ$4.00 back").waitFor();
  await listed.getByText("You gave back what it cost").waitFor();
  expect(await listed.getByRole("button").count()).toBe(0);
  expect(await rig.sale(sale.id)).toMatchObject({ refunded: { amount: "400" }, vended: [] });
  await page.close();
});

test.runIf(hasChromium)("another tab knows nothing of the key", async () => {
  const tabs = await browser.newContext();
  const page = await tabs.newPage();
  await page.goto(`${rig.file.cloudUrl}/owner/SNACK1`);
  await page.getByLabel("API key").fill(rig.file.keys.owner);
  await page.getByRole("button", { name: "Show my machines" }).click();
  await page.getByRole("heading", { name: "Snack machine 1" }).waitFor();
  const other = await tabs.newPage();
  await other.goto(`${rig.file.cloudUrl}/owner/SNACK1`);
  await other.getByLabel("API key").waitFor();
  expect(await other.evaluate("Object.values(localStorage).join()")).not.toContain(rig.file.keys.owner);
  await tabs.close();
});
