/**
 * The serial line as the service sees it: lines in, lines out, and whether anyone is connected.
 *
 * Owns      the current link, and when the next one is tried.
 * Promises  `connected` and `disconnected` alternate; a line is handed on only between the two. What is written while
 *           nothing is connected is refused: nothing written to one connection ever reaches the next.
 * Never     knows what a line means.
 * Bounded   a line by `MAX_LINE_BYTES`, what waits to be written by `MAX_WAITING_BYTES`, the wait between two tries by
 *           the back-off. It never gives up trying: the adapter may be plugged in next week.
 *
 * Why a new link for each connection: a serialport object keeps what was written to it while it was closed, and sends it
 * when it is opened again. An approval from before an unplug must never reach the machine after it.
 */
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { waitMs, type BackOff } from "../back-off.js";
import type { Log } from "../log.js";
import type { Framing } from "./framing.js";
import { LineSplitter } from "./line-splitter.js";
import type { SerialLink } from "./serial-link.js";

export const MAX_LINE_BYTES = 512; // the longest known line has 53
export const MAX_WAITING_BYTES = 4_096;

export type SerialLineOptions = {
  readonly newLink: () => SerialLink;
  readonly framing: Framing;
  readonly clock: Clock;
  readonly random: Random;
  readonly backOff: BackOff;
  readonly log: Log;
  readonly onConnected: () => void;
  readonly onLine: (text: string) => void;
  readonly onDisconnected: () => void;
};

export class SerialLine {
  readonly #options: SerialLineOptions;
  #link: SerialLink | undefined;
  #connected = false;
  #closed = false;
  #failures = 0;
  #cancelWait: () => void = () => undefined;

  constructor(options: SerialLineOptions) {
    this.#options = options;
  }

  /** Begins to connect, and does so again until `close`. */
  open(): void {
    const { newLink, framing } = this.#options;
    const link = newLink();
    this.#link = link;
    link.on("error", (error: Error) => this.#lost(link, error.message));
    link.on("close", () => this.#lost(link, "closed"));
    const splitter = new LineSplitter(framing, MAX_LINE_BYTES);
    link.on("data", (bytes: Buffer) => {
      for (const line of splitter.push(bytes)) {
        if (this.#link !== link) return;
        this.#failures = 0; // someone is there: the next loss is tried again soon
        this.#options.onLine(framing.read(line));
      }
    });
    link.open((error) => {
      if (error !== null) {
        this.#lost(link, error.message);
        return;
      }
      if (this.#link !== link) {
        end(link); // closed while it was being opened
        return;
      }
      this.#connected = true;
      this.#options.log.info({}, "serial line open");
      this.#options.onConnected();
    });
  }

  /** False when it was not sent: nothing is kept for later. */
  write(text: string): boolean {
    const link = this.#link;
    if (link === undefined || !this.#connected || !link.isOpen) return false;
    if (link.writableLength > MAX_WAITING_BYTES) return false;
    link.write(this.#options.framing.write(text));
    return true;
  }

  /** Gives the connection up and makes another one. */
  reopen(why: string): void {
    if (this.#link !== undefined) this.#lost(this.#link, why);
  }

  close(): void {
    this.#closed = true;
    this.#cancelWait();
    const link = this.#link;
    this.#link = undefined;
    this.#connected = false;
    if (link !== undefined) end(link);
  }

  /** serialport may say it twice, as an error and as a close: only the first one counts. */
  #lost(link: SerialLink, why: string): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    end(link);
    this.#failures += 1;
    const { clock, random, backOff, log } = this.#options;
    const ms = waitMs(backOff, this.#failures, random.fraction());
    const level = this.#connected || this.#failures === 1 ? "warn" : "debug";
    log[level]({ why, againInMs: ms }, "serial line lost");
    const wasConnected = this.#connected;
    this.#connected = false;
    if (!this.#closed) this.#cancelWait = clock.after(ms, () => this.open());
    if (wasConnected) this.#options.onDisconnected();
  }
}

function end(link: SerialLink): void {
  link.pause();
  if (link.isOpen) link.close();
  else link.destroy();
}
