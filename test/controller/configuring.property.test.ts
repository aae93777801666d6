/**
 * Whatever is received, in any order, and wherever the power goes: what is in force is what the disk says; no version is applied
 * twice, nor after a higher one; nothing changes in the middle of a sale; a configuration under which the machine does not sell is
 * taken back, and one that was never seen to sell is never called applied. After a start nothing is in force, nor is gone back to,
 * that the machine's file does not go with.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { MachineConfiguration } from "../../broker/protocol/machine-configuration.js";
import {
  boot,
  MAX_BOOTS,
  NOTHING_KEPT,
  statusOf,
  step,
  type Checked,
  type Configuring,
  type ConfiguringEvent,
  type ConfiguringStep,
  type Kept,
} from "../../controller/config/configuring.js";

const READY_WITHIN_MS = 5_000;
const made = (version: number): MachineConfiguration => ({
  version,
  currency: "NZD",
  items: [],
  texts: {},
  limits: {},
  readyWithinMs: READY_WITHIN_MS,
});
/** Which of them the machine's own file does not go with, as it is and as it is after a change. */
const misfits = [(): boolean => false, (version: number): boolean => version % 4 === 1] as const;
/** Under these the machine never becomes ready. */
const isBad = (version: number): boolean => version > 0 && version % 3 === 0;

/** A machine with a disk and a clock; `crash` says how many effects of a step are still done. */
class Bench {
  disk: Kept = NOTHING_KEPT;
  nowMs = 0;
  wired = true; // the machine itself is in order
  free = true;
  inForce = 0;
  file: 0 | 1 = 0;
  #readFile: 0 | 1 = 0;
  readonly #appliedOnce: number[] = [];
  readonly #proven = new Set([0]);
  state: Configuring;

  constructor() {
    [this.state] = boot(this.disk, 0, this.check);
  }
  readonly check = (configuration: MachineConfiguration): Checked =>
    misfits[this.#readFile](configuration.version)
      ? { ok: false, at: "reader.level: no" }
      : { ok: true, configuration };
  get ready(): boolean {
    return this.wired && this.free && !isBad(this.inForce);
  }
  take(event: ConfiguringEvent, done = Infinity): void {
    const before = this.inForce;
    const isCut = this.#run(step(this.state, event), done); // the start after it may take one back, too
    if (isCut) this.restart();
    else if (this.inForce !== before) expect(event).toMatchObject({ kind: "look", free: true });
  }
  look(done?: number): void {
    if (this.ready) this.#proven.add(this.inForce);
    this.take({ kind: "look", free: this.free, ready: this.ready, nowMs: this.nowMs }, done);
    const { applied } = statusOf(this.state);
    expect(this.#proven, `${applied} was never seen to sell`).toContain(applied);
  }
  restart(): void {
    this.free = true; // a sale never goes on
    this.nowMs += 1;
    this.#readFile = this.file;
    this.#run(boot(this.disk, this.nowMs, this.check), Infinity);
    this.inForce = this.state.kept.applied?.version ?? 0;
    expect(this.inForce).toBe(this.disk.applied?.version ?? 0);
    for (const one of [this.disk.applied, this.disk.trial?.previous ?? null])
      expect(one !== null && misfits[this.file](one.version)).toBe(false);
  }
  /** Whether the power went before all of it was done. */
  #run([next, effects]: ConfiguringStep, done: number): boolean {
    const [first] = effects;
    if (effects.length > 0) expect(first?.kind).toBe("keep");
    for (const [index, effect] of effects.entries()) {
      if (index >= done) return true;
      if (effect.kind === "keep") {
        expect(effect.kept.newest).toBeGreaterThanOrEqual(this.disk.newest);
        this.#count(effect.kept);
        this.disk = effect.kept;
      } else if (effect.kind === "apply") this.inForce = effect.configuration?.version ?? 0;
    }
    this.state = next;
    return false;
  }
  #count({ applied, trial }: Kept): void {
    const version = applied?.version ?? 0;
    if (trial === null || version === (this.disk.applied?.version ?? 0)) return;
    expect(version, "an old one came back").toBeGreaterThan(Math.max(0, ...this.#appliedOnce));
    this.#appliedOnce.push(version);
  }
}

const received = fc.record({
  kind: fc.constant("received" as const),
  version: fc.integer({ min: 1, max: 12 }),
  ok: fc.boolean(),
});
const event = fc.oneof(
  { weight: 3, arbitrary: received },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("look" as const), ms: fc.nat(9_000) }) },
  fc.record({ kind: fc.constantFrom("sale" as const, "wire" as const), on: fc.boolean() }),
  fc.record({ kind: fc.constant("file" as const), is: fc.constantFrom(0 as const, 1 as const) }),
  fc.record({ kind: fc.constant("restart" as const) }),
);
type Happens = typeof event extends fc.Arbitrary<infer E> ? E : never;

function happen(bench: Bench, next: Happens, done?: number): void {
  if (next.kind === "received") {
    const { version, ok } = next;
    const checked = ok ? bench.check(made(version)) : ({ ok: false, at: "limits.maxVends: no" } as const);
    bench.take({ kind: "received", version, checked }, done);
  } else if (next.kind === "look") {
    bench.nowMs += next.ms;
    bench.look(done);
  } else if (next.kind === "restart") bench.restart();
  else if (next.kind === "file") bench.file = next.is;
  else if (next.kind === "sale") {
    bench.free = !(next.on && bench.ready); // a sale begins only where one can
  } else bench.wired = next.on;
}

test("in any order, with the power gone anywhere", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(event, fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, fc.nat(2))), {
        maxLength: 60,
      }),
      (walk) => {
        const bench = new Bench();
        for (const [next, done] of walk) happen(bench, next, done);
        // Left in peace, a machine that is in order ends up selling, unless it was put out of order before.
        bench.wired = true;
        bench.free = true;
        const { trial } = bench.state.kept;
        for (let turn = 0; turn < 5; turn += 1) {
          bench.nowMs += READY_WITHIN_MS;
          bench.look();
        }
        if (trial === null || trial.judged) expect(bench.state.untilMs).toBeUndefined();
        if (trial?.judged === true) expect(bench.state.kept.trial).toBeNull();
      },
    ),
    { numRuns: 3_000 },
  );
});

test("a power cut whose start is the fourth takes one back at any event", () => {
  const bench = new Bench();
  happen(bench, { kind: "received", version: 1, ok: true });
  bench.look();
  for (let n = 0; n < 3; n += 1) bench.restart();
  expect(bench.inForce).toBe(1);
  happen(bench, { kind: "received", version: 2, ok: false }, 0);
  expect(bench.inForce).toBe(0);
});

test("a configuration that ends the process each time is taken back", () => {
  const bench = new Bench();
  happen(bench, { kind: "received", version: 1, ok: true });
  bench.look();
  bench.look();
  expect(statusOf(bench.state)).toEqual({ applied: 1 });
  happen(bench, { kind: "received", version: 3, ok: true });
  bench.look();
  expect(statusOf(bench.state)).toEqual({ applied: 1, trying: 3 });
  for (let boots = 0; boots < MAX_BOOTS; boots += 1) {
    bench.restart();
    expect(bench.inForce).toBe(3);
  }
  bench.restart();
  expect(bench.inForce).toBe(1);
  const taken = { applied: 1, refused: { version: 3, at: "the machine did not become ready" } };
  expect(statusOf(bench.state)).toEqual(taken);
  happen(bench, { kind: "received", version: 3, ok: true }); // the broker still has it
  bench.look();
  expect(statusOf(bench.state)).toEqual(taken);
});

test("one that the changed file does not go with is taken back at the next start, with the reason, and never comes again", () => {
  const bench = new Bench();
  happen(bench, { kind: "received", version: 1, ok: true });
  bench.look();
  bench.look();
  happen(bench, { kind: "file", is: 1 });
  bench.restart();
  const taken = { applied: 0, refused: { version: 1, at: "reader.level: no" } };
  expect(statusOf(bench.state)).toEqual(taken);
  happen(bench, { kind: "file", is: 0 });
  bench.restart();
  happen(bench, { kind: "received", version: 1, ok: true });
  bench.look();
  expect(statusOf(bench.state)).toEqual(taken);
});

test("one on trial that the changed file does not go with gives way to the one before, if that one does", () => {
  const bench = new Bench();
  happen(bench, { kind: "received", version: 4, ok: true });
  bench.look();
  bench.look();
  happen(bench, { kind: "received", version: 5, ok: true });
  bench.look();
  happen(bench, { kind: "file", is: 1 });
  bench.restart();
  expect(statusOf(bench.state)).toEqual({ applied: 4, refused: { version: 5, at: "reader.level: no" } });
});

test("one that is taken back is not named before a newer one that was refused: the cloud would say that one for ever", () => {
  const bench = new Bench();
  happen(bench, { kind: "received", version: 1, ok: true });
  bench.look();
  bench.look();
  happen(bench, { kind: "received", version: 2, ok: false });
  happen(bench, { kind: "file", is: 1 });
  bench.restart();
  expect(statusOf(bench.state)).toEqual({ applied: 0, refused: { version: 2, at: "limits.maxVends: no" } });
});

test("what could not sell before is not judged, and a newer one may mend it", () => {
  const bench = new Bench();
  bench.wired = false;
  happen(bench, { kind: "received", version: 3, ok: true });
  bench.look();
  for (let turn = 0; turn < 5; turn += 1) happen(bench, { kind: "look", ms: READY_WITHIN_MS });
  expect(statusOf(bench.state)).toEqual({ applied: 0, trying: 3 });
  happen(bench, { kind: "received", version: 4, ok: true });
  bench.look();
  bench.wired = true;
  bench.look();
  expect(statusOf(bench.state)).toEqual({ applied: 4 });
});

test("one that is refused says which part is wrong, once", () => {
  const bench = new Bench();
  const refused = { kind: "received", version: 2, ok: false } as const;
  happen(bench, refused);
  expect(statusOf(bench.state)).toEqual({ applied: 0, refused: { version: 2, at: "limits.maxVends: no" } });
  const [, again] = step(bench.state, {
    kind: "received",
    version: 2,
    checked: { ok: false, at: "limits.maxVends: no" },
  });
  expect(again).toEqual([]);
});

test("a trial that is lost in the middle of a sale ends with the sale", () => {
  const bench = new Bench();
  happen(bench, { kind: "received", version: 1, ok: true });
  bench.look();
  happen(bench, { kind: "sale", on: true });
  happen(bench, { kind: "look", ms: 2 * READY_WITHIN_MS });
  expect([bench.free, bench.inForce]).toEqual([false, 1]);
});

test("one that is refused while an older one waits stays refused when that one is applied", () => {
  const bench = new Bench();
  happen(bench, { kind: "received", version: 1, ok: true });
  happen(bench, { kind: "received", version: 2, ok: false });
  bench.look();
  bench.look();
  expect(statusOf(bench.state)).toEqual({ applied: 1, refused: { version: 2, at: "limits.maxVends: no" } });
});
