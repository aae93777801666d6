/**
 * Words to systemd, through its own `systemd-notify`: Node has no datagram sockets of the kind that it listens on, and a
 * binding of our own would have to be compiled on every box. Its unit allows it with `NotifyAccess=all`.
 */
import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "./log.js";
import type { Notice } from "./supervision.js";

const WITHIN_MS = 5_000;

/** Without a `NOTIFY_SOCKET` nobody listens, and nothing is said. */
export function systemdNotify(socket: string | undefined, log: Log): (notice: Notice) => void {
  if (socket === undefined) return () => undefined;
  return (notice) => {
    const env = { PATH: "/usr/bin:/bin", NOTIFY_SOCKET: socket };
    execFile("systemd-notify", [notice], { env, timeout: WITHIN_MS }, (error) => {
      if (error !== null) log.warn({ notice, error: error.message }, "the service manager was not told");
    });
  };
}

/** Of `WATCHDOG_USEC`, in ms; `undefined` when there is none. */
export function watchdogMs(microseconds: string | undefined): number | undefined {
  const value = Number(microseconds);
  return Number.isSafeInteger(value) && value > 0 ? value / 1_000 : undefined;
}

/** Whether the journal is where it was and could be written: not on a card that was pulled out or has turned read-only. */
export function isWritable(dataDir: string): boolean {
  try {
    accessSync(dataDir, constants.W_OK | constants.X_OK);
    return statSync(join(dataDir, "journal.db")).isFile();
  } catch {
    return false;
  }
}
