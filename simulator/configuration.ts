/** What a simulator is told: one strict schema. Everything about time has the value of a real machine unless said otherwise. */
import { z } from "zod";
import { amountMinor, currency } from "../broker/protocol/money.js";
import { machineId } from "../broker/protocol/topics.js";

const port = z.int().min(0).max(65_535);
const webUrl = z.url({ protocol: /^https?$/, error: "must be an http or https URL" });
const durationMs = z.int().positive().max(86_400_000);

const coil = z.strictObject({
  item: z.int().min(0).max(0xffff),
  name: z.string().min(1).max(64),
  priceMinor: amountMinor,
  stock: z.int().nonnegative(),
});

const timing = z.strictObject({
  coilMs: durationMs.default(600),
  setupMs: durationMs.default(150),
  sessionIdleMs: durationMs.default(60_000),
  answerMs: durationMs.default(60_000),
  lateEnableMs: durationMs.default(5_000),
  noticeMs: durationMs.default(2_000),
});

/** What the machine is wired to its controller with; `level` and `alwaysIdle` are the VMC's own. */
const adapter = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("qibixx"), alwaysIdle: z.boolean().default(false) }),
  z.strictObject({ kind: z.literal("matedealer") }),
  z.strictObject({
    kind: z.enum(["mdb-hex", "wafer"]),
    level: z.literal([1, 2, 3], "must be 1, 2 or 3").default(3),
    address: z.enum(["0x10", "0x60"]).default("0x10"),
    alwaysIdle: z.boolean().default(false),
    pollMs: durationMs.default(150),
  }),
]);

const machine = z.strictObject({
  id: machineId,
  /** What the sticker's address ends with. */
  code: z.string().regex(/^[0-9A-Za-z_-]{1,64}$/, "must be 1 to 64 of 0-9, A-Z, a-z, _ and -"),
  name: z.string().min(1).max(64),
  /** The customer's page of this machine. */
  url: webUrl,
  /** The machine's own screen, which its controller serves. */
  screenUrl: webUrl.optional(),
  currency,
  decimals: z.int().min(0).max(3).default(2),
  /** Started with `--serial URL --mqtt URL` after these. */
  controller: z.strictObject({ command: z.array(z.string().min(1)).min(1) }),
  coils: z.array(coil).min(1).max(500).refine(distinct("item"), "no two coils may have the same item"),
  adapter: adapter.prefault({ kind: "qibixx" }),
  /** What is beside it for the customer: a display that takes text, or a receipt printer. The controller must be told the same. */
  display: z.enum(["text", "escpos"]).default("text"),
  /** Whether its audit can be read by DEX; its controller is then told where (`--dex`). */
  dex: z.boolean().default(false),
  timing: timing.prefault({}),
});

export const configuration = z.strictObject({
  httpHost: z.string().min(1).default("127.0.0.1"),
  httpPort: port,
  /** The real broker. The network's faults are made between it and the controllers, so it must be plain TCP. */
  mqttUrl: z.url({ protocol: /^mqtt$/, error: "must be mqtt://host:port" }),
  cloudUrl: webUrl,
  /** Where the built page is. */
  webDir: z.string().min(1),
  /** Where each controller's output is kept, one file a machine. */
  logDir: z.string().min(1).optional(),
  /** Where the running controllers are noted, so that none outlives a killed simulator for long. */
  pidFile: z.string().min(1).optional(),
  machines: z
    .array(machine)
    .min(1)
    .max(1_000)
    .refine((all) => new Set(all.flatMap(({ id, code }) => [...new Set([id, code])])).size === names(all), {
      error: "no two machines may have the same id or code",
    }),
  /** Links the page shows beside the machine. */
  customers: z.array(z.strictObject({ name: z.string().min(1), walletUrl: webUrl })).default([]),
});

export type Configuration = z.infer<typeof configuration>;
export type MachinePlan = Configuration["machines"][number];

function names(machines: readonly { readonly id: string; readonly code: string }[]): number {
  return machines.reduce((sum, { id, code }) => sum + (id === code ? 1 : 2), 0);
}

function distinct<K extends string>(key: K): (rows: readonly Readonly<Record<K, unknown>>[]) => boolean {
  return (rows) => new Set(rows.map((row) => row[key])).size === rows.length;
}
