/**
 * Which journal entries are said next. Pure.
 *
 * Promises  unheard entries go out in order, at most `WINDOW` of them unanswered, and all of those again when nothing more
 *           was heard for a while. The cloud's `heard` moves the pointer both ways: it decides where to go on from.
 * Never     forgets: that is the journal's, and only for its own id.
 */
export const WINDOW = 32;

export type Reports = {
  readonly heard: number; // the cloud has every entry up to here
  readonly said: number; // said on this connection
  readonly againMs: number; // monotonic: when what is unanswered is said again
  readonly gap: number; // the last answer that made us go back at once
};
export type ReportsEvent =
  | { readonly kind: "connected" | "look"; readonly last: number; readonly nowMs: number }
  | { readonly kind: "heard"; readonly upTo: number; readonly last: number; readonly nowMs: number };

/** The next state, and which entries to say now: those after `from`, up to and including `to`. */
export type ReportsStep = readonly [next: Reports, say: { readonly from: number; readonly to: number }];

export const reportsFrom = (heard: number): Reports => ({
  heard,
  said: heard,
  againMs: 0,
  gap: -1,
});

export function step(reports: Reports, event: ReportsEvent, everyMs: number): ReportsStep {
  const { nowMs, last } = event;
  const heard = event.kind === "heard" ? event.upTo : reports.heard;
  // No further than before, though more was said: something in between was lost, or the cloud lost what it had. Every
  // message past a gap is answered, so we go back once a gap: a cloud that cannot take the next entry is not asked faster.
  const stuck = event.kind === "heard" && heard <= reports.heard && heard !== reports.gap;
  const rewinds = event.kind === "connected" || nowMs >= (dueMs(reports) ?? Infinity) || stuck;
  const from = rewinds ? heard : Math.max(reports.said, heard);
  const said = Math.max(from, Math.min(last, heard + WINDOW));
  const moved = rewinds || heard !== reports.heard || said > from;
  return [
    {
      heard,
      said,
      againMs: moved ? nowMs + everyMs : reports.againMs,
      gap: stuck ? heard : reports.gap,
    },
    { from, to: said },
  ];
}

/** When what is unanswered is to be said again; `undefined` when all is heard. */
export const dueMs = ({ heard, said, againMs }: Reports): number | undefined =>
  said > heard ? againMs : undefined;
