/**
 * What was asked under which idempotency key: the primary key is the promise that it is done once.
 *
 * Owns      the table operation.
 */
import { insertOf, rowsOf, type Write } from "../store/statement.js";
import type { Reader } from "../store/store.js";

export type Operation = {
  /** What it is done to: keys of different subjects never meet. */
  readonly subjectId: string;
  readonly kind:
    "pay" | "refund" | "void" | "confirm" | "release" | "acceptCondition" | "declineCondition" | "top-up";
  readonly key: string;
};

export async function findOperation(
  tx: Reader,
  operation: Operation,
): Promise<{ readonly asked: string; readonly resultId: string } | undefined> {
  return (await findByKey(tx, operation))[0];
}
const findByKey = rowsOf((db, { subjectId, kind, key }: Operation) =>
  db
    .selectFrom("operation")
    .select(["asked", "result_id as resultId"])
    .where("subject_id", "=", subjectId)
    .where("kind", "=", kind)
    .where("key", "=", key),
);

export const operationWrite = ({ subjectId, kind, key }: Operation, asked: string, resultId: string): Write =>
  insert({ subject_id: subjectId, kind, key, asked, result_id: resultId });
const insert = insertOf("operation", ["subject_id", "kind", "key", "asked", "result_id"]);
