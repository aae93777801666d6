/** An uplink provider for a test: a real server with a ledger of its own, which answers (or does not) as it is told. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Value = { readonly amount: string; readonly currency: string };
type Kept = { value: Value; status: "paid" | "declined" | "cancelled"; readonly refunds: Map<string, Value> };
export type Call = {
  readonly method: string;
  readonly path: string;
  readonly authorization: string;
  readonly body: Readonly<Record<string, unknown>>;
};
/** How a call is answered. `work` does it, once however often it is asked, and says what to answer. */
export type Manner = (response: ServerResponse, work: () => object, call: Call) => void;

const json = (response: ServerResponse, answer: object): void =>
  void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
export const works: Manner = (response, work) => json(response, { ...work(), more: "fields to come" });
export const says =
  (change: object): Manner =>
  (response, work) =>
    json(response, { ...work(), ...change });
export const bare =
  (status: number, text: string, after = false): Manner =>
  (response, work) => {
    if (after) work();
    response.writeHead(status, { location: "/elsewhere" }).end(text);
  };
export const closesBefore: Manner = (response) => void response.destroy();
export const closesAfter: Manner = (response, work) => {
  work();
  response.destroy();
};
export const silentBefore: Manner = () => undefined;
export const silentAfter: Manner = (_response, work) => void work();

export type UplinkServer = {
  readonly url: string;
  readonly calls: Call[];
  manner: Manner;
  /** It declines every new payment. */
  isPoor: boolean;
  /** It does not give back what it took. */
  isStubborn: boolean;
  /** What it has taken and not given back, in minor units. */
  kept(): number;
  close(): Promise<void>;
};

export async function openUplinkServer(key: string): Promise<UplinkServer> {
  const ledger = new Map<string, Kept>();
  const calls: Call[] = [];

  function work({ method, path, body }: Call): object {
    const [, , id = "", verb] = path.split("/");
    if (method === "GET") return wordOf(id);
    if (id === "") {
      const asked = body as { id: string; value: Value }; // what the tests send through the client
      const status = uplink.isPoor ? "declined" : "paid";
      if (!ledger.has(asked.id)) ledger.set(asked.id, { value: asked.value, status, refunds: new Map() });
      return wordOf(asked.id);
    }
    const found = ledger.get(id);
    if (verb === "cancel") {
      if (uplink.isStubborn) return wordOf(id);
      // Never heard of: from now on it is declined.
      if (found === undefined)
        ledger.set(id, { value: { amount: "0", currency: "" }, status: "cancelled", refunds: new Map() });
      else if (found.status === "paid") found.status = "cancelled";
      return wordOf(id);
    }
    const refund = body as { id: string; value: Value };
    if (found?.status !== "paid" || uplink.isStubborn) return { id: refund.id, status: "declined" };
    found.refunds.set(refund.id, refund.value);
    return { id: refund.id, status: "refunded", value: refund.value };
  }
  const wordOf = (id: string): object => {
    const found = ledger.get(id);
    return found === undefined ? { id, status: "absent" } : { id, status: found.status, value: found.value };
  };

  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      const call: Call = {
        method: request.method ?? "",
        path: request.url ?? "",
        authorization: request.headers.authorization ?? "",
        body: text === "" ? {} : (JSON.parse(text) as Call["body"]), // what the tests look into
      };
      calls.push(call);
      if (call.authorization !== `Bearer ${key}`) response.writeHead(401).end();
      else uplink.manner(response, () => work(call), call);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // listening on TCP, so it is one
  const uplink: UplinkServer = {
    url: `http://127.0.0.1:${port}`,
    calls,
    manner: works,
    isPoor: false,
    isStubborn: false,
    kept: () =>
      [...ledger.values()]
        .filter(({ status }) => status === "paid")
        .reduce(
          (sum, { value, refunds }) =>
            sum +
            Number(value.amount) -
            [...refunds.values()].reduce((back, { amount }) => back + Number(amount), 0),
          0,
        ),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return uplink;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer); // no encoding is set, so these are bytes
  return Buffer.concat(chunks).toString();
}
