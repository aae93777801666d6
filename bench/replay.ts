/** What was said to SQLite once (said.ts), said again: the rows of so many requests, and nothing of what decided about them. */
import { readFileSync } from "node:fs";
import type SQLite from "better-sqlite3";
import type { Said } from "./said.js";

/** Each call says one request's share, in the recorded order. Throws when all is said. */
export function replay(db: SQLite.Database, file: string, requests: number): () => void {
  const statements: SQLite.Statement[] = [];
  const acts = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const { statement: number, text, how, values } = JSON.parse(line) as Said; // said.ts wrote it
      const statement = (statements[number] ??= db.prepare(text ?? ""));
      return how === "run" ? () => statement.run(values) : () => statement.all(values);
    });
  const each = acts.length / requests;
  let [at, due] = [0, 0];
  return () => {
    due += each;
    if (due > acts.length + 1) throw new Error("everything that was recorded is said");
    for (; at < Math.min(due, acts.length); at += 1) acts[at]?.();
  };
}
