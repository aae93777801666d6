/**
 * A payment request's own page: what the QR on a display, or on another phone, opens.
 *
 * Who has paid for a sale at a machine goes on to the sale: what came out, and what came back, is told there. Who was sent here by a
 * shop goes back to it.
 */
import type { VNode } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Answer } from "./api.js";
import { useApp } from "./app.js";
import { Icon } from "./icon.js";
import { Notice } from "./notice.js";
import { PayPanel } from "./pay-panel.js";
import { poll } from "./poll.js";
import { isWord } from "./route.js";
import type { PaymentRequest, RequestStatus, Sale, WayBack } from "./wire.js";

const ASK_MS = 2_000;

export function PayPage({ requestId }: { readonly requestId: string }): VNode {
  const { words, money } = useApp();
  const { request, refused, markPaid } = useRequest(requestId);
  useSaleOf(request);
  const back = useWayBack(requestId);

  if (request === undefined) {
    if (refused === undefined) {
      return (
        <p class="loading" role="status">
          {words.pay.loading}
        </p>
      );
    }
    return <Notice tone="plain" said={refused.certain ? words.pay.closed : words.refusal(refused.code)} />;
  }

  const { status, merchantName, lineItems, value } = request;
  return (
    <>
      <header class="machine-head">
        <h1>{merchantName ?? words.pay.heading}</h1>
        <p class={`state ${status}`} role="status">
          {words.requestStatus[status].title}
        </p>
      </header>
      {lineItems !== undefined && lineItems.length > 0 && (
        <dl class="receipt" aria-label={words.pay.lines}>
          {lineItems.map(({ name, price }, index) => (
            <div key={index}>
              <dt>{name}</dt>
              <dd>{money({ amount: price, currency: value.currency })}</dd>
            </div>
          ))}
        </dl>
      )}
      {status === "new" ? <PayPanel request={request} onPaid={markPaid} /> : <Ended status={status} />}
      {back !== undefined && (
        <a class="secondary" href={back}>
          {words.pay.back(merchantName)}
        </a>
      )}
    </>
  );
}

function Ended({ status }: { readonly status: Exclude<RequestStatus, "new"> }): VNode {
  const { title, detail } = useApp().words.requestStatus[status];
  return (
    <section class={`headline ${status === "paid" ? "settled" : "expired"}`} role="status">
      <span class="badge">
        <Icon name={status === "paid" ? "check" : "stop"} />
      </span>
      <h2>{title}</h2>
      <p>{detail}</p>
    </section>
  );
}

/** Moves on to the sale that a paid request is for. The merchant's own note of it is shown to the payer alone. */
function useSaleOf(request: PaymentRequest | undefined): void {
  const { api } = useApp();
  const saleId = request?.status === "paid" ? request.externalRef : undefined;

  useEffect(() => {
    if (saleId === undefined || !isWord(saleId)) return; // another merchant's note may be anything
    const ended = new AbortController();
    const onAnswer = (answer: Answer<Sale>): void => {
      if (answer.ok) location.replace(`/m/${answer.value.machine.code}?sale=${saleId}`);
      if (answer.ok || answer.certain) ended.abort();
    };
    poll(() => api.sale(saleId), ASK_MS, onAnswer, ended.signal);
    return () => ended.abort();
  }, [api, saleId]);
}

/** The way back to the shop that sent the browser here, which is taken as soon as nothing is to be paid any more. */
function useWayBack(id: string): string | undefined {
  const { api } = useApp();
  const [url, setUrl] = useState<string>();

  useEffect(() => {
    const ended = new AbortController();
    const onAnswer = (answer: Answer<WayBack>): void => {
      if (answer.ok) setUrl(answer.value.url);
      if (answer.ok && answer.value.status !== "new") {
        ended.abort();
        if (answer.value.url !== undefined) location.replace(answer.value.url);
      } else if (!answer.ok && answer.certain) ended.abort(); // nobody was sent here
    };
    poll(() => api.wayBack(id), ASK_MS, onAnswer, ended.signal);
    return () => ended.abort();
  }, [api, id]);
  return url;
}

type Followed = {
  readonly request: PaymentRequest | undefined;
  readonly refused: { readonly code: string; readonly certain: boolean } | undefined;
  readonly markPaid: () => void;
};

/**
 * The request while it can change. Without a wallet's key only a new request can be read, so one that stops being
 * readable is over: too late when its time has passed, otherwise paid or called off by somebody else.
 */
function useRequest(id: string): Followed {
  const { api, wallet } = useApp();
  const [request, setRequest] = useState<PaymentRequest>();
  const [answer, setAnswer] = useState<Answer<PaymentRequest>>();
  const [paidHere, setPaidHere] = useState(false); // and not read since: what it is for is told to its payer alone
  const over = request !== undefined && request.status !== "new" && !paidHere;

  useEffect(() => {
    if (over) return;
    const ended = new AbortController();
    const onAnswer = (next: Answer<PaymentRequest>): void => {
      if (next.ok || next.certain) setPaidHere(false);
      if (next.ok) setRequest(next.value);
      if (paidHere) return; // whatever is answered, it is paid
      setAnswer(next);
      if (!next.ok && next.certain)
        setRequest((known) => (known === undefined ? undefined : lapsed(known, api.nowMs())));
    };
    poll(() => api.paymentRequest(id, wallet), ASK_MS, onAnswer, ended.signal);
    return () => ended.abort();
  }, [api, id, wallet, over, paidHere]);

  const markPaid = useCallback(() => {
    setRequest((known) => (known === undefined ? undefined : { ...known, status: "paid" }));
    setPaidHere(true);
  }, []);
  return { request, refused: answer?.ok === false ? answer : undefined, markPaid };
}

const lapsed = (known: PaymentRequest, nowMs: number): PaymentRequest | undefined =>
  nowMs >= Date.parse(known.expiresAt) ? { ...known, status: "expired" } : undefined;
