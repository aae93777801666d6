/** The machine as one stands before it: glass and shelves, display, keypad, lights, sticker and the delivery bay. */
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { minorToDecimal, toMinor } from "../../broker/protocol/money.js";
import { Keypad } from "./keypad.js";
import { Product, Spiral } from "./product.js";
import type { Coil, MachineView } from "./rig.js";

type Props = {
  readonly name: string;
  readonly qrUrl: string;
  readonly state: MachineView;
  readonly turning: number | undefined;
  readonly onSelect: (item: number) => void;
  readonly onCancel: () => void;
};

/** A shelf holds this many spirals; a machine with more items has more shelves. */
const SHELF = 4;
/** Slips on show. */
const SLIPS = 3;
/** What the display and the price tags of these machines are made for. */
const DECIMALS = 2;

const shelvesOf = (coils: readonly Coil[]): readonly (readonly Coil[])[] =>
  Array.from({ length: Math.ceil(coils.length / SHELF) }, (_, row) =>
    coils.slice(row * SHELF, (row + 1) * SHELF),
  );

export function Cabinet({ name, qrUrl, state, turning, onSelect, onCancel }: Props): VNode {
  const [typed, setTyped] = useState("");
  const [bay, take] = useBay(state.coils);
  const display = typed === "" ? state.display : `ITEM ${typed}`;
  return (
    <section class="cabinet" aria-label={`Machine: ${name}`}>
      <div class="glass">
        {shelvesOf(state.coils).map((shelf, row) => (
          <ul key={row} class="shelf">
            {shelf.map((coil) => (
              <Spring key={coil.item} coil={coil} turning={turning === coil.item} onSelect={onSelect} />
            ))}
          </ul>
        ))}
      </div>

      <div class="controls">
        <p class="display" role="status" aria-label="Display">
          {display}
        </p>
        {state.printed !== null && <Slips printed={state.printed} />}
        {state.shown === "" || state.printed !== null ? null : (
          <p class="customer-display" aria-label="Customer display" aria-live="polite">
            {state.shown}
            {state.qr === null ? null : (
              <img src={`${state.qr}/qr.svg`} alt="The QR code on the display" width="132" height="132" />
            )}
          </p>
        )}
        <Lights state={state} />
        <Keypad
          typed={typed}
          onTyped={setTyped}
          onConfirm={(item) => {
            setTyped("");
            onSelect(item);
          }}
        />
        <button type="button" class="lever" onClick={onCancel}>
          <span class="lever-arm" aria-hidden="true" />
          Coin return
        </button>
        <figure class="sticker">
          <img src={qrUrl} alt="The sticker's QR code" width="96" height="96" />
          <figcaption>
            Scan to pay
            <strong>{state.code}</strong>
          </figcaption>
        </figure>
      </div>

      <button
        type="button"
        class="bay"
        onClick={take}
        disabled={bay.length === 0}
        aria-label="Take what has fallen"
      >
        <span class="bay-items">
          {bay.map(({ key, coil }) => (
            <span key={key} class="fallen">
              <Product item={coil.item} name={coil.name} />
            </span>
          ))}
        </span>
        <span class="bay-label">{bay.length === 0 ? "PUSH" : "TAKE"}</span>
      </button>
    </section>
  );
}

/** The receipt printer's tray: the newest slip on top, a few below it. */
function Slips({ printed }: { readonly printed: NonNullable<MachineView["printed"]> }): VNode {
  return (
    <ol class="slips" aria-label="Receipt printer" aria-live="polite">
      {printed.length === 0 ? <li class="no-slip">Nothing printed yet</li> : null}
      {printed.slice(0, SLIPS).map(({ text, qr }, index) => (
        <li key={printed.length - index}>
          {text}
          {qr === null ? null : (
            <img src={`${qr}/qr.svg`} alt="The QR code on the slip" width="132" height="132" />
          )}
        </li>
      ))}
    </ol>
  );
}

type SpringProps = {
  readonly coil: Coil;
  readonly turning: boolean;
  readonly onSelect: (item: number) => void;
};

/** A spiral with what is left in it. A press is the short way to its keys. */
function Spring({ coil, turning, onSelect }: SpringProps): VNode {
  const price = minorToDecimal(toMinor(coil.price), DECIMALS);
  return (
    <li>
      <button
        type="button"
        class={turning ? "spring turning" : "spring"}
        title={`${coil.name}: ${coil.stock} left, ${coil.fallen} fallen`}
        aria-label={`Select ${coil.item}, ${coil.name}, ${price}, ${coil.stock} left`}
        onClick={() => onSelect(coil.item)}
      >
        <span class="slot">
          {Array.from({ length: Math.min(coil.stock, 3) }, (_, depth) => (
            <span key={depth} class={`product depth-${depth}`}>
              <Product item={coil.item} name={coil.name} />
            </span>
          ))}
          <Spiral />
        </span>
        <span class="label">
          <b>{coil.item}</b>
          <span>{price}</span>
          <i>{coil.stock === 0 ? "empty" : `×${coil.stock}`}</i>
        </span>
      </button>
    </li>
  );
}

type Tone = "good" | "warn" | "bad" | "dark";
type Light = { readonly label: string; readonly tone: Tone; readonly says: string };

function lightsOf({ powered, vmc, credit, faults }: MachineView): readonly Light[] {
  const disturbed = faults.networkDelayMs > 0 || faults.networkDrop > 0 || faults.networkDuplicate > 0;
  const setUp = vmc === "enabled" || vmc === "session" || vmc === "vend";
  const cut = faults.networkDown;
  return [
    { label: "Power", tone: powered ? "good" : "bad", says: powered ? "on" : "off" },
    {
      label: "Network",
      tone: cut ? "bad" : disturbed ? "warn" : "good",
      says: cut ? "down" : disturbed ? "disturbed" : "up",
    },
    { label: "MDB", tone: setUp ? "good" : vmc === "off" || vmc === "silent" ? "bad" : "warn", says: vmc },
    {
      label: "Credit",
      tone: credit === null ? "dark" : "warn",
      says: credit === null ? "none" : minorToDecimal(toMinor(credit), DECIMALS),
    },
  ];
}

function Lights({ state }: { readonly state: MachineView }): VNode {
  return (
    <ul class="lights">
      {lightsOf(state).map(({ label, tone, says }) => (
        <li key={label}>
          <span class={`lamp ${tone}`} aria-hidden="true" />
          <span>{label}</span>
          <span class="says">{says}</span>
        </li>
      ))}
    </ul>
  );
}

type Fallen = { readonly key: number; readonly coil: Coil };
const BAY = 5;

/** What fell while this page watched and nobody took out yet. The machine only counts; the bay is a picture. */
function useBay(coils: readonly Coil[]): readonly [readonly Fallen[], () => void] {
  const [bay, setBay] = useState<readonly Fallen[]>([]);
  const counted = useRef<ReadonlyMap<number, number>>(undefined);
  const nextKey = useRef(0);

  useEffect(() => {
    const before = counted.current;
    counted.current = new Map(coils.map(({ item, fallen }) => [item, fallen]));
    if (before === undefined) return; // what fell before the page was opened has been taken
    const fell = coils.flatMap((coil) =>
      Array.from({ length: Math.max(0, coil.fallen - (before.get(coil.item) ?? 0)) }, () => coil),
    );
    if (fell.length === 0) return;
    setBay((held) => [...held, ...fell.map((coil) => ({ key: nextKey.current++, coil }))].slice(-BAY));
  }, [coils]);

  return [bay, () => setBay([])];
}
