/**
 * How much one machine's key can have written here: into the database, and into the log.
 *
 * Promises  a machine that catches up after a week away, or whose card breaks now and then, is not held up.
 * Bounded   in machines and alarms by the counts; in lines of the log by ALARM_LINES an hour and machine, and few past that.
 * Crash     what is counted here begins again; the journals of a day are counted in the database (journals.ts).
 */
import type { Clock } from "../../broker/protocol/clock.js";
import { isPowerOfTwo } from "../../broker/protocol/tally.js";
import { WindowCounts } from "../http/window-counts.js";
import type { Log } from "./log.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const ALARM_LINES = 60;

export type ReportsAllowed = { readonly perMinute: number; readonly journalsPerDay: number };
export type Alarm = { readonly machine: string; readonly code: string; readonly detail: string };

export class ReportLimits {
  readonly journalsPerDay: number;
  readonly #perMinute: number;
  readonly #log: Log;
  readonly #reports: WindowCounts;
  readonly #refused: WindowCounts;
  readonly #alarms: WindowCounts;
  readonly #alarmLines: WindowCounts;

  constructor({ perMinute, journalsPerDay }: ReportsAllowed, clock: Clock, log: Log) {
    this.#perMinute = perMinute;
    this.journalsPerDay = journalsPerDay;
    this.#log = log;
    this.#reports = new WindowCounts(clock, MINUTE_MS);
    this.#refused = new WindowCounts(clock, 24 * HOUR_MS);
    this.#alarms = new WindowCounts(clock, HOUR_MS);
    this.#alarmLines = new WindowCounts(clock, HOUR_MS);
  }

  /** False for one too many; the machine says it again. */
  admits(machine: string): boolean {
    if (this.#reports.add(machine).count <= this.#perMinute) return true;
    this.#refuse(machine, `more than ${this.#perMinute} reports a minute (reportsPerMinute): not taken in`);
    return false;
  }

  journalRefused(machine: string): void {
    this.#refuse(
      machine,
      `more than ${this.journalsPerDay} new journals a day (journalsPerDay): not taken in. Is its card broken, or its key stolen?`,
    );
  }

  /** Logs an alarm, unless it has been logged often of late. */
  say(alarm: Alarm): void {
    const { count } = this.#alarms.add(`${alarm.machine} ${alarm.code}`);
    if (!isPowerOfTwo(count)) return;
    const { count: lines } = this.#alarmLines.add(alarm.machine); // the codes are the machine's own, and it may have many
    if (lines <= ALARM_LINES || isPowerOfTwo(lines)) this.#log.warn({ ...alarm, count }, "alarm");
  }

  #refuse(machine: string, why: string): void {
    const { count } = this.#refused.add(`${machine} ${why}`);
    if (isPowerOfTwo(count)) this.#log.warn({ machine, count }, why);
  }
}
