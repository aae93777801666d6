/** The adapter settings a machine's currency asks for. Pure. MDB/ICP 4.2, 7.4.2 (READER CONFIG). */
import { countryOf } from "./country.js";
import type { QibixxSetup } from "./qibixx.js";

/** `further` wins. A currency without a number here needs its `mdb-currency-code` from there. */
export function qibixxSetup(
  currency: string,
  decimals: number,
  drainMs: number,
  further: Readonly<Record<string, string>>,
): QibixxSetup {
  const country = countryOf(currency);
  const settings = {
    "mdb-always-idle": "0", // credit first: a session is opened with what was paid
    ...(country === undefined ? {} : { "mdb-currency-code": `0x${country}` }),
    "mdb-decimal-places": String(decimals),
    "mdb-scale-factor": "1",
    ...further,
  };
  const selectsFirst = settings["mdb-always-idle"] === "1";
  return { decimals, drainMs, selectsFirst, settings: Object.entries(settings) };
}
