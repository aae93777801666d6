/** One strict schema a process: what is unknown or wrong stops the start, all of it listed at once. Pure. */
import type { z } from "zod";

export type Configured<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly string[] };

/** Reads an already parsed configuration. Each problem names the key and what it should be. */
export function readConfiguration<T>(schema: z.ZodType<T>, input: unknown): Configured<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return { ok: true, value: parsed.data };
  const problems = parsed.error.issues.flatMap((issue) => {
    const at = issue.path.join(".");
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => `${at === "" ? key : `${at}.${key}`}: no such key`);
    return [`${at === "" ? "configuration" : at}: ${issue.message}`];
  });
  return { ok: false, problems };
}

/**
 * The same from a file, which `text` reads: not being readable, or not JSON, is one more problem. What `instead` has (from
 * flags or the environment) takes the place of the file's keys.
 */
export function readConfigurationFile<T>(
  schema: z.ZodType<T>,
  text: () => string,
  instead: Readonly<Record<string, string | undefined>> = {},
): Configured<T> {
  let json: unknown;
  try {
    json = JSON.parse(text());
  } catch (error) {
    const what = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    return {
      ok: false,
      problems: [`configuration: ${what} (${error instanceof Error ? error.message : "no reason given"})`],
    };
  }
  const said = Object.entries(instead).filter(([, value]) => value !== undefined && value !== "");
  if (said.length === 0 || typeof json !== "object" || json === null || Array.isArray(json))
    return readConfiguration(schema, json);
  return readConfiguration(schema, { ...json, ...Object.fromEntries(said) });
}

/** A value that must not be printed. `JSON.stringify`, `String` and the inspector all show `[secret]`. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}
