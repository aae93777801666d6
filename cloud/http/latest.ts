/** A Map as a line: what was put last stands at its end. Pure. */

/** Puts it at the end; where there are more than `most`, the first of the line is forgotten. */
export function putLast<V>(line: Map<string, V>, name: string, value: V, most: number): void {
  line.delete(name);
  line.set(name, value);
  if (line.size > most) for (const [first] of line) if (line.delete(first)) break;
}
