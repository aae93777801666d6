/** An owner gives back what a product cost. It is asked once more before it is done: what went back does not come again. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useApp } from "./app.js";
import { giveBack, type OwnedSale } from "./owned.js";
import type { OwnerWords } from "./owner-words.js";
import { OWN_FAULT, type Refusal } from "./refusal.js";

type Props = {
  readonly words: OwnerWords;
  readonly apiKey: string;
  readonly code: string;
  readonly saleId: string;
  readonly product: OwnedSale["returnable"][number];
  readonly onDone: () => void;
};

export function GiveBack({ words, apiKey, code, saleId, product, onDone }: Props): VNode {
  const { api, money } = useApp();
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Refusal>();
  const { vend, name, price } = product;
  const said = words.giveBack;

  const give = async (): Promise<void> => {
    setBusy(true);
    setRefused(undefined);
    try {
      const answer = await giveBack(api, apiKey, code, { saleId, vend });
      if (answer.ok) onDone();
      else setRefused(answer);
    } catch (error) {
      setRefused(OWN_FAULT);
      throw error;
    } finally {
      setBusy(false);
    }
  };

  if (!isAsking)
    return (
      <button type="button" onClick={() => setAsking(true)}>
        {said.offer(money(price), name)}
      </button>
    );
  return (
    <div role="group" aria-label={said.offer(money(price), name)}>
      <p>{said.sure(money(price))}</p>
      {refused !== undefined && (
        <p class="why" role="alert">
          {refused.code === "NOT_CHARGED" ? said.notCharged : said.refused}
        </p>
      )}
      <button type="button" class="primary" disabled={isBusy} aria-busy={isBusy} onClick={() => void give()}>
        {said.yes}
      </button>
      <button type="button" class="secondary" disabled={isBusy} onClick={() => setAsking(false)}>
        {said.no}
      </button>
    </div>
  );
}
