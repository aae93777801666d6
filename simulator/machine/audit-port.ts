/**
 * The machine's end of its DEX line: whoever asks for the audit is given it as it is at that moment. One reader at a time; the
 * newest connection wins.
 *
 * Bounded   one timer, for whatever the conversation waits for next.
 */
import type { Duplex } from "node:stream";
import type { Clock } from "../../broker/protocol/clock.js";
import {
  beginGiving,
  beginListening,
  COMM_ID,
  dueMs,
  step,
  type Effect,
  type Event,
  type Session,
} from "../../controller/dex/session.js";

const OUR_ID = "SIMULATED1";
/** What is wanted comes after the reader's name. */
const isRead = (header: string): boolean => header[COMM_ID.length] === "R";

type Untimed<E> = E extends unknown ? Omit<E, "nowMs"> : never;

export class AuditPort implements Disposable {
  readonly #audit: () => Uint8Array;
  readonly #clock: Clock;
  #socket: Duplex | undefined;
  #session: Session;
  #stopTimer: () => void = () => undefined;

  constructor(audit: () => Uint8Array, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
    [this.#session] = beginListening(clock.monoMs());
  }

  accept(socket: Duplex): void {
    socket.on("error", () => undefined); // `close` follows, and says all that matters
    this.#socket?.destroy();
    this.#socket = socket;
    [this.#session] = beginListening(this.#clock.monoMs());
    socket.on("data", (bytes: Uint8Array) => {
      if (this.#socket === socket) this.#take({ kind: "bytes", bytes });
    });
    socket.once("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  [Symbol.dispose](): void {
    this.#stopTimer();
    this.#socket?.destroy();
  }

  #take(event: Untimed<Event>): void {
    const nowMs = this.#clock.monoMs();
    const [next, effects] = step(this.#session, { ...event, nowMs });
    this.#session = next;
    this.#perform(effects, nowMs);
    this.#stopTimer();
    const due = dueMs(this.#session);
    if (due !== undefined)
      this.#stopTimer = this.#clock.after(Math.max(0, due - nowMs), () => this.#take({ kind: "tick" }));
  }

  #perform(effects: readonly Effect[], nowMs: number): void {
    for (const effect of effects) {
      if (effect.kind === "send") {
        this.#socket?.write(effect.bytes);
        continue;
      }
      const isAsked = effect.kind === "done" && isRead(effect.header);
      const [next, more] = isAsked ? beginGiving(OUR_ID, this.#audit(), nowMs) : beginListening(nowMs);
      this.#session = next;
      this.#perform(more, nowMs);
    }
  }
}
