/**
 * Reads the machine's own audit from time to time, and says what it counted since the reading before.
 *
 * Owns      the reading that is under way, and which reading the next one is counted from.
 * Promises  a reading is begun only while nobody is served and no vend is recent, and given up the moment that somebody is: so
 *           none is ever taken during a vend, and what it counts are whole vends.
 * Never     writes the journal: the service does, and tells it how far that was (`keep`).
 * Crash     the journal is written before the reading is kept. Between the two the next reading is counted from the one before,
 *           and says so (`since`): the same vends are then held against a count of the same time.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import type { Telemetry } from "../../broker/protocol/messages.js";
import type { Log } from "../log.js";
import type { SerialLink } from "../serial/serial-link.js";
import type { Audit } from "./audit.js";
import { countedSince, type CountedItems } from "./counted.js";
import type { KeptReading } from "./kept-reading.js";
import { beginAuditReading, type Read } from "./reading.js";
import * as schedule from "./schedule.js";
import type { Trouble } from "./trouble.js";

export type AuditorOptions = {
  readonly newLink: () => SerialLink;
  readonly everyMs: number;
  /** Whether the machine's audit and its MDB bus call an item by the same number. */
  readonly sameNumbers: boolean;
  readonly kept: KeptReading | undefined;
  readonly write: (kept: {
    readonly journal: string;
    readonly upTo: number;
    readonly file: Uint8Array;
  }) => void;
  readonly clock: Clock;
  readonly log: Log;
};
export type Reading = { readonly audit: Audit; readonly file: Uint8Array };
/** Counted since the journal's entry `since`. */
export type Counted = { readonly since: number; readonly items: CountedItems };

export class Auditor {
  readonly #options: AuditorOptions;
  #schedule: schedule.Schedule;
  #kept: KeptReading | undefined;
  #trouble: Trouble | "" = "";
  #stop: (() => void) | undefined;

  constructor(options: AuditorOptions) {
    this.#options = options;
    this.#kept = options.kept;
    this.#schedule = schedule.beginSchedule(options.clock.monoMs());
  }

  /** A vend was approved or has ended. */
  vended(isInDoubt: boolean, quietForMs: number): void {
    const nowMs = this.#options.clock.monoMs();
    this.#schedule = schedule.vended(this.#schedule, { isInDoubt, quietForMs, nowMs });
  }

  /** Begins what is due, and gives up what may not go on. `read` is never called from within this. */
  look(isFree: boolean, read: (reading: Reading) => void): void {
    const { newLink, clock, log } = this.#options;
    if (!isFree && this.#stop !== undefined) {
      this.#stop();
      this.#stop = undefined;
      log.info({}, "reading of the audit given up: somebody is served");
    }
    if (!isFree || this.#stop !== undefined || clock.monoMs() < schedule.dueMs(this.#schedule)) return;
    this.#stop = beginAuditReading(newLink, clock, (ended) => this.#ended(ended, read));
  }

  /** When it wants to be looked at, while nobody is served. */
  dueMs(): number | undefined {
    return this.#stop === undefined ? schedule.dueMs(this.#schedule) : undefined;
  }

  /** What this reading counted in this journal; `undefined` when there is nothing to count from. */
  counted({ audit }: Reading, journal: string): Counted | undefined {
    const kept = this.#kept;
    if (kept?.journal !== journal || !this.#options.sameNumbers) return undefined;
    const items = countedSince(kept.audit, audit);
    if (items === undefined) {
      this.#options.log.warn({ serial: audit.serial }, "another machine's audit than before: counted anew");
      return undefined;
    }
    return { since: kept.upTo, items };
  }

  /** What the next reading is counted from. */
  keep({ audit, file }: Reading, journal: string, upTo: number): void {
    const { write, everyMs, clock, log } = this.#options;
    try {
      write({ journal, upTo, file });
    } catch (error) {
      log.error({ error: String(error) }, "the audit cannot be kept");
      this.failed("notKept"); // the one before stays
      return;
    }
    this.#kept = { journal, upTo, audit };
    this.#trouble = "";
    this.#schedule = schedule.read(everyMs, clock.monoMs());
    log.info({ serial: audit.serial, upTo, bytes: file.length }, "audit read");
  }

  failed(trouble: Trouble): void {
    const { everyMs, clock } = this.#options;
    this.#trouble = trouble;
    this.#schedule = schedule.failed(this.#schedule, everyMs, clock.monoMs());
  }

  telemetry(): NonNullable<Telemetry["dex"]> {
    const { readMs } = this.#schedule;
    const ago = readMs === undefined ? {} : { readSecondsAgo: this.#secondsSince(readMs) };
    return { ...ago, trouble: this.#trouble };
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #ended(ended: Read, read: (reading: Reading) => void): void {
    this.#stop = undefined;
    if (ended.ok) {
      read(ended);
      return;
    }
    this.#options.log.warn({ ...ended }, "the audit was not read");
    this.failed(ended.trouble);
  }

  #secondsSince(ms: number): number {
    return Math.floor((this.#options.clock.monoMs() - ms) / 1000);
  }
}
