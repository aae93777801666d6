/**
 * An account's notifications, from any point on: for a receiver that was away, and one that no webhook can reach.
 *
 * Promises  who goes on from each answer's `after` misses nothing. An id is made a moment before its row is there, so what is
 *           younger than SETTLED_MS may still get a neighbour with a smaller id: until then `after` stays before it, and what
 *           was read is read again. At least once, as with a delivery; the id tells.
 */
import type { Clock } from "../../broker/protocol/clock.js";
import { firstIdAt } from "../../broker/protocol/id.js";
import type { Store } from "../store/store.js";
import { permit, type Caller } from "./api-key.js";
import { pageSize } from "../http/page.js";
import { textsOf } from "./outbox.js";
import { openSigningKey } from "./signing-key.js";
import type { NotificationQuery } from "./webhook-form.js";
import { signWebhook } from "./webhook-signature.js";

/** Longer than a commit waits in line, and than the clocks of two servers differ. */
const SETTLED_MS = 5_000;

export class Notifications {
  readonly #parts: { readonly store: Store; readonly clock: Clock };

  constructor(parts: { readonly store: Store; readonly clock: Clock }) {
    this.#parts = parts;
  }

  /** Oldest first. Raises FORBIDDEN. */
  async list(
    caller: Caller,
    { accountId = caller.accountId, after = "", type, audience, ...page }: NotificationQuery,
  ): Promise<{ readonly items: readonly object[]; readonly after: string }> {
    permit(caller, "notifications:read", accountId);
    const { store, clock } = this.#parts;
    const nowMs = clock.nowMs();
    if (after === "now") return { items: [], after: firstIdAt(nowMs) };
    const size = pageSize(page);
    const rows = await store.read
      .selectFrom("notification")
      .select("id")
      .where("account_id", "=", accountId)
      .where("id", ">", after)
      .$if(type !== undefined, (q) => q.where("type", "=", type ?? ""))
      .orderBy("id")
      .limit(size)
      .execute();
    // A page that is not full has looked at all there is.
    const seen = rows.length < size ? undefined : rows.at(-1)?.id;
    const settled = firstIdAt(nowMs - SETTLED_MS);
    const next = seen !== undefined && seen < settled ? seen : settled;
    const texts = await textsOf(
      store.read,
      rows.map(({ id }) => id),
    );
    const bodies = rows.flatMap(({ id }) => texts.get(id) ?? []); // gone, if it was old: between the two looks at it
    const items = bodies.map((body) => JSON.parse(body) as object); // made by the outbox alone
    return {
      items: audience === undefined ? items : await this.#signed(items, bodies, audience, nowMs),
      after: next > after ? next : after,
    };
  }

  async #signed(
    items: readonly object[],
    bodies: readonly string[],
    url: string,
    nowMs: number,
  ): Promise<readonly object[]> {
    const key = await openSigningKey(this.#parts.store, nowMs);
    return Promise.all(
      bodies.map(async (body, index) => ({
        ...items[index],
        body,
        authorization: await signWebhook(key, { url, body, nowMs }),
      })),
    );
  }
}
