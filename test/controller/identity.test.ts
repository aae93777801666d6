/** The machine's key and password: made once, kept to itself. */
import { createHash, createPublicKey, sign, verify } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Random } from "../../broker/protocol/clock.js";
import { thumbprint } from "../../broker/protocol/key.js";
import { createIdentity, publicHalf, readIdentity } from "../../controller/identity.js";

/** The seed of RFC 8032's first test vector, then a recognisable password. */
const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
function fixed(): Random {
  const answers = [seed, Buffer.alloc(32, 7)];
  return { bytes: () => answers.shift() ?? new Uint8Array(), fraction: () => 0 };
}

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "identity-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("the public half is the one RFC 8037 gives for its key, under its thumbprint", () => {
  const half = publicHalf(createIdentity(dir, "m-1", fixed()));
  const password = Buffer.alloc(32, 7).toString("base64url");
  expect(half).toEqual({
    machineId: "m-1",
    kid: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", // RFC 8037, A.3
    publicKey: { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }, // A.2
    mqttPasswordSha256: createHash("sha256").update(password).digest("hex"),
  });
  expect(thumbprint(half.publicKey)).toBe(half.kid);
});

test("what it signs, its public half verifies, also after a restart", () => {
  createIdentity(dir, "m-1", fixed());
  const { privateKey, publicKey } = readIdentity(dir);
  const message = Buffer.from("a sale");
  const key = createPublicKey({ key: publicKey, format: "jwk" });
  expect(verify(null, message, key, sign(null, message, privateKey))).toBe(true);
});

test("the file is its owner's alone, and there is no other", () => {
  createIdentity(dir, "m-1", fixed());
  expect(statSync(join(dir, "identity.json")).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(["identity.json"]);
});

test("an identity is made once", () => {
  createIdentity(dir, "m-1", fixed());
  const before = readFileSync(join(dir, "identity.json"));
  expect(() => createIdentity(dir, "m-1", fixed())).toThrow(/EEXIST/);
  expect(readFileSync(join(dir, "identity.json"))).toEqual(before);
});

test("neither the password nor the private key is printed with it", () => {
  const shown =
    inspect(createIdentity(dir, "m-1", fixed()), { depth: 9 }) + JSON.stringify(readIdentity(dir));
  expect(shown).not.toContain(Buffer.alloc(32, 7).toString("base64url"));
  expect(shown).not.toContain(seed.toString("base64url"));
});

test("a damaged file is refused", () => {
  writeFileSync(join(dir, "identity.json"), '{"machineId":"m-1"}');
  expect(() => readIdentity(dir)).toThrow();
});
