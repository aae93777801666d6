/** Which entries are said when; and that, whatever is lost, the cloud ends up with all of them in order. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Numbers, BLOCK } from "../../controller/bus/numbers.js";
import { dueMs, reportsFrom, step, WINDOW, type Reports } from "../../controller/bus/reports.js";

const AGAIN_MS = 2_000;

test("a connection says what is owed, in order, no further than the window", () => {
  const [state, say] = step(reportsFrom(3), { kind: "connected", last: 100, nowMs: 0 }, AGAIN_MS);
  expect(say).toEqual({ from: 3, to: 3 + WINDOW });
  expect(dueMs(state)).toBe(AGAIN_MS);
});

test("new entries go out at once; what was heard makes room for more", () => {
  const [first] = step(reportsFrom(0), { kind: "connected", last: WINDOW, nowMs: 0 }, AGAIN_MS);
  const [full, none] = step(first, { kind: "look", last: WINDOW + 5, nowMs: 1 }, AGAIN_MS);
  expect(none).toEqual({ from: WINDOW, to: WINDOW });
  const [, more] = step(full, { kind: "heard", upTo: 2, last: WINDOW + 5, nowMs: 2 }, AGAIN_MS);
  expect(more).toEqual({ from: WINDOW, to: WINDOW + 2 });
});

test("what stays unanswered is said again; when all is heard there is nothing to wait for", () => {
  const [said] = step(reportsFrom(0), { kind: "connected", last: 4, nowMs: 0 }, AGAIN_MS);
  expect(step(said, { kind: "look", last: 4, nowMs: AGAIN_MS - 1 }, AGAIN_MS)[1]).toEqual({ from: 4, to: 4 });
  const [, again] = step(said, { kind: "look", last: 4, nowMs: AGAIN_MS }, AGAIN_MS);
  expect(again).toEqual({ from: 0, to: 4 });
  const [heard] = step(said, { kind: "heard", upTo: 4, last: 4, nowMs: 5 }, AGAIN_MS);
  expect(dueMs(heard)).toBeUndefined();
});

test("an answer that is no further than before goes back to the gap, once for all the answers it caused", () => {
  const [said] = step(reportsFrom(0), { kind: "connected", last: 9, nowMs: 0 }, AGAIN_MS);
  const [two] = step(said, { kind: "heard", upTo: 2, last: 9, nowMs: 300 }, AGAIN_MS);
  const [back, gap] = step(two, { kind: "heard", upTo: 2, last: 9, nowMs: 301 }, AGAIN_MS);
  expect(gap).toEqual({ from: 2, to: 9 });
  const [, quiet] = step(back, { kind: "heard", upTo: 2, last: 9, nowMs: 302 }, AGAIN_MS);
  expect(quiet).toEqual({ from: 9, to: 9 });
});

test("a cloud that answers but cannot take the next entry is not asked faster for it", () => {
  let [state] = step(reportsFrom(0), { kind: "connected", last: 9, nowMs: 0 }, AGAIN_MS);
  let said = 0;
  for (let nowMs = 50; nowMs <= 10 * AGAIN_MS; nowMs += 50) {
    const [next, { from, to }] = step(state, { kind: "heard", upTo: 0, last: 9, nowMs }, AGAIN_MS);
    state = next;
    said += to - from;
  }
  expect(said).toBeLessThanOrEqual(11 * 9);
});

test("a cloud that has lost what it had is told again from where it is", () => {
  const [said] = step(reportsFrom(5), { kind: "connected", last: 9, nowMs: 0 }, AGAIN_MS);
  const [heard] = step(said, { kind: "heard", upTo: 9, last: 9, nowMs: 300 }, AGAIN_MS);
  expect(step(heard, { kind: "heard", upTo: 6, last: 9, nowMs: 600 }, AGAIN_MS)[1]).toEqual({
    from: 6,
    to: 9,
  });
});

test("over a line that loses half of everything, all entries arrive in order and none twice", () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.boolean()), fc.integer({ min: 1, max: 100 }), (lucky, last) => {
      let state: Reports = reportsFrom(0);
      let had = 0;
      let nowMs = 0;
      const arrives = (): boolean => lucky.next().value === true;
      const take = (say: { from: number; to: number }): void => {
        expect(say.to - had).toBeLessThanOrEqual(2 * WINDOW);
        const answers: number[] = [];
        for (let n = say.from + 1; n <= say.to; n += 1) {
          if (!arrives()) continue;
          if (n === had + 1) had = n;
          answers.push(had);
        }
        for (const upTo of answers) {
          if (!arrives()) continue;
          const [next, more] = step(
            state,
            { kind: "heard", upTo: Math.max(upTo, state.heard), last, nowMs },
            AGAIN_MS,
          );
          state = next;
          if (more.to > more.from) {
            take(more);
            return;
          }
        }
      };
      for (let round = 0; round < 2_000 && state.heard < last; round += 1) {
        const [next, say] = step(state, { kind: round === 0 ? "connected" : "look", last, nowMs }, AGAIN_MS);
        state = next;
        take(say);
        nowMs += AGAIN_MS;
      }
      expect([had, state.heard]).toEqual([last, last]);
    }),
    { numRuns: 200 },
  );
});

test("a connection's numbers rise, end before the will's, and begin above those of every earlier connection", () => {
  const numbers = new Numbers(7);
  expect(numbers.will).toBe(8 * BLOCK - 1);
  expect([numbers.next(), numbers.next()]).toEqual([7 * BLOCK, 7 * BLOCK + 1]);
  let last = 0;
  for (let n = numbers.next(); n !== undefined; n = numbers.next()) last = n;
  expect(last).toBe(numbers.will - 1);
  expect(new Numbers(8).next()).toBe(numbers.will + 1);
  expect(Number.isSafeInteger(new Numbers(2 ** 32).will)).toBe(true);
});
