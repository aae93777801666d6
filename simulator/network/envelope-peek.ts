/**
 * Looks into a message on the bus to show it to a person. Pure.
 *
 * Never     verifies anything: what it answers is for eyes, not for decisions. `envelope.ts` is the way to believe a message.
 */
import { z } from "zod";

const signed = z.object({ n: z.int(), body: z.unknown() });

export type Peeked = { readonly n: number | null; readonly body: unknown };

export function peek(payload: Uint8Array): Peeked {
  const unreadable: Peeked = { n: null, body: `${payload.length} bytes` };
  const [, middle, ...rest] = Buffer.from(payload).toString("latin1").split(".");
  if (middle === undefined || rest.length !== 1) return unreadable;
  try {
    const { success, data } = signed.safeParse(JSON.parse(Buffer.from(middle, "base64url").toString()));
    return success ? { n: data.n, body: data.body } : unreadable;
  } catch {
    return unreadable; // three parts, and not JSON in the middle
  }
}
