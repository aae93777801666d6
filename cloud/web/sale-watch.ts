/** One sale, followed live: by its event stream, and by asking while the stream is silent or broken. */
import { useEffect, useState } from "preact/hooks";
import type { Answer } from "./api.js";
import { useApp } from "./app.js";
import { poll } from "./poll.js";
import { isOver, type Sale } from "./wire.js";

const ASK_MS = 3_000;

/** The newest answer, and a way to put in what another call has just answered. */
export function useSale(id: string): readonly [Answer<Sale> | undefined, (sale: Sale) => void] {
  const { api } = useApp();
  const [answer, setAnswer] = useState<Answer<Sale>>();
  const [streaming, setStreaming] = useState(false);
  const over = answer?.ok === true && isOver(answer.value);

  useEffect(() => {
    if (over) return;
    const ended = new AbortController();
    const onSale = (sale: Sale): void => {
      setStreaming(true);
      setAnswer({ ok: true, value: sale });
    };
    api.watchSale(id, { onSale, onBroken: () => setStreaming(false) }, ended.signal);
    return () => ended.abort();
  }, [api, id, over]);

  useEffect(() => {
    if (over || streaming) return;
    const ended = new AbortController();
    const onAnswer = (next: Answer<Sale>): void =>
      // A phone that lost its signal for a moment still knows what it knew.
      setAnswer((before) => (next.ok || next.certain || before === undefined ? next : before));
    poll(() => api.sale(id), ASK_MS, onAnswer, ended.signal);
    return () => ended.abort();
  }, [api, id, over, streaming]);

  return [answer, (sale) => setAnswer({ ok: true, value: sale })];
}
