/**
 * What the controller tells the service manager: that it is ready, and, for as long as it is so, that it works.
 *
 * Owns      when a beat is said: three times in each interval that the manager allows.
 * Promises  no beat while the event loop stands still (nothing here runs then) or `works` says no: the manager then starts
 *           the process again, and boot tells the truth.
 * Never     counts a full disk as broken: a restart makes no room, and would lose what the adapter said meanwhile.
 * Crash     says nothing any more, which is what is wanted.
 */
import type { Clock } from "../broker/protocol/clock.js";

/** sd_notify(3). */
export type Notice = "READY=1" | "WATCHDOG=1" | "STOPPING=1";

export type Supervision = {
  readonly notify: (notice: Notice) => void;
  /** How long the manager waits for a beat; `undefined` when it waits for none. */
  readonly watchdogMs: number | undefined;
  readonly works: () => boolean;
  readonly clock: Clock;
};

/** To be called when the service runs. Answers how to end. */
export function beginSupervision({ notify, watchdogMs, works, clock }: Supervision): () => void {
  let cancel = (): void => undefined;
  const beat = (everyMs: number): void => {
    if (works()) notify("WATCHDOG=1");
    cancel = clock.after(everyMs, () => beat(everyMs));
  };
  notify("READY=1");
  if (watchdogMs !== undefined) beat(watchdogMs / 3);
  return () => {
    cancel();
    notify("STOPPING=1");
  };
}
