/** How long is left, by the cloud's clock. Not announced: a screen reader that counts seconds says nothing else. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useApp } from "./app.js";

export function Countdown({ until }: { readonly until: string }): VNode {
  const { words } = useApp();
  const seconds = useSecondsLeft(until);
  return (
    <p class={seconds <= 20 ? "countdown soon" : "countdown"} role="timer" aria-live="off">
      {seconds === 0 ? words.pay.over : words.pay.left(clockText(seconds))}
    </p>
  );
}

export function useSecondsLeft(until: string): number {
  const { api } = useApp();
  const [nowMs, setNowMs] = useState(() => api.nowMs());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(api.nowMs()), 500);
    return () => clearInterval(timer);
  }, [api]);
  return Math.max(0, Math.ceil((Date.parse(until) - nowMs) / 1000));
}

export const clockText = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
