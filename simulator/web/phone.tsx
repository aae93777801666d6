/** The customer's phone: the machine's own page, as a scan of its sticker opens it, with the test wallet already on it. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";

type Props = { readonly machineUrl: string; readonly walletUrl: string | undefined };

export function Phone({ machineUrl, walletUrl }: Props): VNode {
  const [scan, setScan] = useState(0);
  const address = machineUrl + (walletUrl === undefined ? "" : new URL(walletUrl).hash);
  return (
    <section class="phone" aria-label="The customer's phone">
      <div class="phone-body">
        <div class="phone-screen">
          {/* A new key is a new page: what a second scan of the sticker does. */}
          <iframe
            key={`${address} ${scan}`}
            src={address}
            title="The machine's page on the customer's phone"
          />
        </div>
      </div>
      <p class="phone-links">
        <button type="button" onClick={() => setScan(scan + 1)}>
          Scan again
        </button>
        <a href={address} target="_blank" rel="noreferrer">
          Open in a tab
        </a>
      </p>
    </section>
  );
}
