/** What the API makes of wrong requests: an answer that names the fault, and nothing changed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestRig, type Answer } from "./test-rig.js";

let rig: TestRig;
beforeAll(async () => void (rig = await TestRig.open()));
afterAll(() => rig[Symbol.asyncDispose]());

const call = (method: "GET" | "POST", path: string, body?: unknown): Promise<Answer> =>
  rig.call(method, path, body);
const post = (path: string, body?: unknown): Promise<Answer> =>
  call("POST", `/api/machines/m-1${path}`, body);

// prettier-ignore
const malformed: readonly [path: string, body: unknown, reason: string][] = [
  ["/select", {},                           "item: "],
  ["/select", { item: "11" },               "item: "],
  ["/select", { item: 1.5 },                "item: "],
  ["/select", { item: -1 },                 "item: "],
  ["/select", { item: 11, price: 0 },       "price: no such key"],
  ["/select", [],                           "body: "],
  ["/power",  { on: "yes" },                "on: "],
  ["/power",  {},                           "on: "],
  ["/scan",   { code: "" },                 "code: "],
  ["/type",   { code: 1234 },               "code: "],
  ["/faults", { jam: "true" },              "jam: must be true or false"],
  ["/faults", { jam: 1 },                   "jam: must be true or false"],
  ["/faults", { slowCoilMs: -1 },           "slowCoilMs: "],
  ["/faults", { slowCoilMs: true },         "slowCoilMs: "],
  ["/faults", { networkDrop: 1.1 },         "networkDrop: must be a rate from 0 to 1"],
  ["/faults", { gravity: false },           "gravity: no such key"],
  ["/faults", null,                         "body: "],
];
for (const [path, body, reason] of malformed) {
  test(`refuses ${path} with ${JSON.stringify(body)} and changes nothing`, async () => {
    const before = (await call("GET", "/api/machines/m-1")).body;
    const answer = await post(path, body);
    expect(answer).toMatchObject({
      status: 400,
      body: { statusCode: 400, error: "Bad Request", message: "MALFORMED" },
    });
    expect(answer.body["reason"]).toContain(reason);
    expect((await call("GET", "/api/machines/m-1")).body).toEqual(before);
  });
}

test("a body that is not JSON, not there, or far too large is refused", async () => {
  const headers = { "content-type": "application/json" };
  for (const body of ["{", "", JSON.stringify({ item: 11, pad: "x".repeat(100_000) })]) {
    const response = await fetch(`${rig.url}/api/machines/m-1/select`, { method: "POST", headers, body });
    expect([response.status, await response.json()]).toMatchObject([400, { message: "MALFORMED" }]);
  }
});

// prettier-ignore
const missing: readonly [method: "GET" | "POST", path: string, message: string][] = [
  ["GET",  "/api/machines/nobody",        "MACHINE_NOT_FOUND"],
  ["POST", "/api/machines/nobody/cancel", "MACHINE_NOT_FOUND"],
  ["GET",  "/api/machines/nobody/trace",  "MACHINE_NOT_FOUND"],
  ["GET",  "/api/nothing",                "ROUTE_NOT_FOUND"],
  ["POST", "/api/machines/m-1/explode",   "ROUTE_NOT_FOUND"],
];
for (const [method, path, message] of missing) {
  test(`${method} ${path} is not found`, async () => {
    expect(await call(method, path)).toMatchObject({
      status: 404,
      body: { statusCode: 404, error: "Not Found", message },
    });
  });
}

test("a trace asked for from nowhere is refused", async () => {
  expect(await call("GET", "/api/machines/m-1/trace?since=yesterday")).toMatchObject({ status: 400 });
});
