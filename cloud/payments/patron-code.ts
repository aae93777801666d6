/**
 * Patron codes' barcodes: 16 digits, of which six are one of the platform's prefixes, nine are chance, and the last is the
 * Luhn digit of the fifteen before it; and what their test scenarios ask for. Pure.
 */
import type { Random } from "../../broker/protocol/clock.js";
import { Fault } from "../http/fault.js";
import { checkCharacter, DECIMAL } from "./luhn.js";
import type { Option, Raised } from "./request.js";

/** Sixteen, so that a byte chooses one evenly. */
// prettier-ignore
const PREFIXES: readonly string[] = [
  "121921", "123000", "282828", "293000", "321000", "321123", "636863", "713131",
  "765432", "777000", "839234", "848484", "888444", "929394", "987600", "999000",
];
const CHOSEN = 9;
export const LIFE_MS = 300_000;

export function newBarcode(random: Random): string {
  const [byte = 0] = random.bytes(1);
  const code = (PREFIXES[byte % PREFIXES.length] ?? "") + chosenDigits(random);
  return code + checkCharacter(code, DECIMAL);
}

/** Sixteen digits and the right last one; whether it is one of ours, and alive, is another question. */
export const isChecked = (barcode: string): boolean =>
  /^[0-9]{16}$/.test(barcode) && checkCharacter(barcode.slice(0, -1), DECIMAL) === barcode.slice(-1);

/**
 * Raises PATRON_CODE_INVALID for a static card (nine digits, of which none is known to be a check digit): such a card is
 * another platform's. Raises CHECKSUM_FAILED for anything else that cannot be a patron code.
 */
export function checkBarcode(barcode: string): void {
  if (/^[0-9]{9}$/.test(barcode)) throw new Fault("PATRON_CODE_INVALID", "no static cards are kept here");
  if (!isChecked(barcode)) throw new Fault("CHECKSUM_FAILED");
}

/** Whether this platform could have made it. */
export const isBarcode = (code: string): boolean => isChecked(code) && PREFIXES.includes(code.slice(0, 6));

const SCENARIOS: ReadonlyMap<string, Raised> = new Map([
  ["force-condition-check-photo-id", { name: "photo-id-check", message: "Please check ID", by: "merchant" }],
]);

/** The condition that a code's test scenario puts on a request, if test money can pay it. */
export const conditionOf = (
  { testScenarioName }: { readonly testScenarioName?: string },
  options: readonly Pick<Option, "assetType">[],
): Raised | undefined =>
  testScenarioName !== undefined && options.some(({ assetType }) => assetType === "centrapay.nzd.test")
    ? SCENARIOS.get(testScenarioName)
    : undefined;

function chosenDigits(random: Random): string {
  let digits = "";
  while (digits.length < CHOSEN)
    // 250 is a multiple of 10: every digit is as likely as another.
    for (const byte of random.bytes(CHOSEN))
      if (byte < 250 && digits.length < CHOSEN) digits += String(byte % 10);
  return digits;
}
