/**
 * Lines that no adapter should say, through a driver and the sale: flipped, cut, joined, repeated, binary, between true ones.
 *
 * Promises  the same seed gives the same walk. A broken promise of the sale ends it with an error that says which.
 */
import { NOTHING_HELD } from "../controller/sale/durable.js";
import * as sale from "../controller/sale/machine.js";
import { configuration, type Configuration } from "../controller/configuration.js";
import type { DriverEffect, DriverEvent } from "../controller/mdb/driver.js";
import { drivers } from "../controller/mdb/drivers.js";

export type Kind = Configuration["driver"];
export const KINDS: readonly Kind[] = ["qibixx", "mdb-hex", "wafer", "matedealer"];
export type Figures = {
  readonly lines: number;
  readonly approved: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly unknown: number;
};

const BLOCKS = [
  ...["00", "11000310010126", "00", "1101FFFF000010", "00", "140115", "00"],
  ...["130000960005AE", "00", "130200051A", "130417", "00"],
];
/** A sale as each adapter tells it, and what else it can say. */
const sayings: Readonly<
  Record<Kind, { readonly sale: readonly string[]; readonly other: readonly string[] }>
> = {
  qibixx: {
    sale: [
      ...["v,4.0.2.0,01", "x,ACK", "c,0", "c,SET,OK", "c,SET,OK", "c,SET,OK", "c,SET,OK", "c,1"],
      ...[
        "c,STATUS,ENABLED",
        "c,STATUS,IDLE,4.00",
        "c,STATUS,VEND,1.50,5",
        "c,VEND,SUCCESS",
        "c,STATUS,ENABLED",
      ],
    ],
    other: [
      ...[
        "c,STATUS,INACTIVE",
        "c,STATUS,DISABLED",
        "c,ERR,VEND 1",
        "c,ERR,VEND 3",
        "c,ERR,VEND 5",
        'c,ERR,"START -3"',
      ],
      ...[
        'c,ERR,"VEND -3"',
        'c,ERR,"VEND -2"',
        'c,ERR,"STOP -3"',
        "c,STATUS,VEND,9.99,65535",
        "r,ACK",
        'c,UNKNOWN,"x"',
      ],
    ],
  },
  "mdb-hex": {
    sale: BLOCKS,
    other: ["1010", "FF", "AA", "130114", "130316", "140014", "140216", "130003E7FFFFFB"],
  },
  wafer: {
    sale: BLOCKS,
    other: ["1010", "FF", "AA", "130114", "130316", "140014", "140216", "130003E7FFFFFB"],
  },
  matedealer: {
    sale: [
      ...["mdb-state", "State: INACTIVE", "State: DISABLED", "State: ENABLED", "start-session 400"],
      ...[
        "State: SESSION IDLE",
        "vend-request 150 5",
        "State: VEND",
        "vend-success 5",
        "session-complete",
        "State: ENABLED",
      ],
    ],
    other: [
      ...[
        "vend-cancel",
        "vend-failure",
        "Error: Session is already running",
        "MateDealer is up and running",
        "State: REVALUE",
      ],
      ...[
        "Error: MateDealer is not in a suitable state to approve a vend",
        "Error: MateDealer not ready for a session",
      ],
    ],
  },
};

/** Damages a line as a bad cable, a wrong baud rate or a wrong box would. */
export function damaged(line: string, other: string, chance: () => number): string {
  const at = Math.floor(chance() * (line.length + 1));
  switch (Math.floor(chance() * 5)) {
    case 0:
      return line.slice(0, at) + String.fromCharCode(Math.floor(chance() * 256)) + line.slice(at + 1);
    case 1:
      return line.slice(0, at);
    case 2:
      return line + other;
    case 3:
      return line.slice(at) + line.slice(0, at);
    default:
      return String.fromCharCode(
        ...Array.from({ length: Math.floor(chance() * 40) }, () => Math.floor(chance() * 256)),
      );
  }
}

export function fuzz(
  kind: Kind,
  lines: number,
  chance: () => number,
  onLines?: (done: number) => void,
): Figures {
  const walk = new Walk(kind, chance);
  for (let n = 1; n <= lines; n += 1) {
    walk.next();
    if (n % 100_000 === 0) onLines?.(n);
  }
  return { lines, ...walk.end() };
}

type Untimed<E = DriverEvent> = E extends unknown ? Omit<E, "nowMs"> : never;
type UntimedSale<E = sale.SaleEvent> = E extends unknown ? Omit<E, "nowMs"> : never;
const GRANT = { amountMinor: 400, currency: "NZD", sessionMs: 90_000, goMs: 10_000 };

class Walk {
  readonly #chance: () => number;
  readonly #driver;
  readonly #words;
  #driverState: unknown;
  #sale: sale.Sale;
  #nowMs = 0;
  #at = 0; // in the sale that the adapter tells
  #last = "";
  #grants = 0;
  #entry = 0; // that accepted the last grant
  readonly #gone = new Set<string>();
  readonly #open = new Map<string, "approved" | "unknown" | "done">(); // what is known of this grant's vends
  #accepted = 0;
  #ended = 0;
  #asked = 0; // approvals that the sale asked for
  #sent = 0;
  #queue: (() => void)[] = [];
  #isBusy = false;
  readonly figures = { approved: 0, succeeded: 0, failed: 0, unknown: 0 };

  constructor(kind: Kind, chance: () => number) {
    this.#chance = chance;
    this.#words = sayings[kind];
    const settings = configuration.parse({ ...SETTINGS, driver: kind });
    this.#driver = drivers[kind].make(settings);
    this.#driverState = this.#driver.initial;
    [this.#sale] = sale.boot(
      NOTHING_HELD,
      { id: "j", last: 0 },
      { currency: "NZD", vendResultMs: 25_000, selectionMs: 45_000, suspendAfter: 3 },
    );
    this.#drive({ kind: "connected" });
  }

  /** One line, and now and then something else. */
  next(): void {
    const fate = this.#chance();
    if (fate < 0.002) this.#drive({ kind: "disconnected" });
    if (fate < 0.004) this.#drive({ kind: "connected" });
    if (fate > 0.9) this.#pass(this.#chance() * (fate > 0.99 ? 60_000 : 2_000));
    if (this.#sale.held.kind === "none" && this.#sale.mdb === "enabled") this.#pay();
    if (fate > 0.3 && fate < 0.302) this.#void();
    this.#pass(20);
    this.#last = this.#line();
    this.#drive({ kind: "line", text: this.#last });
  }

  /** Time alone ends whatever is held. */
  end(): Omit<Figures, "lines"> {
    this.#drive({ kind: "disconnected" });
    this.#pass(400_000);
    this.#sell({ kind: "tick" });
    if (this.#accepted !== this.#ended) throw new Error(`${this.#accepted} accepted, ${this.#ended} ended`);
    for (const [vend, state] of this.#open)
      if (state === "approved") throw new Error(`${vend} has no result: money is kept`);
    return this.figures;
  }

  #line(): string {
    const { sale: telling, other } = this.#words;
    const pick = (from: readonly string[]): string => from[Math.floor(this.#chance() * from.length)] ?? "";
    const fate = this.#chance();
    if (fate < 0.7) return telling[this.#at++ % telling.length] ?? "";
    if (fate < 0.75) return this.#last;
    if (fate < 0.82) return pick(other);
    if (fate < 0.85) return pick(telling);
    return damaged(pick(fate < 0.92 ? telling : other), pick(telling), this.#chance);
  }

  #pay(): void {
    this.#grants += 1;
    const grantId = `g${this.#grants}`;
    const maxVends = this.#chance() < 0.3 ? 3 : 1;
    this.#sell({ kind: "grant", grant: { ...GRANT, grantId, saleId: grantId, maxVends } });
    if (this.#sale.held.kind !== "accepted") return;
    if (this.#chance() < 0.1) return; // a cloud that never says go
    this.#gone.add(grantId);
    this.#sell({ kind: "go", decision: { grantId, journal: "j", entry: this.#entry } });
  }

  #void(): void {
    const { held } = this.#sale;
    if (!("grant" in held)) return;
    const { grantId } = held.grant;
    this.#sell({ kind: "void", decision: { grantId, journal: "j", entry: held.entry } });
  }

  #pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    // Each deadline at its time: a walk that jumps over them would not be the controller.
    for (let turns = 0; turns < 10_000; turns += 1) {
      const due = Math.min(
        this.#driver.dueMs(this.#driverState) ?? Infinity,
        sale.dueMs(this.#sale) ?? Infinity,
      );
      if (due > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, due);
      this.#drive({ kind: "tick" });
      this.#sell({ kind: "tick" });
      if (turns === 9_999) throw new Error("time stands still: a deadline is never met");
    }
    this.#nowMs = untilMs;
  }

  #drive(event: Untimed): void {
    this.#do(() => {
      const timed = { ...event, nowMs: this.#nowMs } as DriverEvent; // Untimed took only nowMs away
      const [next, effects] = this.#driver.step(this.#driverState, timed);
      this.#driverState = next;
      for (const effect of effects) this.#perform(effect);
    });
  }

  #perform(effect: DriverEffect): void {
    if (effect.kind === "say") this.#sell({ kind: "said", said: effect.said });
    if (effect.kind === "alarm") this.#sell(effect);
    if (effect.kind === "reopen") this.#drive({ kind: "connected" });
    if (effect.kind !== "send") return;
    if (/^05[0-9A-F]{6}$/.test(effect.text) && this.#asked === 0)
      throw new Error("an approval nobody asked for");
    if (/^(approve-vend |C,VEND,[0-9])/.test(effect.text)) {
      this.#sent += 1;
      if (this.#sent > this.#asked) throw new Error("an approval nobody asked for");
    }
  }

  #sell(event: UntimedSale): void {
    this.#do(() => {
      const timed = { ...event, nowMs: this.#nowMs } as sale.SaleEvent; // UntimedSale took only nowMs away
      const [next, effects] = sale.step(this.#sale, timed);
      this.#sale = next;
      for (const effect of effects) {
        if (effect.kind === "journal") for (const { n, line } of effect.entries) this.#write(n, line);
        if (effect.kind !== "ask") continue;
        if (effect.ask.kind === "approve") this.#asked += 1;
        this.#drive({ kind: "ask", ask: effect.ask });
      }
    });
  }

  #write(n: number, line: sale.Entry["line"]): void {
    switch (line.kind) {
      case "accepted":
        this.#accepted += 1;
        this.#entry = n;
        this.#open.forEach((state, vend) => {
          if (state === "done") this.#open.delete(vend); // nothing unbounded in a long walk
        });
        return;
      case "lapsed":
      case "closed":
        this.#ended += 1;
        return;
      case "approved": {
        if (!this.#gone.has(line.grantId)) throw new Error(`${line.grantId} was approved without its go`);
        if (line.priceMinor > GRANT.amountMinor) throw new Error(`${line.priceMinor} is above the credit`);
        const vend = `${line.grantId}/${line.vend}`;
        if (this.#open.has(vend)) throw new Error(`${vend} was approved twice`);
        this.#open.set(vend, "approved");
        this.figures.approved += 1;
        return;
      }
      case "succeeded":
      case "failed":
      case "unknown": {
        const vend = `${line.grantId}/${line.vend}`;
        const before = this.#open.get(vend);
        const isLate = line.kind !== "unknown" && line.late;
        if (before !== (isLate ? "unknown" : "approved"))
          throw new Error(
            `${vend} is ${line.kind}${isLate ? ", late," : ""} and was ${before ?? "never approved"}`,
          );
        this.#open.set(vend, line.kind === "unknown" ? "unknown" : "done");
        if (!isLate) this.figures[line.kind] += 1;
        return;
      }
      default:
        return;
    }
  }

  /** One event at a time, in their order, as the service does. */
  #do(act: () => void): void {
    this.#queue.push(act);
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
    this.#isBusy = false;
  }
}

const SETTINGS = {
  machineId: "m-1",
  dataDir: "data",
  serial: "/dev/adapter",
  mqttUrl: "mqtt://127.0.0.1",
  cloudKeys: [
    { kid: "k", publicKey: { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" } },
  ],
  currency: "NZD",
};
