/** The whole rig on one page: pick a machine and a customer, and watch both sides of a sale at once. */
import type { VNode } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { Cabinet } from "./cabinet.js";
import { FaultPanel } from "./fault-panel.js";
import { Phone } from "./phone.js";
import type { Answer, MachineView, Rig, RigMachine, RigView } from "./rig.js";
import { turningItem, useTraceFeed } from "./trace-feed.js";
import { TraceView } from "./trace-view.js";

/** The picture follows the machine within this and one answer's time. */
const LOOK_MS = 200;
const RETRY_MS = 1_000;

export function RigPage({ rig }: { readonly rig: Rig }): VNode {
  const [view, setView] = useState<Answer<RigView>>();
  const [machineId, setMachineId] = useState<string>();
  const [customer, setCustomer] = useState(0);
  const known = view?.ok === true;

  useEffect(() => {
    if (known) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      const answer = await rig.rig();
      setView(answer);
      if (!answer.ok) timer = setTimeout(() => void ask(), RETRY_MS);
    };
    void ask();
    return () => clearTimeout(timer);
  }, [rig, known]);

  if (view?.ok !== true)
    return <p class="waiting">{view === undefined ? "Looking for the rig" : view.why}</p>;
  const { machines, customers } = view.value;
  const machine = machines.find(({ id }) => id === machineId) ?? machines[0];
  if (machine === undefined) return <p class="waiting">This rig has no machines.</p>;

  return (
    <>
      <header class="top">
        <h1>Vending rig</h1>
        {machines.length > 1 && (
          <label>
            Machine
            <select value={machine.id} onChange={({ currentTarget }) => setMachineId(currentTarget.value)}>
              {machines.map(({ id, code, name }) => (
                <option key={id} value={id}>
                  {name} ({code})
                </option>
              ))}
            </select>
          </label>
        )}
        {machine.screenUrl !== undefined && (
          <a class="screen-link" href={machine.screenUrl} target="_blank" rel="noreferrer">
            The machine’s own screen
          </a>
        )}
        {customers.length > 1 && (
          <label>
            Customer
            <select
              value={customer}
              onChange={({ currentTarget }) => setCustomer(currentTarget.selectedIndex)}
            >
              {customers.map(({ name }, index) => (
                <option key={index} value={index}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
      </header>
      <Bench key={machine.id} rig={rig} machine={machine} walletUrl={customers[customer]?.walletUrl} />
    </>
  );
}

type BenchProps = {
  readonly rig: Rig;
  readonly machine: RigMachine;
  readonly walletUrl: string | undefined;
};

function Bench({ rig, machine, walletUrl }: BenchProps): VNode {
  const [state, setState] = useState<MachineView>();
  const [trouble, setTrouble] = useState<string>();
  const feed = useTraceFeed(rig, machine.id);

  const show = useCallback((answer: Answer<MachineView>) => {
    if (answer.ok) setState(answer.value);
    setTrouble(answer.ok ? undefined : answer.why);
  }, []);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let left = false;
    const look = async (): Promise<void> => {
      const answer = await rig.machine(machine.id);
      if (left) return;
      show(answer);
      timer = setTimeout(() => void look(), LOOK_MS);
    };
    void look();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [rig, machine.id, show]);

  const act = (asked: Promise<Answer<MachineView>>): void => void asked.then(show);
  return (
    <main>
      {trouble !== undefined && (
        <p class="trouble" role="alert">
          {trouble}
        </p>
      )}
      <div class="bench">
        {state === undefined ? (
          <p class="waiting">Looking at {machine.name}</p>
        ) : (
          <Cabinet
            name={machine.name}
            qrUrl={`${machine.url}/qr.svg`}
            state={state}
            turning={turningItem(feed)}
            onSelect={(item) => act(rig.select(machine.id, item))}
            onCancel={() => act(rig.cancel(machine.id))}
          />
        )}
        <Phone machineUrl={machine.url} shownUrl={state?.qr ?? undefined} walletUrl={walletUrl} />
        {state !== undefined && (
          <FaultPanel
            state={state}
            onPower={(on) => act(rig.power(machine.id, on))}
            onFaults={(asked) => act(rig.faults(machine.id, asked))}
            onCode={(how, code) => act(rig.code(machine.id, how, code))}
          />
        )}
      </div>
      <TraceView feed={feed} />
    </main>
  );
}
