/** What two readings say of a journal's vends: how often each item was sold cashless in between. Pure. */
import { MAX_COUNTED, type JournalLine } from "../../broker/protocol/messages.js";
import type { Audit } from "./audit.js";
import { deltas, type Delta } from "./deltas.js";

export type CountedItems = Extract<JournalLine, { kind: "audit" }>["items"];
type CountedItem = CountedItems[number];

/** `undefined`: the readings are not of one machine's counters. */
export function countedSince(before: Audit, after: Audit): CountedItems | undefined {
  const compared = deltas(before, after);
  if (!compared.ok) return undefined;
  const counted = compared.deltas.flatMap(countOf);
  // Two names of one number: which of them the MDB bus means is not known.
  const isOneOnly = ({ item }: CountedItem): boolean =>
    compared.deltas.filter(({ product }) => itemOf(product) === item).length === 1;
  return counted.filter(isOneOnly).slice(0, MAX_COUNTED);
}

function countOf({ product, cashless }: Delta): readonly CountedItem[] {
  const item = itemOf(product);
  if (item === undefined || cashless.kind !== "counted") return [];
  return [{ item, vends: cashless.vends }];
}

/** Only a name that is a number is an item of the MDB bus. */
function itemOf(product: string): number | undefined {
  const item = /^\d{1,5}$/.test(product) ? Number(product) : undefined;
  return item !== undefined && item <= 0xffff ? item : undefined;
}
