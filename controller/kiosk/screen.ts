/**
 * What the machine's own screen shows now, for every page that looks at it.
 *
 * Bounded   by the connections of the server whose pages watch.
 */
import type { Shown } from "../terminal/terminal.js";

export class Screen {
  readonly #watching = new Set<(shown: Shown) => void>();
  #shown: Shown = { text: "" };

  get shown(): Shown {
    return this.#shown;
  }

  show(shown: Shown): void {
    this.#shown = shown;
    for (const watcher of this.#watching) watcher(shown);
  }

  /** Calls `watcher` now and at every change, until the answer is called. */
  watch(watcher: (shown: Shown) => void): () => void {
    this.#watching.add(watcher);
    watcher(this.#shown);
    return () => void this.#watching.delete(watcher);
  }
}
