/** The pages people open, and their QR codes. The pages are built files; nothing is rendered here. */
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { Fault } from "./http/fault.js";
import type { Count } from "./http/request-counts.js";
import { read } from "./http/server.js";
import { qrSvg } from "./qr.js";

const named = z.object({ name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) });
const atBarcode = z.object({ barcode: z.string().regex(/^[0-9]{16}$/, "must be 16 digits") });

/** Scripts, styles and pictures of our own and nothing else; nothing inline. Shown within nobody's pages but those. */
const headersFor = (framedBy: readonly string[]): Readonly<Record<string, string>> => ({
  "cache-control": "no-cache",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    `frame-ancestors ${framedBy.length === 0 ? "'none'" : framedBy.join(" ")}`,
  "referrer-policy": "no-referrer",
});
export type PageSettings = {
  readonly webDir: string;
  readonly publicUrl: string;
  /** Whose pages may show the customers' pages within their own. */
  readonly framedBy: readonly string[];
};

/** `/m/{code}`, `/pay/{id}`, `/wallet` and `/owner`, each the same single-page app; the QR codes that lead to the first two, and that of a wallet's barcode. */
export async function pages(
  app: FastifyInstance,
  { webDir, publicUrl, framedBy }: PageSettings,
  admitStranger: Count,
): Promise<void> {
  const [customers, owners] = [headersFor(framedBy), headersFor([])];
  await app.register(fastifyStatic, {
    root: webDir,
    index: false,
    wildcard: false,
    cacheControl: false,
    acceptRanges: false,
  });
  for (const place of ["m", "pay"] as const) {
    app.get(`/${place}/:name`, async (request, reply) => {
      read(named, request.params);
      return reply.headers(customers).sendFile("index.html");
    });
    app.get(`/${place}/:name/qr.svg`, { onRequest: admitStranger }, async (request, reply) => {
      const { name } = read(named, request.params);
      return reply.type("image/svg+xml").send(await qrSvg(`${publicUrl}/${place}/${name}`));
    });
  }
  app.get("/wallet/:barcode/qr.svg", { onRequest: admitStranger }, async (request, reply) => {
    const { barcode } = read(atBarcode, request.params);
    return reply.type("image/svg+xml").send(await qrSvg(barcode)); // the digits alone, as a scanner says them
  });
  app.get("/wallet", async (_request, reply) => reply.headers(customers).sendFile("index.html"));
  app.get("/owner", async (_request, reply) => reply.headers(owners).sendFile("index.html"));
  app.get("/owner/:name", async (request, reply) => {
    read(named, request.params);
    return reply.headers(owners).sendFile("index.html");
  });
  app.get("/", () => {
    throw new Fault("NOT_FOUND", "open a machine's page: /m/{code}");
  });
}
