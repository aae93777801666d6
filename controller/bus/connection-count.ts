/**
 * The numbers of the bus connections that this machine's key has begun.
 *
 * Owns      `{dataDir}/connections`, beside the key: the numbers a key signs with are the key's, so they must go on when a
 *           damaged journal is set aside, or the cloud would take every new message for a replay of an old one.
 * Promises  a number is reserved on disk before it is answered, so none is ever used twice. They are reserved `BATCH` at a time:
 *           a disk that is full for a while does not keep the machine from saying so.
 * Crash     the file is the last whole one. What was reserved and not used is skipped.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../whole-file.js";

export const BATCH = 64;

/** Numbers no earlier connection has had. Throws when none is left and more cannot be kept, or when the file is not ours. */
export function connectionNumbers(dataDir: string): () => number {
  let next = 0;
  let end = 0; // every number below it is ours
  return () => {
    try {
      if (end - next < BATCH / 2) {
        const reserved = reserve(dataDir);
        if (next === end) next = reserved - BATCH + 1;
        end = reserved + 1;
      }
    } catch (error) {
      if (next === end) throw error;
    }
    next += 1;
    return next - 1;
  };
}

/** Raises the number in the file by a batch and answers it. */
function reserve(dataDir: string): number {
  const path = join(dataDir, "connections");
  const text = existsSync(path) ? readFileSync(path, "utf8").trim() : "0";
  if (!/^[0-9]{1,9}$/.test(text)) throw new Error(`${path} should hold one whole number`);
  const reserved = Number(text) + BATCH;
  writeWhole(dataDir, "connections", `${String(reserved)}\n`);
  return reserved;
}
