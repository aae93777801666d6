/** What was measured at a machine, and what the controller makes of it. */
import { describe, expect, test } from "vitest";
import { check, settingsOf } from "../../controller/config/settings.js";
import { configuration, type Configuration } from "../../controller/configuration.js";
import { labelOf } from "../../controller/mdb/item-label.js";
import { DriverBench, WATER } from "./driver-bench.js";

const own = (more: object): Configuration =>
  configuration.parse({
    ...{ machineId: "m-1", dataDir: "data", serial: "/dev/adapter", mqttUrl: "mqtt://127.0.0.1" },
    cloudKeys: [
      {
        kid: "k",
        publicKey: { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
      },
    ],
    currency: "NZD",
    ...more,
  });

describe("patienceSeconds", () => {
  test.each([
    ["what the machine was told", {}, 27_000],
    ["less, where the machine waits less", { facts: { patienceSeconds: 10 } }, 9_000],
    ["no more, where it waits longer", { facts: { patienceSeconds: 90 } }, 27_000],
  ])("our own reader has answered within nine tenths of %s", (_, changes, withinMs) => {
    const bench = new DriverBench("mdb-hex", false, changes);
    bench.plug();
    bench.pass(2_000);
    bench.open();
    bench.pass(1_000);
    bench.machine.select(WATER);
    bench.heard();
    bench.pass(withinMs - 1);
    expect(bench.heard()).toBe("");
    bench.pass(1);
    expect(bench.heard()).toBe("vendCancelled");
  });

  test("a selection waits for no payment longer than the machine waits for us", () => {
    const selectionMs = (more: object): number => settingsOf(own(more), null).terms.selectionMs;
    expect(selectionMs({})).toBe(45_000);
    expect(selectionMs({ facts: { patienceSeconds: 20 } })).toBe(18_000);
    expect(selectionMs({ facts: { patienceSeconds: 60 }, selectionMs: 30_000 })).toBe(30_000);
  });

  test("where the reader is ours, a selection waits no longer than it does", () => {
    const file = own({ driver: "mdb-hex", reader: { level: 3, alwaysIdle: true } });
    const bench = new DriverBench("mdb-hex", true);
    bench.plug();
    bench.pass(3_000);
    bench.machine.select(WATER);
    bench.heard();
    bench.pass(settingsOf(file, null).terms.selectionMs - 1);
    expect(bench.heard()).toBe("");
    const afar = { version: 1, items: [], currency: "NZD", reader: { responseSeconds: 40 } };
    const checked = check(file, afar);
    if (!checked.ok) throw new Error(checked.at);
    expect(settingsOf(file, checked.configuration).terms.selectionMs).toBe(36_000); // the reader's in force
  });
});

describe("alwaysIdle", () => {
  test.each([
    ["qibixx", { adapterSettings: { "mdb-always-idle": "1" } }, "adapterSettings.mdb-always-idle"],
    ["mdb-hex", { reader: { level: 3, alwaysIdle: true } }, "reader.alwaysIdle"],
  ] as const)(
    "%s: choosing first is refused where the machine asks for nothing before a session",
    (driver, more, at) => {
      const parsed = (alwaysIdle: boolean) =>
        configuration.safeParse({ ...own({ driver }), ...more, facts: { alwaysIdle } });
      expect(parsed(true).error).toBeUndefined();
      expect(parsed(false).error?.issues).toEqual([
        expect.objectContaining({
          path: at.split("."),
          message: expect.stringMatching(/asks for nothing before a session \(facts\.alwaysIdle\)/) as string,
        }),
      ]);
    },
  );

  test("nor is it set from afar", () => {
    const asked = { version: 1, items: [], currency: "NZD", adapterSettings: { "mdb-always-idle": "1" } };
    expect(check(own({ facts: { alwaysIdle: false } }), asked)).toEqual({
      ok: false,
      at: expect.stringContaining("facts.alwaysIdle") as string,
    });
  });
});

// prettier-ignore
test.each([
  [11,     undefined,       "11"],
  [0x0102, "plain",         "258"],
  [0x0001, "rowColumn0001", "A1"],
  [0x0405, "rowColumn0001", "E5"],
  [0x0000, "rowColumn0000", "A1"],
  [0x0101, "rowColumn0101", "A1"],
  [0x0100, "rowColumn0101", "256"], // no such key
  [0xff01, "rowColumn0001", "65281"],
  [7,      "other",         "7"],
  [0xffff, undefined,       undefined],
  [0xffff, "undefined",     undefined],
] as const)("item %i in a scheme of %s is %s", (item, scheme, label) => {
  expect(labelOf(item, scheme)).toBe(label);
});
