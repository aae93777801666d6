/**
 * What of the sale outlives a power cut: written in the journal's own transaction, read once at boot. Pure.
 *
 * `past` is the last vend of the last session. While its result is not `known`, a late word from the adapter still
 * settles it; once it is, the same word again is a repetition and not somebody's sale.
 */
import { z } from "zod";
import { amountMinor } from "../../broker/protocol/money.js";

const vend = z.strictObject({
  grantId: z.string(),
  vend: z.int().positive(),
  item: z.int().nonnegative(),
  priceMinor: amountMinor,
});
export type Vend = Readonly<z.infer<typeof vend>>;

const grant = { grantId: z.string(), entry: z.int().positive() };
const durable = z.strictObject({
  held: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("none") }),
    z.strictObject({ kind: z.literal("accepted"), ...grant }),
    z.strictObject({ kind: z.literal("open"), ...grant }),
    z.strictObject({ kind: z.literal("approved"), ...grant, vend }),
  ]),
  past: z.strictObject({ vend, known: z.boolean() }).nullable(),
});
export type Durable = Readonly<z.infer<typeof durable>>;

export const NOTHING_HELD: Durable = { held: { kind: "none" }, past: null };

/** The empty text is a journal that has never held a sale. Anything unreadable is a bug or a damaged file: it throws. */
export const readDurable = (text: string): Durable =>
  text === "" ? NOTHING_HELD : durable.parse(JSON.parse(text));
