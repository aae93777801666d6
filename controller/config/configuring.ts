/**
 * The configuration from afar: received, applied between two sales, tried, and kept or taken back. Pure.
 *
 * Owns      which configuration is in force, and which one to go back to.
 * Promises  versions only rise: what was applied, refused or taken back once is never applied again. One is applied only
 *           between two sales; if the machine could sell before and cannot within the time it gives itself, the one before it
 *           is in force again, and both the report and the status say so.
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

/** The start of a process: what is in force from here on is `kept.applied`, and is not among the effects. */
export function boot(kept: Kept, nowMs: number): ConfiguringStep {
  const { trial, applied } = kept;
  if (trial === null || applied === null) return [{ kept, waiting: undefined, untilMs: undefined }, []];
  const boots = trial.boots + 1;
  if (trial.judged && boots > MAX_BOOTS) {
    const [restored, effects] = restore({ kept, waiting: undefined, untilMs: undefined }, applied, trial);
    return [restored, effects.filter(({ kind }) => kind !== "apply")];
  }
  const counted = { ...kept, trial: { ...trial, boots } };
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
      return free && untilMs !== undefined && nowMs >= untilMs ? restore(state, applied, trial) : [state, []];
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
  { previous }: NonNullable<Kept["trial"]>,
): ConfiguringStep {
  const { newest } = state.kept;
  const kept = { newest, applied: previous, trial: null, refused: { version, at: NOT_READY } };
  return keep({ ...state, untilMs: undefined }, kept, [
    { kind: "apply", configuration: previous },
    { kind: "alarm", code: "configRestored", detail: `${version}: ${NOT_READY}` },
  ]);
}

const keep = (state: Configuring, kept: Kept, then: readonly ConfiguringEffect[]): ConfiguringStep => [
  { ...state, kept },
  [{ kind: "keep", kept }, ...then],
];
