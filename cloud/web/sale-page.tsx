/** A sale from its payment to its end: what to do now, what was vended, what came back. */
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useApp, type App } from "./app.js";
import { Icon, type IconName } from "./icon.js";
import { isNothing } from "./money-text.js";
import { Notice } from "./notice.js";
import { PayPanel } from "./pay-panel.js";
import type { Refusal } from "./refusal.js";
import { useSale } from "./sale-watch.js";
import { isOver, type Item, type Machine, type Sale, type SaleState } from "./wire.js";
import type { Said } from "./words.js";

type Props = {
  readonly id: string;
  readonly machine: Machine | undefined;
  /** The number of the item tapped before paying; no item's number when there was none. */
  readonly wish: number;
  readonly onLeft: () => void;
};

export function SalePage({ id, machine, wish, onLeft }: Props): VNode {
  const { words, memory } = useApp();
  const [answer, replace] = useSale(id);
  const sale = answer?.ok === true ? answer.value : undefined;
  const over = sale !== undefined && isOver(sale);
  const code = sale?.machine.code;
  const isSilent = useIsPast(sale?.session?.overBy);

  useEffect(() => {
    if (over && code !== undefined) memory.forget(`sale.${code}`);
  }, [over, code, memory]);

  if (sale === undefined) {
    if (answer?.ok === false && answer.certain) {
      return (
        <Notice
          tone="bad"
          said={{ title: words.sale.gone, detail: words.sale.goneDetail }}
          action={{ label: words.sale.again, run: onLeft }}
        />
      );
    }
    return answer?.ok === false ? (
      <Notice tone="bad" said={words.refusal(answer.code)} />
    ) : (
      <p class="loading" role="status">
        {words.machine.loading}
      </p>
    );
  }

  return (
    <>
      <Steps state={sale.state} />
      <Headline sale={sale} isSilent={isSilent} />
      {sale.state === "awaitingPayment" && sale.paymentRequest !== undefined && (
        <PayPanel request={sale.paymentRequest} />
      )}
      {sale.state === "open" && !isSilent && machine !== undefined && (
        <Choices sale={sale} items={machine.items} wish={wish} />
      )}
      <Receipt sale={sale} />
      {!isSilent && <Cancel sale={sale} onSale={replace} />}
      {(over || isSilent || sale.state === "unknown" || sale.owed !== undefined) && (
        <button type="button" class={over ? "primary" : "secondary"} onClick={onLeft}>
          {words.sale.again}
        </button>
      )}
      <Timeline sale={sale} />
    </>
  );
}

/** Whether this moment is over, by the cloud's clock. */
function useIsPast(at: string | undefined): boolean {
  const { api } = useApp();
  const [past, setPast] = useState<string>();
  useEffect(() => {
    if (at === undefined) return;
    const timer = setTimeout(() => setPast(at), Date.parse(at) - api.nowMs());
    return () => clearTimeout(timer);
  }, [api, at]);
  return at !== undefined && past === at;
}

/** Where each state stands on the way; the two endings without a sale stand nowhere. */
const stepOf: Record<SaleState, number | undefined> = {
  awaitingPayment: 0,
  paid: 1,
  open: 1,
  vending: 2,
  unknown: 2,
  settling: 3,
  settled: 4,
  cancelled: undefined,
  expired: undefined,
};

function Steps({ state }: { readonly state: SaleState }): VNode | null {
  const { steps } = useApp().words.sale;
  const now = stepOf[state];
  if (now === undefined) return null;
  return (
    <ol class="steps" aria-label={steps.label}>
      {[steps.pay, steps.choose, steps.collect, steps.done].map((name, index) => (
        <li
          key={name}
          class={index < now ? "past" : index === now ? "now" : "ahead"}
          aria-current={index === now ? "step" : undefined}
        >
          {name}
        </li>
      ))}
    </ol>
  );
}

const iconOf: Record<SaleState, IconName> = {
  awaitingPayment: "phone",
  paid: "check",
  open: "mark",
  vending: "mark",
  settling: "back",
  settled: "check",
  cancelled: "stop",
  expired: "stop",
  unknown: "question",
};

type HeadlineProps = { readonly sale: Sale; readonly isSilent: boolean };

/** The one thing to know now; spoken when it changes, and given the focus when the page turns into the sale. */
function Headline({ sale, isSilent }: HeadlineProps): VNode {
  const app = useApp();
  const { words, money } = app;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  const { title, detail, look, icon } = headlineOf({ sale, isSilent }, app);
  const refunded = refundOf(sale);
  return (
    <section class={`headline ${look}`} role="status">
      <span class="badge">
        <Icon name={icon} />
      </span>
      <h2 ref={heading} tabIndex={-1}>
        {title}
      </h2>
      {look === "open" && <p class="figure">{words.sale.credit(money(sale.credit))}</p>}
      {isOver(sale) && refunded !== undefined && <p class="figure">{words.sale.refunded(money(refunded))}</p>}
      <p>{detail}</p>
    </section>
  );
}

type Heading = Said & { readonly look: SaleState | "doubt"; readonly icon: IconName };

function headlineOf({ sale, isSilent }: HeadlineProps, { words, money, dayAndTime }: App): Heading {
  const { id, state, vended, takenOver, owed, session } = sale;
  const doubt = (said: Said): Heading => ({ ...said, look: "doubt", icon: "question" });
  if (isSilent && session !== undefined) return doubt(words.sale.silent(dayAndTime(session.givenUpBy)));
  if (owed !== undefined) return doubt(words.sale.owed(money(owed), id));
  if (state === "settled" && vended.some(({ inDoubt }) => inDoubt)) return doubt(words.sale.inDoubt(id));
  const { settled } = words.sale;
  const { title, detail } =
    takenOver === true && isOver(sale)
      ? words.sale.takenOver
      : state !== "settled"
        ? words.sale.state(state)
        : vended.length > 0
          ? settled.vended
          : settled.nothing;
  const isBack = isOver(sale) && refundOf(sale) !== undefined;
  return {
    title,
    detail: isBack ? words.sale.refundedDetail : detail,
    look: state,
    icon: iconOf[state],
  };
}

const refundOf = ({ refunded }: Sale): Sale["refunded"] => (isNothing(refunded) ? undefined : refunded);

type ChoicesProps = { readonly sale: Sale; readonly items: readonly Item[]; readonly wish: number };

/** What the credit is enough for, by the number to press; what was wished for comes first. */
function Choices({ sale, items, wish }: ChoicesProps): VNode {
  const { words, money } = useApp();
  const credit = BigInt(sale.credit.amount);
  const affordable = items
    .filter(({ available, price }) => available && BigInt(price.amount) <= credit)
    .sort((a, b) => Number(b.item === wish) - Number(a.item === wish));
  return (
    <ul class="choices">
      {affordable.map((item) => (
        <li key={item.item} class={item.item === wish ? "wish" : undefined}>
          <span class="number">{item.item}</span>
          <span>
            {item.name}
            {item.item === wish && <small>{words.sale.chosen}</small>}
          </span>
          <span class="sum">{money(item.price)}</span>
        </li>
      ))}
    </ul>
  );
}

/** The sums of it, once there is something to sum up. */
function Receipt({ sale }: { readonly sale: Sale }): VNode | null {
  const { words, money } = useApp();
  const refunded = refundOf(sale);
  if (sale.vended.length === 0 && refunded === undefined) return null;
  return (
    <dl class="receipt">
      <div>
        <dt>{words.sale.charged}</dt>
        <dd>{money(sale.credit)}</dd>
      </div>
      {sale.vended.map((item, index) => (
        <div key={index}>
          <dt>
            <span class="number">{item.item}</span>
            {item.name}
          </dt>
          <dd>{money(item.price)}</dd>
        </div>
      ))}
      {refunded !== undefined && (
        <div class="back">
          <dt>{words.sale.back}</dt>
          <dd>{money(refunded)}</dd>
        </div>
      )}
    </dl>
  );
}

/** Offered while it can still mean something. For an open sale it is a wish: the machine decides what was used. */
function Cancel({
  sale,
  onSale,
}: {
  readonly sale: Sale;
  readonly onSale: (sale: Sale) => void;
}): VNode | null {
  const { api, words } = useApp();
  const [asking, setAsking] = useState(false);
  const [refused, setRefused] = useState<Refusal>();
  if (sale.state !== "awaitingPayment" && sale.state !== "paid" && sale.state !== "open") return null;

  const cancel = async (): Promise<void> => {
    setAsking(true);
    setRefused(undefined);
    const answer = await api.cancelSale(sale.id);
    setAsking(false);
    if (answer.ok) onSale(answer.value);
    else setRefused(answer);
  };

  if (sale.session?.stopAsked === true) return <p class="hint centred">{words.sale.cancelAsked}</p>;
  return (
    <>
      {refused !== undefined && <Notice tone="bad" said={words.refusal(refused.code)} />}
      <button type="button" class="secondary" disabled={asking} onClick={() => void cancel()}>
        {asking
          ? words.sale.cancelling
          : sale.state === "awaitingPayment"
            ? words.sale.cancel
            : words.sale.cancelPaid}
      </button>
    </>
  );
}

function Timeline({ sale }: { readonly sale: Sale }): VNode {
  const { words, time } = useApp();
  return (
    <section class="story" aria-labelledby="story">
      <h2 id="story">{words.sale.timeline}</h2>
      <ol>
        {sale.timeline.map(({ at, text }, index) => (
          <li key={index}>
            <time dateTime={at}>{time(at)}</time>
            <span>{text}</span>
          </li>
        ))}
      </ol>
      <p class="hint">{words.sale.reference(sale.id)}</p>
    </section>
  );
}
