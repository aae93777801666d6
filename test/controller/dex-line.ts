/** A reader and a machine at the two ends of a line in this process, in a time of its own; what the line does to what is sent is the test's. */
import {
  beginGiving,
  beginListening,
  beginReading,
  dueMs,
  step,
  type Effect,
  type Session,
  type Why,
} from "../../controller/dex/session.js";

export type Ending =
  { readonly kind: "done"; readonly file: Uint8Array } | { readonly kind: "failed"; readonly why: Why };
type End = "reader" | "machine";

/** Both ends, until the reader has ended. `carry` answers what arrives of what one end sends. */
export function converse(
  file: Uint8Array,
  carry: (sent: Uint8Array, from: End) => readonly Uint8Array[],
): Ending & { readonly tookMs: number } {
  let nowMs = 0;
  let ending: Ending | undefined;
  const onTheWay: { readonly to: End; readonly bytes: Uint8Array }[] = [];
  const sessions: Record<End, Session> = { reader: beginReading(0)[0], machine: beginListening(0)[0] };
  const perform = (at: End, effects: readonly Effect[]): void => {
    for (const effect of effects) {
      if (effect.kind === "send") {
        const to = at === "reader" ? "machine" : "reader";
        onTheWay.push(...carry(effect.bytes, at).map((bytes) => ({ to, bytes }) as const));
      } else if (at === "reader")
        ending = effect.kind === "done" ? { kind: "done", file: effect.file } : effect;
      else {
        const isAsked = effect.kind === "done" && effect.header[10] === "R";
        const [next, more] = isAsked ? beginGiving("MACHINE001", file, nowMs) : beginListening(nowMs);
        sessions.machine = next;
        perform("machine", more);
      }
    }
  };
  perform("reader", beginReading(0)[1]);
  while (ending === undefined) {
    const next = onTheWay.shift();
    if (next !== undefined) {
      const [session, effects] = step(sessions[next.to], { kind: "bytes", bytes: next.bytes, nowMs });
      sessions[next.to] = session;
      perform(next.to, effects);
      continue;
    }
    const due = Math.min(...[sessions.reader, sessions.machine].map((one) => dueMs(one) ?? Infinity));
    if (due === Infinity) throw new Error("both wait for ever");
    nowMs = Math.max(nowMs, due);
    for (const end of ["reader", "machine"] as const) {
      const [session, effects] = step(sessions[end], { kind: "tick", nowMs });
      sessions[end] = session;
      perform(end, effects);
    }
  }
  return { ...ending, tookMs: nowMs };
}
