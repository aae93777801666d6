/** A customer with a phone and a machine beside it, in a real browser. Needs Debian's chromium; says so where there is none. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hasChromium, openChromium } from "./chromium.js";
import { Rig } from "../rig/rig.js";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
let rig: Rig;
let browser: Browser;
beforeAll(async () => {
  if (!hasChromium) return;
  rig = await Rig.start();
  browser = await openChromium();
});
afterAll(async () => {
  if (!hasChromium) return;
  await browser.close();
  await rig[Symbol.asyncDispose]();
});

/** A page whose every error is a failed test. */
async function open(
  url: string,
  width: number,
  height: number,
): Promise<{ readonly page: Page; readonly errors: string[] }> {
  const page = await browser.newPage({ viewport: { width, height } });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
}

test.runIf(hasChromium)(
  "a sale is clicked through beside the machine, from the amount to the refund",
  async () => {
    await rig.ready();
    const { page, errors } = await open(rig.file.simulatorUrl, 1366, 768);
    const phone = page.frameLocator("iframe");
    await phone.getByRole("button", { name: "NZ$4.00", exact: true }).click();
    await phone.getByRole("button", { name: "Continue with NZ$4.00" }).click();
    await phone.getByRole("button", { name: "Pay NZ$4.00 from wallet" }).click();
    await phone.getByText("Choose at the machine").first().waitFor();
    await rig.vmc("session");
    for (const key of ["1", "1", "Confirm"])
      await page
        .getByRole("group", { name: "Keypad" })
        .getByRole("button", { name: key, exact: true })
        .click();
    await phone.getByText("NZ$1.50 refunded").waitFor();
    expect(await phone.locator("body").innerText()).toContain("Salted crisps");
    expect(errors).toEqual([]);
    await page.close();
  },
);

test.runIf(hasChromium)(
  "the customer's page fits a small phone, and tells a jam and its refund in plain words",
  async () => {
    await rig.ready();
    const { page, errors } = await open(
      `${rig.file.machines[0]?.url ?? ""}${rig.walletHash(1, "Test wallet 2")}`,
      320,
      640,
    );
    const wide = await page.evaluate("document.documentElement.scrollWidth");
    expect(wide).toBeLessThanOrEqual(320);
    expect(page.url()).not.toContain("wallet=");
    await rig.faults({ jam: true });
    await page.getByRole("button", { name: /Cola/ }).click();
    await page.getByRole("button", { name: "Continue with NZ$3.50" }).click();
    await page.getByRole("button", { name: "Pay NZ$3.50 from wallet" }).click();
    await rig.select(22);
    await page.getByText("NZ$3.50 refunded").waitFor();
    await page.reload();
    await page.getByText("NZ$3.50 refunded").waitFor(); // the receipt outlives the page
    await rig.faults({ jam: false });
    expect(errors).toEqual([]);
    await page.close();
  },
);

test.runIf(hasChromium)("nobody else's page shows ours within its own", async () => {
  const { port } = new URL(rig.file.simulatorUrl); // whose page shows the customer's, as above
  const framers = [
    [`m/${rig.code}`, `http://*:${port}`],
    ["owner", "'none'"],
  ] as const;
  for (const [place, framer] of framers) {
    const { headers } = await fetch(`${rig.file.cloudUrl}/${place}`);
    expect(headers.get("content-security-policy")).toContain(`; frame-ancestors ${framer}`);
  }
});

test.runIf(hasChromium)("a machine's page shows the check words that its label has printed", async () => {
  const out = join(rig.dir, "label.pdf");
  const argv = [program, "label", "--rig", "--data", join(rig.dir, "data"), "--out", out, "--json"];
  const { stdout } = spawnSync(process.execPath, argv, { encoding: "utf8" });
  const words = /"checkWords":"([a-z]+ [a-z]+)"/.exec(stdout)?.[1] ?? "none printed";
  const { page, errors } = await open(rig.file.machines[0]?.url ?? "", 320, 640);
  await page.getByText(words, { exact: true }).waitFor();
  expect(errors).toEqual([]);
  await page.close();
});

test.runIf(hasChromium)(
  "the power can be pulled on the page in mid-vend, and the customer is told the truth",
  async () => {
    await rig.ready();
    await rig.faults({ slowCoilMs: 3_000 });
    const { page } = await open(rig.file.simulatorUrl, 1366, 768);
    const phone = page.frameLocator("iframe");
    await phone.getByRole("button", { name: "NZ$4.00", exact: true }).click();
    await phone.getByRole("button", { name: "Continue with NZ$4.00" }).click();
    await phone.getByRole("button", { name: "Pay NZ$4.00 from wallet" }).click();
    await rig.vmc("session");
    for (const key of ["1", "2", "Confirm"])
      await page
        .getByRole("group", { name: "Keypad" })
        .getByRole("button", { name: key, exact: true })
        .click();
    await phone.getByText("On its way").waitFor();
    const power = page.getByRole("switch", { name: "Controller power" });
    await power.click();
    await page.waitForFunction(
      "document.querySelector('[role=switch]').getAttribute('aria-checked') === 'false'",
    );
    await power.click();
    await phone
      .getByText(/could not say whether the product came out/)
      .first()
      .waitFor();
    await page.close();
  },
);
