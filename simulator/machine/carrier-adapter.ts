/** The shell around a carrier: gives it the time, and does what it decides. */
import type { Adapter, Ends } from "./adapter.js";
import { dueMs, newCarrier, step, type Carrier, type CarrierEvent, type CarrierSettings } from "./carrier.js";
import type { Word } from "./word.js";

type Untimed<E> = E extends unknown ? Omit<E, "nowMs"> : never;

export class CarrierAdapter implements Adapter {
  readonly #ends: Ends;
  #carrier: Carrier;
  #stopTimer: () => void = () => undefined;

  constructor(settings: CarrierSettings, ends: Ends) {
    this.#ends = ends;
    this.#carrier = newCarrier(settings, ends.decimals, ends.clock.monoMs());
    this.#schedule();
  }

  heard(line: string): void {
    this.#take({ kind: "heard", text: line });
  }

  lost(): void {
    this.#take({ kind: "lost" });
    this.#ends.lost();
  }

  say(word: Word): void {
    this.#take({ kind: "say", word });
  }

  [Symbol.dispose](): void {
    this.#stopTimer();
  }

  #take(event: Untimed<CarrierEvent>): void {
    const [next, effects] = step(this.#carrier, { ...event, nowMs: this.#ends.clock.monoMs() });
    this.#carrier = next;
    for (const effect of effects) {
      if (effect.kind === "line") this.#ends.write(effect.text);
      else this.#ends.obey(effect.command);
    }
    this.#schedule();
  }

  #schedule(): void {
    this.#stopTimer();
    const { clock, isSilent } = this.#ends;
    const due = dueMs(this.#carrier);
    if (due === undefined) return;
    this.#stopTimer = clock.after(Math.max(0, due - clock.monoMs()), () => {
      // A machine that is silent polls nobody; it is looked at again as often as it would have polled.
      if (isSilent()) this.#stopTimer = clock.after(SILENT_MS, () => this.#schedule());
      else this.#take({ kind: "tick" });
    });
  }
}
const SILENT_MS = 200;
