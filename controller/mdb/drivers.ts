/** The adapters a machine may be wired to: what drives each, how its lines are framed, and how fast its port is. */
import type { Configuration } from "../configuration.js";
import { carriageReturns, lines, stxEtx, type Framing } from "../serial/framing.js";
import type { Driver } from "./driver.js";
import { mateDealer } from "./matedealer.js";
import { qibixx } from "./qibixx.js";
import { qibixxSetup } from "./qibixx-setup.js";
import { raw } from "./raw.js";
import { rawSetup } from "./raw-setup.js";

type Maker = {
  readonly baudRate: number;
  readonly framing: Framing;
  make(settings: Configuration): Driver<unknown>;
};

/** A socket is read each turn; a device is read by a thread, which has first to be woken. */
export const DEVICE_DRAIN_MS = 2;
const drainMs = (serial: string): number => (serial.startsWith("tcp://") ? 0 : DEVICE_DRAIN_MS);

export const drivers: Readonly<Record<Configuration["driver"], Maker>> = {
  qibixx: {
    baudRate: 115_200,
    framing: lines,
    make: ({ serial, currency, decimals, adapterSettings }) =>
      qibixx(qibixxSetup(currency, decimals, drainMs(serial), adapterSettings)),
  },
  "mdb-hex": {
    baudRate: 115_200,
    framing: lines,
    make: (settings) => raw(rawSetup(settings, drainMs(settings.serial))),
  },
  wafer: {
    baudRate: 9_600,
    framing: stxEtx,
    make: (settings) => raw(rawSetup(settings, drainMs(settings.serial))),
  },
  matedealer: {
    baudRate: 38_400,
    framing: carriageReturns,
    make: ({ serial }) => mateDealer(drainMs(serial)),
  },
};
