/**
 * A driver on its real line, without a sale: what a doctor asks of it, and what it has seen.
 *
 * Never     approves: it has no way to.
 * Bounded   one connection; when it is lost, or the driver finds nobody behind it, it is over.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import type { Configuration } from "../configuration.js";
import type { Ask, DriverEvent, Said } from "../mdb/driver.js";
import { drivers } from "../mdb/drivers.js";
import { lines } from "../serial/framing.js";
import { LineSplitter } from "../serial/line-splitter.js";
import { MAX_LINE_BYTES } from "../serial/serial-line.js";
import type { SerialLink } from "../serial/serial-link.js";
import { heardBare, heardEffect, heardLine, nothingSeen, type Observation } from "./observation.js";

export type Harmless = Exclude<Ask, { kind: "approve" }>;
type Untimed<E = DriverEvent> = E extends unknown ? Omit<E, "nowMs"> : never;
export type Requested = Extract<Said, { kind: "vendRequested" }>;

export class Probe {
  readonly #clock: Clock;
  readonly #driver;
  readonly #framing;
  readonly #link: SerialLink;
  #state: unknown;
  #queue: Untimed[] = [];
  #isBusy = false;
  #look: () => void = () => undefined;
  #cancelWake: () => void = () => undefined;
  seen: Observation;
  isLost = false;
  /** The request that waits for an answer. */
  request: Requested | undefined;
  /** What was said of the last session. */
  said: readonly Said["kind"][] = [];

  constructor(settings: Configuration, link: SerialLink, clock: Clock) {
    const adapter = drivers[settings.driver];
    this.#clock = clock;
    this.#driver = adapter.make(settings);
    this.#framing = adapter.framing;
    this.#link = link;
    this.#state = this.#driver.initial;
    this.seen = nothingSeen(settings);
  }

  /** Answers why the port did not open, if it did not. */
  async open(): Promise<Error | undefined> {
    const link = this.#link;
    const problem = await new Promise<Error | null>((done) => {
      link.on("error", (error: Error) => done(error));
      link.open(done);
    });
    if (problem !== null) return problem;
    const lost = (): void => {
      if (this.isLost) return;
      this.isLost = true;
      this.#take({ kind: "disconnected" });
    };
    link.on("error", lost);
    link.on("close", lost);
    const splitter = new LineSplitter(this.#framing, MAX_LINE_BYTES);
    // What a box says outside its framing no driver is to believe, and it may still show which box it is.
    const bare = this.#framing.end === lines.end ? undefined : new LineSplitter(lines, MAX_LINE_BYTES);
    link.on("data", (bytes: Buffer) => {
      for (const line of bare?.push(bytes) ?? []) this.seen = heardBare(this.seen, lines.read(line));
      for (const line of splitter.push(bytes)) {
        const text = this.#framing.read(line);
        this.seen = heardLine(this.seen, text);
        this.#take({ kind: "line", text });
      }
    });
    this.#take({ kind: "connected" });
    return undefined;
  }

  ask(ask: Harmless): void {
    if (ask.kind === "openSession") this.said = [];
    this.#take({ kind: "ask", ask });
  }

  deny(): void {
    const request = this.request?.request;
    this.request = undefined;
    if (request !== undefined) this.ask({ kind: "deny", request });
  }

  /** True as soon as it holds; false when it does not in time, or can not any more. */
  async until(holds: () => boolean, ms: number): Promise<boolean> {
    if (holds()) return true;
    return await new Promise<boolean>((resolve) => {
      const end = (answer: boolean): void => {
        cancel();
        this.#look = () => undefined;
        resolve(answer);
      };
      const cancel = this.#clock.after(ms, () => end(holds()));
      this.#look = () => {
        if (holds()) end(true);
        else if (this.isLost || this.seen.isGivenUp) end(false);
      };
    });
  }

  /** Leaves no session open behind it, if the machine lets it. */
  async close(withinMs: number): Promise<void> {
    if (!this.isLost && !this.seen.isGivenUp && this.seen.wasEnabled) {
      this.deny();
      this.ask({ kind: "closeSession" });
      await this.until(() => this.seen.mdb === "enabled", withinMs);
    }
    this.#cancelWake();
    this.isLost = true;
    if (this.#link.isOpen) this.#link.close();
    else this.#link.destroy();
  }

  #take(event: Untimed): void {
    this.#queue.push(event);
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    this.#isBusy = false;
    this.#cancelWake();
    const due = this.#driver.dueMs(this.#state);
    if (due !== undefined)
      this.#cancelWake = this.#clock.after(Math.max(0, due - this.#clock.monoMs()), () =>
        this.#take({ kind: "tick" }),
      );
    this.#look();
  }

  #step(event: Untimed): void {
    const timed = { ...event, nowMs: this.#clock.monoMs() } as DriverEvent; // Untimed took only nowMs away
    const [state, effects] = this.#driver.step(this.#state, timed);
    this.#state = state;
    for (const effect of effects) {
      this.seen = heardEffect(this.seen, effect);
      if (effect.kind === "send" && this.#link.isOpen) this.#link.write(this.#framing.write(effect.text));
      if (effect.kind === "say") this.#hear(effect.said);
    }
  }

  #hear(said: Said): void {
    if (said.kind === "mdb") return;
    this.said = [...this.said.slice(-32), said.kind];
    if (said.kind === "vendRequested") this.request = said;
    else if (said.kind !== "opened") this.request = undefined;
  }
}
