/** Ids sort as time goes, and the first of a moment parts the ids before it from those of it. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { firstIdAt, newId } from "../../broker/protocol/id.js";

const random = { bytes: (count: number) => randomBytes(count), fraction: () => 0 };
const ms = fc.nat({ max: 5_000_000_000_000 });

test("an id of an earlier moment sorts before the first of a later one, and that before its own", () => {
  fc.assert(
    fc.property(ms, ms, (a, b) => {
      const [earlier, later] = a < b ? [a, b] : [b, a + 1];
      expect(newId(earlier, random) < firstIdAt(later)).toBe(true);
      expect(firstIdAt(later) <= newId(later, random)).toBe(true);
      expect(firstIdAt(later)).toHaveLength(newId(later, random).length);
    }),
  );
});
