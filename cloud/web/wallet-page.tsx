/** The test wallet: what is in it, where it went, its barcode, and a way to take it off this phone. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Answer } from "./api.js";
import { useApp } from "./app.js";
import { Barcode } from "./barcode.js";
import { Notice } from "./notice.js";
import { poll } from "./poll.js";
import type { Wallet } from "./wallet.js";
import type { Asset, Transaction } from "./wire.js";

const ASK_MS = 5_000;

export function WalletPage(): VNode {
  const { words, wallet, memory } = useApp();
  const code = memory.get("machine");
  return (
    <>
      {wallet === undefined ? (
        <Notice tone="plain" said={{ title: words.wallet.empty, detail: words.wallet.emptyDetail }} />
      ) : (
        <Contents wallet={wallet} />
      )}
      {code !== undefined && (
        <a class="primary" href={`/m/${code}`}>
          {words.wallet.back}
        </a>
      )}
      {wallet !== undefined && <Forget />}
    </>
  );
}

function Contents({ wallet }: { readonly wallet: Wallet }): VNode {
  const { api, words, money } = useApp();
  const [held, setHeld] = useState<Answer<Asset>>();
  const [moved, setMoved] = useState<Answer<readonly Transaction[]>>();

  useEffect(() => {
    const ended = new AbortController();
    poll(() => api.asset(wallet), ASK_MS, setHeld, ended.signal);
    poll(() => api.transactions(wallet), ASK_MS, setMoved, ended.signal);
    return () => ended.abort();
  }, [api, wallet]);

  return (
    <>
      <section class="purse">
        <h1>{words.pay.walletName(wallet.name)}</h1>
        <p class="purse-label">{words.wallet.balance}</p>
        <p class="purse-sum" role="status">
          {held?.ok === true ? money({ amount: held.value.balance, currency: held.value.currency }) : "–"}
        </p>
        <p class="tag">{words.pay.testMoney}</p>
      </section>
      <Barcode wallet={wallet} />
      <p class="hint">{words.wallet.test}</p>
      {held?.ok === false && <Notice tone="bad" said={words.refusal(held.code)} />}
      {moved?.ok === true && <Movements moved={moved.value} />}
    </>
  );
}

function Movements({ moved }: { readonly moved: readonly Transaction[] }): VNode {
  const { words } = useApp();
  return (
    <section aria-labelledby="moved">
      <h2 id="moved">{words.wallet.recent}</h2>
      {moved.length === 0 ? (
        <p class="hint">{words.wallet.none}</p>
      ) : (
        <ul class="moves">
          {moved.map((move) => (
            <Movement key={move.id} move={move} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Movement({ move }: { readonly move: Transaction }): VNode {
  const { words, money, time } = useApp();
  const out = move.type === "decrement-balance";
  return (
    <li>
      <span>
        <strong>{words.wallet.movement(move.kind)}</strong>
        <time dateTime={move.createdAt}>{time(move.createdAt)}</time>
      </span>
      <span class={out ? "sum" : "sum in"}>
        {out ? money({ ...move.value, amount: `-${move.value.amount}` }) : `+${money(move.value)}`}
      </span>
    </li>
  );
}

/** Two presses: a wallet comes only by its link, and few keep the link. */
function Forget(): VNode {
  const { words, forgetWallet } = useApp();
  const [sure, setSure] = useState(false);
  if (!sure) {
    return (
      <button type="button" class="secondary" onClick={() => setSure(true)}>
        {words.wallet.forget}
      </button>
    );
  }
  return (
    <section class="notice bad" role="alert">
      <div>
        <p>{words.wallet.forgetDetail}</p>
        <div class="pair">
          <button type="button" class="secondary" onClick={() => setSure(false)}>
            {words.wallet.keep}
          </button>
          <button type="button" class="danger" onClick={forgetWallet}>
            {words.wallet.forgetSure}
          </button>
        </div>
      </div>
    </section>
  );
}
