/** Where everything is on a box that runs a controller, and what is written there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const SHIPPED_ROOT = "/opt/scanvend";
const SHIPPED_NODE = "/usr/bin/node";
const packaged = (name: string): string =>
  readFileSync(new URL(`../../../packaging/${name}`, import.meta.url), "utf8");

/** The controller, and what finishes or undoes an update after a power cut. */
export const SERVICES = ["scanvend-controller.service", "scanvend-recover.service"] as const;
export type Service = (typeof SERVICES)[number];

/** A place on the box, and where it is written now: under `destdir`, for an image. */
export class Box {
  readonly destdir: string;
  readonly root: string;

  constructor(destdir: string, root: string) {
    this.destdir = destdir;
    this.root = root;
  }

  readonly dataDir = "/var/lib/scanvend";
  readonly configFile = "/etc/scanvend/controller.json";
  readonly releaseKeysFile = "/etc/scanvend/release-keys.json";
  readonly rules = "/etc/udev/rules.d/60-scanvend.rules";
  readonly users = "/etc/sysusers.d/scanvend.conf";
  readonly program = "/usr/local/bin/scanvend";

  get current(): string {
    return join(this.root, "current");
  }
  release(version: string): string {
    return join(this.root, "releases", version);
  }
  unit(service: Service): string {
    return `/etc/systemd/system/${service}`;
  }
  /** What has the unit started with the box. */
  wanted(service: Service): string {
    return `/etc/systemd/system/multi-user.target.wants/${service}`;
  }
  at(path: string): string {
    return join(this.destdir, path);
  }
}

export const unitText = (service: Service, root: string, node: string): string =>
  packaged(`systemd/${service}`).replaceAll(SHIPPED_ROOT, root).replaceAll(SHIPPED_NODE, node);
/** `scanvend` at a prompt is the release that runs, whichever that is. */
export const programText = (box: Box, node: string): string =>
  `#!/bin/sh\nexec ${node} ${box.current}/dist/cli.js "$@"\n`;
/** In a unit it stands for itself: systemd reads a blank, a quote, `%`, `$` and `\` as something else. */
export const fitsUnit = (path: string): boolean => /^[0-9A-Za-z/._@:+-]+$/.test(path);
export const rulesText = (): string => packaged("udev/60-scanvend.rules");
export const usersText = (): string => packaged("sysusers/scanvend.conf");
