/**
 * A free port that nobody takes by chance before it is listened on: below the range from which outgoing connections are
 * given theirs (from 32768 on Linux, from 49152 elsewhere).
 */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const TRIES = 100;

export async function quietPort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(10_000, 32_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
  throw new Error(`no free port in ${TRIES} tries`);
}
