/** Every change to the tables, in order of name. A migration that has been released is never edited. */
import type { Migration } from "kysely";
import { payments } from "./migrations/0001-payments.js";
import { vouchers } from "./migrations/0005-vouchers.js";
import { vending } from "./migrations/0002-vending.js";

export const migrations: Record<string, Migration> = {
  "0001-payments": payments,
  "0002-vending": vending,
  "0005-vouchers": vouchers,
};
