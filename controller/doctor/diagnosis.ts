/**
 * From what was seen of a machine to what is wrong with it, in plain words and with the cure, and to the settings that it
 * wants. Pure.
 */
import type { Configuration } from "../configuration.js";
import type { Observation } from "./observation.js";

export type Finding = {
  readonly code: string;
  readonly isFault: boolean;
  readonly says: string;
  readonly cure?: string;
};
/** What the technician and the machine answered, as far as it was asked. */
export type Answers = {
  readonly vends: readonly { readonly item: number; readonly priceMinor: number; readonly label: string }[];
  readonly shownMinor?: number; // what the display showed for the first of them
  readonly alwaysIdle?: boolean;
  readonly zeroFunds?: boolean;
  readonly patience?: { readonly seconds: number; readonly isLeast: boolean };
};
export type ItemNumbers = "plain" | "rowColumn" | "undefined" | "other";
type Facts = Configuration["facts"];
/** What of the file should say something else; the keys of `reader` or `adapterSettings` that are not named stay. */
export type Change = {
  readonly reader?: Readonly<Record<string, unknown>>;
  readonly adapterSettings?: Readonly<Record<string, string>>;
  readonly facts?: Facts;
};

export const LOOP_RESETS = 3;

const fault = (code: string, says: string, cure: string): Finding => ({ code, isFault: true, says, cure });
const fact = (code: string, says: string): Finding => ({ code, isFault: false, says });

/** Why the port could not be opened, from the system's own code. */
export function portFinding(place: string, code: string | undefined, message: string): Finding {
  switch (code) {
    case "ENOENT":
      return fault(
        "noPort",
        `There is no ${place}.`,
        "Plug the adapter in and look in /dev/serial/by-id; on a Pi's own pins enable the UART and free it of the console.",
      );
    case "EACCES":
    case "EPERM":
      return fault(
        "noPermission",
        `This user may not open ${place}.`,
        "sudo usermod -aG dialout $USER, then log in again.",
      );
    case "ECONNREFUSED":
    case "EHOSTUNREACH":
    case "ENOTFOUND":
    case "ETIMEDOUT":
      return fault(
        "noServer",
        `Nobody answers at ${place} (${code}).`,
        "Switch the serial server on; check its address and port.",
      );
    default:
      return fault(
        "portBusy",
        `${place} could not be opened: ${message}`,
        `Another program holds it, most likely the controller: stop it first. fuser ${place} says who.`,
      );
  }
}

/** Why no machine took the reader into service; nothing when one did. */
export function serviceFindings(seen: Observation, { reader, driver }: Configuration): readonly Finding[] {
  if (seen.resets >= LOOP_RESETS) return [resetLoop(seen, reader)];
  if (seen.wasEnabled) return [];
  if (seen.refusals > 1 && seen.refusals * 2 > seen.lines)
    return [
      fault(
        "masterBox",
        "Each answer is FF: this box is a bus master (MDB-RS232), made for a computer that owns coin changers.",
        "It must be the other one, PC2MDB (RS232-MDB), which makes the computer the cashless device.",
      ),
    ];
  if (seen.garbled > 0 && seen.garbled * 2 > seen.lines)
    return [
      fault(
        "garbage",
        `${seen.garbled} of ${seen.lines} lines are nothing that a ${driver} adapter says.`,
        "Check baudRate and driver in the configuration, and that the box is the one you think it is.",
      ),
    ];
  const isReader = driver === "qibixx" || driver === "matedealer";
  if (seen.lines === 0 && isReader)
    return [
      fault(
        "adapterSilent",
        "The port is open and the adapter says nothing.",
        "Check its power and cable, that this is its port, and baudRate. On a Pi's pins: UART on, console off, jumper on UART; a Pi 5 is better served by USB.",
      ),
    ];
  if (seen.lines === 0)
    return [
      fault(
        "nothingHeard",
        `Nothing came in. A ${driver} adapter says nothing by itself, so it may be the adapter or the machine.`,
        "Check the adapter's power, cable, port and baudRate; then the MDB harness and that the machine is on.",
      ),
    ];
  if (seen.mdb === "disabled")
    return [
      fault(
        "neverEnabled",
        "The machine has set the reader up and does not enable it.",
        "Enable cashless payment in the machine's service menu; see that it has no fault of its own (door, coin changer).",
      ),
    ];
  return [
    fault(
      "machineSilent",
      "The adapter answers, and the machine never speaks to the reader.",
      `Check the MDB harness and that the machine is on and set to a cashless device at ${addressOf(reader, driver)}; another reader there must go, or use the other address (0x10, 0x60).`,
    ),
  ];
}

function resetLoop({ resets, setup }: Observation, reader: Configuration["reader"]): Finding {
  const last =
    setup === undefined
      ? "This adapter does not show the machine's SETUP."
      : `Its last SETUP: level ${setup.level}, display ${setup.columns} by ${setup.rows}.`;
  const level = setup !== undefined && setup.level < reader.level ? setup.level : 1;
  return fault(
    "resetLoop",
    `The machine resets the reader again and again (${resets} times). ${last}`,
    `It does not like what the reader says of itself. Try in this order: reader.level ${level}, alwaysIdle false, the country of the machine's currency, scale and decimals; then another adapter firmware.`,
  );
}

const addressOf = (reader: Configuration["reader"], driver: string): string =>
  driver === "qibixx" || driver === "matedealer" ? "the adapter's address" : reader.address;

/** What the tests with a person at the machine have shown. */
export function sessionFindings(
  answers: Answers,
  settings: Configuration,
  seen: Observation,
): readonly Finding[] {
  const { vends, alwaysIdle, zeroFunds, patience } = answers;
  return [
    ...(seen.setup === undefined ? [] : [fact("level", `The machine speaks level ${seen.setup.level}.`)]),
    ...(vends.length > 0
      ? []
      : [
          fault(
            "noRequest",
            "A session was open, and no selection led to a request.",
            "Choose an item that is in stock and cheaper than the credit (--credit), and see that the machine sells at all.",
          ),
        ]),
    ...priceFindings(answers, settings),
    ...(vends.length === 0
      ? []
      : [fact("items", `Item numbers ${itemsWords(vends)}: ${schemeWords[schemeOf(vends)]}.`)]),
    ...(alwaysIdle === undefined
      ? []
      : [
          fact(
            "alwaysIdle",
            alwaysIdle
              ? "An item may be asked for before a session (Always Idle works)."
              : "Without a session no item is asked for: the credit must come first.",
          ),
        ]),
    ...(zeroFunds === undefined
      ? []
      : [
          fact(
            "zeroFunds",
            zeroFunds
              ? "A session with no funds takes selections."
              : "A session with no funds takes no selection: open it with a real sum.",
          ),
        ]),
    ...(patience === undefined
      ? []
      : [
          fact(
            "patience",
            `The machine waits ${patience.isLeast ? "at least " : ""}${patience.seconds} s for an answer.`,
          ),
        ]),
  ];
}

function priceFindings({ vends, shownMinor }: Answers, settings: Configuration): readonly Finding[] {
  const [first] = vends;
  if (first === undefined || shownMinor === undefined) return [];
  const { priceMinor } = first;
  if (priceMinor === shownMinor)
    return [fact("price", "The price on the bus is the one that the display shows.")];
  if (settings.driver === "matedealer" && priceMinor === (shownMinor >> 8) + (shownMinor & 0xff))
    return [
      fault(
        "priceCut",
        `The adapter says ${priceMinor} for ${shownMinor}: its firmware adds the two bytes of a price.`,
        "Mend the firmware before selling anything (docs/decisions/0013).",
      ),
    ];
  const power = powerOfTen(priceMinor, shownMinor);
  if (power === undefined)
    return [
      fault(
        "price",
        `The bus says ${priceMinor} and the display ${shownMinor} (smallest units): no scale explains that.`,
        "Was it this item? A price for another payment method or price list may apply; look in the machine's menu.",
      ),
    ];
  const times = 10 ** Math.abs(power);
  const says =
    power > 0
      ? `The bus says ${times} times the price shown.`
      : `The bus says the price shown divided by ${times}.`;
  const cure =
    scaleChange(power, settings) === undefined
      ? "No setting here reaches that far: set scale and decimals in the machine or the adapter."
      : "The settings below mend it; then run this again.";
  return [fault(power > 0 ? "priceTimes" : "priceDivided", says, cure)];
}

/** How many tens too high the first is; nothing when no power of ten explains it. */
function powerOfTen(said: number, shown: number): number | undefined {
  return [1, 2, 3, -1, -2, -3].find((power) =>
    power > 0 ? said === shown * 10 ** power : said * 10 ** -power === shown,
  );
}

/** Too high: a place more. Too low: a larger scale, which carries the value (MDB/ICP 4.2, appendix 3). */
function scaleChange(
  power: number,
  { driver, reader, decimals, adapterSettings }: Configuration,
): Change | undefined {
  if (driver === "matedealer") return undefined;
  const isQibixx = driver === "qibixx";
  const places = isQibixx
    ? Number(adapterSettings["mdb-decimal-places"] ?? decimals)
    : (reader.decimals ?? decimals);
  const scale = isQibixx ? Number(adapterSettings["mdb-scale-factor"] ?? 1) : reader.scale;
  const next =
    power > 0 ? { decimals: places + power, scale } : { decimals: places, scale: scale * 10 ** -power };
  if (next.decimals > 3 || next.scale > (isQibixx ? 100 : 255)) return undefined;
  if (!isQibixx) return { reader: power > 0 ? { decimals: next.decimals } : { scale: next.scale } };
  return {
    adapterSettings:
      power > 0
        ? { "mdb-decimal-places": String(next.decimals) }
        : { "mdb-scale-factor": String(next.scale) },
  };
}

const schemeWords: Readonly<Record<ItemNumbers, string>> = {
  plain: "they are the numbers on the keys",
  rowColumn: "row in the high byte, column in the low one",
  undefined: "the machine does not say which item",
  other: "a scheme of its own; write down which key gives which number",
};

type Vend = Answers["vends"][number];
export function schemeOf(vends: readonly Vend[]): ItemNumbers {
  if (vends.every(({ item }) => item === 0xffff)) return "undefined";
  if (vends.every(({ item, label }) => /^[0-9]+$/.test(label) && Number(label) === item)) return "plain";
  const isRow = ({ item, label }: Vend): boolean => {
    const match = /^([A-P])([0-9]{1,2})$/i.exec(label);
    if (match === null) return false;
    const row = (match[1] ?? "A").toUpperCase().charCodeAt(0) - 64;
    const column = Number(match[2]);
    // Rows counted from one with columns from one, or both from zero: both are seen.
    return item === row * 256 + column || item === (row - 1) * 256 + column - 1;
  };
  return vends.every(isRow) ? "rowColumn" : "other";
}

const itemsWords = (vends: readonly Vend[]): string =>
  vends
    .map(({ item, label }) => `${label} is ${item} (0x${item.toString(16).toUpperCase().padStart(4, "0")})`)
    .join(", ");

/** What the file should say after this. */
export function changeFor(answers: Answers, settings: Configuration, seen: Observation): Change {
  const { vends, shownMinor, alwaysIdle, zeroFunds, patience } = answers;
  const [first] = vends;
  const power =
    first === undefined || shownMinor === undefined ? undefined : powerOfTen(first.priceMinor, shownMinor);
  const scaled = power === undefined ? undefined : scaleChange(power, settings);
  const facts = {
    ...settings.facts,
    ...(seen.setup === undefined ? {} : { level: seen.setup.level }),
    ...(alwaysIdle === undefined ? {} : { alwaysIdle }),
    ...(zeroFunds === undefined ? {} : { zeroFunds }),
    ...(patience === undefined ? {} : { patienceSeconds: patience.seconds }),
    ...(vends.length === 0 ? {} : { itemNumbers: schemeOf(vends) }),
  };
  return { ...scaled, ...(Object.keys(facts).length === 0 ? {} : { facts }) };
}

/** The file's own object with the change in it: what the change does not name stays as it is. */
export function changed(file: Readonly<Record<string, unknown>>, change: Change): Record<string, unknown> {
  const next: Record<string, unknown> = { ...file };
  for (const [key, value] of Object.entries(change)) {
    const before = next[key];
    next[key] = typeof before === "object" && before !== null ? { ...before, ...value } : value;
  }
  return next;
}

/** `reader.decimals: nothing → 3`, a line for each value that becomes another one. */
export function differences(
  file: Readonly<Record<string, unknown>>,
  next: Readonly<Record<string, unknown>>,
): readonly string[] {
  const flat = (value: object, path = ""): readonly (readonly [string, string])[] =>
    Object.entries(value).flatMap(([key, one]: [string, unknown]) =>
      typeof one === "object" && one !== null && !Array.isArray(one)
        ? flat(one, `${path}${key}.`)
        : [[`${path}${key}`, JSON.stringify(one)] as const],
    );
  const before = new Map(flat(file));
  return flat(next).flatMap(([key, value]) =>
    before.get(key) === value ? [] : [`${key}: ${before.get(key) ?? "nothing"} → ${value}`],
  );
}
