/** Between a machine and its serial line: an adapter makes lines of the machine's words, and commands of the controller's lines. */
import type { Clock, Random } from "../../broker/protocol/clock.js";
import type { Command } from "./adapter-line.js";
import type { Faults } from "./faults.js";
import type { LineEnd } from "./line-port.js";
import type { Word } from "./word.js";

export interface Adapter extends LineEnd, Disposable {
  say(word: Word): void;
}

/** What an adapter stands between. */
export type Ends = {
  readonly clock: Clock;
  readonly decimals: number; // of the currency
  readonly obey: (command: Command) => void;
  readonly lost: () => void;
  readonly random: Random;
  readonly faults: () => Faults;
  readonly write: (line: string) => void;
};
