/** `/api/payment-requests` and `/api/payment-activities`. */
import { z } from "zod";
import type { Endpoints } from "../../http/endpoint.js";
import type { Caller } from "../api-key.js";
import { numberedPageQuery, pageQuery } from "../../http/page.js";
import type { PaymentRequests } from "../payment-requests.js";
import { confirmForm, createForm, payForm, refundForm, text } from "../request-form.js";
import { activity, pageOf, paymentRequest, requestSummary, wayBack } from "./answers.js";

const byId = z.object({ id: z.string() });
const tag = "Payment requests";
const url = "/api/payment-requests";

export function paymentRequestRoutes({ keyed, open }: Endpoints<Caller>, requests: PaymentRequests): void {
  keyed(
    {
      method: "POST",
      url,
      name: "createPaymentRequest",
      says: "Ask for a payment.",
      tag,
      body: createForm,
      answer: paymentRequest,
      faults: [
        "LINE_ITEMS_SUM_CHECK_FAILED",
        "CHECKSUM_FAILED",
        "PATRON_CODE_INVALID",
        "NO_AVAILABLE_PAYMENT_OPTIONS",
        "TOKEN_COLLECTION_NOT_FOUND",
        "REDIRECT_URL_INVALID",
      ],
    },
    ({ caller, body }) => requests.create(caller, body),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/:id`,
      name: "getPaymentRequest",
      says: "A payment request as it is now.",
      tag,
      params: byId,
      answer: paymentRequest,
    },
    ({ caller, params }) => requests.get(caller, params.id),
  );
  open(
    {
      method: "GET",
      url: `${url}/:id/summary`,
      name: "getPaymentRequestSummary",
      says: "What anyone may see of a payment request, while it waits to be paid.",
      tag,
      params: byId,
      answer: requestSummary,
      faults: ["FORBIDDEN"],
    },
    ({ params }) => requests.summary(params.id),
  );
  open(
    {
      method: "GET",
      url: `${url}/:id/return`,
      name: "getPaymentRequestReturn",
      says: "Where the payer's browser goes back to: to `redirectPaidUrl` when it is paid, to `redirectCancelUrl` otherwise.",
      tag,
      params: byId,
      answer: wayBack,
      faults: ["FORBIDDEN"],
      experimental: true,
    },
    ({ params }) => requests.wayBack(params.id),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/external-ref/:externalRef`,
      name: "listPaymentRequestsByExternalRef",
      says: "A merchant's payment requests with this reference, newest first.",
      tag,
      params: z.object({ externalRef: text(255) }),
      query: pageQuery.extend({ merchantAccountId: text(64) }),
      answer: pageOf(paymentRequest),
    },
    ({ caller, params, query: { merchantAccountId, ...page } }) =>
      requests.byExternalRef(caller, params.externalRef, merchantAccountId, page),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/short-code/:shortCode`,
      name: "getPaymentRequestByShortCode",
      says: "The merchant's latest payment request with this short code.",
      tag,
      params: z.object({ shortCode: text(16) }),
      answer: paymentRequest,
      faults: ["CHECKSUM_FAILED"],
    },
    ({ caller, params }) => requests.byShortCode(caller, params.shortCode),
  );
  keyed(
    {
      method: "POST",
      url: `${url}/:id/pay`,
      name: "payPaymentRequest",
      says: "Pay, from an asset of the caller's.",
      tag,
      params: byId,
      body: payForm,
      answer: activity,
      faults: [
        "REQUEST_PAID",
        "REQUEST_EXPIRED",
        "REQUEST_CANCELLED",
        "INVALID_ASSET_TYPE",
        "INACTIVE_ASSET",
        "INVALID_MERCHANT_CONFIG",
        "INSUFFICIENT_ASSET_VALUE",
        "REMAINING_AMOUNT_EXCEEDED",
        "INVALID_AMOUNT",
        "INVALID_PAYMENT_REQUEST_TYPE",
        "PAYMENT_DECLINED",
        "PAYMENT_UNCONFIRMED",
        "ASSET_REDEMPTION_DENIED",
        "IDEMPOTENT_OPERATION_FAILED",
      ],
    },
    ({ caller, params, body }) => requests.pay(caller, params.id, body),
  );
  keyed(
    {
      method: "POST",
      url: `${url}/:id/refund`,
      name: "refundPaymentRequest",
      says: "Give some or all of it back. The same externalRef refunds once.",
      tag,
      params: byId,
      body: refundForm,
      answer: activity,
      faults: [
        "LINE_ITEMS_SUM_CHECK_FAILED",
        "NOT_PAID",
        "ALREADY_REFUNDED",
        "INVALID_AMOUNT",
        "REPEAT_REFERENCE",
        "PRE_AUTH_PENDING",
        "CONFIRMATION_NOT_FOUND",
        "PARTIAL_REFUNDS_NOT_ALLOWED",
        "REFUND_DECLINED",
      ],
    },
    ({ caller, params, body }) => requests.refund(caller, params.id, body),
  );
  keyed(
    {
      method: "POST",
      url: `${url}/:id/void`,
      name: "voidPaymentRequest",
      says: "Cancel what is not paid, give back what is.",
      tag,
      params: byId,
      answer: activity,
      faults: [
        "VOID_WINDOW_EXCEEDED",
        "ALREADY_REFUNDED",
        "REQUEST_EXPIRED",
        "REQUEST_CANCELLED",
        "REFUND_DECLINED",
        "PRE_AUTH_ALREADY_CONFIRMED",
      ],
    },
    ({ caller, params }) => requests.void(caller, params.id),
  );
  keyed(
    {
      method: "POST",
      url: `${url}/:id/confirm`,
      name: "confirmPaymentRequest",
      says: "Take some of what is held for a pre-authorised request.",
      tag,
      params: byId,
      body: confirmForm,
      answer: activity,
      faults: [
        "LINE_ITEMS_SUM_CHECK_FAILED",
        "INVALID_PAYMENT_REQUEST_TYPE",
        "PRE_AUTH_PENDING",
        "PRE_AUTH_RELEASED",
        "REQUEST_CANCELLED",
        "REQUEST_EXPIRED",
        "INVALID_MERCHANT_CONFIG",
        "INVALID_AMOUNT",
        "IDEMPOTENT_OPERATION_FAILED",
      ],
    },
    ({ caller, params, body }) => requests.confirm(caller, params.id, body),
  );
  keyed(
    {
      method: "POST",
      url: `${url}/:id/release`,
      name: "releasePaymentRequest",
      says: "Let go of what is held and was not confirmed.",
      tag,
      params: byId,
      answer: activity,
      faults: ["INVALID_PAYMENT_REQUEST_TYPE", "PRE_AUTH_RELEASED", "REQUEST_CANCELLED", "REQUEST_EXPIRED"],
    },
    ({ caller, params }) => requests.release(caller, params.id),
  );
  for (const verdict of ["accept", "decline"] as const)
    keyed(
      {
        method: "POST",
        url: `${url}/:id/conditions/:conditionId/${verdict}`,
        name: `${verdict}PaymentCondition`,
        says:
          verdict === "accept" ? "A condition is met." : "A condition is not met: the request is cancelled.",
        tag,
        params: byId.extend({ conditionId: text(16) }),
        answer: activity,
        faults: [
          "PATRON_NOT_AUTHORIZED",
          "MERCHANT_NOT_AUTHORIZED",
          "CONDITION_ALREADY_SET",
          "REQUEST_EXPIRED",
        ],
      },
      ({ caller, params }) => requests.setCondition(caller, params.id, params.conditionId, verdict),
    );
  keyed(
    {
      method: "GET",
      url: `${url}/:id/activities`,
      name: "listPaymentRequestActivities",
      says: "A payment request's story, newest first.",
      tag,
      params: byId,
      query: numberedPageQuery,
      answer: pageOf(activity),
    },
    ({ caller, params, query }) => requests.activities(caller, params.id, query),
  );
  keyed(
    {
      method: "GET",
      url: "/api/payment-activities",
      name: "listPaymentActivities",
      says: "A merchant's activities, newest first.",
      tag,
      query: pageQuery.extend({ merchantId: text(64) }),
      answer: pageOf(activity),
    },
    ({ caller, query: { merchantId, ...page } }) => requests.merchantActivities(caller, merchantId, page),
  );
}
