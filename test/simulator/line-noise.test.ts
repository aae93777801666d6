/** A noisy line hides what was said, and never says anything else. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { say } from "../../simulator/machine/adapter-line.js";
import { inLines } from "../../simulator/machine/line-framing.js";
import { withNoise } from "../../simulator/machine/line-noise.js";

const sentence = fc.oneof(
  fc.constantFrom(say.enabled, say.succeeded, say.failed, say.reset, say.cancelled, say.on, say.version),
  fc.tuple(fc.integer({ min: 0, max: 99_999 }), fc.integer({ min: 0, max: 0xffff })).map(([minor, item]) => {
    return say.requested((minor / 100).toFixed(2), item);
  }),
);
/** What a careful reader would act on: nothing but printable characters, and the whole of a sentence with meaning. */
const MEANING = /^(c,STATUS,(ENABLED|VEND,\d+(\.\d+)?,\d+)|c,VEND,SUCCESS|c,ERR,VEND \d|c,\d+)$/;

test("every sentence that arrives readable is one that was said, and most of them arrive", () => {
  let said = 0;
  let arrived = 0;
  fc.assert(
    fc.property(
      fc.array(sentence),
      fc.infiniteStream(fc.integer({ min: 0, max: 0xffff_ffff })),
      (lines, dice) => {
        const random = {
          fraction: () => dice.next().value / 2 ** 32,
          bytes: (count: number) => Uint8Array.from({ length: count }, () => dice.next().value & 0xff),
        };
        const wire = Buffer.concat(lines.map((line) => withNoise(line, random, inLines))).toString("latin1");
        const readable = wire.split("\r\n").filter((line) => MEANING.test(line));
        for (const line of readable) expect(lines).toContain(line);
        said += lines.filter((line) => MEANING.test(line)).length;
        arrived += readable.length;
      },
    ),
    { numRuns: 2_000 },
  );
  expect(arrived / said).toBeGreaterThan(0.5);
  expect(arrived / said).toBeLessThan(1);
});
