/**
 * Whose machine is it? Whoever may read its merchant config at the payment platform, which is asked with the caller's own key:
 * vending keeps no keys of its own, and learns nothing of theirs.
 */
import { Fault } from "../http/fault.js";

/** Raises UNAUTHENTICATED, FORBIDDEN (a terminal's key is not an owner's), RATE_LIMIT_EXCEEDED, PAYMENTS_UNAVAILABLE. */
export type RequireOwner = (configId: string, apiKey: unknown) => Promise<void>;

const TIMEOUT_MS = 10_000;

export const requireOwnerAt =
  (paymentsUrl: string, http: typeof fetch): RequireOwner =>
  async (configId, apiKey) => {
    if (typeof apiKey !== "string" || !/^[\x21-\x7e]{1,255}$/.test(apiKey))
      throw new Fault("UNAUTHENTICATED");
    let status: number;
    let retryAfter: number;
    try {
      const answer = await http(`${paymentsUrl}/api/merchant-configs/${encodeURIComponent(configId)}`, {
        headers: { "x-api-key": apiKey },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        redirect: "error",
      });
      ({ status } = answer);
      retryAfter = Number(answer.headers.get("retry-after") ?? Number.NaN);
      await answer.body?.cancel();
    } catch (error) {
      throw new Fault("PAYMENTS_UNAVAILABLE", "whose key this is could not be asked", { cause: error });
    }
    if (status === 200) return;
    if (status === 401) throw new Fault("UNAUTHENTICATED");
    if (status === 403 || status === 404) throw new Fault("FORBIDDEN");
    if (status === 429)
      throw new Fault("RATE_LIMIT_EXCEEDED", undefined, {
        ...(retryAfter > 0 ? { retryAfterMs: retryAfter * 1000 } : {}), // a date is not worth reading here
      });
    throw new Fault("PAYMENTS_UNAVAILABLE", "whose key this is could not be asked");
  };
