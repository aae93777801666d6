/**
 * The cloud as these pages call it.
 *
 * Promises  every call answers, and never throws: a value, or the code by which the cloud refused. What never reached the
 *           cloud is NO_ANSWER, and what came back in no form we know is UNREADABLE.
 * Never     chooses words: a code becomes a sentence in `words.ts`.
 */
import { refusalOf, type Refusal } from "./refusal.js";
import { fields, list, Unreadable, type Reader } from "./shape.js";
import {
  asset,
  machine,
  patronCode,
  paymentRequest,
  sale,
  scannedRequest,
  transaction,
  wayBack,
} from "./wire.js";
import type {
  Asset,
  Machine,
  Money,
  PatronCode,
  PaymentRequest,
  Sale,
  Transaction,
  WayBack,
} from "./wire.js";
import type { Wallet } from "./wallet.js";

export type Answer<T> = { readonly ok: true; readonly value: T } | Refusal;

export type SaleListener = {
  readonly onSale: (sale: Sale) => void;
  /** The stream was lost. The browser may open it again by itself, and may not. */
  readonly onBroken: () => void;
};

export interface Api {
  machine(code: string): Promise<Answer<Machine>>;
  startSale(code: string, credit: Money, idempotencyKey: string): Promise<Answer<Sale>>;
  sale(id: string): Promise<Answer<Sale>>;
  /** Every state of the sale as the cloud says it, until the signal; what cannot be read is skipped. */
  watchSale(id: string, listener: SaleListener, signal: AbortSignal): void;
  cancelSale(id: string): Promise<Answer<Sale>>;
  paymentRequest(id: string, wallet: Wallet | undefined): Promise<Answer<PaymentRequest>>;
  /** Refused where the merchant has named no address. */
  wayBack(id: string): Promise<Answer<WayBack>>;
  pay(id: string, assetType: string, wallet: Wallet, idempotencyKey: string): Promise<Answer<void>>;
  asset(wallet: Wallet): Promise<Answer<Asset>>;
  transactions(wallet: Wallet): Promise<Answer<readonly Transaction[]>>;
  /** A new barcode of the wallet's. */
  newPatronCode(wallet: Wallet): Promise<Answer<PatronCode>>;
  /** What a machine that has scanned one of them asks to be paid. */
  scannedRequest(wallet: Wallet): Promise<Answer<PaymentRequest | undefined>>;
  /** Whatever else may be read, or done, with a key of the caller's own. */
  read<T>(reader: Reader<T>, path: string, key: string): Promise<Answer<T>>;
  post<T>(reader: Reader<T>, path: string, key: string, body: Body): Promise<Answer<T>>;
  /** The cloud's clock, judged by its last answer. A phone's own may be minutes wrong. */
  nowMs(): number;
}

const ANSWER_MS = 15_000;
const SILENT_MS = 5_000; // a watched sale's stream beats every second
const page = fields({ items: list(transaction) });
const anything: Reader<void> = () => undefined;

type Body = Readonly<Record<string, unknown>>;
type Call = {
  readonly path: string;
  readonly body?: Body;
  readonly key?: string | undefined;
};

export function makeApi(fetchAnswer: typeof fetch, clock: () => number): Api {
  let aheadMs = 0;

  async function call<T>(reader: Reader<T>, { path, body, key }: Call): Promise<Answer<T>> {
    let response: Response;
    let json: unknown;
    try {
      response = await fetchAnswer(path, {
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
        headers: {
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(key === undefined ? {} : { "x-api-key": key }),
        },
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      json = await response.json();
    } catch (error) {
      if (error instanceof SyntaxError) return { ok: false, code: "UNREADABLE", certain: false };
      if (error instanceof TypeError || error instanceof DOMException) {
        return { ok: false, code: "NO_ANSWER", certain: false }; // fetch: no way through, or the timeout
      }
      throw error;
    }
    const said = Date.parse(response.headers.get("date") ?? "");
    // The header drops the fraction of its second: better to promise a second too little than one too much.
    if (!Number.isNaN(said)) aheadMs = said + 1_000 - clock();
    try {
      if (response.ok) return { ok: true, value: reader(json, "answer") };
      return refusalOf(response.status, response.headers.get("retry-after"), json);
    } catch (error) {
      if (error instanceof Unreadable) return { ok: false, code: "UNREADABLE", certain: false };
      throw error;
    }
  }

  const machines = "/api/vending/machines";
  const sales = "/api/vending/sales";
  const requests = "/api/payment-requests";

  const readSale = (id: string): Promise<Answer<Sale>> => call(sale, { path: `${sales}/${id}` });

  return {
    machine: (code) => call(machine, { path: `${machines}/${code}` }),
    startSale: (code, credit, idempotencyKey) =>
      call(sale, { path: `${machines}/${code}/sales`, body: { credit, idempotencyKey } }),
    sale: readSale,
    watchSale: (id, { onSale, onBroken }, signal) => {
      const stream = new EventSource(`${sales}/${id}/events`);
      // A phone's connection can die without a word: then the beat stops, and nothing else tells.
      let silence: ReturnType<typeof setTimeout> | undefined;
      const alive = (): void => {
        clearTimeout(silence);
        silence = setTimeout(onBroken, SILENT_MS);
      };
      stream.onmessage = ({ data }: MessageEvent<string>) => {
        alive();
        const next = readOrSkip(data);
        if (next !== undefined) onSale(next);
      };
      stream.addEventListener("beat", alive);
      stream.onerror = onBroken;
      signal.addEventListener("abort", () => {
        clearTimeout(silence);
        stream.close();
      });
    },
    cancelSale: (id) => call(sale, { path: `${sales}/${id}/cancel`, body: {} }),
    paymentRequest: async (id, wallet) => {
      if (wallet !== undefined) {
        const whole = await call(paymentRequest, { path: `${requests}/${id}`, key: wallet.apiKey });
        if (whole.ok || !whole.certain) return whole;
      }
      return call(paymentRequest, { path: `${requests}/${id}/summary` });
    },
    wayBack: (id) => call(wayBack, { path: `${requests}/${id}/return` }),
    pay: (id, assetType, wallet, idempotencyKey) =>
      call(anything, {
        path: `${requests}/${id}/pay`,
        body: { assetType, assetId: wallet.assetId, idempotencyKey },
        key: wallet.apiKey,
      }),
    asset: (wallet) => call(asset, { path: `/api/assets/${wallet.assetId}`, key: wallet.apiKey }),
    transactions: async (wallet) => {
      const path = `/api/assets/${wallet.assetId}/transactions`;
      const answer = await call(page, { path, key: wallet.apiKey });
      return answer.ok ? { ok: true, value: answer.value.items } : answer;
    },
    newPatronCode: ({ assetId, apiKey }) =>
      call(patronCode, { path: "/api/patron-codes", body: { assetId }, key: apiKey }),
    scannedRequest: ({ apiKey }) =>
      call(scannedRequest, { path: "/api/me/patron-code-payment-request", key: apiKey }),
    read: (reader, path, key) => call(reader, { path, key }),
    post: (reader, path, key, body) => call(reader, { path, key, body }),
    nowMs: () => clock() + aheadMs,
  };
}

function readOrSkip(data: string): Sale | undefined {
  try {
    return sale(JSON.parse(data), "event");
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof Unreadable) return undefined;
    throw error;
  }
}
