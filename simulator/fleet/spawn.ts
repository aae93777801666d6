/** Real processes for the interface of `child.ts`. Built in main.ts, and in tests that want the real thing. */
import { spawn } from "node:child_process";
import type { Child } from "./child.js";

export function spawnProcess([command = "", ...args]: readonly string[]): Child {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  return {
    pid: child.pid,
    stdout: child.stdout,
    stderr: child.stderr,
    exited: new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
      child.once("error", (error) => {
        if (child.pid === undefined) resolve({ code: null, signal: null, failure: error.message });
      });
    }),
    kill: (signal) => void child.kill(signal),
  };
}
