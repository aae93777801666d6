/**
 * The controller's ear for who has the box itself: how is it, and may it be stopped now?
 *
 * Owns      `{dataDir}/control.sock`, which only the controller's own user (and root) can open.
 * Promises  `health` is answered at once. `hold` is answered when nobody is being served or paying, and from then on nobody is,
 *           for as long as the connection that asked lasts: whoever dies holding it lets go.
 * Never     takes a word that sells, pays or sets anything.
 * Bounded   `MOST` connections, and a line of `LINE_BYTES` on each.
 * Crash     leaves the socket's name behind; the next start takes it over (the journal keeps a second controller out).
 */
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { Log } from "./log.js";

/** What there is to stop, and to ask. */
export interface Controlled {
  health(): object;
  /** Calls `held` once nobody is served any more; what it answers lets go. */
  hold(held: () => void): () => void;
}

const MOST = 8;
const LINE_BYTES = 64;

export const controlPath = (dataDir: string): string => join(dataDir, "control.sock");

export function openControl(dataDir: string, controlled: Controlled, log: Log): { close(): void } {
  const path = controlPath(dataDir);
  const open = new Set<Socket>();
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    if (open.size >= MOST) {
      socket.destroy();
      return;
    }
    open.add(socket);
    let letGo: () => void = () => undefined;
    let rest = "";
    const say = (word: object): void => void socket.write(`${JSON.stringify(word)}\n`);
    const hear = (word: string): void => {
      if (word === "health") say(controlled.health());
      else if (word === "hold") {
        letGo();
        letGo = controlled.hold(() => say({ held: true }));
      } else say({ error: "the words are health and hold" });
    };
    socket.on("error", () => undefined); // `close` follows
    socket.on("close", () => {
      open.delete(socket);
      letGo();
    });
    socket.on("data", (bytes: Buffer) => {
      const words = (rest + bytes.toString("latin1")).split("\n");
      rest = words.pop() ?? "";
      if (rest.length > LINE_BYTES) socket.destroy();
      else for (const word of words) hear(word);
    });
  });
  server.on("error", (error) => log.error({ error: error.message, path }, "nobody can ask this controller"));
  server.listen(path, () => chmodSync(path, 0o600));
  return {
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
