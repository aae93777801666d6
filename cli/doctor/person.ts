/**
 * Who answers what a doctor asks: a file of answers, somebody at the terminal, or a script in their place.
 *
 * Promises  a question that nobody answers ends in `Unanswered`, which names it: at once when the input is at its end, and
 *           after a while when it is no terminal.
 */
import { z } from "zod";
import { readConfigurationFile, type Configured } from "../../broker/protocol/configuration.js";
import type { Clock } from "../../broker/protocol/clock.js";
import { linesOf, type Input } from "../lines.js";

/** What is asked; the answers' file has the same keys. */
export type Question = "keys" | "price" | "write";
const answers = z.strictObject({
  /** The keys that were pressed for each item, in the order in which they are asked for. */
  keys: z
    .array(z.string().regex(/^[0-9A-Za-z]{1,8}$/, "must be the keys of an item, such as A1"))
    .default([]),
  /** What the machine's display shows for the first of them. */
  price: z
    .string()
    .regex(/^[0-9]+([.,][0-9]+)?$/, "must be a price such as 2.50")
    .optional(),
  /** Whether what was found out is to be written into the configuration. */
  write: z.boolean().optional(),
});
export type Answered = z.infer<typeof answers>;

export const readAnswers = (text: () => string): Configured<Answered> => {
  const read = readConfigurationFile(answers, text);
  return read.ok ? read : { ok: false, problems: read.problems.map((problem) => `--answers: ${problem}`) };
};

/** Which of the answers that will be needed are not in the file. */
export function missing(
  { keys, price, write }: Answered,
  needed: { readonly items: number; readonly write: boolean },
): readonly string[] {
  const { items } = needed;
  return [
    ...(keys.length < items
      ? [`keys: needs ${items} answers, one for each item (--items), and has ${keys.length}`]
      : []),
    ...(items > 0 && price === undefined
      ? ["price: is needed: what the display shows for the first item"]
      : []),
    ...(needed.write && write === undefined ? ["write: is needed: true or false, or say --yes"] : []),
  ].map((problem) => `--answers: ${problem}`);
}

export class Unanswered extends Error {
  override readonly name = "Unanswered";
  readonly question: Question;
  constructor(question: Question) {
    super(`nobody answered "${question}": run it at a terminal, or give the answer with --answers FILE`);
    this.question = question;
  }
}

export interface Person extends Disposable {
  say(line: string): void;
  /** Rejects with `Unanswered`. */
  ask(question: Question, words: string): Promise<string>;
}

/** `waitMs`: how long an input that is no terminal may take for each line. */
export function personAt(
  input: Input,
  { keys, price, write }: Answered,
  waitMs: number,
  clock: Clock,
  say: (line: string) => void,
): Person {
  const prepared: Readonly<Record<Question, string[]>> = {
    keys: [...keys],
    price: price === undefined ? [] : [price],
    write: write === undefined ? [] : [write ? "y" : "n"],
  };
  const lines = linesOf(input, clock);
  return {
    say,
    async ask(question, words) {
      say(words);
      const known = prepared[question].shift();
      if (known !== undefined) say(`  ${known}`);
      const answer = known ?? (await lines.next(waitMs));
      if (answer === undefined) throw new Unanswered(question);
      return answer.trim();
    },
    [Symbol.dispose]: () => lines[Symbol.dispose](),
  };
}
