/**
 * How an answer from the network becomes a typed value: a light, strict-enough reading without a schema library, because
 * every kilobyte of this page is downloaded on mobile data in front of a machine.
 *
 * Promises  what a reader returns has the type it says; anything else throws {@link Unreadable} naming the field.
 * Never     refuses a field it does not know: the service may learn to say more.
 */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
}

export type Reader<T> = (value: unknown, at: string) => T;
export type Shape<R> = R extends Reader<infer T> ? T : never;

export const text: Reader<string> = (value, at) => {
  if (typeof value !== "string") throw new Unreadable(`${at}: not a string`);
  return value;
};

export const whole: Reader<number> = (value, at) => {
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new Unreadable(`${at}: not a whole number`);
  return value;
};

export const flag: Reader<boolean> = (value, at) => {
  if (typeof value !== "boolean") throw new Unreadable(`${at}: not a boolean`);
  return value;
};

export const matching =
  (pattern: RegExp): Reader<string> =>
  (value, at) => {
    if (typeof value !== "string" || !pattern.test(value))
      throw new Unreadable(`${at}: not ${pattern.source}`);
    return value;
  };

/** Minor units, the only form in which an amount of money travels. */
export const digits = matching(/^-?[0-9]{1,18}$/);

/** An id as it may stand in a path. */
export const id = matching(/^[0-9A-Za-z_-]{1,64}$/);

export const instant: Reader<string> = (value, at) => {
  if (typeof value !== "string" || Number.isNaN(Date.parse(value))) throw new Unreadable(`${at}: not a time`);
  return value;
};

export const oneOf =
  <const W extends readonly string[]>(...allowed: W): Reader<W[number]> =>
  (value, at) => {
    const found = allowed.find((word) => word === value);
    if (found === undefined)
      throw new Unreadable(`${at}: ${String(value)} is not one of ${allowed.join(", ")}`);
    return found;
  };

/** Absent and null are one thing to a reader of a page: nothing. */
export const maybe =
  <T>(reader: Reader<T>): Reader<T | undefined> =>
  (value, at) =>
    value === undefined || value === null ? undefined : reader(value, at);

export const list =
  <T>(reader: Reader<T>): Reader<readonly T[]> =>
  (value, at) => {
    if (!Array.isArray(value)) throw new Unreadable(`${at}: not a list`);
    return value.map((item: unknown, index) => reader(item, `${at}[${index}]`));
  };

export const fields =
  <S extends Readonly<Record<string, Reader<unknown>>>>(
    shape: S,
  ): Reader<{ readonly [K in keyof S]: Shape<S[K]> }> =>
  (value, at) => {
    if (typeof value !== "object" || value === null) throw new Unreadable(`${at}: not an object`);
    const given = new Map<string, unknown>(Object.entries(value));
    const read = Object.entries(shape).map(([name, reader]) => [
      name,
      reader(given.get(name), `${at}.${name}`),
    ]);
    return Object.fromEntries(read) as { readonly [K in keyof S]: Shape<S[K]> }; // each entry came from its own reader
  };
