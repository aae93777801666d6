/**
 * What an EVA-DTS audit file (DEX) says: who the machine is, and what it has counted since it was initialised. Pure.
 * EVA-DTS 6.1.1.
 *
 * Promises  answers with the audit or with what is wrong and in which line, and never throws. Nothing is read that the
 *           file's own checksum (G85) does not prove. Lines it does not know are passed over: every maker adds some.
 * Never     reads the interval counters ("since reset"): whoever reads a machine with reset clears them for all others.
 *
 * Money is in the smallest unit that the file itself names (`decimals`). A field that is left empty is `undefined`.
 */
import { crc16 } from "./crc.js";

/** How often and for how much, since the machine was initialised. */
export type Counter = { readonly vends: number; readonly valueMinor: number };
export type Product = {
  readonly id: string;
  readonly name: string | undefined;
  readonly priceMinor: number | undefined;
  /** Paid vends by any means (PA2). */
  readonly paid: Counter | undefined;
  /** Of these, by a cashless device (PA7), if the machine keeps them apart. */
  readonly cashless: Counter | undefined;
};
export type Incident = {
  readonly code: string;
  readonly count: number | undefined;
  readonly active: boolean;
};
export type Audit = {
  readonly serial: string | undefined;
  readonly model: string | undefined;
  readonly decimals: number | undefined;
  readonly currency: string | undefined;
  /** Paid vends by any means (VA1), in cash (CA2) and by a cashless device (DA2, DB2). */
  readonly paid: Counter | undefined;
  readonly cash: Counter | undefined;
  readonly cashless: Counter | undefined;
  readonly cashInMinor: number | undefined;
  readonly products: readonly Product[];
  readonly incidents: readonly Incident[];
  /** Lines within the checksum that were passed over. */
  readonly otherLines: number;
};

export type Fault =
  | { readonly kind: "tooLong"; readonly line: 1; readonly bytes: number }
  | { readonly kind: "noStart"; readonly line: 1 }
  | { readonly kind: "noChecksum"; readonly line: number }
  | { readonly kind: "checksum"; readonly line: number; readonly expected: string; readonly got: string }
  | { readonly kind: "badNumber"; readonly line: number; readonly field: string; readonly got: string }
  | { readonly kind: "noProduct"; readonly line: number; readonly segment: string }
  | { readonly kind: "repeatedProduct"; readonly line: number; readonly product: string };
export type Parsed =
  { readonly ok: true; readonly audit: Audit } | { readonly ok: false; readonly fault: Fault };

/** Far more than any machine has to say. */
export const MAX_BYTES = 1_000_000;

type Segment = { readonly line: number; readonly name: string; readonly fields: readonly string[] };

/** Of each segment that is read, the fields that are numbers, counted from one as the standard does. */
const NUMBERS: Readonly<Record<string, readonly number[]>> = {
  ID1: [],
  ID4: [1], // decimals, numeric currency, currency
  VA1: [1, 2], // value, vends
  CA2: [1, 2],
  CA3: [5], // cash in
  DA2: [1, 2],
  DB2: [1, 2],
  PA1: [2], // product, price, name
  PA2: [1, 2], // vends, value
  PA7: [5, 6], // product, device, price list, price, vends, value
  EA2: [3], // code, since reset, since initialisation, user's, active
};
const MOST_DECIMALS = 6;

export function parseAudit(file: Uint8Array): Parsed {
  if (file.length > MAX_BYTES) return bad({ kind: "tooLong", line: 1, bytes: file.length });
  const lines = Buffer.from(file)
    .toString("latin1")
    .split(/\r\n|\r|\n/);
  const from = lines.findIndex((line) => line.startsWith("ST*"));
  if (from < 0) return bad({ kind: "noStart", line: 1 });
  const to = lines.findIndex((line, index) => index > from && line.startsWith("G85*"));
  if (to < 0) return bad({ kind: "noChecksum", line: lines.length });
  const got = (lines[to] ?? "").slice("G85*".length).split("*", 1)[0]?.trim() ?? "";
  const expected = checksum(lines.slice(from, to));
  if (got.toUpperCase().padStart(4, "0") !== expected)
    return bad({ kind: "checksum", line: to + 1, expected, got });
  const segments = lines.slice(from + 1, to).map((line, index) => segmentOf(line, from + index + 2));
  const fault = faultIn(segments);
  return fault === undefined ? { ok: true, audit: auditOf(segments) } : bad(fault);
}

const bad = (fault: Fault): Parsed => ({ ok: false, fault });

/** CRC-16/ARC over these lines, each with the CR LF that the wire has, whatever the file was stored with. */
export function checksum(lines: readonly string[]): string {
  const crc = crc16(Buffer.from(lines.map((line) => `${line}\r\n`).join(""), "latin1"));
  return crc.toString(16).toUpperCase().padStart(4, "0");
}

function segmentOf(text: string, line: number): Segment {
  const [name = "", ...fields] = text.split("*").map((field) => field.trim());
  return { line, name, fields };
}

/** The first thing that cannot be what it says. After this every number of {@link NUMBERS} is one, or is left empty. */
function faultIn(segments: readonly Segment[]): Fault | undefined {
  const products = new Set<string>();
  for (const segment of segments) {
    const { line, name } = segment;
    const wrong = (NUMBERS[name] ?? []).find((n) => !isNumber(segment, n));
    if (wrong !== undefined)
      return { kind: "badNumber", line, field: `${name}0${wrong}`, got: segment.fields[wrong - 1] ?? "" };
    if (name === "PA1" || name === "PA7") {
      const product = segment.fields[0] ?? "";
      if (product === "") return { kind: "noProduct", line, segment: name };
      if (name === "PA1" && products.has(product)) return { kind: "repeatedProduct", line, product };
      if (name === "PA1") products.add(product);
    }
    if (name === "PA2" && products.size === 0) return { kind: "noProduct", line, segment: name };
  }
  return undefined;
}

function isNumber({ name, fields }: Segment, n: number): boolean {
  const text = fields[n - 1] ?? "";
  if (name === "ID4") return text === "" || (/^\d{1,2}$/.test(text) && Number(text) <= MOST_DECIMALS);
  return /^\d{0,10}$/.test(text);
}

function auditOf(segments: readonly Segment[]): Audit {
  const first = (name: string): Segment | undefined => segments.find((segment) => segment.name === name);
  const [id1, id4] = [first("ID1"), first("ID4")];
  return {
    serial: text(id1, 1),
    model: text(id1, 2),
    decimals: number(id4, 1),
    currency: text(id4, 3),
    paid: counter(first("VA1"), 2, 1),
    cash: counter(first("CA2"), 2, 1),
    cashless: sum([counter(first("DA2"), 2, 1), counter(first("DB2"), 2, 1)]),
    cashInMinor: number(first("CA3"), 5),
    products: productsOf(segments),
    incidents: segments
      .filter(({ name }) => name === "EA2")
      .map((segment) => ({
        code: text(segment, 1) ?? "",
        count: number(segment, 3),
        active: text(segment, 5) === "1",
      })),
    otherLines: segments.filter(({ name }) => name !== "" && !Object.hasOwn(NUMBERS, name)).length,
  };
}

/** A PA2 belongs to the PA1 before it; a PA7 names its product itself, and there is one for each price list. */
function productsOf(segments: readonly Segment[]): readonly Product[] {
  const cashless = segments.filter(
    ({ name, fields }) => name === "PA7" && (fields[1] === "DA" || fields[1] === "DB"),
  );
  return segments.flatMap((segment, index) => {
    if (segment.name !== "PA1") return [];
    const id = segment.fields[0] ?? ""; // proved by faultIn
    const next = segments.findIndex(({ name }, at) => at > index && name === "PA1");
    const own = segments.slice(index, next < 0 ? undefined : next);
    return [
      {
        id,
        name: text(segment, 3),
        priceMinor: number(segment, 2),
        paid: counter(
          own.find(({ name }) => name === "PA2"),
          1,
          2,
        ),
        cashless: sum(cashless.filter(({ fields }) => fields[0] === id).map((one) => counter(one, 5, 6))),
      },
    ];
  });
}

function text(segment: Segment | undefined, n: number): string | undefined {
  const field = segment?.fields[n - 1] ?? "";
  return field === "" ? undefined : field;
}

function number(segment: Segment | undefined, n: number): number | undefined {
  const field = text(segment, n);
  return field === undefined ? undefined : Number(field);
}

/** Both or nothing: a count without its value proves no sale. */
function counter(segment: Segment | undefined, vendsAt: number, valueAt: number): Counter | undefined {
  const [vends, valueMinor] = [number(segment, vendsAt), number(segment, valueAt)];
  return vends === undefined || valueMinor === undefined ? undefined : { vends, valueMinor };
}

function sum(counters: readonly (Counter | undefined)[]): Counter | undefined {
  const known = counters.filter((one) => one !== undefined);
  if (known.length === 0) return undefined;
  return {
    vends: known.reduce((total, { vends }) => total + vends, 0),
    valueMinor: known.reduce((total, { valueMinor }) => total + valueMinor, 0),
  };
}
