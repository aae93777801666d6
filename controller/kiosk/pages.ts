/** The built kiosk page and its assets, read once. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

export type Page = { readonly type: string; readonly body: Buffer };
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** By path, `/` for the page itself. A controller that was installed without its pages has none. */
export function readPages(dir: string): ReadonlyMap<string, Page> {
  if (!existsSync(join(dir, "index.html"))) return new Map();
  const assets = join(dir, "assets");
  const names = existsSync(assets) ? readdirSync(assets).map((name) => `assets/${name}`) : [];
  return new Map(
    ["index.html", ...names].map((name) => [
      name === "index.html" ? "/" : `/${name}`,
      { type: TYPES[extname(name)] ?? "application/octet-stream", body: readFileSync(join(dir, name)) },
    ]),
  );
}
