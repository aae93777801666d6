/** `/api/webhook-subscriptions`, `/api/webhook-deliveries` and `/api/notifications`. */
import { z } from "zod";
import type { Endpoints } from "../../http/endpoint.js";
import type { Caller } from "../api-key.js";
import type { Notifications } from "../notifications.js";
import { pageQuery } from "../../http/page.js";
import type { WebhookDeliveries } from "../webhook-deliveries.js";
import { notificationQuery, subscriptionChange, subscriptionForm } from "../webhook-form.js";
import type { WebhookSubscriptions } from "../webhook-subscriptions.js";
import { notifications, pageOf, webhookDelivery, webhookSubscription } from "./answers.js";

const byId = z.object({ id: z.string() });
const tag = "Webhooks";
const url = "/api/webhook-subscriptions";
const experimental = true; // the API we are compatible with has no endpoints for these

export function webhookRoutes(
  { keyed }: Endpoints<Caller>,
  parts: {
    readonly subscriptions: WebhookSubscriptions;
    readonly deliveries: WebhookDeliveries;
    readonly notifications: Notifications;
  },
): void {
  keyed(
    {
      method: "POST",
      url,
      name: "createWebhookSubscription",
      says: "Have an account's notifications of these types sent to an address.",
      tag,
      body: subscriptionForm,
      answer: webhookSubscription,
      faults: ["QUOTA_EXCEEDED"],
      experimental,
    },
    ({ caller, body }) => parts.subscriptions.create(caller, body),
  );
  keyed(
    {
      method: "GET",
      url: "/api/accounts/:accountId/webhook-subscriptions",
      name: "listWebhookSubscriptions",
      says: "Every webhook subscription of the account, oldest first.",
      tag,
      params: z.object({ accountId: z.string() }),
      answer: z.array(webhookSubscription),
      experimental,
    },
    ({ caller, params }) => parts.subscriptions.list(caller, params.accountId),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/:id`,
      name: "getWebhookSubscription",
      says: "A webhook subscription as it is now.",
      tag,
      params: byId,
      answer: webhookSubscription,
      experimental,
    },
    ({ caller, params }) => parts.subscriptions.get(caller, params.id),
  );
  keyed(
    {
      method: "PUT",
      url: `${url}/:id`,
      name: "updateWebhookSubscription",
      says: "Change its address, its types or its description, or enable or disable it. What is left out stays as it is; disabled, it gets nothing more and what waits for it is abandoned.",
      tag,
      params: byId,
      body: subscriptionChange,
      answer: webhookSubscription,
      experimental,
    },
    ({ caller, params, body }) => parts.subscriptions.update(caller, params.id, body),
  );
  keyed(
    {
      method: "DELETE",
      url: `${url}/:id`,
      name: "deleteWebhookSubscription",
      says: "End a webhook subscription. What waits for it is abandoned.",
      tag,
      params: byId,
      answer: webhookSubscription,
      experimental,
    },
    ({ caller, params }) => parts.subscriptions.remove(caller, params.id),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/:id/deliveries`,
      name: "listWebhookDeliveries",
      says: "What was sent to a webhook subscription and how each attempt ended, newest first.",
      tag,
      params: byId,
      query: pageQuery,
      answer: pageOf(webhookDelivery),
      experimental,
    },
    ({ caller, params, query }) => parts.deliveries.ofSubscription(caller, params.id, query),
  );
  keyed(
    {
      method: "POST",
      url: "/api/webhook-deliveries/:id/redeliver",
      name: "redeliverWebhook",
      says: "Send the same notification to the same subscription once more, whatever became of it before.",
      tag,
      params: byId,
      answer: webhookDelivery,
      faults: ["SUBSCRIPTION_DISABLED"],
      experimental,
    },
    ({ caller, params }) => parts.deliveries.redeliver(caller, params.id),
  );
  keyed(
    {
      method: "GET",
      url: "/api/notifications",
      name: "listNotifications",
      says: "The account's notifications, oldest first, from `after` on (`now` answers with none, and where to go on from). Some seconds long one may come again: its id tells. With `audience`, each carries the text and the signature that a delivery to that address would.",
      tag,
      query: notificationQuery,
      answer: notifications,
      experimental,
    },
    ({ caller, query }) => parts.notifications.list(caller, query),
  );
}
