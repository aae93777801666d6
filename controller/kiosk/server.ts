/**
 * The pages on the machine itself: `/` for its customers, on a small screen, and `/status` (or `/status.json`) for a technician.
 *
 * Owns      one port of the loopback.
 * Promises  an address it cannot have is said in the log, and the machine sells without its pages. A page that watches is told
 *           at once what the machine's displays show.
 * Never     answers a name that is not the loopback's, nor takes a code from a page that is not its own: a web page elsewhere
 *           can do nothing by having its own name lead here.
 * Bounded   by `CONNECTIONS`, and a typed code by `BODY` bytes.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import type { Log } from "../log.js";
import type { Page } from "./pages.js";
import type { Screen } from "./screen.js";
import { statusPage, STYLE, type Snapshot } from "./status-page.js";

const CONNECTIONS = 20;
const BODY = 256;
const HOSTS = new Set(["127.0.0.1", "localhost", "[::1]"]);
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");
const STATUS_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'`;
const PAGE_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

export type KioskParts = {
  readonly port: number;
  readonly pages: ReadonlyMap<string, Page>;
  readonly screen: Screen;
  readonly snapshot: () => Snapshot;
  /** A code that was typed on the screen. */
  readonly typed: (code: string) => void;
  readonly log: Log;
};
const typedCode = z.strictObject({ code: z.string().min(1).max(64) });

export class KioskServer {
  readonly #server: Server;

  constructor(parts: KioskParts) {
    const { port, log } = parts;
    this.#server = createServer((request, response) => {
      if (isOurs(request.headers.host) && request.method === "GET" && pathOf(request) === "/shown") {
        stream(request, response, parts.screen);
        return;
      }
      void answer(request, parts)
        .catch((error: unknown) => {
          log.warn({ error: String(error) }, "a page was not answered");
          return plain(500, "Internal Server Error\n");
        })
        .then(({ status, type, body, policy = STATUS_POLICY }) => {
          const own = { "content-security-policy": policy, "content-type": type };
          response.writeHead(status, { ...HEADERS, ...own }).end(body); // of a HEAD, Node leaves the body out
        });
    });
    this.#server.maxConnections = CONNECTIONS;
    this.#server.on("error", (error) =>
      log.error({ error: String(error), port }, "no pages on this machine"),
    );
    this.#server.listen(port, "127.0.0.1", () => log.info({ port: this.port }, "pages on 127.0.0.1"));
  }

  /** The port it has; 0 before it has one. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0; // listening on TCP
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

type Answer = {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly policy?: string;
};
const plain = (status: number, body: string): Answer => ({ status, type: "text/plain", body });
const FORBIDDEN = plain(403, "Forbidden\n");
const NOT_FOUND = plain(404, "Not Found\n");

async function answer(
  request: IncomingMessage,
  { pages, screen, snapshot, typed }: KioskParts,
): Promise<Answer> {
  const { headers, method } = request;
  if (!isOurs(headers.host)) return FORBIDDEN;
  const path = pathOf(request);
  if (path === "/code" && method === "POST") return takeCode(request, typed);
  if (method !== "GET" && method !== "HEAD") return plain(405, "Method Not Allowed\n");
  const page = pages.get(path);
  if (page !== undefined) return { ...page, status: 200, policy: PAGE_POLICY };
  switch (path) {
    case "/qr.svg":
      return screen.shown.qr === undefined ? NOT_FOUND : picture(screen.shown.qr);
    case "/status":
      return { status: 200, type: "text/html; charset=utf-8", body: statusPage(snapshot()) };
    case "/status.json":
      return { status: 200, type: "application/json", body: JSON.stringify(snapshot()) };
    default:
      return NOT_FOUND;
  }
}

const isOurs = (host: string | undefined): boolean => HOSTS.has((host ?? "").replace(/:[0-9]+$/, ""));
const pathOf = ({ url }: IncomingMessage): string => (url ?? "").replace(/\?.*$/, "");

/** Only from the page itself: a form elsewhere can send no JSON, and a script there says where it is from. */
async function takeCode(request: IncomingMessage, typed: KioskParts["typed"]): Promise<Answer> {
  const { origin, host } = request.headers;
  if (origin !== undefined && origin !== `http://${host ?? ""}`) return FORBIDDEN;
  if (request.headers["content-type"] !== "application/json") return plain(415, "Unsupported Media Type\n");
  const body = await readBody(request);
  if (body === undefined) return plain(413, "Content Too Large\n");
  const read = typedCode.safeParse(parse(body));
  if (!read.success) return plain(400, "code: must be 1 to 64 characters\n");
  typed(read.data.code);
  return plain(204, "");
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer; // no encoding was set
    size += bytes.length;
    if (size > BODY) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it
  }
}

/** Server-sent events: what is shown, now and whenever it changes. */
function stream(request: IncomingMessage, response: ServerResponse, screen: Screen): void {
  response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream" });
  const stop = screen.watch(({ text, qr }) => {
    response.write(`data: ${JSON.stringify({ text, qr: qr ?? null })}\n\n`);
  });
  request.once("close", stop);
}

async function picture(text: string): Promise<Answer> {
  const { default: QRCode } = await import("qrcode"); // not before there is one to show: most machines have none
  const body = await QRCode.toString(text, { type: "svg", errorCorrectionLevel: "M", margin: 4 });
  return { status: 200, type: "image/svg+xml", body };
}
