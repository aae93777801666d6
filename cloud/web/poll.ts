import type { Answer } from "./api.js";

/**
 * Asks again and again, and not while nobody looks: a page in a pocket costs no battery and no mobile data.
 *
 * Promises  one question at a time; at once when the page is looked at again; not before the cloud wants to be asked; no answer is told after the signal.
 */
export function poll<T>(
  ask: () => Promise<Answer<T>>,
  everyMs: number,
  onAnswer: (answer: Answer<T>) => void,
  signal: AbortSignal,
): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  let waiting = false;

  const round = async (): Promise<void> => {
    if (asking || waiting || document.hidden) return;
    clearTimeout(timer);
    asking = true;
    const answer = await ask();
    asking = false;
    if (signal.aborted) return;
    onAnswer(answer);
    const waitMs = answer.ok ? 0 : (answer.waitMs ?? 0);
    waiting = waitMs > 0;
    timer = setTimeout(
      () => {
        waiting = false;
        void round();
      },
      Math.max(everyMs, waitMs),
    );
  };

  document.addEventListener("visibilitychange", () => void round(), { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  void round();
}
