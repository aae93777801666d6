/**
 * Payment requests: made, read, paid, refunded, voided, expired.
 *
 * Owns      who may do what to which request; the transaction around each step of request.ts.
 * Promises  every change is one `store.write`: the state, the money, the activity, the idempotency key and what webhooks
 *           are owed are there together or not at all. Nothing is answered before it is on disk.
 * Never     holds a rule about money (request.ts) or a wire form (wire.ts).
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { newId } from "../../broker/protocol/id.js";
import { toMinor } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import { insertOf, rowsOf, together, writeAll } from "../store/statement.js";
import type { Store, Tx } from "../store/store.js";
import { activityWrite, renderSelected, selectActivities } from "./activity-rows.js";
import { permit, type Caller } from "./api-key.js";
import { isElsewhere, paysIntoNone, readAssetType } from "./asset-type.js";
import { findAsset } from "./assets.js";
import { DueRequests } from "./due-requests.js";
import { findOperation, type Operation } from "./operation.js";
import { isStop, isStopped } from "./merchants.js";
import {
  newestFirst,
  pageSize,
  toPage,
  type NumberedPageQuery,
  type Page,
  type PageQuery,
} from "../http/page.js";
import { conditionOf } from "./patron-code.js";
import { findPatron } from "./patron-code-rows.js";
import type { Action } from "./permission.js";
import { providerOf, type AssetProvider } from "./provider.js";
import {
  checkLineItems,
  checkRedirect,
  returnTo,
  sumOf,
  type ConfirmForm,
  type CreateForm,
  type Details,
  type PayForm,
  type RefundForm,
} from "./request-form.js";
import {
  findRequest,
  lockFreeRequest,
  lockRequest,
  proceed,
  type Proceeded,
  readOptions,
  selectRequests,
  withMoney,
  type StoredRequest,
  type TimedRow,
} from "./request-rows.js";
import {
  MERCHANT_STOPPED,
  paidAt,
  statusAt,
  type Earlier,
  type Effect,
  type Event,
  type Option,
  type Raised,
  type Source,
} from "./request.js";
import { payerOf } from "./scanned-code.js";
import { acceptedCollections, findCollection } from "./tokens.js";
import { isShortCode, newShortCode } from "./short-code.js";
import { WrongCode } from "./typed-codes.js";
import type { Uplink } from "./uplink.js";
import type { Log } from "./webhooks.js";
import { renderActivity, renderRequest, renderSummary, type RequestRow, type View } from "./wire.js";

export type PaymentRequestParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly publicUrl: string;
  readonly log: Log;
  readonly providers: readonly AssetProvider[];
  /** Where none is configured, what it would pay is not offered. */
  readonly uplink: Uplink | undefined;
  /** Told of a code that is none, once the transaction it came to nothing in is over. */
  readonly wrongCode: (terminal: string) => Promise<void>;
  /** Called when the outbox may have something new. */
  readonly committed: () => void;
};

/** Who does what nobody asked for. */
const SERVICE_CRN = "crn::service:payments-api";
const configOptions = z.array(
  z.object({
    type: z.string(),
    walletId: z.string().optional(),
    collectionIds: z.array(z.string()).optional(),
    externalMerchantId: z.string().optional(),
  }),
);
const urls = z.array(z.string());

type Asked = {
  readonly nowMs: number;
  readonly activityId: string;
  readonly nextActivityId: string;
  readonly asked: string;
  readonly earlier: Earlier | undefined;
};
type Act = {
  readonly action: Action | ((row: RequestRow) => Action);
  readonly operation: (Omit<Operation, "subjectId"> & { readonly asked: string }) | undefined;
  /** What the activity repeats of what was asked. */
  readonly said: object;
  /** Who is to pay, where somebody is. `earlier`: what was asked under the same key. */
  readonly source?: (tx: Tx, row: RequestRow, nowMs: number, earlier: Promise<unknown>) => Promise<Source>;
  /** Whether the merchant is paid by it: then it is asked whether it may be. */
  readonly isPayment?: boolean;
  readonly event: (asking: Asked, row: RequestRow, source: Source, isStopped: boolean) => Event;
};

export class PaymentRequests {
  readonly #parts: PaymentRequestParts;
  readonly #due: DueRequests;

  constructor(parts: PaymentRequestParts) {
    this.#parts = parts;
    this.#due = new DueRequests(parts.store.read);
  }

  /** Raises FORBIDDEN, NO_AVAILABLE_PAYMENT_OPTIONS, TOKEN_COLLECTION_NOT_FOUND, LINE_ITEMS_SUM_CHECK_FAILED, REDIRECT_URL_INVALID, CHECKSUM_FAILED, PATRON_CODE_INVALID. */
  async create(caller: Caller, form: CreateForm): Promise<object> {
    const { configId, value, externalRef, expirySeconds, createdByAccountName, ...details } = form;
    const { partialAllowed, basketAmount } = details;
    checkLineItems(details.lineItems, [value.amount, partialAllowed === true ? basketAmount : undefined]);
    const { store, clock, random } = this.#parts;
    return store.writeAbout(undefined, async (tx) => {
      const [config] = await findConfig(tx, { configId });
      permit(caller, "payment-requests:create", config?.account_id);
      if (config === undefined) throw new Fault("FORBIDDEN");
      if (isStop(config.onboarding_status)) throw new Fault("NO_AVAILABLE_PAYMENT_OPTIONS", MERCHANT_STOPPED);
      const allowed = urls.parse(JSON.parse(config.allowed_redirect_urls));
      checkRedirect(details.redirectPaidUrl, allowed);
      checkRedirect(details.redirectCancelUrl, allowed);
      const { collectionId } = details;
      if (collectionId !== undefined && (await findCollection(tx, collectionId)) === undefined)
        throw new Fault("TOKEN_COLLECTION_NOT_FOUND");
      const options = await offer(
        tx,
        config.payment_options,
        config.id,
        form,
        this.#parts.uplink !== undefined,
      );
      if (options.length === 0) throw new Fault("NO_AVAILABLE_PAYMENT_OPTIONS");

      const { clock_offset_ms } = config;
      const realMs = clock.nowMs();
      const nowMs = realMs + clock_offset_ms;
      const code = await payerOf(tx, details, realMs);
      const row: RequestRow = {
        id: newId(realMs, random),
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
        pre_auth_status: null,
        pre_auth_expires_ms: null,
        conditions: "[]",
        expiry_seconds: expirySeconds,
        expires_ms: nowMs + expirySeconds * 1000,
        external_ref: externalRef ?? null,
        details: JSON.stringify(details),
        pending_minor: 0,
        activities: 1,
        created_by: caller.crn,
        created_by_account_id: caller.accountId,
        created_by_account_name: createdByAccountName ?? caller.accountName,
        created_ms: nowMs,
        updated_ms: nowMs,
        patron_code_id: code?.id ?? null,
      };
      await writeAll(tx, [
        insertRequest(row),
        activityWrite({
          id: newId(realMs, random),
          payment_request_id: row.id,
          merchant_id: row.merchant_id,
          number: 1,
          type: details.preAuth === true ? "preAuthRequest" : "request",
          amount_minor: row.value_minor,
          created_by: caller.crn,
          created_ms: nowMs,
          details: "{}",
        }),
      ]);
      const condition = code && conditionOf(code, options);
      if (condition !== undefined)
        return this.#raise(tx, { ...row, clock_offset_ms }, condition, details.conditionsEnabled === true);
      return renderRequest(row, options, [], this.#view({ clock_offset_ms }));
    });
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller, id: string): Promise<object> {
    return this.#render(await this.#find(caller, "payment-requests:read", id), caller);
  }

  /** The caller's latest with this code: another merchant may have the same one. Raises CHECKSUM_FAILED, FORBIDDEN. */
  async byShortCode(caller: Caller, shortCode: string): Promise<object> {
    const code = shortCode.toUpperCase();
    if (!isShortCode(code))
      throw new Fault("CHECKSUM_FAILED", "shortCode: is not one; look for a typing error");
    const row = await selectRequests(this.#parts.store.read)
      .where("short_code", "=", code)
      .where("merchant_account_id", "=", caller.accountId)
      .orderBy("id", "desc")
      .limit(1)
      .executeTakeFirst();
    permit(caller, "payment-requests:read-by-short-code", row?.merchant_account_id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    return this.#render(row);
  }

  /** For anyone, but only while it waits to be paid. Raises FORBIDDEN. */
  async summary(id: string): Promise<object> {
    const row = await findRequest(this.#parts.store.read, id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    const view = this.#view(row);
    if (statusAt(row, view.nowMs) !== "new") throw new Fault("FORBIDDEN");
    return renderSummary(row, readOptions(row), view);
  }

  /**
   * For anyone: where the payer's browser goes back to, now that it is paid, or as long as it is not. Raises FORBIDDEN, also where
   * the merchant has named no address.
   */
  async wayBack(id: string): Promise<object> {
    const row = await findRequest(this.#parts.store.read, id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    const { redirectPaidUrl, redirectCancelUrl } = JSON.parse(row.details) as Details; // written by create alone
    if (redirectPaidUrl === undefined && redirectCancelUrl === undefined) throw new Fault("FORBIDDEN");
    const status = statusAt(row, this.#view(row).nowMs);
    const url = status === "paid" ? redirectPaidUrl : redirectCancelUrl;
    return { status, ...(url === undefined ? {} : { url: returnTo(url, id) }) };
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
    const rows = await selectRequests(read)
      .where("merchant_account_id", "=", merchantAccountId)
      .where("external_ref", "=", externalRef)
      .$call(newestFirst("id", query))
      .execute();
    const items = new Map(
      await Promise.all(rows.map(async (row) => [row.id, await this.#render(row)] as const)),
    );
    return toPage(
      rows,
      size,
      (row) => row.id,
      (row) => items.get(row.id) ?? {},
    );
  }

  /**
   * Raises FORBIDDEN, REQUEST_PAID, REQUEST_EXPIRED, REQUEST_CANCELLED, INVALID_ASSET_TYPE, INACTIVE_ASSET,
   * INSUFFICIENT_ASSET_VALUE, REMAINING_AMOUNT_EXCEEDED, INVALID_AMOUNT, INVALID_MERCHANT_CONFIG,
   * INVALID_PAYMENT_REQUEST_TYPE, PAYMENT_DECLINED, PAYMENT_UNCONFIRMED, ASSET_REDEMPTION_DENIED, RATE_LIMIT_EXCEEDED,
   * IDEMPOTENT_OPERATION_FAILED.
   */
  async pay(caller: Caller, id: string, form: PayForm): Promise<object> {
    try {
      return await this.#pay(caller, id, form);
    } catch (error) {
      if (error instanceof WrongCode) await this.#parts.wrongCode(error.terminal);
      throw error;
    }
  }

  async #pay(caller: Caller, id: string, form: PayForm): Promise<object> {
    const { providers, uplink, clock } = this.#parts;
    const { assetType, idempotencyKey, mode, amount, externalPaymentRef, transactionId } = form;
    const { answer, effects } = await this.#step(caller, id, {
      action: "payment-requests:pay",
      operation: { kind: "pay", key: idempotencyKey, asked: canonical(form) },
      said: { idempotencyKey, externalPaymentRef, external: transactionId },
      source: async (tx, request, nowMs, earlier) => {
        // Nothing is asked of a code that is not to pay: a wrong one would be counted.
        if (request.status !== "new" || nowMs >= request.expires_ms) return NOBODY;
        if (form.authorization !== undefined && (await earlier) !== undefined) return NOBODY;
        const option = readOptions(request).find((one) => one.assetType === assetType);
        const isKept = uplink !== undefined || !isElsewhere(assetType);
        const provider = option && isKept ? providerOf(providers, assetType) : undefined;
        return option === undefined || provider === undefined
          ? NOBODY // and the request says what is wrong first: paid, expired, or not this type
          : provider.find(tx, { caller, request, option, form, nowMs, realMs: clock.nowMs() });
      },
      isPayment: true,
      event: (asking, _request, source, isStopped) => {
        const amountMinor = amount === undefined ? undefined : Number(amount);
        return { kind: "pay", assetType, source, mode, amountMinor, isStopped, ...asking };
      },
    });
    const ask = effects.find((effect) => effect.kind === "ask");
    if (ask === undefined || uplink === undefined) return answered(answer);
    return uplink.pay(ask.pending.payment.id, form.authorization ?? ""); // there: the provider's `find` saw to it
  }

  /**
   * Raises FORBIDDEN, NOT_PAID, INVALID_AMOUNT, ALREADY_REFUNDED, REPEAT_REFERENCE, REFUND_DECLINED,
   * LINE_ITEMS_SUM_CHECK_FAILED, PRE_AUTH_PENDING, CONFIRMATION_NOT_FOUND.
   */
  async refund(caller: Caller, id: string, form: RefundForm): Promise<object> {
    const { value, externalRef, invoiceRef, lineItems, confirmationIdempotencyKey } = form;
    checkLineItems(lineItems, [value.amount]);
    return this.#act(caller, id, {
      action: "payment-requests:refund",
      // The reference, the amount and the confirmation it is of make a refund; the rest is a remark, kept from the first time.
      operation: {
        kind: "refund",
        key: externalRef,
        asked: JSON.stringify({ ...value, confirmationIdempotencyKey }), // of none, the same text as the value's
      },
      said: { externalRef, invoiceRef, lineItems },
      event: (asking) => ({
        kind: "refund",
        valueMinor: toMinor(value),
        currency: value.currency,
        confirmationKey: confirmationIdempotencyKey,
        skus: lineItems?.flatMap(({ sku }) => sku ?? []) ?? [],
        ...asking,
      }),
    });
  }

  /** Raises FORBIDDEN, REQUEST_EXPIRED, REQUEST_CANCELLED, ALREADY_REFUNDED, VOID_WINDOW_EXCEEDED, REFUND_DECLINED, PRE_AUTH_ALREADY_CONFIRMED. */
  void(caller: Caller, id: string): Promise<object> {
    return this.#act(caller, id, {
      action: "payment-requests:void",
      operation: { kind: "void", key: "", asked: "" }, // a request is voided once; asked again, answered again
      said: {},
      event: (asking) => ({ kind: "void", ...asking }),
    });
  }

  /** Raises FORBIDDEN, INVALID_PAYMENT_REQUEST_TYPE, PRE_AUTH_PENDING, PRE_AUTH_RELEASED, REQUEST_CANCELLED, INVALID_MERCHANT_CONFIG, INVALID_AMOUNT, LINE_ITEMS_SUM_CHECK_FAILED, IDEMPOTENT_OPERATION_FAILED. */
  async confirm(caller: Caller, id: string, form: ConfirmForm): Promise<object> {
    const { idempotencyKey, invoiceRef, lineItems, value } = form;
    const sum = sumOf(lineItems);
    if (value !== undefined) checkLineItems(lineItems, [value.amount]);
    return this.#act(caller, id, {
      action: "payment-requests:confirm",
      operation: { kind: "confirm", key: idempotencyKey, asked: canonical(form) },
      said: { idempotencyKey, invoiceRef, lineItems },
      isPayment: true,
      event: (asking, row, _source, isStopped) => {
        if (sum < 1) throw new Fault("INVALID_AMOUNT", "the line items' prices add up to nothing");
        const currency = value?.currency ?? row.currency;
        return { kind: "confirm", key: idempotencyKey, valueMinor: sum, currency, isStopped, ...asking };
      },
    });
  }

  /** Raises FORBIDDEN, INVALID_PAYMENT_REQUEST_TYPE, PRE_AUTH_RELEASED, REQUEST_EXPIRED, REQUEST_CANCELLED. */
  release(caller: Caller, id: string): Promise<object> {
    return this.#act(caller, id, {
      action: "payment-requests:release",
      operation: undefined, // a second one is told that it was released
      said: {},
      event: (asking) => ({ kind: "release", ...asking }),
    });
  }

  /**
   * The merchant's word, or the patron's: of whoever showed the patron code, or, without one, of whoever may pay.
   *
   * Raises FORBIDDEN, PATRON_NOT_AUTHORIZED, MERCHANT_NOT_AUTHORIZED, CONDITION_ALREADY_SET, REQUEST_EXPIRED.
   */
  async setCondition(
    caller: Caller,
    id: string,
    conditionId: string,
    verdict: "accept" | "decline",
  ): Promise<object> {
    const isMerchant = (row: RequestRow): boolean => caller.accountId === row.merchant_account_id;
    const patron = await findPatron(this.#parts.store.read, id); // once it is there, it stays
    return this.#act(caller, id, {
      action: (row) => {
        if (isMerchant(row)) return "payment-requests:approve-conditions";
        if (patron !== undefined && patron !== caller.accountId) throw new Fault("FORBIDDEN");
        return "payment-requests:pay";
      },
      operation: undefined,
      said: {},
      event: (asking, row) => ({
        kind: verdict === "accept" ? "acceptCondition" : "declineCondition",
        conditionId,
        by: isMerchant(row) ? "merchant" : "patron",
        ...asking,
      }),
    });
  }

  /** Newest first. Raises FORBIDDEN. */
  async activities(caller: Caller, id: string, query: NumberedPageQuery): Promise<Page<object>> {
    const row = await this.#find(caller, "payment-activities:read", id);
    const rows = await this.#parts.store.read
      .selectFrom("activity")
      .selectAll()
      .where("payment_request_id", "=", id)
      .$call(newestFirst("number", query))
      .execute();
    return toPage(
      rows,
      pageSize(query),
      ({ number }) => String(number),
      (activity) => renderActivity(activity, row),
    );
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
    const rows = await selectActivities(read)
      .where("activity.merchant_id", "=", merchantId)
      .$call(newestFirst("activity.id", query))
      .execute();
    return toPage(rows, size, (row) => row.id, renderSelected);
  }

  /**
   * Writes down what is due, up to `limit` of each kind, each by itself: one that fails is logged, put off, and in nobody's
   * way. Answers how many it is done with for now. What others hold, they see to.
   */
  async expireDue(limit: number): Promise<number> {
    const { clock, random, log, committed } = this.#parts;
    const realMs = clock.nowMs();
    const ids = await this.#due.find(realMs, limit);
    const done = await Promise.all(
      ids.map(async (id) => {
        try {
          const isWritten = await this.#expire(id, realMs);
          this.#due.done(id);
          return isWritten;
        } catch (error) {
          log.error({ err: error, request: id }, "payments: could not end a request whose time is over");
          this.#due.putOff(id, realMs, random.fraction());
          return true;
        }
      }),
    );
    if (ids.length > 0) committed();
    return done.filter(Boolean).length;
  }

  #expire(id: string, realMs: number): Promise<boolean> {
    const { store, random, providers } = this.#parts;
    return store.writeAbout(id, async (tx) => {
      const row = await lockFreeRequest(tx, id);
      if (row === undefined) return false;
      const nowMs = realMs + row.clock_offset_ms;
      const activityId = newId(realMs, random);
      const event: Event = { kind: "expire", nowMs, activityId, nextActivityId: newId(realMs, random) };
      const by = SERVICE_CRN;
      const operation = undefined;
      const doing = { tx, random, providers, row, nowMs, realMs, by, operation, activityId, said: {} };
      const { effects } = await proceed(Promise.resolve(event), doing);
      return effects.some(({ kind }) => kind !== "ignored");
    });
  }

  async #act(caller: Caller, id: string, act: Act): Promise<object> {
    return answered((await this.#step(caller, id, act)).answer);
  }

  /** One step of one request, asked for by a client: read, decide, do, in one transaction. */
  async #step(
    caller: Caller,
    id: string,
    { action, operation, said, source, isPayment = false, event }: Act,
  ): Promise<Proceeded> {
    const { store, clock, random, providers, uplink, committed } = this.#parts;
    const stepped = await store.writeAbout(id, async (tx) => {
      const row = await lockRequest(tx, id);
      if (row === undefined) throw new Fault("FORBIDDEN");
      permit(caller, typeof action === "function" ? action(row) : action, row.merchant_account_id);
      const realMs = clock.nowMs();
      const nowMs = realMs + row.clock_offset_ms;
      const keyed = operation && { subjectId: id, ...operation };
      const activityId = newId(realMs, random);
      const decided = async (): Promise<Event> => {
        const looked = keyed === undefined ? Promise.resolve(undefined) : findOperation(tx, keyed);
        const [before, payer, stopped] = await together([
          looked,
          source === undefined ? Promise.resolve(NOBODY) : source(tx, row, nowMs, looked),
          isPayment ? isStopped(tx, row.merchant_id) : Promise.resolve(false),
        ]);
        const asking = {
          nowMs,
          activityId,
          nextActivityId: newId(realMs, random),
          asked: keyed?.asked ?? "",
          earlier: before && { asked: before.asked, activityId: before.resultId },
        };
        return event(asking, row, payer, stopped);
      };
      const by = caller.crn;
      const doing = { tx, random, providers, row, nowMs, realMs, by, operation: keyed, activityId, said };
      return proceed(decided(), doing);
    });
    committed();
    if (stepped.effects.some(isOwedElsewhere)) uplink?.kick();
    return stepped;
  }

  /** A condition of a request that was just made. */
  async #raise(tx: Tx, row: TimedRow, condition: Raised, conditionsEnabled: boolean): Promise<object> {
    const { clock, random, providers } = this.#parts;
    const realMs = clock.nowMs();
    const nowMs = realMs + row.clock_offset_ms;
    const activityId = newId(realMs, random);
    const nextActivityId = newId(realMs, random);
    const event: Event = { kind: "raise", condition, conditionsEnabled, activityId, nextActivityId };
    const by = SERVICE_CRN;
    const operation = undefined;
    const doing = { tx, random, providers, row, nowMs, realMs, by, operation, activityId, said: {} };
    await proceed(Promise.resolve(event), doing);
    const raised = await findRequest(tx, row.id);
    if (raised === undefined) throw new Error("a request was made and is not there");
    return renderRequest(raised, readOptions(raised), [], this.#view(raised));
  }

  /** `reader`: who may be neither side of it, and is then not told the merchant's reference, which may open more than the request. */
  async #render(row: TimedRow, reader?: Caller): Promise<object> {
    const stored = await withMoney(this.#parts.store.read, row);
    const { payments, hold } = stored;
    const view = this.#view(row);
    const held = hold && { ...hold, lines: null };
    const shown =
      reader === undefined || (await this.#isParty(reader, stored)) ? row : { ...row, external_ref: null };
    return renderRequest(shown, readOptions(row), paidAt(row, { payments, hold: held }, view.nowMs), view);
  }

  /** Whoever is paid, asks for it, is asked by their code, or has paid: not somebody who has merely seen its address. */
  async #isParty({ accountId }: Caller, { row, payments, hold }: StoredRequest): Promise<boolean> {
    const known = [row.merchant_account_id, row.created_by_account_id, hold?.payer_account_id];
    if (known.includes(accountId) || payments.some((one) => one.payer_account_id === accountId)) return true;
    return row.patron_code_id !== null && (await findPatron(this.#parts.store.read, row.id)) === accountId;
  }

  async #find(caller: Caller, action: Action, id: string): Promise<TimedRow> {
    const row = await findRequest(this.#parts.store.read, id);
    permit(caller, action, row?.merchant_account_id);
    if (row === undefined) throw new Fault("FORBIDDEN");
    return row;
  }

  #view({ clock_offset_ms }: Pick<TimedRow, "clock_offset_ms">): View {
    const { clock, publicUrl } = this.#parts;
    return { nowMs: clock.nowMs() + clock_offset_ms, publicUrl };
  }
}

function answered(answer: object | undefined): object {
  if (answer === undefined) throw new Error("a step that was asked for came to nothing");
  return answer;
}

/** What the uplink provider is to be called for, now. */
const isOwedElsewhere = (effect: Effect): boolean =>
  effect.kind === "callOff" ||
  (effect.kind === "giveBack" && effect.returns.some(({ payment }) => isElsewhere(payment.assetType)));

/** No asset at all: what a request is asked with when nobody keeps what was named. */
const NOBODY: Source = {
  id: "",
  type: "",
  assetId: null,
  accountId: null,
  active: false,
  availableMinor: 0,
  whole: false,
  lines: null,
  walletId: null,
};

/** What was asked, in one text to compare by: the schema fixes the order, and a code is kept as its hash alone. */
const canonical = (form: PayForm | ConfirmForm): string =>
  JSON.stringify(
    "authorization" in form && form.authorization !== undefined
      ? { ...form, authorization: createHash("sha256").update(form.authorization).digest("hex") }
      : form,
  );

const findConfig = rowsOf((db, { configId }: { readonly configId: string }) =>
  db
    .selectFrom("merchant_config")
    .innerJoin("merchant", "merchant.id", "merchant_config.merchant_id")
    .innerJoin("account", "account.id", "merchant.account_id")
    .select(["merchant_config.payment_options", "merchant_config.allowed_redirect_urls"])
    .select(["merchant.id", "merchant.account_id", "merchant.name", "merchant.onboarding_status"])
    .select("account.clock_offset_ms")
    .where("merchant_config.id", "=", configId),
);
const insertRequest = insertOf("payment_request", [
  "id",
  "short_code",
  "config_id",
  "merchant_id",
  "merchant_account_id",
  "merchant_name",
  "value_minor",
  "currency",
  "payment_options",
  "status",
  "cancellation_reason",
  "pre_auth_status",
  "pre_auth_expires_ms",
  "conditions",
  "expiry_seconds",
  "expires_ms",
  "external_ref",
  "details",
  "pending_minor",
  "activities",
  "created_by",
  "created_by_account_id",
  "created_by_account_name",
  "created_ms",
  "updated_ms",
  "patron_code_id",
]);

/** The config's options that can take this request; of collections, where it names one, that one alone. */
async function offer(
  tx: Tx,
  paymentOptions: string,
  merchantId: string,
  { value, preAuth, lineItems, collectionId }: CreateForm,
  hasUplink: boolean,
): Promise<readonly Option[]> {
  const options: Option[] = [];
  const kept = configOptions.parse(JSON.parse(paymentOptions));
  const open = await openWallets(tx, kept, value.currency);
  for (const option of kept) {
    const { type, walletId, collectionIds = [], externalMerchantId } = option;
    const known = readAssetType(type);
    if (known === undefined || (known.currency ?? value.currency) !== value.currency) continue;
    if (preAuth === true && !known.preAuth) continue;
    if (walletId !== undefined && !paysIntoNone(known) && !open.has(walletId)) continue;
    if (known.category === "uplink") {
      if (!hasUplink || externalMerchantId === undefined) continue;
      options.push({ assetType: type, amountMinor: toMinor(value), walletId, externalMerchantId });
      continue;
    }
    if (known.category !== "token") {
      const into = paysIntoNone(known) ? undefined : walletId;
      options.push({ assetType: type, amountMinor: toMinor(value), walletId: into });
      continue;
    }
    const accepted = await acceptedCollections(
      tx,
      merchantId,
      collectionIds.filter((id) => collectionId === undefined || id === collectionId),
      lineItems ?? [],
      value.currency,
    );
    const worth = Math.max(0, ...accepted.flatMap((one) => one.lines.map(({ amountMinor }) => amountMinor)));
    const most = Math.min(worth, toMinor(value)); // a line may be more than all of a basket that something is taken off
    if (most > 0) options.push({ assetType: type, amountMinor: most, acceptedCollections: accepted });
  }
  return options;
}

/** The wallets that can be paid into: not put away since, and of this currency. */
async function openWallets(
  tx: Tx,
  options: z.infer<typeof configOptions>,
  currency: string,
): Promise<ReadonlySet<string>> {
  const ids = new Set(options.flatMap(({ walletId }) => walletId ?? []));
  const wallets = await together([...ids].map((id) => findAsset(tx, id)));
  return new Set(
    wallets.flatMap((one) => (one?.status === "active" && one.currency === currency ? one.id : [])),
  );
}
