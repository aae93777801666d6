/**
 * The idempotency key of something this phone asks for once, however often it has to ask.
 *
 * Promises  the same wish keeps its key, across reloads, until it was answered; another wish gets another key.
 */
import type { Memory } from "./memory.js";

export interface Attempts {
  /** The key under which `content` is asked for, minted on the first call. */
  keyFor(name: string, content: string): string;
  /** The content that was asked for and not answered yet. */
  unanswered(name: string): string | undefined;
  /** An answer came, whatever it was: the next try is a new wish. */
  answered(name: string): void;
}

export function makeAttempts(memory: Memory, mint: () => string): Attempts {
  const place = (name: string): string => `attempt.${name}`;
  const kept = (name: string): readonly string[] => (memory.get(place(name)) ?? "").split(" ");
  return {
    keyFor: (name, content) => {
      const [key, before] = kept(name);
      if (key !== undefined && key !== "" && before === content) return key;
      const minted = mint();
      memory.put(place(name), `${minted} ${content}`);
      return minted;
    },
    unanswered: (name) => kept(name)[1],
    answered: (name) => memory.forget(place(name)),
  };
}
