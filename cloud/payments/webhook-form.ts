/** What clients send about webhooks, as schemas. Pure. */
import { z } from "zod";
import { pageQuery } from "../http/page.js";
import { text } from "./request-form.js";
import { notificationTypes } from "./request.js";

const URL_LIMIT = 2048;

/** Kept as it was written. Where it may point is decided by {@link WebhookTargets}. */
export const webhookUrl = text(URL_LIMIT).refine(
  isWebAddress,
  "must be an http(s) address without a user name",
);

const types = z
  .array(z.enum(notificationTypes, `must be of ${notificationTypes.join(", ")}`))
  .min(1, "must name at least one")
  .max(notificationTypes.length)
  .refine((all) => new Set(all).size === all.length, "must not name one twice");

export const subscriptionForm = z.object({
  accountId: text(64),
  url: webhookUrl,
  types,
  description: text(255).optional(),
});
export type SubscriptionForm = z.infer<typeof subscriptionForm>;

/** What is left out stays as it is; an empty description takes it away. */
export const subscriptionChange = z
  .object({
    url: webhookUrl.optional(),
    types: types.optional(),
    enabled: z.boolean().optional(),
    description: z.union([z.literal(""), text(255)]).optional(),
  })
  .refine(
    (change) => Object.values(change).some((value) => value !== undefined),
    "must have url, types, enabled or description",
  );
export type SubscriptionChange = z.infer<typeof subscriptionChange>;

/** The place to go on from: the caller never makes one up, but may keep it for ever (what comes after it is kept for thirty days). */
const cursor = z.union(
  [z.literal("now"), z.string().regex(/^[0-9A-Za-z]{1,64}$/)],
  'must be the "after" of an earlier answer, or now',
);
export const notificationQuery = z.object({
  accountId: text(64).optional(),
  after: cursor.optional(),
  type: z.enum(notificationTypes, `must be one of ${notificationTypes.join(", ")}`).optional(),
  audience: webhookUrl.optional(),
  paginationLimit: pageQuery.shape.paginationLimit,
});
export type NotificationQuery = z.infer<typeof notificationQuery>;

function isWebAddress(value: string): boolean {
  // The parser would forgive what another program may read differently: blanks, tabs, a missing or turned slash, an empty name.
  return /^https?:\/\/[^\s\\/?#@]+([/?#][^\s\\]*)?$/i.test(value) && URL.canParse(value);
}
