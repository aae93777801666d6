/** `scanvend dex`: what a machine's audit file says. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { minorToDecimal } from "../broker/protocol/money.js";
import { parseAudit, type Audit, type Counter, type Fault, type Product } from "../controller/dex/audit.js";
import type { Io } from "./io.js";

export const usage = `scanvend dex FILE [--json]

  What an audit file of a vending machine (EVA-DTS, read by DEX) says it has sold since it was initialised.
  Exit status 1, and the line and what is wrong with it, if it is a bad one.

  --json           as JSON; money in the smallest unit
  --help           this text`;

/** Exit status: 0 said, 1 a bad file or none, 2 called wrongly. An option nobody declared is the front door's to refuse. */
export function dex(argv: readonly string[], io: Io): number {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { json: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    io.out(usage);
    return 0;
  }
  const [path, ...rest] = positionals;
  if (path === undefined || rest.length > 0) {
    io.err(`scanvend dex: FILE: ${path === undefined ? "is needed" : "one at a time"}. --help says more`);
    return 2;
  }
  const file = contents(path);
  if (typeof file === "string") {
    io.err(`scanvend dex: ${file}`);
    return 1;
  }
  const parsed = parseAudit(file);
  if (!parsed.ok) {
    io.err(`scanvend dex: ${path}:${parsed.fault.line}: ${faultWords(parsed.fault)}`);
    return 1;
  }
  if (values.json) io.out(JSON.stringify(parsed.audit));
  else for (const line of auditWords(parsed.audit)) io.out(line);
  return 0;
}

/** The file's bytes, or why there are none. */
function contents(path: string): Uint8Array | string {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error) return error.message;
    throw error;
  }
}

function faultWords(fault: Fault): string {
  switch (fault.kind) {
    case "tooLong":
      return `${fault.bytes} bytes are too many for an audit file`;
    case "noStart":
      return "no line begins with ST*: this is no audit file, or its beginning is missing";
    case "noChecksum":
      return "no line begins with G85*: the file is cut short";
    case "checksum":
      return `bad checksum: expected ${fault.expected}, got ${plain(fault.got)}. The file was changed or cut; read the machine again`;
    case "badNumber":
      return `${fault.field}: ${plain(fault.got)} is no number that it could be`;
    case "noProduct":
      return `${fault.segment} is of no product`;
    case "repeatedProduct":
      return `product ${plain(fault.product)} is there twice`;
  }
}

function auditWords(audit: Audit): readonly string[] {
  const sold = (what: string, counter: Counter | undefined): readonly string[] =>
    counter === undefined ? [] : [`${what}: ${counterWords(counter, audit)}`];
  const active = audit.incidents.filter((incident) => incident.active).map(({ code }) => plain(code));
  return [
    `machine ${plain(audit.serial ?? "without a serial number")}${audit.model === undefined ? "" : ` (${plain(audit.model)})`}`,
    ...sold("paid vends", audit.paid),
    ...sold("  in cash", audit.cash),
    ...sold("  cashless", audit.cashless),
    ...audit.products.map((product) => productWords(product, audit)),
    ...(active.length === 0 ? [] : [`active now: ${active.join(", ")}`]),
  ];
}

function productWords({ id, name, priceMinor, paid, cashless }: Product, audit: Audit): string {
  const parts = [
    priceMinor === undefined ? [] : [`price ${money(priceMinor, audit)}`],
    paid === undefined ? [] : [counterWords(paid, audit)],
    cashless === undefined ? [] : [`cashless ${counterWords(cashless, audit)}`],
  ].flat();
  return `item ${plain(id)}${name === undefined ? "" : ` ${plain(name)}`}: ${parts.length === 0 ? "nothing counted" : parts.join(", ")}`;
}

const counterWords = ({ vends, valueMinor }: Counter, audit: Audit): string =>
  `${vends} for ${money(valueMinor, audit)}`;

/** Without decimals in the file the sum is what it is: so many of the smallest unit. */
function money(minor: number, { decimals, currency }: Audit): string {
  const sum = minorToDecimal(minor, decimals ?? 0);
  return currency === undefined ? sum : `${plain(currency)} ${sum}`;
}

/** A file may hold anything: a terminal is shown none of it. */
const plain = (text: string): string => text.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, "?");
