/** The customer's phone: the page that a scan opened, of the machine's sticker or of its display, with the test wallet already on it. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";

type Props = {
  readonly machineUrl: string;
  /** What the QR code on the machine's display leads to, while there is one. */
  readonly shownUrl: string | undefined;
  readonly walletUrl: string | undefined;
};

export function Phone({ machineUrl, shownUrl, walletUrl }: Props): VNode {
  const [{ url, scans }, setScanned] = useState({ url: machineUrl, scans: 0 });
  const scan = (scanned: string): void => setScanned({ url: scanned, scans: scans + 1 });
  const address = url + (walletUrl === undefined ? "" : new URL(walletUrl).hash);
  return (
    <section class="phone" aria-label="The customer's phone">
      <div class="phone-body">
        <div class="phone-screen">
          {/* A new key is a new page: what a second scan does. */}
          <iframe key={`${address} ${scans}`} src={address} title="The page on the customer's phone" />
        </div>
      </div>
      <p class="phone-links">
        <button type="button" onClick={() => scan(machineUrl)}>
          {url === machineUrl ? "Scan again" : "Scan the sticker"}
        </button>
        {shownUrl !== undefined && (
          <button type="button" onClick={() => scan(shownUrl)}>
            Scan the display
          </button>
        )}
        <a href={address} target="_blank" rel="noreferrer">
          Open in a tab
        </a>
      </p>
    </section>
  );
}
