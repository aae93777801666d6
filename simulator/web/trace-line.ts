/** One entry of the trace as a person skims it: which way it went, and the gist in one short line. Pure. */
import type { TraceEntry } from "../machine/trace.js";

export type TraceLine = {
  /** In the machine's eyes: towards it, away from it, or nowhere. */
  readonly arrow: "→" | "←" | "";
  readonly text: string;
  readonly detail: unknown;
};

export function traceLine(entry: TraceEntry): TraceLine {
  switch (entry.kind) {
    case "serial":
      return {
        arrow: entry.dir === "toMachine" ? "→" : "←",
        text: printable(entry.line),
        detail: entry.line,
      };
    case "mqtt": {
      const leaf = entry.topic.split("/").at(-1) ?? entry.topic;
      const lost = entry.fate === "passed" ? "" : ` (${entry.fate})`;
      return {
        arrow: entry.dir === "down" ? "→" : "←",
        text: `${leaf} ${gist(entry.body)}${lost}`,
        detail: { topic: entry.topic, n: entry.n, fate: entry.fate, body: entry.body },
      };
    }
    case "journal":
      return { arrow: "", text: gist(entry.entry), detail: entry.entry };
    case "machine":
    case "process":
      return { arrow: "", text: `${entry.what} ${gist(entry.detail)}`.trim(), detail: entry.detail };
  }
}

/** Control characters would be invisible, and are just what noise on a line looks like. */
const printable = (line: string): string => JSON.stringify(line).slice(1, -1);

/** `{kind: "accepted", grantId: "g1"}` is `kind=accepted grantId=g1`; lists are counted, and left to the detail. */
function gist(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.length}]`;
  return Object.entries(value)
    .filter(([, inner]) => inner !== null)
    .map(
      ([name, inner]: [string, unknown]) => `${name}=${isRecord(inner) ? `{${gist(inner)}}` : gist(inner)}`,
    )
    .join(" ");
}

const isRecord = (value: unknown): boolean => typeof value === "object" && !Array.isArray(value);
