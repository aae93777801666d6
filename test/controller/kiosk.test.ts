/** The machine's own pages, over real HTTP: what a technician reads, and who is not answered. */
import { request } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { KioskServer } from "../../controller/kiosk/server.js";
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
  upSeconds: 61,
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
async function serving<T>(act: (port: number) => Promise<T>): Promise<T> {
  const server = new KioskServer(0, () => sick, quiet);
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
    ])
      expect(body).toContain(part);
    expect(body).toContain("noise &lt;b&gt;&amp;&lt;/b&gt;");
    expect(body).not.toContain("<b>");
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
  const server = new KioskServer((other.address() as AddressInfo).port, () => sick, log); // listening on TCP
  await until("said", () => said.includes("no pages on this machine"));
  server.close();
  other.close();
});
