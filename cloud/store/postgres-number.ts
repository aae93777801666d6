/** PostgreSQL's 64-bit and numeric results as JavaScript numbers, or an error: money is never rounded. */
import { TypeOverrides, types } from "pg";

export function readWhole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`${text} is no whole number that can be held exactly`);
  return value;
}

export const exactNumbers = new TypeOverrides();
exactNumbers.setTypeParser(types.builtins.INT8, readWhole);
exactNumbers.setTypeParser(types.builtins.NUMERIC, readWhole); // what a sum of 64-bit numbers is
