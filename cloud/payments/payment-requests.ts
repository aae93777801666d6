/**
 * Payment requests: made, read, paid, refunded, voided, expired.
 *
 * Owns      who may do what to which request; the transaction around each step of request.ts.
 * Promises  every change is one `store.write`: the state, the money, the activity, the idempotency key and what webhooks
 *           are owed are there together or not at all. Nothing is answered before it is on disk.
 * Never     holds a rule about money (request.ts) or a wire form (wire.ts).
 */
import { sql } from "kysely";
import { z } from "zod";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { newId } from "../../broker/protocol/id.js";
import { toMinor, type Money } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import type { Store, Tx } from "../store/store.js";
import { permit, type Caller } from "./api-key.js";
import { readAssetType } from "./asset-type.js";
import { findSpendable } from "./assets.js";
import { findOperation, type Operation } from "./operation.js";
import { pageSize, toPage, type Page, type PageQuery } from "./page.js";
import type { Action } from "./permission.js";
import {
  checkLineItems,
  checkRedirect,
  type CreateForm,
  type PayForm,
  type RefundForm,
} from "./request-form.js";
import {
  findPayments,
  findRequest,
  lockFreeRequest,
  lockRequest,
  perform,
  readOptions,
  toState,
} from "./request-rows.js";
import { step, statusAt, type Earlier, type Event, type Option } from "./request.js";
import { newShortCode } from "./short-code.js";
import { renderActivity, renderRequest, renderSummary, type RequestRow } from "./wire.js";

export type PaymentRequestParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly publicUrl: string;
  /** Called when the outbox may have something new. */
  readonly committed: () => void;
};

/** Who does what nobody asked for. */
const SERVICE_CRN = "crn::service:payments-api";
const configOptions = z.array(z.object({ type: z.string(), walletId: z.string().optional() }));
const urls = z.array(z.string());

type Asked = {
  readonly nowMs: number;
  readonly activityId: string;
  readonly asked: string;
  readonly earlier: Earlier | undefined;
};
type Act = {
  readonly action: Action;
  readonly operation: Omit<Operation, "subjectId"> & { readonly asked: string };
  /** What the activity repeats of what was asked. */
  readonly said: object;
  readonly event: (tx: Tx, asking: Asked) => Promise<Event> | Event;
};

export class PaymentRequests {
  readonly #parts: PaymentRequestParts;

  constructor(parts: PaymentRequestParts) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN, NO_AVAILABLE_PAYMENT_OPTIONS, LINE_ITEMS_SUM_CHECK_FAILED, REDIRECT_URL_INVALID. */
  async create(caller: Caller, form: CreateForm): Promise<object> {
    const { configId, value, externalRef, expirySeconds, createdByAccountName, ...details } = form;
    const { partialAllowed, basketAmount } = details;
    checkLineItems(details.lineItems, [value.amount, partialAllowed === true ? basketAmount : undefined]);
    const { store, clock, random } = this.#parts;
    return store.write(async (tx) => {
      const config = await tx
        .selectFrom("merchant_config")
        .innerJoin("merchant", "merchant.id", "merchant_config.merchant_id")
        .select(["merchant_config.payment_options", "merchant_config.allowed_redirect_urls"])
        .select(["merchant.id", "merchant.account_id", "merchant.name"])
        .where("merchant_config.id", "=", configId)
        .executeTakeFirst();
      permit(caller, "payment-requests:create", config?.account_id);
      if (config === undefined) throw new Fault("FORBIDDEN");
      const allowed = urls.parse(JSON.parse(config.allowed_redirect_urls));
      checkRedirect(details.redirectPaidUrl, allowed);
      checkRedirect(details.redirectCancelUrl, allowed);
      const options = offer(config.payment_options, value, details.preAuth === true);
      if (options.length === 0) throw new Fault("NO_AVAILABLE_PAYMENT_OPTIONS");

      const nowMs = clock.nowMs();
      const row: RequestRow = {
        id: newId(nowMs, random),
        short_code: newShortCode(random),
        config_id: configId,
        merchant_id: config.id,
        merchant_account_id: config.account_id,
        merchant_name: config.name,
        value_minor: toMinor(value),
        currency: value.currency,
        payment_options: JSON.stringify(options),
        status: "new",
        cancellation_reason: null,
        expiry_seconds: expirySeconds,
        expires_ms: nowMs + expirySeconds * 1000,
        external_ref: externalRef ?? null,
        details: JSON.stringify(details),
        activities: 1,
        created_by: caller.crn,
        created_by_account_id: caller.accountId,
        created_by_account_name: createdByAccountName ?? caller.accountName,
        created_ms: nowMs,
        updated_ms: nowMs,
      };
      await tx.insertInto("payment_request").values(row).execute();
      await tx
        .insertInto("activity")
        .values({
          id: newId(nowMs, random),
          payment_request_id: row.id,
          merchant_id: row.merchant_id,
          number: 1,
          type: "request",
          amount_minor: row.value_minor,
          created_by: caller.crn,
          created_ms: nowMs,
          details: "{}",
        })
        .execute();
      return renderRequest(row, options, [], this.#view());
    });
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller, id: string): Promise<object> {
    const { read } = this.#parts.store;
    const row = await this.#find(caller, "payment-requests:read", id);
    return renderRequest(row, readOptions(row), await findPayments(read, row), this.#view());
  }

  /** For anyone, but only while it waits to be paid. Raises FORBIDDEN. */
  async summary(id: string): Promise<object> {
    const row = await findRequest(this.#parts.store.read, id);
    const view = this.#view();
    if (row === undefined || statusAt(row.status, row.expires_ms, view.nowMs) !== "new")
      throw new Fault("FORBIDDEN");
    return renderSummary(row, readOptions(row), view);
  }

  /** Newest first. Raises FORBIDDEN. */
  async byExternalRef(
    caller: Caller,
    externalRef: string,
    merchantAccountId: string,
    query: PageQuery,
  ): Promise<Page<object>> {
    permit(caller, "payment-requests:list", merchantAccountId);
    const { read } = this.#parts.store;
    const size = pageSize(query);
    const rows = await read
      .selectFrom("payment_request")
      .selectAll()
      .where("merchant_account_id", "=", merchantAccountId)
      .where("external_ref", "=", externalRef)
      .$if(query.pageKey !== undefined, (q) => q.where("id", "<", query.pageKey ?? ""))
      .orderBy("id", "desc")
      .limit(size + 1)
      .execute();
    const payments = new Map(
      await Promise.all(rows.map(async (row) => [row.id, await findPayments(read, row)] as const)),
    );
    const view = this.#view();
    return toPage(
      rows,
      size,
      (row) => row.id,
      (row) => renderRequest(row, readOptions(row), payments.get(row.id) ?? [], view),
    );
  }

  /**
   * Raises FORBIDDEN, REQUEST_PAID, REQUEST_EXPIRED, REQUEST_CANCELLED, INVALID_ASSET_TYPE, INACTIVE_ASSET,
   * INSUFFICIENT_ASSET_VALUE, INVALID_MERCHANT_CONFIG, IDEMPOTENT_OPERATION_FAILED.
   */
  pay(caller: Caller, id: string, form: PayForm): Promise<object> {
    const { assetType, assetId, idempotencyKey } = form;
    return this.#act(caller, id, {
      action: "payment-requests:pay",
      operation: { kind: "pay", key: idempotencyKey, asked: JSON.stringify(form) }, // its schema fixes the order
      said: { idempotencyKey },
      event: async (tx, asking) => {
        const asset = await findSpendable(tx, assetId);
        permit(caller, "assets:spend", asset?.accountId);
        if (asset === undefined) throw new Fault("FORBIDDEN");
        return { kind: "pay", assetType, asset, ...asking };
      },
    });
  }

  /**
   * Raises FORBIDDEN, NOT_PAID, INVALID_AMOUNT, ALREADY_REFUNDED, REPEAT_REFERENCE, REFUND_DECLINED,
   * LINE_ITEMS_SUM_CHECK_FAILED, CONFIRMATION_NOT_FOUND.
   */
  async refund(caller: Caller, id: string, form: RefundForm): Promise<object> {
    const { value, externalRef, invoiceRef, lineItems } = form;
    checkLineItems(lineItems, [value.amount]);
    return this.#act(caller, id, {
      action: "payment-requests:refund",
      // The reference and the amount make a refund, as the API has it; the rest is a remark, kept from the first time.
      operation: { kind: "refund", key: externalRef, asked: JSON.stringify(value) },
      said: { externalRef, invoiceRef, lineItems },
      event: (_tx, asking) => {
        // Only a pre-authorised request has confirmations, and none of these is one.
        if (form.confirmationIdempotencyKey !== undefined) throw new Fault("CONFIRMATION_NOT_FOUND");
        return { kind: "refund", valueMinor: toMinor(value), currency: value.currency, ...asking };
      },
    });
  }

  /** Raises FORBIDDEN, REQUEST_EXPIRED, ALREADY_REFUNDED, VOID_WINDOW_EXCEEDED, REFUND_DECLINED. */
  void(caller: Caller, id: string): Promise<object> {
    return this.#act(caller, id, {
      action: "payment-requests:void",
      operation: { kind: "void", key: "", asked: "" }, // a request is voided once; asked again, answered again
      said: {},
      event: (_tx, asking) => ({ kind: "void", ...asking }),
    });
  }

  /** Newest first. Raises FORBIDDEN. */
  async activities(caller: Caller, id: string): Promise<Page<object>> {
    const row = await this.#find(caller, "payment-activities:read", id);
    const rows = await this.#parts.store.read
      .selectFrom("activity")
      .selectAll()
      .where("payment_request_id", "=", id)
      .orderBy("number", "desc")
      .execute();
    return { items: rows.map((activity) => renderActivity(activity, row)) };
  }

  /** Newest first. Raises FORBIDDEN. */
  async merchantActivities(caller: Caller, merchantId: string, query: PageQuery): Promise<Page<object>> {
    const { read } = this.#parts.store;
    const merchant = await read
      .selectFrom("merchant")
      .select("account_id")
      .where("id", "=", merchantId)
      .executeTakeFirst();
    permit(caller, "payment-activities:read", merchant?.account_id);
    const size = pageSize(query);
    const rows = await read
      .selectFrom("activity")
      .innerJoin("payment_request", "payment_request.id", "activity.payment_request_id")
      .selectAll("activity")
      .select(["short_code", "currency", "config_id", "merchant_account_id", "merchant_name"])
      .select("payment_request.created_by as request_created_by")
      .where("activity.merchant_id", "=", merchantId)
      .$if(query.pageKey !== undefined, (q) => q.where("activity.id", "<", query.pageKey ?? ""))
      .orderBy("activity.id", "desc")
      .limit(size + 1)
      .execute();
    return toPage(
      rows,
      size,
      (row) => row.id,
      (row) => renderActivity(row, { ...row, created_by: row.request_created_by }),
    );
  }

  /** Writes down up to `limit` requests whose time is over; answers how many it wrote. What others hold, they see to. */
  async expireDue(limit: number): Promise<number> {
    const { store, clock, random } = this.#parts;
    const nowMs = clock.nowMs();
    const due = await store.read
      .selectFrom("payment_request")
      .select("id")
      .where("status", "=", sql.lit("new")) // a literal, or SQLite does not take the partial index
      .where("expires_ms", "<=", nowMs)
      .orderBy("expires_ms")
      .limit(limit)
      .execute();
    if (due.length === 0) return 0;
    return store.write(async (tx) => {
      let written = 0;
      for (const { id } of due) {
        const row = await lockFreeRequest(tx, id);
        if (row === undefined) continue;
        const event: Event = { kind: "expire", nowMs, activityId: newId(nowMs, random) };
        const [next, effects] = step(toState(row, await findPayments(tx, row)), event);
        const doing = { tx, random, row, next, nowMs, by: SERVICE_CRN, operation: undefined, said: {} };
        await perform(effects, doing);
        if (next.kind !== row.status) written += 1;
      }
      return written;
    });
  }

  /** One step of one request, asked for by a client: read, decide, do, in one transaction. */
  async #act(caller: Caller, id: string, { action, operation, said, event }: Act): Promise<object> {
    const { store, clock, random, committed } = this.#parts;
    const answer = await store.write(async (tx) => {
      const row = await lockRequest(tx, id);
      permit(caller, action, row?.merchant_account_id);
      if (row === undefined) throw new Fault("FORBIDDEN");
      const nowMs = clock.nowMs();
      const keyed = { subjectId: id, ...operation };
      const before = await findOperation(tx, keyed);
      const asking = {
        nowMs,
        activityId: newId(nowMs, random),
        asked: operation.asked,
        earlier: before && { asked: before.asked, activityId: before.resultId },
      };
      const state = toState(row, await findPayments(tx, row));
      const [next, effects] = step(state, await event(tx, asking));
      return perform(effects, { tx, random, row, next, nowMs, by: caller.crn, operation: keyed, said });
    });
    committed();
    if (answer === undefined) throw new Error(`${operation.kind} of ${id} came to nothing`);
    return answer;
  }

  async #find(caller: Caller, action: Action, id: string): Promise<RequestRow> {
    const row = await findRequest(this.#parts.store.read, id);
    permit(caller, action, row?.merchant_account_id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    return row;
  }

  #view(): { readonly nowMs: number; readonly publicUrl: string } {
    return { nowMs: this.#parts.clock.nowMs(), publicUrl: this.#parts.publicUrl };
  }
}

/** The config's options that can take this value. */
function offer(paymentOptions: string, value: Money, preAuth: boolean): readonly Option[] {
  return configOptions.parse(JSON.parse(paymentOptions)).flatMap(({ type, walletId }) => {
    const known = readAssetType(type);
    if (known?.currency !== value.currency || (preAuth && !known.preAuth)) return [];
    return [{ assetType: type, amountMinor: toMinor(value), walletId }];
  });
}
