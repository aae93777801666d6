/** What our own cashless device is in a machine, from the controller's configuration. Pure. */
import type { Configuration } from "../configuration.js";
import { VERSION } from "../version.js";
import { countryOf } from "./country.js";
import type { RawSetup } from "./raw.js";

const UNKNOWN = "FFFF";

export function rawSetup(
  { machineId, currency, decimals, reader, facts, vendResultMs }: Configuration,
  drainMs: number,
): RawSetup {
  const [major = "0", minor = "0"] = VERSION.split(".");
  return {
    drainMs,
    minorDecimals: decimals,
    cashless: {
      device: reader.address === "0x60" ? 2 : 1,
      level: reader.level,
      country: reader.country ?? countryOf(currency) ?? UNKNOWN, // the configuration asks for one where it is unknown
      language: "en",
      scale: reader.scale,
      decimals: reader.decimals ?? decimals,
      responseSeconds: reader.responseSeconds,
      patienceSeconds: facts.patienceSeconds,
      vendResultMs,
      options: reader.options,
      features: reader.alwaysIdle ? ["alwaysIdle"] : [],
      identity: {
        manufacturer: "SCV",
        serial: machineId.slice(-12).padStart(12, "0"),
        model: "scanvend".padEnd(12),
        version: major.padStart(2, "0").slice(-2) + minor.padStart(2, "0").slice(-2),
      },
    },
  };
}
