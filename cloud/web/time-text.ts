/** A moment as a person reads it: its time while it is of today, and with its day otherwise. Pure. */
export function makeTimeText(
  locale: string | undefined,
  timeZone?: string,
): (at: string, nowMs: number) => string {
  const here = timeZone === undefined ? {} : { timeZone };
  const day = new Intl.DateTimeFormat("en", { dateStyle: "short", ...here });
  const timeOfDay = new Intl.DateTimeFormat(locale, { timeStyle: "medium", ...here });
  const dayAndTime = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", ...here });
  return (at, nowMs) => {
    const then = new Date(at);
    return (day.format(then) === day.format(nowMs) ? timeOfDay : dayAndTime).format(then);
  };
}
