/** Everything that can be made to go wrong, and the controller's power. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Faults, FaultsAsked } from "../machine/faults.js";
import type { MachineView } from "./rig.js";

type Named<V> = { [F in keyof Faults]: Faults[F] extends V ? F : never }[keyof Faults];
type Switch = { readonly fault: Named<boolean>; readonly label: string; readonly means: string };
type Level = {
  readonly fault: Named<number>;
  readonly label: string;
  readonly steps: readonly { readonly value: number; readonly label: string }[];
};

// prettier-ignore
const groups: readonly { readonly title: string; readonly switches: readonly Switch[]; readonly levels: readonly Level[] }[] = [
  {
    title: "Vend",
    switches: [
      { fault: "jam",             label: "Jam",              means: "The motor turns and nothing falls" },
      { fault: "noReport",        label: "No report",        means: "It falls, and the machine never says so" },
      { fault: "duplicateReport", label: "Report twice",     means: "The machine says it twice" },
    ],
    levels: [{ fault: "slowCoilMs", label: "Slow coil", steps: ms(0, 3_000, 10_000, 30_000) }],
  },
  {
    title: "Machine",
    switches: [
      { fault: "vmcReset",  label: "VMC resets",  means: "At once, and in the middle of every vend" },
      { fault: "resetLoop", label: "Reset loop", means: "The VMC never takes the reader" },
      { fault: "neverEnables", label: "Never enables", means: "The VMC sets the reader up, and no more" },
      { fault: "priceTimesTen", label: "Price × 10", means: "The VMC asks for ten times what it shows" },
      { fault: "vmcSilent", label: "VMC silent",  means: "The adapter answers, nobody is on the bus" },
    ],
    levels: [{ fault: "busErrors", label: "Bus errors", steps: rates(0, 0.1, 0.3, 0.6) }],
  },
  {
    title: "Serial line",
    switches: [
      { fault: "serialNoise",     label: "Noise",     means: "Garbage, cut and damaged lines" },
      { fault: "serialUnplugged", label: "Unplugged", means: "The connection is cut and refused" },
    ],
    levels: [],
  },
  {
    title: "Network",
    switches: [{ fault: "networkDown", label: "Down", means: "The broker cannot be reached" }],
    levels: [
      { fault: "networkDelayMs",   label: "Delay",     steps: ms(0, 250, 2_000, 10_000) },
      { fault: "networkDrop",      label: "Lose",      steps: rates(0, 0.1, 0.3, 1) },
      { fault: "networkDuplicate", label: "Duplicate", steps: rates(0, 0.1, 0.3, 1) },
    ],
  },
];

function ms(...values: readonly number[]): Level["steps"] {
  return values.map((value) => ({
    value,
    label: value === 0 ? "Off" : value < 1_000 ? `${value} ms` : `${value / 1_000} s`,
  }));
}

function rates(...values: readonly number[]): Level["steps"] {
  return values.map((value) => ({ value, label: value === 0 ? "Off" : `${value * 100} %` }));
}

type Props = {
  readonly state: MachineView;
  readonly onPower: (on: boolean) => void;
  readonly onFaults: (asked: FaultsAsked) => void;
  readonly onCode: (how: "scan" | "type", code: string) => void;
};

export function FaultPanel({ state, onPower, onFaults, onCode }: Props): VNode {
  return (
    <section class="panel" aria-label="Power and faults">
      <Toggle
        label="Controller power"
        means="Off kills the controller's process"
        on={state.powered}
        tone="power"
        onChange={onPower}
      />
      {groups.map(({ title, switches, levels }) => (
        <fieldset key={title}>
          <legend>{title}</legend>
          {switches.map(({ fault, label, means }) => (
            <Toggle
              key={fault}
              label={label}
              means={means}
              on={state.faults[fault]}
              tone="fault"
              onChange={(on) => onFaults({ [fault]: on })}
            />
          ))}
          {levels.map((level) => (
            <Amount
              key={level.fault}
              level={level}
              value={state.faults[level.fault]}
              onChange={(value) => onFaults({ [level.fault]: value })}
            />
          ))}
        </fieldset>
      ))}
      <CodeReader onCode={onCode} />
    </section>
  );
}

type ToggleProps = {
  readonly label: string;
  readonly means: string;
  readonly on: boolean;
  readonly tone: "power" | "fault";
  readonly onChange: (on: boolean) => void;
};

function Toggle({ label, means, on, tone, onChange }: ToggleProps): VNode {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={on}
      class={`toggle ${tone}`}
      title={means}
      onClick={() => onChange(!on)}
    >
      <span>{label}</span>
      <span class="track" aria-hidden="true" />
    </button>
  );
}

type AmountProps = {
  readonly level: Level;
  readonly value: number;
  readonly onChange: (value: number) => void;
};

/** A value set by a script may be none of the steps: then it is shown as it is. */
function Amount({ level, value, onChange }: AmountProps): VNode {
  const listed = level.steps.some((step) => step.value === value);
  return (
    <label class={value === 0 ? "amount" : "amount set"}>
      <span>{level.label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(Number(currentTarget.value))}>
        {level.steps.map((step) => (
          <option key={step.value} value={step.value}>
            {step.label}
          </option>
        ))}
        {!listed && <option value={value}>{value}</option>}
      </select>
    </label>
  );
}

function CodeReader({ onCode }: { readonly onCode: Props["onCode"] }): VNode {
  const [code, setCode] = useState("");
  const send = (how: "scan" | "type"): void => {
    if (code !== "") onCode(how, code);
  };
  return (
    <fieldset>
      <legend>Code</legend>
      <form
        class="code"
        onSubmit={(event) => {
          event.preventDefault();
          send("scan");
        }}
      >
        <input
          aria-label="Code to scan or type"
          value={code}
          maxLength={256}
          onInput={({ currentTarget }) => setCode(currentTarget.value)}
        />
        <button type="submit">Scan</button>
        <button type="button" onClick={() => send("type")}>
          Type
        </button>
      </form>
    </fieldset>
  );
}
