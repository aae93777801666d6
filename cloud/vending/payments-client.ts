/**
 * The payment platform, as the merchant's backend uses it: over its public HTTP API with an API key, and nothing else.
 *
 * Promises  an answer is one of three: done, refused (the platform's own 4xx and its code) or unknown (anything else: no
 *           answer, a 5xx, a body that is not what the API promises). Unknown is never turned into one of the others.
 */
import { z } from "zod";
import type { Secret } from "../../broker/protocol/configuration.js";
import { money, type Money } from "../../broker/protocol/money.js";

/** Who paid with what. The lines are those that were paid by a token, and must not be sold again. */
export const paidBy = z.looseObject({
  assetTotals: z.array(
    z.looseObject({
      payerAccountId: z.string().optional(),
      lineItems: z.array(z.looseObject({ sku: z.string().optional() })).optional(),
    }),
  ),
});
/** What a sale wants to know of it. */
export const paidWith = (said: z.infer<typeof paidBy> | undefined) => {
  const lines =
    said?.assetTotals.flatMap(({ lineItems }) => (lineItems === undefined ? [] : [lineItems])) ?? [];
  return {
    payer: said?.assetTotals[0]?.payerAccountId ?? null,
    skus: lines.length === 0 ? null : lines.flat().flatMap(({ sku }) => sku ?? []),
  };
};

/** As much of a payment request as we act on; the rest is passed on as it came. */
export const paymentRequest = z.looseObject({
  id: z.string(),
  status: z.enum(["new", "paid", "cancelled", "expired"]),
  url: z.string(),
  value: money,
  expiresAt: z.iso.datetime(),
  paymentOptions: z.array(z.looseObject({ assetType: z.string() })).optional(),
  remainingAmount: z.string().optional(),
  paidBy: paidBy.optional(),
});
export type PaymentRequest = z.infer<typeof paymentRequest>;
const activity = z.looseObject({ type: z.string(), value: money });
const activityPage = z.looseObject({ items: z.array(activity), nextPageKey: z.string().optional() });
export type Activity = z.infer<typeof activity>;

export type Answer<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "refused"; readonly code: string }
  /** `retryAfterSeconds`: it was not done, because it was asked too often. */
  | { readonly kind: "unknown"; readonly reason: string; readonly retryAfterSeconds?: number };

export type NewRequest = {
  readonly configId: string;
  readonly value: Money;
  readonly externalRef: string;
  readonly deviceId: string;
  readonly terminalId: string;
  readonly expirySeconds: number;
  readonly barcode?: string;
  /** What is bought, as the customer reads it and as tokens know it; together it costs the value. */
  readonly lines: readonly BasketLine[];
  /** Less than the value may pay it. */
  readonly partialAllowed?: true;
  readonly basketAmount?: string;
};
export type BasketLine = { readonly name: string; readonly sku?: string; readonly price: Money };
export type VoucherPayment = {
  readonly assetType: string;
  readonly authorization: string;
  readonly idempotencyKey: string;
};

export interface PaymentsClient {
  create(request: NewRequest): Promise<Answer<PaymentRequest>>;
  get(id: string): Promise<Answer<PaymentRequest>>;
  /** Pays with what a voucher holds, up to the request's value. */
  pay(id: string, voucher: VoucherPayment): Promise<Answer<Activity>>;
  refund(id: string, value: Money, externalRef: string): Promise<Answer<Activity>>;
  void(id: string): Promise<Answer<Activity>>;
  /** What was done to a request, newest first. */
  activities(id: string): Promise<Answer<readonly Activity[]>>;
}

const TIMEOUT_MS = 10_000;
/** A sale is refunded once or twice. */
const MOST_PAGES = 100;

export function makePaymentsClient(baseUrl: string, apiKey: Secret, http: typeof fetch): PaymentsClient {
  async function call<T>(
    schema: z.ZodType<T>,
    method: "GET" | "POST",
    path: string,
    body?: object,
  ): Promise<Answer<T>> {
    let response: Response;
    let text: string;
    try {
      response = await http(`${baseUrl}/api/payment-requests${path}`, {
        method,
        headers: {
          "x-api-key": apiKey.reveal(),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
        redirect: "error",
      });
      text = await response.text();
    } catch (error) {
      return { kind: "unknown", reason: error instanceof Error ? error.name : "no answer" };
    }
    const json = parse(text);
    if (response.status === 200) {
      const parsed = schema.safeParse(json);
      return parsed.success
        ? { kind: "done", value: parsed.data }
        : { kind: "unknown", reason: "an answer that is not the API's" };
    }
    const refusal = z.looseObject({ message: z.string() }).safeParse(json);
    const definite = response.status === 400 || response.status === 403 || response.status === 404;
    if (definite && refusal.success) return { kind: "refused", code: refusal.data.message };
    const unknown = { kind: "unknown", reason: `status ${response.status}` } as const;
    if (response.status !== 429) return unknown;
    const wait = Number(response.headers.get("retry-after"));
    return { ...unknown, retryAfterSeconds: Number.isSafeInteger(wait) && wait > 0 ? wait : 60 };
  }
  const at = (id: string, verb: string): string => `/${encodeURIComponent(id)}${verb}`;
  return {
    create: ({ lines, ...request }) =>
      call(paymentRequest, "POST", "", {
        ...request,
        lineItems: lines.map(({ price, ...line }) => ({ ...line, qty: "1", price: price.amount })),
      }),
    get: (id) => call(paymentRequest, "GET", at(id, "")),
    pay: (id, voucher) => call(activity, "POST", at(id, "/pay"), { ...voucher, mode: "partial-payment" }),
    refund: (id, value, externalRef) => call(activity, "POST", at(id, "/refund"), { value, externalRef }),
    void: (id) => call(activity, "POST", at(id, "/void")),
    activities: async (id) => {
      const all: Activity[] = [];
      let query = "?paginationLimit=100";
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const answer = await call(activityPage, "GET", at(id, `/activities${query}`));
        if (answer.kind !== "done") return answer;
        const { items, nextPageKey } = answer.value;
        all.push(...items);
        if (nextPageKey === undefined) return { kind: "done", value: all };
        query = `?paginationLimit=100&pageKey=${encodeURIComponent(nextPageKey)}`;
      }
      return { kind: "unknown", reason: "a list of activities that does not end" };
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it
  }
}
