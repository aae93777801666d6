/**
 * The scanner, the keypad and the display, as they are wired: serial lines, any of which may be missing.
 *
 * Owns      the lines, and the one alarm clock of the terminal's step.
 * Promises  the display shows what the step last said, also after it was unplugged and plugged in again; a printer prints it once.
 * Never     decides anything: terminal.ts does.
 * Bounded   a scanned or typed line by the serial line's own limit; a display that takes nothing is not waited for.
 */
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { newId } from "../../broker/protocol/id.js";
import type { Body } from "../../broker/protocol/messages.js";
import type { BackOff } from "../back-off.js";
import type { Log } from "../log.js";
import { anyLines, bytesOut, type Framing } from "../serial/framing.js";
import { SerialLine } from "../serial/serial-line.js";
import type { SerialLink } from "../serial/serial-link.js";
import { onPage } from "./code-page.js";
import { escpos } from "./escpos.js";
import {
  dueMs,
  startWith,
  step,
  type Outcome,
  type Shown,
  type Terminal,
  type TerminalEvent,
  type Words,
  type Wrapping,
} from "./terminal.js";

export type DevicesOptions = {
  readonly scanner: (() => SerialLink) | undefined;
  readonly keypad: (() => SerialLink) | undefined;
  readonly display: DisplayOptions | undefined;
  /** The machine's own page. */
  readonly screen: ShowOn | undefined;
  /** The machine's own display, which lets us have it between two sales; told whether it is the idle text. */
  readonly machineDisplay: ShowOn | undefined;
  readonly wrapping: Wrapping;
  readonly words: Words;
  readonly backOff: BackOff;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};
/** `columns`: of a printer's paper; without them it is a customer display. */
export type DisplayOptions = { readonly newLink: () => SerialLink; readonly columns: number | undefined };
export type ShowOn = (shown: Shown, isIdle: boolean) => void;
/** False when it was not sent. */
export type AskBackend = (request: Body["request"]) => boolean;
type Untimed<E> = E extends { readonly nowMs: number } ? Omit<E, "nowMs"> : never;

/** Clears a customer display (ESC/POS, CLR); any other takes it for the start of a page. */
const CLEAR = "\f";

/** A display of text has no QR code: whoever has a phone may still type the address. */
const textOf = ({ text, qr }: Shown): string =>
  `${CLEAR}${lettersOf(text)}${qr === undefined ? "" : `\r\n${lettersOf(qr)}`}`;
const lettersOf = (text: string): string => Buffer.from(onPage(text)).toString("latin1");

export class Devices {
  readonly #options: DevicesOptions;
  readonly #ask: AskBackend;
  readonly #lines: readonly SerialLine[];
  readonly #display: SerialLine | undefined;
  #state: Terminal;
  #cancelWake: () => void = () => undefined;
  #closed = false;

  constructor(options: DevicesOptions, ask: AskBackend) {
    this.#options = options;
    this.#state = startWith(options.words);
    this.#ask = ask;
    const { scanner, keypad, display } = options;
    const reader = (link: () => SerialLink, kind: "scanned" | "typed"): SerialLine =>
      this.#line(link, anyLines, { onConnected: () => undefined, onLine: (text) => this.#read(kind, text) });
    this.#display =
      display &&
      this.#line(display.newLink, display.columns === undefined ? anyLines : bytesOut, {
        onConnected: () => {
          if (display.columns === undefined) this.#take({ kind: "displayConnected" });
        },
        onLine: () => undefined,
      });
    this.#lines = [
      scanner && reader(scanner, "scanned"),
      keypad && reader(keypad, "typed"),
      this.#display,
    ].filter((line) => line !== undefined);
    for (const line of this.#lines) line.open();
    this.#showOnScreens(this.#state.shown, true);
  }

  /** Somewhere it can be shown what is to be paid for a selection. */
  get canShow(): boolean {
    const { display, screen } = this.#options;
    return display !== undefined || screen !== undefined;
  }

  /** A code that was typed at a screen. */
  typed(text: string): void {
    this.#read("typed", text);
  }

  answered({ requestId, show, qr }: Body["answer"]): void {
    this.#take({ kind: "answered", requestId, shown: { text: show, qr } });
  }

  /** `items`: the keys of the only ones that the credit is for. */
  opened(items: readonly string[] | undefined): void {
    this.#take({ kind: "opened", items });
  }

  /** A selection waits at the machine, and somebody is asked what is to be shown of it. */
  selected(requestId: string, forMs: number): void {
    this.#take({ kind: "selected", requestId, forMs });
  }

  unsent(requestId: string): void {
    this.#take({ kind: "unsent", requestId });
  }

  withdrawn(requestId: string): void {
    this.#take({ kind: "withdrawn", requestId });
  }

  /** What is being given out, as the customer knows it. */
  vending(item: string): void {
    this.#take({ kind: "vending", item });
  }

  /** What became of it. */
  vended(item: string, outcome: Outcome): void {
    this.#take({ kind: "vended", item, outcome });
  }

  say(words: Words): void {
    this.#take({ kind: "words", words });
  }

  close(): void {
    this.#closed = true;
    this.#cancelWake();
    for (const line of this.#lines) line.close();
  }

  #line(
    newLink: () => SerialLink,
    framing: Framing,
    on: { readonly onConnected: () => void; readonly onLine: (text: string) => void },
  ): SerialLine {
    const { backOff, clock, random, log } = this.#options;
    return new SerialLine({
      ...on,
      newLink,
      framing,
      backOff,
      clock,
      random,
      log,
      onDisconnected: () => undefined,
    });
  }

  #read(kind: "scanned" | "typed", text: string): void {
    if (text === "") return; // the second half of a CR LF
    const { clock, random } = this.#options;
    this.#take({ kind, text, requestId: newId(clock.nowMs(), random) });
  }

  #take(event: Untimed<TerminalEvent>): void {
    if (this.#closed) return;
    const { clock, wrapping, log } = this.#options;
    const timed = { ...event, nowMs: clock.monoMs() } as TerminalEvent; // Untimed took only nowMs away
    const [next, effects] = step(this.#state, timed, wrapping);
    this.#state = next;
    this.#schedule();
    for (const effect of effects) {
      if (effect.kind === "show") {
        log.info(effect.shown, "display");
        this.#show(effect.shown, event.kind);
        this.#showOnScreens(effect.shown, effect.shown.text === next.words.idle);
      } else if (!this.#ask({ requestId: effect.requestId, kind: effect.about, value: effect.value }))
        this.unsent(effect.requestId);
    }
  }

  #showOnScreens(shown: Shown, isIdle: boolean): void {
    this.#options.screen?.(shown, isIdle);
    this.#options.machineDisplay?.(shown, isIdle);
  }

  #show(shown: Shown, about: TerminalEvent["kind"]): void {
    const columns = this.#options.display?.columns;
    if (columns === undefined) {
      this.#display?.write(textOf(shown));
      return;
    }
    // What nobody is to act on is not printed: paper is not a screen.
    const { idle, asking } = this.#state.words;
    if (about === "vending" || shown.text === idle || shown.text === asking) return;
    this.#display?.write(Buffer.from(escpos(shown, columns)).toString("latin1"));
  }

  #schedule(): void {
    this.#cancelWake();
    const due = dueMs(this.#state);
    if (due === undefined) return;
    const { clock } = this.#options;
    this.#cancelWake = clock.after(Math.max(0, due - clock.monoMs()), () => this.#take({ kind: "tick" }));
  }
}
