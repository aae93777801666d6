/**
 * Loaded into a cloud that is recorded (`node --import`): every statement that reads or writes a row in SQLite, with its values, in
 * the order they were said. One JSON text a line, in the file `SCANVEND_BENCH_SAID` names, whole when the process has ended.
 *
 * Only what follows the first row that is written: what a start looks for is no payment's.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import SQLite from "better-sqlite3";

/** The text is told once, by the first that says it. */
export type Said = {
  readonly statement: number;
  readonly text?: string;
  readonly how: "run" | "all";
  readonly values: readonly unknown[];
};

type Act = (...values: unknown[]) => unknown;
type Patched = { prepare: (this: SQLite.Database, text: string) => { run: Act; all: Act } };

const ABOUT_ROWS = /^(select|insert|update|delete|with)\b/;
const KEPT_BYTES = 1 << 20; // before they are written

const file = process.env["SCANVEND_BENCH_SAID"];
if (file !== undefined) record(openSync(file, "w"));

function record(fd: number): void {
  const known = new Map<string, number>();
  let [lines, begun] = ["", false];
  const write = (): void => {
    writeSync(fd, lines);
    lines = "";
  };
  const say = (text: string, how: Said["how"], values: readonly unknown[]): void => {
    begun ||= text.startsWith("insert");
    if (!begun) return;
    const statement = known.get(text) ?? known.size;
    const said: Said = { statement, ...(known.has(text) ? {} : { text }), how, values };
    known.set(text, statement);
    lines += `${JSON.stringify(said)}\n`;
    if (lines.length > KEPT_BYTES) write();
  };

  // Made by a library that knows of no other class.
  const database = SQLite.prototype as unknown as Patched;
  const { prepare } = database;
  database.prepare = function (text) {
    const statement = prepare.call(this, text);
    if (!ABOUT_ROWS.test(text)) return statement;
    for (const how of ["run", "all"] as const) {
      const act = statement[how];
      statement[how] = (...values) => {
        say(text, how, values.flat());
        return act.apply(statement, values);
      };
    }
    return statement;
  };
  process.on("exit", () => {
    write();
    closeSync(fd);
  });
}
