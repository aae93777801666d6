/**
 * What a reader still has to say, and what it has said without being heard. Pure. MDB/ICP 4.2, section 3.
 *
 * Promises  a block is said again on each later poll until it is acknowledged, byte for byte; nothing else is said meanwhile.
 *           A text for the display alone makes room for whatever else is owed: nothing may depend on it.
 *           Several answers go into one block as far as they fit, in the order they came.
 * Bounded   by one answer of each kind: a second takes the place of one that has not left yet.
 */
import { responseBytes, type Response } from "./codec.js";
import { closeBlock, MAX_BLOCK } from "./frame.js";
import type { Context } from "./widths.js";

type Kind = Response["kind"];
export type Delivery = {
  readonly owed: readonly Response[];
  readonly flight: Flight | undefined;
};
type Flight = {
  readonly responses: readonly Response[];
  readonly block: Uint8Array;
  /** Nobody else has spoken since: an ACK, NAK or RET means this block. */
  readonly isFresh: boolean;
};

export const nothingOwed: Delivery = { owed: [], flight: undefined };

/** Answers after which another could not be told from their own data, and the one before which there is nothing. */
const ALONE: ReadonlySet<Kind> = new Set<Kind>(["justReset", "displayRequest", "diagnosticResponse"]);

export const owe = (delivery: Delivery, response: Response): Delivery => ({
  ...delivery,
  owed: [...delivery.owed.filter(({ kind }) => kind !== response.kind), response],
});

export const isOwed = ({ owed }: Delivery, wanted: Kind): boolean => owed.some(({ kind }) => kind === wanted);
export const hasLeft = ({ flight }: Delivery, wanted: Kind): boolean =>
  flight?.responses.some(({ kind }) => kind === wanted) === true;

/** Takes back answers that have not left. */
export const withdraw = (delivery: Delivery, ...kinds: readonly Kind[]): Delivery => ({
  ...delivery,
  owed: delivery.owed.filter(({ kind }) => !kinds.includes(kind)),
});

/** Says answers no more: they were heard, as the machine's doings show, or mean nothing now. */
export function drop(delivery: Delivery, context: Context, ...kinds: readonly Kind[]): Delivery {
  const { owed, flight } = withdraw(delivery, ...kinds);
  const left = flight?.responses.filter(({ kind }) => !kinds.includes(kind)) ?? [];
  if (left.length === flight?.responses.length) return { owed, flight };
  return { owed, flight: left.length === 0 ? undefined : flightOf(left, context, false) };
}

/** What a poll is answered with; `undefined` if there is nothing but an ACK. */
export function next(delivery: Delivery, context: Context): Delivery {
  const { owed, flight } = delivery;
  const isInTheWay = owed.length > 0 && flight?.responses.every(({ kind }) => kind === "displayRequest");
  if (flight !== undefined && isInTheWay !== true) return { owed, flight: { ...flight, isFresh: true } };
  const count = howMany(owed, context);
  if (count === 0) return delivery;
  return { owed: owed.slice(count), flight: flightOf(owed.slice(0, count), context, true) };
}

/** The machine has spoken of something else, or said that it has not understood. */
export const unheard = ({ owed, flight }: Delivery): Delivery => ({
  owed,
  flight: flight && { ...flight, isFresh: false },
});

/** The machine has our block: what it held, and what is left to say. */
export function acknowledged(delivery: Delivery): readonly [Delivery, readonly Response[]] {
  const { owed, flight } = delivery;
  return flight?.isFresh === true ? [{ owed, flight: undefined }, flight.responses] : [delivery, []];
}

function howMany(owed: readonly Response[], context: Context): number {
  let room = MAX_BLOCK - 1;
  for (const [count, response] of owed.entries()) {
    room -= responseBytes(response, context).length;
    if (room < 0 || (count > 0 && ALONE.has(response.kind))) return count;
    if (ALONE.has(response.kind)) return count + 1;
  }
  return owed.length;
}

function flightOf(responses: readonly Response[], context: Context, isFresh: boolean): Flight {
  const body = responses.flatMap((response) => [...responseBytes(response, context)]);
  return { responses, block: closeBlock(Uint8Array.from(body)), isFresh };
}
