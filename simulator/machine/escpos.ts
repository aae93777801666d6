/**
 * A receipt printer as it reads its line: ESC/POS, text and QR codes. Pure.
 *
 * Owns      what has come of a command that is not whole yet, and the slip that is being printed.
 * Promises  bytes may come in any pieces. A command it does not know is passed over and counted, as a printer does that prints
 *           nothing for it; a symbol is printed only after it was stored.
 * Bounded   a slip by `TEXT_MOST` characters, a symbol by what a QR code can hold; of more than that the rest is lost.
 *
 * Written from Epson's ESC/POS command reference, and from nothing that sends it.
 */

/** What came out in one piece; `qr` is what its code holds. */
export type Slip = { readonly text: string; readonly qr: string | null };
export type Printer = {
  readonly pending: readonly number[];
  readonly line: string;
  readonly slip: Slip;
  readonly stored: string | null;
  /** Commands it does not know. */
  readonly unknown: number;
};
export type PrinterStep = readonly [next: Printer, slips: readonly Slip[]];

const TEXT_MOST = 2_048;
const SYMBOL_MOST = 7_089;
const NOTHING: Slip = { text: "", qr: null };
export const newPrinter: Printer = { pending: [], line: "", slip: NOTHING, stored: null, unknown: 0 };

const [LF, ESC, GS] = [0x0a, 0x1b, 0x1d];
const QR_CODE = 0x31; // cn
const [STORE, PRINT] = [0x50, 0x51]; // fn
/** Commands of ESC with one parameter: character table, justification, feed. */
const ONE_PARAMETER: readonly number[] = [0x74, 0x61, 0x64];

export function step(printer: Printer, bytes: Uint8Array): PrinterStep {
  const all = [...printer.pending, ...bytes];
  const slips: Slip[] = [];
  let at: Printer = printer;
  let from = 0;
  for (let size = sizeOf(all, from); size !== undefined && from < all.length; size = sizeOf(all, from)) {
    const [next, out] = obey(at, all.slice(from, from + size));
    at = next;
    slips.push(...out);
    from += size;
  }
  return [{ ...at, pending: all.slice(from) }, slips];
}

/** How many bytes the command (or the letter) there takes; `undefined` while it is not whole. */
function sizeOf(bytes: readonly number[], from: number): number | undefined {
  const [first, second, third] = bytes.slice(from, from + 3);
  const whole = (size: number): number | undefined => (bytes.length - from >= size ? size : undefined);
  if (first === ESC) {
    if (second === undefined) return undefined;
    return whole(ONE_PARAMETER.includes(second) ? 3 : 2);
  }
  if (first !== GS) return whole(1);
  if (second === undefined) return undefined;
  if (second === 0x56) return third === undefined ? undefined : whole(third === 65 || third === 66 ? 4 : 3); // GS V: cut
  if (second !== 0x28) return whole(2);
  const [low, high] = bytes.slice(from + 3, from + 5); // GS ( x pL pH
  return low === undefined || high === undefined ? undefined : whole(5 + low + 256 * high);
}

function obey(printer: Printer, command: readonly number[]): PrinterStep {
  const [first = 0, second, third] = command;
  if (first === LF) return [newLine(printer), []];
  if (first === ESC && second === 0x40) return [{ ...printer, line: "", stored: null }, []]; // ESC @
  if (first === ESC && second === 0x64) return tornOff(printer); // ESC d: fed to the edge
  if (first === ESC && (second === 0x74 || second === 0x61)) return [printer, []];
  if (first === GS && second === 0x56) return tornOff(printer);
  if (first === GS && second === 0x28 && third === 0x6b) return [symbol(printer, command.slice(5)), []];
  if (first === ESC || first === GS) return [{ ...printer, unknown: printer.unknown + 1 }, []];
  return [{ ...printer, line: (printer.line + letterOf(first)).slice(0, TEXT_MOST) }, []];
}

/** GS ( k: cn fn [m] … */
function symbol(printer: Printer, [cn, fn, , ...data]: readonly number[]): Printer {
  if (cn !== QR_CODE) return { ...printer, unknown: printer.unknown + 1 };
  if (fn === STORE)
    return { ...printer, stored: new TextDecoder().decode(Uint8Array.from(data.slice(0, SYMBOL_MOST))) };
  if (fn !== PRINT || printer.stored === null) return printer; // model, size and error correction change nothing here
  return { ...printer, slip: { ...printer.slip, qr: printer.stored } };
}

function newLine(printer: Printer): Printer {
  const text = printer.line === "" ? printer.slip.text : [printer.slip.text, printer.line].join("\n");
  return { ...printer, line: "", slip: { ...printer.slip, text: text.trim().slice(0, TEXT_MOST) } };
}

/** The paper goes to the edge or is cut: what was printed is a slip of its own. */
function tornOff(printer: Printer): PrinterStep {
  const { slip } = newLine(printer);
  const next: Printer = { ...printer, line: "", slip: NOTHING };
  return [next, slip.text === "" && slip.qr === null ? [] : [slip]];
}

/** Windows-1252, which ESC t 16 is, as far as it is Latin-1 with a euro. */
const letterOf = (byte: number): string =>
  byte === 0x80 ? "€" : byte < 0x20 ? "" : String.fromCharCode(byte);
