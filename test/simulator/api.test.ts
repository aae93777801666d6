/** The simulator's HTTP API over a real socket, with a real line to the machine and a real process as its controller. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { noFaults } from "../../simulator/machine/faults.js";
import { ControllerLine } from "./controller-line.js";
import { settings, TestRig, type Answer } from "./test-rig.js";
import { until } from "./until.js";

let rig: TestRig;
beforeEach(async () => void (rig = await TestRig.open()));
afterEach(() => rig[Symbol.asyncDispose]());

const call = (method: "GET" | "POST", path: string, body?: unknown): Promise<Answer> =>
  rig.call(method, path, body);
const post = (path: string, body?: unknown): Promise<Answer> =>
  call("POST", `/api/machines/m-1${path}`, body);

type Event = { readonly id: number; readonly entry: Record<string, unknown> };
/** Reads a trace until an event fits, and hangs up. */
async function readTrace(
  query: string,
  fits: (event: Event) => boolean,
  headers = {},
): Promise<readonly Event[]> {
  const hangUp = new AbortController();
  const response = await fetch(`${rig.url}/api/machines/m-1/trace${query}`, {
    headers,
    signal: hangUp.signal,
  });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  if (response.body === null) throw new Error("no stream");
  const events: Event[] = [];
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const match = /^id: (\d+)\ndata: (.*)$/.exec(block);
      if (match === null) continue;
      const event = { id: Number(match[1]), entry: JSON.parse(match[2] ?? "") as Record<string, unknown> }; // as above
      events.push(event);
      if (fits(event)) {
        hangUp.abort();
        return events;
      }
    }
  }
  throw new Error("the trace ended");
}

/** A line to the machine in the place of its controller, which told its arguments on its standard output. */
async function serialLine(): Promise<ControllerLine> {
  const told = (await readTrace("", ({ entry }) => entry["kind"] === "journal")).at(-1)?.entry["entry"];
  const argv = told as readonly string[]; // what the puppet printed
  expect(argv).toContain("--mqtt");
  return new ControllerLine(Number(new URL(argv[argv.indexOf("--serial") + 1] ?? "").port));
}

test("shows a machine with exactly the keys of the contract, by id and by code", async () => {
  const { status, body } = await call("GET", "/api/machines/m-1");
  expect(status).toBe(200);
  expect(body).toEqual({
    id: "m-1",
    code: "CODE1",
    powered: true,
    shown: "",
    qr: null,
    printed: null,
    display: "OUT OF ORDER",
    credit: null,
    vmc: "off",
    coils: [
      { item: 11, name: "Water", price: { amount: "250", currency: "NZD" }, stock: 3, fallen: 0 },
      { item: 12, name: "Bar", price: { amount: "400", currency: "NZD" }, stock: 0, fallen: 0 },
    ],
    faults: noFaults,
  });
  expect((await call("GET", "/api/machines/CODE1")).body).toEqual(body);
});

test("lists the machines, and tells the page what the rig is", async () => {
  const { body } = await call("GET", "/api/machines");
  expect(body).toMatchObject({ items: [{ id: "m-1" }, { id: "m-2" }] });
  expect((await call("GET", "/api/rig")).body).toEqual({
    cloudUrl: settings.cloudUrl,
    customers: settings.customers,
    machines: settings.machines.map(({ id, code, name, url: page }) => ({ id, code, name, url: page })),
  });
  expect((await call("GET", "/healthz")).body).toEqual({ status: "ok" });
});

test("serves the page at the root", async () => {
  const response = await fetch(rig.url);
  expect(await response.text()).toContain("<title>simulator</title>");
});

test("a sale driven through the API drops one product and says so", async () => {
  using line = await serialLine();
  line.send("C,0\nC,1\n");
  await line.hears("c,STATUS,ENABLED");
  line.send("C,START,4.00\n");
  await line.hears("c,STATUS,IDLE,4.00");
  expect((await call("GET", "/api/machines/m-1")).body).toMatchObject({
    vmc: "session",
    display: "CREDIT 4.00",
    credit: { amount: "400", currency: "NZD" },
  });
  const picked = await post("/select", { item: 11 });
  expect(picked.body).toMatchObject({ vmc: "vend" });
  expect(picked.body).not.toHaveProperty("refused");
  await line.hears("c,STATUS,VEND,2.50,11");
  line.send("C,VEND,2.50\n");
  await line.hears("c,VEND,SUCCESS");
  expect((await call("GET", "/api/machines/m-1")).body).toMatchObject({
    coils: [{ item: 11, stock: 2, fallen: 1 }, {}],
  });
  const story = await readTrace("", ({ entry }) => entry["line"] === "c,VEND,SUCCESS");
  expect(story.map(({ id }) => id)).toEqual(story.map((_, index) => index + 1));
  expect(story.map(({ entry }) => entry["what"])).toContain("falls");
});

test("an item bought with coins falls without a reader, but not while that has a customer", async () => {
  using line = await serialLine();
  expect((await post("/coins", { item: 12 })).body).toMatchObject({ refused: "SOLD_OUT" });
  line.send("C,0\nC,1\n");
  await line.hears("c,STATUS,ENABLED");
  line.send("C,START,4.00\n");
  await line.hears("c,STATUS,IDLE,4.00");
  expect((await post("/coins", { item: 11 })).body).toMatchObject({ refused: "BUSY" });
  line.send("C,STOP\n");
  await line.hears("c,STATUS,ENABLED");
  expect((await post("/coins", { item: 11 })).body).not.toHaveProperty("refused");
  await readTrace("", ({ entry }) => entry["what"] === "falls");
  expect((await call("GET", "/api/machines/m-1")).body).toMatchObject({
    coils: [{ stock: 2, fallen: 1 }, {}],
  });
});

test("the lever ends a session", async () => {
  using line = await serialLine();
  line.send("C,0\nC,1\n");
  await line.hears("c,STATUS,ENABLED");
  line.send("C,START,4.00\n");
  await line.hears("c,STATUS,IDLE,4.00");
  expect((await post("/cancel")).body).toMatchObject({ vmc: "enabled", credit: null });
});

test("a key that does nothing says why, and is no error", async () => {
  expect(await post("/select", { item: 11 })).toMatchObject({
    status: 200,
    body: { refused: "NO_SESSION", display: "PRICE 2.50" },
  });
  expect((await post("/select", { item: 12 })).body).toMatchObject({
    refused: "SOLD_OUT",
    display: "SOLD OUT",
  });
  expect((await post("/select", { item: 99 })).body).toMatchObject({ refused: "NO_SUCH_ITEM" });
  await post("/power", { on: false });
  expect((await post("/select", { item: 11 })).body).toMatchObject({
    refused: "POWERED_OFF",
    powered: false,
  });
});

test("power off kills the controller of one machine, power on starts it again", async () => {
  await readTrace("", ({ entry }) => entry["kind"] === "journal");
  expect((await post("/power", { on: false })).body).toMatchObject({ powered: false });
  expect((await post("/power", { on: false })).body).toMatchObject({ powered: false });
  expect((await call("GET", "/api/machines/m-2")).body).toMatchObject({ powered: true });
  const events = await readTrace("", ({ entry }) => entry["what"] === "ended");
  expect(events.at(-1)?.entry).toMatchObject({ kind: "process", detail: { signal: "SIGKILL" } });
  expect((await post("/power", { on: true })).body).toMatchObject({ powered: true });
  await readTrace(`?since=${events.length}`, ({ entry }) => entry["what"] === "started");
});

test("faults are set one by one, shown, and ended with false or 0", async () => {
  expect((await post("/faults", { jam: true, networkDelayMs: 250, networkDrop: 0.5 })).body).toMatchObject({
    faults: { ...noFaults, jam: true, networkDelayMs: 250, networkDrop: 0.5 },
  });
  expect((await post("/faults", { networkDelayMs: false, networkDrop: 0 })).body).toMatchObject({
    faults: { ...noFaults, jam: true },
  });
  expect((await post("/faults", { jam: 0 })).body).toMatchObject({ faults: noFaults });
});

test("an unplugged serial line is cut at once", async () => {
  using line = await serialLine();
  line.send("V\n");
  await until("the version", () => line.heard[0]);
  await post("/faults", { serialUnplugged: true });
  await line.closes();
});

test("a code that is scanned or typed is the controller's: the machine shows nothing of it, and both are seen", async () => {
  for (const [path, what] of [
    ["/scan", "scanned"],
    ["/type", "typed"],
  ] as const) {
    expect((await post(path, { code: "12345678" })).body).toMatchObject({ display: "OUT OF ORDER" });
    const events = await readTrace("", ({ entry }) => entry["what"] === what);
    expect(events.at(-1)?.entry).toMatchObject({ kind: "machine", detail: { code: "12345678" } });
  }
});

test("a trace goes on where its reader was, by query and by Last-Event-ID", async () => {
  await post("/type", { code: "first" });
  const all = await readTrace("", ({ entry }) => entry["what"] === "typed");
  const seen = all.at(-1)?.id ?? 0;
  await post("/type", { code: "second" });
  const isSecond = ({ entry }: Event): boolean => JSON.stringify(entry).includes("second");
  expect((await readTrace(`?since=${seen}`, isSecond))[0]?.id).toBe(seen + 1);
  expect((await readTrace("", isSecond, { "last-event-id": String(seen) }))[0]?.id).toBe(seen + 1);
});
