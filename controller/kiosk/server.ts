/**
 * The pages on the machine itself: `/status`, and the same as JSON, `/status.json`.
 *
 * Owns      one port of the loopback.
 * Promises  an address it cannot have is said in the log, and the machine sells without its pages.
 * Never     changes anything, or answers a name that is not the loopback's: a web page elsewhere cannot read it by having its
 *           own name lead here.
 * Bounded   by `CONNECTIONS`.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Log } from "../log.js";
import { statusPage, STYLE, type Snapshot } from "./status-page.js";

const CONNECTIONS = 20;
const HOSTS = new Set(["127.0.0.1", "localhost", "[::1]"]);
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'`,
  "x-content-type-options": "nosniff",
};

export class KioskServer {
  readonly #server: Server;

  constructor(port: number, snapshot: () => Snapshot, log: Log) {
    this.#server = createServer((request, response) => answer(request, response, snapshot));
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

function answer(request: IncomingMessage, response: ServerResponse, snapshot: () => Snapshot): void {
  const { method, headers, url } = request;
  if (!HOSTS.has((headers.host ?? "").replace(/:[0-9]+$/, "")))
    send(response, 403, "text/plain", "Forbidden\n");
  else if (method !== "GET" && method !== "HEAD") send(response, 405, "text/plain", "Method Not Allowed\n");
  else if (url === "/status") send(response, 200, "text/html; charset=utf-8", statusPage(snapshot()));
  else if (url === "/status.json") send(response, 200, "application/json", JSON.stringify(snapshot()));
  else send(response, 404, "text/plain", "Not Found\n");
}

const send = (response: ServerResponse, status: number, type: string, body: string): void =>
  void response.writeHead(status, { ...HEADERS, "content-type": type }).end(body); // of a HEAD, Node leaves the body out
