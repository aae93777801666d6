/**
 * Time and chance, as every room takes them. Each `main.ts` builds the real ones; a simulation builds its own.
 *
 * Never decide about money from `nowMs`: a machine's wall clock may be ten years wrong. Intervals are measured on
 * `monoMs`, which only rises and means nothing across a restart.
 */
export interface Clock {
  /** Wall clock, ms since 1970. For people and for time-ordered ids. */
  nowMs(): number;
  /** Monotonic clock, ms since some moment of this process. For every interval. */
  monoMs(): number;
  /** Calls `act` once after `ms`, with 0 once what has reached our sockets by now is read; the answer takes it back. */
  after(ms: number, act: () => void): () => void;
}

export interface Random {
  /** Unguessable bytes. */
  bytes(count: number): Uint8Array;
  /** Evenly spread over [0, 1); for jitter, never for secrets. */
  fraction(): number;
}
