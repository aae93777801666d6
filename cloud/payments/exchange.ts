/**
 * One HTTP exchange with somebody else's server.
 *
 * Promises  settles: with what `read` made of the answer, or rejects with why there was none.
 * Never     follows a redirect, or keeps a connection for the next exchange.
 * Bounded   by the signal: whoever asks decides how long to wait. An answer's head is at most what Node allows (16 KB).
 */
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";

export type Asking = {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
  /** Where a host's name is, for whoever has looked before. */
  readonly lookup?: LookupFunction;
};

export function exchange<T>(
  target: URL,
  { method, headers, body, signal, lookup }: Asking,
  read: (response: IncomingMessage) => Promise<T>,
): Promise<T> {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  return new Promise((resolve, reject) => {
    const request = (target.protocol === "https:" ? requestHttps : requestHttp)(target, {
      method,
      headers: { ...headers, ...(bytes === undefined ? {} : { "content-length": bytes.byteLength }) },
      agent: false,
      ...(lookup === undefined ? {} : { lookup }),
      signal,
    });
    let isAnswered = false;
    request.once("response", (response) => {
      isAnswered = true;
      read(response).then(resolve, reject);
    });
    request.on("error", reject);
    request.once("close", () => {
      if (!isAnswered) reject(new Error("the connection was closed without an answer"));
    });
    request.end(bytes);
  });
}
