/**
 * A release as one file: a gzipped tar of the signed manifest and then every file it names, in its order.
 *
 * Promises  `unpack` writes nothing but what the manifest names, into a directory that it makes, and answers only when all of it
 *           is there, whole, and on disk. What is wrong with an archive is a `BadRelease`.
 * Bounded   by what the manifest says and may say; nothing is kept in memory but a manifest.
 * Crash     leaves a directory that nobody has looked into; whoever unpacks next takes it away.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, mkdir, open, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { codeOf } from "../../broker/protocol/error-code.js";
import { BadRelease } from "./bad-release.js";
import { MANIFEST, MOST_MANIFEST_BYTES, verify, type Keys, type Manifest } from "./manifest.js";
import { END, entriesOf, headerOf, paddingAfter, type Entry } from "./tar.js";

/** `from`: where the manifest's files are. */
export async function pack(jws: string, files: Manifest["files"], from: string, to: Writable): Promise<void> {
  async function* all(): AsyncGenerator<Uint8Array> {
    const head = Buffer.from(jws);
    yield* [headerOf(MANIFEST, head.length), head, paddingAfter(head.length)];
    for (const { path, size } of files) {
      yield headerOf(path, size);
      for await (const bytes of createReadStream(join(from, path))) yield bytes as Buffer; // without an encoding
      yield paddingAfter(size);
    }
    yield END;
  }
  await pipeline(all, createGzip({ level: 9 }), to);
}

export type Unpacking = {
  readonly into: string;
  readonly keys: Keys;
  /** Throws a BadRelease for one that is not wanted here, before any file of it is written. */
  readonly admit: (manifest: Manifest) => void;
  readonly progress: (bytes: number, of: number) => void;
};

export async function unpack(source: AsyncIterable<Uint8Array>, unpacking: Unpacking): Promise<Manifest> {
  const { into } = unpacking;
  await rm(into, { recursive: true, force: true });
  await makeOpen(into);
  const gunzip = createGunzip();
  const fed = pipeline(source, gunzip).catch((error: unknown) => error); // an error it passes on to who reads, too
  try {
    return await unpackAll(entriesOf(gunzip), unpacking); // not in the pipeline, which would not wait for its last write
  } catch (error) {
    gunzip.destroy();
    await rm(into, { recursive: true, force: true });
    const first = error instanceof BadRelease ? error : ((await fed) ?? error);
    const code = codeOf(first);
    if (code?.startsWith("Z_") === true)
      throw new BadRelease(`the archive is cut short, damaged or no archive (${code})`);
    throw code === "ERR_STREAM_PREMATURE_CLOSE" ? error : first;
  }
}

async function unpackAll(entries: AsyncGenerator<Entry, void>, unpacking: Unpacking): Promise<Manifest> {
  const { into, keys, admit, progress } = unpacking;
  const head = await nextOf(entries);
  if (head?.path !== MANIFEST) throw new BadRelease(`${MANIFEST} must come first`);
  if (head.size > MOST_MANIFEST_BYTES) throw new BadRelease("the manifest is too long");
  const jws = (await buffer(head.bytes)).toString("latin1");
  const manifest = await verify(jws, keys);
  admit(manifest);
  const of = manifest.files.reduce((sum, { size }) => sum + size, 0);
  const folders = new Set([into]);
  let done = 0;
  for (const file of manifest.files) {
    const entry = await nextOf(entries);
    if (entry?.path !== file.path || entry.size !== file.size)
      throw new BadRelease(
        `${file.path}: is not where the manifest has it (there is ${entry?.path ?? "nothing"})`,
      );
    await makeFolder(into, dirname(file.path), folders);
    if ((await write(join(into, file.path), entry.bytes)) !== file.sha256)
      throw new BadRelease(`${file.path}: is not the file that was signed`);
    progress((done += file.size), of);
  }
  const more = await nextOf(entries);
  if (more !== undefined) throw new BadRelease(`${more.path}: is not in the manifest`);
  await writeFile(join(into, MANIFEST), jws, { flag: "wx", flush: true });
  for (const folder of folders) await sync(folder);
  return manifest;
}

const nextOf = async (entries: AsyncGenerator<Entry, void>): Promise<Entry | undefined> => {
  const { done, value } = await entries.next();
  return done === true ? undefined : value;
};

/** Every folder on the way, so that each can be synced. */
async function makeFolder(into: string, path: string, folders: Set<string>): Promise<void> {
  if (path === ".") return;
  const folder = join(into, path);
  if (folders.has(folder)) return;
  await makeFolder(into, dirname(path), folders);
  await makeOpen(folder);
  folders.add(folder);
}

/** The controller's user is not the one who updates, and must read it, whatever that one's umask is. */
async function makeOpen(folder: string): Promise<void> {
  await mkdir(folder);
  await chmod(folder, 0o755);
}

/** Writes a file that is not there yet, to the disk; answers its SHA-256. */
async function write(path: string, bytes: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path, "wx");
  try {
    await file.chmod(0o644);
    for await (const part of bytes) {
      hash.update(part);
      await file.writeFile(part);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
