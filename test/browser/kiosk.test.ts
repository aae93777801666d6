/** The machine's own screen in Chromium, at the sizes such screens have: what is chosen is scanned there, and a voucher typed. */
import { join } from "node:path";
import { tmpdir } from "node:os";
import jsQR from "jsqr";
import type { Browser, Page } from "playwright-core";
import { PNG } from "pngjs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Rig, until } from "../rig/rig.js";
import { hasChromium, openChromium } from "./chromium.js";

let rig: Rig;
let browser: Browser;
let page: Page;
const CRISPS = 11;
beforeAll(async () => {
  if (!hasChromium) return;
  rig = await Rig.start({ driver: "mdb-hex", selectFirst: true });
  browser = await openChromium();
  page = await browser.newPage();
});
afterAll(async () => {
  if (!hasChromium) return;
  await browser.close();
  await rig[Symbol.asyncDispose]();
});
beforeEach(async () => {
  if (!hasChromium) return;
  await rig.ready();
  await rig.vmc("enabled");
});
const says = (text: string): Promise<void> =>
  page.getByText(text, { exact: true }).waitFor({ timeout: 40_000 });
const screenUrl = (): string => rig.file.machines[0]?.screenUrl ?? "";
const shot = async (name: string): Promise<PNG> =>
  PNG.sync.read(await page.screenshot({ path: join(tmpdir(), `kiosk-${name}.png`) }));

describe.runIf(hasChromium)("the screen", () => {
  test.each([
    [480, 320],
    [800, 480],
    [320, 480],
  ])("at %i x %i the code fills the screen and a phone reads it", async (width, height) => {
    await page.setViewportSize({ width, height });
    await page.goto(screenUrl());
    await says("Scan the QR code, or show your barcode");
    await rig.select(CRISPS);
    await says("Scan to pay NZD 2.50");
    const { qr } = (await rig.sim("GET", "")).body as { readonly qr: string };
    await until("the picture", () =>
      page.evaluate<boolean>(
        "[...document.images].every(({ complete, naturalWidth }) => complete && naturalWidth > 0)",
      ),
    );
    const { data } = await shot(`${width}x${height}`);
    expect(jsQR.default(new Uint8ClampedArray(data), width, height)?.data).toBe(qr);
    const box = await page.getByAltText("Scan this code to pay").boundingBox();
    expect(box?.width).toBeGreaterThan(0.6 * Math.min(width, height));
    expect(await page.evaluate("document.documentElement.scrollHeight")).toBe(height);
    await rig.sim("POST", "/cancel", {});
    await says("Scan the QR code, or show your barcode");
  });

  test("who pays what the screen shows is told what came of it", async () => {
    await rig.faults({ jam: true });
    await rig.select(CRISPS);
    await page.goto(screenUrl());
    await says("Scan to pay NZD 2.50");
    const { qr } = (await rig.sim("GET", "")).body as { readonly qr: string };
    const phone = await browser.newPage({ viewport: { width: 360, height: 740 } });
    await phone.goto(`${qr}${rig.walletHash(1, "Test wallet 2")}`);
    await phone.getByRole("button", { name: "Pay NZ$2.50 from wallet" }).click();
    await phone.getByText("NZ$2.50 refunded").waitFor();
    expect(new URL(phone.url()).pathname).toBe("/m/SNACK1");
    await phone.goto(qr); // scanned once more, it leads there as well
    await phone.getByText("NZ$2.50 refunded").waitFor();
    await phone.close();
    await rig.faults({ jam: false });
  });

  test("a voucher is typed on the screen, and what it holds is the credit", async () => {
    const [voucher] = rig.file.vouchers;
    if (voucher === undefined) throw new Error("the rig has no voucher");
    await page.setViewportSize({ width: 480, height: 320 });
    await page.goto(screenUrl());
    await page.getByRole("button", { name: "I have a voucher code" }).click();
    await shot("keypad");
    await page.getByRole("button", { name: "1", exact: true }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    for (const digit of voucher.code.replaceAll(" ", ""))
      await page.getByRole("button", { name: digit, exact: true }).click();
    expect(await page.getByLabel("Voucher code").textContent()).toBe(voucher.code);
    await page.getByRole("button", { name: "OK" }).click();
    await rig.vmc("session");
    await rig.sim("POST", "/cancel", {});
    await rig.vmc("enabled");
  });

  test("a controller that is gone is said, and so is that it is back", async () => {
    await page.goto(screenUrl());
    await page.getByRole("status").waitFor();
    await rig.power(false);
    await says("One moment. This screen is starting");
    await rig.power(true);
    await until(
      "shown again",
      async () => (await page.getByRole("status").textContent()) === "Scan the QR code, or show your barcode",
    );
  });
});
