/**
 * A bad cable: what becomes of one line on its way to the controller.
 *
 * Promises  a digit is never lost, changed or invented in a line that still reads as a sentence: a cut goes back to before
 *           the number it fell into, damage is a byte no adapter sends. Noise may hide a result, never forge one.
 */
import type { Random } from "../../broker/protocol/clock.js";

type Ends = { readonly before: string; readonly after: string };

/** The bytes that arrive for `line`, what stands around it included. Six lines in ten arrive whole. */
export function withNoise(line: string, random: Random, { before, after }: Ends): Uint8Array {
  const whole = Buffer.from(`${before}${line}${after}`);
  const fate = random.fraction();
  if (fate < 0.6) return whole;
  if (fate < 0.8) return Buffer.concat([garbage(random), Buffer.from(after), whole]);
  const at = Math.floor(random.fraction() * line.length);
  const head = Buffer.from(`${before}${line.slice(0, at)}`);
  if (fate < 0.9) return Buffer.from(head.toString().replace(/[0-9.]+$/, "")); // its end is lost with its tail
  return Buffer.concat([head, garbage(random), Buffer.from(`${line.slice(at)}${after}`)]);
}

/** One to eight bytes above ASCII. */
function garbage(random: Random): Uint8Array {
  const count = 1 + Math.floor(random.fraction() * 8);
  return random.bytes(count).map((byte) => byte | 0x80);
}
