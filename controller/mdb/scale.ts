/**
 * The one way between prices as they are on the bus and minor units (MDB/ICP 4.2, 7.4.2). Pure.
 *
 * Promises  whole numbers only; what does not fit is refused, never rounded.
 */
import { AMOUNT_LIMIT_MINOR } from "../../broker/protocol/money.js";

/** A price on the bus is `scaled × scale × 10^-decimals`; a minor unit is 10^-`minorDecimals`. */
export type Scale = { readonly scale: number; readonly decimals: number; readonly minorDecimals: number };

export function minorOf(scaled: number, scale: Scale): number | undefined {
  const [up, down] = factors(scale);
  const minor = (scaled * up) / down;
  return Number.isInteger(minor) && minor < AMOUNT_LIMIT_MINOR ? minor : undefined;
}

export function scaledOf(minor: number, scale: Scale, most: number): number | undefined {
  const [up, down] = factors(scale);
  const scaled = (minor * down) / up;
  return Number.isInteger(scaled) && scaled <= most ? scaled : undefined;
}

/** Minor units are `scaled × up ÷ down`: both whole, so that the quotient is exact or not whole. */
function factors({ scale, decimals, minorDecimals }: Scale): readonly [up: number, down: number] {
  const places = minorDecimals - decimals;
  return places >= 0 ? [scale * 10 ** places, 1] : [scale, 10 ** -places];
}
