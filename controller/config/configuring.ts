/**
 * The configuration from afar: received, applied between two sales, tried, and kept or taken back. Pure.
 *
 * Owns      which configuration is in force, and which one to go back to.
 * Promises  versions only rise: what was applied, refused or taken back once is never applied again. One is applied only
 *           between two sales; if the machine could sell before and cannot within the time it gives itself, the one before it
 *           is in force again, and both the report and the status say so. So it is at a start that finds a machine's file which it
 *           does not go with.
 * Never     looks inside one: whether it may be used at all is in the event.
 * Crash     `Kept` is written whole before it is acted on, so there is the old one or the new one. A trial goes on from its
 *           beginning at the next start, and a configuration that has seen `MAX_BOOTS` of them is taken back: it may be what ends them.
 *
 * `nowMs` is the monotonic clock.
 */
import type { MachineConfiguration } from "../../broker/protocol/machine-configuration.js";

export type Kept = {
  /** The highest version that was ever decided about. */
  readonly newest: number;
  /** In force; `null` while it is the machine's own file alone. */
  readonly applied: MachineConfiguration | null;
  readonly trial: {
    readonly previous: MachineConfiguration | null;
    /** The machine could sell before: that it cannot now is this one's doing. */
    readonly judged: boolean;
    readonly boots: number;
  } | null;
  readonly refused: { readonly version: number; readonly at: string } | null;
};
export type Configuring = {
  readonly kept: Kept;
  /** For the next moment between two sales. Forgotten at a crash: the broker or the cloud says it again. */
  readonly waiting: MachineConfiguration | undefined;
  /** When a trial is lost. */
  readonly untilMs: number | undefined;
};
export type Checked =
  | { readonly ok: true; readonly configuration: MachineConfiguration }
  | { readonly ok: false; readonly at: string };
export type ConfiguringEvent =
  | { readonly kind: "received"; readonly version: number; readonly checked: Checked }
  /** `free`: between two sales. `ready`: the next one could begin now. */
  | { readonly kind: "look"; readonly free: boolean; readonly ready: boolean; readonly nowMs: number };
export type ConfiguringEffect =
  /** Always first: nothing after it may happen before it is on disk. */
  | { readonly kind: "keep"; readonly kept: Kept }
  | { readonly kind: "apply"; readonly configuration: MachineConfiguration | null }
  | { readonly kind: "alarm"; readonly code: "configRefused" | "configRestored"; readonly detail: string };
export type ConfiguringStep = readonly [next: Configuring, effects: readonly ConfiguringEffect[]];

export const NOTHING_KEPT: Kept = { newest: 0, applied: null, trial: null, refused: null };
export const MAX_BOOTS = 3;
const NOT_READY = "the machine did not become ready";

/**
 * The start of a process: what is in force from here on is `kept.applied`, and is not among the effects. `check`: against the
 * machine's own file, which may be another one by now.
 */
export function boot(
  kept: Kept,
  nowMs: number,
  check: (configuration: MachineConfiguration) => Checked,
): ConfiguringStep {
  const { applied } = kept;
  const state: Configuring = { kept, waiting: undefined, untilMs: undefined };
  if (applied === null) return [state, []];
  const before = kept.trial?.previous ?? null;
  const previous = before !== null && check(before).ok ? before : null;
  const trial = kept.trial && { ...kept.trial, previous, boots: kept.trial.boots + 1 };
  const checked = check(applied);
  const isLost = trial !== null && trial.judged && trial.boots > MAX_BOOTS;
  if (!checked.ok || isLost) {
    const [restored, effects] = restore(state, applied, previous, checked.ok ? NOT_READY : checked.at);
    return [restored, effects.filter(({ kind }) => kind !== "apply")];
  }
  if (trial === null) return [state, []];
  const counted = { ...kept, trial };
  const untilMs = trial.judged ? nowMs + applied.readyWithinMs : undefined;
  return [{ kept: counted, waiting: undefined, untilMs }, [{ kind: "keep", kept: counted }]];
}

export function step(state: Configuring, event: ConfiguringEvent): ConfiguringStep {
  return event.kind === "received" ? received(state, event) : look(state, event);
}

/** What the status says of it. */
export function statusOf({ kept: { applied, trial, refused } }: Configuring): {
  readonly applied: number;
  readonly trying?: number;
  readonly refused?: { readonly version: number; readonly at: string };
} {
  const proven = trial === null ? applied : trial.previous;
  return {
    applied: proven?.version ?? 0,
    ...(trial === null || applied === null ? {} : { trying: applied.version }),
    ...(refused === null ? {} : { refused }),
  };
}

function received(
  state: Configuring,
  { version, checked }: Extract<ConfiguringEvent, { kind: "received" }>,
): ConfiguringStep {
  const { kept, waiting } = state;
  if (version <= Math.max(kept.newest, waiting?.version ?? 0)) return [state, []]; // said again, or an old one replayed
  if (checked.ok) return [{ ...state, waiting: checked.configuration }, []];
  const { at } = checked;
  return keep(state, { ...kept, newest: version, refused: { version, at } }, [
    { kind: "alarm", code: "configRefused", detail: `${version}: ${at}` },
  ]);
}

function look(
  state: Configuring,
  { free, ready, nowMs }: Extract<ConfiguringEvent, { kind: "look" }>,
): ConfiguringStep {
  const { kept, waiting, untilMs } = state;
  const { trial, applied } = kept;
  if (trial !== null && applied !== null) {
    if (ready) return keep({ ...state, untilMs: undefined }, { ...kept, trial: null }, []);
    if (trial.judged)
      return free && untilMs !== undefined && nowMs >= untilMs
        ? restore(state, applied, trial.previous, NOT_READY)
        : [state, []];
  }
  if (waiting === undefined || !free) return [state, []];
  const previous = trial === null ? applied : trial.previous; // the last that is known to work
  const judged = ready;
  const next: Kept = {
    newest: Math.max(kept.newest, waiting.version),
    applied: waiting,
    trial: { previous, judged, boots: 0 },
    refused: kept.newest > waiting.version ? kept.refused : null,
  };
  const trying = {
    ...state,
    waiting: undefined,
    untilMs: judged ? nowMs + waiting.readyWithinMs : undefined,
  };
  return keep(trying, next, [{ kind: "apply", configuration: waiting }]);
}

function restore(
  state: Configuring,
  { version }: MachineConfiguration,
  previous: MachineConfiguration | null,
  at: string,
): ConfiguringStep {
  const { newest, refused: last } = state.kept;
  // The status has room for one. Of the newest the cloud must hear, or it says it again at each of our words.
  const refused = last !== null && last.version > version ? last : { version, at };
  const kept = { newest, applied: previous, trial: null, refused };
  return keep({ ...state, untilMs: undefined }, kept, [
    { kind: "apply", configuration: previous },
    { kind: "alarm", code: "configRestored", detail: `${version}: ${at}` },
  ]);
}

const keep = (state: Configuring, kept: Kept, then: readonly ConfiguringEffect[]): ConfiguringStep => [
  { ...state, kept },
  [{ kind: "keep", kept }, ...then],
];
