/**
 * One reading of a machine's audit over a serial line.
 *
 * Owns      one connection, from its beginning to its end.
 * Promises  `ended` is called once, unless it is stopped before: with an audit that its own checksum proves and the bytes it
 *           was in, or with a word for what went wrong. The line is closed by then.
 * Bounded   by the conversation's own times (session.ts), and the link's time to connect.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import type { SerialLink } from "../serial/serial-link.js";
import { parseAudit, type Audit, type Fault } from "./audit.js";
import { encode } from "./frame.js";
import { beginReading, dueMs, step, type Event, type Session, type Step } from "./session.js";
import type { Trouble } from "./trouble.js";

export const BAUD_RATE = 9_600;

export type Read =
  | { readonly ok: true; readonly audit: Audit; readonly file: Uint8Array }
  | {
      readonly ok: false;
      readonly trouble: Trouble;
      /** Of a line: why. */
      readonly detail?: string;
      /** Of a file that was read and is a bad one. */
      readonly fault?: Fault;
    };
type Untimed<E> = E extends unknown ? Omit<E, "nowMs"> : never;

/** Begins; what it answers gives it up, and says so to the machine. */
export function beginAuditReading(
  newLink: () => SerialLink,
  clock: Clock,
  ended: (read: Read) => void,
): () => void {
  const link = newLink();
  let session: Session | undefined;
  let isOver = false;
  let stopTimer: () => void = () => undefined;

  const hangUp = (): void => {
    if (link.isOpen) link.close();
    else link.destroy();
  };
  const end = (read: Read): void => {
    if (isOver) return;
    isOver = true;
    stopTimer();
    hangUp();
    ended(read);
  };
  const perform = ([next, effects]: Step): void => {
    session = next;
    for (const effect of effects) {
      if (effect.kind === "send") link.write(effect.bytes);
      else if (effect.kind === "failed") end({ ok: false, trouble: effect.why });
      else end(proved(effect.file));
    }
    stopTimer();
    const due = dueMs(next);
    if (due !== undefined && !isOver)
      stopTimer = clock.after(Math.max(0, due - clock.monoMs()), () => take({ kind: "tick" }));
  };
  const take = (event: Untimed<Event>): void => {
    if (session !== undefined && !isOver) perform(step(session, { ...event, nowMs: clock.monoMs() }));
  };
  const lost = (detail: string): void => end({ ok: false, trouble: "lineLost", detail });

  link.on("error", (error: Error) => lost(error.message));
  link.on("close", () => lost("closed"));
  link.on("data", (bytes: Uint8Array) => take({ kind: "bytes", bytes }));
  link.open((error) => {
    if (isOver)
      link.close(); // stopped while it was being opened
    else if (error === null) perform(beginReading(clock.monoMs()));
    else lost(error.message);
  });
  return () => {
    if (isOver) return;
    isOver = true;
    stopTimer();
    if (link.isOpen) link.write(encode({ kind: "eot" }), hangUp);
    else hangUp();
  };
}

function proved(file: Uint8Array): Read {
  const parsed = parseAudit(file);
  if (parsed.ok) return { ok: true, audit: parsed.audit, file };
  return { ok: false, trouble: parsed.fault.kind, fault: parsed.fault };
}
