/** Before a sale: what is inside, how much to load, and one button to go on with. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useApp } from "./app.js";
import { Icon } from "./icon.js";
import { sameMoney } from "./money-text.js";
import { Notice } from "./notice.js";
import { useAsking } from "./sale-asking.js";
import type { Item, Machine, Money, Sale } from "./wire.js";

type Props = {
  readonly machine: Machine;
  readonly onAsk: (item: Item | undefined) => void;
  readonly onStarted: (sale: Sale) => void;
};
type Choice =
  { readonly kind: "amount"; readonly credit: Money } | { readonly kind: "item"; readonly item: Item };

const creditOf = (choice: Choice): Money => (choice.kind === "item" ? choice.item.price : choice.credit);

export function CreditPage({ machine, onAsk, onStarted }: Props): VNode {
  const { words, money } = useApp();
  const [choice, setChoice] = useState<Choice>();
  const { asking, refused, ask, forgetRefusal } = useAsking(machine, onStarted);
  const selling = machine.state === "ready";

  const choose = (next: Choice): void => {
    setChoice(next);
    forgetRefusal();
  };

  const start = (chosen: Choice): void => {
    onAsk(chosen.kind === "item" ? chosen.item : undefined);
    ask(creditOf(chosen));
  };

  return (
    <>
      {machine.state !== "ready" && refused === undefined && !asking && (
        <Notice tone="plain" said={words.notSelling[machine.state]} />
      )}

      <p class="promise">
        <Icon name="shield" />
        {words.machine.promise}
      </p>

      <section aria-labelledby="items">
        <h2 id="items">{words.machine.items}</h2>
        {machine.items.length === 0 ? (
          <p class="hint">{words.machine.noItems}</p>
        ) : (
          <>
            {selling && <p class="hint">{words.machine.itemsHint}</p>}
            <ul class="items">
              {machine.items.map((item) => (
                <li key={item.item}>
                  <ItemTile
                    item={item}
                    chosen={choice?.kind === "item" && choice.item.item === item.item}
                    disabled={!selling || asking}
                    onChoose={() => choose({ kind: "item", item })}
                  />
                </li>
              ))}
            </ul>
          </>
        )}
      </section>

      {(selling || asking) && (
        <section aria-labelledby="credit">
          <h2 id="credit">{words.machine.credit}</h2>
          <div class="credits">
            {machine.suggestedCredit.map((credit) => (
              <button
                key={credit.amount}
                type="button"
                class="credit"
                aria-pressed={choice?.kind === "amount" && sameMoney(choice.credit, credit)}
                disabled={asking}
                onClick={() => choose({ kind: "amount", credit })}
              >
                {money(credit)}
              </button>
            ))}
          </div>
        </section>
      )}

      {(selling || asking || refused !== undefined) && (
        <div class="bar">
          {refused !== undefined &&
            (asking && refused.code === "NO_ANSWER" ? (
              <Notice tone="plain" said={{ title: words.machine.stale, detail: "" }} />
            ) : (
              <Notice tone="bad" said={words.refusal(refused.code)} />
            ))}
          {asking && (
            <button type="button" class="primary" disabled aria-busy>
              {words.machine.starting}
            </button>
          )}
          {selling && !asking && choice === undefined && <p class="bar-hint">{words.machine.choose}</p>}
          {selling && !asking && choice !== undefined && (
            <>
              <p class="bar-hint">
                {choice.kind === "item"
                  ? words.machine.stickyItem(choice.item.item, choice.item.name)
                  : words.machine.stickyCredit}
              </p>
              <button type="button" class="primary" onClick={() => start(choice)}>
                {words.machine.start(money(creditOf(choice)))}
              </button>
            </>
          )}
        </div>
      )}
    </>
  );
}

type TileProps = {
  readonly item: Item;
  readonly chosen: boolean;
  readonly disabled: boolean;
  readonly onChoose: () => void;
};

function ItemTile({ item, chosen, disabled, onChoose }: TileProps): VNode {
  const { words, money } = useApp();
  const price = item.available ? money(item.price) : words.machine.notToBeHad;
  return (
    <button
      type="button"
      class="item"
      aria-label={words.machine.tile(item.item, item.name, price)}
      aria-pressed={chosen}
      disabled={disabled || !item.available}
      onClick={onChoose}
    >
      <span class="number">{item.item}</span>
      <span class="item-name">{item.name}</span>
      <span class="item-price">{price}</span>
    </button>
  );
}
