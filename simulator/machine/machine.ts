/**
 * The shell around the VMC: gives it the time, does what it decides, and tells the trace what a bystander would see.
 *
 * Bounded   one timer, for whatever the VMC waits for next.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import { fromMinor, type Money } from "../../broker/protocol/money.js";
import type { Command } from "./adapter-line.js";
import type { FaultsAsked } from "./faults.js";
import type { Trace } from "./trace.js";
import type { Word } from "./word.js";
import {
  creditOf,
  displayOf,
  nextDueMs,
  step,
  wordOf,
  type Effect,
  type Event,
  type Refused,
  type Vmc,
  type VmcWord,
} from "./vmc.js";

export type MachineFace = { readonly display: string; readonly credit: Money | null; readonly vmc: VmcWord };
type Untimed<E> = E extends unknown ? Omit<E, "nowMs"> : never;

export class Machine implements Disposable {
  readonly #clock: Clock;
  readonly #trace: Trace;
  readonly #currency: string;
  readonly #say: (word: Word) => void;
  #vmc: Vmc;
  #shown = "";
  #stopTimer: () => void = () => undefined;

  constructor(vmc: Vmc, currency: string, clock: Clock, trace: Trace, say: (word: Word) => void) {
    this.#vmc = vmc;
    this.#currency = currency;
    this.#clock = clock;
    this.#trace = trace;
    this.#say = say;
  }

  get vmc(): Vmc {
    return this.#vmc;
  }

  face(): MachineFace {
    const credit = creditOf(this.#vmc);
    return {
      display: displayOf(this.#vmc),
      credit: credit === null ? null : fromMinor(credit, this.#currency),
      vmc: wordOf(this.#vmc),
    };
  }

  obey(command: Command): void {
    this.#take({ kind: "command", command });
  }

  lost(): void {
    this.#take({ kind: "lineLost" });
  }

  /** Presses the keys of an item; answers why nothing was asked for, if nothing was. */
  select(item: number): Refused | undefined {
    return this.#press("select", item);
  }

  /** The same with the item's price in coins. */
  sellForCash(item: number): Refused | undefined {
    return this.#press("coins", item);
  }

  #press(kind: "select" | "coins", item: number): Refused | undefined {
    const refused = this.#take({ kind, item }).find((effect) => effect.kind === "refused")?.reason;
    const what = kind === "select" ? "selected" : "coins";
    this.#trace.add({ kind: "machine", what, detail: { item, refused: refused ?? null } });
    return refused;
  }

  cancel(): void {
    this.#trace.add({ kind: "machine", what: "lever", detail: null });
    this.#take({ kind: "cancel" });
  }

  /** A code held to the scanner or typed at the keypad: both are the controller's, and the machine hears of neither. */
  code(from: "scanned" | "typed", code: string): void {
    this.#trace.add({ kind: "machine", what: from, detail: { code } });
  }

  setFaults(asked: FaultsAsked): void {
    this.#trace.add({ kind: "machine", what: "faults", detail: asked });
    this.#take({ kind: "faults", asked });
  }

  [Symbol.dispose](): void {
    this.#stopTimer();
  }

  #take(event: Untimed<Event>): readonly Effect[] {
    const nowMs = this.#clock.monoMs();
    const [next, effects] = step(this.#vmc, { ...event, nowMs });
    this.#vmc = next;
    for (const effect of effects) this.#perform(effect);
    this.#showChange();
    this.#stopTimer();
    const dueMs = nextDueMs(this.#vmc); // not `next`: losing the line while speaking was an event of its own
    if (dueMs !== undefined)
      this.#stopTimer = this.#clock.after(Math.max(0, dueMs - nowMs), () => this.#take({ kind: "tick" }));
    return effects;
  }

  #perform(effect: Effect): void {
    if (effect.kind === "say") this.#say(effect.word);
    else if (effect.kind !== "refused")
      this.#trace.add({ kind: "machine", what: effect.kind, detail: { item: effect.item } });
  }

  #showChange(): void {
    const face = this.face();
    const shown = JSON.stringify(face);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#trace.add({ kind: "machine", what: "shows", detail: face });
  }
}
