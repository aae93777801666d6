/** What can be made to go wrong with a machine, its serial line and its network, and how a change is asked for. Pure. */
import { z } from "zod";

const MAX_MS = 3_600_000;
const must = {
  flag: "must be true or false",
  ms: `must be whole milliseconds up to ${MAX_MS}`,
  rate: "must be a rate from 0 to 1",
};

// Whoever ends every fault alike may say either `false` or `0`.
const flag = z.preprocess((value) => (value === 0 ? false : value), z.boolean(must.flag));
const ms = z.preprocess(zeroForFalse, z.int(must.ms).min(0, must.ms).max(MAX_MS, must.ms));
const rate = z.preprocess(zeroForFalse, z.number(must.rate).min(0, must.rate).max(1, must.rate));

const every = z.strictObject({
  /** The motor turns and nothing falls: VEND FAILURE. */
  jam: flag,
  /** The product falls and the machine never says how the vend ended. */
  noReport: flag,
  /** VEND SUCCESS is said twice. */
  duplicateReport: flag,
  /** The coil takes this long instead of its usual time. */
  slowCoilMs: ms,
  /** The VMC resets at once, and again in the middle of every vend. */
  vmcReset: flag,
  /** The VMC never takes the reader: it resets it at the end of each set-up. */
  resetLoop: flag,
  /** The VMC sets the reader up and never enables it, as with its door open. */
  neverEnables: flag,
  /** The VMC asks for ten times the price that it shows: its decimals are not ours. */
  priceTimesTen: flag,
  /** No VMC on the bus: the adapter answers, nothing else happens. */
  vmcSilent: flag,
  /** How often a block of the bus is misheard: refused, asked for again, or its acknowledgement lost. A Qibixx hides it. */
  busErrors: rate,
  /** Garbage, cut and damaged lines on the way to the controller. */
  serialNoise: flag,
  /** The serial connection is cut, and refused. */
  serialUnplugged: flag,
  /** The broker's connection is cut, and refused. */
  networkDown: flag,
  /** Every packet, either way, arrives this much later; the order stays. */
  networkDelayMs: ms,
  /** How many of the messages are lost, and how many arrive twice. */
  networkDrop: rate,
  networkDuplicate: rate,
});

export type Faults = Readonly<z.infer<typeof every>>;
/** What a request may ask: any of them; `false` or `0` ends one. */
export const faultsAsked = every.partial();
export type FaultsAsked = Readonly<z.infer<typeof faultsAsked>>;

export const noFaults: Faults = {
  jam: false,
  noReport: false,
  duplicateReport: false,
  slowCoilMs: 0,
  vmcReset: false,
  resetLoop: false,
  neverEnables: false,
  priceTimesTen: false,
  vmcSilent: false,
  busErrors: 0,
  serialNoise: false,
  serialUnplugged: false,
  networkDown: false,
  networkDelayMs: 0,
  networkDrop: 0,
  networkDuplicate: 0,
};

export function withFaults(faults: Faults, asked: FaultsAsked): Faults {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  return { ...faults, ...Object.fromEntries(given) };
}

function zeroForFalse(value: unknown): unknown {
  return value === false ? 0 : value;
}
