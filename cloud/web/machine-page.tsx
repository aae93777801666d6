/**
 * What the sticker on the machine opens: choose how much, pay, and follow the sale to its end.
 *
 * The running sale's id is in the address and in the phone's memory, so that a reload, a call or a second scan of the
 * sticker comes back to it. When the sale is over the memory lets go of it: the next scan starts afresh.
 */
import type { VNode } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Answer } from "./api.js";
import { useApp } from "./app.js";
import { CreditPage } from "./credit-page.js";
import { Icon } from "./icon.js";
import { Notice } from "./notice.js";
import { poll } from "./poll.js";
import { isWord } from "./route.js";
import { SalePage } from "./sale-page.js";
import type { Item, Machine, Sale } from "./wire.js";

const ASK_MS = 3_000;

/** Where the item is remembered that was tapped before paying: at the machine it is the number to press. */
const wishOf = (code: string): string => `wish.${code}`;

export function MachinePage({ code }: { readonly code: string }): VNode {
  const { words, memory } = useApp();
  const [saleId, follow] = useRunningSale(code);
  const answer = useMachine(code);
  const [machine, setMachine] = useState<Machine>();

  useEffect(() => {
    if (answer?.ok !== true) return;
    if (answer.value.code !== code) {
      location.replace(`/m/${answer.value.code}${location.search}`); // typed otherwise; what is remembered goes by the code
      return;
    }
    setMachine(answer.value);
    document.title = answer.value.name;
    memory.put("machine", answer.value.code); // the way back from the wallet
  }, [answer, memory, code]);

  // Before it is asked for: an answer that is lost is heard by another visit.
  const onAsk = (item: Item | undefined): void =>
    item === undefined ? memory.forget(wishOf(code)) : memory.put(wishOf(code), String(item.item));
  const onStarted = useCallback((sale: Sale) => follow(sale.id), [follow]);
  const onLeft = useCallback(() => follow(undefined), [follow]);

  return (
    <>
      {machine !== undefined && <MachineHead machine={machine} calm={saleId !== undefined} />}
      {answer?.ok === false && machine !== undefined && (
        <p class="stale">
          {answer.code === "RATE_LIMIT_EXCEEDED" ? words.machine.crowded : words.machine.stale}
        </p>
      )}
      {saleId !== undefined ? (
        <SalePage
          key={saleId}
          id={saleId}
          machine={machine}
          wish={Number(memory.get(wishOf(code)))}
          onLeft={onLeft}
        />
      ) : machine !== undefined ? (
        <CreditPage machine={machine} onAsk={onAsk} onStarted={onStarted} />
      ) : answer?.ok === false ? (
        <Notice
          tone="bad"
          said={answer.code === "Forbidden" ? words.machine.unknown(code) : words.refusal(answer.code)}
        />
      ) : (
        <p class="loading" role="status">
          {words.machine.loading}
        </p>
      )}
    </>
  );
}

/** Where this is. While a sale runs the machine is busy with this very customer, so its state is not worth saying. */
function MachineHead({ machine, calm }: { readonly machine: Machine; readonly calm: boolean }): VNode {
  const { words } = useApp();
  return (
    <header class="machine-head">
      <h1>{machine.name}</h1>
      <p class="place">
        <Icon name="pin" />
        {machine.place}
      </p>
      {!calm && (
        <p class="check-words">
          <Icon name="shield" />
          <span>
            {words.machine.checkWords}: <strong>{machine.checkWords}</strong>
            <span class="hint">{words.machine.checkWordsHint}</span>
          </span>
        </p>
      )}
      {!calm && (
        <p class={`state ${machine.state}`} role="status">
          {words.machineState[machine.state]}
        </p>
      )}
    </header>
  );
}

/** What the last question about it was answered. */
function useMachine(code: string): Answer<Machine> | undefined {
  const { api } = useApp();
  const [answer, setAnswer] = useState<Answer<Machine>>();
  useEffect(() => {
    const ended = new AbortController();
    poll(() => api.machine(code), ASK_MS, setAnswer, ended.signal);
    return () => ended.abort();
  }, [api, code]);
  return answer;
}

function useRunningSale(code: string): readonly [string | undefined, (id: string | undefined) => void] {
  const { memory } = useApp();
  const place = `sale.${code}`;
  const [saleId, setSaleId] = useState(() => {
    const asked = new URLSearchParams(location.search).get("sale");
    return asked !== null && isWord(asked) ? asked : memory.get(place);
  });

  const follow = useCallback(
    (id: string | undefined) => {
      if (id === undefined) memory.forget(place);
      else memory.put(place, id);
      const query = id === undefined ? "" : `?sale=${id}`;
      history.replaceState(history.state, "", location.pathname + query);
      setSaleId(id);
      scrollTo({ top: 0 });
    },
    [memory, place],
  );
  return [saleId, follow];
}
