/** What is typed at a terminal, or piped in its place, a line at a time. */
import { createInterface } from "node:readline";
import type { Clock } from "../broker/protocol/clock.js";

export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };
export interface Lines extends Disposable {
  /** `undefined` once the input is at its end, or when it is no terminal and nothing comes within `waitMs`. */
  next(waitMs: number): Promise<string | undefined>;
}

export function linesOf(input: Input, clock: Clock): Lines {
  const lines = createInterface({ input });
  const given: string[] = [];
  let isOver = false;
  let wanted: ((line: string | undefined) => void) | undefined;
  const hand = (line: string | undefined): void => {
    const take = wanted;
    wanted = undefined;
    if (take !== undefined) take(line);
    else if (line !== undefined) given.push(line);
  };
  lines.on("line", hand);
  lines.on("close", () => {
    isOver = true;
    hand(undefined);
  });
  return {
    async next(waitMs) {
      const first = given.shift();
      if (first !== undefined || isOver) return first;
      return await new Promise((resolve) => {
        const cancel = input.isTTY === true ? () => undefined : clock.after(waitMs, () => hand(undefined));
        wanted = (line) => {
          cancel();
          resolve(line);
        };
      });
    },
    [Symbol.dispose]: () => lines.close(),
  };
}
