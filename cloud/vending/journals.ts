/**
 * What machines say, taken in.
 *
 * Promises  a journal's line is committed once, in order, without gaps, in one transaction with what it changes; whatever
 *           else comes is answered with how far that journal has been heard, so that the machine goes on from there.
 * Bounded   by what one machine may have written (report-limits.ts): of a journal that is one too many, nothing has been heard.
 * Never     says `heard` before the commit: until then the machine keeps the line.
 * Crash     an unanswered line comes again.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import { journalLine, type Body, type JournalLine } from "../../broker/protocol/messages.js";
import { forUpdate, lockName } from "../store/locks.js";
import type { Store, Tx } from "../store/store.js";
import type { Attendant } from "./attendant.js";
import { auditedVends, settleByAudit, type AuditedVend } from "./audit.js";
import type { Bus, Heard } from "./bus.js";
import type { Log } from "./log.js";
import { followConfig, type MachineConfigs } from "./machine-configs.js";
import { keepStatus } from "./machines.js";
import { OldNumbers } from "./old-numbers.js";
import type { ReportLimits } from "./report-limits.js";
import { holderOf, salesOfGrants, type Change } from "./sales.js";
import { countResult, forgetFailures, offerAgain } from "./suspects.js";

export type JournalsParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly attendant: Attendant;
  readonly configs: MachineConfigs;
  readonly bus: () => Bus;
  readonly limits: ReportLimits;
  readonly log: Log;
};
const DAY_MS = 86_400_000;

type Reported = {
  readonly upTo: number;
  readonly changes: readonly Change[];
  /** It is a new journal, and one too many. */
  readonly isRefused?: boolean;
};

export class Journals {
  readonly #parts: JournalsParts;
  readonly #oldNumbers: OldNumbers;
  readonly #toSay = new Map<string, Body["heard"]>(); // by machine and journal: the latest word is enough

  constructor(parts: JournalsParts) {
    this.#parts = parts;
    this.#oldNumbers = new OldNumbers(parts.log);
  }

  /** One verified message from a machine. Failures are logged here; the machine says it again. */
  hear(heard: Heard): void {
    const { message } = heard;
    this.#take(heard).catch((error: unknown) =>
      this.#parts.log.error(
        { err: error, machine: message.machine, leaf: message.leaf },
        "message not taken in",
      ),
    );
  }

  async #take({ message, kid, n }: Heard): Promise<void> {
    switch (message.leaf) {
      case "status":
        return this.#status(message.machine, message.body, { kid, n });
      case "reserved":
        return this.#reserved(message.machine, message.body);
      case "report":
        return this.#report(message.machine, message.body);
      default:
        this.#parts.log.warn(
          { machine: message.machine, leaf: message.leaf },
          "nothing here answers that yet",
        );
    }
  }

  async #status(machine: string, status: Body["status"], said: Pick<Heard, "kid" | "n">): Promise<void> {
    const { store, clock, attendant, configs } = this.#parts;
    const outcome = await store.write(async (tx) => {
      const nowMs = clock.nowMs();
      const kept = await keepStatus(tx, machine, status, said, nowMs);
      if (kept === "older" || kept === "ignored") return kept;
      if (kept.hasRestarted) await forgetFailures(tx, machine);
      else await offerAgain(tx, machine, nowMs);
      if (status.config !== undefined) await followConfig(tx, machine, status.config.applied);
      return "newer";
    });
    if (outcome === "older") this.#oldNumbers.refused(machine, said.n);
    if (outcome !== "newer") return;
    this.#oldNumbers.taken(machine);
    if (status.online) await attendant.takeUp({ machineId: machine });
    if (status.config !== undefined) await configs.heard(machine, status.config);
  }

  async #reserved(machine: string, answer: Body["reserved"]): Promise<void> {
    const code = !answer.ok && answer.reason === "busy" ? "MACHINE_BUSY" : "MACHINE_OUT_OF_SERVICE";
    const event = answer.ok ? ({ kind: "reserved" } as const) : ({ kind: "refused", code } as const);
    await this.#parts.attendant.apply("id", answer.reservationId, event, { from: machine });
  }

  async #report(machine: string, { journal, entry, line }: Body["report"]): Promise<void> {
    const { store, clock, attendant, limits } = this.#parts;
    if (!limits.admits(machine)) return;
    const { upTo, changes, isRefused } = await store.write(async (tx): Promise<Reported> => {
      const atMs = clock.nowMs();
      const known = await lockUpTo(tx, machine, journal);
      if (
        known === undefined &&
        entry === 1 &&
        (await newJournals(tx, machine, atMs)) >= limits.journalsPerDay
      )
        return { upTo: 0, changes: [], isRefused: true };
      const from = known ?? (entry === 1 ? await beginJournal(tx, machine, journal) : 0);
      if (entry !== from + 1) return { upTo: from, changes: [] };
      await tx
        .insertInto("machine_report")
        .values({ machine_id: machine, journal, entry, at_ms: atMs, line: JSON.stringify(line) })
        .execute();
      await tx
        .updateTable("machine_journal")
        .set({ up_to: entry })
        .where("machine_id", "=", machine)
        .where("journal", "=", journal)
        .execute();
      if (entry === 1) await forgetFailures(tx, machine);
      await countResult(tx, machine, line);
      const left = entry === 1 ? await holderOf(tx, machine) : undefined; // a journal that is new
      if (left !== undefined) await attendant.applyIn(tx, "id", left, { kind: "journalReplaced", journal });
      const event = { kind: "line", journal, entry, line } as const;
      if (line.kind === "audit") return { upTo: entry, changes: await this.#audit(tx, machine, event, line) };
      const change =
        "grantId" in line
          ? await attendant.applyIn(tx, "grant_id", line.grantId, event, { from: machine })
          : undefined;
      return { upTo: entry, changes: change === undefined ? [] : [change] };
    }, `${machine} ${journal}`);
    if (line.kind === "alarm" && upTo === entry)
      limits.say({ machine, code: line.code, detail: line.detail });
    if (isRefused === true) limits.journalRefused(machine);
    for (const change of changes) attendant.changed(change, line.kind === "audit" ? "audited" : "line");
    this.#sayHeard(machine, { journal, upTo });
  }

  /** The vends between two readings of the machine's own counters, held against them. */
  async #audit(
    tx: Tx,
    machine: string,
    { journal, entry }: { readonly journal: string; readonly entry: number },
    { since, items }: Extract<JournalLine, { kind: "audit" }>,
  ): Promise<readonly Change[]> {
    const { attendant, log } = this.#parts;
    const verdicts = settleByAudit(await vendsBetween(tx, machine, journal, since, entry), items);
    if (verdicts.length > 0)
      log.info({ machine, journal, entry, verdicts }, "held against the machine's own count");
    const changes: Change[] = [];
    for (const { saleId, vend, verdict } of verdicts) {
      if (verdict === "undecided") continue;
      const event = { kind: "audited", vend, fell: verdict === "succeeded" } as const;
      const change = await attendant.applyIn(tx, "id", saleId, event, { from: machine });
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** Once a turn and journal, however many lines came: `heard` speaks for all up to it. */
  #sayHeard(machine: string, heard: Body["heard"]): void {
    const { clock, bus, log } = this.#parts;
    const name = `${machine} ${heard.journal}`;
    const waiting = this.#toSay.get(name);
    this.#toSay.set(name, waiting !== undefined && waiting.upTo > heard.upTo ? waiting : heard);
    if (waiting !== undefined) return;
    clock.after(0, () => {
      const latest = this.#toSay.get(name);
      this.#toSay.delete(name);
      if (latest === undefined) return;
      bus()
        .say(machine, "heard", latest)
        .catch((error: unknown) =>
          log.warn({ err: error, machine }, "heard not said; the machine asks again"),
        );
    });
  }
}

/** Every vend that was approved between these entries of a journal, as it is known now, in the journal's order. */
async function vendsBetween(
  tx: Tx,
  machine: string,
  journal: string,
  since: number,
  before: number,
): Promise<readonly AuditedVend[]> {
  const rows = await tx
    .selectFrom("machine_report")
    .select("line")
    .where("machine_id", "=", machine)
    .where("journal", "=", journal)
    .where("entry", ">", since)
    .where("entry", "<", before)
    .orderBy("entry")
    .execute();
  const approved = rows.flatMap((row) => {
    const parsed = journalLine.safeParse(JSON.parse(row.line)); // what a later version has written is not an approval that we know
    return parsed.success && parsed.data.kind === "approved" ? [parsed.data] : [];
  });
  const sales = await salesOfGrants(tx, [...new Set(approved.map(({ grantId }) => grantId))]);
  return auditedVends(approved, sales);
}

/** How far a journal has been heard, if it ever was. Its row is held until the transaction ends. */
async function lockUpTo(tx: Tx, machine: string, journal: string): Promise<number | undefined> {
  const row = await tx
    .selectFrom("machine_journal")
    .select("up_to")
    .where("machine_id", "=", machine)
    .where("journal", "=", journal)
    .$call(forUpdate(tx))
    .executeTakeFirst();
  return row?.up_to;
}

/** Makes a journal's row, unless another has made it meanwhile, and holds it. */
async function beginJournal(tx: Tx, machine: string, journal: string): Promise<number> {
  await tx
    .insertInto("machine_journal")
    .values({ machine_id: machine, journal, up_to: 0 })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return (await lockUpTo(tx, machine, journal)) ?? 0;
}

/** How many of a machine's journals began within a day. Until the transaction ends no other begins. */
async function newJournals(tx: Tx, machine: string, nowMs: number): Promise<number> {
  await lockName(tx, `journals of ${machine}`);
  const row = await tx
    .selectFrom("machine_journal as known")
    .innerJoin("machine_report as first", (join) =>
      join
        .onRef("first.machine_id", "=", "known.machine_id")
        .onRef("first.journal", "=", "known.journal")
        .on("first.entry", "=", 1),
    )
    .select((eb) => eb.fn.countAll<number | string>().as("count"))
    .where("known.machine_id", "=", machine)
    .where("first.at_ms", ">", nowMs - DAY_MS)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
