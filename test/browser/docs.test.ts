/** The API's reference page in a real browser, with nothing to reach but the platform itself. Needs Debian's chromium. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hasChromium, openChromium } from "./chromium.js";
import { openPlatform, type Platform } from "../payments/platform.js";

let platform: Platform;
let browser: Browser;
beforeAll(async () => {
  if (!hasChromium) return;
  platform = await openPlatform();
  browser = await openChromium();
});
afterAll(async () => {
  if (!hasChromium) return;
  await browser.close();
  await platform.close();
});

test.runIf(hasChromium)(
  "it shows every operation, asks nobody else, and breaks none of its own rules",
  async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const errors: string[] = [];
    const asked = new Set<string>();
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    page.on("request", (request) => asked.add(new URL(request.url()).origin));
    await page.goto(`${platform.url}/docs`);
    const operations = page.locator(".opblock");
    await operations.nth(platform.contract.operations.length - 1).waitFor();
    expect(await operations.count()).toBe(platform.contract.operations.length);
    expect(await page.title()).toBe("Payments");

    const one = page.locator("#operations-Assets-topUpTestAsset");
    await one.locator(".opblock-summary").click();
    await one.getByText("Experimental: may be changed or removed without warning.").waitFor();
    await one.getByText("RATE_LIMIT_EXCEEDED").waitFor();
    await one.getByText("IDEMPOTENT_OPERATION_FAILED").waitFor();
    expect({ errors, asked: [...asked] }).toEqual({ errors: [], asked: [platform.url] });
  },
);
