/**
 * The items that failed too often to be offered.
 *
 * Promises  an item is offered again when the machine, which leaves it out just as long, would give it again; and all of them are
 *           when the machine's own count begins anew. Until then one success is needed, or a configuration that is applied.
 * Never     remembers when an item failed: the machine's reports say it.
 */
import { journalLine, type JournalLine } from "../../broker/protocol/messages.js";
import { SUSPENDED_MS } from "../../broker/protocol/machine-configuration.js";
import type { Tx } from "../store/store.js";

/** So many failures in a row and an item is no longer offered. */
const SUSPECT_AFTER = 3;
/** Of a journal's lines the last so many are looked at: a machine that says more in a quarter of an hour has sold. */
const LATEST_LINES = 200;

export const isSuspect = (failures: number): boolean => failures >= SUSPECT_AFTER;

/** Counts an item's failures in a row. */
export async function countResult(tx: Tx, machineId: string, line: JournalLine): Promise<void> {
  if (line.kind !== "failed" && line.kind !== "succeeded") return;
  await tx
    .updateTable("machine_item")
    .set((eb) => ({ failures: line.kind === "failed" ? eb("failures", "+", 1) : 0 }))
    .where("machine_id", "=", machineId)
    .where("item", "=", line.item)
    .execute();
}

/** The machine has begun anew, and knows of no failures. */
export async function forgetFailures(tx: Tx, machineId: string): Promise<void> {
  await tx
    .updateTable("machine_item")
    .set({ failures: 0 })
    .where("machine_id", "=", machineId)
    .where("failures", ">", 0)
    .execute();
}

/** Offers what has been left out for long enough. As at the machine, one more failure and it is left out again. */
export async function offerAgain(tx: Tx, machineId: string, nowMs: number): Promise<void> {
  const suspects = await tx
    .selectFrom("machine_item")
    .select("item")
    .where("machine_id", "=", machineId)
    .where("failures", ">=", SUSPECT_AFTER)
    .execute();
  if (suspects.length === 0) return;
  const failed = await failedSince(tx, machineId, nowMs - SUSPENDED_MS);
  const again = suspects.map(({ item }) => item).filter((item) => !failed.has(item));
  if (again.length === 0) return;
  await tx
    .updateTable("machine_item")
    .set({ failures: SUSPECT_AFTER - 1 })
    .where("machine_id", "=", machineId)
    .where("item", "in", again)
    .execute();
}

async function failedSince(tx: Tx, machineId: string, sinceMs: number): Promise<ReadonlySet<number>> {
  const journals = await tx
    .selectFrom("machine_journal")
    .select(["journal", "up_to"])
    .where("machine_id", "=", machineId)
    .execute();
  const items = new Set<number>();
  for (const { journal, up_to } of journals) {
    const rows = await tx
      .selectFrom("machine_report")
      .select("line")
      .where("machine_id", "=", machineId)
      .where("journal", "=", journal)
      .where("entry", ">", up_to - LATEST_LINES)
      .where("at_ms", ">", sinceMs)
      .execute();
    for (const row of rows) {
      const { data } = journalLine.safeParse(JSON.parse(row.line)); // what a later version has written is passed over
      if (data?.kind === "failed") items.add(data.item);
    }
  }
  return items;
}
