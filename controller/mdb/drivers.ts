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

export const drivers: Readonly<Record<Configuration["driver"], Maker>> = {
  qibixx: {
    baudRate: 115_200,
    framing: lines,
    make: ({ currency, decimals, adapterSettings }) =>
      qibixx(qibixxSetup(currency, decimals, adapterSettings)),
  },
  "mdb-hex": { baudRate: 115_200, framing: lines, make: (settings) => raw(rawSetup(settings)) },
  matedealer: { baudRate: 38_400, framing: carriageReturns, make: () => mateDealer },
  wafer: { baudRate: 9_600, framing: stxEtx, make: (settings) => raw(rawSetup(settings)) },
};
