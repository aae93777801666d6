/**
 * Machines of which everything is refused because its number is old: said as an error, with what to do, since nothing else will end it.
 *
 * Bounded by how many machines are enrolled.
 */
import { Tally } from "../../broker/protocol/tally.js";
import type { Log } from "./log.js";

/** A message that comes twice, or late, is one or two; so many without a new one between them are every one. */
const EVERY_ONE = 16;

export class OldNumbers {
  readonly #tally = new Tally();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  refused(machine: string, n: number): void {
    const count = this.#tally.count(machine);
    if (count !== undefined && count >= EVERY_ONE)
      this.#log.error(
        { machine, n, count },
        "whatever this machine says has an old number: its file connections was lost, or somebody else has used its key. " +
          'Give it a new key (docs/running.md, "A box is stolen, or swapped")',
      );
  }

  taken(machine: string): void {
    this.#tally.clear(machine);
  }
}
