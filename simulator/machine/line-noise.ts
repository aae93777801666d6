/**
 * A bad cable: what becomes of one line on its way to the controller.
 *
 * Promises  a digit is never lost, changed or invented in a line that still reads as a sentence: a cut goes back to before
 *           the number it fell into, damage is a byte no adapter sends. Noise may hide a result, never forge one.
 */
import type { Random } from "../../broker/protocol/clock.js";

const END = Buffer.from("\r\n");

/** The bytes that arrive for `line`, its end included. Six lines in ten arrive whole. */
export function withNoise(line: string, random: Random): Uint8Array {
  const fate = random.fraction();
  if (fate < 0.6) return Buffer.concat([Buffer.from(line), END]);
  if (fate < 0.8) return Buffer.concat([garbage(random), END, Buffer.from(line), END]);
  const at = Math.floor(random.fraction() * line.length);
  if (fate < 0.9) return Buffer.from(line.slice(0, at).replace(/[0-9.]+$/, "")); // its end is lost with its tail
  return Buffer.concat([Buffer.from(line.slice(0, at)), garbage(random), Buffer.from(line.slice(at)), END]);
}

/** One to eight bytes above ASCII. */
function garbage(random: Random): Uint8Array {
  const count = 1 + Math.floor(random.fraction() * 8);
  return random.bytes(count).map((byte) => byte | 0x80);
}
