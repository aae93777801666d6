/** What comes back to something that is spent by a code, or whole, and has an end: it is good for a while yet. */
import type { Tx } from "../store/store.js";
import { RETURNED_FOR_MS } from "./request.js";

/** `nowMs`: the request's time, by which such things end. */
export async function keepGood(
  tx: Tx,
  table: "token" | "voucher",
  id: string | null,
  nowMs: number,
): Promise<void> {
  const expires_ms = nowMs + RETURNED_FOR_MS;
  await tx
    .updateTable(table)
    .set({ expires_ms })
    .where("id", "=", id)
    .where("expires_ms", "<", expires_ms) // one without an end keeps none
    .execute();
}
