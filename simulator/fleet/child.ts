/** A process as the fleet takes it: something that says things, ends once, and can be ended. */
import type { Readable } from "node:stream";

/** `failure` is why it never began, when it never began. */
export type Exit = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly failure?: string;
};

export interface Child {
  /** Undefined when it never began. */
  readonly pid: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<Exit>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}
export type Spawn = (argv: readonly string[]) => Child;
