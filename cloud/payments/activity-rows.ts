/**
 * A payment request's story, row by row.
 *
 * Owns      the table activity. Rows are only added.
 */
import { insertOf, rowsOf } from "../store/statement.js";
import type { Reader } from "../store/store.js";
import { renderActivity, type ActivityRow, type RequestRow } from "./wire.js";

type Named = { readonly id: string; readonly requestId: string };
/**
 * The activity of this id, or of the payment that a provider elsewhere was asked for under it. None, where what was asked for came
 * to nothing.
 */
export const findActivityOf = rowsOf((db, { requestId, id }: Named) =>
  db
    .selectFrom("activity")
    .selectAll()
    .where("payment_request_id", "=", requestId)
    .where((e) =>
      e.or([
        e("id", "=", id),
        e("id", "=", e.selectFrom("uplink_call").select("payment_id").where("uplink_call.id", "=", id)),
      ]),
    ),
);

export async function findActivity(db: Reader, requestId: string, id: string): Promise<ActivityRow> {
  const [row] = await findActivityOf(db, { requestId, id });
  if (row === undefined) throw new Error(`the activity ${id} is gone`);
  return row;
}

export const activityWrite = insertOf("activity", [
  "id",
  "payment_request_id",
  "merchant_id",
  "number",
  "type",
  "amount_minor",
  "created_by",
  "created_ms",
  "details",
]);

/** With what else of the request is said of them. */
export const selectActivities = (db: Reader) =>
  db
    .selectFrom("activity")
    .innerJoin("payment_request", "payment_request.id", "activity.payment_request_id")
    .selectAll("activity")
    .select(["short_code", "currency", "config_id", "merchant_account_id", "merchant_name"])
    .select("payment_request.created_by as request_created_by");

type SelectedActivity = ActivityRow &
  Pick<RequestRow, "short_code" | "currency" | "config_id" | "merchant_account_id" | "merchant_name"> & {
    readonly request_created_by: string;
  };
export const renderSelected = (row: SelectedActivity): object =>
  renderActivity(row, { ...row, created_by: row.request_created_by });
