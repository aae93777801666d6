/** The archive of a release, made and read; and every way in which one may be wrong. */
import { spawnSync } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import {
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { CompactSign } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { thumbprint } from "../../broker/protocol/key.js";
import { pack, unpack } from "../../cli/update/archive.js";
import { BadRelease } from "../../cli/update/bad-release.js";
import { Layout, type Unsettled } from "../../cli/update/layout.js";
import { compareVersions, MANIFEST, sign, type Keys, type Manifest } from "../../cli/update/manifest.js";
import { END, headerOf, paddingAfter } from "../../cli/update/tar.js";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const kid = thumbprint(publicKey.export({ format: "jwk" }));
const keys: Keys = new Map([[kid, publicKey]]);
let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "release-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const FILES: Readonly<Record<string, string>> = {
  "dist/cli.js": "console.log(1);\n",
  "dist/empty.js": "",
  [`node_modules/${"long-name/".repeat(20)}index.js`]: "x".repeat(1_500),
  "package.json": '{"version":"1.2.3"}',
};
const fileOf = (path: string, text: string): Manifest["files"][number] => ({
  path,
  size: Buffer.byteLength(text),
  sha256: createHash("sha256").update(text).digest("hex"),
});
const manifestOf = (files: Readonly<Record<string, string>>, more: Partial<Manifest> = {}): Manifest => ({
  product: "scanvend",
  version: "1.2.3",
  node: "20.0.0",
  files: Object.entries(files).map(([path, text]) => fileOf(path, text)),
  ...more,
});
/** An archive with whatever is asked for in it. */
async function archive(
  entries: readonly (readonly [path: string, text: string])[],
  manifest: Manifest | string,
): Promise<Buffer> {
  const jws = typeof manifest === "string" ? manifest : await sign(manifest, privateKey);
  const all = [[MANIFEST, jws] as const, ...entries].flatMap(([path, text]) => {
    const bytes = Buffer.from(text);
    return [headerOf(path, bytes.length), bytes, paddingAfter(bytes.length)];
  });
  return gzipSync(Buffer.concat([...all, END]));
}
function chunks(bytes: Uint8Array, size = 1_000): AsyncIterable<Uint8Array> {
  const count = Math.ceil(bytes.length / size);
  return Readable.from(Array.from({ length: count }, (_, n) => bytes.subarray(n * size, (n + 1) * size)));
}
const into = (): string => join(dir, "in");
const read = (bytes: Uint8Array, size?: number, trusted = keys): Promise<Manifest> =>
  unpack(chunks(bytes, size), {
    into: into(),
    keys: trusted,
    admit: () => undefined,
    progress: () => undefined,
  });
const refused = async (bytes: Buffer, why: string, trusted = keys): Promise<void> => {
  const error: unknown = await read(bytes, 1_000, trusted).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BadRelease);
  expect(String(error)).toContain(why);
  expect(readdirSync(dir), "something is left of it").not.toContain("in");
};
const entries = Object.entries(FILES);
const whole = (): Promise<Buffer> => archive(entries, manifestOf(FILES));

test("what is packed is what is unpacked, however it comes, and tar itself can read it", async () => {
  for (const [path, text] of entries) {
    mkdirSync(join(dir, "src", dirname(path)), { recursive: true });
    writeFileSync(join(dir, "src", path), text);
  }
  const manifest = manifestOf(FILES);
  const out = join(dir, "release.tar.gz");
  await pack(await sign(manifest, privateKey), manifest.files, join(dir, "src"), createWriteStream(out));
  for (const size of [7, 512, 1_000_000]) {
    expect(await read(readFileSync(out), size)).toEqual(manifest);
    for (const [path, text] of entries) expect(readFileSync(join(into(), path), "utf8")).toBe(text);
  }
  const listed = spawnSync("tar", ["-tzf", out], { encoding: "utf8" });
  expect(listed.stdout.trim().split("\n")).toEqual([MANIFEST, ...Object.keys(FILES)]);
});

test("whoever updates, everybody can read it, and nobody else can write it", async () => {
  const before = process.umask(0o077);
  try {
    await read(await whole());
  } finally {
    process.umask(before);
  }
  const modes = ["", "dist", "dist/cli.js"].map((path) => statSync(join(into(), path)).mode & 0o777);
  expect(modes).toEqual([0o755, 0o755, 0o644]);
});

test("cut short anywhere, it is refused and nothing is left", async () => {
  const bytes = await whole();
  for (let end = 0; end < bytes.length; end += 97) {
    const error: unknown = await read(bytes.subarray(0, end)).catch((thrown: unknown) => thrown);
    expect(error, `${end} bytes`).toBeInstanceOf(BadRelease);
    expect(readdirSync(dir)).not.toContain("in");
  }
  const tar = gunzipSync(bytes); // cut short before it was packed
  for (let end = 0; end < tar.length - END.length; end += 509)
    await refused(gzipSync(tar.subarray(0, end)), end === 0 ? "ends in the middle" : "");
});

test("whichever bit is flipped, nothing but what was signed is unpacked", async () => {
  const tar = gunzipSync(await whole());
  await fc.assert(
    fc.asyncProperty(fc.nat(tar.length * 8 - 1), async (bit) => {
      const damaged = Buffer.from(tar);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const done = await read(gzipSync(damaged)).catch((error: unknown) => error);
      if (done instanceof BadRelease) return;
      expect(done, "a bit of no meaning").toEqual(manifestOf(FILES));
      for (const [path, text] of entries) expect(readFileSync(join(into(), path), "utf8")).toBe(text);
    }),
    { numRuns: 300 },
  );
});

test("a file more, a file less, another order, another content, another size", async () => {
  const manifest = manifestOf(FILES);
  await refused(
    await archive([...entries, ["dist/more.js", ""]], manifest),
    "dist/more.js: is not in the manifest",
  );
  await refused(
    await archive(entries.slice(0, -1), manifest),
    "package.json: is not where the manifest has it",
  );
  await refused(
    await archive([...entries].reverse(), manifest),
    "dist/cli.js: is not where the manifest has it",
  );
  const other = entries.map(([path, text]) => [path, text.replace("1", "2")] as const);
  await refused(await archive(other, manifest), "dist/cli.js: is not the file that was signed");
  const longer = entries.map(([path, text]) => [path, `${text} `] as const);
  await refused(await archive(longer, manifest), "dist/cli.js: is not where the manifest has it");
});

test.each(["../evil", "/evil", "a/../../evil", "a//b", "./a", "a\\b", "a/.", MANIFEST, "", "a\nb"])(
  "a manifest that names %j is refused, signed or not",
  async (path) => {
    await refused(await archive([[path, "x"]], manifestOf({ [path]: "x" })), "must be a path of plain names");
  },
);

test("links and other kinds of entries, signed or not, are refused", async () => {
  for (const type of ["1", "2", "3", "5"]) {
    const manifest = manifestOf({ "dist/link": "" });
    const tar = gunzipSync(await archive([["dist/link", ""]], manifest));
    const at = tar.indexOf("dist/link\0");
    const head = tar.subarray(at, at + 512);
    head.write(type, 156);
    head.write("/etc/passwd", 157);
    head.write("        ", 148);
    head.write(
      `${head
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
    );
    await refused(gzipSync(tar), `only plain files belong here, not type ${type}`);
  }
});

test("a file in the place of a folder, and a folder in the place of a file", async () => {
  const files = { a: "x", "a/b": "y" };
  await expect(read(await archive(Object.entries(files), manifestOf(files)))).rejects.toThrow(/EEXIST/);
  expect(readdirSync(dir)).not.toContain("in");
});

test("only a key that is in the keys file, and only on a release", async () => {
  const other = generateKeyPairSync("ed25519");
  await refused(await whole(), "signed by a key that is not in the keys file", new Map([["x", publicKey]]));
  await refused(await whole(), "the signature is not good", new Map([[kid, other.publicKey]]));
  const signed = (header: object, key = privateKey): Promise<string> =>
    new CompactSign(Buffer.from(JSON.stringify(manifestOf(FILES))))
      .setProtectedHeader({ alg: "EdDSA", typ: "scanvend-release", kid, ...header })
      .sign(key);
  await refused(await archive(entries, await signed({ typ: "JOSE" })), "not as a release");
  await refused(await archive(entries, await signed({}, other.privateKey)), "the signature is not good");
  const none = `${Buffer.from(JSON.stringify({ alg: "none", kid })).toString("base64url")}.e30.`;
  await refused(await archive(entries, none), "the signature is not good");
  expect(await read(await archive(entries, await signed({})))).toEqual(manifestOf(FILES));
});

test("what claims to be larger than any release, or goes on after its end, is refused", async () => {
  const huge = { ...fileOf("a", ""), size: 64 * 1_048_576 };
  const files = Array.from({ length: 17 }, (_, n) => ({ ...huge, path: `a${n}` }));
  await refused(await archive([], manifestOf({}, { files })), "must not be larger than 1 GB");
  await refused(await archive([], manifestOf({}, { files: [huge, huge] })), "must not name a file twice");
  const tar = gunzipSync(await whole());
  await refused(gzipSync(Buffer.concat([tar, Buffer.from("more")])), "something follows the end");
  await refused(gzipSync(Buffer.concat([tar, Buffer.alloc(2_000_000)])), "something follows the end");
  await refused(Buffer.from("this is no archive"), "no archive");
});

// prettier-ignore
const versions = ["0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0"];
test("versions are ordered as Semantic Versioning says", () => {
  for (const [a, older] of versions.entries())
    for (const [b, newer] of versions.entries())
      expect(Math.sign(compareVersions(older, newer)), `${older}, ${newer}`).toBe(Math.sign(a - b));
});

test("wherever a switch or its undoing is cut off, current leads to a whole release", () => {
  const root = join(dir, "root");
  const next: Unsettled = {
    from: "1.0.0",
    to: "1.1.0",
    previous: "0.9.0",
    expected: { line: true, bus: true, canSell: true },
  };
  for (let cut = 0; cut <= 5; cut += 1) {
    rmSync(root, { recursive: true, force: true });
    const layout = new Layout(root);
    for (const version of ["0.9.0", "1.0.0", "1.1.0"]) {
      mkdirSync(layout.incoming);
      writeFileSync(join(layout.incoming, "whole"), version);
      layout.adopt(version);
    }
    layout.setLink("current", "1.0.0");
    layout.setLink("previous", "0.9.0");
    for (const step of [...layout.switching(next), ...layout.back(next)].slice(0, cut)) step();
    writeFileSync(join(root, ".update.json"), "{half");

    const after = new Layout(root); // the power is back
    after.tidy();
    const running = after.link("current") ?? "";
    expect(readFileSync(join(root, "current", "whole"), "utf8")).toBe(running);
    expect(running).toBe(cut === 3 ? "1.1.0" : "1.0.0");
    expect(after.unsettled).toEqual(cut === 0 ? undefined : next);
    for (const step of after.back(next)) step();
    after.settle();
    expect([after.link("current"), after.link("previous"), after.unsettled]).toEqual([
      "1.0.0",
      "0.9.0",
      undefined,
    ]);
    expect(readdirSync(join(root, "releases")).sort()).toEqual(["0.9.0", "1.0.0"]);
  }
});

test("a link that leads elsewhere is left alone, and said", () => {
  const layout = new Layout(join(dir, "root"));
  spawnSync("ln", ["-s", "/elsewhere", join(dir, "root", "current")]);
  expect(() => layout.link("current")).toThrow(/leads to \/elsewhere/);
});
