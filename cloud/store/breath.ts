/**
 * What is said to a PostgreSQL server in one turn of the event loop, as one message with one answer. (The driver ends each
 * statement with a Sync, and the server answers each Sync with a packet of its own; here the whole breath has one.)
 *
 * Promises  the statements are done in their order, and answered together. When one fails, the server skips those after it,
 *           and all of them are rejected with that.
 */
import { Query, type Connection as Wire, type FieldDef } from "pg";
import { exactNumbers } from "./postgres-number.js";

export type Answer = {
  readonly command: string;
  readonly rowCount: number;
  readonly rows: readonly unknown[];
};
/** `name`: by which the server is told the text once a connection. */
export type Said = {
  readonly name: string;
  readonly text: string;
  readonly values: readonly (string | Buffer | null)[];
  readonly done: (answer: Answer) => void;
  readonly failed: (error: unknown) => void;
};
type Column = { readonly name: string; readonly read: (text: string) => unknown };
/** The names of the texts that a connection's server knows. */
export type Told = Set<string>;

/** The messages of the protocol (PostgreSQL, chapter 54) that a breath is made of, as the driver writes them. */
type Messages = {
  readonly stream: { cork(): void; uncork(): void };
  parse(message: { readonly name: string; readonly text: string }): void;
  bind(message: { readonly statement: string; readonly values: Said["values"] }): void;
  describe(message: { readonly type: "P"; readonly name: string }): void;
  execute(message: object): void;
  sync(): void;
};

/** A query to the driver, which hands it what the server answers, message by message. */
export class Breath extends Query {
  readonly #said: readonly Said[];
  readonly #told: Told;
  readonly #answers: Answer[] = [];
  #columns: readonly Column[] = [];
  #rows: unknown[] = [];
  #unreadable: unknown;
  /** Of the driver, which puts a timer around it. */
  callback: (error?: unknown) => void;

  /** `failed` is told first when it does. */
  constructor(said: readonly Said[], told: Told, failed: (error: unknown) => void) {
    super("");
    this.#said = said;
    this.#told = told;
    this.callback = (error) => {
      if (error) failed(error);
      for (const [index, one] of said.entries()) {
        const answer = this.#answers[index];
        if (error || answer === undefined) one.failed(error);
        else one.done(answer);
      }
    };
  }

  override submit = (wire: Wire): null => {
    const messages = wire as unknown as Messages; // the driver's own, of which its types say another thing
    messages.stream.cork();
    for (const { name, text, values } of this.#said) {
      if (!this.#told.has(name)) messages.parse({ name, text });
      this.#told.add(name);
      messages.bind({ statement: name, values });
      messages.describe({ type: "P", name: "" });
      messages.execute({});
    }
    messages.sync();
    messages.stream.uncork();
    return null;
  };

  handleRowDescription({ fields }: { readonly fields: readonly FieldDef[] }): void {
    this.#columns = fields.map(({ name, dataTypeID }): Column => ({
      name,
      read: exactNumbers.getTypeParser(dataTypeID, "text") as unknown as Column["read"],
    }));
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    const row: Record<string, unknown> = {};
    try {
      for (const [index, { name, read }] of this.#columns.entries()) {
        const text = fields[index] ?? null;
        row[name] = text === null ? null : read(text);
      }
    } catch (error) {
      this.#unreadable ??= error;
    }
    this.#rows.push(row);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const [command = ""] = text.split(" ", 1);
    const rowCount = Number(text.slice(text.lastIndexOf(" ") + 1)) || 0;
    this.#answers.push({ command, rowCount, rows: this.#rows });
    this.#columns = [];
    this.#rows = [];
  }

  handleReadyForQuery(): void {
    this.callback(this.#unreadable);
  }

  handleError(error: unknown): void {
    this.callback(error);
  }
}
