/**
 * Asks again and again, and not while nobody looks: a page in a pocket costs no battery and no mobile data.
 *
 * Promises  one question at a time; at once when the page is looked at again; no answer is told after the signal.
 */
export function poll<T>(
  ask: () => Promise<T>,
  everyMs: number,
  onAnswer: (answer: T) => void,
  signal: AbortSignal,
): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;

  const round = async (): Promise<void> => {
    if (asking || document.hidden) return;
    clearTimeout(timer);
    asking = true;
    const answer = await ask();
    asking = false;
    if (signal.aborted) return;
    onAnswer(answer);
    timer = setTimeout(() => void round(), everyMs);
  };

  document.addEventListener("visibilitychange", () => void round(), { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  void round();
}
