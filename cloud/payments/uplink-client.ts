/**
 * The uplink provider, as this platform calls it: docs/decisions/0104-uplink.md has the protocol.
 *
 * Promises  an answer is the provider's word on the very payment (or refund) and amount that was asked about, or `unknown` with
 *           why: no answer in time, a status other than 200, a body that is no such word. Unknown is never made into another.
 *           Fields it does not know it passes over.
 * Bounded   by `timeoutMs` a call, and by MOST_BYTES an answer.
 */
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import type { Clock } from "../../broker/protocol/clock.js";
import type { Secret } from "../../broker/protocol/configuration.js";
import type { Money } from "../../broker/protocol/money.js";
import { exchange } from "./exchange.js";

export type UplinkSettings = { readonly url: string; readonly key: Secret; readonly timeoutMs: number };
export type NewUplinkPayment = {
  readonly id: string;
  readonly merchant: string;
  readonly value: Money;
  readonly authorization: string;
  readonly paymentRequestId: string;
};
export type UplinkRefund = {
  readonly id: string;
  readonly paymentId: string;
  readonly value: Money;
};

const statuses = ["pending", "paid", "declined", "cancelled", "refunded", "absent"] as const;
/** The provider's word; `unknown` is the lack of one. */
export type Word =
  { readonly status: (typeof statuses)[number] } | { readonly status: "unknown"; readonly why: string };
const word = z.object({
  id: z.string(),
  status: z.enum(statuses),
  value: z.object({ amount: z.string(), currency: z.string() }).optional(),
});

const MOST_BYTES = 64 * 1024;

export class UplinkClient {
  readonly #settings: UplinkSettings;
  readonly #clock: Pick<Clock, "after">;
  readonly #stop = new AbortController();

  constructor(settings: UplinkSettings, clock: Pick<Clock, "after">) {
    this.#settings = settings;
    this.#clock = clock;
  }

  pay({ id, ...payment }: NewUplinkPayment): Promise<Word> {
    const { value } = payment;
    return this.#ask("POST", "/payments", { id, value }, { id, idempotencyKey: id, ...payment });
  }
  find(id: string, value: Money): Promise<Word> {
    return this.#ask("GET", `/payments/${encodeURIComponent(id)}`, { id, value });
  }
  cancel(id: string, value: Money): Promise<Word> {
    const about = { id, value };
    return this.#ask("POST", `/payments/${encodeURIComponent(id)}/cancel`, about, { idempotencyKey: id });
  }
  refund({ id, paymentId, value }: UplinkRefund): Promise<Word> {
    const path = `/payments/${encodeURIComponent(paymentId)}/refunds`;
    return this.#ask("POST", path, { id, value }, { id, idempotencyKey: id, value });
  }

  /** What is under way ends as unknown. */
  close(): void {
    this.#stop.abort(new Error("stopped before there was an answer"));
  }

  async #ask(
    method: "GET" | "POST",
    path: string,
    about: { readonly id: string; readonly value: Money },
    body?: object,
  ): Promise<Word> {
    const { url, key, timeoutMs } = this.#settings;
    const patience = new AbortController();
    const late = new Error(`no answer in ${timeoutMs} ms`);
    const calm = this.#clock.after(timeoutMs, () => patience.abort(late));
    const signal = AbortSignal.any([patience.signal, this.#stop.signal]);
    try {
      const { status, text } = await exchange(
        new URL(url + path),
        {
          method,
          headers: {
            authorization: `Bearer ${key.reveal()}`,
            accept: "application/json",
            ...(body === undefined ? {} : { "content-type": "application/json" }),
          },
          body: body === undefined ? undefined : JSON.stringify(body),
          signal,
        },
        readText,
      );
      return status === 200 ? readWord(text, about) : unknown(`status ${status}`);
    } catch (error) {
      // Not reaching a stranger's server is expected: whatever the reason, its word is not known.
      const why: unknown = signal.aborted ? signal.reason : error;
      return unknown(why instanceof Error ? why.message : String(why));
    } finally {
      calm();
    }
  }
}

const unknown = (why: string): Word => ({ status: "unknown", why });

async function readText(
  response: IncomingMessage,
): Promise<{ readonly status: number; readonly text: string }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength; // no encoding is set, so these are bytes
    if (bytes > MOST_BYTES) throw new Error(`an answer of more than ${MOST_BYTES} bytes`); // which ends the connection
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }; // a client's response has one
}

/** A word about something else, or about another amount, is none. */
function readWord(text: string, { id, value }: { readonly id: string; readonly value: Money }): Word {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return unknown("an answer that is not JSON");
  }
  const parsed = word.safeParse(json);
  if (!parsed.success) return unknown("an answer that is not the protocol's");
  const { data } = parsed;
  if (data.id !== id) return unknown("an answer about something else");
  const moved = data.status === "paid" || data.status === "refunded";
  if (moved && (data.value?.amount !== value.amount || data.value.currency !== value.currency))
    return unknown("an answer about another amount");
  return { status: data.status };
}
