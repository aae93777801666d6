/** `npm run fuzz:serial -- --lines N --seed N [--driver NAME]`: the long walk. Exit status: 0 held, 1 a promise was broken, 2 called wrongly. */
import { parseArgs } from "node:util";
import { chance } from "../test/chance.js";
import { fuzz, KINDS } from "./serial-fuzz.js";

const { values } = parseArgs({
  options: {
    lines: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    driver: { type: "string" },
  },
});
const [lines, seed] = [Number(values.lines), Number(values.seed)];
const kinds = KINDS.filter((kind) => values.driver === undefined || kind === values.driver);
if (!Number.isInteger(lines) || lines < 1 || !Number.isInteger(seed) || kinds.length === 0) {
  process.stderr.write(
    `fuzz:serial: --lines and --seed: whole numbers; --driver: one of ${KINDS.join(", ")}\n`,
  );
  process.exitCode = 2;
} else
  for (const kind of kinds) {
    const fromMs = performance.now();
    try {
      const figures = fuzz(kind, lines, chance(seed), (done) => process.stderr.write(`${kind}: ${done}\n`));
      const seconds = ((performance.now() - fromMs) / 1_000).toFixed(1);
      process.stdout.write(`${JSON.stringify({ kind, seed, seconds, ...figures })}\n`);
    } catch (error) {
      process.stdout.write(
        `${kind}: seed ${seed}: ${error instanceof Error ? error.message : String(error)}\n`,
      );
      process.exitCode = 1;
    }
  }
