/** The merchant backend's tables. Times are ms since 1970 by the cloud's clock; amounts are minor units. */
import type { Generated } from "kysely";

export type VendingTables = {
  machine: {
    id: string;
    code: string; // on the sticker
    name: string;
    place: string;
    currency: string;
    decimals: number;
    config_id: string; // the payment platform's merchant config
    suggested_credit: string; // JSON: minor units, e.g. [200, 400]
    min_credit_minor: number;
    max_credit_minor: number;
    max_vends: number;
    /** The newest status the machine signed, whole; its number decides which is newest. */
    status: string | null;
    status_n: number;
    status_at_ms: number;
    /** What the newest status with telemetry carried of it; a last will carries none. */
    telemetry: Generated<string | null>;
    telemetry_at_ms: Generated<number | null>;
    created_ms: number;
    config_applied: Generated<number>; // the version the machine goes by; 0: its own file
    config_max_vends: Generated<number | null>; // what that one sets in the place of max_vends, if it does
  };
  /** What the merchant set in a machine. Rows are only added. */
  machine_config: { machine_id: string; version: number; document: string; created_ms: number };
  machine_key: { kid: string; machine_id: string; public_key: string; revoked_ms: number | null };
  machine_item: {
    machine_id: string;
    item: number;
    name: string;
    price_minor: number;
    failures: number;
    sku: string | null; // what the merchant and its tokens know the product by
  };
  /** How far each journal of a machine has been committed here. */
  machine_journal: { machine_id: string; journal: string; up_to: number };
  /** Every line of every journal, as it came. Rows are only added. */
  machine_report: { machine_id: string; journal: string; entry: number; at_ms: number; line: string };
  sale: {
    id: string;
    machine_id: string;
    idempotency_key: string | null; // kept for sales; a refused attempt gives its key back
    grant_id: string;
    payment_request_id: string | null;
    payment_request: string | null; // JSON: as the platform gave it
    payer: string | null;
    state: string;
    holds_machine: number; // 1 while the machine serves this customer: at most one row a machine
    credit_minor: number;
    refunded_minor: number;
    unknown_refunded: number; // 1 if an unknown vend was decided for the payer
    doc: string; // JSON: the sale's value, what `step` reads and writes
    version: number; // raised at every change
    next_at_ms: number | null; // when it must be looked at again
    created_ms: number;
  };
  /** A sale's story, in order. Rows are only added. */
  sale_note: {
    sale_id: string;
    seq: number;
    at_ms: number;
    code: string;
    item: number | null;
    minor: number | null;
  };
  /** Webhook notifications already acted on. */
  webhook_seen: { id: string; at_ms: number };
  bus_key: {
    kid: string;
    private_key: string;
    public_key: string;
    created_ms: number;
    retired_ms: number | null;
  };
  bus_number: { id: number; next: number };
};
