/**
 * One customer's wish for a sale, asked under one key until it is answered.
 *
 * Promises  a lost answer is asked for again by itself, whatever the machine's state says meanwhile: the sale may have been made,
 *           and then it is this customer whom the machine is busy with. Also on the next visit, while the machine does not sell to
 *           others; while it does, no sale is running and nothing is asked that was not tapped.
 *           A tap begins a sale that can be paid: one that its key began earlier, and that is over, is let go of.
 */
import { useEffect, useState } from "preact/hooks";
import type { Answer } from "./api.js";
import { useApp } from "./app.js";
import { poll } from "./poll.js";
import { OWN_FAULT, type Refusal } from "./refusal.js";
import { isOver, type Machine, type Money, type Sale } from "./wire.js";

const ASK_MS = 3_000;

type Wish = {
  readonly credit: Money;
  /** `resumed`: by an earlier visit. `renewed`: by a tap, and what its first key began was over. */
  readonly from: "tap" | "resumed" | "renewed";
};
export type Asking = {
  readonly asking: boolean;
  /** Of the last answer; while still `asking`, of one that is asked for again. */
  readonly refused: Refusal | undefined;
  readonly ask: (credit: Money) => void;
  readonly forgetRefusal: () => void;
};

export function useAsking(machine: Machine, onStarted: (sale: Sale) => void): Asking {
  const { api, attempts } = useApp();
  const [wish, setWish] = useState<Wish>();
  const [refused, setRefused] = useState<Refusal>();
  const { code } = machine;
  const name = `sale.${code}`;
  const selling = machine.state === "ready";

  useEffect(() => {
    if (wish !== undefined || selling) return;
    const credit = creditIn(attempts.unanswered(name));
    if (credit !== undefined) setWish({ credit, from: "resumed" });
  }, [wish, selling, attempts, name]);

  useEffect(() => {
    if (wish === undefined) return;
    const { credit, from } = wish;
    const ended = new AbortController();
    let key: string | undefined;

    const ask = async (): Promise<Answer<Sale>> => {
      try {
        key ??= attempts.keyFor(name, contentOf(credit));
        return await api.startSale(code, credit, key);
      } catch (error) {
        setRefused(OWN_FAULT);
        setWish(undefined);
        throw error;
      }
    };
    const onAnswer = (answer: Answer<Sale>): void => {
      if (!answer.ok && !isFinal(answer)) {
        setRefused(answer);
        return;
      }
      attempts.answered(name);
      setRefused(answer.ok || from === "resumed" ? undefined : answer); // a resumed one's no is the machine's state
      if (!answer.ok) setWish(undefined);
      else if (!isOver(answer.value)) onStarted(answer.value);
      else setWish(from === "tap" ? { credit, from: "renewed" } : undefined);
    };
    poll(ask, ASK_MS, onAnswer, ended.signal);
    return () => ended.abort();
  }, [wish, api, attempts, code, name, onStarted]);

  return {
    asking: wish !== undefined,
    refused,
    ask: (credit) => {
      setRefused(undefined);
      setWish({ credit, from: "tap" });
    },
    forgetRefusal: () => setRefused(undefined),
  };
}

/** With this code the sale itself was given up, and its key would be told so for ever. */
const isFinal = ({ certain, code }: Refusal): boolean => certain || code === "PAYMENTS_UNAVAILABLE";

const contentOf = ({ amount, currency }: Money): string => `${amount}${currency}`;
function creditIn(content: string | undefined): Money | undefined {
  const [, amount, currency] = /^([0-9]+)([A-Z]+)$/.exec(content ?? "") ?? [];
  return amount === undefined || currency === undefined ? undefined : { amount, currency };
}
