/**
 * What the machine and a cashless reader say to each other, bytes to values and back. Pure. MDB/ICP 4.2, section 7.
 *
 * Owns      the layout of every message, once: decoding, encoding and the types are all read from the two tables below.
 * Promises  decoding answers with values or a fault, and never throws. A code the standard does not give (4.3 has more)
 *           is decoded as unknown, with its bytes. Encoding throws only for what no block can hold.
 * Never     guesses where it was told: with a context, a message has the lengths of that context and no other. Without
 *           one it takes the lowest level whose lengths fit, and in a block with several answers the reading with the
 *           fewest: `0B 04` alone could also be two.
 */
import { ACK, bad, closeBlock, NAK, openBlock, RET, type Bad, type Fault } from "./frame.js";
import {
  bitsOf,
  formOf,
  may,
  read,
  write,
  type Context,
  type Value,
  type ValueOf,
  type Width,
} from "./widths.js";

/** A width, after the context that the field is there in; `maybe` is there in some machines only. */
type Condition = "level2" | "level3" | "expanded" | "maybe";
type Field = Width | `${Condition} ${Width}`;
type Layout = {
  readonly head: readonly number[];
  readonly fields: Readonly<Record<string, Field>>;
  readonly tail?: string;
};

/** What the machine says, as it says it to cashless device #1. The more particular of two layouts comes first. */
// prettier-ignore
const commands = {
  reset:                   { head: [0x10],             fields: {} },
  setupConfig:             { head: [0x11, 0x00],       fields: { level: "u8", columns: "u8", rows: "u8", display: "u8" } },
  setupPrices:             { head: [0x11, 0x01],       fields: { maxScaled: "money", minScaled: "money", currency: "expanded digits4" } },
  poll:                    { head: [0x12],             fields: {} },
  vendRequest:             { head: [0x13, 0x00],       fields: { priceScaled: "money", item: "u16" } },
  vendCancel:              { head: [0x13, 0x01],       fields: {} },
  vendSuccess:             { head: [0x13, 0x02],       fields: { item: "u16" } },
  vendFailure:             { head: [0x13, 0x03],       fields: {} },
  sessionComplete:         { head: [0x13, 0x04],       fields: {} },
  cashSale:                { head: [0x13, 0x05],       fields: { priceScaled: "money", flags: "saleFlags", item: "u12", currency: "expanded digits4" } },
  negativeVendRequest:     { head: [0x13, 0x06],       fields: { valueScaled: "money", item: "u16" } },
  readerDisable:           { head: [0x14, 0x00],       fields: {} },
  readerEnable:            { head: [0x14, 0x01],       fields: {} },
  readerCancel:            { head: [0x14, 0x02],       fields: {} },
  dataEntryResponse:       { head: [0x14, 0x03],       fields: { data: "padded8" } },
  revalueRequest:          { head: [0x15, 0x00],       fields: { amountScaled: "money" } },
  revalueLimitRequest:     { head: [0x15, 0x01],       fields: {} },
  requestId:               { head: [0x17, 0x00],       fields: { manufacturer: "text3", serial: "text12", model: "text12", version: "digits4", features: "maybe features" } },
  readUserFile:            { head: [0x17, 0x01],       fields: { file: "u8" } },
  writeUserFile:           { head: [0x17, 0x02],       fields: { file: "u8", data: "counted" } },
  writeTimeDate:           { head: [0x17, 0x03],       fields: { year: "digits2", month: "digits2", day: "digits2", hour: "digits2", minute: "digits2", second: "digits2", weekday: "digits2", week: "digits2", summer: "digits2", holiday: "digits2" } },
  enableOptions:           { head: [0x17, 0x04],       fields: { features: "features" } },
  machineRequestToReceive: { head: [0x17, 0xfa],       fields: { destination: "u8", source: "u8", file: "u8", maxLength: "u8", control: "u8" } },
  machineRetryDeny:        { head: [0x17, 0xfb],       fields: { destination: "u8", source: "u8", delay: "u8" } },
  machineSendBlock:        { head: [0x17, 0xfc],       fields: { destination: "u8", block: "u8", data: "block" } },
  machineOkToSend:         { head: [0x17, 0xfd],       fields: { destination: "u8", source: "u8" } },
  machineRequestToSend:    { head: [0x17, 0xfe],       fields: { destination: "u8", source: "u8", file: "u8", maxLength: "u8", control: "u8" } },
  setAge:                  { head: [0x17, 0xff, 5, 6], fields: { age: "u8" }, tail: "DRAVP" },
  checkAge:                { head: [0x17, 0xff, 6, 6], fields: { value: "u8" }, tail: "DRAVS" },
  diagnostics:             { head: [0x17, 0xff],       fields: { data: "hex" } },
  unknownCommand:          { head: [],                 fields: { code: "u8", data: "hex" } },
} as const satisfies Record<string, Layout>;

/** What the reader answers; several may follow each other in one block. */
// prettier-ignore
const responses = {
  justReset:              { head: [0x00],       fields: {} },
  readerConfig:           { head: [0x01],       fields: { level: "u8", country: "digits4", scale: "u8", decimals: "u8", responseSeconds: "u8", options: "misc" } },
  displayRequest:         { head: [0x02],       fields: { tenths: "u8", text: "screen" } },
  beginSession:           { head: [0x03],       fields: { fundsScaled: "money", mediaId: "level2 u32", paymentType: "level2 u8", paymentData: "level2 u16", language: "expanded text2", currency: "expanded digits4", cardOptions: "expanded card" } },
  sessionCancelRequest:   { head: [0x04],       fields: {} },
  vendApproved:           { head: [0x05],       fields: { amountScaled: "money" } },
  vendDenied:             { head: [0x06],       fields: {} },
  endSession:             { head: [0x07],       fields: {} },
  cancelled:              { head: [0x08],       fields: {} },
  peripheralId:           { head: [0x09],       fields: { manufacturer: "text3", serial: "text12", model: "text12", version: "digits4", features: "level3 features" } },
  malfunction:            { head: [0x0a],       fields: { error: "u4", detail: "u4" } },
  outOfSequence:          { head: [0x0b],       fields: { state: "level2 u8" } },
  revalueApproved:        { head: [0x0d],       fields: {} },
  revalueDenied:          { head: [0x0e],       fields: {} },
  revalueLimit:           { head: [0x0f],       fields: { limitScaled: "money" } },
  userFileData:           { head: [0x10],       fields: { file: "u8", data: "counted" } },
  timeDateRequest:        { head: [0x11],       fields: {} },
  dataEntryRequest:       { head: [0x12],       fields: { repeated: "u1", length: "u7" } },
  dataEntryCancel:        { head: [0x13],       fields: {} },
  readerRequestToReceive: { head: [0x1b],       fields: { destination: "u8", source: "u8", file: "u8", maxLength: "u8", control: "u8" } },
  readerRetryDeny:        { head: [0x1c],       fields: { destination: "u8", source: "u8", delay: "u8" } },
  readerSendBlock:        { head: [0x1d],       fields: { destination: "u8", block: "u8", data: "block" } },
  readerOkToSend:         { head: [0x1e],       fields: { destination: "u8", source: "u8" } },
  readerRequestToSend:    { head: [0x1f],       fields: { destination: "u8", source: "u8", file: "u8", maxLength: "u8", control: "u8" } },
  ageSet:                 { head: [0xff, 5, 6], fields: { status: "u8" }, tail: "DRAVP" },
  ageChecked:             { head: [0xff, 6, 7], fields: { status: "digits4" }, tail: "DRAVS" },
  diagnosticResponse:     { head: [0xff],       fields: { data: "hex" } },
  unknownResponse:        { head: [],           fields: { code: "u8", data: "hex" } },
} as const satisfies Record<string, Layout>;

type ValueAt<F> = F extends Width
  ? ValueOf<F>
  : F extends `${Condition} ${infer W extends Width}`
    ? ValueOf<W>
    : never;
type Fields<L extends Layout> = {
  readonly [F in keyof L["fields"] as L["fields"][F] extends Width ? F : never]: ValueAt<L["fields"][F]>;
} & {
  readonly [F in keyof L["fields"] as L["fields"][F] extends Width ? never : F]?: ValueAt<L["fields"][F]>;
};
type MessageOf<T extends Record<string, Layout>> = {
  [K in keyof T]: { readonly kind: K } & Fields<T[K]>;
}[keyof T];

/** Cashless device #1 answers to 10H, #2 to 60H. */
export type Device = 1 | 2;
export type Command = MessageOf<typeof commands> & { readonly device: Device };
export type Response = MessageOf<typeof responses>;
/** A lone byte: what the other side thinks of the block it has just heard. */
export type Signal = { readonly kind: "ack" | "nak" | "ret" };
export type Kind = keyof typeof commands | keyof typeof responses;
/** A message of either side as a border knows it: a name, and fields that are still to be looked at. */
export type Loose = { readonly kind: Kind; readonly device?: Device; readonly [field: string]: unknown };

export type CommandDecoded = { readonly ok: true; readonly command: Command | Signal } | Bad;
export type ResponsesDecoded =
  { readonly ok: true; readonly responses: readonly (Response | Signal)[] } | Bad;
export type Misfit = {
  readonly kind: "unknownField" | "missingField" | "badValue" | "tooLong";
  readonly field: string;
  readonly may: string;
};
export type Encoded =
  { readonly ok: true; readonly block: Uint8Array } | { readonly ok: false; readonly misfit: Misfit };

export const WIDEST: Context = { level: 3, expanded: true };
/** Every way of speaking in which lengths differ, the plainest first. */
const CONTEXTS: readonly Context[] = [{ level: 1 }, { level: 2 }, { level: 3 }, { level: 3, expanded: true }];
const SECOND = 0x50; // from #1's addresses to #2's

/** What the machine said to a cashless reader. */
export function decodeCommand(block: Uint8Array, context?: Context): CommandDecoded {
  const signal = signalOf(block, true);
  if (signal !== undefined) return { ok: true, command: signal };
  const opened = openBlock(block);
  if (!opened.ok) return opened;
  const address = opened.body[0] ?? 0; // a block has one
  const device = deviceAt(address);
  if (device === undefined) return bad({ kind: "unknownAddress", address });
  const body = Uint8Array.from(opened.body); // a Buffer's own slice shares its bytes
  body[0] = address - (device === 2 ? SECOND : 0);
  const found = firstGood(context, (one) => readOne(commands, body, one, "whole"));
  // The kind and the fields are one row of the table.
  return found.ok ? { ok: true, command: { ...found.message, device } as Command } : found;
}

/** What a cashless reader answered. */
export function decodeResponses(block: Uint8Array, context?: Context): ResponsesDecoded {
  const signal = signalOf(block, false);
  if (signal !== undefined) return { ok: true, responses: [signal] };
  const opened = openBlock(block);
  if (!opened.ok) return opened;
  const readings = tried(context).map((one) => readAll(opened.body, one));
  const good = readings
    .filter((reading) => reading.ok)
    .sort((a, b) => weight(a.messages) - weight(b.messages))[0];
  if (good !== undefined) return { ok: true, responses: good.messages as readonly Response[] }; // rows of the table
  const [first, ...more] = readings.filter((reading) => !reading.ok).map(({ fault }) => fault);
  return bad(together(first, more));
}

/** A block from either side's message. Throws for what does not fit: our own bug. */
export function encode(message: Command | Response, context: Context): Uint8Array {
  const encoded = tryEncode(message, context);
  if (!encoded.ok) throw misfitError(message.kind, encoded.misfit);
  return encoded.block;
}

/** The bytes of one answer without CHK, for a block that holds several. */
export function responseBytes(response: Response, context: Context): Uint8Array {
  return encode(response, context).subarray(0, -1);
}

/** A block from what a person wrote. Without a context: the lowest level that has room for it. */
export function tryEncode(message: Loose, context?: Context): Encoded {
  const attempts = tried(context).map((one) => encodeIn(message, one));
  const misfits = attempts.filter((attempt) => !attempt.ok).map(({ misfit }) => misfit);
  const worst = (kind: Misfit["kind"]) => misfits.find((misfit) => misfit.kind === kind);
  const misfit = worst("badValue") ?? worst("tooLong") ?? worst("missingField") ?? misfits[0];
  const good = attempts.find((attempt) => attempt.ok);
  if (good !== undefined) return good;
  if (misfit === undefined) throw new Error("no context was tried");
  return { ok: false, misfit };
}

export type Description = {
  readonly kind: Kind;
  readonly from: "machine" | "reader";
  readonly fields: readonly {
    readonly name: string;
    readonly when: string; // empty: always
    readonly form: "number" | "text" | "flags";
    readonly may: string;
  }[];
};
/** Every message: who says it, and what its fields may be. Those of other contexts are there too: `when` says which. */
export function describeMessages(context: Context): readonly Description[] {
  const rows = (table: Readonly<Record<string, Layout>>, from: Description["from"]) =>
    Object.entries(table).map(([kind, { fields }]) => ({
      kind: kind as Kind, // a key of one of the two tables
      from,
      fields: Object.entries(fields).map(([name, field]) => {
        const { when, width } = partsOf(field);
        return {
          name,
          when: when === undefined ? "" : whenWords[when],
          form: formOf(width),
          may: may(width, context),
        };
      }),
    }));
  return [...rows(commands, "machine"), ...rows(responses, "reader")];
}

const isCommand = (kind: string): kind is keyof typeof commands => Object.hasOwn(commands, kind);
type Read =
  | {
      readonly ok: true;
      readonly message: { readonly kind: string; readonly [field: string]: Value };
      readonly end: number;
    }
  | { readonly ok: false; readonly fault: Fault };
type ReadAll =
  | { readonly ok: true; readonly messages: readonly { readonly kind: string }[] }
  | { readonly ok: false; readonly fault: Fault };

/** One message at the beginning of `body`: the whole of it, or the first of several. */
function readOne(
  table: Readonly<Record<string, Layout>>,
  body: Uint8Array,
  context: Context,
  how: "whole" | "first",
): Read {
  const found = Object.entries(table).find(([, layout]) => begins(body, layout, context));
  if (found === undefined) throw new Error("the last row takes everything");
  const [kind, layout] = found;
  const from = { bytes: body, at: layout.head.length * 8 };
  const values: Record<string, Value> = {};
  const wrong = (): Read => ({
    ok: false,
    fault: { kind: "wrongLength", message: kind, expected: sizesOf(layout, context), got: body.length },
  });
  for (const [name, field] of Object.entries(layout.fields)) {
    const { when, width } = partsOf(field);
    if (!isThere(when, context, from.at < body.length * 8)) continue;
    const value = read(width, from, context);
    if (value === undefined) return wrong();
    values[name] = value;
  }
  const end = from.at / 8 + (layout.tail?.length ?? 0);
  return how === "whole" && end !== body.length ? wrong() : { ok: true, message: { kind, ...values }, end };
}

function readAll(body: Uint8Array, context: Context): ReadAll {
  const messages: { readonly kind: string }[] = [];
  for (let at = 0; at < body.length;) {
    const one = readOne(responses, body.subarray(at), context, "first");
    if (!one.ok) return one;
    messages.push(one.message);
    at += one.end;
  }
  return { ok: true, messages };
}

function firstGood(context: Context | undefined, reading: (context: Context) => Read): Read {
  const attempts = tried(context).map(reading);
  const good = attempts.find((attempt) => attempt.ok);
  if (good !== undefined) return good;
  const [first, ...more] = attempts.filter((attempt) => !attempt.ok).map(({ fault }) => fault);
  return { ok: false, fault: together(first, more) };
}

/** One fault from those of each context: the lengths that any of them takes. */
function together(first: Fault | undefined, more: readonly Fault[]): Fault {
  if (first === undefined) throw new Error("no context was tried");
  if (first.kind !== "wrongLength") return first;
  const same = more.filter((fault) => fault.kind === "wrongLength" && fault.message === first.message);
  const lengths = same.flatMap((fault) => (fault.kind === "wrongLength" ? fault.expected : []));
  return { ...first, expected: [...new Set([...first.expected, ...lengths])].sort((a, b) => a - b) };
}

function encodeIn(message: Loose, context: Context): Encoded {
  const layout = layoutOf(message.kind);
  const misfit = (kind: Misfit["kind"], field: string, what: string): Encoded => ({
    ok: false,
    misfit: { kind, field, may: what },
  });
  const bits: number[] = [];
  const names = Object.keys(layout.fields);
  const known = isCommand(message.kind) ? ["kind", "device", ...names] : ["kind", ...names];
  const stranger = Object.keys(message).find((name) => !known.includes(name));
  if (stranger !== undefined) return misfit("unknownField", stranger, `one of ${known.slice(1).join(", ")}`);
  for (const [name, field] of Object.entries(layout.fields)) {
    const { when, width } = partsOf(field);
    const value = message[name];
    if (!isThere(when, context, value !== undefined)) {
      if (value !== undefined)
        return misfit("unknownField", name, `there only ${whenWords[when ?? "maybe"]}`);
      continue;
    }
    if (value === undefined) return misfit("missingField", name, may(width, context));
    const written = write(width, value, context);
    if (typeof written === "string") return misfit("badValue", name, written);
    bits.push(...written);
  }
  const body = [...layout.head, ...bytesOf(bits), ...Buffer.from(layout.tail ?? "", "latin1")];
  if (body.length > 35)
    return misfit("tooLong", names.at(-1) ?? "", "shorter: a block has room for 36 bytes");
  if (isCommand(message.kind)) {
    if (deviceAt(body[0] ?? 0) !== 1) return misfit("badValue", "code", "16 to 23 (10 to 17 in hex)");
    if (message.device === 2) body[0] = (body[0] ?? 0) + SECOND;
  }
  return { ok: true, block: closeBlock(Uint8Array.from(body)) };
}

/** The lengths without CHK that a layout has; those with an open end have a least one only. */
function sizesOf({ head, fields, tail }: Layout, context: Context): readonly number[] {
  const sizes = (maybe: boolean): number =>
    Object.values(fields).reduce(
      (bytes, field) => {
        const { when, width } = partsOf(field);
        if (!isThere(when, context, maybe)) return bytes;
        return bytes + (bitsOf(width, context) ?? (width === "counted" ? 8 : 0)) / 8;
      },
      head.length + (tail?.length ?? 0),
    );
  return [...new Set([sizes(false), sizes(true)])];
}

function begins(body: Uint8Array, layout: Layout, context: Context): boolean {
  const { head, tail } = layout;
  if (!head.every((byte, at) => body[at] === byte)) return false;
  if (tail === undefined) return true;
  return Buffer.from(body).toString("latin1").endsWith(tail) && sizesOf(layout, context)[0] === body.length;
}

function partsOf(field: Field): { readonly when: Condition | undefined; readonly width: Width } {
  const space = field.indexOf(" ");
  // A field is a width, or a condition, a space and a width: its type says so.
  if (space === -1) return { when: undefined, width: field as Width };
  return { when: field.slice(0, space) as Condition, width: field.slice(space + 1) as Width };
}

function isThere(when: Condition | undefined, { level, expanded }: Context, maybe: boolean): boolean {
  switch (when) {
    case undefined:
      return true;
    case "level2":
      return level >= 2;
    case "level3":
      return level === 3;
    case "expanded":
      return expanded === true;
    case "maybe":
      return maybe;
  }
}
const whenWords: Readonly<Record<Condition, string>> = {
  level2: "at level 2 and 3",
  level3: "at level 3",
  expanded: "in expanded mode",
  maybe: "now and then",
};

/** The fewer and the better known its messages, the likelier a reading. */
const weight = (messages: readonly { readonly kind: string }[]): number =>
  messages.length + messages.filter(({ kind }) => kind === "unknownResponse").length * 100;

function signalOf(block: Uint8Array, fromMachine: boolean): Signal | undefined {
  if (block.length !== 1) return undefined;
  if (block[0] === ACK) return { kind: "ack" };
  if (block[0] === NAK) return { kind: "nak" };
  return block[0] === RET && fromMachine ? { kind: "ret" } : undefined;
}

function deviceAt(address: number): Device | undefined {
  const device = address & 0xf8;
  return device === 0x10 ? 1 : device === 0x60 ? 2 : undefined;
}

function bytesOf(bits: readonly number[]): readonly number[] {
  return Array.from({ length: bits.length / 8 }, (_, byte) =>
    bits.slice(byte * 8, byte * 8 + 8).reduce((value, bit) => value * 2 + bit, 0),
  );
}

const layoutOf = (kind: Kind): Layout => (isCommand(kind) ? commands[kind] : responses[kind]);
const tried = (context: Context | undefined): readonly Context[] =>
  context === undefined ? CONTEXTS : [context];
const misfitError = (kind: string, { field, may: what }: Misfit): RangeError =>
  new RangeError(`${kind}: ${field}: ${what}`);
