/**
 * The handshake, with the machine's own `step` at one end and the cloud's at the other.
 *
 * Between them a network that loses, doubles, delays, reorders and replays every message ever sent; either side crashes
 * anywhere and comes back with its durable state only; now and then the machine's card is replaced, or it stays dark.
 * Now and then the machine's own counters are read between two vends: what they leave one answer for is then as it really was.
 * Checked at every step: no free vend (M2), at most one approval a grant (M4). Checked when the faults have stopped: every
 * sale is final, and the credit is what was charged plus what went back (M3).
 */
import { expect, test } from "vitest";
import { chance } from "./chance.js";
import type { Body, JournalLine } from "../broker/protocol/messages.js";
import type { MdbState, Said } from "../controller/mdb/driver.js";
import { NOTHING_HELD, type Durable } from "../controller/sale/durable.js";
import {
  boot,
  step as machineStep,
  type Entry,
  type Sale as Held,
  type SaleEvent,
  type SaleStep,
} from "../controller/sale/machine.js";
import { auditedVends, settleByAudit } from "../cloud/vending/audit.js";
import {
  begin,
  isFinal,
  isVended,
  owed,
  refundReference,
  step as cloudStep,
  type Event,
  type Policy,
  type Sale,
} from "../cloud/vending/sale.js";

const WALKS = Number(process.env["WALKS"] ?? 1_500);
const CREDIT = 400;
const PRICE = 250;
const policy: Policy = {
  againMs: 2_000,
  reserveMs: 1e3,
  requestMs: 1e3,
  heldUnpaidMs: 1e3,
  grantMs: 2e4,
  darkAfterMs: 1e7,
  unknownAfterMs: 9e5,
  unknownRefundCap: 3,
};
const terms = { currency: "NZD", vendResultMs: 25_000, selectionMs: 45_000, suspendAfter: 3 };

type Untimed<E> = E extends { readonly nowMs: number } ? Omit<E, "nowMs"> : never;
type ToMachine =
  | { readonly kind: "grant"; readonly grant: Body["grant"] }
  | { readonly kind: "go" | "void"; readonly decision: Body["go"] }
  | { readonly kind: "heard"; readonly heard: Body["heard"] };
type ToCloud = { readonly kind: "report"; readonly journal: string; readonly entry: Entry };

class World {
  readonly #r: () => number;
  readonly #wire: (ToMachine | ToCloud)[] = []; // everything ever sent: delivered any number of times, in any order
  readonly fell = new Map<string, number>();
  readonly #approved = new Map<string, number>();
  readonly sales = new Map<string, Sale>();
  readonly #heard = new Map<string, number>();
  #nowMs = 0;
  #journal = { id: "j1", last: 0 };
  #durable: Durable = NOTHING_HELD;
  #unheard: Entry[] = [];
  #held: Held;
  #turning: string | undefined; // the grant whose coil is turning
  #wasReset = false; // since it began to turn: nobody will be told
  #base: { readonly journal: string; readonly upTo: number; readonly fell: number } | undefined;
  readonly #lines = new Map<string, Entry[]>(); // what the cloud has of each journal
  wiped = false;

  constructor(seed: number) {
    this.#r = chance(seed);
    this.#held = boot(this.#durable, this.#journal, terms)[0];
    this.#say({ kind: "mdb", mdb: "enabled" });
  }

  chance(): number {
    return this.#r();
  }
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  // ---- the machine
  #machine(event: Untimed<SaleEvent>): void {
    this.#take(machineStep(this.#held, { ...event, nowMs: this.#nowMs }));
  }
  #take([next, effects]: SaleStep): void {
    this.#held = next;
    for (const effect of effects) {
      if (effect.kind === "journal") {
        this.#durable = effect.durable;
        this.#unheard.push(...effect.entries);
        this.#journal = next.journal;
      } else if (effect.kind === "ask" && effect.ask.kind === "approve") this.#approve();
    }
  }
  #approve(): void {
    const { held } = this.#held;
    if (held.kind !== "approved") throw new Error("approved without a sale");
    const { grantId } = held.grant;
    const sale = this.sales.get(grantId);
    this.#approved.set(grantId, (this.#approved.get(grantId) ?? 0) + 1);
    expect(this.#approved.get(grantId), "at most one approval a grant").toBe(1);
    expect(sale?.go, "an approval needs a go").not.toBeNull();
    expect(held.vend.priceMinor).toBeLessThanOrEqual(held.grant.amountMinor);
    this.#turning = grantId;
    this.#wasReset = false;
  }
  #say(said: Said): void {
    this.#machine({ kind: "said", said });
  }
  mdb(mdb: MdbState): void {
    this.#say({ kind: "mdb", mdb });
  }
  select(): void {
    if (this.#turning !== undefined && this.#wasReset) return; // the machine itself is busy
    this.#say({
      kind: "vendRequested",
      request: 1,
      item: 11,
      priceMinor: this.#r() < 0.8 ? PRICE : CREDIT + 1,
    });
  }
  /** The coil comes to its end. Sometimes nobody hears what came of it. */
  coil(heard: boolean): void {
    if (this.#turning === undefined) return;
    const dropped = this.#r() < 0.7;
    if (dropped) this.fell.set(this.#turning, (this.fell.get(this.#turning) ?? 0) + 1);
    this.#turning = undefined;
    if (heard && !this.#wasReset) this.#say({ kind: dropped ? "vendSucceeded" : "vendFailed" });
  }
  /** The VMC starts again in the middle of a vend: it counts as sold, and the coil turns on. */
  reset(): void {
    if (this.#turning === undefined || this.#held.held.kind !== "approved") return;
    this.#wasReset = true;
    this.#say({ kind: "reset" });
  }
  /** A reading of the machine's own counters, as the controller takes one: between two vends. */
  audit(): void {
    if (this.#turning !== undefined || this.#held.held.kind !== "none") return;
    const fell = [...this.fell.values()].reduce((sum, one) => sum + one, 0);
    const { id, last } = this.#journal;
    const base = this.#base;
    if (base?.journal === id && last > base.upTo) {
      const items = [{ item: 11, vends: fell - base.fell }];
      this.#machine({ kind: "audited", line: { kind: "audit", since: base.upTo, items } });
    }
    // Now and then the power goes before the reading is kept: the next one is counted from the one before.
    if (this.#r() < 0.8) this.#base = { journal: id, upTo: this.#journal.last, fell };
  }
  repeatResult(): void {
    if (
      this.#turning === undefined &&
      this.fell.size > 0 &&
      !this.wiped &&
      this.#durable.past?.known === true
    )
      this.#say({ kind: "vendSucceeded" });
  }
  endSession(): void {
    if (this.#turning === undefined) this.#say({ kind: "sessionEnded" });
  }
  tickMachine(): void {
    this.#machine({ kind: "tick" });
  }
  crashMachine(): void {
    this.coil(false);
    this.#take(boot(this.#durable, this.#journal, terms));
    this.mdb("enabled");
  }
  wipe(): void {
    this.coil(false);
    this.#journal = { id: `${this.#journal.id}'`, last: 0 };
    this.#durable = NOTHING_HELD;
    this.#unheard = [];
    this.wiped = true;
    this.#take(boot(this.#durable, this.#journal, terms));
    this.mdb("enabled");
  }
  machineOwes(): void {
    for (const entry of this.#unheard) this.#wire.push({ kind: "report", journal: this.#journal.id, entry });
  }

  // ---- the cloud
  pay(grantId: string): void {
    const paid = { kind: "paid", amountMinor: CREDIT, currency: "NZD", payer: null, skus: null } as const;
    const asked: readonly Untimed<Event>[] = [
      { kind: "reserved" },
      { kind: "requested", paymentRequestId: grantId },
    ];
    // Now and then somebody else asks for the machine in the moment in which the payment comes: the void finds it paid.
    const late: readonly Untimed<Event>[] = [
      { kind: "takeoverAsked" },
      paid,
      { kind: "requestVoided", refundedMinor: CREDIT },
    ];
    const isLate = this.#r() < 0.1;
    this.sales.set(
      grantId,
      begin(
        { id: grantId, grantId, machineId: "machine-1", creditMinor: CREDIT, currency: "NZD" },
        this.#nowMs,
      ),
    );
    for (const event of asked) this.cloud(grantId, event);
    if (isLate) this.pass(policy.heldUnpaidMs);
    for (const event of isLate ? late : [paid]) this.cloud(grantId, event);
  }
  cloud(grantId: string, event: Untimed<Event>): void {
    const sale = this.sales.get(grantId);
    // A crash between two steps costs nothing: the row is the value, and nothing else is kept.
    if (sale !== undefined)
      this.sales.set(grantId, structuredClone(cloudStep(sale, { ...event, nowMs: this.#nowMs }, policy)[0]));
  }
  cloudOwes(): void {
    for (const [grantId, sale] of this.sales)
      for (const one of owed(sale)) {
        if (one.kind === "grant")
          this.#wire.push({
            kind: "grant",
            grant: {
              grantId,
              saleId: grantId,
              amountMinor: CREDIT,
              currency: "NZD",
              sessionMs: 90_000,
              goMs: 30_000,
              maxVends: 1,
            },
          });
        else if (one.kind === "go" || one.kind === "void")
          this.#wire.push({ kind: one.kind, decision: { grantId, journal: one.journal, entry: one.entry } });
        else if (one.kind === "refund")
          this.cloud(grantId, { kind: "refunded", reference: refundReference(sale) });
      }
    for (const [journal, upTo] of this.#heard) this.#wire.push({ kind: "heard", heard: { journal, upTo } });
  }

  #settle(
    lines: readonly Entry[],
    before: number,
    { since, items }: Extract<JournalLine, { kind: "audit" }>,
  ): void {
    const approved = lines
      .filter(({ n }) => n > since && n < before)
      .flatMap(({ line }) => (line.kind === "approved" ? [line] : []));
    for (const { saleId, vend, verdict } of settleByAudit(
      auditedVends(approved, [...this.sales.values()]),
      items,
    ))
      if (verdict !== "undecided")
        this.cloud(saleId, { kind: "audited", vend, fell: verdict === "succeeded" });
  }

  // ---- between them
  deliver(recent: boolean): void {
    const { length } = this.#wire;
    if (length === 0) return;
    const back = Math.floor(this.#r() * (recent ? Math.min(6, length) : length));
    const message = this.#wire[length - 1 - back];
    if (message !== undefined) this.#arrive(message);
  }
  /** Peace: everything sent lately arrives, in order. */
  deliverAll(): void {
    for (const message of this.#wire.slice(-60)) this.#arrive(message);
  }
  #arrive(message: ToMachine | ToCloud): void {
    switch (message.kind) {
      case "report": {
        const { journal, entry } = message;
        if (entry.n !== (this.#heard.get(journal) ?? 0) + 1) return;
        this.#heard.set(journal, entry.n);
        const lines = [...(this.#lines.get(journal) ?? []), entry];
        this.#lines.set(journal, lines);
        if (entry.line.kind === "audit") this.#settle(lines, entry.n, entry.line);
        if ("grantId" in entry.line)
          this.cloud(entry.line.grantId, { kind: "line", journal, entry: entry.n, line: entry.line });
        return;
      }
      case "heard":
        if (message.heard.journal === this.#journal.id)
          this.#unheard = this.#unheard.filter(({ n }) => n > message.heard.upTo);
        return;
      case "grant":
        this.#machine(message);
        return;
      case "go":
      case "void":
        this.#machine(message);
    }
  }
}

function walk(seed: number): World {
  const world = new World(seed);
  const r = (): number => world.chance();
  const dark = r() < 0.2;
  let paid = 0;
  const any = (): string => `g${1 + Math.floor(r() * Math.max(paid, 1))}`;
  const steps = 40 + Math.floor(r() * 80);
  for (let i = 0; i < steps; i += 1) {
    world.pass(Math.floor(r() * 300));
    const x = r();
    if (x < 0.03 && paid < 4) world.pay(`g${(paid += 1)}`);
    else if (x < 0.17) world.cloudOwes();
    else if (x < 0.31) world.machineOwes();
    else if (x < 0.68) world.deliver(r() < 0.85);
    else if (x < 0.78) world.select();
    else if (x < 0.84) world.coil(r() < 0.85);
    else if (x < 0.86) world.reset();
    else if (x < 0.88) world.audit();
    else if (x < 0.9) world.repeatResult();
    else if (x < 0.925) world.crashMachine();
    else if (x < 0.935) {
      world.pass(31_000);
      world.tickMachine();
    } else if (x < 0.95) world.endSession();
    else if (x < 0.965) {
      world.pass(policy.grantMs);
      world.cloud(any(), { kind: "tick", unknownRefunds: 0 });
    } else if (x < 0.984) world.cloud(any(), { kind: r() < 0.3 ? "takeoverAsked" : "cancelAsked" });
    else if (x < 0.987) world.cloud(any(), { kind: "givenBack", vend: 1 });
    else if (dark && r() < 0.1) world.wipe();
    else if (dark && r() < 0.6) {
      world.pass(policy.darkAfterMs);
      world.cloud(any(), { kind: "tick", unknownRefunds: 0 });
    }
  }
  for (let round = 0; round < 60; round += 1) {
    world.pass(1_000);
    world.coil(true);
    world.cloudOwes();
    world.machineOwes();
    world.deliverAll();
    if (round > 5) {
      world.pass(30_000);
      world.tickMachine();
      world.endSession();
    }
    if (round === 25) world.crashMachine();
    if (round === 40) world.audit();
    if (round === 50 && r() < 0.2)
      for (const grantId of world.sales.keys()) world.cloud(grantId, { kind: "givenBack", vend: 1 });
    if (round > 30 && world.wiped) world.pass(policy.darkAfterMs);
    for (const grantId of world.sales.keys()) world.cloud(grantId, { kind: "tick", unknownRefunds: 0 });
  }
  return world;
}

test(`${WALKS} walks: no free vend, no kept money, at most once, and every sale ends`, () => {
  const seen = {
    sales: 0,
    vended: 0,
    refunded: 0,
    unknown: 0,
    dark: 0,
    loss: 0,
    counted: 0,
    corrected: 0,
    given: 0,
    takenOver: 0,
  };
  for (let seed = 1; seed <= WALKS; seed += 1) {
    let world: World;
    try {
      world = walk(seed);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    for (const [grantId, sale] of world.sales) {
      const charged = sale.vends.filter(isVended).reduce((sum, { priceMinor }) => sum + priceMinor, 0);
      const fell = world.fell.get(grantId) ?? 0;
      const assumed = sale.vends.some(({ outcome }) => outcome === "assumed"); // by the standard, until it is counted
      const given = sale.flags.includes("givenBack");
      const decided = sale.dark || assumed || given || sale.flags.includes("unknownRefunded");
      const wrong =
        (!isFinal(sale) && "not final") ||
        (charged + sale.refundedMinor !== CREDIT && "not the credit") ||
        (fell > 1 && "fell twice") ||
        (fell > 0 && sale.flags.includes("takenOver") && "fell for who was let go of") ||
        (!decided && charged !== fell * PRICE && "charged otherwise than fell") || // what the policy decided, the merchant may lose
        (charged > 0 && fell === 0 && !assumed && "charged for nothing"); // but never the customer
      if (wrong !== false) throw new Error(`seed ${seed}: ${wrong}: ${JSON.stringify({ ...sale, fell })}`);
      seen.sales += 1;
      seen.vended += fell;
      seen.refunded += sale.refundedMinor > 0 ? 1 : 0;
      seen.unknown += sale.flags.includes("unknownRefunded") ? 1 : 0;
      seen.dark += sale.dark ? 1 : 0;
      seen.loss += sale.lossMinor > 0 ? 1 : 0;
      seen.counted += sale.flags.includes("assumedVend") && !assumed ? 1 : 0;
      seen.given += given ? 1 : 0;
      seen.takenOver += sale.flags.includes("takenOver") ? 1 : 0;
      seen.corrected += sale.flags.includes("auditRefunded") ? 1 : 0;
    }
  }
  // The walks are worth something only if they get everywhere.
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0);
});
