/** A simulator in the test's own process: real ports, real child processes, and a client for its API. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { apiServer } from "../../simulator/api/server.js";
import { configuration } from "../../simulator/configuration.js";
import { Fleet } from "../../simulator/fleet/fleet.js";
import { spawnProcess } from "../../simulator/fleet/spawn.js";
import { connectTo, listenOn } from "../../simulator/network/tcp.js";
import { realClock, realRandom } from "./real-world.js";

// Tells its command line, so that a test can speak for it on the serial line.
const PUPPET = `console.log(JSON.stringify({ msg: "journal", entry: process.argv })); setInterval(() => {}, 1000);`;
export const settings = configuration.parse({
  httpPort: 0,
  mqttUrl: "mqtt://127.0.0.1:1",
  cloudUrl: "http://127.0.0.1:8080",
  webDir: "unused",
  customers: [{ name: "Ana", walletUrl: "http://127.0.0.1:8080/wallet#k" }],
  machines: ["m-1", "m-2"].map((id, index) => ({
    id,
    code: `CODE${index + 1}`,
    name: `Machine ${index + 1}`,
    url: `http://127.0.0.1:8080/m/CODE${index + 1}`,
    currency: "NZD",
    controller: { command: [process.execPath, "-e", PUPPET, "--"] },
    coils: [
      { item: 11, name: "Water", priceMinor: 250, stock: 3 },
      { item: 12, name: "Bar", priceMinor: 400, stock: 0 },
    ],
    timing: { coilMs: 10, setupMs: 2, noticeMs: 5_000 },
  })),
});

export type Answer = { readonly status: number; readonly body: Record<string, unknown> };

export class TestRig implements AsyncDisposable {
  readonly url: string;
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async open(): Promise<TestRig> {
    const webDir = mkdtempSync(join(tmpdir(), "web-"));
    writeFileSync(join(webDir, "index.html"), "<title>simulator</title>");
    const fleet = await Fleet.open(settings.machines, {
      clock: realClock,
      random: realRandom,
      listen: listenOn("127.0.0.1"),
      connect: connectTo("127.0.0.1", 1),
      spawn: spawnProcess,
      book: { note: () => undefined, forget: () => undefined },
      openLog: () => undefined,
    });
    const api = await apiServer(fleet, { ...settings, webDir }, pino({ level: "silent" }));
    return new TestRig(await api.listen({ host: "127.0.0.1", port: 0 }), async () => {
      await api.close();
      await fleet[Symbol.asyncDispose]();
      rmSync(webDir, { recursive: true });
    });
  }

  async call(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    // The API only speaks objects.
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}
