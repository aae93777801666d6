/** Chance is given out once, however it is drawn. */
import { expect, test } from "vitest";
import { systemRandom } from "../../broker/protocol/system.js";

test("no two draws are alike, of whatever sizes and across the ends of what was drawn before", () => {
  const seen = new Set<string>();
  for (let draw = 0; draw < 5_000; draw += 1) {
    const count = 16 + (draw % 50);
    const bytes = systemRandom.bytes(count);
    expect(bytes).toHaveLength(count);
    expect(bytes.some((byte) => byte !== 0)).toBe(true);
    seen.add(Buffer.from(bytes).toString("hex"));
  }
  expect(seen.size).toBe(5_000);
});

test("more than is drawn at once comes whole", () => {
  const bytes = systemRandom.bytes(10_000);
  expect(bytes).toHaveLength(10_000);
  expect(new Set(bytes).size).toBe(256);
});

test("what was given out does not change with later draws", () => {
  const first = systemRandom.bytes(32);
  const copy = Uint8Array.from(first);
  for (let draw = 0; draw < 500; draw += 1) systemRandom.bytes(32);
  expect([...first]).toEqual([...copy]);
});
