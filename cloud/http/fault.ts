/**
 * How a request fails: the closed catalogue of codes, and the one place a failure becomes a status.
 *
 * Both of the cloud's services answer in the payment API's form: `{statusCode, error, message, reason?}`, where `message`
 * is the code a program may rely on and `reason` is for people. What is missing and what is not yours are one answer
 * (403), so that a stranger cannot tell which.
 */
const BAD_REQUEST = { statusCode: 400, error: "Bad Request" } as const;
const FORBIDDEN = { statusCode: 403, error: "Forbidden" } as const;

// prettier-ignore
const catalogue = {
  // any route
  MALFORMED:                    BAD_REQUEST,
  UNAUTHENTICATED:              { statusCode: 401, error: "Unauthorized" },
  FORBIDDEN,
  NOT_FOUND:                    { statusCode: 404, error: "Not Found" },
  PRECONDITION_FAILED:          { statusCode: 412, error: "Precondition Failed" },
  URI_TOO_LONG:                 { statusCode: 414, error: "URI Too Long" },
  RANGE_NOT_SATISFIABLE:        { statusCode: 416, error: "Range Not Satisfiable" },
  BODY_TOO_LARGE:               { statusCode: 413, error: "Payload Too Large" },
  UNSUPPORTED_MEDIA_TYPE:       { statusCode: 415, error: "Unsupported Media Type" },
  RATE_LIMIT_EXCEEDED:          { statusCode: 429, error: "Too Many Requests" },
  BUSY:                         { statusCode: 503, error: "Service Unavailable" },
  UNAVAILABLE:                  { statusCode: 503, error: "Service Unavailable" },
  // payments
  LINE_ITEMS_SUM_CHECK_FAILED:  BAD_REQUEST,
  REQUEST_PAID:                 FORBIDDEN,
  REQUEST_EXPIRED:              FORBIDDEN,
  REQUEST_CANCELLED:            FORBIDDEN,
  INVALID_ASSET_TYPE:           FORBIDDEN,
  INACTIVE_ASSET:               FORBIDDEN,
  INSUFFICIENT_ASSET_VALUE:     FORBIDDEN,
  INVALID_MERCHANT_CONFIG:      FORBIDDEN,
  NO_AVAILABLE_PAYMENT_OPTIONS: FORBIDDEN,
  IDEMPOTENT_OPERATION_FAILED:  FORBIDDEN,
  NOT_PAID:                     FORBIDDEN,
  ALREADY_REFUNDED:             FORBIDDEN,
  INVALID_AMOUNT:               FORBIDDEN,
  REPEAT_REFERENCE:             FORBIDDEN,
  REFUND_DECLINED:              FORBIDDEN,
  CONFIRMATION_NOT_FOUND:       FORBIDDEN,
  REDIRECT_URL_INVALID:         FORBIDDEN,
  VOID_WINDOW_EXCEEDED:         FORBIDDEN,
  INVALID_PAYMENT_REQUEST_TYPE: FORBIDDEN,
  REMAINING_AMOUNT_EXCEEDED:    FORBIDDEN,
  PAYMENT_DECLINED:             FORBIDDEN,
  PAYMENT_UNCONFIRMED:          FORBIDDEN,
  ASSET_REDEMPTION_DENIED:      FORBIDDEN,
  PARTIAL_REFUNDS_NOT_ALLOWED:  FORBIDDEN,
  TOKEN_ALREADY_CREATED:        FORBIDDEN,
  TOKEN_COLLECTION_NOT_FOUND:   FORBIDDEN,
  UNSUPPORTED_ASSET_TYPE:       FORBIDDEN,
  INVALID_WALLET_TYPE:          FORBIDDEN,
  PRE_AUTH_PENDING:             FORBIDDEN,
  PRE_AUTH_RELEASED:            FORBIDDEN,
  PRE_AUTH_ALREADY_CONFIRMED:   FORBIDDEN,
  PATRON_NOT_AUTHORIZED:        FORBIDDEN,
  MERCHANT_NOT_AUTHORIZED:      FORBIDDEN,
  CONDITION_ALREADY_SET:        FORBIDDEN,
  CHECKSUM_FAILED:              BAD_REQUEST,
  DUPLICATE_API_KEY:            FORBIDDEN,
  QUOTA_EXCEEDED:               FORBIDDEN,
  SUBSCRIPTION_DISABLED:        FORBIDDEN,
  ACCOUNT_REGION_MISMATCH:      FORBIDDEN,
  BANK_ACCOUNT_MISMATCH:        FORBIDDEN,
  LIVENESS_MISMATCH:            FORBIDDEN,
  COLLECTIONS_INVALID:          FORBIDDEN,
  PATRON_CODE_INVALID:          FORBIDDEN,
  UNKNOWN_CODE:                 FORBIDDEN,
  MERCHANT_CONFIG_NOT_FOUND:    FORBIDDEN,
  // vending
  MACHINE_OFFLINE:              FORBIDDEN,
  MACHINE_BUSY:                 FORBIDDEN,
  MACHINE_OUT_OF_SERVICE:       FORBIDDEN,
  CREDIT_OUT_OF_RANGE:          FORBIDDEN,
  NOT_CHARGED:                  FORBIDDEN,
  PAYMENTS_UNAVAILABLE:         { statusCode: 503, error: "Service Unavailable" },
} as const satisfies Record<string, { readonly statusCode: number; readonly error: string }>;

export type FaultCode = keyof typeof catalogue;

/** A request that fails for a reason its caller can do something about. Anything else that is thrown is a bug. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly reason: string | undefined;
  /** How long to wait before asking again, for whoever asks too often. */
  readonly retryAfterMs: number | undefined;

  constructor(code: FaultCode, reason?: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    super(reason === undefined ? code : `${code}: ${reason}`, options);
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

export type ErrorBody = {
  readonly statusCode: number;
  readonly error: string;
  readonly message: string;
  readonly reason?: string;
};

/** Three codes are written as the payment API writes them. */
const WORDS: Partial<Record<FaultCode, string>> = {
  UNAUTHENTICATED: "Missing authentication",
  FORBIDDEN: "Forbidden",
  NOT_FOUND: "Not Found",
};

/** What the answer's `message` says for a code, where it is not a sentence. */
export const messageOf = (code: FaultCode): string => WORDS[code] ?? code;
export const statusOf = (code: FaultCode): number => catalogue[code].statusCode;

/** The one place a failure becomes a status. It decides nothing else, and it does not log. */
export function toBody(error: unknown): ErrorBody {
  if (!(error instanceof Fault))
    return { statusCode: 500, error: "Internal Server Error", message: "INTERNAL_ERROR" };
  const { code, reason } = error;
  // A malformed body's message is the sentence itself, with the field's name in front: "value.amount: must be …".
  const message = code === "MALFORMED" && reason !== undefined ? reason : messageOf(code);
  return { ...catalogue[code], message, ...(reason === undefined || message === reason ? {} : { reason }) };
}
