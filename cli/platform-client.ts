/**
 * The payment platform as a command sees it: over HTTP, with a key.
 *
 * Promises  an answer is one of three things: what was asked for, a refusal that asking again does not change, or a platform
 *           that is away.
 * Bounded   by ANSWER_WITHIN_MS an answer.
 */
import { z } from "zod";

export type Access = { readonly url: string; readonly key: string };
export type PlatformAnswer<T> =
  | { readonly kind: "answered"; readonly body: T }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "away"; readonly why: string };

const ANSWER_WITHIN_MS = 10_000;
const TOO_MANY_REQUESTS = 429;
const fault = z.looseObject({ message: z.string(), reason: z.string().optional() });

/** `answer` is the schema of a good answer: another one is a refusal, for then it is some other server. */
export async function askPlatform<T>(
  { url, key }: Access,
  answer: z.ZodType<T>,
  asked: {
    readonly method: "GET" | "POST";
    readonly path: string;
    readonly body?: object;
    readonly stop?: AbortSignal;
  },
): Promise<PlatformAnswer<T>> {
  const { method, path, body, stop } = asked;
  const timeout = AbortSignal.timeout(ANSWER_WITHIN_MS);
  let status: number;
  let text: string;
  try {
    const response = await fetch(url + path, {
      method,
      headers: { "x-api-key": key, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "manual",
      signal: stop === undefined ? timeout : AbortSignal.any([timeout, stop]),
    });
    ({ status } = response);
    text = await response.text();
  } catch (error) {
    return { kind: "away", why: whyNotReached(error) };
  }
  if (status >= 500 || status === TOO_MANY_REQUESTS) return { kind: "away", why: `it answered ${status}` };
  const said = parsed(text);
  if (status !== 200) {
    const { data } = fault.safeParse(said);
    return {
      kind: "refused",
      why: data === undefined ? `it answered ${status}` : (data.reason ?? data.message),
    };
  }
  const read = answer.safeParse(said);
  return read.success
    ? { kind: "answered", body: read.data }
    : { kind: "refused", why: `its answer is not a payment platform's: ${z.prettifyError(read.error)}` };
}

/** Why a server was not reached. `fetch` hides it in `cause`; anything it does not throw is a bug and is thrown on. */
export function whyNotReached(error: unknown): string {
  if (!(error instanceof Error)) throw error;
  if (error.name === "TimeoutError") return "no answer in time";
  if (error.name === "AbortError") return "stopped";
  if (!(error instanceof TypeError) || error.message !== "fetch failed") throw error;
  const cause: unknown = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause;
  return cause instanceof Error ? cause.message : error.message;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it
  }
}
