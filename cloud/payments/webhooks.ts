/**
 * Webhooks: the outbox's deliveries, signed and sent until they are heard.
 *
 * Owns      sending; the delivery rows from the moment they are committed, and the table delivery_attempt.
 * Promises  at least once, for two weeks, with back-off and jitter; a delivery is claimed in the database before it is
 *           sent, so that several processes can share the outbox. Order is not promised: a receiver that needs it asks.
 *           What is sent is the notification's exact text, signed as an ES256 JWT that carries its SHA-256. How each
 *           attempt ended is written down with what came of it.
 * Never     waits for a receiver longer than TIMEOUT_MS, nor has one account's receivers keep another's waiting.
 * Bounded   by MAX_SENDING deliveries at once, of one account MAX_OF_ACCOUNT; the rest wait as rows. While an account is at
 *           its bound a look goes over the LOOKED_OVER that have waited longest and as many that became due last, so that
 *           another's are found behind any number of its own.
 * Crash     a claim is a lease: what was claimed and not settled is due again when it runs out, with the same id. The
 *           attempt that was cut short has a number and no row.
 */
import { sql } from "kysely";
import type { Clock, Random } from "../../broker/protocol/clock.js";
import { forUpdateSkipLocked } from "../store/locks.js";
import { rowsOf } from "../store/statement.js";
import type { Store } from "../store/store.js";
import { textsOf } from "./outbox.js";
import type { SigningKey } from "./signing-key.js";
import { signWebhook } from "./webhook-signature.js";
import { abandonDisabled } from "./webhook-subscriptions.js";
import type { WebhookTargets } from "./webhook-targets.js";

/** The log as this room needs it; pino's fits. */
export interface Log {
  info(what: object, message: string): void;
  warn(what: object, message: string): void;
  error(what: object, message: string): void;
}
export type WebhookParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly targets: Pick<WebhookTargets, "post">;
  readonly log: Log;
};

const MAX_SENDING = 32;
const MAX_OF_ACCOUNT = 4;
const LOOKED_OVER = 256;
const TIMEOUT_MS = 5_000;
/** Longer than any attempt takes, so that a lease never runs out under a living process. */
const LEASE_MS = 2 * TIMEOUT_MS;
const LOOK_MS = 1_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60 * 60 * 1000;
const GIVE_UP_MS = 14 * 24 * 60 * 60 * 1000;

type Due = {
  readonly id: string;
  readonly account_id: string;
  readonly notification_id: string;
  readonly body: string;
  readonly url: string;
  readonly attempts: number;
  readonly round: number;
  readonly begun_ms: number;
  readonly tries: number;
};
/** What the receiver answered, or why it did not. */
type Outcome =
  { readonly status: number; readonly error: null } | { readonly status: null; readonly error: string };

/** How long to wait after the nth failed attempt: doubling, at most an hour, spread over the upper half of that. */
export function retryDelayMs(attempts: number, fraction: number): number {
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 30));
  return Math.round(longest * (0.5 + fraction / 2));
}

const dueFrom = (end: "asc" | "desc") =>
  rowsOf((db, { nowMs, limit }: { readonly nowMs: number; readonly limit: number }) =>
    db
      .selectFrom("delivery")
      .innerJoin("webhook_subscription", "webhook_subscription.id", "delivery.subscription_id")
      .select(["delivery.id", "delivery.attempts", "delivery.round", "delivery.begun_ms", "delivery.tries"])
      .select(["delivery.notification_id", "delivery.subscription_id", "webhook_subscription.url"])
      .select(["webhook_subscription.account_id", "webhook_subscription.enabled"])
      .where("delivery.state", "=", sql.lit("due")) // a literal, or SQLite does not take the partial index
      .where("delivery.due_ms", "<=", nowMs)
      .orderBy("delivery.due_ms", end)
      .limit(limit),
  );
/** Asked after every commit that may owe something. */
const findDue = dueFrom("asc");
const findDueLast = dueFrom("desc");
type Found = Awaited<ReturnType<typeof findDue>>[number];
type Looked = {
  readonly now: readonly Found[];
  readonly unwanted: readonly string[];
  readonly isMore: boolean;
};
const idsOf = (rows: readonly { readonly id: string }[]): readonly string[] => rows.map(({ id }) => id);

export class Webhooks {
  readonly #parts: WebhookParts;
  readonly #stop = new AbortController();
  /** And of which account each is. */
  readonly #sending = new Map<Promise<void>, string>();
  #key: SigningKey | undefined;
  #round: Promise<void> = Promise.resolve();
  #isLooking = false;
  #isWanted = false;
  #hasMore = false;
  #cancelTimer: () => void = () => undefined;

  constructor(parts: WebhookParts) {
    this.#parts = parts;
  }

  start(key: SigningKey): void {
    this.#key = key;
    this.#look();
  }

  /** Something may be due: called right after a commit, so that a webhook leaves at once. */
  kick(): void {
    this.#isWanted = true;
    if (this.#key === undefined || this.#isLooking) return;
    this.#round = this.#rounds(this.#key);
  }

  async close(): Promise<void> {
    this.#cancelTimer();
    this.#stop.abort(new Error("stopped before there was an answer"));
    await this.#round;
    await Promise.all(this.#sending.keys());
  }

  /** Finds what became due by time alone. */
  #look(): void {
    this.kick();
    this.#cancelTimer = this.#parts.clock.after(LOOK_MS, () => this.#look());
  }

  async #rounds(key: SigningKey): Promise<void> {
    this.#isLooking = true;
    try {
      while (this.#isWanted && !this.#stop.signal.aborted) {
        const free = MAX_SENDING - this.#sending.size;
        if (free === 0) break; // whoever ends next kicks
        this.#isWanted = false;
        const found = await this.#find(free);
        const claimed = await this.#claim(found);
        this.#hasMore = found.isMore;
        for (const due of claimed) this.#begin(due, key);
        // Behind what was taken, or is at its account's bound, there may be others'.
        if (found.isMore && claimed.length + found.unwanted.length > 0) this.#isWanted = true;
      }
    } catch (error) {
      // A busy or failing store: the rows are still due, and the timer looks again.
      this.#parts.log.error({ err: error }, "webhooks: could not look for what is due");
    } finally {
      this.#isLooking = false; // in the turn that saw nothing wanted, so that no kick falls between the two
    }
  }

  #begin(due: Due, key: SigningKey): void {
    const sending = this.#deliver(due, key)
      .catch((error: unknown) =>
        this.#parts.log.error({ err: error, delivery: due.id }, "webhooks: not settled"),
      )
      .finally(() => {
        this.#sending.delete(sending);
        if (this.#hasMore || this.#isWanted) this.kick();
      });
    this.#sending.set(sending, due.account_id);
  }

  /**
   * What is due: up to `free` to be sent now, and of no account more than it may; the subscriptions found that have ended; whether
   * there is more.
   */
  async #find(free: number): Promise<Looked> {
    const { store, clock } = this.#parts;
    const sending = [...this.#sending.values()];
    const mayBegin = new Map<string, number>();
    const roomOf = (accountId: string): number =>
      mayBegin.get(accountId) ?? MAX_OF_ACCOUNT - sending.filter((id) => id === accountId).length;
    const isAnyFull = sending.some((accountId) => roomOf(accountId) <= 0);
    const asked = { nowMs: clock.nowMs(), limit: isAnyFull ? LOOKED_OVER : free };
    const longest = await findDue(store.read, asked);
    const isCut = longest.length === asked.limit;
    const last = isAnyFull && isCut ? await findDueLast(store.read, asked) : [];
    const found = [...new Map([...longest, ...last].map((row) => [row.id, row])).values()];
    const unwanted = found.filter(({ enabled }) => enabled === 0).map((row) => row.subscription_id);
    const now: Found[] = [];
    for (const row of found) {
      const room = roomOf(row.account_id);
      if (row.enabled === 0 || room <= 0 || now.length === free) continue;
      mayBegin.set(row.account_id, room - 1);
      now.push(row);
    }
    return { now, unwanted, isMore: isCut || now.length + unwanted.length < found.length };
  }

  /**
   * Takes those for this process whose `attempts` are as they were seen, and that nobody holds. What a subscription that has
   * ended is still owed (a payment may have read it just before) is abandoned.
   */
  async #claim({ now, unwanted }: Looked): Promise<readonly Due[]> {
    const { store, clock } = this.#parts;
    if (now.length + unwanted.length === 0) return [];
    const nowMs = clock.nowMs();
    const texts = await textsOf(
      store.read,
      now.map(({ notification_id }) => notification_id),
    );
    const due = now.map((row) => {
      const body = texts.get(row.notification_id);
      if (body === undefined) throw new Error(`the notification ${row.notification_id} is gone`);
      return { ...row, body };
    });
    return store.write(async (tx) => {
      if (unwanted.length > 0) await abandonDisabled(tx, unwanted, nowMs);
      if (due.length === 0) return [];
      const free = await tx
        .selectFrom("delivery")
        .select(["id", "attempts", "round"])
        .where("id", "in", idsOf(due))
        .where("state", "=", "due")
        .where("subscription_id", "in", (e) =>
          e.selectFrom("webhook_subscription").select("id").where("enabled", "=", 1),
        )
        .$call(forUpdateSkipLocked(tx))
        .execute();
      const seen = new Map(free.map(({ id, attempts, round }) => [id, `${attempts} ${round}`]));
      const mine = due.filter(({ id, attempts, round }) => seen.get(id) === `${attempts} ${round}`);
      if (mine.length === 0) return [];
      await tx
        .updateTable("delivery")
        .set((e) => ({
          attempts: e("attempts", "+", 1),
          tries: e("tries", "+", 1),
          due_ms: nowMs + LEASE_MS,
        }))
        .where("id", "in", idsOf(mine))
        .execute();
      return mine.map((row) => ({ ...row, attempts: row.attempts + 1, tries: row.tries + 1 }));
    });
  }

  async #deliver(due: Due, key: SigningKey): Promise<void> {
    const { store, clock, random, log } = this.#parts;
    const [atMs, fromMs] = [clock.nowMs(), clock.monoMs()];
    const outcome = await this.#send(due, key);
    const nowMs = clock.nowMs();
    const duration = Math.max(0, Math.round(clock.monoMs() - fromMs));
    const error = faultOf(outcome);
    const isOver = nowMs - due.begun_ms >= GIVE_UP_MS;
    // An attempt that our own end cut short says nothing about the receiver: it is due again at once.
    const delayMs = this.#stop.signal.aborted ? 0 : retryDelayMs(due.tries, random.fraction());
    const settled =
      error === null
        ? { state: "delivered" as const, settled_ms: nowMs, last_error: null }
        : isOver
          ? { state: "abandoned" as const, settled_ms: nowMs, last_error: error }
          : { due_ms: nowMs + delayMs, last_error: error };
    await store.write(async (tx) => {
      await tx
        .updateTable("delivery")
        .set(settled)
        .where("id", "=", due.id)
        .where("round", "=", due.round) // asked for again meanwhile: that is another round's business
        .$if(error !== null, (q) => q.where("state", "=", "due").where("attempts", "=", due.attempts))
        .execute();
      await tx
        .insertInto("delivery_attempt")
        .values({ delivery_id: due.id, number: due.attempts, at_ms: atMs, duration_ms: duration, ...outcome })
        .execute();
    });
    if (error !== null)
      log.warn({ delivery: due.id, attempts: due.attempts, error, isOver }, "webhooks: not heard");
  }

  async #send({ url, body }: Due, key: SigningKey): Promise<Outcome> {
    const { clock, targets } = this.#parts;
    const patience = new AbortController();
    const calm = clock.after(TIMEOUT_MS, () => patience.abort(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    try {
      const authorization = await signWebhook(key, { url, body, nowMs: clock.nowMs() });
      const status = await targets.post(url, {
        headers: { "content-type": "application/json", authorization },
        body,
        signal: AbortSignal.any([patience.signal, this.#stop.signal]),
      });
      return { status, error: null };
    } catch (error) {
      // The one place where not reaching a stranger's server is expected: whatever the reason, it was not heard.
      return { status: null, error: reasonOf(error) };
    } finally {
      calm();
    }
  }
}

/** Why it was not heard; `null` when it was. */
function faultOf({ status, error }: Outcome): string | null {
  if (status === null) return error;
  return status >= 200 && status < 300 ? null : `status ${status}`;
}

/** Node says nothing itself where each of a host's addresses failed in its own way: the first of them will do. */
function reasonOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error ? first.message : String(first);
}
