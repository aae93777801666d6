/** A webhook receiver for a test: a real server that keeps what came and answers as it is told. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Received = {
  readonly authorization: string;
  readonly contentType: string;
  readonly path: string;
  readonly raw: Buffer;
  readonly notification: {
    readonly id: string;
    readonly type: string;
    readonly accountId: string;
    readonly test: boolean;
    readonly createdAt: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
};
/** Answers, or (by never ending the response) does not. */
export type Manner = (response: ServerResponse) => void;
export const ok: Manner = (response) => void response.writeHead(204).end();
export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Manner =>
  (response) =>
    void response.writeHead(code, headers).end();
export const silence: Manner = () => undefined;

export type Receiver = {
  readonly url: string;
  readonly received: Received[];
  manner: Manner;
  /** The most that were being answered at one time. */
  peak(): number;
  close(): Promise<void>;
};

export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  let open = 0;
  let peak = 0;
  const server = createServer((request, response) => {
    open += 1;
    peak = Math.max(peak, open);
    response.once("close", () => (open -= 1));
    void bytesOf(request).then((raw) => {
      received.push({
        authorization: request.headers.authorization ?? "",
        contentType: request.headers["content-type"] ?? "",
        path: request.url ?? "",
        raw,
        notification: JSON.parse(raw.toString()) as Received["notification"], // what the tests look into
      });
      receiver.manner(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // listening on TCP, so it is one
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}`,
    received,
    manner: ok,
    peak: () => peak,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer); // no encoding is set, so these are bytes
  return Buffer.concat(chunks);
}
