/** Ids: time-ordered, so that an index grows at its end, and unguessable, so that knowing one proves something. Pure. */
import type { Random } from "./clock.js";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"; // in ASCII order: text sorts as numbers do
const TIME_DIGITS = 8; // 62^8 ms is far past the year 8000
const RANDOM_DIGITS = 17; // 101 bits

/** 25 characters of base 62: 8 of milliseconds, 17 of chance. Later ids sort after earlier ones. */
export function newId(nowMs: number, random: Random): string {
  return timeDigits(nowMs) + randomDigits(RANDOM_DIGITS, random);
}

/** Sorts before every id of this moment and after every earlier one. */
export const firstIdAt = (nowMs: number): string =>
  timeDigits(nowMs) + DIGITS.charAt(0).repeat(RANDOM_DIGITS);

function timeDigits(nowMs: number): string {
  let time = "";
  for (let left = Math.floor(nowMs), i = 0; i < TIME_DIGITS; i += 1, left = Math.floor(left / 62)) {
    time = DIGITS.charAt(left % 62) + time;
  }
  return time;
}

/** `count` base-62 characters with nothing but chance in them: secrets, boot ids. */
export function randomDigits(count: number, random: Random): string {
  let out = "";
  while (out.length < count) {
    for (const byte of random.bytes(count + 8)) {
      const index = byte & 63;
      if (index < 62 && out.length < count) out += DIGITS.charAt(index);
    }
  }
  return out;
}
