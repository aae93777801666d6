/** The trace: recent history first, then what comes, in order, once, within its bound. */
import { expect, test } from "vitest";
import { Trace, type TraceEntry } from "../../simulator/machine/trace.js";
import { VirtualClock } from "./virtual-clock.js";

const serial = (line: string) => ({ kind: "serial", dir: "toMachine", line }) as const;

async function take(entries: AsyncGenerator<TraceEntry, void>, count: number): Promise<readonly number[]> {
  const seen: number[] = [];
  while (seen.length < count) {
    const next = await entries.next();
    if (next.done === true) break;
    seen.push(next.value.seq);
  }
  return seen;
}

test("an entry says when, which machine and what", async () => {
  const trace = new Trace("m-1", new VirtualClock());
  trace.add(serial("C,0"));
  const { value } = await trace.follow(0, new AbortController().signal).next();
  expect(value).toEqual({ seq: 1, at: "2026-01-01T00:00:00.000Z", machine: "m-1", ...serial("C,0") });
});

test("a follower gets what is kept, then what comes", async () => {
  const trace = new Trace("m-1", new VirtualClock());
  trace.add(serial("a"));
  trace.add(serial("b"));
  const entries = trace.follow(0, new AbortController().signal);
  expect(await take(entries, 2)).toEqual([1, 2]);
  const next = take(entries, 1);
  trace.add(serial("c"));
  expect(await next).toEqual([3]);
});

// prettier-ignore
const resumptions: readonly [why: string, since: number, first: number][] = [
  ["from the beginning",                        0,     501],
  ["where it was",                              1_400, 1_401],
  ["after what the ring has already forgotten", 20,    501],
  ["with a number of an earlier process",       9_999, 501],
];
for (const [why, since, first] of resumptions) {
  test(`a follower goes on ${why}`, async () => {
    const trace = new Trace("m-1", new VirtualClock());
    for (let i = 0; i < 1_500; i += 1) trace.add(serial(String(i)));
    expect(await take(trace.follow(since, new AbortController().signal), 1)).toEqual([first]);
  });
}

test("a follower who waits is let go by its signal", async () => {
  const trace = new Trace("m-1", new VirtualClock());
  const gone = new AbortController();
  const entries = trace.follow(0, gone.signal);
  const next = entries.next();
  gone.abort();
  expect(await next).toEqual({ value: undefined, done: true });
});
