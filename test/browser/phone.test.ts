/** What can come between a customer's phone and the machine, in a real browser. Needs Debian's chromium; says so where there is none. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import jsQR from "jsqr";
import { PNG } from "pngjs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { hasChromium, openChromium } from "./chromium.js";
import { Rig } from "../rig/rig.js";

const made = z.looseObject({ id: z.string() });
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
  const page = await browser.newPage({ viewport: { width: 360, height: 740 }, locale: "en-NZ" });
  await page.goto(`${base}/m/${rig.code}${rig.walletHash(n, "Pocket money")}`);
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

const startSale = "**/api/vending/machines/*/sales";

test.runIf(hasChromium)(
  "a lost answer does not lock its customer out of the machine that is held for them",
  async () => {
    const page = await scan(1);
    await press(page, "$4.00");
    let asked = 0;
    await page.route(startSale, async (route) => {
      asked += 1;
      if (asked > 1) return route.continue();
      await route.fetch(); // the sale is made, and its answer never comes
      return route.abort();
    });
    await press(page, "Continue with $4.00");
    await page.getByText("Connection lost. Trying again.").first().waitFor();
    await page.getByRole("button", { name: "Pay $4.00 from wallet" }).waitFor();
    expect(asked).toBe(2);
    await press(page, "Cancel");
    await page.getByText("This purchase was stopped").waitFor();
    await page.close();
  },
);

test.runIf(hasChromium)("nor does it when the page is opened again meanwhile", async () => {
  const page = await scan(1);
  await page.getByRole("button", { name: /Cola/ }).click();
  let fetched = false;
  await page.route(startSale, async (route) => {
    if (!fetched) await route.fetch();
    fetched = true;
    return route.abort();
  });
  await press(page, "Continue with $3.50");
  await page.getByText("Connection lost. Trying again.").first().waitFor();
  await page.unrouteAll({ behavior: "wait" });
  await page.reload();
  await press(page, "Pay $3.50 from wallet");
  await page.getByText("Your choice").waitFor(); // what was tapped is remembered, too
  await press(page, "Cancel and refund");
  await page.getByText("$3.50 refunded").waitFor();
  await page.close();
});

test.runIf(hasChromium)(
  "an address typed in small letters leads to the machine, and to the same page as its code",
  async () => {
    const page = await browser.newPage({ viewport: { width: 360, height: 740 }, locale: "en-NZ" });
    await page.goto(`${rig.file.cloudUrl}/m/${rig.code.toLowerCase()}`);
    await page.getByText("Check words").waitFor();
    expect(new URL(page.url()).pathname).toBe(`/m/${rig.code}`);
    await page.close();
  },
);

test.runIf(hasChromium)(
  "a wallet shows its barcode, a machine reads it, and the wallet pays what the machine asks for",
  async () => {
    const page = await scan(2);
    await page.getByRole("link", { name: "Wallet" }).click();
    await page.setViewportSize({ width: 320, height: 640 });
    await page.route("**/api/patron-codes", async (route) => {
      const response = await route.fetch();
      const made = z.looseObject({ expiresAt: z.string() }).parse(await response.json());
      await route.fulfill({ response, json: { ...made, expiresAt: "2026-01-01T00:00:00.000Z" } });
    });
    await press(page, "Show my barcode");
    await page.getByText("This barcode is too old").waitFor();
    expect(await page.locator(".digits").count()).toBe(0);
    await page.unrouteAll({ behavior: "wait" });
    await press(page, "Make a new one");
    const picture = page.getByAltText("QR code of your barcode");
    await expect
      .poll(() => page.evaluate("document.querySelector('.barcode img').naturalWidth > 0"))
      .toBe(true);
    await page.getByText(/^Good for [45]:/).waitFor();
    const digits = await page.locator(".digits").innerText();
    const { x = 0, width: wide = 0 } = (await page.locator(".digits").boundingBox()) ?? {};
    expect(x + wide).toBeLessThanOrEqual(320 - 32);
    const { data, width, height } = PNG.sync.read(await picture.screenshot());
    expect(jsQR.default(new Uint8ClampedArray(data), width, height)?.data).toBe(digits);

    await press(page, "Make a new one");
    await expect.poll(() => page.locator(".digits").innerText()).not.toBe(digits);
    await page.reload(); // what a machine asks for is found without the barcode that it read

    const beside = await browser.newPage();
    await beside.goto(rig.file.simulatorUrl);
    await beside.getByLabel("Code to scan or type").fill(digits);
    await press(beside, "Scan");
    await rig.shows("Pay NZD 10.00 in your wallet now");
    await page.getByRole("link", { name: "Go on to pay $10.00" }).click();
    await press(page, "Pay $10.00 from wallet");
    await rig.shows("Paid. Choose at the machine");
    await rig.select(11);
    await page.goto(`${rig.file.cloudUrl}/wallet`);
    await page.getByText("+$7.50").waitFor();
    await beside.close();
    await page.close();
  },
);

/** A phone that asked under this key on an earlier visit, and never heard of it. */
async function unanswered(key: string): Promise<Page> {
  const page = await scan(1);
  await page.evaluate(`localStorage.setItem("scanvend.attempt.sale.${rig.code}", "${key} 400NZD")`);
  await page.reload();
  return page;
}
async function overSale(key: string): Promise<void> {
  const { body } = await rig.ask("400", key);
  const { id } = z.object({ id: z.string() }).parse(body);
  await rig.api("POST", `/api/vending/sales/${id}/cancel`, {});
  await rig.reaches(id, "cancelled");
}

test.runIf(hasChromium)(
  "a wish whose sale has ended unheard of begins a new sale when it is tapped again",
  async () => {
    await overSale("ended-unheard-of");
    const page = await unanswered("ended-unheard-of");
    await press(page, "$4.00");
    await press(page, "Continue with $4.00");
    await page.getByRole("button", { name: "Pay $4.00 from wallet" }).waitFor();
    await press(page, "Cancel");
    await page.getByText("This purchase was stopped").waitFor();
    await page.close();
  },
);

test.runIf(hasChromium)(
  "what an earlier visit asked for is not bought behind the customer's back",
  async () => {
    await overSale("of-last-week");
    const other = await rig.begin("600");
    const page = await unanswered("of-last-week");
    await page.getByText("Somebody else is buying").waitFor();
    const remembered = `localStorage.getItem("scanvend.attempt.sale.${rig.code}")`;
    await expect.poll(() => page.evaluate(remembered)).toBeNull();
    await rig.api("POST", `/api/vending/sales/${other.id}/cancel`, {});
    await page.getByText("Choose an item or an amount").waitFor();
    expect(await rig.machineState()).toBe("ready");
    await page.close();
  },
);

test.runIf(hasChromium)(
  "a shop that sent the browser to pay gets it back, with what was to be paid",
  async () => {
    const shop = createServer((_request, response) => response.end("<title>shop</title>thank you"));
    await new Promise<void>((resolve) => shop.listen(0, "127.0.0.1", resolve));
    const { port } = shop.address() as AddressInfo; // TCP: an AddressInfo
    const back = `http://127.0.0.1:${port}/back`;
    const { owner } = rig.file.keys;
    const known = await rig.api("GET", `/api/merchant-configs/${rig.file.configId}`, undefined, owner);
    const { merchantId, paymentOptions } = known.body as { merchantId: string; paymentOptions: object[] };
    const path = `/api/merchants/${merchantId}/configs`;
    const config = { paymentOptions, allowedRedirectUrls: [back] };
    const { id: configId } = made.parse((await rig.api("POST", path, config, owner)).body);
    const asked = { configId, value: { amount: "100", currency: "NZD" } };
    const urls = { redirectPaidUrl: `${back}/paid`, redirectCancelUrl: `${back}/no` };
    const { id } = made.parse(
      (await rig.api("POST", "/api/payment-requests", { ...asked, ...urls }, owner)).body,
    );

    const [payer, stranger] = [await scan(0), await browser.newPage()];
    for (const page of [payer, stranger]) {
      await page.goto(`${rig.file.cloudUrl}/pay/${id}`);
      const link = page.getByRole("link", { name: /^Back to / });
      expect(await link.getAttribute("href")).toBe(`${back}/no?paymentRequestId=${id}`);
    }
    await press(payer, "Pay $1.00 from wallet");
    for (const page of [payer, stranger]) {
      await page.waitForURL(`${back}/paid?paymentRequestId=${id}`);
      await page.close();
    }
    shop.closeAllConnections();
    shop.close();
  },
);
