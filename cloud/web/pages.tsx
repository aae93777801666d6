/** The frame around every page: picks the page, takes in a wallet that came with the address, and says so. */
import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { AppContext, useApp, type App } from "./app.js";
import { Icon } from "./icon.js";
import { MachinePage } from "./machine-page.js";
import { Notice } from "./notice.js";
import { OwnerDoor } from "./owner-door.js";
import { PayPage } from "./pay-page.js";
import type { Route } from "./route.js";
import { readWalletFragment, type Pocket, type WalletFragment } from "./wallet.js";
import { WalletPage } from "./wallet-page.js";

type Props = {
  readonly route: Route;
  readonly pocket: Pocket;
  readonly app: Omit<App, "wallet" | "forgetWallet">;
};

export function Pages({ route, pocket, app }: Props): VNode {
  const [arrived, setArrived] = useState<WalletFragment>(() => takeFragment(pocket));
  const [wallet, setWallet] = useState(() => pocket.wallet());

  useEffect(() => {
    const take = (): void => {
      const next = takeFragment(pocket);
      if (next.kind === "none") return;
      setArrived(next);
      setWallet(pocket.wallet());
    };
    addEventListener("hashchange", take);
    return () => removeEventListener("hashchange", take);
  }, [pocket]);

  const value = useMemo<App>(() => {
    const forgetWallet = (): void => {
      pocket.forget();
      setArrived({ kind: "none" });
      setWallet(undefined);
    };
    return { ...app, wallet, forgetWallet };
  }, [app, pocket, wallet]);

  const { words } = app;
  const dismiss = { label: words.wallet.close, run: () => setArrived({ kind: "none" }) };
  return (
    <AppContext.Provider value={value}>
      <header class="top">
        <span class="mark">
          <Icon name="mark" />
        </span>
        {wallet !== undefined && route.kind !== "wallet" && route.kind !== "owner" && (
          <a class="top-link" href="/wallet">
            <Icon name="wallet" />
            {words.wallet.open}
          </a>
        )}
      </header>
      <main>
        {arrived.kind === "wallet" && (
          <Notice
            tone="good"
            said={{ title: words.wallet.added(arrived.wallet.name), detail: words.wallet.addedDetail }}
            dismiss={dismiss}
          />
        )}
        {arrived.kind === "damaged" && (
          <Notice
            tone="bad"
            said={{ title: words.wallet.damaged, detail: words.wallet.damagedDetail }}
            dismiss={dismiss}
          />
        )}
        <Page route={route} />
      </main>
    </AppContext.Provider>
  );
}

function Page({ route }: { readonly route: Route }): VNode {
  const { words } = useApp();
  switch (route.kind) {
    case "machine":
      return <MachinePage code={route.code} />;
    case "pay":
      return <PayPage requestId={route.requestId} />;
    case "wallet":
      return <WalletPage />;
    case "owner":
      return <OwnerDoor code={route.code} />;
    case "lost":
      return <Notice tone="plain" said={words.lost} />;
  }
}

/**
 * Moves a wallet from the address into the pocket, and out of the address before anybody can copy it from there.
 * One that was in the pocket already is no news.
 */
function takeFragment(pocket: Pocket): WalletFragment {
  const found = readWalletFragment(location.hash);
  if (found.kind === "none") return found;
  history.replaceState(history.state, "", location.pathname + location.search);
  if (found.kind === "wallet") {
    if (
      pocket.wallet()?.assetId === found.wallet.assetId &&
      pocket.wallet()?.apiKey === found.wallet.apiKey
    ) {
      return { kind: "none" };
    }
    pocket.keep(found.wallet);
  }
  return found;
}
