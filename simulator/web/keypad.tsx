/** The keys under the display: digits, clear and confirm. A keyboard's digits and Backspace work too. */
import type { VNode } from "preact";

const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "C", "0", "OK"] as const;
const names: Partial<Record<string, string>> = { C: "Clear", OK: "Confirm" };
const LONGEST = 4;

type Props = {
  readonly typed: string;
  readonly onTyped: (typed: string) => void;
  readonly onConfirm: (item: number) => void;
};

export function Keypad({ typed, onTyped, onConfirm }: Props): VNode {
  const press = (key: string): void => {
    if (key === "C") onTyped("");
    else if (key !== "OK") onTyped((typed + key).slice(0, LONGEST));
    else if (typed !== "") onConfirm(Number(typed));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (/^[0-9]$/.test(event.key)) press(event.key);
    else if (event.key === "Backspace") onTyped(typed.slice(0, -1));
  };
  return (
    <div class="keypad" role="group" aria-label="Keypad" onKeyDown={onKeyDown}>
      {keys.map((key) => (
        <button
          key={key}
          type="button"
          class={`key ${key}`}
          aria-label={names[key]}
          onClick={() => press(key)}
        >
          {key}
        </button>
      ))}
    </div>
  );
}
