/** Every change to the tables, in order of name. A migration that has been released is never edited. */
import type { Migration } from "kysely";
import { accounts } from "./migrations/0005-accounts.js";
import { notifiedActivities } from "./migrations/0012-notified-activities.js";
import { ownTime } from "./migrations/0007-own-time.js";
import { machineConfigs } from "./migrations/0009-machine-configs.js";
import { ownedMachines } from "./migrations/0011-owned-machines.js";
import { payments } from "./migrations/0001-payments.js";
import { productCodes } from "./migrations/0010-product-codes.js";
import { uplink } from "./migrations/0006-uplink.js";
import { pruning } from "./migrations/0008-pruning.js";
import { vouchers } from "./migrations/0004-vouchers.js";
import { vending } from "./migrations/0002-vending.js";
import { webhooks } from "./migrations/0003-webhooks.js";

export const migrations: Record<string, Migration> = {
  "0001-payments": payments,
  "0002-vending": vending,
  "0003-webhooks": webhooks,
  "0004-vouchers": vouchers,
  "0005-accounts": accounts,
  "0006-uplink": uplink,
  "0007-own-time": ownTime,
  "0008-pruning": pruning,
  "0009-machine-configs": machineConfigs,
  "0010-product-codes": productCodes,
  "0011-owned-machines": ownedMachines,
  "0012-notified-activities": notifiedActivities,
};
