/** What the controller reads before it does anything: files, options, and every problem of them at once. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readConfiguration } from "../../broker/protocol/configuration.js";
import { configuration } from "../../controller/configuration.js";
import { check, settingsOf } from "../../controller/config/settings.js";
import { withPlaces } from "../../controller/places.js";
import { FORM, formOnDisk } from "../../controller/journal/form.js";
import { rawSetup } from "../../controller/mdb/raw-setup.js";
import { readIdentity } from "../../controller/identity.js";
import { run } from "../../controller/main.js";
import { VERSION } from "../../controller/version.js";

const publicKey = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
const whole = {
  machineId: "m-1",
  dataDir: "data",
  serial: "/dev/serial/by-id/usb-Qibixx_MDB-HAT_0-if00",
  mqttUrl: "mqtts://broker.example:8883",
  cloudKeys: [{ kid: "cloud-1", publicKey }],
  currency: "NZD",
};

let dir = "";
let [out, err] = ["", ""];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "controller-"));
  [out, err] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((out += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((err += String(text)), true));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});
function file(content: unknown): string {
  const path = join(dir, "controller.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

test("the least configuration is completed from the schema", () => {
  const read = readConfiguration(configuration, whole);
  expect(read).toMatchObject({
    ok: true,
    value: {
      driver: "qibixx",
      decimals: 2,
      reader: { level: 1, scale: 1 },
      vendResultMs: 25_000,
      reportAgainMs: 2_000,
    },
  });
});

test("a machine's DEX plug is a place, or a place and how often; without one its audit is not read", () => {
  const dexOf = (dex: unknown) => {
    const read = readConfiguration(configuration, dex === undefined ? whole : { ...whole, dex });
    return read.ok ? read.value.dex : read.problems;
  };
  expect(dexOf(undefined)).toBeUndefined();
  expect(dexOf("/dev/ttyS0")).toEqual({ serial: "/dev/ttyS0", baudRate: 9_600, everyMinutes: 60 });
  expect(dexOf({ serial: "tcp://host:1", everyMinutes: 5 })).toMatchObject({ everyMinutes: 5 });
});

// prettier-ignore
const wrong: readonly [key: string, value: unknown][] = [
  ["machineId", "M/1"], ["machineId", "m"], ["dataDir", ""], ["serial", "ttyACM0"], ["serial", "tcp://host"], ["dex", "ttyS0"],
  ["dex", { serial: "/dev/ttyS0", everyMinutes: 0 }], ["dex", { serial: "/dev/ttyS0", often: true }],
  ["serial", "tcp://host:99999"], ["driver", "nayax"], ["baudRate", 0], ["mqttUrl", "http://x"],
  ["mqttUrl", "mqtt://host:99999"], ["mqttUrl", "mqtt://:1883"], ["cloudKeys", []],
  ["cloudKeys", [{ kid: "a", publicKey }, { kid: "a", publicKey }]], ["currency", "nzd"], ["decimals", 2.5],
  ["decimals", 4], ["vendResultMs", -1], ["serialBackOff", { firstMs: 5, maxMs: 1 }], ["journalCapacity", 1],
  ["adapterSettings", { "mdb-addr": "0x60\nC,1" }], ["logLevel", "all"],
];
for (const [key, value] of wrong) {
  test(`${key}: ${JSON.stringify(value)} is refused by name`, () => {
    const read = readConfiguration(configuration, { ...whole, [key]: value });
    expect(read.ok).toBe(false);
    if (!read.ok) expect(read.problems.every((problem) => problem.startsWith(key))).toBe(true);
  });
}

// prettier-ignore
const wrongTogether: readonly [key: string, more: Readonly<Record<string, unknown>>][] = [
  ["adapterSettings", { driver: "mdb-hex", adapterSettings: { "mdb-addr": "0x60" } }],
  ["reader.country",  { driver: "wafer", currency: "XAF" }],
  ["reader.level",    { driver: "mdb-hex", reader: { alwaysIdle: true } }],
  ["reader",          { driver: "qibixx", reader: { scale: 10 } }],
  ["reader",          { driver: "matedealer", reader: { level: 3, alwaysIdle: true } }],
  ["machineDisplay",  { driver: "matedealer", machineDisplay: true }],
  ["adapterSettings.MDB", { adapterSettings: { MDB: "1" } }],
  ["reader.level",    { driver: "mdb-hex", reader: { level: 4 } }],
  ["reader.address",  { driver: "mdb-hex", reader: { address: "0x20" } }],
  ["reader.country",  { driver: "mdb-hex", reader: { country: "978" } }],
  ["reader.scale",    { driver: "mdb-hex", reader: { scale: 0 } }],
  ["reader.colour",   { driver: "mdb-hex", reader: { colour: "red" } }],
];
for (const [key, more] of wrongTogether) {
  test(`${key} is refused in ${JSON.stringify(more)}`, () => {
    const read = readConfiguration(configuration, { ...whole, ...more });
    expect(read.ok).toBe(false);
    if (!read.ok) expect(read.problems.every((problem) => problem.startsWith(`${key}: `))).toBe(true);
  });
}

test("our own cashless device is what the machine's configuration says", () => {
  const reader = { level: 3, address: "0x60", scale: 5, decimals: 1, responseSeconds: 45, alwaysIdle: true };
  const settings = configuration.parse({ ...whole, driver: "mdb-hex", currency: "EUR", reader });
  expect(rawSetup(settings, 0)).toMatchObject({
    minorDecimals: 2,
    cashless: {
      device: 2,
      level: 3,
      country: "1978",
      scale: 5,
      decimals: 1,
      responseSeconds: 45,
      features: ["alwaysIdle"],
      identity: { serial: "000000000m-1" },
    },
  });
  const named = configuration.parse({
    ...whole,
    driver: "wafer",
    currency: "XAF",
    reader: { country: "1950" },
  });
  expect(rawSetup(named, 0)).toMatchObject({ cashless: { country: "1950", scale: 1, decimals: 2 } });
});

test("every problem is listed at once, those of the options too, with exit status 2", async () => {
  const path = file({ ...whole, machineId: "M", currency: 3, colour: "red" });
  expect(await run(["--config", path, "--serial", "COM1", "--mqtt", "no"])).toBe(2);
  for (const key of ["machineId", "currency", "colour", "serial", "mqttUrl"])
    expect(err).toContain(`${key}: `);
});

test("a missing or unreadable file is named, with exit status 2", async () => {
  expect(await run(["--config", join(dir, "none.json")])).toBe(2);
  expect(err).toContain("none.json");
  expect(await run(["--config", file("{")])).toBe(2);
  expect(err).toContain("is not JSON");
});

test("called wrongly it says how, with exit status 2; asked for help, with 0", async () => {
  expect(await run([])).toBe(2);
  expect(await run(["--colour"])).toBe(2);
  expect(err).toContain("usage: scanvend controller");
  expect(await run(["--help"])).toBe(0);
  expect(out).toContain("usage: scanvend controller");
});

test("--identify makes the key once, beside the configuration, and prints its public half", async () => {
  const path = file(whole);
  expect(await run(["--config", path, "--identify"])).toBe(0);
  const first = out;
  expect(await run(["--config", path, "--identify"])).toBe(0);
  expect(out).toBe(first + first);
  const { kid } = readIdentity(join(dir, "data"));
  expect(JSON.parse(first)).toMatchObject({ machineId: "m-1", kid });
});

test("without an identity, or with another machine's, it does not start", async () => {
  expect(await run(["--config", file(whole)])).toBe(2);
  expect(err).toContain("--identify");
  await run(["--config", file(whole), "--identify"]);
  expect(await run(["--config", file({ ...whole, machineId: "m-2" })])).toBe(2);
  expect(err).toContain("m-1's");
});

test("the version is the package's", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  expect(JSON.parse(text)).toMatchObject({ version: VERSION });
});

test("a place on the command line takes the line's, and leaves what else is said of the device", () => {
  const file = {
    serial: "/dev/a",
    display: { serial: "/dev/b", kind: "escpos", columns: 48 },
    keypad: "/dev/c",
  };
  const places = { display: "tcp://h:1", keypad: "tcp://h:2", scanner: "tcp://h:3" };
  expect(JSON.parse(withPlaces(JSON.stringify(file), places))).toEqual({
    serial: "/dev/a",
    display: { serial: "tcp://h:1", kind: "escpos", columns: 48 },
    keypad: "tcp://h:2",
    scanner: "tcp://h:3",
  });
  for (const text of ["", "[]", "null", "{"]) expect(withPlaces(text, places)).toBe(text);
  expect(JSON.parse(withPlaces(JSON.stringify(file), { display: undefined }))).toEqual(file);
});

const afar = { version: 1, currency: "NZD", items: [] };
const raw = configuration.parse({
  ...whole,
  currency: "NZD",
  driver: "mdb-hex",
  reader: { level: 3, scale: 5 },
});

test("what is set of the reader from afar takes the place of that and of nothing else in the file", () => {
  const reader = { alwaysIdle: true, responseSeconds: 90 };
  const checked = check(raw, { ...afar, reader, limits: { selectionMs: 60_000, suspendAfter: 9 } });
  if (!checked.ok) throw new Error(checked.at);
  const { wiring, terms } = settingsOf(raw, checked.configuration);
  expect(wiring.reader).toEqual({ ...raw.reader, ...reader });
  expect(terms).toMatchObject({ selectionMs: 60_000, suspendAfter: 9, vendResultMs: raw.vendResultMs });
  expect(settingsOf(raw, null).wiring).toEqual({ adapterSettings: {}, reader: raw.reader });
});

// prettier-ignore
test.each([
  ["qibixx",  {},           { alwaysIdle: true },  "reader: must be left out: this machine has a qibixx, which is one itself"],
  ["mdb-hex", { level: 1 }, { alwaysIdle: true },  "reader.level: must be 3 for alwaysIdle"],
  ["mdb-hex", { level: 3 }, { scale: 10 },         "reader.scale: no such key"],
  ["mdb-hex", { level: 3 }, { address: "0x60" },   "reader.address: no such key"],
])("from afar, with %s and %j, %j is refused", (driver, own, reader, at) => {
  const file = configuration.parse({ ...whole, currency: "NZD", driver, reader: own });
  expect(check(file, { ...afar, reader })).toEqual({ ok: false, at });
});

test("adapter settings from afar lie over the file's, key by key", () => {
  const adapterSettings = { "mdb-scale-factor": "10", "mdb-addr": "0x60" }; // what scanvend doctor wrote
  const file = configuration.parse({ ...whole, adapterSettings });
  const checked = check(file, { ...afar, adapterSettings: { "mdb-addr": "0x10", "mdb-timeout": "60" } });
  if (!checked.ok) throw new Error(checked.at);
  expect(settingsOf(file, checked.configuration).wiring.adapterSettings).toEqual({
    "mdb-scale-factor": "10",
    "mdb-addr": "0x10",
    "mdb-timeout": "60",
  });
  expect(settingsOf(file, null).wiring.adapterSettings).toEqual(adapterSettings);
});

test.each(["mdb-scale-factor", "mdb-decimal-places", "mdb-currency-code"])(
  "from afar %s is refused, whatever the file says of it: a machine sells on under a wrong one",
  (key) => {
    for (const adapterSettings of [{}, { [key]: "2" }])
      expect(
        check(configuration.parse({ ...whole, adapterSettings }), {
          ...afar,
          adapterSettings: { [key]: "2" },
        }),
      ).toEqual({
        ok: false,
        at: expect.stringMatching(
          `^adapterSettings\\.${key}: must be set in the machine's own file`,
        ) as string,
      });
  },
);

test("a journal that a later program has written is left alone, and the start says whose it is", async () => {
  const config = file({ ...whole, serial: "tcp://127.0.0.1:1", mqttUrl: "mqtt://127.0.0.1:1" });
  expect(await run(["--config", config, "--identify"])).toBe(0);
  const path = join(dir, "data", "journal.db");
  const db = new Database(path);
  db.pragma(`user_version = ${FORM + 1}`);
  db.close();
  expect(await run(["--config", config])).toBe(2);
  expect(err).toMatch(/journal\.db: a later scanvend wrote it .*run the later scanvend again/);
  expect([
    formOnDisk(path),
    readdirSync(join(dir, "data")).filter((name) => name.includes("damaged")),
  ]).toEqual([FORM + 1, []]);
});
