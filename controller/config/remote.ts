/**
 * The configuration from afar, done: the step of `configuring.ts`, on a disk.
 *
 * Promises  a step whose file could not be written is not taken, and is tried again after `RETRY_MS`.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import type { Body } from "../../broker/protocol/messages.js";
import type { Log } from "../log.js";
import * as configuring from "./configuring.js";
import type { Settings } from "./settings.js";

export const RETRY_MS = 10_000;

export type RemoteOptions = {
  readonly kept: configuring.Kept;
  /** Throws when it is not on disk. */
  readonly write: (kept: configuring.Kept) => void;
  readonly check: (body: unknown) => configuring.Checked;
  readonly settings: (configuration: configuring.Kept["applied"]) => Settings;
  readonly clock: Clock;
  readonly log: Log;
};
export type RemoteEvents = {
  readonly apply: (settings: Settings) => void;
  readonly alarm: (code: string, detail: string) => void;
};

export class Remote {
  readonly #options: RemoteOptions;
  readonly #found: readonly configuring.ConfiguringEffect[];
  #state: configuring.Configuring;
  #retryMs = -Infinity;

  constructor(options: RemoteOptions) {
    this.#options = options;
    const { kept, clock, check } = options;
    [this.#state, this.#found] = configuring.boot(kept, clock.monoMs(), check);
  }

  /** What is in force at the start. */
  get settings(): Settings {
    return this.#options.settings(this.#state.kept.applied);
  }

  status(): NonNullable<Body["status"]["config"]> {
    return configuring.statusOf(this.#state);
  }

  /** Writes and says what the start has found. A disk that is full now costs at most one more trial. */
  begin(events: RemoteEvents): void {
    this.#perform(this.#found, events);
  }

  received(body: Body["config"], events: RemoteEvents): void {
    const checked = this.#options.check(body);
    this.#take({ kind: "received", version: body.version, checked }, events);
  }

  look(at: { readonly free: boolean; readonly ready: boolean }, events: RemoteEvents): void {
    const nowMs = this.#options.clock.monoMs();
    if (nowMs >= this.#retryMs) this.#take({ kind: "look", ...at, nowMs }, events);
  }

  /** When it wants to be looked at, though nothing happens. */
  dueMs(): number | undefined {
    const { untilMs } = this.#state;
    return untilMs === undefined ? undefined : Math.max(untilMs, this.#retryMs);
  }

  #take(event: configuring.ConfiguringEvent, events: RemoteEvents): void {
    const [next, effects] = configuring.step(this.#state, event);
    if (this.#perform(effects, events)) this.#state = next;
  }

  #perform(effects: readonly configuring.ConfiguringEffect[], { apply, alarm }: RemoteEvents): boolean {
    const { write, settings, clock, log } = this.#options;
    for (const effect of effects) {
      switch (effect.kind) {
        case "keep":
          try {
            write(effect.kept);
          } catch (error) {
            this.#retryMs = clock.monoMs() + RETRY_MS;
            log.error({ error: String(error) }, "the configuration cannot be kept: nothing is changed");
            return false;
          }
          break;
        case "apply":
          log.info({ version: effect.configuration?.version ?? 0 }, "configuration applied");
          apply(settings(effect.configuration));
          break;
        case "alarm":
          log.warn({ code: effect.code, detail: effect.detail }, "alarm");
          alarm(effect.code, effect.detail);
          break;
      }
    }
    return true;
  }
}
