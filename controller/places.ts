/** Where things are wired, said on the command line: it takes the place of a line in the configuration, and of nothing else. Pure. */

/** The configuration's text with these places in it. What is no object of JSON is left to the schema to refuse. */
export function withPlaces(text: string, places: Readonly<Record<string, string | undefined>>): string {
  const file = objectOf(text);
  if (file === undefined) return text;
  const wired = Object.entries(places).flatMap(([name, serial]) => {
    if (serial === undefined) return [];
    const before = file[name];
    return [[name, isObject(before) ? { ...before, serial } : serial] as const];
  });
  return JSON.stringify({ ...file, ...Object.fromEntries(wired) });
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : undefined;
  } catch {
    return undefined; // the only way in which JSON.parse fails
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
