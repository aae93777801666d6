/** Real time and chance, as `main.ts` would give them, and a way to wait for what must come. */
import type { Random } from "../../broker/protocol/clock.js";
import { systemClock, systemRandom } from "../../broker/protocol/system.js";
import type { Log } from "../../controller/log.js";

export { systemClock as clock };
export const random: Random = { ...systemRandom, fraction: () => 0.5 };

const nothing = (): void => undefined;
export const quiet: Log = { debugging: false, debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Resolves as soon as `holds` does; fails with `what` when it does not within half a minute. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
