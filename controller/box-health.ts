/** How the box is: what the kernel and the card say of themselves, for the status. Never fails: what cannot be read is left out. */
import { readFileSync, statfsSync } from "node:fs";
import { uptime } from "node:os";
import type { Telemetry } from "../broker/protocol/messages.js";

export type BoxHealth = Pick<
  Telemetry,
  "uptimeSeconds" | "boxUptimeSeconds" | "residentMb" | "freeDiskMb" | "temperatureC"
>;

const MB = 1024 * 1024;
const HOTTEST_C = 200; // past it the sensor is broken

/** `thermal` is absent on most computers that are no small box. */
export function boxHealth(dataDir: string, thermal = "/sys/class/thermal/thermal_zone0/temp"): BoxHealth {
  const temperatureC = temperature(thermal);
  const freeDiskMb = freeMb(dataDir);
  return {
    uptimeSeconds: Math.floor(process.uptime()),
    boxUptimeSeconds: Math.floor(uptime()),
    residentMb: Math.round(process.memoryUsage.rss() / MB),
    ...(freeDiskMb === undefined ? {} : { freeDiskMb }),
    ...(temperatureC === undefined ? {} : { temperatureC }),
  };
}

function temperature(path: string): number | undefined {
  try {
    const celsius = Math.round(Number(readFileSync(path, "utf8")) / 1_000); // the kernel counts thousandths
    return Math.abs(celsius) <= HOTTEST_C ? celsius : undefined;
  } catch {
    return undefined;
  }
}

function freeMb(dir: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return Math.floor((bavail * bsize) / MB);
  } catch {
    return undefined;
  }
}
