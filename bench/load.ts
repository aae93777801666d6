/** Load: so many connections, each asking again the moment it is answered. */
import autocannon, { type Options, type Request } from "autocannon";
import { randomUUID } from "node:crypto";
import type { Server } from "./server.js";

export type Load = {
  readonly connections: number;
  readonly seconds: number;
  /** So many, and however long they take, instead of `seconds`. */
  readonly requests?: number;
};
export type Measured = {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly lifecyclesPerSecond: number;
  /** Of one request, in ms. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Of one lifecycle, in ms; 0 where there is none. */
  readonly lifecycleP50: number;
  readonly lifecycleP99: number;
  /** Of the server, in µs a request. */
  readonly cpuMicros: number | undefined;
};
export type Payer = { readonly apiKey: string; readonly assetId: string };
export type Payee = { readonly terminalKey: string; readonly configId: string };

/** One durable ledger transaction a request. */
export const loadBare = (server: Server, load: Load): Promise<Measured> =>
  measure(server, load, () => [
    {
      method: "POST",
      path: "/transfers",
      headers: { "content-type": "application/json" },
      setupRequest: (request) => ({
        ...request,
        body: JSON.stringify({ key: randomUUID(), from: any(50), to: 50 + any(50), amount: 250 }),
      }),
    },
  ]);

type Story = { id?: string; payee?: Payee; startedMs?: number };
const VALUE = { amount: "1000", currency: "NZD" };
const BACK = { amount: "350", currency: "NZD" };

/** Create, pay, refund a part: three requests, one lifecycle. */
export function loadLifecycles(
  server: Server,
  load: Load,
  payees: readonly Payee[],
  payers: readonly Payer[],
): Promise<Measured> {
  return measure(server, load, (lifecycles) => [
    step(
      (story) => {
        story.startedMs = performance.now();
        story.payee = one(payees);
        const body = { configId: story.payee.configId, value: VALUE, externalRef: randomUUID() };
        return { path: "/api/payment-requests", key: story.payee.terminalKey, body };
      },
      (story, body) => {
        story.id = (JSON.parse(body) as { readonly id: string }).id; // a 200 of createPaymentRequest
      },
    ),
    step((story) => {
      const { apiKey: key, assetId } = one(payers);
      const body = { assetType: "centrapay.nzd.test", assetId, idempotencyKey: randomUUID() };
      return { path: `/api/payment-requests/${story.id}/pay`, key, body };
    }),
    step(
      (story) => {
        const body = { value: BACK, externalRef: randomUUID() };
        return {
          path: `/api/payment-requests/${story.id}/refund`,
          key: story.payee?.terminalKey ?? "",
          body,
        };
      },
      (story) => void lifecycles.push(performance.now() - (story.startedMs ?? 0)),
    ),
  ]);
}

function step(
  ask: (story: Story) => { readonly path: string; readonly key: string; readonly body: object },
  answered: (story: Story, body: string) => void = () => undefined,
): Request {
  return {
    method: "POST",
    setupRequest: (request, context) => {
      const { path, key, body } = ask(context); // only these steps write into a connection's context
      const headers = { "content-type": "application/json", "x-api-key": key };
      return { ...request, path, headers, body: JSON.stringify(body) };
    },
    onResponse: (status, body, context) => {
      if (status === 200) answered(context, body);
    },
  };
}

/** Raises an error for any answer that is not a 200: a figure with refusals in it is none. */
async function measure(
  server: Server,
  { connections, seconds, requests: amount }: Load,
  requests: (lifecycles: number[]) => Request[],
): Promise<Measured> {
  const lifecycles: number[] = [];
  const options: Options = {
    url: server.url,
    connections,
    ...(amount === undefined ? { duration: seconds } : { amount }),
    timeout: 30,
    requests: requests(lifecycles),
  };
  const before = server.cpuSeconds();
  const startedMs = performance.now();
  const result = await autocannon(options);
  const tookSeconds = (performance.now() - startedMs) / 1000;
  const after = server.cpuSeconds();
  if (result.non2xx + result.errors > 0)
    throw new Error(
      `${result.non2xx} requests of ${result.requests.total} were refused and ${result.errors} failed`,
    );
  const total = result.requests.total;
  return {
    requests: total,
    requestsPerSecond: total / tookSeconds,
    lifecyclesPerSecond: lifecycles.length / tookSeconds,
    p50: result.latency.p50,
    p99: result.latency.p99,
    max: result.latency.max,
    lifecycleP50: quantile(lifecycles, 0.5),
    lifecycleP99: quantile(lifecycles, 0.99),
    cpuMicros: before === undefined || after === undefined ? undefined : ((after - before) / total) * 1e6,
  };
}

/** 0 of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
export const median = (values: readonly number[]): number => quantile(values, 0.5);

const any = (below: number): number => Math.floor(Math.random() * below);
function one<T>(many: readonly T[]): T {
  const chosen = many[any(many.length)];
  if (chosen === undefined) throw new Error("there is nothing to choose from");
  return chosen;
}
