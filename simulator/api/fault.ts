/** Every way a request may fail that is the caller's business. Anything else is a bug, and a 500. */
// prettier-ignore
const catalogue = {
  MALFORMED:         { statusCode: 400, error: "Bad Request" },
  MACHINE_NOT_FOUND: { statusCode: 404, error: "Not Found" },
  ROUTE_NOT_FOUND:   { statusCode: 404, error: "Not Found" },
} as const satisfies Record<string, { readonly statusCode: number; readonly error: string }>;

export type FaultCode = keyof typeof catalogue;

export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly reason: string;

  constructor(code: FaultCode, reason: string, options?: ErrorOptions) {
    super(`${code}: ${reason}`, options);
    this.code = code;
    this.reason = reason;
  }
}

export type ErrorBody = {
  readonly statusCode: number;
  readonly error: string;
  readonly message: string;
  readonly reason?: string;
};

/** The one place a failure becomes a status. It decides nothing else, and it does not log. */
export function toBody(error: unknown): ErrorBody {
  if (!(error instanceof Fault))
    return { statusCode: 500, error: "Internal Server Error", message: "INTERNAL_ERROR" };
  return { ...catalogue[error.code], message: error.code, reason: error.reason };
}
