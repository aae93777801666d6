/**
 * From what was seen of a machine to what is wrong with it, in plain words and with the cure, and to the settings that it
 * wants. Pure.
 */
import type { Configuration } from "../configuration.js";
import { countryOf } from "../mdb/country.js";
import { minorOf, scaledOf } from "../mdb/scale.js";
import { labelOf, rowColumns, type ItemNumbers } from "../mdb/item-label.js";
import type { Address, Observation } from "./observation.js";

export type Finding = {
  readonly code: string;
  readonly isFault: boolean;
  readonly says: string;
  readonly cure?: string;
};
/** What the technician and the machine answered, as far as it was asked. */
export type Answers = {
  readonly vends: readonly { readonly item: number; readonly priceMinor: number; readonly label: string }[];
  readonly address?: Address; // where the machine answered, when it was not where the file says
  readonly shownMinor?: number; // what the display showed for the first of them
  readonly alwaysIdle?: boolean;
  readonly zeroFunds?: boolean;
  readonly patience?: { readonly seconds: number; readonly isLeast: boolean };
};
type Facts = Configuration["facts"];
/** What of the file should say something else; the keys of `reader` or `adapterSettings` that are not named stay. */
export type Change = {
  readonly reader: Readonly<Record<string, unknown>>;
  readonly adapterSettings: Readonly<Record<string, string>>;
  readonly facts: Facts;
};

export const LOOP_RESETS = 3;

/** Somebody else is at the line already. */
export const controllerRuns = (dataDir: string): Finding =>
  fault(
    "controllerRuns",
    `A controller has the machine's line (it holds ${dataDir}).`,
    "Stop it first, and start it again afterwards: sudo systemctl stop scanvend-controller.",
  );
export const notAllowed = (dataDir: string, message: string): Finding =>
  fault(
    "noRights",
    `This user cannot tell whether a controller runs in ${dataDir}: ${message}.`,
    "Run it as root: sudo scanvend doctor ...",
  );

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
      `Check the MDB harness and that the machine is on and set to a cashless device ${placeOf(reader, driver)}.`,
    ),
  ];
}

/** With which settings to try again, when no machine took the reader into service and it may be waiting elsewhere. */
export function elsewhere(seen: Observation, settings: Configuration): Configuration | undefined {
  const { driver, reader, adapterSettings } = settings;
  if (seen.wasEnabled || seen.resets >= LOOP_RESETS) return undefined;
  if (driver === "matedealer") return undefined; // its address is in its firmware
  if (driver === "qibixx") {
    if (seen.mdb !== "inactive") return undefined;
    const mdbAddress = otherThan(adapterSettings[QIBIXX_ADDRESS]);
    return { ...settings, adapterSettings: { ...adapterSettings, [QIBIXX_ADDRESS]: mdbAddress } };
  }
  const address = otherThan(reader.address);
  if (seen.addressed.includes(reader.address) || !seen.addressed.includes(address)) return undefined;
  return { ...settings, reader: { ...reader, address } };
}

const QIBIXX_ADDRESS = "mdb-addr";
const otherThan = (address: string | undefined): Address => (address === "0x60" ? "0x10" : "0x60");
/** Where the settings have the reader. */
export const addressIn = ({ driver, reader, adapterSettings }: Configuration): Address =>
  driver === "qibixx" ? otherThan(otherThan(adapterSettings[QIBIXX_ADDRESS])) : reader.address;

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

const placeOf = (reader: Configuration["reader"], driver: string): string => {
  if (driver === "qibixx") return "(0x10 and 0x60 were both tried); another reader there must go";
  if (driver === "matedealer") return "at the firmware's address; another reader there must go";
  return `at ${reader.address}; another reader there must go, or use the other address (0x10, 0x60)`;
};

/** What the tests with a person at the machine have shown. */
export function sessionFindings(
  answers: Answers,
  settings: Configuration,
  seen: Observation,
): readonly Finding[] {
  const { vends, alwaysIdle, zeroFunds, patience, address } = answers;
  return [
    ...(address === undefined ? [] : [fact("address", `The machine has its reader at ${address}.`)]),
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
    ...priceFindings(answers, settings, seen),
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

function priceFindings(answers: Answers, settings: Configuration, seen: Observation): readonly Finding[] {
  const { vends, shownMinor } = answers;
  const stored = storedBy(answers, seen, settings);
  const differs = stored && storedFinding(stored, settings);
  if (differs !== undefined) return [differs];
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

/** What the box itself says of the reader, unless the price on the display shows that the machine does not go by it. */
function storedBy(
  { vends: [first], shownMinor }: Answers,
  { stored }: Observation,
  { reader, decimals: minorDecimals }: Configuration,
): Stored | undefined {
  if (stored === undefined) return undefined;
  const { level, country, scale, decimals, responseSeconds } = stored;
  if (first !== undefined && shownMinor !== undefined) {
    const ours = { scale: reader.scale, decimals: reader.decimals ?? minorDecimals, minorDecimals };
    const scaled = scaledOf(first.priceMinor, ours, 0xffffffff);
    if (minorOf(scaled ?? NaN, { scale, decimals, minorDecimals }) !== shownMinor) return undefined;
  }
  return { level: level === 3 ? 3 : level === 2 ? 2 : 1, country, scale, decimals, responseSeconds };
}
type Stored = Pick<Configuration["reader"], "level" | "country" | "scale" | "decimals" | "responseSeconds">;

/** The box tells the machine something else of the reader than the file says. */
function storedFinding(stored: Stored, settings: Configuration): Finding | undefined {
  const { reader, decimals, currency } = settings;
  const { country = countryOf(currency), decimals: places = decimals } = reader;
  const ours: Stored = { ...reader, country, decimals: places };
  const others = Object.entries(stored).filter(([name, value]) => ours[name as keyof Stored] !== value); // a key of it
  if (others.length === 0) return undefined;
  return fault(
    "stored",
    `The box itself tells the machine of its reader, and not what the file says: ${others.map(([name, value]) => `${name} ${value}`).join(", ")}.`,
    "The settings below follow it; then run this again.",
  );
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
): Partial<Change> | undefined {
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
  rowColumn0000: "row in the high byte, column in the low one, both from zero",
  rowColumn0001: "row in the high byte from zero, column in the low one from one",
  rowColumn0101: "row in the high byte, column in the low one, both from one",
  undefined: "the machine does not say which item",
  other: "a scheme of its own; write down which key gives which number",
};

type Vend = Answers["vends"][number];
export function schemeOf(vends: readonly Vend[]): ItemNumbers {
  if (vends.every(({ item }) => item === 0xffff)) return "undefined";
  if (vends.every(({ item, label }) => /^[0-9]+$/.test(label) && Number(label) === item)) return "plain";
  const keys = (label: string): string => label.toUpperCase().replace(/(?<=^[A-Z])0+(?=[0-9])/, ""); // A01 is A1
  const found = rowColumns.find((scheme) =>
    vends.every(({ item, label }) => /^[A-Z]/i.test(label) && labelOf(item, scheme) === keys(label)),
  );
  return found ?? "other";
}

const itemsWords = (vends: readonly Vend[]): string =>
  vends
    .map(({ item, label }) => `${label} is ${item} (0x${item.toString(16).toUpperCase().padStart(4, "0")})`)
    .join(", ");

/** What the file should say after this. Facts that were not measured stay; one that was, and came to nothing, goes. */
export function changeFor(answers: Answers, settings: Configuration, seen: Observation): Change {
  const { vends, shownMinor, alwaysIdle, patience, address } = answers;
  const [first] = vends;
  const power =
    first === undefined || shownMinor === undefined ? undefined : powerOfTen(first.priceMinor, shownMinor);
  const scaled = power === undefined ? undefined : scaleChange(power, settings);
  const isQibixx = settings.driver === "qibixx";
  const offersIdle = isQibixx
    ? settings.adapterSettings[QIBIXX_ALWAYS_IDLE] === "1"
    : settings.reader.alwaysIdle;
  const endsIdle = alwaysIdle === false && offersIdle; // what a machine does not do is not offered
  const { patienceSeconds, ...known } = settings.facts;
  const waits = patience === undefined ? patienceSeconds : patience.isLeast ? undefined : patience.seconds;
  return {
    reader: {
      ...scaled?.reader,
      ...storedBy(answers, seen, settings),
      ...(address === undefined || isQibixx ? {} : { address }),
      ...(endsIdle && !isQibixx ? { alwaysIdle: false } : {}),
    },
    adapterSettings: {
      ...scaled?.adapterSettings,
      ...(address === undefined || !isQibixx ? {} : { [QIBIXX_ADDRESS]: address }),
      ...(endsIdle && isQibixx ? { [QIBIXX_ALWAYS_IDLE]: "0" } : {}),
    },
    facts: {
      ...known,
      ...(alwaysIdle === undefined ? {} : { alwaysIdle }),
      ...(waits === undefined ? {} : { patienceSeconds: waits }),
      ...(vends.length === 0 ? {} : { itemNumbers: schemeOf(vends) }),
    },
  };
}

const QIBIXX_ALWAYS_IDLE = "mdb-always-idle";

/** The file's own object with the change in it: what the change does not name stays as it is; the facts are all of them. */
export function changed(
  file: Readonly<Record<string, unknown>>,
  { reader, adapterSettings, facts }: Change,
): Record<string, unknown> {
  const next: Record<string, unknown> = { ...file };
  for (const [key, value] of Object.entries({ reader, adapterSettings })) {
    const before = next[key];
    if (Object.keys(value).length > 0)
      next[key] = typeof before === "object" && before !== null ? { ...before, ...value } : value;
  }
  if (Object.keys(facts).length > 0) next["facts"] = facts;
  else delete next["facts"];
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
  const [before, after] = [new Map(flat(file)), new Map(flat(next))];
  return [...new Set([...after.keys(), ...before.keys()])].flatMap((key) => {
    const [was, is] = [before.get(key), after.get(key)];
    return was === is ? [] : [`${key}: ${was ?? "nothing"} → ${is ?? "nothing"}`];
  });
}
