/**
 * The screen of a machine: one sentence, and the QR code that goes with it, as large as they fit; or the keypad.
 *
 * Promises  a controller that is gone is said, and so is that it is back, without anybody touching the screen. A code that
 *           nobody finishes typing is cleared after a while.
 */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";

type Shown = { readonly text: string; readonly qr: string | null };

const GIVE_UP_MS = 60_000;
const DIGITS = 20;
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

export function Kiosk(): VNode {
  const [shown, setShown] = useState<Shown>();
  const [typing, setTyping] = useState(false);

  useEffect(() => {
    const stream = new EventSource("/shown"); // it connects again by itself
    stream.onmessage = ({ data }: MessageEvent<string>) => {
      const next = read(data);
      setShown(next);
      if (next !== undefined) setTyping(false); // whatever happens at the machine comes first
    };
    stream.onerror = () => setShown(undefined);
    return () => stream.close();
  }, []);

  if (shown === undefined)
    return (
      <main class="screen">
        <p role="status">One moment. This screen is starting</p>
      </main>
    );
  if (typing) return <Keypad onDone={() => setTyping(false)} />;
  return (
    <main class={shown.qr === null ? "screen" : "screen with-qr"}>
      {shown.qr !== null && (
        <img class="qr" src={`/qr.svg?${encodeURIComponent(shown.qr)}`} alt="Scan this code to pay" />
      )}
      <p role="status">{shown.text}</p>
      {shown.qr === null && (
        <button type="button" class="voucher" onClick={() => setTyping(true)}>
          I have a voucher code
        </button>
      )}
    </main>
  );
}

function Keypad({ onDone }: { readonly onDone: () => void }): VNode {
  const [code, setCode] = useState("");
  useEffect(() => {
    const timer = setTimeout(onDone, GIVE_UP_MS);
    return () => clearTimeout(timer);
  }, [code, onDone]);

  const press = (digit: string): void => setCode((before) => (before + digit).slice(0, DIGITS));
  const send = (): void => {
    const body = JSON.stringify({ code });
    const headers = { "content-type": "application/json" };
    // What comes of it is shown like everything else; a controller that cannot be reached says so by its silence.
    fetch("/code", { method: "POST", headers, body })
      .catch(() => undefined)
      .finally(onDone);
  };
  return (
    <main class="keypad">
      <output aria-label="Voucher code">{groups(code) || "Voucher code"}</output>
      <div class="keys">
        {KEYS.map((digit) => (
          <button key={digit} type="button" onClick={() => press(digit)}>
            {digit}
          </button>
        ))}
        <button
          type="button"
          class="back"
          aria-label="Delete"
          onClick={() => (code === "" ? onDone() : setCode(code.slice(0, -1)))}
        >
          {code === "" ? "Back" : "⌫"}
        </button>
        <button type="button" onClick={() => press("0")}>
          0
        </button>
        <button type="button" class="ok" disabled={code === ""} onClick={send}>
          OK
        </button>
      </div>
    </main>
  );
}

const groups = (code: string): string => code.replaceAll(/([0-9]{4})(?=[0-9])/g, "$1 ");

/** From our own server; anything else is nothing to show. */
function read(data: string): Shown | undefined {
  try {
    const { text, qr } = JSON.parse(data) as Partial<Record<keyof Shown, unknown>>;
    return typeof text === "string" ? { text, qr: typeof qr === "string" ? qr : null } : undefined;
  } catch {
    return undefined;
  }
}
