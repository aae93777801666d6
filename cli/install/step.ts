/**
 * What an installation is made of: steps that know whether they are done, so that it can be run again at any time.
 *
 * Promises  a file is whole or not there: it is written beside its place, synced, and renamed. A step that is done changes
 *           nothing.
 * Crash     between any two steps: run it again.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname } from "node:path";

export type Step = {
  /** `write /etc/…`: after "would" it says what is going to be. */
  readonly words: string;
  isDone(): boolean;
  act(): void;
};

export const directory = (path: string, mode: number): Step => ({
  words: `make ${path}`,
  isDone: () => existsSync(path),
  act: () => void mkdirSync(path, { recursive: true, mode }),
});

export const file = (path: string, text: string, mode = 0o644): Step => ({
  words: `write ${path}`,
  isDone: () => existsSync(path) && readFileSync(path, "utf8") === text,
  act: () => {
    mkdirSync(dirname(path), { recursive: true });
    const draft = `${path}.new`;
    const fd = openSync(draft, "w", mode);
    writeSync(fd, text);
    fsyncSync(fd);
    closeSync(fd);
    renameSync(draft, path);
  },
});

/** A whole directory; one that was cut short is under another name and is begun again. */
export const copy = (from: string, to: string): Step => ({
  words: `copy ${from} to ${to}`,
  isDone: () => existsSync(to),
  act: () => {
    const draft = `${to}.new`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, draft, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => basename(path) !== ".git",
    });
    renameSync(draft, to);
  },
});

/** One that is there, whatever it points to, is left alone: it says which release runs, and may have moved on. */
export const linkOnce = (path: string, to: string): Step => ({
  words: `link ${path} to ${to}`,
  isDone: () => isLink(path) && existsSync(path),
  act: () => {
    mkdirSync(dirname(path), { recursive: true });
    const draft = `${path}.new`;
    rmSync(draft, { force: true });
    symlinkSync(to, draft);
    renameSync(draft, path);
  },
});

export const removal = (path: string): Step => ({
  words: `remove ${path}`,
  isDone: () => !existsSync(path) && !isLink(path),
  act: () => rmSync(path, { recursive: true, force: true }),
});

/** A command that may be run again; it ends the installation if it fails. */
export const command = (argv: readonly [string, ...string[]]): Step => ({
  words: `run ${argv.join(" ")}`,
  isDone: () => false,
  act: () => {
    const [name, ...rest] = argv;
    const { status, stderr, error } = spawnSync(name, rest, { encoding: "utf8" });
    if (status !== 0)
      throw new InstallFailed(`${argv.join(" ")}: ${error?.message ?? stderr.trim()} (status ${status})`);
  },
});

/** Something of the box is not as it must be; the message says what to do. */
export class InstallFailed extends Error {
  override readonly name = "InstallFailed";
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}
