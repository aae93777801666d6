/**
 * How a field's value lies in the bytes of an MDB message. Pure; the codec's table names these.
 *
 * Promises  `write` undoes `read`, and refuses a value that does not fit, saying what would.
 */

/** How much of the bus's language is spoken: it decides the length of some messages. */
export type Context = {
  readonly level: 1 | 2 | 3;
  /** 32-bit money or several currencies, enabled by the machine with ENABLE OPTIONS (7.4.18). */
  readonly expanded?: boolean;
};

export type Value = number | string | readonly string[];
type Form =
  | { readonly kind: "number"; readonly bits: number; readonly expandedBits?: number }
  | { readonly kind: "digits"; readonly bytes: number } // BCD, and F where the standard writes "not known"
  | { readonly kind: "text"; readonly bytes: number; readonly padded?: boolean }
  | { readonly kind: "flags"; readonly bits: number; readonly names: readonly string[] } // names from bit 0 up
  | { readonly kind: "rest"; readonly as: "hex" | "text"; readonly most: number }
  | { readonly kind: "counted"; readonly most: number }; // its own length stands before it

// prettier-ignore
const widths = {
  u1:        { kind: "number", bits: 1 },
  u4:        { kind: "number", bits: 4 },
  u7:        { kind: "number", bits: 7 },
  u8:        { kind: "number", bits: 8 },
  u12:       { kind: "number", bits: 12 },
  u16:       { kind: "number", bits: 16 },
  u32:       { kind: "number", bits: 32 },
  money:     { kind: "number", bits: 16, expandedBits: 32 },
  digits2:   { kind: "digits", bytes: 1 },
  digits4:   { kind: "digits", bytes: 2 },
  text2:     { kind: "text", bytes: 2 },
  text3:     { kind: "text", bytes: 3 },
  text12:    { kind: "text", bytes: 12 },
  padded8:   { kind: "text", bytes: 8, padded: true },
  screen:    { kind: "rest", as: "text", most: 32 },
  block:     { kind: "rest", as: "hex", most: 31 },
  hex:       { kind: "rest", as: "hex", most: 34 },
  counted:   { kind: "counted", most: 31 },
  saleFlags: { kind: "flags", bits: 4, names: ["token", "negative", "test", "free"] },
  misc:      { kind: "flags", bits: 8, names: ["refund", "multivend", "display", "cashSale"] },
  card:      { kind: "flags", bits: 8, names: ["hideCredit", "refund", "revalue"] },
  features:  { kind: "flags", bits: 32, names: [
    "ftl", "money32", "multiCurrency", "negativeVend", "dataEntry", "alwaysIdle",
    // Named by 4.3: only ever read.
    "remoteVend", "basket", "coupon", "askBeginSession", "enhancedItem",
  ] },
} as const satisfies Record<string, Form>;
export type Width = keyof typeof widths;
export type ValueOf<W extends Width> = (typeof widths)[W] extends { readonly kind: "number" }
  ? number
  : (typeof widths)[W] extends { readonly kind: "flags" }
    ? readonly string[]
    : string;

/** How long a value is in bits, if it has only one length. */
export function bitsOf(width: Width, context: Context): number | undefined {
  const form: Form = widths[width];
  switch (form.kind) {
    case "number":
      return context.expanded === true ? (form.expandedBits ?? form.bits) : form.bits;
    case "flags":
      return form.bits;
    case "digits":
    case "text":
      return form.bytes * 8;
    case "rest":
    case "counted":
      return undefined;
  }
}

/** A place between two bits of a message. */
export type Cursor = { readonly bytes: Uint8Array; at: number };

/** The value at the cursor, which moves past it; `undefined` if the bytes end before it does. */
export function read(width: Width, from: Cursor, context: Context): Value | undefined {
  const form: Form = widths[width];
  const left = from.bytes.length * 8 - from.at;
  if ((bitsOf(width, context) ?? 0) > left) return undefined;
  switch (form.kind) {
    case "number":
      return take(from, bitsOf(width, context) ?? 0);
    case "flags": {
      const set = take(from, form.bits);
      return Array.from({ length: form.bits }, (_, bit) => bit)
        .filter((bit) => Math.floor(set / 2 ** bit) % 2 === 1)
        .map((bit) => form.names[bit] ?? `bit${bit}`);
    }
    case "digits":
      return hexOf(takeBytes(from, form.bytes)).toUpperCase();
    case "text": {
      const text = textOf(takeBytes(from, form.bytes));
      return form.padded === true ? text.replace(/\0+$/, "") : text;
    }
    case "rest": {
      if (left / 8 > form.most) return undefined;
      const bytes = takeBytes(from, left / 8);
      return form.as === "hex" ? hexOf(bytes) : textOf(bytes);
    }
    case "counted": {
      if (left < 8) return undefined;
      const bytes = take(from, 8);
      return bytes * 8 > left - 8 ? undefined : hexOf(takeBytes(from, bytes));
    }
  }
}

/** A value as bits, or what it may be. */
export function write(width: Width, value: unknown, context: Context): readonly number[] | string {
  const form: Form = widths[width];
  const most = may(width, context);
  switch (form.kind) {
    case "number": {
      const bits = bitsOf(width, context) ?? 0;
      const fits = typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** bits;
      return fits ? bitsIn(value, bits) : most;
    }
    case "flags": {
      const names = Array.isArray(value) ? (value as readonly unknown[]) : [undefined];
      const bits = names.map((name) => bitNamed(name, form));
      const set = new Set(bits);
      if (set.has(undefined)) return most;
      return Array.from({ length: form.bits }, (_, index) => (set.has(form.bits - 1 - index) ? 1 : 0));
    }
    case "digits": {
      const fits =
        typeof value === "string" && /^[0-9A-Fa-f]*$/.test(value) && value.length === form.bytes * 2;
      return fits ? bitsOfBytes(hexBytes(value)) : most;
    }
    case "text": {
      if (typeof value !== "string" || !isLatin(value)) return most;
      const text = form.padded === true ? value.padEnd(form.bytes, "\0") : value;
      return text.length === form.bytes ? bitsOfBytes(textBytes(text)) : most;
    }
    case "rest":
    case "counted": {
      if (typeof value !== "string") return most;
      const isText = form.kind === "rest" && form.as === "text";
      if (isText ? !isLatin(value) : !isHex(value)) return most;
      const bytes = isText ? textBytes(value) : hexBytes(value);
      if (bytes.length > form.most) return most;
      return bitsOfBytes(form.kind === "counted" ? [bytes.length, ...bytes] : bytes);
    }
  }
}

/** What a value of this width is in JavaScript. */
export function formOf(width: Width): "number" | "text" | "flags" {
  const { kind } = widths[width];
  return kind === "number" || kind === "flags" ? kind : "text";
}

/** What a field of this width may be, for whoever gave it something else. */
export function may(width: Width, context: Context): string {
  const form: Form = widths[width];
  switch (form.kind) {
    case "number":
      return `a number, 0 to ${2 ** (bitsOf(width, context) ?? 0) - 1}`;
    case "flags":
      return `any of ${form.names.join(", ")}, or bit0 to bit${form.bits - 1}`;
    case "digits":
      return `${form.bytes * 2} digits, each 0 to 9 or A to F`;
    case "text":
      return form.padded === true ? `up to ${form.bytes} characters` : `exactly ${form.bytes} characters`;
    case "rest":
      return form.as === "text" ? `up to ${form.most} characters` : `up to ${form.most} bytes in hex`;
    case "counted":
      return `up to ${form.most} bytes in hex`;
  }
}

/** Bytes from hex; `undefined` if it is none. Spaces may stand between bytes. */
export function readHex(text: string): Uint8Array | undefined {
  const hex = text.replaceAll(/\s+/g, "");
  return isHex(hex) ? Uint8Array.from(hexBytes(hex)) : undefined;
}

export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function take(from: Cursor, bits: number): number {
  let value = 0;
  for (let bit = 0; bit < bits; bit += 1, from.at += 1) {
    const byte = from.bytes[from.at >> 3] ?? 0; // the caller has counted
    value = value * 2 + ((byte >> (7 - (from.at & 7))) & 1);
  }
  return value;
}

const takeBytes = (from: Cursor, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, () => take(from, 8));

function bitNamed(name: unknown, form: Extract<Form, { kind: "flags" }>): number | undefined {
  if (typeof name !== "string") return undefined;
  const known = form.names.indexOf(name);
  if (known >= 0) return known;
  const bit = /^bit(0|[1-9]\d?)$/.exec(name)?.[1];
  return bit !== undefined && Number(bit) < form.bits ? Number(bit) : undefined;
}

const bitsIn = (value: number, bits: number): readonly number[] =>
  Array.from({ length: bits }, (_, index) => Math.floor(value / 2 ** (bits - 1 - index)) % 2);
const bitsOfBytes = (bytes: readonly number[]): readonly number[] => bytes.flatMap((byte) => bitsIn(byte, 8));
const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const textBytes = (text: string): number[] => Array.from(text, (char) => char.charCodeAt(0));
const hexBytes = (hex: string): number[] =>
  Array.from({ length: hex.length / 2 }, (_, index) =>
    Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16),
  );
const isLatin = (text: string): boolean => Array.from(text).every((char) => char.charCodeAt(0) < 256);
const isHex = (text: string): boolean => /^([0-9A-Fa-f]{2})*$/.test(text);
