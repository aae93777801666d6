/** One connection to a serial line, on whatever carries it. A closed link is never opened again: a new one is made. */
import type { Duplex } from "node:stream";
import { DeviceLink } from "./device-link.js";
import { TcpLink } from "./tcp-link.js";

/** serialport's own ports have this shape; so has everything else a driver may run on. */
export interface SerialLink extends Duplex {
  readonly isOpen: boolean;
  open(done: (error: Error | null) => void): void;
  close(done?: (error: Error | null) => void): void;
}

/** Links for a device path (`/dev/serial/by-id/…`) or a serial server (`tcp://host:port`). */
export function linksTo(place: string, baudRate: number): () => SerialLink {
  if (!place.startsWith("tcp://")) return () => new DeviceLink(place, baudRate);
  const { hostname, port } = new URL(place);
  return () => new TcpLink(hostname, Number(port));
}
