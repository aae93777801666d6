/** `scanvend dex`: what a machine's audit says, from a file or read from the machine itself. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { minorToDecimal } from "../broker/protocol/money.js";
import { systemClock as clock } from "../broker/protocol/system.js";
import { serial } from "../controller/configuration.js";
import { parseAudit, type Audit, type Counter, type Fault, type Product } from "../controller/dex/audit.js";
import { BAUD_RATE, beginAuditReading, type Read } from "../controller/dex/reading.js";
import type { Trouble } from "../controller/dex/trouble.js";
import { linksTo } from "../controller/serial/serial-link.js";
import type { Io } from "./io.js";

export const usage = `scanvend dex FILE [--json]
       scanvend dex --serial PLACE [--json]

  What the audit of a vending machine (EVA-DTS) says it has sold since it was initialised: from a file, or read from the
  machine's DEX plug now. Reading changes nothing in the machine. A controller that reads the same plug must be stopped.
  Exit status 1, and what is wrong (in a file: in which line), if it cannot be read or is a bad one.

  --serial PLACE   a device path (/dev/serial/by-id/…) or tcp://host:port of a serial server
  --json           as JSON; money in the smallest unit
  --help           this text`;

/** Exit status: 0 said, 1 a bad audit or none, 2 called wrongly. An option nobody declared is the front door's to refuse. */
export async function dex(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      serial: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    io.out(usage);
    return 0;
  }
  const [path, ...rest] = positionals;
  if (values.serial !== undefined && positionals.length === 0)
    return await fromMachine(values.serial, values.json, io);
  if (path === undefined || rest.length > 0 || values.serial !== undefined) {
    io.err(
      `scanvend dex: FILE or --serial PLACE: ${path === undefined ? "one is needed" : "one at a time"}. --help says more`,
    );
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
  return say(parsed.audit, values.json, io);
}

function say(audit: Audit, asJson: boolean, io: Io): 0 {
  if (asJson) io.out(JSON.stringify(audit));
  else for (const line of auditWords(audit)) io.out(line);
  return 0;
}

async function fromMachine(place: string, asJson: boolean, io: Io): Promise<0 | 1 | 2> {
  const checked = serial.safeParse(place);
  if (!checked.success) {
    io.err(`scanvend dex: --serial: ${checked.error.issues[0]?.message ?? "bad"}`);
    return 2;
  }
  const read = await new Promise<Read>((ended) => {
    beginAuditReading(linksTo(place, BAUD_RATE), clock, ended);
  });
  if (read.ok) return say(read.audit, asJson, io);
  const words =
    read.fault === undefined
      ? troubleWords(read.trouble, read.detail ?? "")
      : `line ${read.fault.line}: ${faultWords(read.fault)}`;
  io.err(`scanvend dex: ${place}: ${words}`);
  return 1;
}

function troubleWords(trouble: Trouble, detail: string): string {
  switch (trouble) {
    case "noAnswer":
      return "nobody answers: is it the machine's DEX plug, and is the machine set to DEX/UCS?";
    case "lineLost":
      return `the line cannot be used: ${detail}`;
    case "notTaken":
      return "the machine answers, and takes none of what we say";
    case "silent":
      return "the machine began and did not go on";
    case "badBlocks":
      return "the line damages what it carries";
    case "cutShort":
      return "the machine ended before it had said all";
    case "refused":
      return "the machine does not let itself be read";
    case "tooSlow":
      return "the machine takes too long";
    case "tooLong":
      return "the machine says more than an audit can be";
    default:
      return trouble; // a file's own faults are said with their lines
  }
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
