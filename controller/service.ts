/**
 * The controller: joins the driver, the sale, the journal and the bus, and does what the two machines ask for.
 *
 * Owns      the order of things. Events are taken one at a time, to the end, in the order they came; the effects of one
 *           are done in their order; a journal effect is on disk before the next one is looked at.
 * Promises  when a write fails, nothing after it happens and the step is not taken: what the adapter said is kept and
 *           taken again when the disk works, what the bus said is dropped, because the cloud says it again.
 * Never     decides anything about a sale.
 * Bounded   `MAX_OWED` words of the adapter while the disk is broken; past that it stops, and boot tells the truth.
 * Crash     between any two effects: what was journaled is known, what was not has not happened.
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock, Random } from "../broker/protocol/clock.js";
import type { Message } from "../broker/protocol/envelope.js";
import { newId } from "../broker/protocol/id.js";
import type { Body, JournalLine } from "../broker/protocol/messages.js";
import type { BoxHealth } from "./box-health.js";
import type { BackOff } from "./back-off.js";
import type { Bus, OpenBus, ReplayWindows } from "./bus/bus.js";
import type { Snapshot } from "./kiosk/status-page.js";
import * as reports from "./bus/reports.js";
import type { Remote, RemoteEvents } from "./config/remote.js";
import type { Settings } from "./config/settings.js";
import type { Auditor, Reading } from "./dex/auditor.js";
import { mayWorkLater, type Journal } from "./journal/journal.js";
import type { Log } from "./log.js";
import type { Driver, DriverEffect, DriverEvent, Said } from "./mdb/driver.js";
import { labelOf } from "./mdb/item-label.js";
import { readDurable } from "./sale/durable.js";
import * as sale from "./sale/machine.js";
import type { Framing } from "./serial/framing.js";
import { SerialLine } from "./serial/serial-line.js";
import type { SerialLink } from "./serial/serial-link.js";
import type { AskBackend, Devices, ShowOn } from "./terminal/devices.js";
import { VERSION } from "./version.js";

export const RETRY_MS = 1_000;
export const MAX_OWED = 1_000;

export type ServiceOptions<State> = {
  readonly bootId: string;
  readonly terms: sale.Terms;
  readonly driver: Driver<State>;
  readonly journal: Journal;
  readonly replay: ReplayWindows;
  readonly newLink: () => SerialLink;
  readonly framing: Framing;
  readonly openBus: OpenBus;
  /** The scanner and the display, where there are any. */
  readonly openDevices?: ((ask: AskBackend, machine: ShowOn) => Devices) | undefined;
  /** Who reads the machine's own audit, where there is a line for it. */
  readonly auditor?: Auditor | undefined;
  /** How the box is; without it a status says nothing of it. */
  readonly box?: (() => BoxHealth) | undefined;
  readonly serialBackOff: BackOff;
  readonly reportAgainMs: number;
  readonly statusEveryMs: number;
  /** What the cloud may set from afar, and a driver that goes by it. Left out, nothing is set. */
  readonly remote?:
    { readonly configuration: Remote; readonly driver: (settings: Settings) => Driver<State> } | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};

export type Health = Body["status"] & { readonly free: boolean; readonly bus: boolean };
type Untimed<E> = E extends { readonly nowMs: number } ? Omit<E, "nowMs"> : never;
type ForDriver = Untimed<DriverEvent>;
type ForSale = Untimed<sale.SaleEvent>;
type Work =
  | { readonly to: "driver"; readonly event: ForDriver }
  | { readonly to: "sale"; readonly event: ForSale }
  | { readonly to: "reports"; readonly event: "connected" | Body["heard"] };

/** What a status says of a machine that is not there: the last will's, and the goodbye's. */
export const offline = (bootId: string): Body["status"] => ({
  online: false,
  bootId,
  version: VERSION,
  mdb: "lost",
  canSell: false,
  reason: "offline",
});

export class Service<State> {
  readonly #options: ServiceOptions<State>;
  readonly #line: SerialLine;
  readonly #bus: Bus;
  readonly #devices: Devices | undefined;
  readonly #queue: Work[] = [];
  readonly #owed: ForSale[] = [];
  readonly #remoteEvents: RemoteEvents = {
    apply: (settings) => this.#apply(settings),
    alarm: (code, detail) => this.#queue.push({ to: "sale", event: { kind: "alarm", code, detail } }),
  };
  readonly #holders = new Set<() => void>();
  readonly #notYetHeld = new Set<() => void>();
  #settings: Pick<Settings, "reportAgainMs" | "statusEveryMs" | "items" | "itemNumbers"> & {
    readonly wiring: Settings["wiring"] | undefined;
  };
  #drives: Driver<State>;
  #driver: State;
  #sale: sale.Sale;
  #reports: reports.Reports;
  #bootOwes: Extract<sale.SaleEffect, { kind: "journal" }> | undefined;
  /** What the log and the displays are told, in order, once the machine has its answer. */
  readonly #afterwards: (() => void)[] = [];
  #running = false;
  #closed = false;
  #reservedUntilMs = -Infinity; // somebody may be paying: their grant may come until then
  #retryMs: number | undefined; // set while the journal cannot be written
  #alarms = 0;
  #lastAlarm = "";
  #statusSaid = "";
  #statusMs = -Infinity;
  #statusAgainMs = 0;
  readonly #counted = { serialLosses: 0, mdbResets: 0, succeeded: 0, failed: 0, unknown: 0 };
  #cancelWake: () => void = () => undefined;

  /** Ends what an earlier run left open, then begins. */
  constructor(options: ServiceOptions<State>) {
    this.#options = options;
    const { driver, journal, terms, clock, random, log } = options;
    this.#settings = options.remote?.configuration.settings ?? {
      ...options,
      items: [],
      wiring: undefined,
      itemNumbers: undefined,
    };
    this.#drives = driver;
    this.#driver = driver.initial;
    const [booted, effects] = sale.boot(readDurable(journal.state), journal, terms);
    this.#sale = booted;
    this.#reports = reports.reportsFrom(journal.heard);
    // A disk that is full now may have room later: the machine starts, sells nothing, says why, and owes what boot has to say.
    for (const effect of effects)
      if (effect.kind === "journal" && !this.#attempt(() => this.#write(effect))) this.#bootOwes = effect;
    this.#line = new SerialLine({
      newLink: options.newLink,
      framing: options.framing,
      clock,
      random,
      backOff: options.serialBackOff,
      log,
      onConnected: () => this.#take({ to: "driver", event: { kind: "connected" } }),
      onDisconnected: () => {
        this.#counted.serialLosses += 1;
        this.#take({ to: "driver", event: { kind: "disconnected" } });
      },
      onLine: (text) => {
        if (log.debugging) log.debug({ dir: "rx", line: text }, "serial");
        this.#take({ to: "driver", event: { kind: "line", text } });
      },
    });
    this.#bus = options.openBus({
      onConnected: () => {
        this.#statusSaid = "";
        this.#take({ to: "reports", event: "connected" });
      },
      onMessage: (message) => this.#hear(message),
    });
    this.#devices = options.openDevices?.(
      (request) => this.#bus.publish("request", request),
      ({ text }, isIdle) => {
        if (!isIdle) this.#take({ to: "driver", event: { kind: "ask", ask: { kind: "display", text } } });
      },
    );
    this.#line.open();
    options.remote?.configuration.begin(this.#remoteEvents);
    const trouble = journal.full ? "journalFull" : "";
    if (this.#retryMs === undefined) this.#queue.push({ to: "sale", event: { kind: "trouble", trouble } });
    this.#take({ to: "sale", event: { kind: "tick" } });
  }

  /** A code that was typed at the machine's own screen. */
  typed(code: string): void {
    this.#devices?.typed(code);
  }

  /** For what the start found out: it goes into the journal like any other alarm. */
  alarm(code: string, detail: string): void {
    this.#take({ to: "sale", event: { kind: "alarm", code, detail } });
  }

  /** For whoever has the box itself: the status, and whether it could be stopped now. */
  health(): Health {
    return { ...this.#status(), free: this.#isFree(), bus: this.#bus.connected };
  }

  /** Calls `held` once nobody is served any more; nobody is then, until what this answers is called. */
  hold(held: () => void): () => void {
    this.#holders.add(held);
    this.#notYetHeld.add(held);
    this.#take({ to: "driver", event: { kind: "tick" } });
    return () => {
      this.#notYetHeld.delete(held);
      if (this.#holders.delete(held) && this.#holders.size === 0)
        this.#take({ to: "sale", event: { kind: "paused", paused: false } });
    };
  }

  /** As it is now, for whoever looks at the machine. */
  snapshot(): Omit<Snapshot, "machineId" | "upSeconds"> {
    const { id, last, heard, capacity } = this.#options.journal;
    return {
      status: this.#status(),
      broker: this.#bus.connected,
      journal: { id, last, heard, unheard: last - heard, capacity },
      serial: { lost: this.#counted.serialLosses, alarms: this.#alarms, lastAlarm: this.#lastAlarm },
      dex: this.#options.auditor?.telemetry(),
    };
  }

  async close(): Promise<void> {
    this.#catchUp();
    this.#closed = true;
    this.#cancelWake();
    this.#line.close();
    this.#devices?.close();
    this.#options.auditor?.close();
    await this.#bus.close(offline(this.#options.bootId));
    this.#options.journal.close();
  }

  #catchUp(): void {
    for (const act of this.#afterwards.splice(0)) act();
  }

  #hear(message: Message): void {
    switch (message.leaf) {
      case "reserve":
        this.#take({ to: "sale", event: { kind: "reserve", reserve: message.body } });
        break;
      case "grant":
        this.#take({ to: "sale", event: { kind: "grant", grant: message.body } });
        break;
      case "go":
      case "void":
        this.#take({ to: "sale", event: { kind: message.leaf, decision: message.body } });
        break;
      case "heard":
        this.#take({ to: "reports", event: message.body });
        break;
      case "answer":
        this.#devices?.answered(message.body);
        this.#answered(message.body.requestId, message.body.qr !== undefined); // nothing to scan: nobody will pay
        break;
      case "config":
        this.#options.remote?.configuration.received(message.body, this.#remoteEvents);
        this.#take({ to: "driver", event: { kind: "tick" } }); // what came of it is looked at, and said
        break;
      default: // the bus subscribes to no other
        break;
    }
  }

  /** Everything that happens comes through here. */
  #take(work: Work): void {
    if (this.#closed) return;
    this.#queue.push(work);
    if (this.#running) return; // said from within a step: its turn comes
    this.#running = true;
    do {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        if (next.to === "driver") this.#drive(next.event);
        else if (next.to === "sale") this.#sell(next.event);
        else this.#report(next.event);
      }
      if (this.#answersAtOnce()) break;
      this.#lookAtHolders();
      this.#lookAtConfiguration();
      this.#options.auditor?.look(this.#isFree(), this.#audited);
    } while (this.#queue.length > 0); // one was applied: what comes of it is done before it is looked at
    this.#running = false;
    if (this.#answersAtOnce()) {
      this.#wakeAfter(0);
      return;
    }
    this.#catchUp();
    this.#report("look");
    this.#sayStatus();
    this.#schedule();
  }

  /** The machine waits for an answer that leaves in a moment: everybody else can wait for that. */
  #answersAtOnce(): boolean {
    return (this.#drives.dueMs(this.#driver) ?? Infinity) <= this.#options.clock.monoMs();
  }

  #drive(event: ForDriver): void {
    const timed = { ...event, nowMs: this.#options.clock.monoMs() } as DriverEvent; // Untimed took only nowMs away
    const [next, effects] = this.#drives.step(this.#driver, timed);
    this.#driver = next;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: DriverEffect): void {
    const { log } = this.#options;
    switch (effect.kind) {
      case "send":
        if (!this.#line.write(effect.text)) log.warn({ line: effect.text }, "serial line not open: not sent");
        else if (log.debugging) log.debug({ dir: "tx", line: effect.text }, "serial");
        break;
      case "say":
        this.#queue.push({
          to: "sale",
          event: { kind: "said", said: effect.said, requestId: this.#questionFor(effect.said) },
        });
        if (effect.said.kind === "reset") this.#counted.mdbResets += 1;
        if (effect.said.kind === "opened") this.#showCredit();
        if (effect.said.kind === "vendRequested") this.#comparePrice(effect.said);
        break;
      case "alarm":
        log.warn({ code: effect.code, detail: effect.detail }, "alarm");
        this.#alarms += 1;
        this.#lastAlarm = `${effect.code} ${effect.detail}`;
        this.#queue.push({ to: "sale", event: { kind: "alarm", code: effect.code, detail: effect.detail } });
        break;
      case "reopen":
        this.#line.reopen(effect.why);
        break;
      case "ignored":
        if (log.debugging) log.debug(effect, "ignored by the driver");
        break;
    }
  }

  #answered(requestId: string, isPayable: boolean): void {
    this.#take({ to: "sale", event: { kind: "answered", requestId, isPayable } });
  }

  /** Under a new id, where the answer can be shown: nobody could be told what to pay elsewhere. */
  #questionFor(said: Said): string | undefined {
    if (said.kind !== "vendRequested" || this.#devices?.canShow !== true) return undefined;
    const { clock, random } = this.#options;
    return newId(clock.nowMs(), random);
  }

  #sell(event: ForSale): void {
    if (this.#retryMs !== undefined && this.#waitsForDisk(event)) return;
    if (!this.#step(event)) this.#waitsForDisk(event);
  }

  /** One step of the sale, all of it or (false) none of it. */
  #step(event: ForSale): boolean {
    const timed = { ...event, nowMs: this.#options.clock.monoMs() } as sale.SaleEvent; // Untimed took only nowMs away
    const [next, effects] = sale.step(this.#sale, timed);
    const [first] = effects; // at most one journal effect, and always the first: see the machine
    if (first?.kind === "journal" && !this.#attempt(() => this.#write(first))) return false;
    this.#sale = next;
    this.#noticeCustomer(timed, effects);
    for (const effect of effects) this.#do(effect);
    return true;
  }

  #do(effect: sale.SaleEffect): void {
    const { log } = this.#options;
    switch (effect.kind) {
      case "journal": // done before the step was taken
        if (effect.entries.some(({ line }) => line.kind === "denied" && line.reason === "notGranted"))
          this.#afterwards.push(() => this.#showCredit()); // what it is for, once more
        break;
      case "ask":
        this.#queue.push({ to: "driver", event: { kind: "ask", ask: effect.ask } });
        if (effect.ask.kind === "approve" && this.#sale.held.kind === "approved") {
          const { item } = this.#sale.held.vend;
          this.#afterwards.push(() => this.#devices?.vending(this.#nameOf(item)));
        }
        break;
      case "reserved":
        this.#bus.publish("reserved", effect.reserved);
        break;
      case "selected": {
        const { requestId, item, priceMinor } = effect.selection;
        const forMs = this.#sale.terms.selectionMs;
        log.info({ requestId, item, priceMinor }, "selected");
        const asked = this.#bus.publish("request", { kind: "selection", requestId, item, priceMinor, forMs });
        this.#devices?.selected(requestId, forMs);
        if (!asked) {
          this.#devices?.unsent(requestId);
          this.#answered(requestId, false);
        }
        break;
      }
      case "withdrawn":
        log.info({ requestId: effect.requestId }, "selection withdrawn");
        this.#bus.publish("request", { kind: "withdrawn", requestId: effect.requestId });
        this.#devices?.withdrawn(effect.requestId);
        break;
      case "ignored":
        if (log.debugging) log.debug(effect, "ignored by the sale");
        break;
    }
  }

  /** Who was told that the machine is theirs is not let down by a configuration while they pay. */
  #noticeCustomer(event: sale.SaleEvent, effects: readonly sale.SaleEffect[]): void {
    if (event.kind === "grant") this.#reservedUntilMs = -Infinity; // from here on the sale itself says how long
    if (
      event.kind === "reserve" &&
      effects.some((effect) => effect.kind === "reserved" && effect.reserved.ok)
    )
      this.#reservedUntilMs = event.nowMs + event.reserve.ttlMs;
  }

  #showCredit(): void {
    const { held } = this.#sale;
    const items = "grant" in held ? held.grant.items : undefined;
    const keys = (item: number): string => labelOf(item, this.#settings.itemNumbers) ?? this.#nameOf(item);
    this.#devices?.opened(items?.map(keys));
  }

  /** The line first: what is kept must not be ahead of the journal. */
  readonly #audited = (reading: Reading): void => {
    const { auditor, journal } = this.#options;
    if (auditor === undefined || this.#closed) return;
    const before = journal.last;
    const counted = auditor.counted(reading, journal.id);
    const isNews = counted !== undefined && before > counted.since; // else there was no vend that it could be about
    if (isNews) this.#take({ to: "sale", event: { kind: "audited", line: { kind: "audit", ...counted } } });
    if (isNews && journal.last === before) auditor.failed("notKept");
    else auditor.keep(reading, journal.id, journal.last);
    this.#take({ to: "sale", event: { kind: "tick" } }); // when it is due again
  };

  #nameOf(item: number): string {
    const name = this.#settings.items.find((one) => one.item === item)?.name;
    const label = labelOf(item, this.#settings.itemNumbers);
    return name ?? (label === undefined ? "Item" : `Item ${label}`);
  }

  /** The machine's own price counts. That it is not the one customers were told is somebody's mistake. */
  #comparePrice({ item, priceMinor }: Extract<Said, { kind: "vendRequested" }>): void {
    const told = this.#settings.items.find((one) => one.item === item)?.priceMinor;
    if (told === undefined || priceMinor === undefined || told === priceMinor) return;
    const detail = `item ${item}: the machine asks ${priceMinor}, customers are told ${told}`;
    this.#queue.push({ to: "sale", event: { kind: "alarm", code: "priceDiffers", detail } });
  }

  /** Nobody is being served or paying, and nothing is owed to the disk. */
  #isFree(): boolean {
    const isReserved = this.#options.clock.monoMs() < this.#reservedUntilMs;
    return sale.isFree(this.#sale) && this.#retryMs === undefined && !isReserved;
  }

  #lookAtHolders(): void {
    if (this.#sale.paused) {
      for (const held of this.#notYetHeld) held();
      this.#notYetHeld.clear();
    } else if (this.#notYetHeld.size > 0 && this.#isFree())
      this.#queue.push({ to: "sale", event: { kind: "paused", paused: true } });
  }

  #lookAtConfiguration(): void {
    const { trouble, mdb } = this.#sale;
    const ready = sale.selling({ trouble, mdb, paused: false }).canSell && mdb === "enabled";
    this.#options.remote?.configuration.look({ free: this.#isFree(), ready }, this.#remoteEvents);
  }

  #apply(settings: Settings): void {
    const wiringChanges = !isDeepStrictEqual(settings.wiring, this.#settings.wiring);
    this.#settings = settings;
    this.#queue.push({ to: "sale", event: { kind: "terms", terms: settings.terms } });
    this.#devices?.say(settings.words);
    if (!wiringChanges || this.#options.remote === undefined) return;
    this.#drive({ kind: "disconnected" }); // to the sale nothing is ready until the new driver has brought it up
    this.#drives = this.#options.remote.driver(settings);
    this.#driver = this.#drives.initial;
    this.#line.reopen("it is told other settings");
  }

  #write({ entries, durable }: Extract<sale.SaleEffect, { kind: "journal" }>): void {
    const { journal, replay, log } = this.#options;
    journal.write(entries, JSON.stringify(durable), replay.highest());
    for (const { n, line } of entries) {
      this.#afterwards.push(() => log.info({ entry: { n, ...line } }, "journal"));
      if (line.kind === "succeeded" || line.kind === "failed" || line.kind === "unknown") {
        const { kind, item } = line;
        this.#counted[kind] += 1;
        this.#afterwards.push(() => this.#devices?.vended(this.#nameOf(item), kind));
      }
      this.#noticeVend(line);
    }
    this.#noticeFull();
  }

  #noticeVend(line: JournalLine): void {
    const isVend = ["approved", "succeeded", "failed", "unknown"].includes(line.kind);
    const isInDoubt = line.kind === "unknown" || (line.kind === "succeeded" && line.assumed);
    if (isVend) this.#options.auditor?.vended(isInDoubt, this.#sale.terms.vendResultMs);
  }

  /** While the disk is broken: the adapter's words wait, the cloud's are dropped, the rest needs no disk. */
  #waitsForDisk(event: ForSale): boolean {
    switch (event.kind) {
      case "said":
        if (this.#owed.length >= MAX_OWED) throw new Error("the journal has been unwritable for too long");
        this.#owed.push(event);
        return true;
      case "grant":
      case "go":
      case "void":
      case "alarm":
      case "audited":
      case "tick":
        return true;
      case "reserve":
      case "answered":
      case "trouble":
      case "terms":
      case "paused":
        return false;
    }
  }

  /** Does what needs the disk. False: it did not happen, and the machine sells nothing until it can again. */
  #attempt(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      if (!mayWorkLater(error)) throw error;
      if (this.#retryMs === undefined) {
        this.#options.log.error({ error: String(error) }, "the journal cannot be written: not selling");
        this.#queue.push({ to: "sale", event: { kind: "trouble", trouble: "journalFailed" } });
      }
      this.#retryMs = this.#options.clock.monoMs() + RETRY_MS;
      return false;
    }
  }

  #retry(): void {
    const boot = this.#bootOwes;
    if (boot !== undefined && !this.#attempt(() => this.#write(boot))) return;
    this.#bootOwes = undefined;
    if (!this.#attempt(() => this.#options.journal.probe())) return;
    for (let next = this.#owed[0]; next !== undefined; next = this.#owed[0]) {
      if (!this.#step(next)) return;
      this.#owed.shift();
    }
    this.#retryMs = undefined;
    this.#options.log.info({}, "the journal can be written again");
    this.#queue.push({ to: "sale", event: { kind: "trouble", trouble: "" } });
    this.#noticeFull();
  }

  #noticeFull(): void {
    const { full } = this.#options.journal;
    if (this.#retryMs !== undefined || full === (this.#sale.trouble === "journalFull")) return;
    this.#queue.push({ to: "sale", event: { kind: "trouble", trouble: full ? "journalFull" : "" } });
  }

  #report(event: "connected" | "look" | Body["heard"]): void {
    const { journal, clock, log } = this.#options;
    const { reportAgainMs } = this.#settings;
    const at = { last: journal.last, nowMs: clock.monoMs() };
    if (typeof event === "string") {
      this.#say({ kind: event, ...at }, reportAgainMs);
    } else if (event.journal !== journal.id || event.upTo > journal.last || event.upTo < journal.heard) {
      // Another journal's, or one that this file or the cloud's database was put back behind: nothing may be forgotten.
      log.warn(
        { ...event, id: journal.id, last: journal.last, forgotten: journal.heard },
        "heard does not fit",
      );
    } else {
      journal.forget(event.upTo);
      this.#noticeFull();
      this.#say({ kind: "heard", upTo: event.upTo, ...at }, reportAgainMs);
    }
  }

  #say(event: reports.ReportsEvent, everyMs: number): void {
    if (!this.#bus.connected) return;
    const { journal } = this.#options;
    const [next, { from, to }] = reports.step(this.#reports, event, everyMs);
    this.#reports = next;
    if (from === to) return;
    for (const { n, line } of journal.read(from, to - from)) {
      if (!this.#bus.publish("report", { journal: journal.id, entry: n, line })) return; // said again when due
    }
  }

  #status(): Body["status"] {
    const { mdb } = this.#sale;
    const { bootId, remote } = this.#options;
    return {
      online: true,
      bootId,
      version: VERSION,
      mdb,
      ...sale.selling(this.#sale),
      ...(remote === undefined ? {} : { config: remote.configuration.status() }),
    };
  }

  #sayStatus(): void {
    const status = this.#status();
    const text = JSON.stringify(status);
    const nowMs = this.#options.clock.monoMs();
    if (!this.#bus.connected || (text === this.#statusSaid && nowMs < this.#statusMs)) return;
    // Nobody answers a status, so one that changed is said again soon, in case it was lost, and then ever more slowly.
    const { reportAgainMs, statusEveryMs } = this.#settings;
    this.#statusAgainMs =
      text === this.#statusSaid ? Math.min(this.#statusAgainMs * 2, statusEveryMs) : reportAgainMs;
    this.#statusMs = nowMs + this.#statusAgainMs;
    const telemetry = this.#telemetry(); // changes all the time: no reason to say a status sooner
    const whole = telemetry === undefined ? status : { ...status, telemetry };
    if (this.#bus.publish("status", whole)) this.#statusSaid = text;
  }

  #telemetry(): Body["status"]["telemetry"] {
    const health = this.#options.box?.();
    if (health === undefined) return undefined;
    const { serialLosses, mdbResets, ...vends } = this.#counted;
    const { journal, auditor } = this.#options;
    const dex = auditor === undefined ? {} : { dex: auditor.telemetry() };
    return { ...health, commits: journal.commits, serialLosses, mdbResets, vends, ...dex };
  }

  /** One alarm clock for all: whoever is due first. */
  #schedule(): void {
    const { clock, remote } = this.#options;
    const nowMs = clock.monoMs();
    const due = [
      this.#drives.dueMs(this.#driver),
      remote?.configuration.dueMs(),
      this.#isFree() ? this.#options.auditor?.dueMs() : undefined,
      this.#reservedUntilMs > nowMs ? this.#reservedUntilMs : undefined,
      this.#retryMs ?? sale.dueMs(this.#sale),
      this.#bus.connected ? reports.dueMs(this.#reports) : undefined,
      this.#bus.connected ? this.#statusMs : undefined,
    ].filter((ms) => ms !== undefined);
    if (due.length === 0) this.#cancelWake();
    else this.#wakeAfter(Math.max(0, Math.min(...due) - nowMs));
  }

  #wakeAfter(ms: number): void {
    this.#cancelWake();
    this.#cancelWake = this.#options.clock.after(ms, this.#wake);
  }

  readonly #wake = (): void => {
    const nowMs = this.#options.clock.monoMs();
    if (this.#retryMs !== undefined && nowMs >= this.#retryMs) this.#retry();
    this.#queue.push({ to: "driver", event: { kind: "tick" } });
    this.#take({ to: "sale", event: { kind: "tick" } });
  };
}
