/**
 * Builds the web pages: `vite build --mode cloud` into dist/web/cloud, and so the simulator's and the controller's. Each is an index.html and its /assets, with nothing inline and nothing from another host, so
 * that a `Content-Security-Policy: default-src 'self'` holds.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig(({ mode }) => {
  if (mode !== "cloud" && mode !== "simulator" && mode !== "controller")
    throw new Error("say which page: --mode cloud, simulator or controller");
  return {
    root: here(`./${mode}/web`),
    base: "/",
    publicDir: false,
    envDir: false,
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: {
      outDir: here(`./dist/web/${mode}`),
      emptyOutDir: true,
      assetsInlineLimit: 0, // a data: address would need its own line in the policy
      modulePreload: { polyfill: false },
      target: "es2022",
    },
  };
});
