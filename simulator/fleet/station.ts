/**
 * One machine of the rig, whole: the machine, its serial line, its network, and the controller process between the two.
 *
 * Owns      two ports of the loopback, which the controller is told on its command line, and the one place its faults meet.
 */
import type { Writable } from "node:stream";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { fromMinor, type Money } from "../../broker/protocol/money.js";
import type { MachinePlan } from "../configuration.js";
import { noFaults, type Faults, type FaultsAsked } from "../machine/faults.js";
import { auditOf } from "../machine/audit.js";
import { DevicePort } from "../machine/device-port.js";
import type { Slip } from "../machine/escpos.js";
import { PrinterPort } from "../machine/printer-port.js";
import type { Adapter } from "../machine/adapter.js";
import { AuditPort } from "../machine/audit-port.js";
import { adapterFor, framingOf } from "../machine/adapters.js";
import { LinePort } from "../machine/line-port.js";
import { Machine, type MachineFace } from "../machine/machine.js";
import { Trace } from "../machine/trace.js";
import { newVmc, type Refused } from "../machine/vmc.js";
import { FaultProxy } from "../network/fault-proxy.js";
import type { Connect, Listen, Listening } from "../network/sockets.js";
import type { Spawn } from "./child.js";
import { ControllerProcess } from "./controller-process.js";
import type { ProcessBook } from "./pid-file.js";

export type StationParts = {
  readonly clock: Clock;
  readonly random: Random;
  /** Opens a port on 127.0.0.1. */
  readonly listen: Listen;
  /** To the real broker. */
  readonly connect: Connect;
  readonly spawn: Spawn;
  readonly book: ProcessBook;
  /** Where a controller's output goes, if anywhere. */
  readonly openLog: (machine: string) => Writable | undefined;
};

export type StationView = MachineFace & {
  readonly id: string;
  readonly code: string;
  readonly powered: boolean;
  /** What the customer display beside the machine shows. */
  readonly shown: string;
  /** What the QR code on it leads to. */
  readonly qr: string | null;
  /** What lies in a receipt printer's tray, the newest first; `null` where there is a display instead. */
  readonly printed: readonly Slip[] | null;
  readonly coils: readonly {
    readonly item: number;
    readonly name: string;
    readonly price: Money;
    readonly stock: number;
    readonly fallen: number;
  }[];
  readonly faults: Faults;
};

export class Station implements AsyncDisposable {
  readonly plan: MachinePlan;
  readonly trace: Trace;
  readonly #machine: Machine;
  readonly #adapter: Adapter;
  readonly #port: LinePort;
  readonly #proxy: FaultProxy;
  readonly #controller: ControllerProcess;
  readonly #scanner: DevicePort;
  readonly #keypad: DevicePort;
  readonly #display: DevicePort | PrinterPort;
  readonly #audit: AuditPort;
  readonly #listening: readonly Listening[];

  private constructor(
    plan: MachinePlan,
    trace: Trace,
    machine: Machine,
    adapter: Adapter,
    port: LinePort,
    proxy: FaultProxy,
    controller: ControllerProcess,
    scanner: DevicePort,
    keypad: DevicePort,
    display: DevicePort | PrinterPort,
    audit: AuditPort,
    listening: readonly Listening[],
  ) {
    this.plan = plan;
    this.trace = trace;
    this.#machine = machine;
    this.#adapter = adapter;
    this.#port = port;
    this.#proxy = proxy;
    this.#controller = controller;
    this.#scanner = scanner;
    this.#keypad = keypad;
    this.#display = display;
    this.#audit = audit;
    this.#listening = listening;
  }

  /** Builds the machine and switches its controller on. */
  static async open(plan: MachinePlan, parts: StationParts): Promise<Station> {
    const { clock, random, listen, connect, spawn, book } = parts;
    const trace = new Trace(plan.id, clock);
    const port = new LinePort(
      { heard: (line) => adapter.heard(line), lost: () => adapter.lost() },
      trace,
      random,
      framingOf(plan.adapter),
    );
    const selectsFirst = "alwaysIdle" in plan.adapter && plan.adapter.alwaysIdle;
    const vmc = newVmc({ ...plan.timing, decimals: plan.decimals, selectsFirst }, plan.coils, noFaults);
    const machine = new Machine(vmc, plan.currency, clock, trace, (word) => adapter.say(word));
    const adapter = adapterFor(plan.adapter, {
      clock,
      decimals: plan.decimals,
      obey: (command) => machine.obey(command),
      lost: () => machine.lost(),
      random,
      faults: () => machine.vmc.faults,
      write: (line) => port.say(line),
    });
    const proxy = new FaultProxy(connect, noFaults, clock, random, trace);
    const serial = await listen(0, (socket) => port.accept(socket));
    const mqtt = await listen(0, (socket) => proxy.accept(socket));
    const scanner = new DevicePort();
    const keypad = new DevicePort();
    const display = plan.display === "escpos" ? new PrinterPort() : new DevicePort();
    const scannerLine = await listen(0, (socket) => scanner.accept(socket));
    const keypadLine = await listen(0, (socket) => keypad.accept(socket));
    const displayLine = await listen(0, (socket) => display.accept(socket));
    // What it has counted ends with this process: whoever compares readings must see that it is another machine's memory.
    const serialNumber = `${plan.id}-${clock.nowMs()}`;
    const audit = new AuditPort(() => auditOf(machine.vmc, serialNumber, plan.currency), clock);
    const auditLine = plan.dex ? [await listen(0, (socket) => audit.accept(socket))] : [];
    const argv = [
      ...plan.controller.command,
      ...["--serial", `tcp://127.0.0.1:${serial.port}`],
      ...["--mqtt", `mqtt://127.0.0.1:${mqtt.port}`],
      ...["--scanner", `tcp://127.0.0.1:${scannerLine.port}`],
      ...["--keypad", `tcp://127.0.0.1:${keypadLine.port}`],
      ...["--display", `tcp://127.0.0.1:${displayLine.port}`],
      ...auditLine.flatMap(({ port: at }) => ["--dex", `tcp://127.0.0.1:${at}`]),
    ];
    const log = parts.openLog(plan.id);
    const controller = new ControllerProcess({ argv, spawn, book, log, clock, trace });
    controller.powerOn();
    const listening = [serial, mqtt, scannerLine, keypadLine, displayLine, ...auditLine];
    const wired = [scanner, keypad, display, audit] as const;
    return new Station(plan, trace, machine, adapter, port, proxy, controller, ...wired, listening);
  }

  view(): StationView {
    const { id, code, currency } = this.plan;
    const { coils, faults } = this.#machine.vmc;
    return {
      id,
      code,
      powered: this.#controller.powered,
      ...this.#machine.face(),
      shown: this.#display.shown,
      qr: this.#display.qr,
      printed: this.#display instanceof PrinterPort ? this.#display.printed : null,
      coils: coils.map(({ item, name, priceMinor, stock, fallen }) => ({
        item,
        name,
        price: fromMinor(priceMinor, currency),
        stock,
        fallen,
      })),
      faults,
    };
  }

  /** Answers why the machine asked for no vend, if it asked for none. */
  select(item: number): Refused | "POWERED_OFF" | undefined {
    const refused = this.#machine.select(item);
    return refused === "NO_SESSION" && !this.#controller.powered ? "POWERED_OFF" : refused;
  }

  sellForCash(item: number): Refused | undefined {
    return this.#machine.sellForCash(item);
  }

  cancel(): void {
    this.#machine.cancel();
  }

  code(from: "scanned" | "typed", code: string): void {
    this.#machine.code(from, code);
    (from === "scanned" ? this.#scanner : this.#keypad).say(code);
  }

  async power(on: boolean): Promise<void> {
    if (on) this.#controller.powerOn();
    else await this.#controller.powerOff();
  }

  setFaults(asked: FaultsAsked): void {
    this.#machine.setFaults(asked);
    const { faults } = this.#machine.vmc;
    this.#port.setFaults(faults);
    this.#proxy.setFaults(faults);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#controller[Symbol.asyncDispose](); // first, so that it may still say goodbye on both lines
    this.#proxy[Symbol.dispose]();
    this.#scanner[Symbol.dispose]();
    this.#keypad[Symbol.dispose]();
    this.#display[Symbol.dispose]();
    this.#audit[Symbol.dispose]();
    for (const one of this.#listening) await one[Symbol.asyncDispose]();
    this.#adapter[Symbol.dispose]();
    this.#machine[Symbol.dispose]();
  }
}
