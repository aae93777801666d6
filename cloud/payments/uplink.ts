/**
 * Calls to the uplink provider, and what comes of them.
 *
 * Owns      the order of things: the row first, then the call with no transaction open, then what the provider's word changes, in
 *           one transaction with the row.
 * Promises  what was asked and is not known is asked about until it is, with back-off, by whichever process comes first; a payment
 *           that the provider has never heard of, or that its request does not want any more, is cancelled there until the
 *           provider says so; a refund is asked for until it is done.
 * Bounded   by MAX_CALLING calls at once; the rest wait as rows.
 * Crash     a row that is not settled is due again when its lease runs out.
 */
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { newId } from "../../broker/protocol/id.js";
import { fromMinor } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import { together, writeAll } from "../store/statement.js";
import type { Store, Tx } from "../store/store.js";
import { findSubscriptions, noticeWrites } from "./outbox.js";
import type { AssetProvider } from "./provider.js";
import { findActivity } from "./activity-rows.js";
import { lockRequest, proceed, readOptions, type TimedRow } from "./request-rows.js";
import type { Event } from "./request.js";
import type { UplinkClient, Word } from "./uplink-client.js";
import {
  askedAs,
  claimDue,
  hasDue,
  lockCall,
  openOf,
  putOff,
  readAsked,
  settle,
  type CallRow,
} from "./uplink-rows.js";
import { retryDelayMs, type Log } from "./webhooks.js";
import { livenessOf, renderActivity, type RequestRow } from "./wire.js";

export type UplinkParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly client: UplinkClient;
  readonly providers: readonly AssetProvider[];
  /** Called when the outbox may have something new. */
  readonly committed: () => void;
};

const MAX_CALLING = 16;
const LOOK_MS = 1_000;

/** What a word means to a payment that is asked for. */
const events = { paid: "taken", declined: "declined", cancelled: "declined", absent: "lost" } as const;

export class Uplink {
  readonly #parts: UplinkParts;
  #round: Promise<void> = Promise.resolve();
  #cancelTimer: () => void = () => undefined;
  #isClosed = false;
  #isLooking = false;
  #isWanted = false;

  constructor(parts: UplinkParts) {
    this.#parts = parts;
  }

  /** Asks for a payment whose row was just written, and answers its activity. Raises PAYMENT_DECLINED, PAYMENT_UNCONFIRMED. */
  async pay(id: string, authorization: string): Promise<object> {
    const { store, client } = this.#parts;
    const call = await store.read
      .selectFrom("uplink_call")
      .selectAll()
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    const row = await store.read
      .selectFrom("payment_request")
      .selectAll()
      .where("id", "=", call.payment_request_id)
      .executeTakeFirstOrThrow();
    const { assetType } = readAsked(call).payment;
    const option = readOptions(row).find((one) => one.assetType === assetType);
    const said = await client.pay({
      id,
      merchant: option?.externalMerchantId ?? "",
      value: valueOf(call),
      authorization,
      paymentRequestId: row.id,
    });
    const known = await this.#apply(call, said);
    if (known.state === "paying") throw new Fault("PAYMENT_UNCONFIRMED", "the provider has not answered yet");
    if (known.state !== "paid") throw new Fault("PAYMENT_DECLINED");
    return renderActivity(await findActivity(store.read, row.id, id), row);
  }

  start(): void {
    this.kick();
    this.#cancelTimer = this.#parts.clock.after(LOOK_MS, () => this.start());
  }

  /** Something may be due. */
  kick(): void {
    this.#isWanted = true;
    if (this.#isLooking || this.#isClosed) return;
    this.#round = this.#rounds();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#parts.client.close();
    await this.#round;
  }

  async #rounds(): Promise<void> {
    const { store, clock, log } = this.#parts;
    this.#isLooking = true;
    try {
      while (this.#isWanted && !this.#isClosed) {
        this.#isWanted = false;
        if (!(await hasDue(store.read, clock.nowMs()))) continue;
        const due = await store.write((tx) => claimDue(tx, MAX_CALLING, clock.nowMs()));
        await Promise.all(due.map(async (call) => this.#apply(call, await this.#ask(call))));
        if (due.length > 0) this.#isWanted = true;
      }
    } catch (error) {
      // A busy or failing store: the rows are due again when their lease is over.
      log.error({ err: error }, "uplink: could not go on with what is due");
    } finally {
      this.#isLooking = false;
    }
  }

  async #ask(call: CallRow): Promise<Word> {
    const { store, client } = this.#parts;
    const value = valueOf(call);
    if (call.state === "paying") return client.find(call.id, value);
    if (call.state === "cancelling") return client.cancel(call.id, value);
    return client.refund({ id: call.id, paymentId: await askedAs(store.read, call), value });
  }

  /**
   * Writes down what the provider's word changes, and answers the call as it is then. What it took and the ledger does not is
   * called off: until then nobody is told that it was not paid.
   */
  async #apply(call: CallRow, said: Word): Promise<CallRow> {
    try {
      return await this.#write(call, said);
    } catch (error) {
      if (!(error instanceof Fault) || said.status !== "paid") throw error;
      this.#parts.log.error(
        { err: error, call: call.id },
        "uplink: what was taken there cannot be booked here",
      );
      return this.#write(call, { status: "absent" }); // as far as we are concerned
    }
  }

  async #write(call: CallRow, said: Word): Promise<CallRow> {
    const { store, committed } = this.#parts;
    const after = await store.write(async (tx) => {
      const row = await lockRequest(tx, call.payment_request_id);
      if (row === undefined) throw new Error(`${call.id} belongs to no payment request`);
      const now = await lockCall(tx, call.id);
      // Somebody has gone on with it: the word is of something that nobody waits for.
      if (now.state !== call.state) return now;
      if (!(await this.#settled(tx, row, now, said))) await this.#putOff(tx, call, said);
      return lockCall(tx, call.id);
    });
    committed();
    if (after.state === "cancelling" && call.state !== "cancelling") this.kick();
    if (after.settled_ms === null) this.#tell(after, said);
    return after;
  }

  async #settled(tx: Tx, row: TimedRow, call: CallRow, { status }: Word): Promise<boolean> {
    const nowMs = this.#parts.clock.nowMs();
    if (call.state === "paying") {
      if (!(status in events)) return false;
      await this.#step(tx, row, call, events[status as keyof typeof events]); // as was just looked at
      return true;
    }
    if (call.state === "cancelling") {
      if (status !== "cancelled" && status !== "declined") return false;
      await settle(tx, call.id, "cancelling", "cancelled", nowMs);
      return true;
    }
    if (status !== "refunded") return false;
    await settle(tx, call.id, "refunding", "refunded", nowMs);
    await this.#tellRefunded(tx, row, call, nowMs);
    return true;
  }

  async #step(tx: Tx, row: TimedRow, call: CallRow, kind: "taken" | "declined" | "lost"): Promise<void> {
    const { clock, random, providers } = this.#parts;
    const realMs = clock.nowMs();
    const { by, said } = readAsked(call);
    const activityId = newId(realMs, random); // a list of activities goes by their ids: it stands where it happened
    const event: Event = {
      kind,
      paymentId: call.id,
      activityId,
      nextActivityId: newId(realMs, random),
    };
    const nowMs = realMs + row.clock_offset_ms;
    const operation = undefined; // its key was written down when it was asked
    const doing = { tx, random, providers, row, nowMs, realMs, by, operation, activityId, said };
    await proceed(Promise.resolve(event), doing);
  }

  /** A refund is completed when the last of what it gives back is. */
  async #tellRefunded(
    tx: Tx,
    row: RequestRow,
    { refund_id: refundId }: CallRow,
    nowMs: number,
  ): Promise<void> {
    if (refundId === null || (await openOf(tx, refundId, row.id)) > 0) return;
    const accountId = row.merchant_account_id;
    const [activity, subscriptions] = await together([
      findActivity(tx, row.id, refundId),
      findSubscriptions(tx, { accountId }),
    ]);
    const notice = {
      accountId,
      test: livenessOf(readOptions(row)) === "test",
      types: ["payment-request:refund-completed"] as const,
      activity,
    };
    await writeAll(tx, noticeWrites(this.#parts.random, nowMs, notice, subscriptions));
  }

  #putOff(tx: Tx, call: CallRow, said: Word): Promise<void> {
    const { clock, random } = this.#parts;
    // A call that our own end cut short says nothing about the provider: it is due again at once.
    const delayMs = this.#isClosed ? 0 : retryDelayMs(call.attempts, random.fraction());
    return putOff(tx, call, clock.nowMs() + delayMs, said.status === "unknown" ? said.why : said.status);
  }

  /** A provider that will not give money back is for a person to talk to; everything else is for the next attempt. */
  #tell({ id, state, attempts }: CallRow, said: Word): void {
    const what = { call: id, state, attempts, said };
    const refuses = state !== "paying" && said.status !== "unknown" && said.status !== "pending";
    if (refuses) this.#parts.log.error(what, "uplink: the provider refuses to give money back");
    else this.#parts.log.warn(what, "uplink: not known yet");
  }
}

const valueOf = ({ amount_minor, currency }: CallRow) => fromMinor(amount_minor, currency);
