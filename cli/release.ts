/** `scanvend release`: what is built here as one signed file, for `scanvend update` at the machines. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
} from "node:crypto";
import {
  createWriteStream,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { thumbprint } from "../broker/protocol/key.js";
import type { Io } from "./io.js";
import { pack } from "./update/archive.js";
import { readManifest, sign, version } from "./update/manifest.js";

export const usage = `scanvend release --key FILE --out FILE [--from DIR] [--modules] [--json]
scanvend release --new-key FILE

  One file, signed, that scanvend update takes: what is built, and with --modules what it needs from npm.

  --key FILE      the private key, as JSON (JWK); keep it away from anything that is on the internet
  --out FILE      the archive, such as scanvend-1.2.3.tar.gz
  --from DIR      the built package (default: this one)
  --modules       with node_modules, for machines of this kind of computer and this Node; install them first with
                  npm ci --omit=dev. Without it {root}/node_modules must have what the release needs
  --new-key FILE  make a key, and print its public half for the machines' keys file
  --json          say what was made as JSON
  --help          this text`;

/** What was compiled for one kind of computer and Node runs on no other. */
export const PLATFORM = `${process.platform}-${process.arch}-${process.versions.modules}`;

const packageFile = z.looseObject({
  version,
  files: z.array(z.string()),
  engines: z.looseObject({ node: z.string().regex(/^>=[0-9]+(\.[0-9]+){0,2}$/) }),
});

/** Exit status: 0 made, 1 it could not be made, 2 called wrongly. */
export async function release(argv: readonly string[], io: Io, packageDir: string): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      key: { type: "string" },
      out: { type: "string" },
      from: { type: "string", default: packageDir },
      modules: { type: "boolean", default: false },
      "new-key": { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    io.out(usage);
    return 0;
  }
  const { key, out, from, modules, json } = values;
  try {
    if (values["new-key"] !== undefined) {
      io.out(JSON.stringify({ keys: [makeKey(values["new-key"])] }));
      return 0;
    }
    if (key === undefined || out === undefined) {
      io.err(`scanvend release: --key and --out are needed\n\n${usage}`);
      return 2;
    }
    const made = await make(resolve(from), modules, readFileSync(key, "utf8"), out);
    const said = { file: out, ...made };
    io.out(
      json
        ? JSON.stringify(said)
        : `${out}: scanvend ${made.version}, ${made.files} files, signed by ${made.kid}`,
    );
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    io.err(`scanvend release: ${error.message}`);
    return 1;
  }
}

function makeKey(path: string): { readonly kid: string; readonly publicKey: JsonWebKey } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  writeFileSync(path, `${JSON.stringify(privateKey.export({ format: "jwk" }))}\n`, {
    mode: 0o600,
    flag: "wx",
  });
  const jwk = publicKey.export({ format: "jwk" });
  return { kid: thumbprint(jwk), publicKey: jwk };
}

async function make(
  from: string,
  modules: boolean,
  keyText: string,
  out: string,
): Promise<{
  readonly version: string;
  readonly kid: string;
  readonly files: number;
  readonly bytes: number;
}> {
  const privateKey = createPrivateKey({ key: JSON.parse(keyText) as JsonWebKey, format: "jwk" }); // or it throws
  if (privateKey.asymmetricKeyType !== "ed25519") throw new Error("--key: must be an Ed25519 key");
  const about = packageFile.parse(JSON.parse(readFileSync(join(from, "package.json"), "utf8")));
  const files = filesOf(from, [...about.files, "package.json", ...(modules ? ["node_modules"] : [])]);
  const [major = "0", minor = "0", patch = "0"] = about.engines.node.slice(2).split(".");
  const manifest = readManifest({
    product: "scanvend",
    version: about.version,
    node: `${major}.${minor}.${patch}`,
    ...(modules ? { platform: PLATFORM } : {}),
    files: files.map((path) => {
      const bytes = readFileSync(join(from, path));
      return { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    }),
  });
  await pack(await sign(manifest, privateKey), manifest.files, from, createWriteStream(`${out}.new`));
  renameSync(`${out}.new`, out);
  return {
    version: about.version,
    kid: thumbprint(createPublicKey(privateKey).export({ format: "jwk" })),
    files: files.length,
    bytes: manifest.files.reduce((sum, { size }) => sum + size, 0),
  };
}

/** By package.json's own rule: what is named, without what is named with a `!`. Links are left out: npm's are for the shell. */
function filesOf(from: string, named: readonly string[]): readonly string[] {
  const without = named.filter((name) => name.startsWith("!")).map((name) => name.slice(1));
  const walk = (path: string): readonly string[] => {
    if (without.includes(path)) return [];
    const found = lstatSync(join(from, path));
    if (found.isFile()) return [path];
    if (!found.isDirectory()) return [];
    return readdirSync(join(from, path)).flatMap((name) => walk(join(path, name)));
  };
  const wanted = named.filter((name) => !name.startsWith("!") && existsSync(join(from, name)));
  if (!wanted.includes("dist"))
    throw new Error(`${join(from, "dist")} is not there: build it first (npm run build)`);
  return [...new Set(wanted.flatMap(walk))].sort();
}
