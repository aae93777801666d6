/**
 * How many may watch sales at once.
 *
 * Promises  no more than `perAddress` streams of one address are open, and no more than `inAll`: the next one is refused, and its
 *           page goes on by asking. Of one sale there are at most PER_SALE: the one that was there first makes room, for a
 *           phone that lost its line is back long before its old stream is known to be dead.
 * Crash     the streams are this process's own, and end with it.
 */
import { Fault } from "../http/fault.js";

const PER_SALE = 4;
const AGAIN_MS = 30_000;

export type StreamLimits = { readonly perAddress: number; readonly inAll: number };
type Seat = { readonly address: string; readonly saleId: string; readonly close: () => void };

export class StreamSeats {
  readonly #limits: StreamLimits;
  readonly #seats = new Set<Seat>();
  readonly #ofAddress = new Map<string, number>();
  readonly #ofSale = new Map<string, Set<Seat>>();

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  /** Answers how to give it up, which may be done twice. Raises RATE_LIMIT_EXCEEDED, BUSY. */
  take(address: string, saleId: string, close: () => void): () => void {
    if ((this.#ofAddress.get(address) ?? 0) >= this.#limits.perAddress)
      throw new Fault("RATE_LIMIT_EXCEEDED", "too many streams from this address", {
        retryAfterMs: AGAIN_MS,
      });
    if (this.#seats.size >= this.#limits.inAll)
      throw new Fault("BUSY", "too many streams; try again in a moment", { retryAfterMs: AGAIN_MS });
    const [oldest] = this.#ofSale.get(saleId) ?? [];
    if (oldest !== undefined && this.#ofSale.get(saleId)?.size === PER_SALE) {
      this.#leave(oldest);
      oldest.close();
    }
    const seat = { address, saleId, close };
    this.#seats.add(seat);
    this.#ofAddress.set(address, (this.#ofAddress.get(address) ?? 0) + 1);
    this.#ofSale.set(saleId, (this.#ofSale.get(saleId) ?? new Set()).add(seat));
    return () => this.#leave(seat);
  }

  #leave(seat: Seat): void {
    if (!this.#seats.delete(seat)) return;
    const left = (this.#ofAddress.get(seat.address) ?? 0) - 1;
    if (left > 0) this.#ofAddress.set(seat.address, left);
    else this.#ofAddress.delete(seat.address);
    const others = this.#ofSale.get(seat.saleId);
    others?.delete(seat);
    if (others?.size === 0) this.#ofSale.delete(seat.saleId);
  }
}
