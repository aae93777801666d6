/** A moment as a person reads it. Pure. */
export type TimeText = {
  /** Its time while it is of today, and with its day otherwise. */
  readonly time: (at: string, nowMs: number) => string;
  readonly dayAndTime: (at: string) => string;
};

export function makeTimeText(locale: string | undefined, timeZone?: string): TimeText {
  const here = timeZone === undefined ? {} : { timeZone };
  const day = new Intl.DateTimeFormat("en", { dateStyle: "short", ...here });
  const timeOfDay = new Intl.DateTimeFormat(locale, { timeStyle: "medium", ...here });
  const whole = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", ...here });
  return {
    time: (at, nowMs) => {
      const then = new Date(at);
      return (day.format(then) === day.format(nowMs) ? timeOfDay : whole).format(then);
    },
    dayAndTime: (at) => whole.format(new Date(at)),
  };
}
