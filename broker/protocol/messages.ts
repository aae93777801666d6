/**
 * What is said on the bus: one strict schema a topic. Pure.
 *
 * Amounts are whole minor units; intervals are milliseconds and travel as *remaining* time, because no two clocks here
 * agree. `journal` and `entry` name one line of a machine's journal: `go` and `void` answer exactly one `accepted`, so
 * an old one can never open or close anything else.
 */
import { z } from "zod";
import { amountMinor, currency } from "./money.js";
import type { Down, Up } from "./topics.js";

const id = z.string().regex(/^[0-9A-Za-z_-]{1,64}$/);
const intervalMs = z.int().positive().max(86_400_000);
const entry = z.int().positive();
const item = z.int().min(0).max(0xffff);
const price = amountMinor;

/** Items of one audit: more than a machine has. */
export const MAX_COUNTED = 256;

/** Why a machine will not sell. */
export const notSelling = z.enum(["busy", "outOfService"]);

/** The terminal's own question this is about: a selection that waits at the machine to be paid for. */
const forSelection = { requestId: id.optional() };

const grant = z.strictObject({
  grantId: id,
  saleId: id,
  amountMinor: amountMinor.positive(),
  currency,
  sessionMs: intervalMs, // how long the customer may choose
  goMs: intervalMs, // how long the machine waits for `go` before it lets the grant lapse
  maxVends: z.int().min(1).max(99),
  /** The only items it is for; without it, any. */
  items: z.array(item).min(1).max(200).optional(),
  ...forSelection,
});
const decision = z.strictObject({ grantId: id, journal: id, entry });

export const down = {
  reserve: z.strictObject({ reservationId: id, ttlMs: intervalMs, ...forSelection }),
  grant,
  go: decision,
  void: decision,
  heard: z.strictObject({ journal: id, upTo: z.int().nonnegative() }),
  /** `qr`: what a display that can shows as a QR code beside the text. */
  answer: z.strictObject({ requestId: id, show: z.string().max(64), qr: z.string().max(256).optional() }),
  /** Read here for its number alone: a machine older than what it is told says which part it does not know (machine-configuration.ts). */
  config: z.looseObject({ version: z.int().positive() }),
} as const satisfies Record<Down, z.ZodType>;

const ofGrant = { grantId: id };
const ofVend = { grantId: id, vend: z.int().positive(), item, priceMinor: price };

/** One line of a machine's journal. */
export const journalLine = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("accepted"), ...ofGrant }),
  z.strictObject({
    kind: z.literal("refused"),
    ...ofGrant,
    reason: z.enum(["busy", "outOfService", "currency", "withdrawn"]), // withdrawn: the selection is over
  }),
  z.strictObject({
    kind: z.literal("lapsed"),
    ...ofGrant,
    reason: z.enum(["noGo", "void", "boot", "notReady", "withdrawn"]),
  }),
  z.strictObject({ kind: z.literal("opened"), ...ofGrant }),
  z.strictObject({
    kind: z.literal("denied"),
    ...ofGrant,
    item,
    priceMinor: price,
    reason: z.enum(["aboveCredit", "badPrice", "suspended", "notGranted"]), // suspended: it failed too often
  }),
  z.strictObject({ kind: z.literal("approved"), ...ofVend }),
  // assumed: the machine was reset after the approval, which the standard counts as sold (MDB/ICP 7.4.7).
  // late: the result came after `unknown` had been said of the same vend.
  z.strictObject({ kind: z.literal("succeeded"), ...ofVend, assumed: z.boolean(), late: z.boolean() }),
  z.strictObject({ kind: z.literal("failed"), ...ofVend, late: z.boolean() }),
  z.strictObject({
    kind: z.literal("unknown"),
    ...ofVend,
    reason: z.enum(["boot", "timeout", "serial", "ended"]),
  }),
  z.strictObject({
    kind: z.literal("closed"),
    ...ofGrant,
    reason: z.enum(["done", "failed", "ended", "timeout", "void", "boot", "unknown", "notOpened"]),
  }),
  z.strictObject({ kind: z.literal("cashSale"), item, priceMinor: price }),
  // What the machine's own audit counted of cashless sales since the reading before it, which was taken when entry `since`
  // was the newest. No vend was going on at either. An item that is not here was not counted.
  z.strictObject({
    kind: z.literal("audit"),
    since: z.int().nonnegative(),
    items: z.array(z.strictObject({ item, vends: z.int().nonnegative() })).max(MAX_COUNTED),
  }),
  z.strictObject({ kind: z.literal("alarm"), code: z.string().max(64), detail: z.string().max(256) }),
]);
export type JournalLine = z.infer<typeof journalLine>;

const count = z.int().nonnegative();
/** How a machine's box is, and what it has counted since its controller started. */
export const telemetry = z.strictObject({
  uptimeSeconds: count,
  boxUptimeSeconds: count,
  residentMb: count,
  freeDiskMb: count.optional(),
  temperatureC: z.int().min(-200).max(200).optional(),
  commits: count, // to the card: what wears it out
  serialLosses: count,
  mdbResets: count,
  vends: z.strictObject({ succeeded: count, failed: count, unknown: count }),
  /** When the machine's audit was last read, and what has gone wrong since ("": nothing); where there is a line to read it on. */
  dex: z.strictObject({ readSecondsAgo: count.optional(), trouble: z.string().max(64) }).optional(),
});
export type Telemetry = z.infer<typeof telemetry>;

export const up = {
  status: z.strictObject({
    online: z.boolean(),
    bootId: id,
    version: z.string().max(64),
    mdb: z.enum(["lost", "off", "inactive", "disabled", "enabled", "session", "vend"]),
    canSell: z.boolean(),
    reason: z.string().max(64), // "" while it can sell
    /** Which configuration is in force (0: the machine's own file), which one is being tried, and which one was turned down and why. */
    config: z
      .strictObject({
        applied: z.int().nonnegative(),
        trying: z.int().positive().optional(),
        refused: z.strictObject({ version: z.int().positive(), at: z.string().max(256) }).optional(),
      })
      .optional(), // a machine that is older than this says nothing of it
    telemetry: telemetry.optional(),
  }),
  reserved: z.discriminatedUnion("ok", [
    z.strictObject({ reservationId: id, ok: z.literal(true) }),
    z.strictObject({ reservationId: id, ok: z.literal(false), reason: notSelling }),
  ]),
  report: z.strictObject({ journal: id, entry, line: journalLine }),
  request: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.enum(["scan", "voucher"]), requestId: id, value: z.string().max(256) }),
    /** `forMs`: how long the machine waits for the payment. */
    z.strictObject({
      kind: z.literal("selection"),
      requestId: id,
      item,
      priceMinor: price,
      forMs: intervalMs,
    }),
    /** The selection of this `requestId` is over: nobody is to pay for it. */
    z.strictObject({ kind: z.literal("withdrawn"), requestId: id }),
  ]),
} as const satisfies Record<Up, z.ZodType>;

const bodies = { ...down, ...up };
export type Body = { [L in keyof typeof bodies]: z.infer<(typeof bodies)[L]> };
export const schemaOf = <L extends keyof typeof bodies>(leaf: L): (typeof bodies)[L] => bodies[leaf];
