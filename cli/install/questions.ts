/** What a configuration cannot do without, and who is asked for it at a terminal. Each answer is checked as it comes. */
import type { Lines } from "../lines.js";

export type Content = Readonly<Record<string, unknown>>;
type Question = {
  readonly key: string;
  readonly flag: string;
  readonly words: string;
  /** From what was typed to the key's value. */
  value(text: string, places: readonly string[]): unknown;
};

const plain = (text: string): unknown => text;
const questions: readonly Question[] = [
  { key: "machineId", flag: "--machine-id", words: "Id of this machine (m-17)?", value: plain },
  {
    key: "serial",
    flag: "--serial",
    words: "Where is the adapter (a number above, a device path or tcp://host:port)?",
    value: (text, places) => (/^[0-9]+$/.test(text) ? places[Number(text) - 1] : text),
  },
  { key: "mqttUrl", flag: "--mqtt", words: "Address of the broker (mqtts://broker.example)?", value: plain },
  { key: "currency", flag: "--currency", words: "Currency of the machine (NZD)?", value: plain },
  {
    key: "cloudKeys",
    flag: "--cloud-key",
    words: "A public key of the cloud (KID:X)?",
    value: (text) => [readKey(text)],
  },
];
const NO_HURRY_MS = 3_600_000;

export function readKey(text: string): object {
  const colon = text.lastIndexOf(":");
  return { kid: text.slice(0, colon), publicKey: { kty: "OKP", crv: "Ed25519", x: text.slice(colon + 1) } };
}

const isMissing = (content: Content, { key }: Question): boolean => !Object.hasOwn(content, key);
const isOf = ({ key }: Question, problem: string): boolean =>
  problem.startsWith(`${key}:`) || problem.startsWith(`${key}.`);

type Check = (content: Content) => readonly string[];
const missingIn = (content: Content): readonly Question[] =>
  questions.filter((question) => isMissing(content, question));

/** What is there and wrong. */
export const wrongIn = (content: Content, check: Check): readonly string[] =>
  check(content).filter((problem) => !missingIn(content).some((question) => isOf(question, problem)));

/** All that is wrong, and what is missing with the flag that gives it. */
export const problemsIn = (content: Content, check: Check): readonly string[] => [
  ...missingIn(content).map(({ key, flag }) => `${key}: is needed: ${flag}`),
  ...wrongIn(content, check),
];

/** The content with what was missing, as far as it was answered. `places`: where adapters are plugged in. */
export async function completed(
  content: Content,
  check: Check,
  places: readonly string[],
  lines: Lines,
  say: (line: string) => void,
): Promise<Content> {
  let whole = content;
  for (const question of missingIn(content)) {
    if (question.key === "serial") {
      say(places.length === 0 ? "No adapter is plugged in." : "Plugged in:");
      for (const [at, place] of places.entries()) say(`  ${at + 1}  ${place}`);
    }
    for (;;) {
      say(question.words);
      const text = await lines.next(NO_HURRY_MS);
      if (text === undefined) return whole;
      const next = { ...whole, [question.key]: question.value(text.trim(), places) };
      const wrong = check(next).filter((problem) => isOf(question, problem));
      if (wrong.length === 0) {
        whole = next;
        break;
      }
      for (const problem of wrong) say(`  ${problem}`);
    }
  }
  return whole;
}
