/** What an MDB block says, and what is wrong with one, in words for a person. */
import type { Command, Response, Signal } from "../controller/mdb/codec.js";
import type { Fault } from "../controller/mdb/frame.js";

export function messageWords(message: Command | Response | Signal): string {
  const { kind, ...fields } = message;
  const parts = Object.entries(fields)
    .filter(([name]) => name !== "device")
    .map(([name, value]) => fieldWords(kind, name, value));
  const to = "device" in message ? ` to cashless #${message.device}` : "";
  return `${titleOf(kind)}${to}${parts.length === 0 ? "" : `: ${parts.join(", ")}`}`;
}

export function faultWords(fault: Fault): string {
  switch (fault.kind) {
    case "tooShort":
      return `too short: ${fault.bytes} byte${fault.bytes === 1 ? "" : "s"}. A block has two or more; a byte alone can only be ACK (00), NAK (FF) or, from the machine, RET (AA)`;
    case "tooLong":
      return `too long: ${fault.bytes} bytes. A block has at most 36`;
    case "checksum":
      return `bad checksum: expected ${hexByte(fault.expected)}, got ${hexByte(fault.got)}`;
    case "unknownAddress":
      return `unknown address ${hexByte(fault.address)}: cashless #1 is 10 to 17, cashless #2 is 60 to 67`;
    case "wrongLength":
      return `wrong length: ${titleOf(fault.message)} has ${fault.expected.join(" or ")} bytes before the checksum, here are ${fault.got}`;
  }
}

function fieldWords(kind: string, name: string, value: unknown): string {
  const label = name.replace(/Scaled$/, "").replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  const note =
    notes[`${kind}.${name}`]?.(value) ?? (name === "item" && value === 0xffff ? "not known" : undefined);
  return `${label} ${valueWords(value)}${note === undefined ? "" : ` (${note})`}`;
}

function valueWords(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(" ");
  // A text of the bus may hold anything: a terminal is shown none of it.
  return typeof value === "string" ? JSON.stringify(value).replaceAll(/[\x7f-\x9f]/g, "?") : String(value);
}

/** What some values mean. */
const notes: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  "setupPrices.maxScaled": (value) => (value === 0xffff || value === 0xffffffff ? "not known" : undefined),
  "beginSession.fundsScaled": (value) =>
    value === 0xffff || value === 0xffffffff ? "not determined" : undefined,
  "beginSession.mediaId": (value) => (value === 0xffffffff ? "not known" : undefined),
  "vendApproved.amountScaled": (value) => (value === 0xffff || value === 0xffffffff ? "a token" : undefined),
  "outOfSequence.state": (value) => states[Number(value)],
  "malfunction.error": (value) => errors[Number(value)],
  "dataEntryResponse.data": (value) => (value === "\xff".repeat(8) ? "cancelled by the machine" : undefined),
};
const states: readonly (string | undefined)[] = [
  undefined,
  "Inactive",
  "Disabled",
  "Enabled",
  "Session Idle",
  "Vend",
  "Revalue",
  "Negative Vend",
];
const errors: readonly (string | undefined)[] = [
  "payment media error",
  "payment media not valid",
  "tamper error",
  "manufacturer's own, passing",
  "communications error",
  "reader needs service",
  undefined,
  "manufacturer's own, still working",
  "reader failure",
  "communications failure",
  "payment media jammed",
  "manufacturer's own, not working",
  "refund error, the credit is lost",
];

/** The standard's name: `vendRequest` is VEND REQUEST. */
const titleOf = (kind: string): string => kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter}`).toUpperCase();
const hexByte = (byte: number): string => byte.toString(16).padStart(2, "0").toUpperCase();
