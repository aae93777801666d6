/**
 * When the machine's audit is to be read. Pure.
 *
 * At the start, then at its interval, and as soon as may be after a vend that ended in doubt; after a failure again, ever more
 * seldom. Never until a while after a vend: a motor may still turn of which nobody will hear, and a machine may count late.
 */
export type Schedule = {
  readonly wantedMs: number;
  readonly quietMs: number; // not before
  readonly failures: number;
  readonly readMs: number | undefined;
};
const FIRST_AGAIN_MS = 30_000;

export const beginSchedule = (nowMs: number): Schedule => ({
  wantedMs: nowMs,
  quietMs: nowMs,
  failures: 0,
  readMs: undefined,
});

/** `quietForMs`: how long a vend may take. */
export const vended = (
  schedule: Schedule,
  {
    isInDoubt,
    quietForMs,
    nowMs,
  }: { readonly isInDoubt: boolean; readonly quietForMs: number; readonly nowMs: number },
): Schedule => ({
  ...schedule,
  wantedMs: isInDoubt ? Math.min(schedule.wantedMs, nowMs) : schedule.wantedMs,
  quietMs: Math.max(schedule.quietMs, nowMs + quietForMs),
});

export const read = (everyMs: number, nowMs: number): Schedule => ({
  wantedMs: nowMs + everyMs,
  quietMs: nowMs,
  failures: 0,
  readMs: nowMs,
});

export function failed(schedule: Schedule, everyMs: number, nowMs: number): Schedule {
  const againMs = Math.min(FIRST_AGAIN_MS * 2 ** schedule.failures, everyMs);
  return { ...schedule, wantedMs: nowMs + againMs, failures: schedule.failures + 1 };
}

export const dueMs = ({ wantedMs, quietMs }: Schedule): number => Math.max(wantedMs, quietMs);
