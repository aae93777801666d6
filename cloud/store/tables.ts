/** Every table of the cloud, for Kysely. Each room owns its own and never joins another's. */
import type { PaymentsTables } from "./payments-tables.js";
import type { VendingTables } from "./vending-tables.js";

export type Tables = PaymentsTables & VendingTables;
