/**
 * The wallet's barcode: made when it is asked for, shown while it lives, as a QR code and as digits to type; and what a machine
 * that has read it asks for. That is looked for without a barcode on the page, too: a page is easily opened again in between.
 */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Answer } from "./api.js";
import { useApp } from "./app.js";
import { clockText, useSecondsLeft } from "./countdown.js";
import { Notice } from "./notice.js";
import { poll } from "./poll.js";
import { OWN_FAULT, type Refusal } from "./refusal.js";
import type { Wallet } from "./wallet.js";
import type { PatronCode, PaymentRequest } from "./wire.js";

const ASK_MS = 2_000;

export function Barcode({ wallet }: { readonly wallet: Wallet }): VNode {
  const { api, words: all } = useApp();
  const words = all.barcode;
  const request = useScannedRequest(wallet);
  const [code, setCode] = useState<PatronCode>();
  const [refused, setRefused] = useState<Refusal>();
  const [making, setMaking] = useState(false);

  const make = async (): Promise<void> => {
    setMaking(true);
    setRefused(undefined);
    try {
      const answer = await api.newPatronCode(wallet);
      if (answer.ok) setCode(answer.value);
      else setRefused(answer);
    } catch (error) {
      setRefused(OWN_FAULT);
      throw error;
    } finally {
      setMaking(false);
    }
  };
  const button = (label: string): VNode => (
    <button type="button" class="secondary" disabled={making} onClick={() => void make()}>
      {making ? words.making : label}
    </button>
  );

  if (request !== undefined) return <Asked request={request} />;
  return (
    <>
      {refused !== undefined && <Notice tone="bad" said={all.refusal(refused.code)} />}
      {code === undefined ? (
        button(words.show)
      ) : (
        <section class="way qr barcode" aria-labelledby="barcode">
          <h2 id="barcode">{words.title}</h2>
          <Shown code={code} />
          {button(words.renew)}
        </section>
      )}
    </>
  );
}

/** The digits in groups, with nothing between them: what is copied is the code. */
function Shown({ code: { barcode, expiresAt } }: { readonly code: PatronCode }): VNode {
  const words = useApp().words.barcode;
  const seconds = useSecondsLeft(expiresAt);
  if (seconds === 0) {
    return (
      <p class="countdown soon" role="status">
        {words.over}
      </p>
    );
  }
  return (
    <>
      <img src={`/wallet/${barcode}/qr.svg`} alt={words.qr} width="220" height="220" />
      <p class="digits">
        {(barcode.match(/.{4}/g) ?? []).map((group, index) => (
          <span key={index}>{group}</span>
        ))}
      </p>
      <p class={seconds <= 20 ? "countdown soon" : "countdown"} role="timer" aria-live="off">
        {words.left(clockText(seconds))}
      </p>
      <p class="hint">{words.hint}</p>
    </>
  );
}

function Asked({ request }: { readonly request: PaymentRequest }): VNode {
  const {
    money,
    words: { barcode: words },
  } = useApp();
  const amount = money(request.value);
  return (
    <>
      <Notice
        tone="good"
        said={{ title: words.asked(amount, request.merchantName), detail: words.askedDetail }}
      />
      <a class="primary" href={`/pay/${request.id}`}>
        {words.pay(amount)}
      </a>
    </>
  );
}

/** What the last answer said; one that failed changes nothing. */
function useScannedRequest(wallet: Wallet): PaymentRequest | undefined {
  const { api } = useApp();
  const [request, setRequest] = useState<PaymentRequest>();
  useEffect(() => {
    const ended = new AbortController();
    const onAnswer = (answer: Answer<PaymentRequest | undefined>): void => {
      if (answer.ok) setRequest(answer.value);
    };
    poll(() => api.scannedRequest(wallet), ASK_MS, onAnswer, ended.signal);
    return () => ended.abort();
  }, [api, wallet]);
  return request;
}
