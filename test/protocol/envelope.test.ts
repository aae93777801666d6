/** The signed envelope: what opens, and each way in which a message is nobody's. */
import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { open, seal, type KeyOf, type Opened } from "../../broker/protocol/envelope.js";
import { ReplayWindow } from "../../broker/protocol/replay-window.js";

const pair = generateKeyPairSync("ed25519");
const stranger = generateKeyPairSync("ed25519");
const signer = { kid: "k1", privateKey: pair.privateKey };
const keyOf: KeyOf = (kid, machine) => (kid === "k1" && machine === "machine-1" ? pair.publicKey : undefined);
const TOPIC = "scanvend/machine-1/go";
const body = { grantId: "g", journal: "j", entry: 7 };
const bytes = (text: string): Buffer => Buffer.from(text);
const b64 = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** Any header and payload, signed for real: what an insider with the key could send. */
function signed(header: unknown, payload: unknown, key: KeyObject = pair.privateKey): Buffer {
  const text = `${b64(header)}.${b64(payload)}`;
  return bytes(`${text}.${sign(null, bytes(text), key).toString("base64url")}`);
}
const header = { alg: "EdDSA", kid: "k1" };
const payload = { v: 1, topic: TOPIC, n: 3, body };

test("what one end seals the other opens", () => {
  const opened = open(TOPIC, bytes(seal("machine-1", "go", 3, body, signer)), keyOf);
  expect(opened).toEqual({ ok: true, kid: "k1", n: 3, message: { machine: "machine-1", leaf: "go", body } });
});

type Refused = Extract<Opened, { ok: false }>["refusal"];
const good = bytes(seal("machine-1", "go", 3, body, signer)).toString();
// prettier-ignore
const refused: readonly [name: string, topic: string, payload: Buffer, refusal: Refused][] = [
  ["nothing",                       TOPIC, bytes(""),                                              "notJws"],
  ["plain JSON",                    TOPIC, bytes(JSON.stringify(payload)),                         "notJws"],
  ["random bytes",                  TOPIC, Buffer.from([0, 255, 1, 46, 200, 46, 9]),               "notJws"],
  ["two parts",                     TOPIC, bytes(good.split(".").slice(0, 2).join(".")),           "notJws"],
  ["a header with another alg",     TOPIC, signed({ ...header, alg: "none" }, payload),            "notJws"],
  ["a header with a field more",    TOPIC, signed({ ...header, crit: ["x"] }, payload),            "notJws"],
  ["a key nobody knows",            TOPIC, signed({ ...header, kid: "k2" }, payload),              "unknownKey"],
  ["the wrong key's signature",     TOPIC, signed(header, payload, stranger.privateKey),           "badSignature"],
  ["one changed character",         TOPIC, bytes(good.replace(/\.(.)/, (_, c: string) => `.${c === "e" ? "f" : "e"}`)), "badSignature"],
  ["no signature",                  TOPIC, bytes(`${good.split(".").slice(0, 2).join(".")}.`),     "notJws"],
  ["a payload that is not JSON",    TOPIC, signed(header, "hello"),                                "notJson"],
  ["another version",               TOPIC, signed(header, { ...payload, v: 2 }),                   "schema"],
  ["a field more",                  TOPIC, signed(header, { ...payload, body: { ...body, amount: 1 } }), "schema"],
  ["a negative entry",              TOPIC, signed(header, { ...payload, body: { ...body, entry: -1 } }), "schema"],
  ["another topic inside",          TOPIC, signed(header, { ...payload, topic: "scanvend/machine-1/void" }), "wrongTopic"],
  ["another machine's topic",       "scanvend/machine-2/go", bytes(good),                          "unknownKey"],
  ["a topic that is not ours",      "$SYS/x/new/clients", bytes(good),                             "unknownTopic"],
  ["a topic with a level more",     `${TOPIC}/x`, bytes(good),                                     "unknownTopic"],
  ["a megabyte",                    TOPIC, Buffer.alloc(1_000_000, 97),                            "tooLarge"],
];
for (const [name, topic, message, refusal] of refused)
  test(`${name} is refused as ${refusal}`, () =>
    expect(open(topic, message, keyOf)).toMatchObject({ ok: false, refusal }));

test("whatever the bytes, opening answers and never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (noise, topic) => {
      expect(open(topic, noise, keyOf).ok).toBe(false);
      expect(open(TOPIC, noise, keyOf).ok).toBe(false);
    }),
  );
});

test("a key read back from its public form verifies the same", () => {
  const read = createPublicKey({ key: pair.publicKey.export({ format: "jwk" }), format: "jwk" });
  expect(open(TOPIC, bytes(good), () => read).ok).toBe(true);
});

test("a number is let through once, in whatever order numbers come", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 300 }), (numbers) => {
      const window = new ReplayWindow();
      const through = numbers.filter((n) => window.admit(n));
      expect(new Set(through).size).toBe(through.length);
      for (const n of numbers) expect(window.admit(n)).toBe(false);
    }),
  );
});

test("numbers that overtake each other a little are all let through, and everything below the window is old", () => {
  const window = new ReplayWindow();
  expect([101, 100, 103, 102].map((n) => window.admit(n))).toEqual([true, true, true, true]);
  expect([101, 100].map((n) => window.admit(n))).toEqual([false, false]);
  expect(window.highest).toBe(103);
  expect([10_000_000, 104, 9_999_999].map((n) => window.admit(n))).toEqual([true, false, true]);
});

test("after a restart a lower block of numbers, another cloud process's, goes on; what is below the window is old", () => {
  const before = new ReplayWindow();
  expect([101_005, 102_010].map((n) => before.admit(n))).toEqual([true, true]);
  const after = new ReplayWindow(before.highest);
  expect(after.highest).toBe(102_010);
  expect([101_006, 102_010, 102_011].map((n) => after.admit(n))).toEqual([true, false, true]);
  expect([101_006, 102_010 - 65_536, 102_011 - 65_536].map((n) => after.admit(n))).toEqual([
    false,
    false,
    true,
  ]);
  expect(after.highest).toBe(102_011);
});
