/**
 * Where releases are: `{root}/releases/{version}`, and two links, `current` and `previous`.
 *
 * Owns      everything in `{root}` that begins with a dot, and `update.json`: what is to be done, or undone, after a crash.
 * Promises  `current` always leads to a whole release: a link is made beside its place, then renamed over the old one, and each step
 *           is on disk before the next begins.
 * Crash     with `update.json` there, nobody has yet seen the new release in good health; without it, it is settled.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { FIRST_FORM } from "../../controller/journal/form.js";
import { version } from "./manifest.js";

/** What the old release could do, which the new one must as well. */
export const ability = z.strictObject({ line: z.boolean(), bus: z.boolean(), canSell: z.boolean() });
const unsettled = z.strictObject({
  from: version,
  to: version,
  /** What `previous` was before. */
  previous: version.nullable(),
  expected: ability,
});
export type Ability = z.infer<typeof ability>;
export type Unsettled = z.infer<typeof unsettled>;
type Link = "current" | "previous";

export class Layout {
  readonly root: string;
  constructor(root: string) {
    this.root = root;
    const releases = this.#at("releases");
    const made = mkdirSync(releases, { recursive: true });
    if (made !== undefined) for (const folder of [made, releases]) chmodSync(folder, 0o755); // whatever the umask is
  }

  /** Where the next release is unpacked. */
  get incoming(): string {
    return this.#at(".incoming");
  }

  release(name: string): string {
    return this.#at("releases", name);
  }

  /** The version a link leads to; `undefined` when there is none. Throws when it leads elsewhere. */
  link(name: Link): string | undefined {
    let target: string;
    try {
      target = readlinkSync(this.#at(name));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
    const [, found] = /^releases\/([^/]+)$/.exec(target) ?? [];
    if (found === undefined || !version.safeParse(found).success)
      throw new Error(`${this.#at(name)} leads to ${target}, and not to releases/VERSION: who made it?`);
    return found;
  }

  setLink(name: Link, to: string | null): void {
    const draft = this.#at(`.${name}`);
    rmSync(draft, { force: true });
    if (to === null) rmSync(this.#at(name), { force: true });
    else {
      symlinkSync(`releases/${to}`, draft);
      renameSync(draft, this.#at(name));
    }
    sync(this.root);
  }

  /** What was unpacked is a release from here on. One of the same version that was there gives way. */
  adopt(name: string): void {
    const place = this.release(name);
    const old = this.#at(".old");
    rmSync(old, { recursive: true, force: true });
    if (existsSync(place)) renameSync(place, old);
    renameSync(this.incoming, place);
    sync(this.#at("releases"));
    sync(this.root);
    rmSync(old, { recursive: true, force: true });
  }

  get unsettled(): Unsettled | undefined {
    const path = this.#at("update.json");
    return existsSync(path) ? unsettled.parse(JSON.parse(readFileSync(path, "utf8"))) : undefined;
  }

  /** From one release to another, step by step; after each of them the box may lose its power. */
  switching(next: Unsettled): readonly (() => void)[] {
    return [
      () => this.#note(next),
      () => this.setLink("previous", next.from),
      () => this.setLink("current", next.to),
    ];
  }
  back({ from, previous }: Unsettled): readonly (() => void)[] {
    return [() => this.setLink("current", from), () => this.setLink("previous", previous)];
  }

  /** It is as it should be: nothing is left to be done or undone, and releases that no link leads to go. */
  settle(): void {
    rmSync(this.#at("update.json"), { force: true });
    sync(this.root);
    const kept = [this.link("current"), this.link("previous")];
    for (const name of readdirSync(this.#at("releases")))
      if (!kept.includes(name)) rmSync(this.#at("releases", name), { recursive: true, force: true });
  }

  /** What a crash left half made, which nothing leads to. */
  tidy(): void {
    for (const name of [".incoming", ".old", ".current", ".previous", ".update.json"])
      rmSync(this.#at(name), { recursive: true, force: true });
  }

  #note(value: Unsettled): void {
    const draft = this.#at(".update.json");
    writeFileSync(draft, `${JSON.stringify(value)}\n`, { flush: true });
    renameSync(draft, this.#at("update.json"));
    sync(this.root);
  }

  #at(...names: readonly string[]): string {
    return join(this.root, ...names);
  }
}

/** The form of the journal that a release reads, as its package says; the first ones say nothing of it. */
export function journalFormIn(place: string): number {
  const text = readFileSync(join(place, "package.json"), "utf8");
  return packageFile.parse(JSON.parse(text)).scanvend.journal;
}
const packageFile = z.looseObject({
  scanvend: z.looseObject({ journal: z.int().positive().default(FIRST_FORM) }).prefault({}),
});

function sync(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
