/** The updater's end of the controller's socket (controller/control.ts). */
import { connect, type Socket } from "node:net";
import { z } from "zod";
import { controlPath } from "../../controller/control.js";

/** Of a controller that may be newer than we are: what we know of it. */
const health = z.looseObject({
  bootId: z.string(),
  version: z.string(),
  mdb: z.string(),
  canSell: z.boolean(),
  reason: z.string(),
  bus: z.boolean(),
  free: z.boolean(),
});
export type Health = z.infer<typeof health>;

const ANSWER_MS = 5_000;
const held = z.looseObject({ held: z.literal(true) });

/** How the controller is; `undefined` when none answers. */
export async function askHealth(dataDir: string): Promise<Health | undefined> {
  const socket = connect(controlPath(dataDir));
  try {
    return health.safeParse(await said(socket, "health", ANSWER_MS)).data;
  } finally {
    socket.destroy();
  }
}

/** Resolves once nobody is being served, and nobody is until the answer is called; `undefined` if that does not come in time. */
export async function hold(dataDir: string, withinMs: number): Promise<(() => void) | undefined> {
  const socket = connect(controlPath(dataDir));
  if (held.safeParse(await said(socket, "hold", withinMs)).success) return () => void socket.destroy();
  socket.destroy();
  return undefined;
}

/** The answer to one word, or `undefined`. */
function said(socket: Socket, word: string, withinMs: number): Promise<unknown> {
  return new Promise((resolve) => {
    let text = "";
    const timer = setTimeout(() => resolve(undefined), withinMs);
    const end = (answer: unknown): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    socket.on("error", () => end(undefined));
    socket.on("close", () => end(undefined));
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString();
      if (text.includes("\n")) end(parse(text));
    });
    socket.write(`${word}\n`);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no controller of ours
  }
}
