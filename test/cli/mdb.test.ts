/** `scanvend mdb`: blocks in words, as JSON and back, through the built program. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const run = (command: string) => {
  const argv = [program, "mdb", ...command.split(" ")];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: "utf8" });
  return { status, stdout, stderr };
};

// prettier-ignore
const inWords: readonly [command: string, words: string][] = [
  ["decode --from machine 13 00 00 96 00 05 AE", "VEND REQUEST to cashless #1: price 150, item 5\n"],
  ["decode --from machine 63000096FFFFF7",       "VEND REQUEST to cashless #2: price 150, item 65535 (not known)\n"],
  ["decode --from machine 11 01 FF FF 00 00 10", "SETUP PRICES to cashless #1: max 65535 (not known), min 0\n"],
  ["decode --from machine AA",                   "RET\n"],
  ["decode --from reader 0b0510",                "OUT OF SEQUENCE: state 5 (Vend)\n"],
  ["decode --from reader 0b05 10 --level 2",     "OUT OF SEQUENCE: state 5 (Vend)\n"],
  ["decode --from reader 060A07041B",            "VEND DENIED\nMALFUNCTION: error 0 (payment media error), detail 7\nSESSION CANCEL REQUEST\n"],
  ["decode --from reader 02 14 1B 5B 8C",        'DISPLAY REQUEST: tenths 20, text "\\u001b["\n'],
];
for (const [command, words] of inWords)
  test(`scanvend mdb ${command} says it in words`, () => {
    expect(run(command)).toEqual({ status: 0, stdout: words, stderr: "" });
  });

// prettier-ignore
const asJson: readonly [command: string, json: object][] = [
  ["decode --json --from machine 13 00 00 96 00 05 AE", { kind: "vendRequest", device: 1, priceScaled: 150, item: 5 }],
  ["decode --json --from reader 060A07041B",            { kind: "several", messages: [{ kind: "vendDenied" }, { kind: "malfunction", error: 0, detail: 7 }, { kind: "sessionCancelRequest" }] }],
  ["decode --json --from reader 00 --level 3 --expanded", { kind: "ack" }],
  ["encode --json vendCancel",                          { hex: "13 01 14" }],
];
for (const [command, json] of asJson)
  test(`scanvend mdb ${command} is one JSON object`, () => {
    const { status, stdout } = run(command);
    expect({ status, said: JSON.parse(stdout) as unknown }).toEqual({ status: 0, said: json });
  });

// prettier-ignore
const encoded: readonly [command: string, hex: string][] = [
  ["encode vendRequest priceScaled=150 item=5",                       "13 00 00 96 00 05 AE"],
  ["encode vendRequest priceScaled=0x96 item=0x5 device=2",           "63 00 00 96 00 05 FE"],
  ["encode vendRequest priceScaled=150 item=5 --expanded",            "13 00 00 00 00 96 00 05 AE"],
  ["encode beginSession fundsScaled=500",                             "03 01 F4 F8"],
  ["encode beginSession fundsScaled=500 mediaId=0xFFFFFFFF paymentType=0 paymentData=0", "03 01 F4 FF FF FF FF 00 00 00 F4"],
  ["encode readerConfig level=1 country=1978 scale=1 decimals=2 responseSeconds=5 options=refund,cashSale", "01 01 19 78 01 02 05 09 A4"],
  ["encode enableOptions features=alwaysIdle",                        "17 04 00 00 00 20 3B"],
  ["encode justReset",                                                "00 00"],
];
for (const [command, hex] of encoded)
  test(`scanvend mdb ${command} prints the block`, () => {
    expect(run(command)).toEqual({ status: 0, stdout: `${hex}\n`, stderr: "" });
  });

// prettier-ignore
const refused: readonly [command: string, status: number, names: readonly string[]][] = [
  ["decode --from machine 13 00 00 96 00 05 AF",        1, ["checksum", "expected AE", "got AF"]],
  ["decode --from machine 13 0",                        1, ["not hex"]],
  ["decode --from machine 13",                          1, ["too short"]],
  ["decode --from machine 30 30",                       1, ["unknown address 30"]],
  ["decode --from machine 13 00 00 96 00 A9",           1, ["VEND REQUEST", "6 or 8", "5"]],
  ["decode --from machine --level 1 13 00 00 00 00 96 00 05 AE", 1, ["VEND REQUEST", "has 6", "8"]],
  ["decode --from reader AA",                           1, ["too short"]],
  ["encode vendRequest priceScaled=70000 item=5 --level 2", 1, ["priceScaled", "0 to 65535"]],
  ["encode vendRequest priceScaled=-1 item=5",          1, ["priceScaled", "0 to 65535"]],
  ["encode vendRequest price=150 item=5",               1, ["price:", "priceScaled"]],
  ["encode vendRequest priceScaled=150",                1, ["item", "missing"]],
  ["encode vendRequest priceScaled=150 item",           1, ["item", "FIELD=VALUE"]],
  ["encode vendRequest item=1 item=2",                  1, ["item", "twice"]],
  ["encode vendRequest priceScaled=150 item=5 device=3", 1, ["device", "1 or 2"]],
  ["encode enableOptions features=telepathy",           1, ["features", "alwaysIdle"]],
  ["encode vendRequst priceScaled=150",                 1, ["vendRequst", "vendRequest"]],
  ["decode 13 00 00 96 00 05 AE",                       2, ["--from"]],
  ["decode --from machine",                             2, ["HEX"]],
  ["decode --from machine --level 4 12 12",             2, ["--level"]],
  ["decode --from machine --level 1 --expanded 12 12",  2, ["--expanded"]],
  ["encode",                                            2, ["NAME"]],
  ["encode reset --colour red",                         2, ["--colour"]],
  ["translate",                                         2, ["translate"]],
];
for (const [command, status, names] of refused)
  test(`scanvend mdb ${command} is refused with exit ${status}, saying why`, () => {
    const { stdout, stderr, ...ended } = run(command);
    expect({ ...ended, stdout }).toEqual({ status, stdout: "" });
    for (const name of names) expect(stderr).toContain(name);
  });

test("the help of encode lists every message with its fields", () => {
  const { status, stdout } = run("encode --help");
  expect(status).toBe(0);
  for (const name of ["vendRequest", "priceScaled", "peripheralId", "alwaysIdle", "unknownResponse"])
    expect(stdout).toContain(name);
  expect(run("decode --help").stdout).toContain("--from");
});
