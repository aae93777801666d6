/** The machine's own pages, over real HTTP: what a technician reads, and who is not answered. */
import { request } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { Screen } from "../../controller/kiosk/screen.js";
import { KioskServer, type KioskParts } from "../../controller/kiosk/server.js";
import type { Snapshot } from "../../controller/kiosk/status-page.js";
import { quiet, until } from "./real-clock.js";

const sick: Snapshot = {
  machineId: "m-1",
  status: {
    online: true,
    bootId: "b",
    version: "1.2.3",
    mdb: "lost",
    canSell: false,
    reason: "serialLost",
  },
  broker: false,
  journal: { id: "j1", last: 12, heard: 10, unheard: 2, capacity: 100 },
  serial: { lost: 3, alarms: 1, lastAlarm: "noise <b>&</b>" },
  dex: { readSecondsAgo: 40, trouble: "noAnswer" },
  upSeconds: 61,
};

const still: KioskParts = {
  port: 0,
  pages: new Map(),
  screen: new Screen(),
  snapshot: () => sick,
  typed: () => undefined,
  log: quiet,
};

type Answered = {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
};
function ask(port: number, path: string, method = "GET", host = `127.0.0.1:${port}`): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: "127.0.0.1", path, method, headers: { host } }, (answer) => {
      let body = "";
      answer.on("data", (bytes: Buffer) => (body += bytes.toString()));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    });
    asked.on("error", reject);
    asked.end();
  });
}
async function serving<T>(act: (port: number) => Promise<T>, parts: Partial<KioskParts> = {}): Promise<T> {
  const server = new KioskServer({ ...still, ...parts });
  try {
    await until("listening", () => server.port !== 0);
    return await act(server.port);
  } finally {
    server.close();
  }
}

test("the page says that it does not sell, why, and where to look; nothing in it is markup of somebody else's", () =>
  serving(async (port) => {
    const { status, headers, body } = await ask(port, "/status");
    expect(status).toBe(200);
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    for (const part of [
      "Not selling",
      "m-1",
      "look at its cable",
      "not connected",
      "2 of at most 100",
      "lost 3 times",
      "read 40 s ago; then noAnswer",
    ])
      expect(body).toContain(part);
    expect(body).toContain("noise &lt;b&gt;&amp;&lt;/b&gt;");
    expect(body).not.toContain("<b>");
  }));

test("counters that are not read are not spoken of", () =>
  serving(async (port) => expect((await ask(port, "/status")).body).not.toContain("DEX"), {
    snapshot: () => ({ ...sick, dex: undefined }),
  }));

test("a program reads the same", () =>
  serving(async (port) => expect(JSON.parse((await ask(port, "/status.json")).body)).toEqual(sick)));

test.each([
  ["another name that leads here", "/status", "GET", "evil.example", 403],
  ["the same with our port", "/status.json", "GET", "evil.example:80", 403],
  ["a name that begins like ours", "/status", "GET", "127.0.0.1.evil.example", 403],
  ["a change", "/status", "POST", "localhost", 405],
  ["something else", "/etc/passwd", "GET", "localhost", 404],
])("%s is refused", (_what, path, method, host, status) =>
  serving(async (port) => expect((await ask(port, path, method, host)).status).toBe(status)),
);

test("a port that somebody else has is said in the log, and nothing else comes of it", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const said: string[] = [];
  const log = { ...quiet, error: (_fields: object, message: string) => void said.push(message) };
  const { port } = other.address() as AddressInfo; // listening on TCP
  const server = new KioskServer({ ...still, port, log });
  await until("said", () => said.includes("no pages on this machine"));
  server.close();
  other.close();
});

test("whoever watches is told what is shown, now and at every change, with its code as a picture", async () => {
  const screen = new Screen();
  screen.show({ text: "Scan the QR code" });
  await serving(
    async (port) => {
      const stream = await fetch(`http://127.0.0.1:${port}/shown`);
      const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
      const next = async (): Promise<unknown> =>
        JSON.parse((await reader?.read())?.value?.replace(/^data: /, "") ?? "null");
      expect(await next()).toEqual({ text: "Scan the QR code", qr: null });
      expect((await ask(port, "/qr.svg")).status).toBe(404);
      screen.show({ text: "Scan to pay", qr: "https://pay.example/pay/1" });
      expect(await next()).toEqual({ text: "Scan to pay", qr: "https://pay.example/pay/1" });
      expect((await ask(port, "/qr.svg?x")).body).toMatch(/^<svg /);
      await reader?.cancel();
    },
    { screen },
  );
});

test("a code is taken from the page itself, and from nobody else", async () => {
  const codes: string[] = [];
  await serving(
    async (port) => {
      const own = `http://127.0.0.1:${port}`;
      const post = async (body: string, headers: Readonly<Record<string, string>> = {}): Promise<number> =>
        (
          await fetch(`${own}/code`, {
            method: "POST",
            headers: { "content-type": "application/json", ...headers },
            body,
          })
        ).status;
      const code = JSON.stringify({ code: "1234 5678" });
      expect(await post(code, { origin: own })).toBe(204);
      expect(await post(code)).toBe(204);
      expect(codes).toEqual(["1234 5678", "1234 5678"]);
      expect(await post(code, { origin: "http://elsewhere.example" })).toBe(403);
      expect(await post(code, { "content-type": "text/plain" })).toBe(415);
      expect(await post(JSON.stringify({ code: "1".repeat(300) }))).toBe(413);
      for (const bad of ["", "{", "[]", '{"code":1}', '{"code":""}', '{"code":"1","more":1}'])
        expect(await post(bad)).toBe(400);
      expect((await ask(port, "/code", "POST", "kiosk.example")).status).toBe(403);
      expect(codes).toHaveLength(2);
    },
    { typed: (code) => codes.push(code) },
  );
});
