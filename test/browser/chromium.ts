/** Debian's Chromium, for the tests that click: where it is, and how it is started without asking the network for anything. */
import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";
/** Where it is not, the tests that need it are skipped, and this has said so. */
export const hasChromium = existsSync(CHROMIUM);
if (!hasChromium) console.warn(`skipped: the browser's tests need ${CHROMIUM} (apt-get install chromium)`);

/** `hosts`: names that lead to this computer, as a deployment's own name does to its server. */
export const openChromium = (...hosts: readonly string[]): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=${hosts.map((host) => `MAP ${host} 127.0.0.1`).join(",")}`,
    ],
  });
