/** The ways to pay one payment request: from the wallet on this phone, or with another phone that scans its code. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Answer } from "./api.js";
import { useApp } from "./app.js";
import { Countdown } from "./countdown.js";
import { Icon } from "./icon.js";
import { Notice } from "./notice.js";
import { poll } from "./poll.js";
import { OWN_FAULT, type Refusal } from "./refusal.js";
import type { Wallet } from "./wallet.js";
import type { Asset, PaymentRequest } from "./wire.js";

const ASK_MS = 5_000;

type Props = {
  readonly request: PaymentRequest;
  /** For who does not follow the request by other means. */
  readonly onPaid?: () => void;
};

export function PayPanel({ request, onPaid }: Props): VNode {
  const { words, wallet, money } = useApp();
  return (
    <section class="pay" aria-labelledby="how">
      <div class="pay-head">
        <h2 id="how">{words.pay.amount}</h2>
        <p class="figure">{money(request.value)}</p>
        <Countdown until={request.expiresAt} />
      </div>
      {wallet !== undefined && <WalletWay request={request} wallet={wallet} onPaid={onPaid} />}
      <OtherWay request={request} only={wallet === undefined} />
    </section>
  );
}

type WayProps = {
  readonly request: PaymentRequest;
  readonly wallet: Wallet;
  readonly onPaid: (() => void) | undefined;
};

function WalletWay({ request, wallet, onPaid }: WayProps): VNode {
  const { api, words, attempts, money } = useApp();
  const [held, setHeld] = useState<Answer<Asset>>();
  const [paying, setPaying] = useState(false);
  const [refused, setRefused] = useState<Refusal>();

  useEffect(() => {
    const ended = new AbortController();
    poll(() => api.asset(wallet), ASK_MS, setHeld, ended.signal);
    return () => ended.abort();
  }, [api, wallet]);

  const asset = held?.ok === true ? held.value : undefined;
  const option = request.paymentOptions.find(({ assetType }) => assetType === asset?.type);
  const enough =
    asset !== undefined && option !== undefined && BigInt(asset.availableBalance) >= BigInt(option.amount);

  const pay = async (assetType: string): Promise<void> => {
    setPaying(true);
    setRefused(undefined);
    const name = `pay.${request.id}`;
    let paid = false;
    try {
      const key = attempts.keyFor(name, `${wallet.assetId}/${assetType}`);
      const answer = await api.pay(request.id, assetType, wallet, key);
      if (answer.ok || answer.certain) attempts.answered(name);
      paid = answer.ok || answer.code === "REQUEST_PAID";
      if (!answer.ok && !paid) setRefused(answer);
    } catch (error) {
      setRefused(OWN_FAULT);
      throw error;
    } finally {
      setPaying(paid); // once paid the button stays busy until the request itself is seen to be
    }
    if (paid) onPaid?.();
  };

  return (
    <div class="way wallet-way">
      <p class="way-head">
        <Icon name="wallet" />
        <span class="way-name">
          <strong>{words.pay.walletName(wallet.name)}</strong>
          <span class="tag">{words.pay.testMoney}</span>
        </span>
        {asset !== undefined && (
          <span class="sum">{money({ amount: asset.availableBalance, currency: asset.currency })}</span>
        )}
      </p>
      {asset !== undefined && option === undefined && <p class="hint">{words.pay.notAccepted}</p>}
      {option !== undefined && !enough && <p class="hint">{words.pay.tooLittle}</p>}
      {held?.ok === false && <Notice tone="bad" said={words.refusal(held.code)} />}
      {refused !== undefined && <Notice tone="bad" said={words.refusal(refused.code)} />}
      <button
        type="button"
        class="primary"
        disabled={!enough || paying}
        aria-busy={paying}
        onClick={() => option !== undefined && void pay(option.assetType)}
      >
        {paying ? words.pay.paying : words.pay.wallet(money(request.value))}
      </button>
    </div>
  );
}

function OtherWay({ request, only }: { readonly request: PaymentRequest; readonly only: boolean }): VNode {
  const { words } = useApp();
  const code = (
    <div class="qr">
      <img src={`/pay/${request.id}/qr.svg`} alt={words.pay.qr} width="220" height="220" />
      <p class="hint">{words.pay.otherDetail}</p>
      {request.shortCode !== undefined && <p class="short-code">{words.pay.code(request.shortCode)}</p>}
      <a class="secondary" href={request.url}>
        {words.pay.open}
      </a>
    </div>
  );
  if (only) {
    return (
      <div class="way">
        <p class="way-head">
          <Icon name="phone" />
          <strong>{words.pay.otherOnly}</strong>
        </p>
        {code}
      </div>
    );
  }
  return (
    <details class="way">
      <summary class="way-head">
        <Icon name="phone" />
        <strong>{words.pay.other}</strong>
      </summary>
      {code}
    </details>
  );
}
