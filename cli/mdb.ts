/** `scanvend mdb`: what a block of the MDB bus says, and the block that says it. */
import { parseArgs } from "node:util";
import {
  decodeCommand,
  decodeResponses,
  describeMessages,
  tryEncode,
  WIDEST,
  type Description,
  type Device,
} from "../controller/mdb/codec.js";
import { hexOf, readHex, type Context } from "../controller/mdb/widths.js";
import type { Io } from "./io.js";
import { faultWords, messageWords } from "./mdb-words.js";

const HELP = `  --level 1|2|3    the level that is spoken (default: the lowest that fits)
  --expanded       32-bit money or several currencies is enabled
  --json           as JSON
  --help           this text`;

export const usage = `scanvend mdb decode --from machine|reader HEX
scanvend mdb encode NAME [FIELD=VALUE ...]

  What a block of the MDB bus says to or from a cashless reader, and the block that says it.

  scanvend mdb decode --help, scanvend mdb encode --help say more.`;

const decodeUsage = `scanvend mdb decode --from machine|reader [--level N] [--expanded] [--json] HEX

  Says in words what a block says. Exit status 1, and why, if it is a bad one.

  HEX              the block with its checksum, spaces or not: 13 00 00 96 00 05 AE
  --from WHO       machine: what the machine says; reader: what a cashless reader answers
${HELP}`;

const encodeUsage = `scanvend mdb encode NAME [FIELD=VALUE ...] [--level N] [--expanded] [--json]

  Prints the block with its checksum. Exit status 1, and what would be right, if there is no such block.

  NAME FIELD=VALUE such as vendRequest priceScaled=150 item=5; a number may be hex (0x96), flags are a,b.
                   The machine's messages also take device=1 (the default) or device=2.
${HELP}

  The machine says
${list("machine")}

  A reader answers
${list("reader")}`;

type Asked = {
  readonly rest: readonly string[];
  readonly context: Context | undefined;
  readonly from: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
};

/** Exit status: 0 done, 1 a bad block or a value that does not fit, 2 called wrongly. */
export function mdb([command, ...argv]: readonly string[], io: Io): number {
  switch (command) {
    case "decode":
    case "encode": {
      const asked = read(argv);
      if (typeof asked === "string") return wrong(command, asked, io);
      if (asked.help) io.out(command === "decode" ? decodeUsage : encodeUsage);
      else return command === "decode" ? decode(asked, io) : encode(asked, io);
      return 0;
    }
    case "--help":
      io.out(usage);
      return 0;
    default:
      return wrong("", command === undefined ? "decode or encode?" : `there is no ${command}`, io);
  }
}

function decode({ rest, context, from, json }: Asked, io: Io): number {
  if (from !== "machine" && from !== "reader")
    return wrong("decode", "--from: machine or reader, whoever says it", io);
  if (rest.length === 0) return wrong("decode", "HEX: the block is needed", io);
  const block = readHex(rest.join(" "));
  const failed = (why: string): number => {
    io.err(`scanvend mdb decode: ${why}`);
    return 1;
  };
  if (block === undefined) return failed("not hex: two digits a byte, 0 to 9 and A to F");
  const decoded = from === "machine" ? decodeCommand(block, context) : decodeResponses(block, context);
  if (!decoded.ok) return failed(faultWords(decoded.fault));
  const messages = "command" in decoded ? [decoded.command] : decoded.responses;
  if (json) io.out(JSON.stringify(messages.length === 1 ? messages[0] : { kind: "several", messages }));
  else for (const message of messages) io.out(messageWords(message));
  return 0;
}

function encode({ rest: [name, ...pairs], context, json }: Asked, io: Io): number {
  if (name === undefined) return wrong("encode", "NAME: which message?", io);
  const failed = (why: string): number => {
    io.err(`scanvend mdb encode: ${why}`);
    return 1;
  };
  const messages = describeMessages(WIDEST);
  const message = messages.find(({ kind }) => kind === name);
  if (message === undefined)
    return failed(`there is no message ${name}. It may be ${messages.map(({ kind }) => kind).join(", ")}`);
  const fields: Record<string, unknown> = {};
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals < 1) return failed(`${pair}: FIELD=VALUE is expected`);
    const field = pair.slice(0, equals);
    if (Object.hasOwn(fields, field)) return failed(`${field}: is given twice`);
    fields[field] = valueOf(message, field, pair.slice(equals + 1));
  }
  const device = deviceOf(message, fields);
  if (device === undefined) return failed("device: 1 or 2");
  const encoded = tryEncode({ ...fields, kind: message.kind, ...device }, context);
  if (!encoded.ok) {
    const { kind, field, may } = encoded.misfit;
    const what = {
      unknownField: "is no field here",
      missingField: "is missing",
      badValue: "does not fit",
      tooLong: "is too long",
    };
    return failed(`${field}: ${what[kind]}; ${kind === "unknownField" ? "it may be " : ""}${may}`);
  }
  const hex = hexOf(encoded.block)
    .toUpperCase()
    .replaceAll(/..(?=.)/g, "$& ");
  io.out(json ? JSON.stringify({ hex }) : hex);
  return 0;
}

/** The device that a machine's message is for; none for a reader's, `undefined` for one that there is not. */
function deviceOf(
  { from }: Description,
  fields: Readonly<Record<string, unknown>>,
): { readonly device?: Device } | undefined {
  if (from === "reader") return {};
  const device = fields["device"] ?? "1";
  return device === "1" ? { device: 1 } : device === "2" ? { device: 2 } : undefined;
}

/** A field as it was typed. What cannot be one is left as text, for the codec to refuse. */
function valueOf({ fields }: Description, name: string, text: string): unknown {
  switch (fields.find((field) => field.name === name)?.form) {
    case "number":
      return /^(\d{1,10}|0x[0-9a-f]{1,8})$/i.test(text) ? Number(text) : text;
    case "flags":
      return text === "" ? [] : text.split(",");
    case "text":
    case undefined:
      return text;
  }
}

function list(who: Description["from"]): string {
  return describeMessages(WIDEST)
    .filter(({ from }) => from === who)
    .map(({ kind, fields }) => {
      const lines = fields.map(
        ({ name, when, may }) => `      ${name}: ${may}${when === "" ? "" : `, ${when}`}`,
      );
      return [`    ${kind}`, ...lines].join("\n");
    })
    .join("\n");
}

/** The call, or what is wrong with it. An option nobody declared is the front door's to refuse. */
function read(argv: readonly string[]): Asked | string {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      from: { type: "string" },
      level: { type: "string" },
      expanded: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { from, level, expanded, json, help } = values;
  if (level !== undefined && !["1", "2", "3"].includes(level)) return "--level: 1, 2 or 3";
  if (expanded && (level ?? "3") !== "3") return "--expanded: only level 3 can be";
  const spoken = level === "1" ? 1 : level === "2" ? 2 : 3;
  const context = level === undefined && !expanded ? undefined : ({ level: spoken, expanded } as const);
  return { rest: positionals, context, from, json, help };
}

function wrong(command: string, problem: string, io: Io): number {
  io.err(`scanvend mdb${command === "" ? "" : ` ${command}`}: ${problem}. --help says more`);
  return 2;
}
