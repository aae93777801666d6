/**
 * The idempotency key of something this phone asks for once, however often it has to ask.
 *
 * Promises  the same wish keeps its key, across reloads, until it was answered; another wish gets another key.
 */
import type { Memory } from "./memory.js";

export interface Attempts {
  /** The key under which `content` is asked for, minted on the first call. */
  keyFor(name: string, content: string): string;
  /** An answer came, whatever it was: the next try is a new wish. */
  answered(name: string): void;
}

export function makeAttempts(memory: Memory, mint: () => string): Attempts {
  const place = (name: string): string => `attempt.${name}`;
  return {
    keyFor: (name, content) => {
      const [key, before] = (memory.get(place(name)) ?? "").split(" ");
      if (key !== undefined && key !== "" && before === content) return key;
      const minted = mint();
      memory.put(place(name), `${minted} ${content}`);
      return minted;
    },
    answered: (name) => memory.forget(place(name)),
  };
}
