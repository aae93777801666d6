/** What one machine's key can have written: so much and no more, and a machine that is only unlucky notices nothing of it. */
import { expect, test } from "vitest";
import type { Clock } from "../../broker/protocol/clock.js";
import type { JournalLine } from "../../broker/protocol/messages.js";
import { ReportLimits } from "../../cloud/vending/report-limits.js";
import { clock as real, Cloud, Machine, OTHER } from "./cloud.js";

const alarm: JournalLine = { kind: "alarm", code: "c", detail: "" };
const written = async (cloud: Cloud): Promise<readonly string[]> =>
  (await cloud.store.read.selectFrom("machine_report").select("journal").orderBy("journal").execute()).map(
    ({ journal }) => journal,
  );
type Line = { readonly machine: string; readonly count: number; readonly msg: string };
const lines = (log: readonly string[], about: string): readonly Line[] =>
  log.map((line) => JSON.parse(line) as Line).filter(({ msg }) => msg.includes(about)); // pino wrote them

test("a machine begins so many journals a day: of more nothing is heard, and what it has goes on", async () => {
  const log: string[] = [];
  const reports = { perMinute: 1_000, journalsPerDay: 2 };
  await using cloud = await Cloud.start({ webhooks: false, reports, log });
  await using machine = await Machine.connect(cloud);
  await using other = await Machine.connect(cloud, OTHER);
  await machine.report("a", 1, alarm);
  await machine.report("b", 1, alarm);
  await machine.heard("b", 1);
  for (let n = 0; n < 5; n += 1) {
    await machine.report(`more-${n}`, 1, alarm);
    expect(await machine.upTo(`more-${n}`)).toBe(0);
  }
  await machine.report("a", 2, alarm);
  await machine.heard("a", 2);
  await other.report("c", 1, alarm);
  await other.heard("c", 1);
  expect(await written(cloud)).toEqual(["a", "a", "b", "c"]);
  expect(lines(log, "journalsPerDay").map(({ count }) => count)).toEqual([1, 2, 4]);
});

test("the journals of the day before count no more", async () => {
  const reports = { perMinute: 1_000, journalsPerDay: 2 };
  let aheadMs = 0;
  const clock: Clock = { ...real, nowMs: () => real.nowMs() + aheadMs };
  await using cloud = await Cloud.start({ webhooks: false, reports, clock });
  await using machine = await Machine.connect(cloud);
  for (const journal of ["a", "b"]) {
    await machine.report(journal, 1, alarm);
    await machine.heard(journal, 1);
  }
  await machine.report("c", 1, alarm);
  expect(await machine.upTo("c")).toBe(0);
  aheadMs = 86_400_000;
  await machine.report("c", 1, alarm);
  expect(await machine.upTo("c")).toBe(1);
});

test("a machine reports so many lines in a minute: more are not taken in before the next, and another machine's are", async () => {
  const log: string[] = [];
  const reports = { perMinute: 5, journalsPerDay: 10 };
  let aheadMs = 0;
  const clock: Clock = { ...real, monoMs: () => real.monoMs() + aheadMs };
  await using cloud = await Cloud.start({ webhooks: false, reports, log, clock });
  await using machine = await Machine.connect(cloud);
  await using other = await Machine.connect(cloud, OTHER);
  for (let entry = 1; entry <= 10; entry += 1) await machine.report("a", entry, alarm);
  await other.report("b", 1, alarm);
  await other.heard("b", 1); // in order: by now the others have been looked at
  await machine.heard("a", 5);
  expect(await written(cloud)).toEqual(["a", "a", "a", "a", "a", "b"]);
  expect(lines(log, "reportsPerMinute").map(({ count }) => count)).toEqual([1, 2, 4]);
  aheadMs = 60_000;
  await machine.report("a", 6, alarm);
  await machine.heard("a", 6);
});

/** Limits whose clock the test moves, and what they log. */
function limited() {
  let nowMs = 0;
  const said: unknown[] = [];
  const log = { info: () => undefined, error: () => undefined, warn: (what: object) => void said.push(what) };
  const clock: Clock = { ...real, monoMs: () => nowMs };
  const limits = new ReportLimits({ perMinute: 1, journalsPerDay: 1 }, clock, log);
  const say = (code: string, machine = "m"): void => limits.say({ machine, code, detail: "" });
  return { said, say, pass: (ms: number) => (nowMs += ms) };
}

test("an alarm that comes again and again is logged at every power of two, and an hour later at once", () => {
  const { said, say, pass } = limited();
  for (let n = 1; n <= 1_000; n += 1) say("jammed");
  expect(said).toHaveLength(10);
  expect(said.at(-1)).toEqual({ machine: "m", code: "jammed", detail: "", count: 512 });
  say("door");
  say("jammed", "another machine");
  expect(said).toHaveLength(12);
  pass(3_600_000);
  say("jammed");
  expect(said.at(-1)).toMatchObject({ code: "jammed", count: 1 });
});

test("a machine that makes up a code for each of its alarms fills no log either", () => {
  const { said, say } = limited();
  for (let n = 1; n <= 4_000; n += 1) say(`code-${n}`);
  expect(said.length).toBeLessThan(70);
  say("jammed", "another machine");
  expect(said.at(-1)).toMatchObject({ machine: "another machine" });
});
