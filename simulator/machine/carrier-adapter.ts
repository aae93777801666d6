/** The shell around a carrier: gives it the time, and does what it decides. */
import type { Adapter, Ends } from "./adapter.js";
import {
  MISHEARD,
  dueMs,
  newCarrier,
  step,
  type Carrier,
  type CarrierEvent,
  type CarrierSettings,
} from "./carrier.js";
import type { Word } from "./word.js";

const SILENT_MS = 200;

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
      if (effect.kind === "obey") this.#ends.obey(effect.command);
      else this.#write(effect.text);
    }
    this.#schedule();
  }

  /** A command is said again when the machine has not heard its acknowledgement. */
  #write(text: string): void {
    this.#ends.write(text);
    if (text.length > 2 && this.#isMisheard()) this.#ends.write(text);
  }

  #isMisheard(): boolean {
    return this.#ends.random.fraction() < this.#ends.faults().busErrors;
  }

  #tick(): void {
    const misheard = MISHEARD[Math.floor(this.#ends.random.fraction() * MISHEARD.length)];
    this.#take(misheard !== undefined && this.#isMisheard() ? { kind: "tick", misheard } : { kind: "tick" });
  }

  #schedule(): void {
    this.#stopTimer();
    const { clock, faults } = this.#ends;
    const due = dueMs(this.#carrier);
    if (due === undefined) return;
    this.#stopTimer = clock.after(Math.max(0, due - clock.monoMs()), () => {
      // A machine that is silent polls nobody; it is looked at again as often as it would have polled.
      if (faults().vmcSilent) this.#stopTimer = clock.after(SILENT_MS, () => this.#schedule());
      else this.#tick();
    });
  }
}
