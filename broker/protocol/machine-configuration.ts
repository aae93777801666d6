/**
 * What the cloud may set in a machine from afar: names and prices, texts, limits. Pure.
 *
 * Never     a key, an address or a login: whose word counts is decided at the machine alone.
 */
import { z } from "zod";
import { amountMinor, currency } from "./money.js";

/** What a display takes: a control character would end its line, or clear it. */
const text = z
  .string()
  .regex(/^[^\p{Cc}]{1,64}$/u, "must be 1 to 64 characters, none of them a control character");
const ms = (least: number, most: number) => z.int().min(least).max(most);

/**
 * What the machine's own terminal says, where it is not what it says by itself. `{item}` is the item's name, `{items}` the
 * keys of those that the credit is for.
 */
const texts = z.strictObject({
  idle: text.optional(),
  asking: text.optional(),
  choose: text.optional(),
  chooseOnly: text.optional(),
  vending: text.optional(),
  failed: text.optional(),
  unknown: text.optional(),
  unreadable: text.optional(),
  incomplete: text.optional(),
  offline: text.optional(),
  noAnswer: text.optional(),
});
/** For how long an item that failed too often is neither given nor offered. After that one more failure is enough. */
export const SUSPENDED_MS = 15 * 60_000;
/** What is left out is as the machine's own file says. */
const limits = z.strictObject({
  maxVends: z.int().min(1).max(99).optional(),
  vendResultMs: ms(1_000, 300_000).optional(),
  selectionMs: ms(5_000, 300_000).optional(),
  suspendAfter: z.int().min(1).max(100).optional(),
  reportAgainMs: ms(500, 60_000).optional(),
  statusEveryMs: ms(5_000, 60_000).optional(), // a machine that misses three counts as gone
});
/** What a reader may offer a machine beside selling (MDB/ICP 4.2, 7.4.2). */
export const readerOptions = z.array(z.enum(["refund", "multivend", "display", "cashSale"]));
/**
 * What our own reader says of itself, where that may be tried from afar: a machine that does not like it is not ready, and has its
 * own again. How money is written on the bus (scale, decimals, country), the address and the level are not here: under a wrong
 * scale a machine sells on, at ten times the price.
 */
const reader = z.strictObject({
  responseSeconds: z.int().min(1).max(255).optional(),
  alwaysIdle: z.boolean().optional(),
  options: readerOptions.optional(),
});
/** One item of those that are set. */
export const settableItem = z.strictObject({
  item: z.int().min(0).max(0xffff),
  name: text,
  priceMinor: amountMinor,
  /** What tokens know the product by. The machine itself has no use for it. */
  sku: text.optional(),
});

/** So many that the longest names still fit in one message, and none of them twice. */
export const settableItems = <T extends z.ZodType<{ readonly item: number }>>(one: T) =>
  z
    .array(one)
    .max(200)
    .refine((all) => new Set(all.map(({ item }) => item)).size === all.length, "must not hold an item twice");

/** How money is written on the bus (MDB/ICP 4.2, 7.4.2), as a Qibixx adapter is told it. */
const MONEY_ON_THE_BUS = ["mdb-scale-factor", "mdb-decimal-places", "mdb-currency-code"] as const;

/** Why these must not come from afar; nothing when they may. */
export function notFromAfar({ adapterSettings }: Pick<Settable, "adapterSettings">): string | undefined {
  const key = MONEY_ON_THE_BUS.find((one) => adapterSettings?.[one] !== undefined);
  if (key === undefined) return undefined;
  return `adapterSettings.${key}: must be set in the machine's own file: under a wrong one it sells on, at ten times the price`;
}

/** As the merchant gives it: its number and its currency are the cloud's to say. */
export const settable = z.strictObject({
  items: settableItems(settableItem),
  texts: texts.default({}),
  limits: limits.default({}),
  /** Further settings of a Qibixx adapter: each in the place of the same one in the machine's file. */
  adapterSettings: z
    .record(
      z.string().regex(/^[a-z-]{1,32}$/, "must be 1 to 32 of a-z and -"),
      z.string().regex(/^[A-Za-z0-9.]{1,16}$/, "must be 1 to 16 letters, digits and dots"),
    )
    .optional(),
  /** Of a machine that carries our reader, in the place of those in its file. */
  reader: reader.optional(),
  /** How soon the machine must be able to sell again; else it goes back to what it had before. */
  readyWithinMs: ms(5_000, 600_000).default(60_000),
});
type Settable = z.infer<typeof settable>;
export const machineConfiguration = settable.extend({ version: z.int().positive(), currency });
export type MachineConfiguration = z.infer<typeof machineConfiguration>;

/** The first thing that is wrong, and what it should be: `limits.maxVends: …`. As much of it as a report takes. */
export function firstProblem({ issues }: z.ZodError): string {
  const [issue] = issues;
  const at = [...(issue?.path ?? []), ...(issue?.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [])];
  const what = issue?.code === "unrecognized_keys" ? "no such key" : issue?.message;
  return `${at.join(".") || "configuration"}: ${what ?? "wrong"}`.slice(0, 200);
}
