/**
 * Webhook subscriptions: which notifications of an account go where.
 *
 * Owns      the table webhook_subscription.
 * Promises  an address is looked at before it is kept. One that is disabled or deleted gets nothing more: what waited for
 *           it is abandoned in the same transaction, and what a payment of that moment still wrote for it when it is found.
 * Never     forgets a delivery: one that is deleted keeps its rows for as long as others do, and nobody sees it any more.
 * Bounded   by QUOTA subscriptions an account.
 */
import { sql } from "kysely";
import { newId } from "../../broker/protocol/id.js";
import { Fault } from "../http/fault.js";
import { lockName } from "../store/locks.js";
import type { Reader, Store, Tx } from "../store/store.js";
import { permit, type Caller } from "./api-key.js";
import type { Making } from "./making.js";
import type { Action } from "./permission.js";
import type { SubscriptionChange, SubscriptionForm } from "./webhook-form.js";
import type { WebhookTargets } from "./webhook-targets.js";
import { renderSubscription, type SubscriptionRow } from "./wire.js";

export type SubscriptionParts = Making & {
  readonly store: Store;
  readonly targets: Pick<WebhookTargets, "refusal">;
};

const QUOTA = 20;

/** The subscription, if it is there and the caller may do this with it. Raises FORBIDDEN. */
export async function findSubscription(
  db: Reader,
  caller: Caller,
  action: Action,
  id: string,
): Promise<SubscriptionRow> {
  const row = await db
    .selectFrom("webhook_subscription")
    .selectAll()
    .where("id", "=", id)
    .where("deleted_ms", "is", null)
    .executeTakeFirst();
  permit(caller, action, row?.account_id);
  if (row === undefined) throw new Fault("FORBIDDEN");
  return row;
}

export class WebhookSubscriptions {
  readonly #parts: SubscriptionParts;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN, MALFORMED, QUOTA_EXCEEDED. */
  async create(caller: Caller, form: SubscriptionForm): Promise<object> {
    permit(caller, "webhooks:write", form.accountId);
    await this.#check(form.url);
    const { store, clock, random } = this.#parts;
    return store.write(async (tx) => {
      const nowMs = clock.nowMs();
      await lockSubscriptions(tx, form.accountId);
      if ((await ofAccount(tx, form.accountId)).length >= QUOTA)
        throw new Fault("QUOTA_EXCEEDED", `an account has at most ${QUOTA} webhook subscriptions`);
      const row: SubscriptionRow = {
        id: newId(nowMs, random),
        account_id: form.accountId,
        url: form.url,
        types: form.types.join(" "),
        description: form.description ?? null,
        enabled: 1,
        created_ms: nowMs,
        created_by: caller.crn,
        modified_ms: nowMs,
        modified_by: caller.crn,
        version: 1,
        deleted_ms: null,
      };
      await tx.insertInto("webhook_subscription").values(row).execute();
      return renderSubscription(row);
    });
  }

  /** Oldest first. Raises FORBIDDEN. */
  async list(caller: Caller, accountId: string): Promise<readonly object[]> {
    permit(caller, "webhooks:read", accountId);
    return (await ofAccount(this.#parts.store.read, accountId)).map(renderSubscription);
  }

  /** Raises FORBIDDEN. */
  async get(caller: Caller, id: string): Promise<object> {
    return renderSubscription(await findSubscription(this.#parts.store.read, caller, "webhooks:read", id));
  }

  /** Raises FORBIDDEN, MALFORMED. */
  async update(
    caller: Caller,
    id: string,
    { url, types, enabled, description }: SubscriptionChange,
  ): Promise<object> {
    const { store } = this.#parts;
    await findSubscription(store.read, caller, "webhooks:write", id); // a stranger learns nothing of an address
    if (url !== undefined) await this.#check(url);
    return store.write((tx) =>
      this.#change(tx, caller, id, {
        ...(url === undefined ? {} : { url }),
        ...(types === undefined ? {} : { types: types.join(" ") }),
        ...(enabled === undefined ? {} : { enabled: enabled ? 1 : 0 }),
        ...(description === undefined ? {} : { description: description === "" ? null : description }),
      }),
    );
  }

  /** Answers what it was. Raises FORBIDDEN. */
  remove(caller: Caller, id: string): Promise<object> {
    const { store, clock } = this.#parts;
    return store.write((tx) => this.#change(tx, caller, id, { enabled: 0, deleted_ms: clock.nowMs() }));
  }

  async #change(
    tx: Tx,
    caller: Caller,
    id: string,
    change: Partial<Pick<SubscriptionRow, "url" | "types" | "enabled" | "description" | "deleted_ms">>,
  ): Promise<object> {
    await findSubscription(tx, caller, "webhooks:write", id);
    const nowMs = this.#parts.clock.nowMs();
    const row = await tx
      .updateTable("webhook_subscription")
      .set((e) => ({
        ...change,
        modified_ms: nowMs,
        modified_by: caller.crn,
        version: e("version", "+", 1),
      }))
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    if (row.enabled === 0) await abandonDisabled(tx, [id], nowMs);
    return renderSubscription(row);
  }

  async #check(url: string): Promise<void> {
    const refusal = await this.#parts.targets.refusal(url);
    if (refusal !== undefined) throw new Fault("MALFORMED", `url: ${refusal}`);
  }
}

/** Abandons what waits for these, of those that are disabled (or deleted). */
export async function abandonDisabled(tx: Tx, ids: readonly string[], nowMs: number): Promise<void> {
  await tx
    .updateTable("delivery")
    .set({ state: "abandoned", settled_ms: nowMs, last_error: "the subscription was disabled" })
    .where("subscription_id", "in", (e) =>
      e.selectFrom("webhook_subscription").select("id").where("id", "in", ids).where("enabled", "=", 0),
    )
    .where("state", "=", sql.lit("due")) // a literal, or SQLite does not take the partial index
    .execute();
}

/** Held by whoever is about to add one: how many there are stays as it is counted. */
export const lockSubscriptions = (tx: Tx, accountId: string): Promise<void> =>
  lockName(tx, `webhook_subscription ${accountId}`);

const ofAccount = (db: Reader, accountId: string): Promise<readonly SubscriptionRow[]> =>
  db
    .selectFrom("webhook_subscription")
    .selectAll()
    .where("account_id", "=", accountId)
    .where("deleted_ms", "is", null)
    .orderBy("id")
    .execute();
