/**
 * What was asked under which idempotency key: the primary key is the promise that it is done once.
 *
 * Owns      the table operation.
 */
import type { Reader, Tx } from "../store/store.js";

export type Operation = {
  /** What it is done to: keys of different subjects never meet. */
  readonly subjectId: string;
  readonly kind:
    "pay" | "refund" | "void" | "confirm" | "release" | "acceptCondition" | "declineCondition" | "top-up";
  readonly key: string;
};

export async function findOperation(
  tx: Reader,
  { subjectId, kind, key }: Operation,
): Promise<{ readonly asked: string; readonly resultId: string } | undefined> {
  return tx
    .selectFrom("operation")
    .select(["asked", "result_id as resultId"])
    .where("subject_id", "=", subjectId)
    .where("kind", "=", kind)
    .where("key", "=", key)
    .executeTakeFirst();
}

export async function insertOperation(
  tx: Tx,
  { subjectId, kind, key }: Operation,
  asked: string,
  resultId: string,
): Promise<void> {
  await tx
    .insertInto("operation")
    .values({ subject_id: subjectId, kind, key, asked, result_id: resultId })
    .execute();
}
