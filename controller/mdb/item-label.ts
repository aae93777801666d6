/** Which keys a customer pressed, from the machine's item number, as far as its scheme is known (MDB/ICP 4.2, 7.4.6). Pure. */

import { ITEM_UNDEFINED } from "./driver.js";

/** Those with a row in the high byte and a column in the low one are named for the number of their first item, A1. */
const firstItems = { rowColumn0000: 0x0000, rowColumn0001: 0x0001, rowColumn0101: 0x0101 } as const;
type RowColumn = keyof typeof firstItems;
export const rowColumns: readonly RowColumn[] = ["rowColumn0000", "rowColumn0001", "rowColumn0101"];
/** `plain`: the numbers on the keys; `undefined`: the machine never says which item; `other`: a scheme of its own. */
export const itemSchemes = ["plain", ...rowColumns, "undefined", "other"] as const;
export type ItemNumbers = "plain" | RowColumn | "undefined" | "other";

const ROWS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** `undefined` when the machine did not say which item. */
export function labelOf(item: number, scheme: ItemNumbers | undefined): string | undefined {
  if (item === ITEM_UNDEFINED) return undefined;
  if (scheme === undefined || !(scheme in firstItems)) return String(item);
  const first = firstItems[scheme as RowColumn]; // it is a key of the table
  const row = ROWS[(item >> 8) - (first >> 8)];
  const column = (item & 0xff) - (first & 0xff) + 1;
  return row === undefined || column < 1 ? String(item) : `${row}${column}`;
}
