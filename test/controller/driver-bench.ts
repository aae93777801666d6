/**
 * A driver, its wire, its simulated adapter and the machine behind it, on one clock that stands still: what a test does to
 * any of them, and what the driver says of it.
 */
import { configuration, type Configuration } from "../../controller/configuration.js";
import type { Ask, DriverEffect, DriverEvent, MdbState, Said } from "../../controller/mdb/driver.js";
import { drivers } from "../../controller/mdb/drivers.js";
import type { Adapter } from "../../simulator/machine/adapter.js";
import { adapterFor, framingOf, type AdapterPlan } from "../../simulator/machine/adapters.js";
import { noFaults } from "../../simulator/machine/faults.js";
import type { LineFraming } from "../../simulator/machine/line-framing.js";
import { Machine } from "../../simulator/machine/machine.js";
import { Trace } from "../../simulator/machine/trace.js";
import { newVmc } from "../../simulator/machine/vmc.js";
import { chance } from "../chance.js";
import { VirtualClock } from "../simulator/virtual-clock.js";

export const WATER = 11; // 2.50
export const ICE = 12; // 4.50

const QIBIXX_IDLE = { adapterSettings: { "mdb-always-idle": "1" } };

export type Kind = Configuration["driver"];
type Told = Exclude<Said, { kind: "mdb" }>;
type Untimed<E = DriverEvent> = E extends unknown ? Omit<E, "nowMs"> : never;

export class DriverBench {
  readonly clock = new VirtualClock();
  readonly machine: Machine;
  readonly states: MdbState[] = [];
  readonly said: Told[] = [];
  readonly alarms: string[] = [];
  /** The first that was said after each approval, or what then made an unknown one known; "silence" while nothing was. */
  readonly outcomes: string[] = [];
  #open: number | undefined; // the request that waits for an answer
  #isApproved = false;
  #isUnknown = false; // the last outcome: it may still be told
  readonly #kind: Kind;
  readonly #driver;
  readonly #adapter: Adapter;
  readonly #framing;
  readonly #wire;
  #state: unknown;
  #rest = Buffer.alloc(0); // of what came from the adapter
  #queue: Untimed[] = [];
  #isBusy = false;
  #isHeld = false;
  #isPlugged = false;
  #splitter: ReturnType<LineFraming["splitter"]> | undefined;
  #cancelWake: () => void = () => undefined;

  constructor(kind: Kind, alwaysIdle = false, changes: Readonly<Record<string, unknown>> = {}, seed = 1) {
    const plan: AdapterPlan =
      kind === "matedealer"
        ? { kind }
        : kind === "qibixx"
          ? { kind, alwaysIdle }
          : { kind, level: 3, address: "0x10", alwaysIdle, pollMs: 150 };
    const settings = configuration.parse({
      machineId: "m-1",
      dataDir: "data",
      serial: "/dev/adapter",
      mqttUrl: "mqtt://127.0.0.1",
      cloudKeys: [{ kid: "k", publicKey: KEY }],
      currency: "NZD",
      driver: kind,
      ...(alwaysIdle ? (kind === "qibixx" ? QIBIXX_IDLE : { reader: { level: 3, alwaysIdle } }) : {}),
      ...changes,
    });
    this.#kind = kind;
    this.#driver = drivers[kind].make(settings);
    this.#framing = drivers[kind].framing;
    this.#wire = framingOf(plan);
    this.#state = this.#driver.initial;
    const vmc = newVmc(
      { ...TIMING, decimals: 2, selectsFirst: alwaysIdle },
      [
        { item: WATER, name: "Water", priceMinor: 250, stock: 9 },
        { item: ICE, name: "Ice", priceMinor: 450, stock: 9 },
      ],
      noFaults,
    );
    const trace = new Trace("m-1", this.clock);
    this.machine = new Machine(vmc, "NZD", this.clock, trace, (word) => this.#adapter.say(word));
    this.#adapter = adapterFor(plan, {
      clock: this.clock,
      decimals: 2,
      obey: (command) => this.machine.obey(command),
      lost: () => this.machine.lost(),
      random: { fraction: chance(seed), bytes: (count) => new Uint8Array(count) },
      faults: () => this.machine.vmc.faults,
      write: (line) => this.inject(`${this.#wire.before}${line}${this.#wire.after}`),
    });
  }

  get mdb(): MdbState {
    return this.states.at(-1) ?? "lost";
  }
  get fallen(): number {
    return this.machine.vmc.coils.reduce((sum, { fallen }) => sum + fallen, 0);
  }
  /** What was said since the last time, as words. */
  heard(): string {
    return this.said.splice(0).map(wordsOf).join(", ");
  }

  plug(): void {
    this.#isPlugged = true;
    this.#rest = Buffer.alloc(0);
    this.#splitter = this.#wire.splitter();
    this.#take({ kind: "connected" });
  }
  unplug(): void {
    this.#isPlugged = false;
    this.#adapter.lost();
    this.#take({ kind: "disconnected" });
  }
  /** The controller dies and comes back, and the adapter has noticed nothing: another driver on the same line. */
  crash(): void {
    this.#cancelWake();
    this.#state = this.#driver.initial;
    this.#open = undefined;
    this.plug();
  }
  ask(ask: Ask): void {
    this.#take({ kind: "ask", ask });
  }
  // As the sale does: it opens when nothing is known to be open, approves a request once, and has no hope when it closes.

  open(): void {
    if (this.#isApproved || this.mdb !== "enabled") return;
    this.#isUnknown = false;
    this.ask({ kind: "openSession", amountMinor: 400 });
  }
  approve(): void {
    if (this.#open === undefined || this.#isApproved) return;
    this.#isApproved = true;
    this.#isUnknown = false;
    this.outcomes.push("silence");
    this.ask({ kind: "approve", request: this.#open });
    this.#open = undefined;
  }
  close(): void {
    if (this.#isApproved) this.#settle("timeout");
    this.ask({ kind: "closeSession" });
  }
  #settle(outcome: string): void {
    this.outcomes.splice(-1, 1, outcome);
    this.#isApproved = false;
    this.#isUnknown = /^(timeout|sessionEnded|lost)$/.test(outcome);
  }
  pass(ms: number): void {
    this.clock.advance(ms);
  }
  /** What the adapter says stays in the serial buffer until the next `release`. */
  hold(): void {
    this.#isHeld = true;
  }
  release(): void {
    this.#isHeld = false;
    this.inject("");
  }
  /** Bytes on their way to the controller. */
  inject(text: string): void {
    if (!this.#isPlugged) return;
    this.#rest = Buffer.concat([this.#rest, Buffer.from(text, "latin1")]);
    if (this.#isHeld) return;
    for (let at = this.#end(); at >= 0; at = this.#end()) {
      const line = this.#framing.read(this.#rest.subarray(0, at));
      this.#rest = this.#rest.subarray(at + 1);
      this.#take({ kind: "line", text: line });
    }
  }
  /** A line of the adapter's. */
  says(text: string): void {
    this.#line(text);
  }
  /** A line that no adapter says; what stands before one is missing too. */
  garbage(text: string): void {
    this.inject(`${text}${this.#wire.after}`);
  }
  /** READER DISABLE in the middle of a vend: a block passes at once, a Qibixx tells of it when the session is over. */
  disable(whenOver: () => void): void {
    if (this.#kind === "matedealer") {
      whenOver();
      this.#adapter.say({ kind: "disabled" });
      this.pass(1_500);
      return;
    }
    if (this.#kind !== "qibixx") this.#line("140014");
    whenOver();
    if (this.#kind === "qibixx") this.#line("c,STATUS,DISABLED");
  }
  #line(text: string): void {
    this.inject(`${this.#wire.before}${text}${this.#wire.after}`);
  }
  #end(): number {
    return this.#rest.indexOf(this.#framing.end);
  }

  #take(event: Untimed): void {
    this.#queue.push(event);
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const timed = { ...next, nowMs: this.clock.monoMs() } as DriverEvent; // Untimed took only nowMs away
      const [state, effects] = this.#driver.step(this.#state, timed);
      this.#state = state;
      for (const effect of effects) this.#perform(effect);
    }
    this.#isBusy = false;
    this.#cancelWake();
    const due = this.#driver.dueMs(this.#state);
    if (due !== undefined)
      this.#cancelWake = this.clock.after(Math.max(0, due - this.clock.monoMs()), () =>
        this.#take({ kind: "tick" }),
      );
  }

  #hear(said: Told): void {
    this.said.push(said);
    if (said.kind === "vendRequested") {
      if (!this.#isApproved) this.#open = said.request;
      return;
    }
    if (said.kind === "opened" || said.kind === "notOpened") return;
    this.#open = undefined;
    if (this.#isApproved || (this.#isUnknown && said.kind.startsWith("vend"))) this.#settle(said.kind);
  }

  #perform(effect: DriverEffect): void {
    if (effect.kind === "alarm") this.alarms.push(effect.code);
    if (effect.kind === "say") {
      if (effect.said.kind === "mdb") this.states.push(effect.said.mdb);
      else this.#hear(effect.said);
    }
    if (effect.kind === "send")
      for (const line of this.#splitter?.push(this.#framing.write(effect.text)) ?? [])
        if (line !== "") this.#adapter.heard(line);
  }
}

export const wordsOf = (said: Told): string =>
  said.kind === "vendRequested"
    ? `vendRequested ${said.request} ${said.item} ${said.priceMinor ?? "?"}`
    : said.kind;

const KEY = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
const TIMING = {
  coilMs: 600,
  setupMs: 100,
  sessionIdleMs: 60_000,
  answerMs: 60_000,
  lateEnableMs: 5_000,
  noticeMs: 2_000,
};
